//! The thread that reads blocks.

use crate::instrument::{
    CALLER_HOOK, Covered, Digester, HOOK_SIZE, HOST_RECORD, LANES, RawRecordError, RecordDecoder, RecordSink,
    STRETCH, Stretch,
};
use crate::protocol::{FrameWriter, Message};
use forkpoint_traces::SiteId;
use std::io;
use std::sync::mpsc::{Receiver, Sender};

/// Blocks that are at least as long are read with others.
const LONG: usize = 16 << 10;

/// More bytes than this are sent on at once.
const MOST: usize = 64 << 10;

/// What it is asked for, in order.
pub(super) enum Task {
    /// How large memories are, in bytes and by index.
    Sizes(Vec<u64>),
    /// To digest records, or calls of the hook.
    Block { bytes: Vec<u8>, hooks: bool },
    /// To cover a milestone.
    Cover(Covered),
    /// To send all frames, and then none.
    Pause,
    /// To end the last stretch.
    Finish,
}

/// The thread's half of the digests.
pub(super) struct Worker {
    decoder: RecordDecoder,
    digester: Option<Digester>,
    passing: Passing,
    /// Long blocks of records that are not digested yet.
    blocks: Vec<Vec<u8>>,
    frames: Sender<Vec<u8>>,
    spares: Sender<Vec<u8>>,
}

impl Worker {
    pub(super) fn new(decoder: RecordDecoder, frames: Sender<Vec<u8>>, spares: Sender<Vec<u8>>) -> Worker {
        let passing = Passing { rest: Vec::new(), out: FrameWriter(Vec::new()), failed: None };
        let digester = Some(Digester::every(STRETCH));
        Worker { decoder, digester, passing, blocks: Vec::with_capacity(LANES), frames, spares }
    }

    /// Works until there is nothing more to come. If it ends before, the guest's thread notices.
    pub(super) fn work(mut self, tasks: &Receiver<Task>) {
        while let Ok(task) = tasks.recv() {
            if self.task(task).is_err() {
                return;
            }
        }
    }

    fn task(&mut self, task: Task) -> io::Result<()> {
        let task = match task {
            Task::Block { bytes, hooks: false } if bytes.len() >= LONG => {
                self.blocks.push(bytes);
                return if self.blocks.len() == LANES { self.catch_up() } else { Ok(()) };
            }
            other => other,
        };
        self.catch_up()?;
        match task {
            Task::Sizes(sizes) => self.digester()?.set_sizes(sizes),
            Task::Block { bytes, hooks } => {
                self.digest(|decoder, digester, passing| match hooks {
                    true => decoder.digest_hooks(&bytes, digester, passing),
                    false => decoder.digest_block(&bytes, digester, passing),
                })?;
                self.give_back(bytes);
            }
            Task::Cover(milestone) => self.digester()?.cover(milestone),
            Task::Pause => {
                self.passing.send_rest()?;
                self.send()?;
                self.frames.send(Vec::new()).map_err(io::Error::other)?;
            }
            Task::Finish => {
                let Some(digester) = self.digester.take() else { return Err(over()) };
                self.passing.send_rest()?;
                let digest = digester.finish();
                if let Some(last) = digest.stretches.last() {
                    self.passing.out.message(&message(last))?;
                }
                self.passing.out.message(&Message::Digested { outside: digest.outside })?;
            }
        }
        Ok(())
    }

    fn digester(&mut self) -> io::Result<&mut Digester> {
        self.digester.as_mut().ok_or_else(over)
    }

    /// Digests the blocks that wait.
    fn catch_up(&mut self) -> io::Result<()> {
        if self.blocks.is_empty() {
            return Ok(());
        }
        let blocks = std::mem::take(&mut self.blocks);
        let mut lanes = [&[][..]; LANES];
        for (lane, block) in lanes.iter_mut().zip(&blocks) {
            *lane = block;
        }
        self.digest(|decoder, digester, passing| decoder.digest_blocks(lanes, digester, passing))?;
        blocks.into_iter().for_each(|block| self.give_back(block));
        Ok(())
    }

    fn digest(
        &mut self,
        digest: impl FnOnce(&RecordDecoder, &mut Digester, &mut PassOn<'_>) -> Result<(), RawRecordError>,
    ) -> io::Result<()> {
        let Some(digester) = &mut self.digester else { return Err(over()) };
        let mut sink = PassOn { decoder: &self.decoder, passing: &mut self.passing };
        digest(&self.decoder, digester, &mut sink)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        if let Some(error) = self.passing.failed.take() {
            return Err(error);
        }
        if self.passing.rest.len() > MOST {
            self.passing.send_rest()?;
        }
        self.send()
    }

    /// Gives the guest's thread the frames that there are.
    fn send(&mut self) -> io::Result<()> {
        let frames = std::mem::take(&mut self.passing.out.0);
        if frames.is_empty() { Ok(()) } else { self.frames.send(frames).map_err(io::Error::other) }
    }

    /// Gives the guest's thread a block back, if that still wants any.
    fn give_back(&self, block: Vec<u8>) {
        let _ = self.spares.send(block);
    }
}

fn over() -> io::Error {
    io::Error::other("records after the last")
}

/// What the recorder is told of a stretch.
fn message(stretch: &Stretch) -> Message {
    Message::Stretch { events: stretch.events, digest: format!("{:032x}", stretch.digest) }
}

/// What is on its way to the recorder.
struct Passing {
    /// Calls of the hook that are not in a frame yet.
    rest: Vec<u8>,
    out: FrameWriter<Vec<u8>>,
    failed: Option<io::Error>,
}

impl Passing {
    fn send_rest(&mut self) -> io::Result<()> {
        if !self.rest.is_empty() {
            self.out.hooks(&self.rest)?;
            self.rest.clear();
        }
        Ok(())
    }

    fn call(&mut self, number: u32, operands: [u64; 3]) {
        self.rest.reserve(HOOK_SIZE);
        self.rest.extend_from_slice(&number.to_le_bytes());
        operands.iter().for_each(|operand| self.rest.extend_from_slice(&operand.to_le_bytes()));
    }
}

/// Passes on what is not digested.
struct PassOn<'a> {
    decoder: &'a RecordDecoder,
    passing: &'a mut Passing,
}

impl RecordSink for PassOn<'_> {
    fn event(&mut self, site: SiteId, operands: [u64; 3]) {
        if let Some(raw) = self.decoder.raw(site, operands) {
            self.passing.call(site.0, raw);
        }
    }

    fn read_back(&mut self, _: SiteId, _: u64, _: [u64; 2]) {}

    fn caller(&mut self, mark: u32) {
        self.passing.call(CALLER_HOOK, [u64::from(mark), 0, 0]);
    }

    fn host(&mut self, event: &[u8]) {
        let rest = &mut self.passing.rest;
        rest.extend_from_slice(&HOST_RECORD.to_le_bytes());
        rest.extend_from_slice(&(event.len() as u32).to_le_bytes());
        rest.extend_from_slice(event);
    }

    fn stretch(&mut self, stretch: &Stretch) {
        let sent = self.passing.send_rest().and_then(|()| self.passing.out.message(&message(stretch)));
        if let Err(error) = sent {
            self.passing.failed.get_or_insert(error);
        }
    }
}
