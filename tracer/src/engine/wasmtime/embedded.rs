//! A host function of an embedder, a preloaded module or a script, in a wrapper that reports the call.

use super::convert::{from_engine, to_engine};
use super::memories::GuestMemory;
use super::state::State;
use super::{live, records};
use crate::engine::lent::EngineMemory;
use crate::engine::session::Halt;
use crate::host::embed::{HostError, HostFunctions};
use crate::host::memory::{HostMemory, LentMemory, NoMemory};
use crate::values::WasmValue;
use forkpoint_traces::{FuncIndex, HostCall, HostEvent, HostOutcome, Import};
use std::sync::Arc;
use wasmtime::{Caller, Error, Func, FuncType, Store};
use wasmtime_wasi::I32Exit;

/// The function that the guest calls instead of the embedder's `import`, its import number `function`.
pub(super) fn wrapper(
    store: &mut Store<State>,
    ty: FuncType,
    hosted: Arc<HostFunctions>,
    function: u32,
    import: Import,
) -> Func {
    let types: Vec<_> = ty.results().collect();
    Func::new(store, ty, move |mut caller: Caller<'_, State>, arguments, results| {
        if caller.data_mut().session.as_mut().is_none_or(|session| session.stops()) {
            return Err(Error::new(Halt));
        }
        live::look(&mut caller)?;
        let arguments: Vec<WasmValue> = arguments.iter().map(from_engine).collect();
        let Some(host) = hosted.get(&import) else {
            return Err(Error::msg(format!("nothing answers the import {import}")));
        };
        let memory = caller.data().memory.clone();
        let called = |lent: &mut dyn LentMemory, index| {
            let mut access = HostMemory::new(index, lent);
            let answer = host(&mut access, &arguments);
            access.finish().map(|noted| (answer, noted))
        };
        let called = match memory {
            Some((memory, index)) => called(&mut Borrowed { memory, caller: &mut caller }, index),
            None => called(&mut NoMemory, 0),
        };
        let (answer, (reads, writes)) = match called {
            Ok((Err(HostError::Failed(why)), _)) | Err(why) => {
                records::take_block(&mut caller)?;
                if let Some(session) = caller.data_mut().session.as_mut() {
                    session.host_failed(format!("the host function {import}: {why}"))?;
                }
                return Err(Error::new(Halt));
            }
            Ok(called) => called,
        };
        let call = HostCall { function: FuncIndex(function), import: import.clone(), arguments, reads, caller: None };
        records::host(&mut caller, &HostEvent::Call(call))?;
        live::report(&mut caller, &writes)?;
        let answer = answer.and_then(|values| match values.len() == types.len() {
            true => Ok(values),
            false => {
                Err(HostError::Trap(format!("{} results for {import}, which has {}", values.len(), types.len())))
            }
        });
        let outcome = match &answer {
            Ok(values) => HostOutcome::Returned(values.clone()),
            Err(HostError::Trap(message) | HostError::Failed(message)) => HostOutcome::Trapped(message.clone()),
            Err(HostError::Exit(code)) => HostOutcome::Exited(*code),
        };
        records::host(&mut caller, &HostEvent::Return { import: import.clone(), outcome })?;
        live::deliver(&mut caller)?;
        match answer {
            Ok(values) => {
                for ((result, value), ty) in results.iter_mut().zip(&values).zip(&types) {
                    *result = to_engine(value, ty);
                }
                Ok(())
            }
            Err(HostError::Trap(message) | HostError::Failed(message)) => Err(Error::msg(message)),
            Err(HostError::Exit(code)) => Err(Error::new(I32Exit(code))),
        }
    })
}

/// The guest's memory during a host call.
struct Borrowed<'a, 'b> {
    memory: GuestMemory,
    caller: &'a mut Caller<'b, State>,
}

impl LentMemory for Borrowed<'_, '_> {
    fn bytes(&self) -> &[u8] {
        self.memory.bytes(self.caller)
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self.memory.bytes_mut(self.caller)
    }

    fn pages(&self) -> u64 {
        self.memory.pages(self.caller)
    }

    fn grow(&mut self, delta: u64) -> bool {
        self.memory.grow(self.caller, delta)
    }
}
