//! Which functions are active around a position: reads the notes of [`Ask::Stack`](crate::instrument::Ask::Stack) as they
//! come, and keeps those around the position and those of activations that go on.

use crate::instrument::{Mark, Marked};
use forkpoint_traces::{CallStep, CallSteps, Place, Position, WasmValue};
use std::collections::VecDeque;
use std::ops::Range;

/// Notes that are kept on each side of the position.
const KEPT: usize = 1 << 16;

/// Events after the position, where there are no such notes.
const EVENTS_AFTER: u64 = 1 << 22;

/// Most activations that are known at a time, and most notes of them. Engines end deeper recursion.
const MOST_ACTIVE: usize = 1 << 18;
const MOST_OF_ACTIVE: usize = 1 << 20;

/// A note as it comes.
#[derive(Debug, Clone, Copy)]
struct Raw {
    mark: u32,
    words: [u64; 2],
    /// Number of events before.
    events: u64,
}

/// Depths by the module's count, from the first function that the host called: a trap leaves the count where it was.
#[derive(Default)]
pub(super) struct Depths {
    lowest: Option<u64>,
}

/// What a note leaves of the activations.
pub(super) enum Kept {
    /// This many, and one more that begins.
    Enter(u64),
    /// This many.
    Only(u64),
}

impl Depths {
    /// The depth of a note's activation.
    fn depth(&mut self, word: u64) -> u64 {
        let lowest = *self.lowest.get_or_insert(word >> 32);
        (word >> 32).saturating_sub(lowest)
    }

    /// What a note leaves of the activations, if it says anything about them.
    pub(super) fn kept(&mut self, what: Marked, word: u64) -> Option<Kept> {
        match what {
            Marked::Enter => Some(Kept::Enter(self.depth(word))),
            Marked::Leave => Some(Kept::Only(self.depth(word))),
            Marked::Back => Some(Kept::Only(self.depth(word).saturating_add(1))),
            _ => None,
        }
    }
}

/// Keeps the notes around a position.
pub(super) struct StackNotes {
    around: Position,
    depths: Depths,
    /// Notes of the activations that are active before `recent`.
    active: Vec<Raw>,
    /// Where in `active` each of them begins.
    starts: Vec<usize>,
    /// How deep the innermost one is, known or not.
    depth: u64,
    recent: VecDeque<Raw>,
    /// Of these, those after the position.
    after: usize,
    /// Events before the last note that is only part of `active`.
    from: u64,
    /// Events before what is not told any more.
    end: Option<u64>,
}

/// The depth in a note.
fn depth_in(raw: &Raw) -> u64 {
    raw.words[0] >> 32
}

impl StackNotes {
    pub(super) fn new(around: Position) -> StackNotes {
        StackNotes {
            around,
            depths: Depths::default(),
            active: Vec::new(),
            starts: Vec::new(),
            depth: 0,
            recent: VecDeque::new(),
            after: 0,
            from: 0,
            end: None,
        }
    }

    /// The host calls a function of the module's, and nothing is active.
    pub(super) fn begin_call(&mut self, events: u64) {
        self.depths = Depths::default();
        // No mark: everything has ended.
        self.push(Raw { mark: 0, words: [0; 2], events });
    }

    /// Takes a note; `mark` is that of `number`.
    pub(super) fn note(&mut self, number: u32, mark: &Mark, mut words: [u64; 2], events: u64) {
        if let Marked::Enter | Marked::Leave | Marked::Back = mark.what {
            let depth = self.depths.depth(words[0]);
            // The outermost function's call is none of the module's.
            let call = if depth == 0 { 0 } else { words[0] & 0xffff_ffff };
            words[0] = depth << 32 | call;
        }
        self.push(Raw { mark: number, words, events });
    }

    fn push(&mut self, raw: Raw) {
        if self.end.is_some() {
            return;
        }
        if raw.events > self.around.0 {
            if self.after == KEPT {
                self.end = Some(raw.events);
                return;
            }
            self.after += 1;
        }
        self.recent.push_back(raw);
    }

