//! An imported function that the recorder answers.

use super::convert::{from_engine, to_engine};
use super::records;
use super::state::State;
use crate::engine::lent::LentMemories;
use crate::engine::session::Halt;
use crate::values::WasmValue;
use wasmtime::{Caller, Error, Func, FuncType, Store};

/// The function that asks the recorder instead of imported function number `function`.
pub(super) fn wrapper(store: &mut Store<State>, ty: FuncType, function: u32) -> Func {
    let types: Vec<_> = ty.results().collect();
    Func::new(store, ty, move |mut caller: Caller<'_, State>, arguments, results| {
        records::take_block(&mut caller)?;
        let Some(mut session) = caller.data_mut().session.take() else { return Err(Error::new(Halt)) };
        let arguments: Vec<WasmValue> = arguments.iter().map(from_engine).collect();
        let memories = caller.data().memories.clone();
        let mut lent = LentMemories { memories: &memories, store: &mut caller, own_host: None };
        let answer = session.host_call(function, &arguments, &mut lent);
        caller.data_mut().session = Some(session);
        let values = answer.map_err(Error::new)?;
        if values.len() != results.len() {
            return Err(Error::msg(format!("{} results for a function that has {}", values.len(), results.len())));
        }
        for ((result, value), ty) in results.iter_mut().zip(&values).zip(&types) {
            *result = to_engine(value, ty);
        }
        Ok(())
    })
}
