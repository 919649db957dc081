//! The function that the engine runs: all calls with their arguments, and reports before and after.

use super::build::{Added, Build, Signature};
use super::given::encoded;
use super::images::finish;
use super::layout::{BEGIN, CALL, INSTANTIATED, MOST_VALUES, RETURNED, SCRATCH_AT, START, VALUE};
use super::plan::Plan;
use super::send::Out;
use super::values::{constant, store};
use crate::instrument::START_EXPORT;
use crate::instrument::error::{InstrumentError, limit};
use crate::values::WasmValue;
use wasm_encoder::{Function, InstructionSink, ValType};
use wasmparser::ExternalKind;

/// Adds it.
pub(super) fn define(
    build: &mut Build,
    out: &Out,
    plan: &Plan,
    images: Added,
    first_limit: u32,
) -> Result<Added, InstrumentError> {
    let mut calls = Vec::new();
    if plan.has_start {
        calls.push(one_call(build, out, START, START_EXPORT, &[])?);
    }
    for (number, call) in plan.calls.iter().enumerate() {
        calls.push(one_call(build, out, number as u32, &call.function, &call.arguments)?);
    }
    let entry = build.declare(&[], &[]);
    let mut body = Function::new([]);
    let mut code = body.instructions();
    out.set_limit(first_limit, &mut code);
    send(build, out, &mut code, BEGIN, 0);
    code.call(build.index(images));
    send(build, out, &mut code, INSTANTIATED, 0);
    if plan.shows_state {
        code.call(build.index(out.state));
    }
    for call in calls {
        code.call(build.index(call));
    }
    finish(build, out, images, &mut code);
    code.end();
    build.define(entry, body);
    Ok(entry)
}

/// Sends a frame from the scratch place.
pub(super) fn send(build: &Build, out: &Out, code: &mut InstructionSink<'_>, kind: u32, length: u32) {
    code.i32_const(kind as i32).i32_const(SCRATCH_AT as i32).i32_const(length as i32).call(build.index(out.send));
}

/// A function that makes a call and reports it.
fn one_call(
    build: &mut Build,
    out: &Out,
    number: u32,
    export: &str,
    arguments: &[WasmValue],
) -> Result<Added, InstrumentError> {
    let missing =
        || InstrumentError::Standalone { why: format!("no function is exported as `{}`", export.escape_debug()) };
    let function = build.given.export(export, ExternalKind::Func).ok_or_else(missing)?;
    let ty = build.given.signature(function).ok_or_else(missing)?;
    let types = |types: &[wasmparser::ValType]| -> Result<Vec<ValType>, InstrumentError> {
        types.iter().map(|ty| encoded(*ty)).collect()
    };
    let (parameters, results) = (types(ty.params())?, types(ty.results())?);
    if parameters.len() != arguments.len() {
        return Err(missing());
    }
    called(build, out, number, build.moved(function), (parameters, results), arguments)
}

/// The same for a function by its index in the finished module.
pub(super) fn called(
    build: &mut Build,
    out: &Out,
    number: u32,
    function: u32,
    (parameters, results): Signature,
    arguments: &[WasmValue],
) -> Result<Added, InstrumentError> {
    if parameters.len() != arguments.len() {
        return Err(InstrumentError::Standalone {
            why: "a call has more or fewer arguments than its function".to_string(),
        });
    }
    limit("results", results.len() as u64, u64::from(MOST_VALUES))?;
    let mut body = Function::new(results.iter().map(|ty| (1, *ty)));
    let mut code = body.instructions();
    code.i32_const(SCRATCH_AT as i32).i32_const(number as i32).i32_store(out.at(0));
    send(build, out, &mut code, CALL, 4);
    for (argument, ty) in arguments.iter().zip(&parameters) {
        constant(argument, *ty, &mut body)?;
    }
    let mut code = body.instructions();
    code.call(function);
    for result in (0..results.len() as u32).rev() {
        code.local_set(result);
    }
    code.call(build.index(out.flush));
    for (result, ty) in (0..).zip(&results) {
        code.i32_const((SCRATCH_AT + VALUE * result) as i32).local_get(result);
        store(*ty, out.at(0), &mut code);
    }
    send(build, out, &mut code, RETURNED, VALUE * results.len() as u32);
    code.end();
    let call = build.declare(&[], &[]);
    build.define(call, body);
    Ok(call)
}
