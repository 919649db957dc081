//! Makes a module that gives one answer a run: no second memory, no import, and no instruction that the given module may
//! not have.
//!
//! Events and host calls are counted, and digested, in globals. At the one that is asked for, every function returns at
//! once, so that a run that would trap later answers, too; the function that the engine runs returns the answer.

use super::answered;
use super::build::{Added, Build, Value};
use super::code::{Between, Hooks};
use super::given::{Given, encoded, is_hook};
use super::images::Shown;
use super::layout::{FACTOR_BITS, TURN};
use super::log::Answers;
use super::query::{Form, Query, RETURN, What};
use super::values;
use super::values::constant;
use crate::instrument::START_EXPORT;
use crate::instrument::error::InstrumentError;
use crate::job::Run;
use crate::values::WasmValue;
use std::collections::BTreeMap;
use wasm_encoder::{BlockType, ExportKind, Function, InstructionSink, ValType};
use wasmparser::ExternalKind;

/// What a run is asked, and of what.
pub(crate) struct Asked<'a> {
    pub(crate) run: &'a Run,
    pub(crate) answers: &'a Answers,
    /// For each site, the bits of operands that count.
    pub(crate) masks: &'a [[u64; 3]],
    /// Names under which the engine may look for what it runs.
    pub(crate) entries: &'a [&'a str],
    pub(crate) query: Query,
}

/// Globals that the code refers to.
#[derive(Debug, Clone, Copy)]
pub(super) struct State {
    pub(super) digest: u32,
    pub(super) count: u32,
    /// Not 0 once the run is to end.
    pub(super) done: u32,
    /// How many calls have returned.
    returns: u32,
    /// What was asked for, if it had to be kept.
    pub(super) kept: u32,
    /// The words of the last event.
    pub(super) words: [u32; 4],
    /// `fold(sum, word)`.
    fold: Added,
}

impl State {
    fn declare(build: &mut Build) -> State {
        let mut long = || build.global(Value::I64(0));
        let [digest, count, kept] = [long(), long(), long()];
        let words = [long(), long(), long(), long()];
        let (done, returns) = (build.global(Value::I32(0)), build.global(Value::I32(0)));
        let fold = build.declare(&[ValType::I64, ValType::I64], &[ValType::I64]);
        let mut body = Function::new([]);
        let mut code = body.instructions();
        code.local_get(0).local_get(1).i64_xor().i64_const(i64::from(TURN)).i64_rotl();
        code.i64_const(FACTOR_BITS).i64_mul().end();
        build.define(fold, body);
        State { digest, count, done, returns, kept, words, fold }
    }

    /// Folds the word that `push` pushes into the digest.
    pub(super) fn fold(
        &self,
        build: &Build,
        code: &mut InstructionSink<'_>,
        push: impl FnOnce(&mut InstructionSink<'_>),
    ) {
        code.global_get(self.digest);
        push(code);
        code.call(build.index(self.fold)).global_set(self.digest);
    }

    /// One event or host call more; at the one that is asked for the run ends.
    pub(super) fn count(&self, code: &mut InstructionSink<'_>, query: &Query) {
        code.global_get(self.count).i64_const(1).i64_add().global_set(self.count);
        code.global_get(self.count).i64_const(query.at as i64).i64_eq();
        code.if_(BlockType::Empty).i32_const(1).global_set(self.done).end();
    }
}

/// Pushes both words of a value in a local, one at a time, for `each`.
pub(super) fn push_words(
    code: &mut InstructionSink<'_>,
    local: u32,
    ty: ValType,
    mut each: impl FnMut(&mut InstructionSink<'_>, &dyn Fn(&mut InstructionSink<'_>)),
) {
    for half in 0..2u8 {
        each(code, &move |code: &mut InstructionSink<'_>| {
            match (ty, half) {
                (ValType::V128, half) => code.local_get(local).i64x2_extract_lane(half),
                (_, 1) => code.i64_const(0),
                (ValType::I32, _) => code.local_get(local).i64_extend_i32_u(),
                (ValType::I64, _) => code.local_get(local),
                (ValType::F32, _) => code.local_get(local).i32_reinterpret_f32().i64_extend_i32_u(),
                (ValType::F64, _) => code.local_get(local).i64_reinterpret_f64(),
                (ValType::Ref(_), _) => code.local_get(local).ref_is_null().i64_extend_i32_u(),
            };
        });
    }
}

