//! Whether a trace contradicts itself: what `info --verify` checks.
//!
//! A trace says many things twice: the index repeats the blocks, keyframes repeat what the events make of memory,
//! page filters what the events touch, the end what memory was. Checksums only show that bytes are as they were
//! written; here everything is replayed from the first event on and compared. Each finding has a name and a place,
//! and one finding does not hide the next.

mod fault;

pub use fault::Fault;

use crate::pages::difference;
use forkpoint_traces::{
    ChunkEntry, CorruptEvent, Event, HostEvent, Image, MemoryIndex, MemoryState, Milestone, PAGE, Position, SiteId,
    TraceError, TraceReader,
};
use std::collections::BTreeMap;

/// More findings are not collected.
const MAX_FINDINGS: usize = 100;

/// Most pages of one event that are looked up in a page filter; an event with more has set every bit.
const MAX_PAGES: u64 = 1 << 14;

/// What [`verify`] did and found.
#[derive(Debug, Default)]
pub struct Verified {
    /// Number of replayed events of each kind that occurs.
    pub kinds: BTreeMap<&'static str, u64>,
    /// Keyframes that were compared with replayed memory.
    pub keyframes: usize,
    /// Functions whose native code was read.
    pub native: usize,
    /// What is wrong, in the order found; a hundred findings at most.
    pub faults: Vec<Fault>,
}

impl Verified {
    fn find(&mut self, finding: Fault) {
        if self.faults.len() < MAX_FINDINGS {
            self.faults.push(finding);
        }
    }
}

/// Reads and replays everything that a trace holds and compares what it says twice. An incomplete trace is verified
/// as far as it goes.
pub fn verify(trace: &mut TraceReader) -> Verified {
    verify_with(trace, &mut |_| {})
}

/// The same; `progress` is called now and then with the position reached.
pub fn verify_with(trace: &mut TraceReader, progress: &mut dyn FnMut(Position)) -> Verified {
    let mut verified = Verified::default();
    if let Err(error) = trace.check_blocks() {
        verified.find(Fault::Blocks(error));
    }
    native(trace, &mut verified);
    let mut run = Run {
        image: trace.empty_image(),
        keyframe: trace.empty_image(),
        positions: trace.keyframe_positions().collect(),
        next_keyframe: 0,
        host_calls: 0,
        calling: false,
        javascript: trace.header().javascript.is_some(),
        unsaid: None,
        end: None,
    };
    for chunk in 0..trace.chunks().len() {
        progress(trace.chunks()[chunk].first);
        if !run.chunk(trace, chunk, &mut verified) {
            return verified;
        }
    }
    run.finish(trace, &mut verified);
    verified
}

fn native(trace: &TraceReader, verified: &mut Verified) {
    for func in trace.native_functions() {
        let what = match trace.native_code(func) {
            Err(error) => error.to_string(),
            Ok(None) => continue,
            Ok(Some(function)) if !function.points.is_sorted_by_key(|point| point.offset) => {
                "its points are out of order".to_string()
            }
            Ok(Some(function)) => match function.points.last() {
                Some(point) if point.offset as usize > function.code.len() => {
                    format!("it has a point at {:#x}, past its {:#x} bytes", point.offset, function.code.len())
                }
                _ => {
                    verified.native += 1;
                    continue;
                }
            },
        };
        verified.find(Fault::Native { func, what });
    }
}

/// Why a chunk was not replayed to its end.
enum Stop {
    Trace(TraceError),
    Event(Position, CorruptEvent),
}

impl From<TraceError> for Stop {
    fn from(error: TraceError) -> Stop {
        Stop::Trace(error)
    }
}

/// The state of the replay.
struct Run {
    image: Image,
    /// Where keyframes are restored.
    keyframe: Image,
    /// Positions of all keyframes.
    positions: Vec<Position>,
    next_keyframe: usize,
    /// Host calls that have begun and not returned.
    host_calls: u64,
    /// Whether a call of the guest has begun and not ended: outside of one, the bytes for the next call are written.
    calling: bool,
    /// Whether JavaScript makes the calls, and does other things in between.
    javascript: bool,
    /// An instruction that wrote outside of memory, if the next event is to report it.
    unsaid: Option<(Position, MemoryIndex, u64)>,
    /// The end of the run and its memories, once reached.
    end: Option<(Position, Vec<MemoryState>)>,
}

impl Run {
    /// Replays a chunk. `false`: what follows has no meaning.
    fn chunk(&mut self, trace: &mut TraceReader, chunk: usize, verified: &mut Verified) -> bool {
        let first = trace.chunks()[chunk].first;
        if let Some(last) = chunk.checked_sub(1).map(|last| trace.chunks()[last].end()).filter(|last| *last < first) {
            self.keyframes(trace, last, verified);
            self.go_on_after_gap(trace, first, verified);
        } else {
            self.keyframes(trace, first, verified);
        }
        let entry = trace.chunks()[chunk].clone();
        let sites = trace.sites().clone();
        let mut position = entry.first;
        let read = trace.read_chunk(chunk, |raw| {
            self.image.apply(&raw).map_err(|error| Stop::Event(position, error))?;
            let said = raw.site == SiteId::OBSERVED;
            if let Some((position, memory, address)) = self.unsaid.take().filter(|_| !said) {
                verified.find(Fault::Outside { position, memory, address });
            }
            self.unsaid = self.image.take_outside().map(|(memory, address)| (position, memory, address));
            if let Some((site, address, width)) = raw.stored(&sites) {
                *verified.kinds.entry(Event::kind_of(site.op)).or_default() += 1;
                let ends = [address, address.saturating_add(width - 1)];
                if let Some(address) = ends.into_iter().find(|end| !entry.may_touch(site.memory, *end)) {
                    verified.find(Fault::PageFilter { position, memory: site.memory, address });
                }
            } else {
                match Event::read(&raw, &sites) {
                    Ok(event) => self.event(&entry, position, event, verified),
                    Err(source) => verified.find(Fault::Undecodable { position, source }),
                }
            }
            position = position.next();
            Ok(())
        });
        match read {
            Ok(()) => return true,
            Err(Stop::Trace(source)) => verified.find(Fault::Chunk { first: entry.first, source }),
            Err(Stop::Event(position, source)) if source.is_limit() => {
                verified.find(Fault::Limit { position, source });
            }
            Err(Stop::Event(position, source)) => verified.find(Fault::Event { position, source }),
        }
        false
    }

