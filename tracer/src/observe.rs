//! How a child process shows its guest's memories to the recorder: whole images, digests of pages at
//! checkpoints, and a few watched bytes.
//!
//! Independent of any engine: an engine hands in a memory as a slice.

use crate::job::{Watch, WatchedRange};
use crate::link::Answers;
use crate::memories::View;
use crate::populated::populated;
use crate::protocol::{FrameWriter, Message, Order, PageDigest, ShownPage};
use forkpoint_traces::{MemoryIndex, PAGE, written_pages};
use std::io::{self, Write};
use xxhash_rust::xxh3::xxh3_64;

/// [`PAGE`], as slices of memory count.
const PAGE_BYTES: usize = PAGE as usize;

/// Longest run of pages in one frame.
const RUN: usize = 1 << 20;

/// Most digests in one frame.
const DIGESTS: usize = 1 << 16;

/// As much of a place as there is.
fn watched<'a>(range: &WatchedRange, bytes: &'a [u8]) -> &'a [u8] {
    let clamp = |address: u64| usize::try_from(address).unwrap_or(usize::MAX).min(bytes.len());
    &bytes[clamp(range.address)..clamp(range.address.saturating_add(range.length))]
}

/// Every page that is not all zero, by number. What was never touched is not looked at.
fn pages(bytes: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let mut next = 0;
    populated(bytes).into_iter().flat_map(move |part| {
        // Parts are pages of the system's, which need not be those of the memory: two may share one.
        let first = (part.start / PAGE_BYTES).max(next);
        next = part.end.div_ceil(PAGE_BYTES).max(first);
        let part = &bytes[(first * PAGE_BYTES).min(bytes.len())..(next * PAGE_BYTES).min(bytes.len())];
        written_pages(part).map(move |(number, page)| (first as u64 + number, page))
    })
}

/// Digest of one page; a short last one counts as filled up with zeros.
pub(crate) fn digest(page: &[u8]) -> u64 {
    if page.len() == PAGE_BYTES {
        return xxh3_64(page);
    }
    let mut whole = [0; PAGE_BYTES];
    whole[..page.len()].copy_from_slice(page);
    xxh3_64(&whole)
}

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

/// Holds a checkpoint: sends the digests of all pages that are not all zero, waits for the recorder to name
/// those that are not what it expects, and sends these.
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

/// Looks at watched bytes whenever an event is complete, and keeps the records until they change.
pub(crate) struct Watcher {
    memory: u32,
    /// Each place, and what it held last.
    places: Vec<(WatchedRange, Vec<u8>)>,
    records: Vec<u8>,
    /// Whether these are calls of the hook.
    hooks: bool,
}

impl Watcher {
    /// Watches from now on, when the memory holds `bytes`.
    pub(crate) fn new(watch: &Watch, bytes: &[u8]) -> Watcher {
        let places = watch.ranges.iter().map(|range| (*range, watched(range, bytes).to_vec())).collect();
        Watcher { memory: watch.memory, places, records: Vec::new(), hooks: false }
    }

    /// The memory that is watched.
    pub(crate) fn memory(&self) -> u32 {
        self.memory
    }

    /// Takes the records since the last call, calls of the hook or others.
    pub(crate) fn keep(&mut self, records: &[u8], hooks: bool) {
        self.records.extend_from_slice(records);
        self.hooks = hooks;
    }

    /// Sends the records and what the watched bytes hold now, if that is something else than before. `bytes` is
    /// the watched memory behind the last of the records.
    pub(crate) fn look<W: Write>(&mut self, bytes: &[u8], out: &mut FrameWriter<W>) -> io::Result<()> {
        if self.records.len() >= RUN || self.places.iter().any(|(range, last)| watched(range, bytes) != last) {
            self.send(out)?;
        }
        for (range, last) in &mut self.places {
            let now = watched(range, bytes);
            if now != last {
                out.watched(self.memory, range.address, now)?;
                *last = now.to_vec();
            }
        }
        Ok(())
    }

    /// Sends the records kept so far.
    pub(crate) fn send<W: Write>(&mut self, out: &mut FrameWriter<W>) -> io::Result<()> {
        if !self.records.is_empty() {
            match self.hooks {
                true => out.hooks(&self.records)?,
                false => out.records(&self.records)?,
            }
            self.records.clear();
        }
        Ok(())
    }
}
