//! What marks are for: the place where a run ended, the places of host calls, and notes.

use super::loads::LoadNotes;
use super::stack::StackNotes;
use super::stack_step::StepNotes;
use crate::instrument::{Ask, Instrumented, Mark, Options, Style};
use forkpoint_traces::{CallSteps, HostEvent, Loads, Place, Position};
use std::ops::Range;
use xxhash_rust::xxh3::Xxh3;

/// Notes that one digest is of.
pub const NOTES_IN_A_DIGEST: u64 = 1 << 16;

/// Most notes that are kept one by one, whatever is asked for.
const MOST_KEPT: u64 = 4 * NOTES_IN_A_DIGEST;

/// Most notes that are taken: the run ends then. Their records are 800 MB.
const MOST_NOTES: u64 = 1 << 25;

/// A value that the guest's code reported besides its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Note {
    /// What it is about.
    pub mark: Mark,
    /// The value: the low half, and the high half of a vector.
    pub words: [u64; 2],
    /// Which note of this mark it is, from 1.
    pub nth: u64,
    /// Events recorded before.
    pub events: u64,
}

/// The notes of a run.
#[derive(Debug, Clone, Default)]
pub struct Notes {
    /// How many there are.
    pub count: u64,
    /// Whether there are more, which were not taken: the run was ended there.
    pub cut: bool,
    /// A digest of each [`NOTES_IN_A_DIGEST`] of them, the last of what is left.
    pub digests: Vec<u64>,
    /// Which of them are kept.
    pub window: Range<u64>,
    /// These.
    pub kept: Vec<Note>,
}

impl Notes {
    /// The number of the first note that may be another one than in a run with notes `other`, asked for with the same
    /// window: exact where it is among those that are kept, else the first of some that have one digest. `None` where
    /// the notes are the same.
    pub fn first_difference(&self, other: &Notes) -> Option<u64> {
        let kept = |at: u64| -> Option<[&Note; 2]> {
            let at = usize::try_from(at.checked_sub(self.window.start)?).ok()?;
            Some([self.kept.get(at)?, other.kept.get(at)?])
        };
        let digest = self.digests.iter().zip(&other.digests).position(|(left, right)| left != right);
        let digest = match digest {
            Some(digest) => digest as u64,
            None if self.count == other.count => return None,
            None => self.digests.len().min(other.digests.len()).saturating_sub(1) as u64,
        };
        let start = digest.saturating_mul(NOTES_IN_A_DIGEST);
        let end = self.count.min(other.count).min(start.saturating_add(NOTES_IN_A_DIGEST));
        let differs =
            |at: &u64| kept(*at).is_none_or(|[left, right]| (left.mark, left.words) != (right.mark, right.words));
        Some((start..end).find(differs).unwrap_or(end))
    }

    /// The note with this number, if it is kept.
    pub fn get(&self, number: u64) -> Option<&Note> {
        self.kept.get(usize::try_from(number.checked_sub(self.window.start)?).ok()?)
    }
}

/// Marks of a recording in progress.
pub(super) struct Marks {
    marks: Vec<Mark>,
    /// With hooks, how many events of instructions must have come before a place counts.
    told_at: Option<u64>,
    /// Whether the question is where the run ends.
    places: bool,
    /// Events of instructions.
    events: u64,
    /// The last mark.
    last: u32,
    /// The place of the host call that is about to be recorded.
    caller: Option<Place>,
    /// For each mark, how many notes it has.
    counts: Vec<u64>,
    digest: Xxh3,
    notes: Notes,
    /// The active functions, where they are requested.
    stack: Option<StackNotes>,
    /// Where a step leads, where that is requested.
    step: Option<StepNotes>,
    /// The last loads, where they are requested.
    loads: Option<LoadNotes>,
}

fn place(mark: &Mark) -> Place {
    Place { func: mark.func, offset: mark.offset }
}

impl Marks {
    pub(super) fn new(rewritten: &Instrumented, options: &Options) -> Marks {
        let window = options.ask.window().cloned().unwrap_or(0..0);
        let window = window.start..window.end.min(window.start.saturating_add(MOST_KEPT));
        Marks {
            marks: rewritten.marks.clone(),
            told_at: match options.ask {
                Ask::Places { events } if options.style == Style::Hooks => Some(events),
                _ => None,
            },
            places: matches!(options.ask, Ask::Places { .. }),
            events: 0,
            last: 0,
            caller: None,
            counts: vec![0; if options.ask.window().is_some() { rewritten.marks.len() } else { 0 }],
            digest: Xxh3::new(),
            notes: Notes { window, ..Notes::default() },
            stack: match options.ask {
                Ask::Stack { around, step: None, .. } => Some(StackNotes::new(around)),
                _ => None,
            },
            step: match options.ask {
                Ask::Stack { around, step: Some(step), .. } => Some(StepNotes::new(around, step)),
                _ => None,
            },
            loads: match options.ask {
                Ask::Loads { before } => Some(LoadNotes::new(before)),
                _ => None,
            },
        }
    }

    fn mark(&self, number: u32) -> Option<&Mark> {
        self.marks.get(number.checked_sub(1)? as usize)
    }

    /// An instruction's event.
    #[inline]
    pub(super) fn event(&mut self) {
        self.events += 1;
        self.caller = None;
    }

    /// So many of them.
    pub(super) fn events(&mut self, count: u64) {
        self.events += count;
        self.caller = None;
    }

    /// The host calls, after so many events.
    pub(super) fn begin_call(&mut self, events: u64) {
        self.last = 0;
        self.caller = None;
        if let Some(stack) = &mut self.stack {
            stack.begin_call(events);
        }
        if let Some(step) = &mut self.step {
            step.begin_call(events);
        }
    }

