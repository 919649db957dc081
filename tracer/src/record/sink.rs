//! From decoded records to the trace.

use super::marks::Marks;
use super::mismatches::{self, Differs, Mismatch, Mismatches};
use super::sought::Search;
use super::watch::Watching;
use crate::error::RecordError;
use crate::instrument::{Instrumented, Options, RecordSink};
use forkpoint_traces::{HostEvent, Observation, Position, RawEvent, SiteId, TraceError, TraceWriter};

/// Writes what the decoder reads. Keeps the first error and ignores what follows.
pub(super) struct WriterSink<'a> {
    pub(super) writer: &'a mut TraceWriter,
    pub(super) watching: Option<&'a mut Watching>,
    pub(super) search: Option<&'a mut Search>,
    pub(super) mismatches: &'a mut Mismatches,
    pub(super) marks: &'a mut Marks,
    pub(super) failed: Option<TraceError>,
}

impl WriterSink<'_> {
    /// What comes before each event; `false` where no more events count.
    #[inline]
    fn before(&mut self) -> bool {
        if self.failed.is_some() {
            return false;
        }
        self.marks.event();
        if let Some(watching) = &mut self.watching {
            // The event before this one is all the engine has done since it last showed the bytes.
            self.failed = watching.settle(self.writer, self.mismatches).err();
        }
        self.failed.is_none()
    }

    /// Shows an event to the search, if there is one.
    #[inline]
    fn show(&mut self, event: &RawEvent) {
        if let Some(search) = &mut self.search {
            search.see(Position(self.writer.events()), event, self.writer.sites());
        }
    }

    /// What comes after each event.
    #[inline]
    fn after(&mut self, pushed: Result<(), TraceError>) {
        if let Err(error) = pushed.and_then(|()| mismatches::outside(self.writer, self.mismatches)) {
            self.failed = Some(error);
        }
    }
}

impl RecordSink for WriterSink<'_> {
    #[inline]
    fn event(&mut self, site: SiteId, operands: [u64; 3]) {
        if self.before() {
            let event = RawEvent::instruction(site, operands);
            self.show(&event);
            let pushed = self.writer.push(&event);
            self.after(pushed);
        }
    }

    #[inline]
    fn store(&mut self, site: SiteId, address: u64, value: u64) {
        if self.before() {
            if self.search.is_some() {
                self.show(&RawEvent::instruction(site, [address, value, 0]));
            }
            let pushed = self.writer.store(site, address, value);
            self.after(pushed);
        }
    }

    fn stores(&mut self, site: SiteId, mut address: u64, stride: u64, value: u64, mut count: u64) {
        let plain = self.watching.is_none() && self.search.is_none();
        while count > 0 && self.failed.is_none() {
            let foreseen = match plain {
                true => self.writer.foreseen_stores(site, address, stride, value, count),
                false => Ok(0),
            };
            let done = match foreseen {
                Ok(0) => {
                    self.store(site, address, value);
                    1
                }
                Ok(done) => {
                    self.marks.events(done);
                    done
                }
                Err(error) => {
                    self.failed = Some(error);
                    return;
                }
            };
            address = address.wrapping_add(stride.wrapping_mul(done));
            count -= done;
        }
    }

    #[cold]
    fn host(&mut self, event: &[u8]) {
        if self.failed.is_some() {
            return;
        }
        if let Some(watching) = &mut self.watching {
            self.failed = watching.settle(self.writer, self.mismatches).err();
        }
        self.show(&RawEvent::host(event));
        let placed = HostEvent::decode(event).map(|event| self.marks.placed(event));
        if let Err(error) = placed.and_then(|event| self.writer.host(&event)) {
            self.failed.get_or_insert(error);
        }
    }

    #[cold]
    fn caller(&mut self, mark: u32) {
        self.marks.caller(mark);
    }

    #[cold]
    fn mark(&mut self, mark: u32) {
        self.marks.come_to(mark);
    }

    fn note(&mut self, mark: u32, words: [u64; 2]) {
        self.marks.note(mark, words, self.writer.events());
    }

    #[cold]
    fn read_back(&mut self, site: SiteId, address: u64, found: [u64; 2]) {
        let Some(site) = self.writer.sites().get(site) else { return };
        let (memory, width) = (site.memory, usize::from(site.op.shape().width().unwrap_or(0)));
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&found[0].to_le_bytes());
        bytes[8..].copy_from_slice(&found[1].to_le_bytes());
        let mut replayed = vec![0; width];
        // A store outside of memory may be read back from there.
        let inside = self.writer.image().read(memory, address, &mut replayed);
        replayed.truncate(inside);
        let engine = bytes[..inside].to_vec();
        if engine == replayed {
            return;
        }
        let (by, events) = (Observation::ReadBack, self.writer.events());
        if let Err(error) = self.writer.observed(memory, address, by, &engine) {
            self.failed.get_or_insert(error);
        }
        self.mismatches.add(Mismatch { memory, events, what: Differs::Bytes { address, engine, replayed, by } });
    }
}

/// A sink that counts the events of instructions it gets.
pub(super) struct Counted<'a, S> {
    pub(super) sink: &'a mut S,
    pub(super) events: &'a mut u64,
}

impl<S: RecordSink> RecordSink for Counted<'_, S> {
    #[inline]
    fn event(&mut self, site: SiteId, operands: [u64; 3]) {
        *self.events += 1;
        self.sink.event(site, operands);
    }

    #[inline]
    fn store(&mut self, site: SiteId, address: u64, value: u64) {
        *self.events += 1;
        self.sink.store(site, address, value);
    }

    fn stores(&mut self, site: SiteId, address: u64, stride: u64, value: u64, count: u64) {
        *self.events += count;
        self.sink.stores(site, address, stride, value, count);
    }

    fn caller(&mut self, mark: u32) {
        self.sink.caller(mark);
    }

    fn mark(&mut self, mark: u32) {
        self.sink.mark(mark);
    }

    fn note(&mut self, mark: u32, words: [u64; 2]) {
        self.sink.note(mark, words);
    }

    fn host(&mut self, event: &[u8]) {
        self.sink.host(event);
    }

    fn read_back(&mut self, site: SiteId, address: u64, found: [u64; 2]) {
        self.sink.read_back(site, address, found);
    }
}

/// A sink for records that something else reads.
pub(super) struct Ignored;

impl RecordSink for Ignored {
    fn event(&mut self, _: SiteId, _: [u64; 3]) {}

    fn read_back(&mut self, _: SiteId, _: u64, _: [u64; 2]) {}
}

/// Writes the events of a block of records, as a recording does: for `benches/encoder.rs`, which has blocks and no engine.
///
/// # Errors
/// As a recording's.
pub fn write_block(rewritten: &Instrumented, block: &[u8], writer: &mut TraceWriter) -> Result<(), RecordError> {
    let mut marks = Marks::new(rewritten, &Options::default());
    let mut mismatches = Mismatches::default();
    let mut sink = WriterSink {
        writer,
        watching: None,
        search: None,
        mismatches: &mut mismatches,
        marks: &mut marks,
        failed: None,
    };
    rewritten.decoder().decode_block(block, &mut sink)?;
    sink.failed.map_or(Ok(()), |error| Err(error.into()))
}
