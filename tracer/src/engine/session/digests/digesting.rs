//! What is digested, and what is not, which goes to the recorder.

use crate::instrument::{
    CALLER_HOOK, Covered, Digester, HOOK_SIZE, HOST_RECORD, LANES, RawRecordError, RecordDecoder, RecordSink,
    STRETCH, Stretch,
};
use crate::protocol::{FrameWriter, Message};
use forkpoint_traces::SiteId;
use std::io;

/// More bytes than this of calls of the hook become a frame at once.
const MOST: usize = 64 << 10;

/// Digests in progress.
pub(super) struct Digesting {
    decoder: RecordDecoder,
    /// `None` once the last stretch has ended.
    digester: Option<Digester>,
    passing: Passing,
    /// Long blocks of records that wait for others, to be read with them.
    blocks: Vec<Vec<u8>>,
    /// What went wrong where nobody could be told.
    failed: Option<io::Error>,
}

impl Digesting {
    pub(super) fn new(decoder: RecordDecoder) -> Digesting {
        let passing = Passing { rest: Vec::new(), out: FrameWriter(Vec::new()), failed: None };
        let digester = Some(Digester::every(STRETCH));
        Digesting { decoder, digester, passing, blocks: Vec::with_capacity(LANES), failed: None }
    }

    /// Says how large memories are, in bytes and by index.
    pub(super) fn set_sizes(&mut self, sizes: impl IntoIterator<Item = u64>) {
        if let Some(digester) = &mut self.digester {
            digester.set_sizes(sizes);
        }
    }

    /// Covers a milestone.
    pub(super) fn cover(&mut self, milestone: Covered) {
        if let Some(digester) = &mut self.digester {
            digester.cover(milestone);
        }
    }

    /// Adds a long block. Those that are read are given back.
    pub(super) fn add(&mut self, block: Vec<u8>, give_back: impl FnMut(Vec<u8>)) {
        self.blocks.push(block);
        if self.blocks.len() == LANES
            && let Err(error) = self.catch_up(give_back)
        {
            self.failed.get_or_insert(error);
        }
    }

    /// Digests the blocks that wait.
    pub(super) fn catch_up(&mut self, give_back: impl FnMut(Vec<u8>)) -> io::Result<()> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        if self.blocks.is_empty() {
            return Ok(());
        }
        let blocks = std::mem::take(&mut self.blocks);
        let mut lanes = [&[][..]; LANES];
        for (lane, block) in lanes.iter_mut().zip(&blocks) {
            *lane = block;
        }
        self.digest_by(|decoder, digester, sink| decoder.digest_blocks(lanes, digester, sink))?;
        blocks.into_iter().for_each(give_back);
        Ok(())
    }

    /// Digests a block of records, or of calls of the hook.
    pub(super) fn digest(&mut self, bytes: &[u8], hooks: bool) -> io::Result<()> {
        self.digest_by(|decoder, digester, sink| match hooks {
            true => decoder.digest_hooks(bytes, digester, sink),
            false => decoder.digest_block(bytes, digester, sink),
        })
    }

    fn digest_by(
        &mut self,
        digest: impl FnOnce(&RecordDecoder, &mut Digester, &mut PassOn<'_>) -> Result<(), RawRecordError>,
    ) -> io::Result<()> {
        let Some(digester) = &mut self.digester else { return Err(io::Error::other("records after the last")) };
        let mut sink = PassOn { decoder: &self.decoder, passing: &mut self.passing };
        let digested = digest(&self.decoder, digester, &mut sink);
        digested.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        match self.passing.failed.take() {
            Some(error) => Err(error),
            None if self.passing.rest.len() > MOST => self.passing.send_rest(),
            None => Ok(()),
        }
    }

    /// Makes frames of all that is to be sent.
    pub(super) fn send_rest(&mut self) -> io::Result<()> {
        self.passing.send_rest()
    }

    /// The frames since the last time.
    pub(super) fn frames(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.passing.out.0)
    }

    /// Ends the last stretch.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        let Some(digester) = self.digester.take() else { return Ok(()) };
        self.passing.send_rest()?;
        let digest = digester.finish();
        if let Some(last) = digest.stretches.last() {
            self.passing.out.message(&message(last))?;
        }
        self.passing.out.message(&Message::Digested { outside: digest.outside })
    }
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