    /// Whether the run need not go on: there are notes enough after the position, or events without any.
    pub(super) fn enough(&mut self, events: u64) -> bool {
        if self.end.is_none() && events > self.around.0.saturating_add(EVENTS_AFTER) {
            self.end = Some(events);
        }
        self.end.is_some()
    }

    /// Whether there are too many notes from before the position.
    pub(super) fn is_full(&self) -> bool {
        self.recent.len() - self.after > KEPT
    }

    /// Makes notes from before the position part of what is active, where there are too many.
    pub(super) fn forget(&mut self, marks: &[Mark]) {
        while self.is_full() {
            let Some(raw) = self.recent.pop_front() else { return };
            self.from = raw.events;
            let what = (raw.mark as usize).checked_sub(1).and_then(|at| marks.get(at)).map(|mark| mark.what);
            self.apply(raw, what);
        }
    }

    fn apply(&mut self, raw: Raw, what: Option<Marked>) {
        match what {
            None => self.keep(0),
            Some(Marked::Enter) => {
                let depth = depth_in(&raw);
                self.keep(depth);
                if self.starts.len() as u64 == depth && self.starts.len() < MOST_ACTIVE {
                    self.starts.push(self.active.len());
                    self.active.push(raw);
                }
                self.depth = depth + 1;
            }
            Some(Marked::Leave) => self.keep(depth_in(&raw)),
            Some(Marked::Back) => self.keep(depth_in(&raw) + 1),
            // Of the innermost one, if that is known.
            Some(what @ (Marked::Argument(..) | Marked::FrameBase)) => {
                if self.starts.len() as u64 != self.depth {
                    return;
                }
                let again = what == Marked::FrameBase;
                if let Some(last) = self.active.last_mut().filter(|last| again && last.mark == raw.mark) {
                    *last = raw;
                } else if self.active.len() < MOST_OF_ACTIVE {
                    self.active.push(raw);
                }
            }
            Some(Marked::Result(..) | Marked::Place | Marked::Nan(_) | Marked::Load { .. }) => {}
        }
    }

    /// Keeps this many activations.
    fn keep(&mut self, depth: u64) {
        self.depth = self.depth.min(depth);
        let Some(start) = usize::try_from(depth).ok().and_then(|depth| self.starts.get(depth).copied()) else {
            return;
        };
        self.starts.truncate(depth as usize);
        self.active.truncate(start);
    }

    /// What is known when the run is over, after so many events.
    pub(super) fn finish(mut self, marks: &[Mark], events: u64) -> CallSteps {
        self.forget(marks);
        let step = |raw: &Raw| Some((Position(raw.events), step(raw, marks)?));
        let covers: Range<u64> = self.from..self.end.unwrap_or(events.saturating_add(1));
        CallSteps {
            active: self.active.iter().filter_map(step).collect(),
            unknown: self.depth.saturating_sub(self.starts.len() as u64),
            steps: self.recent.iter().filter_map(step).collect(),
            covers: Position(covers.start)..Position(covers.end),
            whole: self.end.is_none(),
        }
    }
}

/// A note in its typed form.
fn step(raw: &Raw, marks: &[Mark]) -> Option<CallStep> {
    let mark = |number: u32| marks.get((number as usize).checked_sub(1)?);
    if raw.mark == 0 {
        return Some(CallStep::Leave { depth: 0 });
    }
    let noted = mark(raw.mark)?;
    let depth = u32::try_from(depth_in(raw)).unwrap_or(u32::MAX);
    Some(match noted.what {
        Marked::Enter => {
            let caller = mark(raw.words[0] as u32).map(|mark| Place { func: mark.func, offset: mark.offset });
            CallStep::Enter { func: noted.func, depth, caller }
        }
        Marked::Argument(_, ty) => CallStep::Argument(WasmValue::of_words(ty, raw.words)),
        Marked::Result(_, ty) => CallStep::Result(WasmValue::of_words(ty, raw.words)),
        Marked::FrameBase => CallStep::FrameBase(raw.words[0]),
        Marked::Leave => CallStep::Leave { depth },
        Marked::Back => CallStep::Back { depth },
        Marked::Place | Marked::Nan(_) | Marked::Load { .. } => return None,
    })
}
