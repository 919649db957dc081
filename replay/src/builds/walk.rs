//! One build's run, from one thing that an observer sees to the next.
//!
//! Everything in between only changes memory, so it is applied to an image, and the pages that it wrote are noted. Memory
//! use depends on the pages that a run has, not on its events.

use crate::error::ReplayError;
use crate::timeline::{Flow, Timeline};
use forkpoint_traces::{
    Event, GlobalState, HostCall, HostEvent, HostOutcome, Image, Import, MemoryIndex, Milestone, Outcome, PAGE,
    POLL_EVENT, Position, SiteTable, TrapKind, USER_DATA, WasmValue, wasi::Role,
};
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use wasmparser::{Export, ExternalKind, Parser, Payload};

/// The name that the recorder gives the module's start function.
const START: &str = "(start)";

/// What an observer sees of a run: the host, or the caller.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Seen {
    /// An export is called, the `number`-th call from 0.
    Call { number: usize, function: String, arguments: Vec<WasmValue> },
    /// The call returns.
    Returned { number: usize, function: String, results: Vec<WasmValue> },
    /// It traps.
    Trapped(TrapKind),
    /// The guest ends itself.
    Exited(i32),
    /// The guest calls its host.
    HostCall(HostCall),
    /// The host answers. `written` is a digest of what it wrote, as far as it means anything to another build.
    HostAnswer { import: Import, outcome: HostOutcome, written: u64 },
    /// A memory grows, or does not.
    Grown { memory: MemoryIndex, delta: u64, before: Option<u64> },
    /// The run is over.
    End { outcome: Outcome, globals: Vec<GlobalState> },
}

/// Something seen, and its event.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) position: Position,
    pub(super) seen: Seen,
}

/// A run, and how far it was walked.
pub(super) struct Walk<'t> {
    pub(super) timeline: &'t mut Timeline,
    /// Memory after the events before `position`.
    pub(super) image: Image,
    pub(super) position: Position,
    /// The memory that WASI reads and writes, which the module exports as `memory`.
    pub(super) wasi_memory: Option<MemoryIndex>,
    /// Pages written since they were taken last.
    touched: Touched,
    state: State,
}

/// Where in a call a walk is.
#[derive(Default)]
struct State {
    calls: usize,
    /// The export that runs; nothing while the start function does, which no observer calls.
    function: Option<String>,
    host: Option<(HostCall, DefaultHasher)>,
    /// Whether the host called functions of the guest, by their numbers in this build.
    entered: bool,
}

#[derive(Default)]
struct Touched {
    pages: HashSet<(MemoryIndex, u64)>,
    /// The last one: most stores go where the one before went.
    last: Option<(MemoryIndex, u64)>,
}

impl Touched {
    #[inline]
    fn insert(&mut self, memory: MemoryIndex, address: u64, length: u64) {
        let (first, last) = (address / PAGE, address.saturating_add(length.saturating_sub(1)) / PAGE);
        if first == last && self.last == Some((memory, first)) {
            return;
        }
        self.pages.extend((first..=last).map(|page| (memory, page)));
        self.last = Some((memory, last));
    }
}

