//! Which functions were active at a position: a trace does not hold that, a rerun tells it of some stretch.

mod report;
mod source;

pub use report::{ArgumentReport, CallFrame, CallStack, CallsReport, SideCalls, stack_variable};
pub use source::{CallSource, KnownCalls};

use forkpoint_traces::{CallStep, CallSteps, FuncIndex, Place, Position, WasmValue};
use std::collections::HashSet;
use std::ops::Range;

/// The calls and returns of a run around a position, and the activations at each event of that stretch.
///
/// ```
/// use forkpoint_replay::CallWindow;
/// use forkpoint_traces::{CallStep, CallSteps, FuncIndex, Position};
///
/// let enter = |func: u32, depth: u32| CallStep::Enter { func: FuncIndex(func), depth, caller: None };
/// let steps = vec![
///     (Position(3), enter(0, 0)),
///     (Position(5), enter(1, 1)),
///     (Position(8), CallStep::Leave { depth: 1 }),
/// ];
/// let window = CallWindow::new(CallSteps { steps, covers: Position(0)..Position(10), ..CallSteps::default() });
/// assert_eq!(window.stack(Position(6)).map(|stack| stack.len()), Some(2));
/// assert_eq!(window.step_out(Position(6)), Some(Position(8)));
/// assert_eq!(window.stack(Position(10)), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallWindow {
    /// Those of what is active at the beginning, and then all others.
    steps: Vec<(Position, CallStep)>,
    /// How many of them are of the former kind.
    active: usize,
    /// How many more are active at the beginning, deeper ones.
    unknown: u64,
    /// What each `Enter` begins, in their order.
    spans: Vec<Span>,
    covers: Range<Position>,
    whole: bool,
}

/// The steps of one activation.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Span {
    /// Its first.
    enter: usize,
    /// The one that ends it.
    end: Option<usize>,
    /// Those that set its frame base.
    bases: Vec<usize>,
    /// The call that began what it replaces by tail calls, if it replaces anything.
    first_call: Option<Place>,
}

/// An activation of a function.
#[derive(Debug, Clone, PartialEq)]
pub struct Activation {
    /// Its function.
    pub func: FuncIndex,
    /// How many activations were active when it began.
    pub depth: u32,
    /// The event that came next when it began.
    pub entered: Position,
    /// The event that came next when it ended, if it ended in the window.
    pub left: Option<Position>,
    /// The call; `None` if the host called.
    pub caller: Option<Place>,
    /// Where it was called in the place of another one, the call that began that one, or the first of several.
    pub first_call: Option<Place>,
    /// What it was called with, as far as that is known.
    pub arguments: Vec<WasmValue>,
    /// What it returned, if it returned in the window.
    pub results: Vec<WasmValue>,
    /// Its frame base at the position, if its function sets one up.
    pub frame_base: Option<u64>,
    /// Number of its step, which no other activation has.
    id: usize,
}

impl Activation {
    /// Whether it is the same activation of the same window.
    pub fn is(&self, other: &Activation) -> bool {
        self.id == other.id
    }
}

/// The spans of all activations.
fn spans(steps: &[(Position, CallStep)]) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    // Their numbers, with their depths.
    let mut open: Vec<(u32, usize)> = Vec::new();
    // The activation that the step before ended.
    let mut left: Option<usize> = None;
    for (number, (_, step)) in steps.iter().enumerate() {
        let before = left.take();
        let kept = match *step {
            CallStep::Enter { depth, .. } | CallStep::Leave { depth } => depth,
            CallStep::Back { depth } => depth.saturating_add(1),
            CallStep::FrameBase(_) => {
                if let Some(span) = open.last().and_then(|(_, span)| spans.get_mut(*span)) {
                    span.bases.push(number);
                }
                continue;
            }
            CallStep::Argument(_) | CallStep::Result(_) => continue,
        };
        while let Some((_, span)) = open.pop_if(|(depth, _)| *depth >= kept) {
            spans[span].end = Some(number);
            left = Some(span);
        }
        if let CallStep::Enter { depth, caller, .. } = *step {
            let replaced = before.and_then(|span| {
                let CallStep::Enter { func, depth: replaced, caller: first } = steps[spans[span].enter].1 else {
                    return None;
                };
                let by_it = replaced == depth && caller.is_some_and(|caller| caller.func == func);
                by_it.then_some(spans[span].first_call.or(first))
            });
            open.push((depth, spans.len()));
            spans.push(Span { enter: number, end: None, bases: Vec::new(), first_call: replaced.flatten() });
            left = None;
        }
    }
    spans
}

