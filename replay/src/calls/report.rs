//! A call stack with names and places, in words and as data.

use super::{Activation, CallWindow};
use crate::describe::place_of;
use crate::error::ReplayError;
use crate::report::{EventReport, SiteReport};
use crate::symbols::{Symbols, printable};
use crate::timeline::Timeline;
use forkpoint_traces::{Event, FuncIndex, MemoryIndex, Milestone, Place, Position, TrapKind, WasmValue};
use serde::Serialize;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// Activations that are shown from each end of a stack.
const MOST: usize = 32;

/// Columns that a call may take before what follows it is no longer aligned.
const WIDEST: usize = 48;

/// The activations at an event.
#[derive(Debug, Clone, Serialize)]
pub struct CallStack {
    /// The event, with its place.
    pub event: EventReport,
    /// How many activations there are.
    pub depth: u64,
    /// The activations, innermost first; of many, those at both ends.
    pub frames: Vec<CallFrame>,
    /// The variable on the stack that the event writes, of one of these activations: `main: total`.
    pub variable: Option<String>,
    /// What else there is to know about it.
    pub note: Option<&'static str>,
}

/// Activations that are looked through for a variable, from the innermost one on.
const LOOKED_THROUGH: usize = 1000;

/// The variable on the stack that holds these bytes at an event, of the innermost activation that has one, with the name of its
/// function: `main: total`. `place` is that of the event.
pub fn stack_variable(
    window: &CallWindow,
    symbols: &Symbols,
    at: Position,
    mut place: Option<Place>,
    (memory, bytes): (MemoryIndex, &Range<u64>),
) -> Option<String> {
    let (stack, _) = window.ends_of_stack(at, LOOKED_THROUGH)?;
    for activation in stack.iter().rev() {
        let here = place.filter(|place| place.func == activation.func).and_then(|place| place.offset);
        place = activation.first_call.or(activation.caller);
        let (Some(here), Some(base)) = (here, activation.frame_base) else { continue };
        if let Some(variable) = symbols.stack_variable(here, base, memory, bytes) {
            let ty = variable.ty.as_ref().map_or(String::new(), |ty| format!(": {ty}"));
            return Some(format!("{}: {variable}{ty}", symbols.function_name(activation.func)));
        }
    }
    None
}

/// Of a run that came to the end of its engine's stack.
const EXHAUSTED: &str = "The engine's stack was exhausted. How deep that is depends on the code, and the run that tells this has more of it: the recorded run was as deep or deeper.";

/// An activation in a stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CallFrame {
    /// How many activations it called: 0 for the innermost one.
    pub number: u64,
    /// Function index in its module.
    pub function: FuncIndex,
    /// Its name.
    pub name: String,
    /// Its arguments; fewer than the function has, if they are not known.
    pub arguments: Vec<ArgumentReport>,
    /// The event that came next when it began.
    pub entered: Position,
    /// The instruction at which it is: that of the event, or the call that it waits for.
    pub at: Option<SiteReport>,
    /// The function that it replaces by a tail call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
}

/// An argument of an activation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ArgumentReport {
    /// Its name, if the module has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its type.
    #[serde(rename = "type")]
    pub ty: &'static str,
    /// Its value in the notation of the command line.
    pub value: String,
}

impl ArgumentReport {
    /// The arguments of an activation.
    pub fn of(activation: &Activation, symbols: &Symbols) -> Vec<ArgumentReport> {
        let argument = |(number, value): (u32, &WasmValue)| ArgumentReport {
            name: symbols.parameter_name(activation.func, number, activation.arguments.len()),
            ty: type_of(value),
            value: value.to_string(),
        };
        (0..).zip(&activation.arguments).map(argument).collect()
    }
}

/// The type of a value, as the specification writes it; of a reference no more is known.
fn type_of(value: &WasmValue) -> &'static str {
    match value {
        WasmValue::I32(_) => "i32",
        WasmValue::I64(_) => "i64",
        WasmValue::F32(_) => "f32",
        WasmValue::F64(_) => "f64",
        WasmValue::V128(_) => "v128",
        WasmValue::Reference(_) => "ref",
    }
}

impl fmt::Display for ArgumentReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            write!(f, "{name} = ")?;
        }
        match self.ty {
            // Their values say it.
            "v128" | "ref" => f.write_str(&self.value),
            ty => write!(f, "{ty} {}", self.value),
        }
    }
}

