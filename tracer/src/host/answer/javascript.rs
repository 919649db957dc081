//! Answers from the host log of a program that lives in JavaScript.
//!
//! There the host does more than answer: it calls the guest, from inside of an answer or from outside, and changes
//! memory, globals and tables at any time that it has control. The log has all of it in order, so replay is one walk along
//! the log: what the host did is done, and what the guest did must be what it does now.

use super::{Host, Reply};
use crate::error::RecordError;
use crate::host::function::ResultType;
use crate::instrument::{element_export, function_element_export, global_export, table_grow_export};
use crate::protocol::{Answer, Entry, Growth, HostEnd, HostWrite, Order};
use crate::values::{HostFunctionValue, WasmValue};
use forkpoint_traces::{FuncIndex, GuestOutcome, HostCall, HostEvent, HostOutcome, printable};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A function of the guest that its host can call.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct GuestFunction {
    /// Under which name it is exported.
    pub(crate) export: String,
    pub(crate) parameters: Vec<ResultType>,
    pub(crate) results: Vec<ResultType>,
}

/// The functions of the guest that JavaScript can call, by index.
pub(crate) type GuestFunctions = BTreeMap<u32, GuestFunction>;

/// What the module was given at its instantiation, and now defines itself.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Settled {
    /// Globals that never change.
    pub(crate) globals: BTreeMap<u32, WasmValue>,
    /// Tables that were imported.
    pub(crate) tables: BTreeSet<u32>,
}

/// Deepest nesting of calls that is followed: a stranger's log may claim any.
const DEEPEST: usize = 20_000;

/// Most bytes of memory, steps counted in, that the host may change at once.
const MOST_CHANGE: u64 = 1 << 30;

/// The cost of a step besides its bytes.
const STEP: u64 = 64;

/// Who calls whom, innermost last.
enum Level {
    /// The guest has called this import and waits.
    Call(FuncIndex),
    /// The host has called this function of the guest.
    Entry(FuncIndex),
}

/// Where a replay of JavaScript's side is.
#[derive(Default)]
pub(super) struct Story {
    levels: Vec<Level>,
    /// Whether the guest is called for something that the host did without a call: it set a global or an element.
    silent: bool,
    /// Whether either side has called the other: what the host does before belongs to instantiation.
    begun: bool,
}

/// What the host does while it has control.
#[derive(Default)]
struct Doing {
    grows: Vec<Growth>,
    writes: Vec<HostWrite>,
    events: Vec<HostEvent>,
    cost: u64,
}

impl Doing {
    fn entry(self, function: String, arguments: Vec<WasmValue>) -> Reply {
        let order = Order::Enter(Entry { grows: self.grows, writes: self.writes, function, arguments });
        Reply { order, events: self.events, unanswered: None }
    }

    fn answer(self, end: HostEnd) -> Reply {
        let order = Order::Answer(Answer { grows: self.grows, writes: self.writes, end });
        Reply { order, events: self.events, unanswered: None }
    }

    fn stop(self, why: String) -> Reply {
        Reply { unanswered: Some(why), ..self.answer(HostEnd::Stopped) }
    }
}

impl Host {
    fn next(&mut self) -> Result<Option<HostEvent>, RecordError> {
        match self.ahead.take() {
            Some(event) => Ok(Some(event)),
            None => match &mut self.log {
                Some(log) => Ok(log.next_event()?),
                None => Err(damaged("it has none")),
            },
        }
    }

