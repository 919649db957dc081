//! A WASI function in a wrapper that reports the call, what it read and what it wrote, by a [`LiveCall`].

use super::convert::{from_engine, words};
use super::records;
use super::state::State;
use crate::engine::lent::{EngineMemory, write};
use crate::engine::session::Halt;
use crate::host::live::{LiveCall, Step};
use crate::host::ranges::clamp;
use crate::job::Checkpoints;
use crate::protocol::HostEnd;
use forkpoint_traces::{FuncIndex, HostCall, HostEvent, Import, MemoryIndex, wasi};
use std::sync::Arc;
use wasmtime::{Caller, Error, Func, FuncType, Store};
use wasmtime_wasi::I32Exit;

/// The function that the guest calls instead of host function `number`, its import number `function`.
pub(super) fn wrapper(store: &mut Store<State>, ty: FuncType, number: usize, function: u32, import: Import) -> Func {
    let signature = wasi::signature(&import.name).unwrap_or_default();
    let setup = Arc::new(store.data().run.wasi.clone());
    Func::new(store, ty, move |mut caller: Caller<'_, State>, arguments, results| {
        if caller.data_mut().session.as_mut().is_none_or(|session| session.stops()) {
            return Err(Error::new(Halt));
        }
        look(&mut caller)?;
        let call = HostCall {
            function: FuncIndex(function),
            import: import.clone(),
            arguments: arguments.iter().map(from_engine).collect(),
            reads: Vec::new(),
            caller: None,
        };
        let memory = caller.data().memory.clone();
        let index = memory.as_ref().map(|(_, index)| MemoryIndex(*index));
        let mut result = Ok(());
        let (mut live, mut step) = LiveCall::begin(call, signature, index, Arc::clone(&setup));
        loop {
            step = match step {
                Step::Read(ranges) => {
                    let data = memory.as_ref().map_or(&[][..], |(memory, _)| memory.bytes(&caller));
                    live.bytes(ranges.iter().map(|range| data[clamp(*range, data.len())].to_vec()).collect())
                }
                Step::Call(event) => {
                    records::host(&mut caller, &event)?;
                    let forward = caller.data().forwarders[number];
                    result = forward.call(&mut caller, arguments, results);
                    live.answered(match &result {
                        Ok(()) => HostEnd::Returned(results.iter().map(from_engine).collect()),
                        Err(error) => match error.downcast_ref::<I32Exit>() {
                            Some(exit) => HostEnd::Exited(exit.0),
                            None => HostEnd::Trapped(words(error)),
                        },
                    })
                }
                Step::Done { fixes, events, .. } => {
                    for ((memory, _), (address, bytes)) in memory.iter().cycle().zip(&fixes) {
                        if !write(memory.bytes_mut(&mut caller), *address, bytes) {
                            return Err(Error::msg("a write past the end of a memory"));
                        }
                    }
                    report(&mut caller, &events)?;
                    break;
                }
            };
        }
        deliver(&mut caller)?;
        result
    })
}

/// Around a call: a checkpoint, if the run has them, and a look at watched bytes, so that a change is attributed
/// correctly.
pub(super) fn look(caller: &mut Caller<'_, State>) -> wasmtime::Result<()> {
    if caller.data().run.checkpoints == Checkpoints::Calls {
        records::visit(&mut *caller, &mut |session, views| session.around_call(views))?;
    }
    if caller.data().session.as_ref().is_some_and(|session| session.watches()) {
        records::visit(caller, &mut |session, views| session.settle(views))?;
    }
    Ok(())
}

/// After a call: the same, and its steps reach the recorder, where the guest's buffer dies with the process.
pub(super) fn deliver(caller: &mut Caller<'_, State>) -> wasmtime::Result<()> {
    look(caller)?;
    if caller.data().session.as_ref().is_some_and(|session| session.keeps_buffer()) {
        records::visit(caller, &mut |session, views| session.settle(views))?;
    }
    Ok(())
}

/// Puts steps of a host call among the guest's records.
pub(super) fn report(caller: &mut Caller<'_, State>, events: &[HostEvent]) -> wasmtime::Result<()> {
    Ok(events.iter().try_for_each(|event| records::host(&mut *caller, event))?)
}