/// Makes the module.
///
/// # Errors
/// When the module imports what cannot be answered inside, or grows beyond what engines accept.
pub(crate) fn answering(module: &[u8], asked: &Asked) -> Result<Vec<u8>, InstrumentError> {
    let given = Given::read(module)?;
    let hook = given.imported.iter().position(is_hook).map(|hook| hook as u32);
    let mut build = Build::new(given, Vec::new())?;
    let state = State::declare(&mut build);
    let mut between = Between { leave: Some(state.done), ..Between::default() };
    if let Some(hook) = hook {
        between.hook = Some(hooks(&mut build, &state, asked, hook));
    }
    answered::define(&mut build, &state, asked, hook)?;
    let entry = entry(&mut build, &state, asked)?;
    let index = build.index(entry);
    for name in asked.entries {
        build.export(name, ExportKind::Func, index);
    }
    if !build.given.memories.is_empty() {
        // Some engines want it.
        build.export("memory", ExportKind::Memory, 0);
    }
    build.finish(&between)
}

/// The functions in place of the hook: one for each set of bits that count.
fn hooks(build: &mut Build, state: &State, asked: &Asked, hook: u32) -> Hooks {
    let parameters = [ValType::I32, ValType::I64, ValType::I64, ValType::I64];
    let others = build.import(hook);
    let mut body = Function::new([]);
    body.instructions().end();
    build.define(others, body);
    let mut known: BTreeMap<[u64; 3], Added> = BTreeMap::new();
    let mut sites = Vec::with_capacity(asked.masks.len());
    for masks in asked.masks {
        let function = match known.get(masks) {
            Some(function) => *function,
            None => {
                let function = build.declare(&parameters, &[]);
                let body = event(build, state, &asked.query, *masks);
                build.define(function, body);
                known.insert(*masks, function);
                function
            }
        };
        sites.push(build.index(function));
    }
    Hooks { hook, sites, others: build.index(others) }
}

fn event(build: &Build, state: &State, query: &Query, masks: [u64; 3]) -> Function {
    let mut body = Function::new([]);
    let mut code = body.instructions();
    code.local_get(0).i64_extend_i32_u().global_set(state.words[0]);
    for (operand, mask) in (1..).zip(masks) {
        code.local_get(operand);
        if mask != u64::MAX {
            code.i64_const(mask as i64).i64_and();
        }
        code.global_set(state.words[operand as usize]);
    }
    for word in state.words {
        state.fold(build, &mut code, |code| {
            code.global_get(word);
        });
    }
    state.count(&mut code, query);
    code.end();
    body
}

/// The function that the engine runs.
fn entry(build: &mut Build, state: &State, asked: &Asked) -> Result<Added, InstrumentError> {
    let mut calls = Vec::new();
    let Query { at, what, form } = asked.query;
    if at > 0 {
        if asked.run.has_start {
            calls.push(one_call(build, state, what, calls.len() as u32, START_EXPORT, &[])?);
        }
        for call in &asked.run.calls {
            calls.push(one_call(build, state, what, calls.len() as u32, &call.function, &call.arguments)?);
        }
    }
    let word = word(build, state, asked)?;
    let results: &[ValType] = match form {
        Form::Long { .. } => &[ValType::I64],
        Form::Short { .. } | Form::Status { .. } => &[ValType::I32],
        Form::Trap { .. } => &[],
    };
    let entry = build.declare(&[], results);
    let mut body = Function::new([(2, ValType::I64)]);
    let mut code = body.instructions();
    code.block(BlockType::Empty);
    for call in calls {
        code.call(build.index(call)).global_get(state.done).br_if(0);
    }
    code.end();
    let [payload, sum] = [0, 1];
    code.call(build.index(word));
    let mut checked = |part: u32, bits: i64, nonce: u64, shift: i64| {
        code.i64_const(bits * i64::from(part)).i64_shr_u().i64_const((1 << bits) - 1).i64_and().local_set(payload);
        code.i64_const(nonce as i64).local_get(payload).call(build.index(state.fold));
        code.i64_const(shift).i64_shr_u().i64_const((1 << bits) - 1).i64_and().local_set(sum);
        code.local_get(sum).i64_const(bits).i64_shl().local_get(payload).i64_or();
    };
    match form {
        Form::Long { part, nonce } => checked(part, 32, nonce, 32),
        Form::Short { part, nonce } => {
            checked(part, 16, nonce, 32);
            code.i32_wrap_i64();
        }
        Form::Status { part } => {
            code.i64_const(6 * i64::from(part)).i64_shr_u().i64_const(63).i64_and().i64_const(64).i64_or();
            code.i32_wrap_i64();
        }
        Form::Trap { shift, mask, expected } => {
            code.i64_const(i64::from(shift)).i64_shr_u().i64_const(mask as i64).i64_and();
            code.i64_const(expected as i64).i64_ne().if_(BlockType::Empty).unreachable().end();
        }
    }
    code.end();
    build.define(entry, body);
    Ok(entry)
}