    /// The guest calls an import: the log must have the same call next.
    pub(super) fn called(&mut self, call: HostCall) -> Result<Reply, RecordError> {
        let import = call.import.clone();
        let other = match self.next()? {
            Some(HostEvent::Call(logged))
                if logged.function == call.function && same(&logged.arguments, &call.arguments) =>
            {
                self.descend(Level::Call(call.function))?;
                let logged = HostCall { caller: None, ..logged };
                return self.go_on(Doing { events: vec![HostEvent::Call(logged)], ..Doing::default() });
            }
            Some(HostEvent::Call(logged)) if logged.function == call.function => {
                "the recording has other arguments".to_string()
            }
            Some(HostEvent::Call(logged)) => format!("the recording has a call of {}", logged.import),
            Some(HostEvent::Leave { .. }) => "the call of the recording ends".to_string(),
            Some(_) => return Err(damaged("JavaScript acts while the guest runs")),
            None => "the recording has no further host call".to_string(),
        };
        let why = format!("the guest called {} where {other}", printable(&import.to_string()));
        Ok(Doing { events: vec![HostEvent::Call(call)], ..Doing::default() }.stop(why))
    }

    fn descend(&mut self, level: Level) -> Result<(), RecordError> {
        self.story.begun = true;
        self.story.levels.push(level);
        if self.story.levels.len() > DEEPEST {
            return Err(damaged(&format!("calls are nested more than {DEEPEST} deep")));
        }
        Ok(())
    }

    /// What the host does before its next call of the guest from outside, or after the last.
    ///
    /// # Errors
    /// When the guest has control, and when the log is damaged.
    pub(crate) fn between(&mut self) -> Result<Reply, RecordError> {
        if !self.story.levels.is_empty() || self.story.silent || self.guests.is_none() {
            return Err(RecordError::Protocol("it is between two calls while one goes on".to_string()));
        }
        self.go_on(Doing::default())
    }

    /// A call of the guest that the host ordered has ended, inside of a host call or silently.
    pub(crate) fn entry_ended(&mut self, end: GuestOutcome) -> Result<Reply, RecordError> {
        if std::mem::take(&mut self.story.silent) {
            return match end {
                GuestOutcome::Returned(_) => self.go_on(Doing::default()),
                GuestOutcome::Trapped(trap) => Ok(Doing::default()
                    .stop(format!("the engine refused what the host did to a table or a global: {trap}"))),
            };
        }
        let (event, other) = self.leave(end)?;
        let doing = Doing { events: vec![event], ..Doing::default() };
        match other {
            Some(why) => Ok(doing.stop(why)),
            None => self.go_on(doing),
        }
    }

    /// A call of the guest from outside has ended: the event, and why the host cannot go on from there.
    pub(crate) fn leave(&mut self, outcome: GuestOutcome) -> Result<(HostEvent, Option<String>), RecordError> {
        let Some(Level::Entry(function)) = self.story.levels.pop() else {
            return Err(RecordError::Protocol("the end of a call of the guest that was not ordered".to_string()));
        };
        let next = self.next()?;
        let other = match &next {
            Some(HostEvent::Leave { function: left, outcome: logged }) if *left == function => {
                if same_end(logged, &outcome) {
                    return Ok((HostEvent::Leave { function, outcome: logged.clone() }, None));
                }
                match logged {
                    GuestOutcome::Returned(_) => "the recording returned other values".to_string(),
                    GuestOutcome::Trapped(trap) => format!("the recording has: {trap}"),
                }
            }
            Some(HostEvent::Call(call)) => {
                format!("the recording has a call of {}", printable(&call.import.to_string()))
            }
            Some(_) => return Err(damaged("JavaScript acts while the guest runs")),
            None => "the recording ends inside of this call".to_string(),
        };
        let how = match &outcome {
            GuestOutcome::Returned(_) => "returned to its host".to_string(),
            GuestOutcome::Trapped(trap) => format!("ended by {trap}"),
        };
        let name =
            self.guests.as_ref().and_then(|guests| guests.get(&function.0)).map_or("function", |guest| &guest.export);
        let why = format!("the guest's `{}` {how} where {other}", printable(name));
        Ok((HostEvent::Leave { function, outcome }, Some(why)))
    }

