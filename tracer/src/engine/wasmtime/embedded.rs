//! A host function of the embedder's, or of a preloaded module, behind a wrapper that reports the call.

use super::convert::{from_engine, to_engine};
use super::guest::State;
use super::{live, records};
use crate::engine::session::Halt;
use crate::host::embed::{HostError, HostFunctions, HostMemory};
use crate::values::WasmValue;
use forkpoint_traces::{FuncIndex, HostCall, HostEvent, HostOutcome, Import};
use std::sync::Arc;
use wasmtime::{Caller, Error, Func, FuncType, Store};
use wasmtime_wasi::I32Exit;

/// The function that the guest calls in place of the embedder's `import`, its own import number `function`.
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
            return Err(Error::msg(format!("nobody answers {import}")));
        };
        let (mut nothing, memory) = ([], caller.data().memory.clone());
        let mut access = match &memory {
            Some((memory, index)) => HostMemory::new(*index, memory.bytes_mut(&mut caller)),
            None => HostMemory::new(0, &mut nothing),
        };
        let answer = host(&mut access, &arguments);
        let (reads, writes) = access.finish();
        let call = HostCall { function: FuncIndex(function), import: import.clone(), arguments, reads, caller: None };
        records::host(&mut caller, &HostEvent::Call(call))?;
        live::report(&mut caller, writes)?;
        let answer = answer.and_then(|values| match values.len() == types.len() {
            true => Ok(values),
            false => {
                Err(HostError::Trap(format!("{} results for {import}, which has {}", values.len(), types.len())))
            }
        });
        let outcome = match &answer {
            Ok(values) => HostOutcome::Returned(values.clone()),
            Err(HostError::Trap(message)) => HostOutcome::Trapped(message.clone()),
            Err(HostError::Exit(code)) => HostOutcome::Exited(*code),
        };
        records::host(&mut caller, &HostEvent::Return { import: import.clone(), outcome })?;
        live::look(&mut caller)?;
        match answer {
            Ok(values) => {
                for ((result, value), ty) in results.iter_mut().zip(&values).zip(&types) {
                    *result = to_engine(value, ty);
                }
                Ok(())
            }
            Err(HostError::Trap(message)) => Err(Error::msg(message)),
            Err(HostError::Exit(code)) => Err(Error::new(I32Exit(code))),
        }
    })
}
