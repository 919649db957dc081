//! How far a run is in its steps: what they have come to, and what is thereby known of the next.
//!
//! All of it is the engine's word. Where an allocator has given no address, or one that bytes do not fit at, nothing is put
//! and no call is made that was to be given it: that is how a run can end, and no failure of the recorder.

use super::steps::Steps;
use crate::values::WasmValue;
use forkpoint_traces::{Argument, Call, Put, Step, StepResult};
use std::collections::BTreeMap;

/// The steps that are done.
pub(super) struct Stepping<'a> {
    steps: &'a Steps,
    results: BTreeMap<u32, Vec<WasmValue>>,
}

impl<'a> Stepping<'a> {
    pub(super) fn new(steps: &'a Steps) -> Stepping<'a> {
        Stepping { steps, results: BTreeMap::new() }
    }

    /// The step with this number.
    pub(super) fn step(&self, number: u32) -> Option<&'a Step> {
        self.steps.list.get(number as usize)
    }

    /// Keeps what a step has come to, where others need it.
    pub(super) fn done(&mut self, number: u32, results: &[WasmValue]) {
        if self.steps.added().contains(&number) {
            self.results.insert(number, results.to_vec());
        }
    }

    fn result(&self, from: StepResult) -> Option<&WasmValue> {
        self.results.get(&from.step)?.get(from.result as usize)
    }

    /// The arguments of a call; `None` for one that is not made, since a step that it needs is not done.
    pub(super) fn arguments(&self, call: &Call) -> Option<Vec<WasmValue>> {
        let argument = |argument: &Argument| match argument {
            Argument::Value(value) => Some(value.clone()),
            Argument::Result(from) => self.result(*from).cloned(),
        };
        call.arguments.iter().map(argument).collect()
    }

    /// Where bytes are put; `None` where the allocator's call gave nothing.
    pub(super) fn address(&self, put: &Put) -> Option<(u64, WasmValue)> {
        match self.result(put.room)? {
            value @ WasmValue::I32(address) => Some((u64::from(*address as u32), value.clone())),
            value @ WasmValue::I64(address) => Some((*address as u64, value.clone())),
            _ => None,
        }
    }

    /// Why bytes cannot be put, in words. `size` is that of the memory in bytes, where it is known.
    pub(super) fn no_room(&self, number: u32, put: &Put, address: u64, size: Option<u64>) -> String {
        let name = |step: &Step| match step {
            Step::Call(call) => Some(format!("`{}`", call.function)),
            Step::Put(_) => None,
        };
        let allocator = self.step(put.room.step).and_then(name).unwrap_or_default();
        let needs = |step: &&Step| step.needs().any(|from| from.step == number);
        let called = self.steps.list.iter().find(needs).and_then(name).unwrap_or_default();
        let size = size.map_or(String::new(), |size| format!(", and memory has {size} bytes"));
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
