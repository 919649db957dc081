//! An imported function that the recorder answers.

use super::convert::{from_engine, to_engine};
use super::guest::{State, Stopped};
use super::memories::GuestMemory;
use super::records;
use crate::host::ask::{HostEnd, Memories, ask};
use crate::host::ranges::clamp;
use crate::values::WasmValue;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use wasmtime::{Caller, Error, Func, FuncType, Store};
use wasmtime_wasi::I32Exit;

/// The function that asks the recorder in place of imported function number `function`.
pub(super) fn wrapper(store: &mut Store<State>, ty: FuncType, function: u32) -> Func {
    let results_types: Vec<_> = ty.results().collect();
    Func::new(store, ty, move |mut caller: Caller<'_, State>, arguments, results| {
        if caller.data().control.stop.load(Ordering::Relaxed) {
            return Err(Error::new(Stopped));
        }
        records::around_call(&mut caller)?;
        records::drain(&mut caller)?;
        records::settle(&mut caller)?;
        let arguments: Vec<WasmValue> = arguments.iter().map(from_engine).collect();
        let state = caller.data();
        let (memories, control, mut out) = (state.memories.clone(), Arc::clone(&state.control), state.out.clone());
        let mut access = Access { memories: &memories, caller: &mut caller };
        let end = ask(function, &arguments, &mut access, &control.answers, &mut out)?;
        records::show_watched(&mut caller)?;
        records::around_call(&mut caller)?;
        match end {
            HostEnd::Returned(values) if values.len() == results.len() => {
                for ((result, value), ty) in results.iter_mut().zip(&values).zip(&results_types) {
                    *result = to_engine(value, ty);
                }
                Ok(())
            }
            HostEnd::Returned(values) => Err(Error::msg(format!(
                "the host log has {} results for a function that has {}",
                values.len(),
                results.len()
            ))),
            HostEnd::Trapped(message) => Err(Error::msg(message)),
            HostEnd::Exited(code) => Err(Error::new(I32Exit(code))),
            HostEnd::Stopped => Err(Error::new(Stopped)),
        }
    })
}

struct Access<'a, 'b> {
    memories: &'a [GuestMemory],
    caller: &'a mut Caller<'b, State>,
}

impl Memories for Access<'_, '_> {
    fn read(&self, memory: u32, address: u64, length: u64) -> &[u8] {
        let Some(memory) = self.memories.get(memory as usize) else { return &[] };
        let bytes = memory.bytes(&*self.caller);
        &bytes[clamp((address, length), bytes.len())]
    }

    fn write(&mut self, memory: u32, address: u64, bytes: &[u8]) -> bool {
        let Some(memory) = self.memories.get(memory as usize) else { return false };
        let at = usize::try_from(address).ok();
        at.is_some_and(|at| memory.write(&mut *self.caller, at, bytes).is_ok())
    }

    fn grow(&mut self, memory: u32, delta: u64) -> bool {
        self.memories.get(memory as usize).is_some_and(|memory| memory.grow(&mut *self.caller, delta).is_ok())
    }
}
