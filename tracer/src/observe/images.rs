//! Shows a memory to the recorder as it is: the child's half of `record/images.rs`.

use super::pages::{PAGE_BYTES, RUN, pages};
use crate::memories::View;
use crate::protocol::{FrameWriter, Message};
use std::io::{self, Write};

/// Sends a memory: its size, every page that is not all zero, the end mark.
pub(crate) fn send_image<W: Write>(view: &View, out: &mut FrameWriter<W>) -> io::Result<()> {
    out.message(&Message::Image { memory: view.memory, pages: view.pages })?;
    let mut run: Option<(usize, usize)> = None;
    for (number, page) in pages(view.bytes) {
        let start = number as usize * PAGE_BYTES;
        let end = start + page.len();
        run = match run {
            Some((first, last)) if last == start && end - first <= RUN => Some((first, end)),
            Some((first, last)) => {
                out.image(view.memory, first as u64, &view.bytes[first..last])?;
                Some((start, end))
            }
            None => Some((start, end)),
        };
    }
    if let Some((first, last)) = run {
        out.image(view.memory, first as u64, &view.bytes[first..last])?;
    }
    out.message(&Message::ImageEnd)
}
