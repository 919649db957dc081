//! Shows digests of pages at a checkpoint, and the pages that the recorder asks for: the child's half of
//! `record/checkpoints.rs`.

use super::pages::{PAGE_BYTES, digest, pages};
use crate::link::Answers;
use crate::memories::View;
use crate::protocol::{FrameWriter, Message, Order, PageDigest, ShownPage};
use forkpoint_traces::MemoryIndex;
use std::io::{self, Write};

/// Most digests in one frame.
const DIGESTS: usize = 1 << 16;

/// Performs a checkpoint: sends the digests of all pages that are not all zero, waits for the recorder to name those
/// that differ from what it expects, and sends these.
pub(crate) fn checkpoint<W: Write>(views: &[View], answers: &Answers, out: &mut FrameWriter<W>) -> io::Result<()> {
    out.message(&Message::Checkpoint { pages: views.iter().map(|view| view.pages).collect() })?;
    let mut digests = Vec::new();
    for view in views {
        for (page, bytes) in pages(view.bytes) {
            digests.push(PageDigest { page, digest: digest(bytes) });
            if digests.len() == DIGESTS {
                out.digests(view.memory, &digests)?;
                digests.clear();
            }
        }
        out.digests(view.memory, &digests)?;
        digests.clear();
    }
    out.message(&Message::CheckpointEnd)?;
    let Order::Show(pages) = answers.wait()? else { return Err(io::ErrorKind::InvalidData.into()) };
    for ShownPage { memory: MemoryIndex(memory), page } in pages {
        let Some(view) = views.iter().find(|view| view.memory == memory) else { continue };
        let start = usize::try_from(page).ok().and_then(|page| page.checked_mul(PAGE_BYTES));
        let Some(start) = start.filter(|start| *start < view.bytes.len()) else { continue };
        out.image(memory, start as u64, &view.bytes[start..view.bytes.len().min(start + PAGE_BYTES)])?;
    }
    out.message(&Message::CheckpointDone)
}
