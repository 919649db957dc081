//! Digests made in the engine's process: long blocks go to a thread beside the guest, and not to another process.
//!
//! The recorder gets what is not digested only, as calls of the hook: growing memories and steps of host calls. It hears of each
//! stretch when that ends, behind all that happened before, so it knows its place among all events.
//!
//! Short blocks, as between two host calls, are digested at once by the guest's thread: to wake another takes longer.

mod digesting;

use crate::instrument::{Covered, RecordDecoder};
use crate::link::Out;
use crate::memories::View;
use digesting::Digesting;
use std::io::{self, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Bytes of records that the guest gathers: they stay in the nearer caches until they are read.
pub(super) const BLOCK: u32 = 64 << 10;

/// Blocks of at least so many bytes are for the thread.
const LONG: usize = BLOCK as usize / 4;

/// Most blocks that wait; the guest does when there are more.
const WAITING: usize = 16;

/// A run's digests.
pub(super) struct Digests {
    shared: Arc<Shared>,
    blocks: SyncSender<Vec<u8>>,
}

/// What both threads have.
struct Shared {
    digesting: Mutex<Digesting>,
    /// Blocks that the thread was given and has not read.
    queued: Mutex<usize>,
    /// Told when there are none.
    idle: Condvar,
    /// Blocks that were read, for others.
    spares: Mutex<Vec<Vec<u8>>>,
}

/// What a thread that panicked leaves is not used: it has noted no digest as whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Digests {
    /// For the records of the module whose decoder is in this file.
    pub(super) fn open(decoder: &Path) -> io::Result<Digests> {
        let decoder = RecordDecoder::carried(&std::fs::read(decoder)?);
        let decoder = decoder.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
        let shared = Arc::new(Shared {
            digesting: Mutex::new(Digesting::new(decoder)),
            queued: Mutex::new(0),
            idle: Condvar::new(),
            spares: Mutex::default(),
        });
        let (blocks, received) = sync_channel(WAITING);
        let of_thread = Arc::clone(&shared);
        std::thread::Builder::new().name("digests".to_string()).spawn(move || work(&of_thread, &received))?;
        Ok(Digests { shared, blocks })
    }

    /// Says how large memories are, by index.
    pub(super) fn set_sizes(&mut self, views: &[View]) -> io::Result<()> {
        self.at_rest()?.set_sizes(views.iter().map(|view| view.bytes.len() as u64));
        Ok(())
    }

    /// Takes a block of records, or of calls of the hook.
    pub(super) fn take(&mut self, bytes: &[u8], hooks: bool, out: &mut Out) -> io::Result<()> {
        if hooks || bytes.len() < LONG {
            return self.at_rest()?.digest(bytes, hooks);
        }
        let mut block = lock(&self.shared.spares).pop().unwrap_or_default();
        block.clear();
        block.extend_from_slice(bytes);
        *lock(&self.shared.queued) += 1;
        self.blocks.send(block).map_err(|_| lost())?;
        // The thread does not wait for the recorder.
        let frames = match self.shared.digesting.try_lock() {
            Ok(mut digesting) => digesting.frames(),
            Err(_) => return Ok(()),
        };
        out.0.write_all(&frames)
    }

    /// Sends the recorder all that it has not got yet.
    pub(super) fn send(&mut self, out: &mut Out) -> io::Result<()> {
        let mut digesting = self.at_rest()?;
        digesting.send_rest()?;
        let frames = digesting.frames();
        drop(digesting);
        out.0.write_all(&frames)
    }

    /// Covers a milestone.
    pub(super) fn cover(&mut self, milestone: Covered, out: &mut Out) -> io::Result<()> {
        self.send(out)?;
        self.at_rest()?.cover(milestone);
        Ok(())
    }

    /// Ends the last stretch.
    pub(super) fn finish(mut self, out: &mut Out) -> io::Result<()> {
        self.at_rest()?.finish()?;
        self.send(out)
    }

    /// All blocks so far are digested.
    fn at_rest(&mut self) -> io::Result<MutexGuard<'_, Digesting>> {
        let mut queued = lock(&self.shared.queued);
        while *queued > 0 {
            queued = self.shared.idle.wait(queued).unwrap_or_else(PoisonError::into_inner);
        }
        drop(queued);
        let mut digesting = lock(&self.shared.digesting);
        digesting.catch_up(|_| {})?;
        Ok(digesting)
    }
}

/// Reads blocks until there are no more to come.
fn work(shared: &Shared, blocks: &Receiver<Vec<u8>>) {
    while let Ok(block) = blocks.recv() {
        let _done = Done(shared);
        // An error is kept, and found by the guest's thread.
        lock(&shared.digesting).add(block, |read| lock(&shared.spares).push(read));
    }
}

/// Says that a block is read, whatever came of it.
struct Done<'a>(&'a Shared);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        let mut queued = lock(&self.0.queued);
        *queued -= 1;
        if *queued == 0 {
            self.0.idle.notify_all();
        }
    }
}

/// The thread is gone.
fn lost() -> io::Error {
    io::Error::other("the thread that digests records is gone")
}