/// What a walk through the steps knows.
#[derive(Default)]
struct Walk {
    /// Depth and number of the step of what is active and known.
    active: Vec<(u32, usize)>,
    /// How many are active.
    depth: u64,
}

/// The number of the step of an activation that is not known.
const UNKNOWN: usize = usize::MAX;

impl Walk {
    fn step(&mut self, number: usize, step: &CallStep) {
        match *step {
            CallStep::Enter { depth, .. } => {
                self.keep(depth);
                self.active.push((depth, number));
                self.depth = u64::from(depth) + 1;
            }
            CallStep::Leave { depth } => self.keep(depth),
            CallStep::Back { depth } => self.keep(depth.saturating_add(1)),
            CallStep::Argument(_) | CallStep::FrameBase(_) | CallStep::Result(_) => {}
        }
    }

    fn keep(&mut self, depth: u32) {
        self.depth = self.depth.min(depth.into());
        while self.active.pop_if(|(last, _)| *last >= depth).is_some() {}
    }

    fn innermost(&self) -> Option<usize> {
        match self.active.last() {
            Some((depth, number)) if u64::from(*depth) + 1 == self.depth => Some(*number),
            _ => (self.depth > 0).then_some(UNKNOWN),
        }
    }
}

impl CallWindow {
    /// The window of what a rerun told.
    pub fn new(told: CallSteps) -> CallWindow {
        let CallSteps { active, unknown, steps, covers, whole } = told;
        let count = active.len();
        let steps: Vec<(Position, CallStep)> = active.into_iter().chain(steps).collect();
        CallWindow { spans: spans(&steps), steps, active: count, unknown, covers, whole }
    }

    /// The events whose activations are known.
    pub fn covers(&self) -> Range<Position> {
        self.covers.clone()
    }

    /// Whether the window goes to the end of the run.
    pub fn is_whole(&self) -> bool {
        self.whole
    }

    /// The steps that come before the event at a position.
    fn before(&self, at: Position) -> impl Iterator<Item = (usize, &CallStep)> {
        let active = self.active;
        self.steps
            .iter()
            .enumerate()
            .take_while(move |(number, (position, _))| *number < active || *position <= at)
            .map(|(number, (_, step))| (number, step))
    }

    fn walk(&self, at: Position) -> Option<Walk> {
        if !self.covers.contains(&at) {
            return None;
        }
        let mut walk = Walk::default();
        for (number, step) in self.before(at) {
            self.walk_step(&mut walk, number, step);
        }
        // Where no step comes after those of what is active at the beginning.
        if self.before(at).nth(self.active).is_none() {
            walk.depth = walk.depth.saturating_add(self.unknown);
        }
        Some(walk)
    }

    fn walk_step(&self, walk: &mut Walk, number: usize, step: &CallStep) {
        if number == self.active {
            walk.depth = walk.depth.saturating_add(self.unknown);
        }
        walk.step(number, step);
    }

    /// How many activations there are at the event at a position; `None` outside of the window.
    pub fn depth(&self, at: Position) -> Option<u64> {
        Some(self.walk(at)?.depth)
    }

    /// What is active at the event at a position, outermost first; `None` outside of the window. The depths say where some
    /// are missing, which were too many.
    pub fn stack(&self, at: Position) -> Option<Vec<Activation>> {
        self.ends_of_stack(at, usize::MAX).map(|(stack, _)| stack)
    }

    /// The same with at most so many activations from each end, and how many there are between.
    pub fn ends_of_stack(&self, at: Position, most: usize) -> Option<(Vec<Activation>, u64)> {
        let walk = self.walk(at)?;
        let count = walk.active.len();
        let inner = count.saturating_sub(most).max(most.min(count));
        let shown = walk.active.iter().take(most).chain(walk.active.iter().skip(inner));
        let stack: Vec<Activation> = shown.filter_map(|(_, number)| self.activation(*number, at)).collect();
        let missing = walk.depth.saturating_sub(stack.len() as u64);
        Some((stack, missing))
    }

