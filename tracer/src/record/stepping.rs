//! How far a run is in its steps: the step in progress, the results of those that are done, and so the arguments of the next.
//!
//! All of it is the engine's word. Where an allocator gives no address, or one where the bytes do not fit, nothing is put
//! and no call that needs the address is made: a run can end that way, and the recorder has not failed.

use super::CallResult;
use super::steps::Steps;
use crate::error::RecordError;
use crate::values::WasmValue;
use forkpoint_traces::{Argument, Call, HostEvent, MemoryIndex, Put, Step, StepResult, TrapKind};
use std::collections::BTreeMap;

/// The name of the start function among calls.
pub(super) const START: &str = "(start)";

/// A run's steps, and how far it is.
pub(super) struct Stepping<'a> {
    steps: &'a Steps,
    /// The step in progress: none, the start function, or one by number.
    current: Option<Option<u32>>,
    results: BTreeMap<u32, Vec<WasmValue>>,
}

impl<'a> Stepping<'a> {
    pub(super) fn new(steps: &'a Steps) -> Stepping<'a> {
        Stepping { steps, current: None, results: BTreeMap::new() }
    }

    /// Begins the start function, or a step by number: the function that is called, and its arguments. `None` for a step
    /// that calls no export, or that is left out.
    pub(super) fn begin(&mut self, step: Option<u32>) -> Result<Option<(String, Vec<WasmValue>)>, RecordError> {
        let called = match step.map(|number| self.step(number).ok_or(number)) {
            None => Some((START.to_string(), Vec::new())),
            Some(Err(number)) => {
                return Err(RecordError::Protocol(format!("call number {number} was not asked for")));
            }
            Some(Ok(Step::Put(_))) => None,
            Some(Ok(Step::Call(call))) => self.arguments(call).map(|arguments| (call.function.clone(), arguments)),
        };
        self.current = Some(step);
        Ok(called)
    }

    /// Ends the call in progress with what it gave.
    pub(super) fn end(&mut self, result: Result<Vec<WasmValue>, TrapKind>) -> Option<CallResult> {
        let Some(number) = self.current.take()? else {
            return Some(CallResult { function: START.to_string(), result });
        };
        if let Ok(values) = &result {
            self.done(number, values);
        }
        match self.step(number)? {
            Step::Call(call) => Some(CallResult { function: call.function.clone(), result }),
            Step::Put(_) => None,
        }
    }

    /// Whether a step has begun and not ended.
    pub(super) fn is_in_progress(&self) -> bool {
        self.current.is_some()
    }

    /// Whether the step in progress needs one that is not done. The engine was asked for it, and it does nothing.
    pub(super) fn is_left_out(&self) -> bool {
        match self.current.flatten().and_then(|number| self.step(number)) {
            Some(Step::Call(call)) => self.arguments(call).is_none(),
            Some(Step::Put(put)) => self.address(put).is_none(),
            None => false,
        }
    }

    /// Ends the step in progress without a result.
    pub(super) fn leave_out(&mut self) {
        self.current = None;
    }

    /// The put in progress: its number, and the address that the allocator gave.
    fn putting(&self) -> Option<(u32, &'a Put, (u64, WasmValue))> {
        let number = self.current??;
        match self.step(number)? {
            Step::Put(put) => Some((number, put, self.address(put)?)),
            Step::Call(_) => None,
        }
    }

    /// Whether the step in progress puts bytes into memory.
    pub(super) fn is_put(&self) -> bool {
        self.putting().is_some()
    }

    /// Whether the step in progress is a put whose bytes have no room, now that it trapped. `size` tells the size of a
    /// memory in bytes. Where it is not known, the trap tells: the added code traps at address 0, and the engine where
    /// the bytes do not fit.
    pub(super) fn has_no_room(&self, trap: TrapKind, size: impl Fn(MemoryIndex) -> Option<u64>) -> bool {
        self.putting().is_some_and(|(_, put, (address, _))| match size(put.memory) {
            Some(size) => !fits(put, address, size),
            None => matches!(trap, TrapKind::Unreachable | TrapKind::MemoryOutOfBounds),
        })
    }

    /// The engine has put the bytes: the write that this is. Where they have no room, it is none, and memory at the end
    /// shows what the engine made of it.
    pub(super) fn put(&mut self, size: impl Fn(MemoryIndex) -> Option<u64>) -> Option<HostEvent> {
        let (number, put, (address, value)) = self.putting()?;
        self.current = None;
        if size(put.memory).is_some_and(|size| !fits(put, address, size)) {
            return None;
        }
        self.done(number, &[value]);
        Some(HostEvent::Write { memory: put.memory, address, bytes: put.bytes.clone() })
    }

    /// The step with this number.
    fn step(&self, number: u32) -> Option<&'a Step> {
        self.steps.list.get(number as usize)
    }

    /// Keeps what a step has come to, where others need it.
    fn done(&mut self, number: u32, results: &[WasmValue]) {
        if self.steps.added().contains(&number) {
            self.results.insert(number, results.to_vec());
        }
    }

    fn result(&self, from: StepResult) -> Option<&WasmValue> {
        self.results.get(&from.step)?.get(from.result as usize)
    }

    /// The arguments of a call; `None` for one that is not made, since a step that it needs is not done.
    fn arguments(&self, call: &Call) -> Option<Vec<WasmValue>> {
        let argument = |argument: &Argument| match argument {
            Argument::Value(value) => Some(value.clone()),
            Argument::Result(from) => self.result(*from).cloned(),
        };
        call.arguments.iter().map(argument).collect()
    }

    /// Where bytes are put; `None` where the allocator's call gave nothing.
    fn address(&self, put: &Put) -> Option<(u64, WasmValue)> {
        match self.result(put.room)? {
            value @ WasmValue::I32(address) => Some((u64::from(*address as u32), value.clone())),
            value @ WasmValue::I64(address) => Some((*address as u64, value.clone())),
            _ => None,
        }
    }

    /// Ends the put in progress, whose bytes have no room: why, in words.
    pub(super) fn no_room(&mut self, size: impl Fn(MemoryIndex) -> Option<u64>) -> String {
        let Some((number, put, (address, _))) = self.putting() else { return String::new() };
        self.current = None;
        let name = |step: &Step| match step {
            Step::Call(call) => Some(format!("`{}`", call.function)),
            Step::Put(_) => None,
        };
        let allocator = self.step(put.room.step).and_then(name).unwrap_or_default();
        let needs = |step: &&Step| step.needs().any(|from| from.step == number);
        let called = self.steps.list.iter().find(needs).and_then(name).unwrap_or_default();
        let size = size(put.memory).map_or(String::new(), |size| format!(", and memory has {size} bytes"));
        let gave = match address {
            0 => "0, which is not an address".to_string(),
            _ => format!("{address:#x}{size}"),
        };
        let length = put.bytes.len();
        format!(
            "{allocator} was asked for room for {length} bytes and gave {gave}: nothing was put there, and {called} was not called"
        )
    }
}

/// Whether there is room for bytes at an address, in a memory of `size` bytes.
fn fits(put: &Put, address: u64, size: u64) -> bool {
    let end = address.checked_add(put.bytes.len() as u64);
    address != 0 && end.is_some_and(|end| end <= size)
}
