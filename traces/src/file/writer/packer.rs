//! Who hashes, compresses and writes what a recording adds to its file: at first whoever records, and from the first
//! chunk on that is worth it a thread beside it. All parts of the file go the same way, one after the other, so its bytes
//! do not depend on the thread. Few parts wait at a time: a recording that is faster than its disk waits, too.

use super::blocks::{Blocks, Part};
use crate::chunk::Columns;
use crate::error::TraceError;
use std::io;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

/// Bytes in the columns of a chunk that make a thread worth its start. Chunks of foreseen events have a hundredth of it.
const WORTH_A_THREAD: usize = 64 << 10;

/// Most parts that wait for the thread.
const WAITING: usize = 2;

/// Takes the parts of a file in their order.
pub(super) struct Packer {
    place: Place,
    shared: Arc<Shared>,
}

/// Where the parts are written.
enum Place {
    Here(Box<Blocks>),
    Beside {
        parts: SyncSender<Errand>,
        thread: JoinHandle<Result<Blocks, TraceError>>,
    },
    /// Nowhere any more: a part could not be written, so none after it may be.
    Failed,
}

/// What the thread is asked for.
enum Errand {
    Put(Box<Part>),
    /// The length of the file once everything before is in it.
    Length(SyncSender<u64>),
}

/// What the thread shows while it works.
struct Shared {
    length: AtomicU64,
    emptied: Mutex<Vec<Columns>>,
}

impl Shared {
    fn put(&self, blocks: &mut Blocks, part: Part) -> Result<(), TraceError> {
        if let Some(columns) = blocks.put(part)? {
            self.emptied.lock().unwrap_or_else(PoisonError::into_inner).push(columns);
        }
        self.length.store(blocks.length(), Ordering::Relaxed);
        Ok(())
    }
}

impl Packer {
    pub(super) fn new(blocks: Blocks) -> Packer {
        let shared = Shared { length: AtomicU64::new(blocks.length()), emptied: Mutex::default() };
        Packer { place: Place::Here(Box::new(blocks)), shared: Arc::new(shared) }
    }

    /// Length of the file so far, without the parts that wait.
    pub(super) fn written(&self) -> u64 {
        self.shared.length.load(Ordering::Relaxed)
    }

    /// Length of the file with all parts so far.
    pub(super) fn length(&self) -> u64 {
        let Place::Beside { parts, .. } = &self.place else { return self.written() };
        let (answer, length) = mpsc::sync_channel(1);
        let asked = parts.send(Errand::Length(answer));
        // A thread that failed does not answer.
        asked.ok().and_then(|()| length.recv().ok()).unwrap_or_else(|| self.written())
    }

