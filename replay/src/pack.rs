//! A pack: both traces of a divergence in one file, to be attached to a bug report.
//!
//! It is a zip archive, so bug trackers take it and any tool opens it: a page that says what it shows (`README.md`), the
//! module once, and an excerpt of each trace: a window around where the runs part, with memory as it was, the host log
//! and digests of the rest. So it holds what a rerun needs, whatever the length of the run.
//!
//! A pack may come from a stranger: members are read in place, and what they claim is checked against what is there.

mod archive;
mod contents;
mod error;
mod packing;
mod readme;

pub use archive::Pack;
pub use contents::{Contents, HostBytes, OtherModule, Section};
pub use error::PackError;
pub use packing::{PackSettings, Packing};

/// The members of the archive.
const README: &str = "README.md";
const MODULE: &str = "module.wasm";
/// The modules of a program of several, one after the other.
const MODULES: &str = "modules.bin";
const TRACES: [&str; 2] = ["lhs.fpt", "rhs.fpt"];