    /// The activation that begins with a step, as it is known at a position.
    fn activation(&self, number: usize, at: Position) -> Option<Activation> {
        let span = &self.spans[self.spans.binary_search_by_key(&number, |span| span.enter).ok()?];
        let (entered, CallStep::Enter { func, depth, caller }) = self.steps.get(number)? else { return None };
        let arguments = self.steps.iter().skip(number + 1).map_while(|(_, step)| match step {
            CallStep::Argument(value) => Some(value.clone()),
            _ => None,
        });
        let before_end = self.steps.iter().take(span.end.unwrap_or(0)).rev();
        let results = before_end.map_while(|(_, step)| match step {
            CallStep::Result(value) => Some(value.clone()),
            _ => None,
        });
        let mut results: Vec<WasmValue> = results.collect();
        results.reverse();
        let known = |number: usize| number < self.active || self.steps.get(number).is_some_and(|step| step.0 <= at);
        let base = span.bases.iter().rev().copied().find(|number| known(*number));
        let frame_base = base.and_then(|number| match self.steps.get(number) {
            Some((_, CallStep::FrameBase(value))) => Some(*value),
            _ => None,
        });
        Some(Activation {
            func: *func,
            depth: *depth,
            entered: *entered,
            left: span.end.and_then(|end| Some(self.steps.get(end)?.0)),
            caller: *caller,
            first_call: span.first_call,
            arguments: arguments.collect(),
            results,
            frame_base,
            id: number,
        })
    }

    /// Stretches of events with one innermost activation: where each begins, and the activation's step.
    fn stretches(&self) -> Vec<(Position, Option<usize>)> {
        let mut walk = Walk::default();
        let mut stretches: Vec<(Position, Option<usize>)> = vec![(self.covers.start, None)];
        for (number, (position, step)) in self.steps.iter().enumerate() {
            self.walk_step(&mut walk, number, step);
            let at = if number < self.active { self.covers.start } else { *position };
            let now = walk.innermost();
            match stretches.last_mut() {
                Some((last, innermost)) if *last >= at => *innermost = now,
                Some((_, innermost)) if *innermost == now => {}
                _ => stretches.push((at, now)),
            }
        }
        stretches
    }

    /// The stretches of events of what is active at an event, or of no function.
    fn events_of_active(&self, at: Position) -> Option<impl Iterator<Item = Range<Position>>> {
        let active: HashSet<usize> = self.walk(at)?.active.into_iter().map(|(_, number)| number).collect();
        let stretches = self.stretches();
        let ends: Vec<Position> =
            stretches.iter().skip(1).map(|(start, _)| *start).chain([self.covers.end]).collect();
        let of_active = stretches
            .into_iter()
            .zip(ends)
            .filter(move |((_, innermost), _)| innermost.is_none_or(|number| active.contains(&number)));
        Some(of_active.map(|((start, _), end)| start..end))
    }

    /// The next event after the one at a position that is not of a function which was called in between; `None` if there is
    /// none in the window.
    pub fn step_over(&self, at: Position) -> Option<Position> {
        let from = at.next();
        let events = self.events_of_active(at)?;
        events.filter(|events| from < events.end).map(|events| from.max(events.start)).next()
    }

    /// The same for the last event before it.
    pub fn step_over_back(&self, at: Position) -> Option<Position> {
        let events = self.events_of_active(at)?.filter(|events| events.start < at);
        let last = events.filter_map(|events| events.end.min(at).0.checked_sub(1).map(Position)).last();
        last.filter(|found| self.covers.contains(found))
    }

    /// The first event after the innermost activation at an event has ended; `None` if it does not end in the window.
    pub fn step_out(&self, at: Position) -> Option<Position> {
        let number = self.walk(at)?.innermost()?;
        self.activation(number, at)?.left.filter(|left| self.covers.contains(left))
    }

    /// The last event before the innermost activation at an event began; `None` if there is none.
    pub fn step_out_back(&self, at: Position) -> Option<Position> {
        let number = self.walk(at)?.innermost()?;
        let (entered, _) = self.steps.get(number)?;
        entered.0.checked_sub(1).map(Position)
    }

    /// Activations in the order in which they began: those that are active at an event, and at most so many others that began
    /// last before and first after it. And which of them the innermost active one is; `None` outside of the window.
    pub fn tree(&self, at: Position, most: usize) -> Option<(Vec<Activation>, Option<usize>)> {
        let walk = self.walk(at)?;
        let enters = |number: &usize| matches!(self.steps.get(*number), Some((_, CallStep::Enter { .. })));
        let now = self.before(at).last().map_or(0, |(number, _)| number + 1);
        let mut numbers: Vec<usize> = (self.active..now).rev().filter(enters).take(most).collect();
        numbers.extend((now..self.steps.len()).filter(enters).take(most));
        let active = &walk.active;
        numbers.extend(active.iter().take(most).chain(active.iter().rev().take(most)).map(|(_, number)| *number));
        numbers.sort_unstable();
        numbers.dedup();
        let innermost = walk.innermost().and_then(|number| numbers.binary_search(&number).ok());
        Some((numbers.into_iter().filter_map(|number| self.activation(number, at)).collect(), innermost))
    }
}

#[cfg(test)]
mod tests;