    /// Columns for the next chunk.
    pub(super) fn columns(&self) -> Columns {
        self.shared.emptied.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Adds a part.
    ///
    /// # Errors
    /// When it, or one before it, cannot be written.
    pub(super) fn put(&mut self, part: Part) -> Result<(), TraceError> {
        if matches!(&part, Part::Chunk(chunk) if chunk.length() >= WORTH_A_THREAD) {
            self.begin();
        }
        match &mut self.place {
            Place::Here(blocks) => {
                let put = self.shared.put(blocks, part);
                if put.is_err() {
                    self.place = Place::Failed;
                }
                put
            }
            Place::Beside { parts, .. } => match parts.send(Errand::Put(Box::new(part))) {
                Ok(()) => Ok(()),
                Err(_) => self.settle().map(|_| ()),
            },
            Place::Failed => Err(failed()),
        }
    }

    /// Starts the thread. Where the system has none to give, everything is written here: that merely takes longer.
    fn begin(&mut self) {
        if !matches!(self.place, Place::Here(_)) {
            return;
        }
        let (hand, taken) = mpsc::sync_channel(1);
        let (parts, errands) = mpsc::sync_channel(WAITING);
        let shared = Arc::clone(&self.shared);
        let started = Builder::new().name("packer".to_string()).spawn(move || work(&taken, &errands, &shared));
        let Ok(thread) = started else { return };
        if let Place::Here(blocks) = std::mem::replace(&mut self.place, Place::Beside { parts, thread }) {
            // Whether it is taken shows when the thread is joined.
            let _ = hand.send(*blocks);
        }
    }

    /// The file with all parts so far. The thread has ended then.
    ///
    /// # Errors
    /// When a part could not be written.
    pub(super) fn settle(&mut self) -> Result<&mut Blocks, TraceError> {
        self.place = match std::mem::replace(&mut self.place, Place::Failed) {
            Place::Beside { parts, thread } => {
                drop(parts);
                Place::Here(Box::new(thread.join().unwrap_or_else(|panic| resume_unwind(panic))?))
            }
            other => other,
        };
        match &mut self.place {
            Place::Here(blocks) => Ok(blocks),
            Place::Beside { .. } | Place::Failed => Err(failed()),
        }
    }
}

/// What waits is written before the file is closed.
impl Drop for Packer {
    fn drop(&mut self) {
        if let Place::Beside { parts, thread } = std::mem::replace(&mut self.place, Place::Failed) {
            drop(parts);
            // Whoever drops it does not ask what became of the file.
            let _ = thread.join();
        }
    }
}

/// The thread. Its first error ends it, and with it the channel: the next part finds out.
fn work(taken: &Receiver<Blocks>, errands: &Receiver<Errand>, shared: &Shared) -> Result<Blocks, TraceError> {
    let mut blocks = taken.recv().map_err(|_| failed())?;
    for errand in errands {
        match errand {
            Errand::Put(part) => shared.put(&mut blocks, *part)?,
            Errand::Length(answer) => drop(answer.send(blocks.length())),
        }
    }
    Ok(blocks)
}

fn failed() -> TraceError {
    TraceError::io("writing the trace")(io::Error::other("an earlier part could not be written"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

    use super::*;
    use crate::chunk::{ChunkEncoder, FullChunk};
    use crate::file::form::Form;
    use crate::filter::PageFilter;
    use crate::ids::FuncIndex;
    use crate::index::EngineWords;
    use crate::keyframe::{Base, KeyframeEntry};
    use crate::raw::RawEvent;
    use crate::site::SiteTable;
    use std::fs::{self, File, OpenOptions};

    /// A chunk of one event with `length` bytes that hardly compress.
    fn chunk(first: u64, length: usize) -> FullChunk {
        let mut encoder = ChunkEncoder::new(SiteTable::new(Vec::new()).layouts().into());
        let mut state = first + 1;
        let next = |_| {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            (state >> 56) as u8
        };
        encoder.push(&RawEvent::host(&(0..length).map(next).collect::<Vec<u8>>()));
        encoder.finish(first, PageFilter::new(), Columns::default())
    }

    /// Parts of every kind, `length` bytes in each chunk.
    fn parts(length: usize) -> Vec<Part> {
        let mut parts = vec![Part::Native(FuncIndex(1), vec![1; 100])];
        for first in 0..20 {
            parts.push(Part::Chunk(chunk(first, length + first as usize)));
            if first % 4 == 3 {
                parts.extend([Part::Pages(vec![first as u8; 5000]), Part::Pages(vec![2; 100])]);
                let (base, sizes) = (Base::Events(0), vec![(1, 65536)]);
                parts.push(Part::Keyframe(KeyframeEntry { position: first, base, sizes, blocks: Vec::new() }));
            }
        }
        parts
    }

    #[test]
    fn the_file_does_not_depend_on_the_thread() {
        let folder = tempfile::tempdir().unwrap();
        for length in [10, WORTH_A_THREAD] {
            let [here, beside] = ["here", "beside"].map(|name| folder.path().join(name));
            let mut blocks = Blocks::new(File::create(&here).unwrap(), Form::Recording);
            for part in parts(length) {
                blocks.put(part).unwrap();
            }
            let expected = blocks.close(EngineWords::default(), None, 0, false).unwrap();
            let mut packer = Packer::new(Blocks::new(File::create(&beside).unwrap(), Form::Recording));
            for part in parts(length) {
                packer.put(part).unwrap();
            }
            assert_eq!(matches!(packer.place, Place::Beside { .. }), length == WORTH_A_THREAD);
            assert!(packer.written() <= packer.length());
            assert_eq!(packer.written(), packer.length(), "nothing waits any more");
            assert_eq!(packer.settle().unwrap().close(EngineWords::default(), None, 0, false).unwrap(), expected);
            assert!(fs::read(here).unwrap() == fs::read(beside).unwrap(), "{length}");
        }
    }

    #[test]
    fn a_full_disk_is_reported_once_and_nothing_is_written_after_it() {
        for length in [10, WORTH_A_THREAD] {
            let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
            let mut packer = Packer::new(Blocks::new(full, Form::Recording));
            let failed = parts(length).into_iter().find_map(|part| packer.put(part).err()).unwrap();
            assert_eq!(failed.to_string(), "writing the trace: No space left on device (os error 28)");
            let after = "writing the trace: an earlier part could not be written";
            assert_eq!(packer.put(Part::Chunk(chunk(0, length))).unwrap_err().to_string(), after);
            assert_eq!(packer.settle().err().unwrap().to_string(), after);
            packer.length();
        }
    }

    #[test]
    fn a_full_disk_is_found_at_the_end_at_the_latest() {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut packer = Packer::new(Blocks::new(full, Form::Recording));
        packer.put(Part::Chunk(chunk(0, WORTH_A_THREAD))).unwrap();
        let failed = packer.settle().err().unwrap();
        assert_eq!(failed.to_string(), "writing the trace: No space left on device (os error 28)");
    }
}
