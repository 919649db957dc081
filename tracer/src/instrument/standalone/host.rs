//! Host calls, answered inside of the module: from an encoded host log in the buffer memory ([`log`](super::log)).

use super::build::{Added, Build, Value};
use super::images::{Shown, copy_out, shown};
use super::layout::{HOST_CALL, LOG_AT, MOST, READ, RECORDS_AT, SCRATCH_AT, SERVED, VALUE};
use super::log::{ANY, ENTRY, GROW};
use super::plan::{Plan, Stop};
use super::send::Out;
use super::values::{load, store};
use crate::instrument::error::InstrumentError;
use wasm_encoder::{BlockType, Function, InstructionSink, ValType};

/// The functions that a call needs.
struct Serving {
    memories: Vec<Shown>,
    reads: Vec<Added>,
    writes: Vec<Added>,
    /// Where the next entry is, and how many calls there were.
    next: u32,
    calls: u32,
}

/// Gives every imported function of the original a body. `hook` is what takes the place of the hook.
pub(super) fn define(build: &mut Build, out: &Out, plan: &Plan, hook: Option<u32>) -> Result<(), InstrumentError> {
    let functions: Vec<u32> = (0..build.given.imported.len() as u32).filter(|f| Some(*f) != hook).collect();
    if functions.is_empty() {
        return Ok(());
    }
    let answers = plan.answers.encoded();
    build.place(out.buffer, LOG_AT, answers.log);
    let memories = shown(build, plan);
    let (next, calls) = (build.global(Value::I32(LOG_AT as i32)), build.global(Value::I32(0)));
    let mut serving = Serving { memories: memories.clone(), reads: Vec::new(), writes: Vec::new(), next, calls };
    for memory in memories {
        let read = build.declare(&[ValType::I64, ValType::I64], &[]);
        let body = read_body(build, out, memory);
        build.define(read, body);
        serving.reads.push(read);
        let write = build.declare(&[ValType::I64, ValType::I32, ValType::I64], &[]);
        let body = write_body(build, out, memory);
        build.define(write, body);
        serving.writes.push(write);
    }
    let serve = build.declare(&[ValType::I32, ValType::I32], &[ValType::I32]);
    let body = serve_body(build, out, plan, &serving);
    build.define(serve, body);
    for function in functions {
        let added = build.import(function);
        let (parameters, results) = build.signature(added);
        let mut body = Function::new([(1, ValType::I32)]);
        let at = parameters.len() as u32;
        let mut code = body.instructions();
        if let Some(fixed) = answers.fixed.get(&function) {
            code.i32_const((LOG_AT + fixed) as i32).global_set(next);
        }
        for (number, ty) in (0..).zip(&parameters) {
            code.i32_const((SCRATCH_AT + 8 + VALUE * number) as i32).local_get(number);
            store(*ty, out.at(0), &mut code);
        }
        code.i32_const(function as i32).i32_const((VALUE * at) as i32).call(build.index(serve)).local_set(at);
        for (number, ty) in (0..).zip(&results) {
            code.local_get(at).i32_const((VALUE * number) as i32).i32_add();
            load(*ty, out.at(0), &mut code);
        }
        code.end();
        build.define(added, body);
    }
    Ok(())
}

/// Sends what a call reads: `read(address, length)`, as far as memory has it.
fn read_body(build: &Build, out: &Out, memory: Shown) -> Function {
    let [at, length, end, size, used] = [0, 1, 2, 3, 4];
    let mut body = Function::new([(2, ValType::I64), (1, ValType::I32)]);
    let mut code = body.instructions();
    memory.bytes(&mut code);
    code.local_set(size);
    code.local_get(at).local_get(size).i64_gt_u().if_(BlockType::Empty).local_get(size).local_set(at).end();
    code.local_get(length).local_get(size).local_get(at).i64_sub().i64_gt_u().if_(BlockType::Empty);
    code.local_get(size).local_get(at).i64_sub().local_set(length).end();
    // In pieces that fit.
    code.loop_(BlockType::Empty);
    code.local_get(length).i64_eqz().if_(BlockType::Empty).return_().end();
    code.local_get(length).i64_const(i64::from(MOST - 64)).i64_gt_u().if_(BlockType::Result(ValType::I64));
    code.i64_const(i64::from(MOST - 64)).else_().local_get(length).end();
    code.local_get(at).i64_add().local_set(end);
    code.local_get(length).local_get(end).local_get(at).i64_sub().i64_sub().local_set(length);
    code.i32_const(RECORDS_AT as i32).i64_const(i64::from(memory.number)).i64_store(out.at(0));
    code.i32_const(RECORDS_AT as i32).local_get(at).i64_store(out.at(8));
    code.i32_const((RECORDS_AT + 16) as i32).local_set(used);
    copy_out(&mut code, out, memory, [at, end, used]);
    code.i32_const(READ as i32).i32_const(RECORDS_AT as i32);
    code.local_get(used).i32_const(RECORDS_AT as i32).i32_sub().call(build.index(out.send));
    code.br(0).end().end();
    body
}