impl CallStack {
    /// The stack at an event; `None` if the window does not tell it.
    ///
    /// # Errors
    /// When the trace is damaged.
    pub fn new(window: &CallWindow, timeline: &mut Timeline, at: Position) -> Result<Option<CallStack>, ReplayError> {
        if window.depth(at).is_none() {
            return Ok(None);
        }
        let symbols = Arc::clone(timeline.symbols());
        let sites = Arc::clone(timeline.trace().sites());
        let event = timeline.event(at)?;
        // The event's instruction is where the innermost activation is.
        let place = place_of(&event, &sites).map(|(func, offset)| Place { func, offset: Some(offset) });
        let (frames, depth) = CallFrame::stack(window, &symbols, at, place).unwrap_or_default();
        let exhausted = matches!(event, Event::Milestone(Milestone::Trapped { trap: TrapKind::StackOverflow, .. }));
        let note = exhausted.then_some(EXHAUSTED);
        let variable = event.written().and_then(|(memory, address, length)| {
            let bytes = address..address.checked_add(length)?;
            stack_variable(window, &symbols, at, place, (memory, &bytes))
        });
        Ok(Some(CallStack { note, variable, event: EventReport::of(at, &event, &sites, &symbols), depth, frames }))
    }

    /// How many activations are left out.
    pub fn left_out(&self) -> u64 {
        self.depth.saturating_sub(self.frames.len() as u64)
    }

    /// Whether two stacks are of the same functions, called with the same values at the same places.
    pub fn is_like(&self, other: &CallStack) -> bool {
        let like = |(left, right): (&CallFrame, &CallFrame)| left.is_like(right);
        self.depth == other.depth
            && self.frames.len() == other.frames.len()
            && self.frames.iter().zip(&other.frames).all(like)
    }

    /// The lines of the stack, without the event.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let width = self.frames.iter().map(|frame| frame.call().chars().count()).max().unwrap_or(0).min(WIDEST);
        for (count, frame) in CallFrame::with_gaps(&self.frames) {
            if count > 0 {
                lines.push(format!("       ... {count} more activation{}", if count == 1 { "" } else { "s" }));
            }
            lines.push(frame.line(width));
        }
        if self.frames.is_empty() {
            lines.push("       no function is active: the host runs".to_string());
        }
        lines.extend(self.note.map(str::to_string));
        lines
    }
}

impl Activation {
    /// The call, as it is written, and what it returned, if it did.
    pub fn text(&self, symbols: &Symbols) -> String {
        let arguments: Vec<String> = ArgumentReport::of(self, symbols).iter().map(ToString::to_string).collect();
        let results: Vec<String> = self.results.iter().map(|value| format!("{} {value}", type_of(value))).collect();
        let results = if results.is_empty() { String::new() } else { format!(" -> {}", results.join(", ")) };
        format!("{}({}){results}", symbols.function_name(self.func), arguments.join(", "))
    }
}

impl CallFrame {
    /// The frames at an event that is at a place, innermost first, of many those at both ends; and how many activations there are.
    /// `None` if the window does not tell them.
    pub fn stack(
        window: &CallWindow,
        symbols: &Symbols,
        at: Position,
        mut place: Option<Place>,
    ) -> Option<(Vec<CallFrame>, u64)> {
        let (stack, missing) = window.ends_of_stack(at, MOST)?;
        let depth = stack.len() as u64 + missing;
        let mut below = None;
        let mut frames: Vec<CallFrame> = Vec::new();
        for activation in stack.iter().rev() {
            // Above a gap nothing is known.
            if below.is_some_and(|below| activation.depth.saturating_add(1) != below) {
                place = None;
            }
            below = Some(activation.depth);
            frames.push(CallFrame::of(activation, place, depth, symbols));
            place = activation.first_call.or(activation.caller);
        }
        Some((frames, depth))
    }

    fn of(activation: &Activation, place: Option<Place>, depth: u64, symbols: &Symbols) -> CallFrame {
        let place = place.filter(|place| place.func == activation.func);
        CallFrame {
            number: depth.saturating_sub(u64::from(activation.depth) + 1),
            function: symbols.own_index(activation.func),
            name: symbols.function_name(activation.func),
            arguments: ArgumentReport::of(activation, symbols),
            entered: activation.entered,
            at: place.and_then(|place| Some(SiteReport::at(place.func, place.offset?, symbols))),
            replaces: activation.first_call.and(activation.caller).map(|caller| symbols.function_name(caller.func)),
        }
    }

    /// Each frame with the number of activations that are left out before it.
    pub fn with_gaps(frames: &[CallFrame]) -> impl Iterator<Item = (u64, &CallFrame)> {
        let mut next = 0;
        frames
            .iter()
            .map(move |frame| (frame.number.saturating_sub(std::mem::replace(&mut next, frame.number + 1)), frame))
    }