    /// Does what the host did until the guest has control again.
    fn go_on(&mut self, mut doing: Doing) -> Result<Reply, RecordError> {
        loop {
            let Some(event) = self.next()? else {
                return Ok(match self.story.levels.last() {
                    None => doing.answer(HostEnd::Returned(Vec::new())),
                    Some(_) => doing.stop("the recording ends inside this host call".to_string()),
                });
            };
            doing.cost += STEP + if let HostEvent::Write { bytes, .. } = &event { bytes.len() as u64 } else { 0 };
            if doing.cost > MOST_CHANGE {
                return Err(damaged(&format!("JavaScript does more at once than {} MiB", MOST_CHANGE >> 20)));
            }
            if self.was_settled(&event)? {
                doing.events.push(event);
                continue;
            }
            match event {
                HostEvent::Write { memory, address, ref bytes } => {
                    doing.writes.push(HostWrite { memory, address, bytes: bytes.clone() });
                    doing.events.push(event);
                }
                HostEvent::Grow { memory, delta, .. } => {
                    doing.grows.push(Growth { memory, pages: delta });
                    doing.events.push(event);
                }
                HostEvent::SetGlobal { global, ref value } => {
                    let arguments = vec![value.clone()];
                    return Ok(self.silently(doing, event, global_export(global.0), arguments));
                }
                HostEvent::SetElement { table, index, function } => {
                    let index = i32::try_from(index).map_err(|_| damaged("an element past 2^31"))?;
                    let number = function.map_or(Ok(-1), |function| i32::try_from(function.0));
                    let number = number.map_err(|_| damaged("a function past 2^31"))?;
                    if function.is_some_and(|function| self.guest(function).is_err()) {
                        return Err(damaged("an element that is no function that JavaScript can reach"));
                    }
                    let place = self.place(number);
                    let arguments = vec![WasmValue::I32(index), WasmValue::I32(place)];
                    return Ok(self.silently(doing, event, element_export(table.0), arguments));
                }
                HostEvent::SetFunction { table, index, function, ref parameters, ref results } => {
                    let index = i32::try_from(index).map_err(|_| damaged("an element past 2^31"))?;
                    if self.functions.get(function.0 as usize).is_none() {
                        return Err(damaged("a function of JavaScript's own that was not counted"));
                    }
                    let (parameters, results) = (parameters.clone(), results.clone());
                    let value = HostFunctionValue { number: function.0, parameters, results };
                    let arguments = vec![WasmValue::I32(index), value.word()];
                    return Ok(self.silently(doing, event, function_element_export(table.0), arguments));
                }
                HostEvent::SetReference { table, index, ref value } => {
                    let index = i32::try_from(index).map_err(|_| damaged("an element past 2^31"))?;
                    if !ResultType::Extern.fits(value) {
                        return Err(damaged("an element that is no reference of JavaScript's"));
                    }
                    let arguments = vec![WasmValue::I32(index), value.clone()];
                    return Ok(self.silently(doing, event, element_export(table.0), arguments));
                }
                HostEvent::GrowTable { table, delta, .. } => {
                    let delta = i32::try_from(delta).map_err(|_| damaged("a table that grows past 2^31"))?;
                    let arguments = vec![WasmValue::I32(delta)];
                    return Ok(self.silently(doing, event, table_grow_export(table.0), arguments));
                }
                HostEvent::Enter { function, ref arguments } => {
                    let guest = self.guest(function)?;
                    if !fit(&guest.parameters, arguments) {
                        return Err(damaged("arguments that are not of the function's type"));
                    }
                    let (export, arguments) = (guest.export.clone(), arguments.clone());
                    let outside = self.story.levels.is_empty();
                    doing.events.push(event);
                    self.descend(Level::Entry(function))?;
                    return Ok(match outside {
                        // It is the next of the run's calls.
                        true => doing.answer(HostEnd::Returned(Vec::new())),
                        false => doing.entry(export, arguments),
                    });
                }
                HostEvent::Return { ref outcome, .. } => {
                    let Some(Level::Call(function)) = self.story.levels.pop() else {
                        return Err(damaged("the end of a host call that had not begun"));
                    };
                    let end = match outcome {
                        HostOutcome::Returned(values) => {
                            let called = self.functions.get(function.0 as usize);
                            if !called.is_some_and(|called| called.returns(values)) {
                                return Err(damaged("results that are not of the function's type"));
                            }
                            HostEnd::Returned(values.clone())
                        }
                        HostOutcome::Trapped(message) => HostEnd::Trapped(message.clone()),
                        HostOutcome::Exited(code) => HostEnd::Exited(*code),
                    };
                    doing.events.push(event);
                    return Ok(doing.answer(end));
                }
                HostEvent::Call(_) | HostEvent::Leave { .. } => {
                    return Err(damaged("the guest acts while JavaScript has control"));
                }
            }
        }
    }