    /// Goes on after events that are left out, with the memory that the keyframe there has.
    fn go_on_after_gap(&mut self, trace: &TraceReader, first: Position, verified: &mut Verified) {
        self.next_keyframe += 1;
        let keyframe = self.next_keyframe;
        if let Err(source) = trace.restore_keyframe(keyframe, &mut self.image) {
            verified.find(Fault::Keyframe { keyframe, position: first, source });
        }
        self.unsaid = None;
        // Calls of the host and of the guest may have begun among them.
        (self.host_calls, self.calling) = (u64::from(u32::MAX), true);
    }

    /// Looks at an event that is not a store.
    fn event(&mut self, chunk: &ChunkEntry, position: Position, event: Event, verified: &mut Verified) {
        *verified.kinds.entry(event.kind()).or_default() += 1;
        if let Some((memory, address, length)) = event.written().filter(|(.., length)| *length > 0) {
            let pages = address / PAGE..=address.saturating_add(length - 1) / PAGE;
            let denied = pages.take(MAX_PAGES as usize).find(|page| !chunk.may_touch(memory, page * PAGE));
            if let Some(page) = denied {
                let address = address.max(page * PAGE);
                verified.find(Fault::PageFilter { position, memory, address });
            }
        }
        match &event {
            Event::Host(HostEvent::Call(_)) => self.host_calls += 1,
            Event::Host(HostEvent::Write { .. }) if !self.calling => {}
            Event::Host(
                HostEvent::Grow { .. }
                | HostEvent::Enter { .. }
                | HostEvent::Leave { .. }
                | HostEvent::SetGlobal { .. }
                | HostEvent::SetElement { .. }
                | HostEvent::GrowTable { .. }
                | HostEvent::SetReference { .. }
                | HostEvent::SetFunction { .. },
            ) if self.javascript && !self.calling => {}
            Event::Host(_) if self.host_calls == 0 => verified.find(Fault::HostLog { position }),
            Event::Host(HostEvent::Return { .. }) => self.host_calls -= 1,
            Event::Milestone(Milestone::Invoke { .. }) => self.calling = true,
            Event::Milestone(Milestone::Returned { .. } | Milestone::Trapped { .. } | Milestone::Exited { .. }) => {
                self.calling = false;
            }
            _ => {}
        }
        if let Event::Milestone(Milestone::End { memories, .. }) = event
            && self.end.is_none()
        {
            self.end = Some((position, memories));
        }
    }

    /// Compares the keyframes up to `position`, which the replay has reached, with memory.
    fn keyframes(&mut self, trace: &TraceReader, position: Position, verified: &mut Verified) {
        while let Some(&at) = self.positions.get(self.next_keyframe).filter(|at| **at <= position) {
            self.next_keyframe += 1;
            let keyframe = self.next_keyframe;
            if at != position {
                verified.find(Fault::KeyframePosition { keyframe, position: at });
                continue;
            }
            if let Err(source) = trace.restore_keyframe(keyframe, &mut self.keyframe) {
                verified.find(Fault::Keyframe { keyframe, position, source });
                continue;
            }
            verified.keyframes += 1;
            for memory in (0..self.keyframe.memories().max(self.image.memories())).map(MemoryIndex) {
                let (stored, replayed) = (self.keyframe.size(memory), self.image.size(memory));
                if stored != replayed {
                    verified.find(Fault::KeyframeSize { keyframe, position, memory, stored, replayed });
                }
                if let Some(difference) = difference(&self.keyframe, &self.image, memory) {
                    verified.find(Fault::KeyframeBytes { keyframe, position, memory, difference });
                }
            }
        }
    }

    /// Checks what follows the last event.
    fn finish(&mut self, trace: &TraceReader, verified: &mut Verified) {
        self.keyframes(trace, Position(trace.events()), verified);
        for (i, &position) in self.positions.iter().enumerate().skip(self.next_keyframe) {
            verified.find(Fault::KeyframePosition { keyframe: i + 1, position });
        }
        let Some((position, memories)) = &self.end else {
            if trace.is_complete() {
                verified.find(Fault::NoEnd);
            }
            return;
        };
        if position.next().0 != trace.events() {
            return verified.find(Fault::AfterEnd { position: position.next() });
        }
        if memories.is_empty() {
            // The engine could no longer be asked.
            return;
        }
        let say = |pages: u64, digest: u64| format!("{pages} pages and digest {digest:#018x}");
        for index in 0..memories.len().max(self.image.memories() as usize) {
            let memory = MemoryIndex(index as u32);
            let expected = memories.get(index).map(|state| (state.pages, state.digest));
            let found = self.image.state(memory).map(|state| (state.pages, state.digest));
            if expected != found {
                let [expected, found] = [expected, found]
                    .map(|state| state.map_or("not existed".to_string(), |(pages, digest)| say(pages, digest)));
                verified.find(Fault::EndMemory { memory, expected, found });
            }
        }
    }
}