impl<'t> Walk<'t> {
    /// Walks to where the module is instantiated and nothing of it has run.
    pub(super) fn instantiated(timeline: &'t mut Timeline) -> Result<Walk<'t>, ReplayError> {
        let image = timeline.trace().empty_image();
        let mut walk = Walk {
            wasi_memory: exported_memory(timeline.trace().module()),
            timeline,
            image,
            position: Position(0),
            touched: Touched::default(),
            state: State::default(),
        };
        let sites = Arc::clone(walk.timeline.trace().sites());
        let image = &mut walk.image;
        walk.position = walk.timeline.each_from(Position(0), |position, raw| {
            let runs = match Event::read(raw, &sites)? {
                Event::Milestone(Milestone::Invoke { .. } | Milestone::Trapped { .. } | Milestone::End { .. })
                | Event::Host(_) => true,
                event => event.site().is_some(),
            };
            if runs {
                return Ok(Flow::StopBefore);
            }
            image.apply(raw).map_err(|source| ReplayError::Event { position, source })?;
            Ok(Flow::Next)
        })?;
        Ok(walk)
    }

    /// Memory before the event at a position.
    pub(super) fn image_at(timeline: &mut Timeline, position: Position) -> Result<Image, ReplayError> {
        let mut image = timeline.trace().empty_image();
        let keyframe = timeline.trace_mut().restore(position, &mut image)?;
        timeline.each_from(keyframe, |at, raw| {
            if at >= position {
                return Ok(Flow::StopBefore);
            }
            image.apply(raw).map_err(|source| ReplayError::Event { position: at, source })?;
            Ok(Flow::Next)
        })?;
        Ok(image)
    }

    /// Walks to the next thing that is seen. `None` where the trace ends before one.
    pub(super) fn next(&mut self) -> Result<Option<Step>, ReplayError> {
        let Walk { timeline, image, position, touched, state, .. } = self;
        let sites: Arc<SiteTable> = Arc::clone(timeline.trace().sites());
        let mut found = None;
        *position = timeline.each_from(*position, |position, raw| {
            image.apply(raw).map_err(|source| ReplayError::Event { position, source })?;
            // Nearly every event is a store.
            if let Some((site, address, length)) = raw.stored(&sites) {
                touched.insert(site.memory, address, length);
                return Ok(Flow::Next);
            }
            let event = Event::read(raw, &sites)?;
            if let Some((memory, address, length)) = event.written().filter(|(.., length)| *length > 0) {
                // An instruction that an engine let write outside of memory wrote no page there.
                let size = image.size(memory).map_or(0, |size| size.bytes());
                touched.insert(memory, address.min(size), length.min(size.saturating_sub(address)));
            }
            let Some(seen) = state.see(event) else { return Ok(Flow::Next) };
            found = Some(Step { position, seen });
            Ok(Flow::StopAfter)
        })?;
        Ok(found)
    }

    /// Whether the host called functions of the guest.
    pub(super) fn is_entered(&self) -> bool {
        self.state.entered
    }

    /// The pages written since the last call.
    pub(super) fn take_touched(&mut self) -> HashSet<(MemoryIndex, u64)> {
        self.touched.last = None;
        std::mem::take(&mut self.touched.pages)
    }
}

impl State {
    fn see(&mut self, event: Event) -> Option<Seen> {
        match event {
            Event::Grow { delta: 0, .. } => None,
            Event::Grow { memory, delta, result, .. } => Some(Seen::Grown { memory, delta, before: result }),
            Event::Host(HostEvent::Call(call)) => {
                self.host = Some((call.clone(), DefaultHasher::new()));
                Some(Seen::HostCall(call))
            }
            Event::Host(HostEvent::Write { address, bytes, .. }) => {
                if let Some((call, hasher)) = &mut self.host {
                    note_write(call, hasher, address, &bytes);
                }
                None
            }
            Event::Host(HostEvent::Grow { delta, memory, .. }) => {
                if let Some((_, hasher)) = &mut self.host {
                    (memory, delta).hash(hasher);
                }
                None
            }
            Event::Host(HostEvent::Enter { .. }) => {
                self.entered = true;
                None
            }
            Event::Host(HostEvent::Return { import, outcome }) => {
                let written = self.host.take().map_or(0, |(_, hasher)| hasher.finish());
                Some(Seen::HostAnswer { import, outcome, written })
            }
            Event::Milestone(Milestone::Invoke { function, .. }) if function == START => {
                self.function = None;
                None
            }
            Event::Milestone(Milestone::Invoke { function, arguments }) => {
                let number = self.calls;
                self.calls += 1;
                self.function = Some(function.clone());
                Some(Seen::Call { number, function, arguments })
            }
            Event::Milestone(Milestone::Returned { results }) => {
                let function = self.function.take()?;
                Some(Seen::Returned { number: self.calls.saturating_sub(1), function, results })
            }
            Event::Milestone(Milestone::Trapped { trap, .. }) => Some(Seen::Trapped(trap)),
            Event::Milestone(Milestone::Exited { code }) => Some(Seen::Exited(code)),
            Event::Milestone(Milestone::End { outcome, globals, .. }) => Some(Seen::End { outcome, globals }),
            _ => None,
        }
    }
}

/// The memory that a module exports as `memory`.
fn exported_memory(module: &[u8]) -> Option<MemoryIndex> {
    let exports = Parser::new(0).parse_all(module).map_while(Result::ok).find_map(|payload| match payload {
        Payload::ExportSection(exports) => Some(exports),
        _ => None,
    });
    let memory = |export: &Export| export.name == "memory" && export.kind == ExternalKind::Memory;
    exports?.into_iter().map_while(Result::ok).find(memory).map(|export| MemoryIndex(export.index))
}

/// Adds what a host wrote, as far as it means the same to every build.
fn note_write(call: &HostCall, hasher: &mut DefaultHasher, address: u64, bytes: &[u8]) {
    let Some(signature) = call.signature() else {
        (address, bytes).hash(hasher);
        return;
    };
    match call.written_argument(address) {
        // However many buffers there are, these are the bytes.
        None => bytes.iter().for_each(|byte| byte.hash(hasher)),
        Some((argument, from)) => {
            (argument, from, bytes.len()).hash(hasher);
            match signature[argument].1 {
                // Pointers follow what they point to.
                Role::Strings => {}
                Role::Events => bytes.chunks(POLL_EVENT).for_each(|event| event.get(USER_DATA..).hash(hasher)),
                _ => bytes.hash(hasher),
            }
        }
    }
}
