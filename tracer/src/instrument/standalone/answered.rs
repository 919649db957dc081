//! Host calls of a module that has no second memory: answers as code, in functions of a few calls each.

use super::answer::{Asked, State, push_words};
use super::build::{Added, Build};
use super::code::zero;
use super::images::Shown;
use super::log::{Entry, Step};
use super::query::{EXIT, HOST, What};
use super::values::constant;
use crate::instrument::error::{InstrumentError, limit};
use wasm_encoder::{BlockType, Function, ValType};

/// Calls whose answers are in one function.
const GROUP: usize = 256;
/// Most calls: of so many groups one function chooses.
const MOST_CALLS: u64 = 1 << 20;
/// Most bytes that all answers write together: as code they take twice as many.
const MOST_BYTES: u64 = 64 << 20;

/// Gives every imported function of the original a body.
pub(super) fn define(
    build: &mut Build,
    state: &State,
    asked: &Asked,
    hook: Option<u32>,
) -> Result<(), InstrumentError> {
    let functions: Vec<u32> = (0..build.given.imported.len() as u32).filter(|f| Some(*f) != hook).collect();
    if functions.is_empty() {
        return Ok(());
    }
    let calls = &asked.answers.calls;
    limit("host calls that are answered by code", calls.len() as u64, MOST_CALLS)?;
    let bytes = calls.iter().flat_map(|call| &call.steps).map(|step| match step {
        Step::Write { bytes, .. } => bytes.len() as u64,
        Step::Grow { .. } => 0,
    });
    limit("bytes that a host writes by code", bytes.sum(), MOST_BYTES)?;
    let next = build.global(super::build::Value::I32(0));
    let memories: Vec<Shown> =
        build.given.memories.iter().enumerate().map(|(number, memory)| Shown::of(number as u32, memory)).collect();
    for function in functions {
        let added = build.import(function);
        let (parameters, results) = build.signature(added);
        let give = match asked.answers.fixed.get(&function) {
            Some(entry) => {
                let give = build.declare(&[], &results);
                let mut body = Function::new([]);
                answer(build, state, &memories, entry, &results, &mut body)?;
                body.instructions().end();
                build.define(give, body);
                give
            }
            None => by_number(build, state, &memories, calls, function, next, &results)?,
        };
        let mut body = Function::new([]);
        let mut code = body.instructions();
        code.i64_const(0).global_set(state.words[0]);
        code.i64_const(i64::from(function)).global_set(state.words[1]);
        code.i64_const(0).global_set(state.words[2]).i64_const(0).global_set(state.words[3]);
        state.fold(build, &mut code, |code| {
            code.i64_const((HOST | u64::from(function)) as i64);
        });
        for (number, ty) in (0..).zip(&parameters) {
            let mut place = 2 * number;
            push_words(&mut code, number, *ty, |code, push| {
                state.fold(build, code, |code| push(code));
                if asked.query.what == What::Argument(place) {
                    push(code);
                    code.global_set(state.kept);
                }
                place += 1;
            });
        }
        state.count(&mut code, &asked.query);
        code.global_get(state.done).if_(BlockType::Empty);
        results.iter().for_each(|ty| zero(*ty, &mut body));
        let mut code = body.instructions();
        code.return_().end().call(build.index(give));
        code.global_get(next).i32_const(1).i32_add().global_set(next).end();
        build.define(added, body);
    }
    Ok(())
}