    /// Whether two activations are of one function, with the same arguments, and at the same place.
    pub fn is_like(&self, other: &CallFrame) -> bool {
        let place = |frame: &CallFrame| frame.at.as_ref().map(|site| site.place);
        (&self.name, &self.arguments) == (&other.name, &other.arguments) && place(self) == place(other)
    }

    /// The function and its arguments, as a call is written.
    pub fn call(&self) -> String {
        let arguments: Vec<String> = self.arguments.iter().map(ToString::to_string).collect();
        format!("{}({})", self.name, arguments.join(", "))
    }

    /// The place at which it is, in short.
    pub fn place(&self) -> String {
        let Some(site) = &self.at else { return String::new() };
        match (&site.file, site.line) {
            (Some(file), Some(line)) => format!("at {} ({file}:{line})", site.offset),
            (Some(file), None) => format!("at {} ({file})", site.offset),
            _ => format!("at {}", site.offset),
        }
    }

    /// The activation in a line; its call takes so many columns.
    pub fn line(&self, width: usize) -> String {
        let replaces = self.replaces.as_ref().map(|name| format!("  in place of {name}, by a tail call"));
        let (number, since) = (self.number, self.entered.to_string());
        let line = format!("{number:>5}  {:<width$}  since {since:<8}  {}", self.call(), self.place());
        format!("{}{}", line.trim_end(), replaces.unwrap_or_default())
    }
}

/// The call stack of a run, or why it is not known.
#[derive(Debug, Clone, Serialize)]
pub struct SideCalls {
    /// The stack.
    pub stack: Option<CallStack>,
    /// Why there is none.
    pub why_not: Option<String>,
}

impl SideCalls {
    /// What is known of a side; safe to print.
    pub fn new(stack: Result<CallStack, String>) -> SideCalls {
        match stack {
            Ok(stack) => SideCalls { stack: Some(stack), why_not: None },
            Err(why) => SideCalls { stack: None, why_not: Some(printable(&why)) },
        }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, word: &str) -> fmt::Result {
        let Some(stack) = &self.stack else {
            return writeln!(f, "{word}{}", self.why_not.as_deref().unwrap_or_default());
        };
        let EventReport { position, event, site } = &stack.event;
        write!(f, "{word}{position}  {event}")?;
        if let Some(variable) = &stack.variable {
            write!(f, "  {variable}")?;
        }
        if let Some(site) = site {
            write!(f, "  {site}")?;
        }
        writeln!(f)?;
        stack.lines().iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// The call stack at an event, or on both sides of two runs.
#[derive(Debug, Clone, Serialize)]
pub struct CallsReport {
    /// The left run, or the only one.
    pub lhs: SideCalls,
    /// The right run, at the event beside.
    pub rhs: Option<SideCalls>,
    /// How many activations, from the outermost on, are alike: of the same function, with the same arguments, at the same
    /// place; of two stacks.
    pub shared: Option<u64>,
    /// Whether the two stacks are alike.
    pub alike: Option<bool>,
}

impl CallsReport {
    /// A report of one run or two.
    pub fn new(lhs: SideCalls, rhs: Option<SideCalls>) -> CallsReport {
        let both = lhs.stack.as_ref().zip(rhs.as_ref().and_then(|rhs| rhs.stack.as_ref()));
        let shared = both.map(|(lhs, rhs)| {
            let pairs = lhs.frames.iter().rev().zip(rhs.frames.iter().rev());
            pairs.take_while(|(left, right)| left.is_like(right)).count() as u64
        });
        let alike = both.map(|(lhs, rhs)| lhs.is_like(rhs));
        CallsReport { shared, alike, lhs, rhs }
    }

    /// Whether everything that was asked is known.
    pub fn is_whole(&self) -> bool {
        self.lhs.stack.is_some() && self.rhs.as_ref().is_none_or(|rhs| rhs.stack.is_some())
    }
}

impl fmt::Display for CallsReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(rhs) = &self.rhs else { return self.lhs.write(f, "") };
        self.lhs.write(f, "lhs ")?;
        if self.alike == Some(true) {
            return writeln!(f, "rhs has the same call stack.");
        }
        rhs.write(f, "rhs ")?;
        match self.shared {
            None => Ok(()),
            Some(0) => writeln!(f, "The call stacks differ from the outermost activation on."),
            Some(1) => writeln!(f, "The outermost activation is the same on both sides."),
            Some(shared) => writeln!(f, "The {shared} outermost activations are the same on both sides."),
        }
    }
}