/// A function that makes a call, and counts and digests its return.
fn one_call(
    build: &mut Build,
    state: &State,
    what: What,
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
    let mut body = Function::new(results.iter().map(|ty| (1, *ty)));
    for (argument, ty) in arguments.iter().zip(&parameters) {
        constant(argument, *ty, &mut body)?;
    }
    let mut code = body.instructions();
    code.call(build.moved(function));
    for result in (0..results.len() as u32).rev() {
        code.local_set(result);
    }
    code.global_get(state.done).if_(BlockType::Empty).return_().end();
    state.fold(build, &mut code, |code| {
        code.i64_const(RETURN as i64);
    });
    let mut place = 0;
    for (result, ty) in (0..).zip(&results) {
        push_words(&mut code, result, *ty, |code, push| {
            state.fold(build, code, |code| push(code));
            if what == (What::Result { call: number, word: place }) {
                push(code);
                code.global_set(state.kept).i32_const(1).global_set(state.done);
            }
            place += 1;
        });
    }
    code.global_get(state.returns).i32_const(1).i32_add().global_set(state.returns);
    if what == (What::Result { call: number, word: u32::MAX }) {
        code.i64_const(1).global_set(state.kept).i32_const(1).global_set(state.done);
    }
    code.end();
    let call = build.declare(&[], &[]);
    build.define(call, body);
    Ok(call)
}

/// The function that gives the word that is asked for.
fn word(build: &mut Build, state: &State, asked: &Asked) -> Result<Added, InstrumentError> {
    let mut body = Function::new([(4, ValType::I64)]);
    let missing = |what: &str| InstrumentError::Standalone { why: format!("it has no {what} of this number") };
    let shown = |build: &Build, memory: u32| {
        build.given.memories.get(memory as usize).map(|ty| Shown::of(memory, ty)).ok_or_else(|| missing("memory"))
    };
    let mut code = body.instructions();
    match asked.query.what {
        What::Is { count, digest } => {
            code.global_get(state.count).i64_const(count as i64).i64_eq();
            code.global_get(state.digest).i64_const(digest as i64).i64_eq().i32_and().i64_extend_i32_u();
        }
        What::Reached { count } => {
            code.global_get(state.count).i64_const(count as i64).i64_ge_u().i64_extend_i32_u();
        }
        What::Returns => {
            code.global_get(state.returns).i64_extend_i32_u();
        }
        What::Operand(operand) => {
            code.global_get(*state.words.get(operand as usize).ok_or_else(|| missing("operand"))?);
        }
        What::Result { .. } | What::Argument(_) => {
            code.global_get(state.kept);
        }
        What::Pages { memory } => shown(build, memory)?.pages(&mut code),
        What::Word { memory, address } => {
            let memory = shown(build, memory)?;
            code.i64_const(address as i64);
            memory.address(&mut code);
            code.i64_load(memory.at(0));
        }
        What::Memory { memory, from, to, digest } => {
            digest_memory(build, state, shown(build, memory)?, [from, to], &mut code);
            code.i64_const(digest as i64).i64_eq().i64_extend_i32_u();
        }
        What::Global(number) => {
            let name = asked.run.globals.get(number as usize).ok_or_else(|| missing("global"))?;
            let global = build.given.export(name, ExternalKind::Global).ok_or_else(|| missing("global"))?;
            let ty = build.given.globals.get(global as usize).map(|global| global.ty.content_type);
            code.global_get(global);
            values::as_word(encoded(ty.ok_or_else(|| missing("global"))?)?, &mut code);
        }
        What::Table(number) => {
            let name = asked.run.tables.get(number as usize).ok_or_else(|| missing("table"))?;
            let table = build.given.export(name, ExternalKind::Table).ok_or_else(|| missing("table"))?;
            let ty = build.given.tables.get(table as usize).ok_or_else(|| missing("table"))?.ty;
            code.table_size(table);
            if !ty.table64 {
                code.i64_extend_i32_u();
            }
        }
    }
    code.end();
    let function = build.declare(&[], &[ValType::I64]);
    build.define(function, body);
    Ok(function)
}

/// Pushes the digest of a part of a memory, as far as the memory goes.
fn digest_memory(build: &Build, state: &State, memory: Shown, [from, to]: [u64; 2], code: &mut InstructionSink<'_>) {
    let [at, end, sum, word] = [0, 1, 2, 3];
    code.i64_const(from as i64).local_set(at);
    memory.bytes(code);
    code.i64_const(-8).i64_and().local_set(end);
    code.local_get(end).i64_const(to as i64).i64_gt_u();
    code.if_(BlockType::Empty).i64_const(to as i64).local_set(end).end();
    code.block(BlockType::Empty).loop_(BlockType::Empty);
    code.local_get(at).local_get(end).i64_ge_u().br_if(1);
    code.local_get(at);
    memory.address(code);
    code.i64_load(memory.at(0)).local_tee(word).i64_eqz().i32_eqz().if_(BlockType::Empty);
    code.local_get(sum).local_get(at).call(build.index(state.fold)).local_get(word).call(build.index(state.fold));
    code.local_set(sum).end();
    code.local_get(at).i64_const(8).i64_add().local_set(at).br(0).end().end();
    code.local_get(sum);
}