    /// Whether the module has it already: an imported global's value, or the size of an imported table.
    fn was_settled(&self, event: &HostEvent) -> Result<bool, RecordError> {
        Ok(match event {
            HostEvent::SetGlobal { global, value } => match self.settled.globals.get(&global.0) {
                Some(settled) if settled == value && !self.story.begun => true,
                Some(_) => return Err(damaged("JavaScript sets a global that cannot change")),
                None => false,
            },
            HostEvent::GrowTable { table, .. } => !self.story.begun && self.settled.tables.contains(&table.0),
            _ => false,
        })
    }

    /// Has added code of the module do what the host did without a call.
    fn silently(&mut self, mut doing: Doing, event: HostEvent, function: String, arguments: Vec<WasmValue>) -> Reply {
        doing.events.push(event);
        self.story.silent = true;
        doing.entry(function, arguments)
    }

    fn guest(&self, function: FuncIndex) -> Result<&GuestFunction, RecordError> {
        let guest = self.guests.as_ref().and_then(|guests| guests.get(&function.0));
        guest.ok_or_else(|| damaged("a call of a function that JavaScript cannot reach"))
    }

    /// The place of a function among those that JavaScript can reach, as the added code counts them; -1 stays -1.
    fn place(&self, number: i32) -> i32 {
        let Some(guests) = self.guests.as_ref().filter(|_| number >= 0) else { return -1 };
        guests.range(..number as u32).count() as i32
    }
}

/// Whether values are of these types.
fn fit(types: &[ResultType], values: &[WasmValue]) -> bool {
    types.len() == values.len() && types.iter().zip(values).all(|(ty, value)| ty.fits(value))
}

/// Whether two ends are the same for JavaScript, up to what engines word or choose differently.
fn same_end(logged: &GuestOutcome, now: &GuestOutcome) -> bool {
    match (logged, now) {
        (GuestOutcome::Returned(logged), GuestOutcome::Returned(now)) => same(logged, now),
        (GuestOutcome::Trapped(logged), GuestOutcome::Trapped(now)) => logged.may_be(*now),
        _ => false,
    }
}

/// Whether two lists of values are the same for JavaScript, which does not distinguish one NaN from another.
fn same(logged: &[WasmValue], now: &[WasmValue]) -> bool {
    let same = |(logged, now): (&WasmValue, &WasmValue)| match (logged, now) {
        (WasmValue::F32(a), WasmValue::F32(b)) => {
            a == b || f32::from_bits(*a).is_nan() && f32::from_bits(*b).is_nan()
        }
        (WasmValue::F64(a), WasmValue::F64(b)) => {
            a == b || f64::from_bits(*a).is_nan() && f64::from_bits(*b).is_nan()
        }
        (logged, now) => logged == now,
    };
    logged.len() == now.len() && logged.iter().zip(now).all(same)
}

fn damaged(what: &str) -> RecordError {
    RecordError::HostLog { what: format!("the host log of the recording cannot be replayed: {what}") }
}
