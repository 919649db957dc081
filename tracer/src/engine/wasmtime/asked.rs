//! An imported function that the recorder answers.

use super::convert::failure_of;
use super::records;
use super::references::{from_guest, to_guest};
use super::state::State;
use crate::engine::drive::Ended;
use crate::engine::lent::LentMemories;
use crate::engine::session::{Halt, HostTurn, Session};
use crate::job::ExportCall;
use crate::memories::Memories;
use crate::values::WasmValue;
use wasmtime::{AsContextMut, Caller, Error, Func, FuncType, RootScope, Val};

/// The function that asks the recorder instead of imported function number `function`.
pub(super) fn wrapper(store: impl AsContextMut<Data = State>, ty: FuncType, function: u32) -> Func {
    let types: Vec<_> = ty.results().collect();
    Func::new(store, ty, move |mut caller: Caller<'_, State>, arguments, results| {
        let arguments: Vec<WasmValue> = arguments.iter().map(|value| from_guest(&caller, value)).collect();
        let mut turn = lend(&mut caller, |session, lent| session.host_turn(function, &arguments, lent))??;
        let values = loop {
            match turn {
                HostTurn::Returns(values) => break values,
                HostTurn::Enters(call) => {
                    let ended = enter(&mut caller, &call);
                    turn = lend(&mut caller, |session, lent| session.entered(ended, lent))??;
                }
            }
        };
        if values.len() != results.len() {
            return Err(Error::msg(format!("{} results for a function that has {}", values.len(), results.len())));
        }
        for ((result, value), ty) in results.iter_mut().zip(&values).zip(&types) {
            *result = to_guest(&mut caller, value, ty)?;
        }
        Ok(())
    })
}

/// Passes on the session and the guest's memories, for reading and for changes.
pub(super) fn lend<T>(
    mut store: impl AsContextMut<Data = State>,
    with: impl FnOnce(&mut Session, &mut dyn Memories) -> T,
) -> wasmtime::Result<T> {
    records::take_block(&mut store)?;
    let Some(mut session) = store.as_context_mut().data_mut().session.take() else { return Err(Error::new(Halt)) };
    let memories = store.as_context().data().memories.clone();
    let mut lent = LentMemories { memories: &memories, store: &mut store, own_host: None };
    let result = with(&mut session, &mut lent);
    store.as_context_mut().data_mut().session = Some(session);
    Ok(result)
}

/// Calls an export of the guest that waits.
fn enter(caller: &mut Caller<'_, State>, call: &ExportCall) -> Ended {
    let Some(function) = caller.get_export(&call.function).and_then(wasmtime::Extern::into_func) else {
        return Ended::no_function(&call.function);
    };
    match invoke(caller, function, call) {
        Ok(values) => Ended::Returned(values),
        // Whose code it was is not known here.
        Err(error) => failure_of(&error, |_| None),
    }
}

/// Calls a function of the guest.
pub(super) fn invoke(
    mut store: impl AsContextMut<Data = State>,
    function: Func,
    call: &ExportCall,
) -> wasmtime::Result<Vec<WasmValue>> {
    let types = function.ty(&store);
    // What is passed lives as long as the call.
    let mut scope = RootScope::new(&mut store);
    let arguments = call.arguments.iter().zip(types.params());
    let arguments: Vec<Val> =
        arguments.map(|(value, ty)| to_guest(&mut scope, value, &ty)).collect::<wasmtime::Result<_>>()?;
    let mut results = vec![Val::I32(0); types.results().len()];
    function.call(&mut scope, &arguments, &mut results)?;
    Ok(results.iter().map(|value| from_guest(&scope, value)).collect())
}
