//! The run that answers are compared with: a trace, read as the module counts and digests its own run.

use super::scanner::wrong;
use crate::instrument::RecordDecoder;
use crate::instrument::standalone::Folded;
use crate::values::WasmValue;
use forkpoint_traces::{
    Event, GlobalState, HostEvent, HostOutcome, Image, MemoryIndex, Milestone, Outcome, RawEvent, SiteId, TraceError,
    TraceReader,
};
use std::io;
use std::path::Path;

/// One thing in a run.
#[derive(Debug)]
pub(super) enum Item<'a> {
    /// An event of an instruction: its site, and raw operands of the hook.
    Event(u32, [u64; 3]),
    /// A step of a host call.
    Host(&'a HostEvent),
    /// A call begins: whether it is the start function.
    Begins(bool),
    Returned(&'a [WasmValue]),
    /// How the run ended, with globals and sizes of tables.
    End(&'a Outcome, &'a [GlobalState], &'a [u64]),
    /// Everything else that changes memory.
    Other,
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Place {
    /// Events of instructions, and host calls.
    pub(super) count: u64,
    pub(super) digest: Folded,
    /// Calls that returned.
    pub(super) returns: u32,
}

/// The reference.
pub(super) struct Reference {
    trace: TraceReader,
    decoder: RecordDecoder,
}

fn corrupt(error: TraceError) -> io::Error {
    wrong(format!("the reference: {error}"))
}

/// An error that ends a walk, or the wish to end it.
enum Halt {
    Trace(TraceError),
    Io(io::Error),
    Enough,
}

impl From<TraceError> for Halt {
    fn from(error: TraceError) -> Halt {
        Halt::Trace(error)
    }
}

impl Reference {
    /// Opens a trace, which must be whole.
    pub(super) fn open(path: &Path, decoder: RecordDecoder) -> io::Result<Reference> {
        let trace = TraceReader::open(path).map_err(corrupt)?;
        match trace.is_complete() {
            true => Ok(Reference { trace, decoder }),
            false => Err(wrong("the reference is not complete")),
        }
    }

    /// Memories before anything has happened.
    pub(super) fn empty_image(&self) -> Image {
        self.trace.empty_image()
    }

    /// Goes through the run. `sink` gets the place after each item, and the event itself; it says whether to go on.
    pub(super) fn walk(
        &mut self,
        mut sink: impl FnMut(Place, &Item, &RawEvent) -> io::Result<bool>,
    ) -> io::Result<()> {
        let mut place = Place::default();
        let sites = std::sync::Arc::clone(self.trace.sites());
        for chunk in 0..self.trace.chunks().len() {
            let decoder = &self.decoder;
            let walked = self.trace.read_chunk(chunk, |raw: RawEvent| -> Result<(), Halt> {
                let mut told = |place: Place, item: &Item| match sink(place, item, &raw) {
                    Ok(true) => Ok(()),
                    Ok(false) => Err(Halt::Enough),
                    Err(error) => Err(Halt::Io(error)),
                };
                if raw.site >= SiteId::FIRST {
                    let operands = decoder.raw(raw.site, raw.operands).unwrap_or(raw.operands);
                    place.count += 1;
                    place.digest.event(raw.site.0, operands);
                    return told(place, &Item::Event(raw.site.0, operands));
                }
                match Event::read(&raw, &sites)? {
                    Event::Host(event) => {
                        match &event {
                            HostEvent::Call(call) => {
                                place.count += 1;
                                place.digest.host(call.function.0, &call.arguments);
                            }
                            HostEvent::Return { outcome, .. } if !matches!(outcome, HostOutcome::Returned(_)) => {
                                place.digest.ended();
                            }
                            _ => {}
                        }
                        told(place, &Item::Host(&event))
                    }
                    Event::Milestone(Milestone::Invoke { function, .. }) => {
                        told(place, &Item::Begins(function == "(start)"))
                    }
                    Event::Milestone(Milestone::Returned { results }) => {
                        place.returns += 1;
                        place.digest.returned(&results);
                        told(place, &Item::Returned(&results))
                    }
                    Event::Milestone(Milestone::End { outcome, globals, tables, .. }) => {
                        told(place, &Item::End(&outcome, &globals, &tables))
                    }
                    _ => told(place, &Item::Other),
                }
            });
            match walked {
                Ok(()) => {}
                Err(Halt::Enough) => return Ok(()),
                Err(Halt::Io(error)) => return Err(error),
                Err(Halt::Trace(error)) => return Err(corrupt(error)),
            }
        }
        Ok(())
    }
}

/// The digest of a part of a memory, as the module makes it.
pub(super) fn memory_digest(image: &Image, memory: MemoryIndex, from: u64, to: u64) -> u64 {
    let mut sum = 0;
    let size = image.size(memory).map_or(0, |size| size.bytes()) & !7;
    let to = to.min(size);
    for (number, page) in image.pages_in(memory, from / 4096..to.div_ceil(4096)) {
        let (words, _) = page.as_chunks::<8>();
        for (at, word) in words.iter().enumerate() {
            let address = number * 4096 + 8 * at as u64;
            if (from..to).contains(&address) {
                crate::instrument::standalone::fold_memory(&mut sum, address, u64::from_le_bytes(*word));
            }
        }
    }
    sum
}
