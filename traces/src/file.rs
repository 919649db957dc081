//! Writer and reader of trace files, side by side: the reader must understand what the writer writes.
//!
//! `magic | version | header | module | sites | native code* | (chunk | kept | pages | keyframe)* | index | trailer`.
//! A file without index and trailer is *incomplete*: its recorder was killed or ran out of disk. It is readable up to
//! its last whole chunk, and the reader reports why it is incomplete.

mod form;
mod open;
mod output;
mod reader;
mod writer;

pub use open::is_trace;
pub use output::{Unfinished, unfinished};
pub use reader::{Excerpt, ExcerptModule, HostLog, Scanner, TraceReader};
pub use writer::{Finished, TraceWriter};

use crate::site::Site;
use serde::{Deserialize, Serialize};

/// First bytes of every trace.
const MAGIC: [u8; 8] = *b"\x89FPTRACE";

/// Format version. Raise it with every change that an older reader would misread, in a commit of its own.
pub const FORMAT_VERSION: u32 = 13;

/// Length of magic and version.
const PREAMBLE: u64 = 12;

/// Last bytes of a complete trace, after the index block's offset (u64, little endian).
const TRAILER_MAGIC: [u8; 8] = *b"FPTRIDX\n";

/// Length of the trailer.
const TRAILER: u64 = 16;

/// The sites block.
#[derive(Serialize, Deserialize)]
struct Sites {
    sites: Vec<Site>,
    /// Where each data segment's bytes are: start and end in the module.
    data: Vec<(u32, u32)>,
}