/// A function that gives the answer to the next call of the log, if that is one of `function`; otherwise the run ends.
fn by_number(
    build: &mut Build,
    state: &State,
    memories: &[Shown],
    calls: &[Entry],
    function: u32,
    next: u32,
    results: &[ValType],
) -> Result<Added, InstrumentError> {
    let mut groups = Vec::new();
    for (number, group) in calls.chunks(GROUP).enumerate() {
        if !group.iter().any(|call| call.function == function) {
            groups.push(None);
            continue;
        }
        let first = number * GROUP;
        let mut cases = Vec::new();
        for call in group {
            let mut case = Function::new([]);
            match call.function == function {
                true => answer(build, state, memories, call, results, &mut case)?,
                false => lost(state, results, &mut case),
            }
            cases.push(case.into_raw_body());
        }
        groups.push(Some(choose(build, state, next, first as i32, cases, results)));
    }
    let cases = groups.iter().map(|group| {
        let mut case = Function::new([]);
        match group {
            Some(group) => {
                case.instructions().call(build.index(*group));
            }
            None => lost(state, results, &mut case),
        }
        case.into_raw_body()
    });
    let cases = cases.collect();
    let all = build.declare(&[], results);
    let body = switch(state, cases, results, |code| {
        code.global_get(next).i32_const(GROUP.trailing_zeros() as i32).i32_shr_u();
    });
    build.define(all, body);
    Ok(all)
}

/// Adds a function that goes on with one of several pieces of code, by the number of the call.
fn choose(
    build: &mut Build,
    state: &State,
    next: u32,
    first: i32,
    cases: Vec<Vec<u8>>,
    results: &[ValType],
) -> Added {
    let function = build.declare(&[], results);
    let body = switch(state, cases, results, |code| {
        code.global_get(next).i32_const(first).i32_sub();
    });
    build.define(function, body);
    function
}

/// A function of pieces of code, of which the one with the number that `push` pushes runs and returns.
fn switch(
    state: &State,
    cases: Vec<Vec<u8>>,
    results: &[ValType],
    push: impl FnOnce(&mut wasm_encoder::InstructionSink<'_>),
) -> Function {
    let mut body = Function::new([]);
    let count = cases.len() as u32;
    let mut code = body.instructions();
    for _ in 0..=count {
        code.block(BlockType::Empty);
    }
    push(&mut code);
    code.br_table((0..count).collect::<Vec<u32>>(), count);
    code.end();
    for case in cases {
        // A body begins with its locals, of which there are none.
        body.raw(case.into_iter().skip(1));
        body.instructions().return_().end();
    }
    lost(state, results, &mut body);
    body.instructions().end();
    body
}

/// The run ends: the guest makes another call than the log has.
fn lost(state: &State, results: &[ValType], body: &mut Function) {
    body.instructions().i32_const(1).global_set(state.done);
    results.iter().for_each(|ty| zero(*ty, body));
}

/// What the host does, and its results.
fn answer(
    build: &Build,
    state: &State,
    memories: &[Shown],
    entry: &Entry,
    results: &[ValType],
    body: &mut Function,
) -> Result<(), InstrumentError> {
    let mut code = body.instructions();
    for step in &entry.steps {
        let (Step::Write { memory, .. } | Step::Grow { memory, .. }) = step;
        let Some(memory) = memories.iter().find(|shown| shown.number == *memory) else { continue };
        match step {
            Step::Grow { delta, .. } => {
                code.i64_const(*delta as i64);
                memory.address(&mut code);
                code.memory_grow(memory.number).drop();
            }
            Step::Write { address, bytes, .. } => {
                let place = |code: &mut wasm_encoder::InstructionSink<'_>, at: u64| match memory.wide {
                    true => {
                        code.i64_const(at as i64);
                    }
                    false => {
                        code.i32_const(at as i32);
                    }
                };
                let (words, rest) = bytes.as_chunks::<8>();
                let mut at = *address;
                for word in words {
                    place(&mut code, at);
                    code.i64_const(i64::from_le_bytes(*word)).i64_store(memory.at(0));
                    at = at.wrapping_add(8);
                }
                for byte in rest {
                    place(&mut code, at);
                    code.i32_const(i32::from(*byte)).i32_store8(memory.at(0));
                    at = at.wrapping_add(1);
                }
            }
        }
    }
    if entry.ends {
        state.fold(build, &mut code, |code| {
            code.i64_const(EXIT as i64);
        });
        lost(state, results, body);
        return Ok(());
    }
    if entry.results.len() != results.len() {
        return Err(InstrumentError::Standalone {
            why: "the host log has other results than a function".to_string(),
        });
    }
    entry.results.iter().zip(results).try_for_each(|(value, ty)| constant(value, *ty, body))
}