    pub(super) fn come_to(&mut self, mark: u32) {
        self.last = mark;
    }

    /// Where the run is, as far as it is known.
    pub(super) fn place(&self) -> Option<Place> {
        self.place_of(self.last)
    }

    /// The place of a mark that the run is said to have come to last.
    pub(super) fn place_of(&self, mark: u32) -> Option<Place> {
        let told = self.places && self.told_at.is_none_or(|events| events <= self.events);
        self.mark(mark).filter(|_| told).map(place)
    }

    pub(super) fn caller(&mut self, mark: u32) {
        self.caller = self.mark(mark).map(place);
    }

    /// A step of a host call; a call gets its place where a mark right before it gave one.
    pub(super) fn placed(&mut self, mut event: HostEvent) -> HostEvent {
        let caller = self.caller.take();
        if let HostEvent::Call(call) = &mut event {
            call.caller = caller;
        }
        event
    }

    pub(super) fn note(&mut self, number: u32, words: [u64; 2], events: u64) {
        if let Some(stack) = &mut self.stack {
            if let Some(mark) = self.marks.get((number as usize).wrapping_sub(1)) {
                stack.note(number, mark, words, events);
            }
            if stack.is_full() {
                stack.forget(&self.marks);
            }
            return;
        }
        if let Some(step) = &mut self.step {
            if let Some(mark) = self.marks.get((number as usize).wrapping_sub(1)) {
                step.note(mark, words, events);
            }
            return;
        }
        if let Some(loads) = &mut self.loads {
            if let Some(mark) = self.marks.get((number as usize).wrapping_sub(1)) {
                loads.note(mark, words, events);
            }
            return;
        }
        if self.notes.count == MOST_NOTES {
            self.notes.cut = true;
            return;
        }
        let Some(mark) = self.mark(number).copied() else { return };
        let Some(nth) = self.counts.get_mut(number as usize - 1) else { return };
        *nth += 1;
        let nth = *nth;
        for word in [u64::from(number), words[0], words[1]] {
            self.digest.update(&word.to_le_bytes());
        }
        let notes = &mut self.notes;
        if notes.window.contains(&notes.count) {
            notes.kept.push(Note { mark, words, nth, events });
        }
        notes.count += 1;
        if notes.count.is_multiple_of(NOTES_IN_A_DIGEST) {
            notes.digests.push(self.digest.digest());
            self.digest.reset();
        }
    }

    /// Whether there are more notes than are taken, so that the run need not go on after so many events.
    pub(super) fn enough(&mut self, events: u64) -> bool {
        let stack = self.stack.as_mut().is_some_and(|stack| stack.enough(events));
        let loads = self.loads.as_ref().is_some_and(|loads| loads.enough(events));
        self.notes.cut || stack || loads || self.step.as_mut().is_some_and(|step| step.enough(events))
    }

    /// Where the step leads that was requested, when the run is over after so many events.
    pub(super) fn finish_step(&mut self, events: u64) -> Option<Option<Position>> {
        self.step.take()?.finish(events)
    }

    /// The last loads before a position, where they were requested.
    pub(super) fn finish_loads(&mut self) -> Option<Loads> {
        Some(self.loads.take()?.finish())
    }

    /// The active functions around a position, where they were requested, when the run is over after so many events.
    pub(super) fn finish_stack(&mut self, events: u64) -> Option<CallSteps> {
        let stack = self.stack.take()?;
        Some(stack.finish(&self.marks, events))
    }

    /// All notes, when the run is over.
    pub(super) fn finish(mut self) -> Notes {
        if !self.notes.count.is_multiple_of(NOTES_IN_A_DIGEST) {
            self.notes.digests.push(self.digest.digest());
        }
        self.notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instrument::Marked;
    use forkpoint_traces::FuncIndex;

    fn noted(words: impl Iterator<Item = u64>, window: Range<u64>) -> Notes {
        let mark = Mark { func: FuncIndex(3), offset: None, what: Marked::Enter };
        let mut marks = Marks {
            marks: vec![mark],
            told_at: None,
            places: false,
            events: 0,
            last: 0,
            caller: None,
            counts: vec![0],
            digest: Xxh3::new(),
            notes: Notes { window, ..Notes::default() },
            step: None,
            stack: None,
            loads: None,
        };
        words.for_each(|word| marks.note(1, [word, 0], 7));
        marks.finish()
    }

    #[test]
    fn a_difference_far_off_is_found_by_digests_and_then_by_itself() {
        let far = NOTES_IN_A_DIGEST * 2 + 17;
        let run = |window: Range<u64>| {
            [0, 1].map(|other| noted((0..far + 9).map(|i| if i == far { i + other } else { i }), window.clone()))
        };
        let [lhs, rhs] = run(0..NOTES_IN_A_DIGEST);
        let start = lhs.first_difference(&rhs).expect("they differ");
        assert_eq!(start, NOTES_IN_A_DIGEST * 2);
        assert_eq!(lhs.get(start), None);
        let [lhs, rhs] = run(start..start + NOTES_IN_A_DIGEST);
        assert_eq!(lhs.first_difference(&rhs), Some(far));
        assert_eq!(lhs.get(far).map(|note| (note.words, note.nth)), Some(([far, 0], far + 1)));
        assert_eq!(lhs.first_difference(&lhs.clone()), None);
    }

    #[test]
    fn one_run_with_more_notes_differs_where_the_other_ends() {
        let [lhs, rhs] = [5, 8].map(|count| noted(0..count, 0..NOTES_IN_A_DIGEST));
        assert_eq!(lhs.first_difference(&rhs), Some(5));
        assert!(lhs.get(5).is_none() && rhs.get(5).is_some());
    }
}
