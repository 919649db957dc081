//! Digests made in the engine's process: blocks go to a thread beside the guest, and not to another process.
//!
//! The recorder gets what is not digested only, as calls of the hook: growing memories and steps of host calls. It hears of each
//! stretch when that ends, behind all that happened before, so it knows its place among all events.

mod worker;

use crate::instrument::{Covered, RecordDecoder};
use crate::link::Out;
use crate::memories::View;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use worker::{Task, Worker};

/// Bytes of records that the guest gathers: they stay in the nearer caches until they are read.
pub(super) const BLOCK: u32 = 64 << 10;

/// Most blocks that wait; the guest does when there are more.
const WAITING: usize = 16;

/// A run's digests, as the guest's thread has them.
pub(super) struct Digests {
    tasks: SyncSender<Task>,
    /// Frames for the recorder.
    frames: Mutex<Receiver<Vec<u8>>>,
    /// Blocks that were read.
    spares: Mutex<Receiver<Vec<u8>>>,
}

impl Digests {
    /// For the records of the module whose decoder is in this file.
    pub(super) fn open(decoder: &Path) -> io::Result<Digests> {
        let decoder = RecordDecoder::carried(&std::fs::read(decoder)?);
        let decoder = decoder.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
        let (tasks, received) = sync_channel(WAITING);
        let (to_recorder, frames) = channel();
        let (read, spares) = channel();
        let worker = Worker::new(decoder, to_recorder, read);
        std::thread::Builder::new().name("digests".to_string()).spawn(move || worker.work(&received))?;
        Ok(Digests { tasks, frames: Mutex::new(frames), spares: Mutex::new(spares) })
    }

    /// Says how large memories are, by index.
    pub(super) fn set_sizes(&mut self, views: &[View]) -> io::Result<()> {
        self.ask(Task::Sizes(views.iter().map(|view| view.bytes.len() as u64).collect()))
    }

    /// Takes a block of records, or of calls of the hook.
    pub(super) fn take(&mut self, bytes: &[u8], hooks: bool, out: &mut Out) -> io::Result<()> {
        let spare = self.spares.get_mut().ok().and_then(|spares| spares.try_recv().ok());
        let mut block = spare.unwrap_or_default();
        block.clear();
        block.extend_from_slice(bytes);
        self.ask(Task::Block { bytes: block, hooks })?;
        while let Some(frames) = self.frames.get_mut().ok().and_then(|frames| frames.try_recv().ok()) {
            out.0.write_all(&frames)?;
        }
        Ok(())
    }

    /// Sends the recorder all that it has not got yet.
    pub(super) fn send(&mut self, out: &mut Out) -> io::Result<()> {
        self.ask(Task::Pause)?;
        let frames = self.frames.get_mut().map_err(|_| lost())?;
        loop {
            // An empty one is the last before the pause.
            let frames = frames.recv().map_err(|_| lost())?;
            if frames.is_empty() {
                return Ok(());
            }
            out.0.write_all(&frames)?;
        }
    }

    /// Covers a milestone.
    pub(super) fn cover(&mut self, milestone: Covered, out: &mut Out) -> io::Result<()> {
        self.send(out)?;
        self.ask(Task::Cover(milestone))
    }

    /// Ends the last stretch.
    pub(super) fn finish(mut self, out: &mut Out) -> io::Result<()> {
        self.ask(Task::Finish)?;
        self.send(out)
    }

    fn ask(&self, task: Task) -> io::Result<()> {
        self.tasks.send(task).map_err(|_| lost())
    }
}

/// The thread is gone: it panicked, or found a record that no rewritten module leaves.
fn lost() -> io::Error {
    io::Error::other("records that cannot be digested")
}
