//! Runs a script with original modules and with rewritten ones, step by step, and compares.

use super::engines::Mode;
use super::replay::{self, Event};
use super::script::{self, Directive, Expected, Step};
use super::value::{Outcome, Value};
use super::world::World;
use forkpoint_tracer::instrument::Style;
use std::collections::BTreeMap;
use wasmtime::{Engine, Trap};

/// A violated expectation.
#[derive(Debug, Clone)]
pub struct Failure {
    pub mode: &'static str,
    pub line: usize,
    pub what: String,
}

/// Counts of what was checked.
#[derive(Debug, Default, Clone)]
pub struct Counts {
    pub files: usize,
    /// Modules that were rewritten, all modes together.
    pub modules: usize,
    /// Steps of the scripts, run once per mode.
    pub directives: usize,
    /// Steps that assert something.
    pub assertions: usize,
    /// Modules that had to be refused, and were.
    pub refused: usize,
    /// Events by mode.
    pub events: BTreeMap<&'static str, usize>,
    /// Steps in which two instances recorded inline, so that the hooks' order was needed to replay them.
    pub interleaved: usize,
}

impl Counts {
    pub fn add(&mut self, other: &Counts) {
        self.files += other.files;
        self.modules += other.modules;
        self.directives += other.directives;
        self.assertions += other.assertions;
        self.refused += other.refused;
        self.interleaved += other.interleaved;
        for (mode, events) in &other.events {
            *self.events.entry(mode).or_default() += events;
        }
    }
}

/// Outcomes of all steps, and the final state.
struct Run {
    outcomes: Vec<Outcome>,
    reasons: Vec<String>,
    events: Vec<Vec<Event>>,
    end: Vec<(usize, String, Vec<Value>)>,
}

/// Runs the script `text` with its modules rewritten in each of `modes`, of which the first must be hooks.
pub fn file(engine: &Engine, text: &str, modes: &[Mode]) -> Result<(Counts, Vec<Failure>), String> {
    let buffer = script::lex(text)?;
    let steps = script::parse(text, &buffer)?;
    let mut counts = Counts { files: 1, directives: steps.len(), ..Counts::default() };
    let mut failures = Vec::new();

    let original = originals(engine, &steps);
    for (step, outcome) in steps.iter().zip(&original.outcomes) {
        let satisfied = match &step.directive {
            Directive::Run { expected, .. } => {
                counts.assertions += usize::from(!matches!(expected, Expected::Nothing));
                expected.is(outcome)
            }
            Directive::Reject { .. } => {
                counts.assertions += 1;
                let refused = *outcome == Outcome::Rejected;
                counts.refused += usize::from(refused);
                refused
            }
            _ => matches!(outcome, Outcome::Done(_)),
        };
        if !satisfied {
            failures.push(Failure { mode: "original", line: step.line, what: format!("{outcome:?}") });
        }
    }

    let mut order: Option<Vec<Vec<Event>>> = None;
    for mode in modes {
        let mut fail = |line, what| failures.push(Failure { mode: mode.name, line, what });
        let mut world = World::new(engine, Some(&mode.options));
        let run = rewritten(&mut world, mode, &steps, order.as_deref(), &mut counts, &mut fail);
        for (index, step) in steps.iter().enumerate() {
            let (was, is) = (&original.outcomes[index], &run.outcomes[index]);
            if was != is {
                let reasons = [&original.reasons[index], &run.reasons[index]];
                fail(step.line, format!("{was:?} became {is:?} ({reasons:?})"));
            }
        }
        if original.end != run.end {
            let first = original.end.iter().zip(&run.end).find(|(was, is)| was != is);
            fail(0, format!("the end state became another, first {first:?}"));
        }
        counts.modules += world.modules;
        *counts.events.entry(mode.name).or_default() += run.events.iter().map(Vec::len).sum::<usize>();
        order.get_or_insert(run.events);
    }
    Ok((counts, failures))
}

fn originals(engine: &Engine, steps: &[Step<'_>]) -> Run {
    let mut world = World::new(engine, None);
    let mut run = Run { outcomes: Vec::new(), reasons: Vec::new(), events: Vec::new(), end: Vec::new() };
    for step in steps {
        world.reason.clear();
        run.outcomes.push(world.step(&step.directive));
        run.reasons.push(world.reason.clone());
    }
    run.end = world.end_state();
    run
}

/// Runs the script with rewritten modules, and replays each step. `order` has the events by hooks.
fn rewritten(
    world: &mut World<'_>,
    mode: &Mode,
    steps: &[Step<'_>],
    order: Option<&[Vec<Event>]>,
    counts: &mut Counts,
    fail: &mut dyn FnMut(usize, String),
) -> Run {
    let mut run = Run { outcomes: Vec::new(), reasons: Vec::new(), events: Vec::new(), end: Vec::new() };
    for (index, step) in steps.iter().enumerate() {
        world.reason.clear();
        let outcome = world.step(&step.directive);
        let (mut events, live) = world.settle();
        // The depth of a recursion depends on the size of its frames.
        let overflow = outcome == Outcome::Trap(Trap::StackOverflow);
        if let Some(hooked) = order.map(|order| &order[index]).filter(|_| !overflow) {
            let several = events.iter().any(|event| event.instance != events[0].instance);
            if several && mode.options.style == Style::Inline {
                counts.interleaved += 1;
                // A stable sort: the order of each instance's own events stays, and must be that of the hooks.
                let mut expected = hooked.clone();
                expected.sort_by_key(|event| event.instance);
                events.sort_by_key(|event| event.instance);
                if events == expected {
                    events.clone_from(hooked);
                }
            }
            if events != *hooked {
                fail(step.line, format!("{} events, but {} by hooks, or others", events.len(), hooked.len()));
            }
        }
        for event in &events {
            if let Err(error) = world.store.data_mut().apply(event) {
                fail(step.line, error);
            }
        }
        let all = matches!(step.directive, Directive::Module { .. } | Directive::Instance { .. })
            || index + 1 == steps.len();
        if let Err(error) = replay::check(&mut world.store, &live, all) {
            fail(step.line, error);
        }
        run.outcomes.push(outcome);
        run.reasons.push(world.reason.clone());
        run.events.push(events);
    }
    run.end = world.end_state();
    run
}
