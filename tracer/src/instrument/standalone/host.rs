//! Host calls, answered inside of the module: from an encoded host log in the buffer memory.
//!
//! An entry of it is eight numbers of 32 bits: its size, the imported function, the length of its arguments
//! ([`ANY`] where they do not matter), where the reads are, how many, whether the call ends the run, how many steps there
//! are, and where the results are. Then come the arguments (16 bytes each), the reads (memory and length: u32, address
//! u64), the steps (kind and memory: u32, address or pages u64, length u64, bytes), and the results. Places count from the
//! entry's first byte. A size of 0 ends the log.

use super::build::{Added, Build, Value};
use super::images::{Shown, copy_out, shown};
use super::layout::{HOST_CALL, LOG_AT, MOST, READ, RECORDS_AT, SCRATCH_AT, SERVED, VALUE};
use super::plan::{Plan, Stop};
use super::send::Out;
use super::values::{bytes, load, store};
use crate::instrument::error::{InstrumentError, limit};
use crate::values::WasmValue;
use forkpoint_traces::{HostCall, HostEvent, HostOutcome};
use std::collections::BTreeMap;
use wasm_encoder::{BlockType, Function, InstructionSink, ValType};

/// Bytes of an entry's numbers.
const ENTRY: u32 = 32;
/// The length of arguments that do not matter.
const ANY: u32 = u32::MAX;
/// Most bytes of a host log: what fits into a memory, with room for the rest.
const MOST_LOG: u64 = 1 << 30;
/// A step that writes, and one that grows a memory.
const WRITE: u32 = 0;
const GROW: u32 = 1;

/// What answers host calls.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// The calls of a host log, in order.
    pub(super) calls: Vec<Entry>,
    /// The answer to every call of a function, where it is always the same.
    pub(super) fixed: BTreeMap<u32, Entry>,
    size: u64,
}

/// A call and its answer.
#[derive(Debug, Default)]
pub(super) struct Entry {
    pub(super) function: u32,
    arguments: Option<Vec<u8>>,
    reads: Vec<(u32, u64, u64)>,
    pub(super) steps: Vec<Step>,
    /// Whether it ends the run.
    pub(super) ends: bool,
    /// With which exit code.
    exit: Option<i32>,
    pub(super) results: Vec<WasmValue>,
}

/// What a host does to memory.
#[derive(Debug)]
pub(super) enum Step {
    Write { memory: u32, address: u64, bytes: Vec<u8> },
    Grow { memory: u32, delta: u64 },
}

/// An encoded host log, and where the answers are that are always the same.
struct Encoded {
    log: Vec<u8>,
    fixed: BTreeMap<u32, u32>,
}

fn values(values: &[WasmValue]) -> Vec<u8> {
    values.iter().flat_map(bytes).collect()
}

impl Answers {
    /// Encodes the calls of a host log.
    ///
    /// # Errors
    /// When it cannot be read, or is larger than a module can hold.
    pub(crate) fn logged<E: From<InstrumentError>>(
        mut next: impl FnMut() -> Result<Option<HostEvent>, E>,
    ) -> Result<Answers, E> {
        let mut answers = Answers::default();
        let mut entry = Entry::default();
        while let Some(event) = next()? {
            match event {
                HostEvent::Call(HostCall { function, arguments, reads, .. }) => {
                    let read = |read: &forkpoint_traces::HostRead| (read.memory.0, read.address, read.length);
                    let reads = reads.iter().map(read).collect();
                    entry = Entry {
                        function: function.0,
                        arguments: Some(values(&arguments)),
                        reads,
                        ..Entry::default()
                    };
                }
                HostEvent::Write { memory, address, bytes } => {
                    answers.size += bytes.len() as u64;
                    entry.steps.push(Step::Write { memory: memory.0, address, bytes });
                }
                HostEvent::Grow { memory, delta, .. } => entry.steps.push(Step::Grow { memory: memory.0, delta }),
                HostEvent::Return { outcome, .. } => {
                    answers.calls.push(Entry::ending(std::mem::take(&mut entry), &outcome));
                    answers.size += 128;
                    limit("bytes of host log", answers.size, MOST_LOG)?;
                }
            }
        }
        Ok(answers)
    }

    /// Answers that are always the same, by function.
    pub(crate) fn fixed<'a>(outcomes: impl Iterator<Item = (u32, &'a HostOutcome)>) -> Answers {
        let mut answers = Answers::default();
        for (function, outcome) in outcomes {
            let entry = Entry { function, ..Entry::default() };
            answers.fixed.insert(function, Entry::ending(entry, outcome));
        }
        answers
    }

    /// The exit code with which a host call ends the run, if the last one does.
    pub(crate) fn exit(&self) -> Option<i32> {
        let fixed = || self.fixed.values().find_map(|entry| entry.exit);
        self.calls.last().and_then(|entry| entry.exit).or_else(fixed)
    }

    fn encoded(&self) -> Encoded {
        let mut encoded = Encoded { log: Vec::new(), fixed: BTreeMap::new() };
        self.calls.iter().for_each(|entry| encoded.push(entry));
        // What is always the same is jumped to, and follows the end of what is not.
        encoded.log.extend([0; 8]);
        for (function, entry) in &self.fixed {
            encoded.fixed.insert(*function, encoded.log.len() as u32);
            encoded.push(entry);
        }
        encoded.log.extend([0; 8]);
        encoded
    }

    /// Pages of the buffer memory that hold it.
    pub(super) fn pages(&self) -> u64 {
        (self.encoded().log.len() as u64).div_ceil(1 << 16)
    }
}

impl Encoded {
    fn push(&mut self, entry: &Entry) {
        let arguments = entry.arguments.as_deref().unwrap_or_default();
        let mut body = arguments.to_vec();
        for (memory, address, length) in &entry.reads {
            body.extend_from_slice(&memory.to_le_bytes());
            body.extend_from_slice(&u32::try_from(*length).unwrap_or(u32::MAX).to_le_bytes());
            body.extend_from_slice(&address.to_le_bytes());
        }
        for step in &entry.steps {
            let (kind, memory, at, bytes) = match step {
                Step::Write { memory, address, bytes } => (WRITE, memory, address, bytes.as_slice()),
                Step::Grow { memory, delta } => (GROW, memory, delta, &[][..]),
            };
            body.extend_from_slice(&kind.to_le_bytes());
            body.extend_from_slice(&memory.to_le_bytes());
            body.extend_from_slice(&at.to_le_bytes());
            body.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
            body.extend_from_slice(bytes);
            body.resize(body.len().next_multiple_of(8), 0);
        }
        let results = ENTRY + body.len() as u32;
        body.extend(values(&entry.results));
        let length = entry.arguments.as_ref().map_or(ANY, |arguments| arguments.len() as u32);
        let numbers = [
            ENTRY + body.len() as u32,
            entry.function,
            length,
            ENTRY + arguments.len() as u32,
            entry.reads.len() as u32,
            u32::from(entry.ends),
            entry.steps.len() as u32,
            results,
        ];
        numbers.iter().for_each(|number| self.log.extend_from_slice(&number.to_le_bytes()));
        self.log.extend_from_slice(&body);
    }
}

impl Entry {
    fn ending(self, outcome: &HostOutcome) -> Entry {
        match outcome {
            HostOutcome::Returned(results) => Entry { results: results.clone(), ..self },
            HostOutcome::Trapped(_) => Entry { ends: true, ..self },
            HostOutcome::Exited(code) => Entry { ends: true, exit: Some(*code), ..self },
        }
    }
}

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