/// Writes what a host wrote: `write(address, from, length)`. What does not fit ends the run.
fn write_body(build: &Build, out: &Out, memory: Shown) -> Function {
    let [at, from, length, size] = [0, 1, 2, 3];
    let mut body = Function::new([(1, ValType::I64)]);
    let mut code = body.instructions();
    memory.bytes(&mut code);
    code.local_tee(size).local_get(at).i64_lt_u();
    code.local_get(size).local_get(at).i64_sub().local_get(length).i64_lt_u().i32_or();
    code.if_(BlockType::Empty).call(build.index(out.give_up)).end();
    for (step, word) in [(8, true), (1, false)] {
        code.block(BlockType::Empty).loop_(BlockType::Empty);
        code.local_get(length).i64_const(step).i64_lt_u().br_if(1);
        code.local_get(at);
        memory.address(&mut code);
        code.local_get(from);
        match word {
            true => code.i64_load(out.at(0)).i64_store(memory.at(0)),
            false => code.i32_load8_u(out.at(0)).i32_store8(memory.at(0)),
        };
        code.local_get(at).i64_const(step).i64_add().local_set(at);
        code.local_get(from).i32_const(step as i32).i32_add().local_set(from);
        code.local_get(length).i64_const(step).i64_sub().local_set(length);
        code.br(0).end().end();
    }
    code.end();
    body
}

/// Answers a call: `serve(function, length of the arguments)`, which lie in the scratch place. Gives the address of the
/// results.
fn serve_body(build: &Build, out: &Out, plan: &Plan, serving: &Serving) -> Function {
    let [function, length, entry, at, count] = [0, 1, 2, 3, 4];
    let mut body = Function::new([(3, ValType::I32)]);
    let mut code = body.instructions();
    let give_up = |code: &mut InstructionSink<'_>| {
        code.if_(BlockType::Empty).call(build.index(out.give_up)).end();
    };
    let stops = |code: &mut InstructionSink<'_>, number: u32| {
        code.global_get(serving.calls).i32_const(number as i32).i32_eq();
        give_up(code);
    };
    let number = |code: &mut InstructionSink<'_>, index: u32| {
        code.local_get(entry).i32_load(out.at(4 * index));
    };
    code.call(build.index(out.flush));
    code.i32_const(SCRATCH_AT as i32).local_get(function).i32_store(out.at(0));
    code.i32_const(SCRATCH_AT as i32).local_get(length).i32_store(out.at(4));
    code.i32_const(HOST_CALL as i32).i32_const(SCRATCH_AT as i32).local_get(length).i32_const(8).i32_add();
    code.call(build.index(out.send));
    if let Stop::Before(call) = plan.stop {
        stops(&mut code, call);
    }
    // Another call than the log has is one without an answer.
    code.global_get(serving.next).local_set(entry);
    number(&mut code, 0);
    code.i32_eqz();
    number(&mut code, 1);
    code.local_get(function).i32_ne().i32_or();
    give_up(&mut code);
    number(&mut code, 2);
    code.i32_const(ANY as i32).i32_ne().if_(BlockType::Empty);
    number(&mut code, 2);
    code.local_get(length).i32_ne();
    give_up(&mut code);
    code.i32_const(0).local_set(at);
    code.block(BlockType::Empty).loop_(BlockType::Empty);
    code.local_get(at).local_get(length).i32_ge_u().br_if(1);
    code.local_get(entry).local_get(at).i32_add().i64_load(out.at(ENTRY));
    code.local_get(at).i32_const((SCRATCH_AT + 8) as i32).i32_add().i64_load(out.at(0)).i64_ne();
    give_up(&mut code);
    code.local_get(at).i32_const(8).i32_add().local_set(at).br(0).end().end().end();

    // What it reads.
    code.local_get(entry);
    number(&mut code, 3);
    code.i32_add().local_set(at);
    number(&mut code, 4);
    code.local_set(count);
    code.block(BlockType::Empty).loop_(BlockType::Empty).local_get(count).i32_eqz().br_if(1);
    for (memory, read) in serving.memories.iter().zip(&serving.reads) {
        code.local_get(at).i32_load(out.at(0)).i32_const(memory.number as i32).i32_eq().if_(BlockType::Empty);
        code.local_get(at).i64_load(out.at(8)).local_get(at).i64_load32_u(out.at(4)).call(build.index(*read)).end();
    }
    code.local_get(at).i32_const(16).i32_add().local_set(at);
    code.local_get(count).i32_const(1).i32_sub().local_set(count).br(0).end().end();

    // What it does.
    number(&mut code, 6);
    code.local_set(count);
    code.block(BlockType::Empty).loop_(BlockType::Empty).local_get(count).i32_eqz().br_if(1);
    for (memory, write) in serving.memories.iter().zip(&serving.writes) {
        code.local_get(at).i32_load(out.at(4)).i32_const(memory.number as i32).i32_eq().if_(BlockType::Empty);
        code.local_get(at).i32_load(out.at(0)).i32_const(GROW as i32).i32_eq().if_(BlockType::Empty);
        code.local_get(at).i64_load(out.at(8));
        memory.address(&mut code);
        code.memory_grow(memory.number);
        if memory.wide {
            code.i64_const(-1).i64_eq();
        } else {
            code.i32_const(-1).i32_eq();
        }
        give_up(&mut code);
        code.else_();
        code.local_get(at).i64_load(out.at(8)).local_get(at).i32_const(24).i32_add();
        code.local_get(at).i64_load(out.at(16)).call(build.index(*write)).end().end();
    }
    code.local_get(at).local_get(at).i32_load(out.at(16)).i32_const(31).i32_add().i32_const(-8).i32_and().i32_add();
    code.local_set(at);
    code.local_get(count).i32_const(1).i32_sub().local_set(count).br(0).end().end();

    code.i32_const(SERVED as i32).i32_const(SCRATCH_AT as i32).i32_const(0).call(build.index(out.send));
    number(&mut code, 5);
    give_up(&mut code);
    code.local_get(entry);
    number(&mut code, 0);
    code.i32_add().global_set(serving.next);
    if let Stop::After(call) = plan.stop {
        stops(&mut code, call);
    }
    code.global_get(serving.calls).i32_const(1).i32_add().global_set(serving.calls);
    code.local_get(entry);
    number(&mut code, 7);
    code.i32_add().end();
    body
}
