//! Whole memories, sent to the recorder page by page.

use super::Out;
use crate::protocol::Message;
use std::io;
use wasmtime::{Memory, Store};

/// Unit in which zeros are left out.
const PAGE: usize = 4096;

/// Longest run of pages in one frame.
const RUN: usize = 1 << 20;

/// Sends a memory: its size, every page that is not all zero, the end mark.
pub(super) fn send<T>(index: u32, memory: Memory, store: &Store<T>, out: &mut Out) -> io::Result<()> {
    out.message(&Message::Image { memory: index, pages: memory.size(store) })?;
    let data = memory.data(store);
    let zero = |at: usize| data[at..data.len().min(at + PAGE)].iter().all(|byte| *byte == 0);
    let mut at = 0;
    while at < data.len() {
        if zero(at) {
            at += PAGE;
            continue;
        }
        let start = at;
        while at < data.len() && at - start < RUN && !zero(at) {
            at += PAGE;
        }
        out.image(index, start as u64, &data[start..data.len().min(at)])?;
    }
    out.message(&Message::ImageEnd)
}
