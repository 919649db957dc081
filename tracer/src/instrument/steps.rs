//! Functions for the steps of a run that need each other, added to a rewritten or exposed module.
//!
//! A call whose argument another call returns, and bytes that go where an allocator says, cannot be written down
//! before the run. So the module gets a function for each such step, and the engine is asked to call it: every engine
//! can make a call, whatever its interface. Everything is appended, so no index changes.
//!
//! | step | its function |
//! | --- | --- |
//! | a call | calls the export with constants and what steps before have kept, keeps its results, and returns them |
//! | a put | copies a passive data segment of its own to the address that a step before has kept, and keeps it |
//!
//! Results are kept in globals, and one more says that the step is done. A step that needs one which is not done
//! traps. So does a put to address 0, which is an allocator's word for failure.

mod reach;
mod there;

pub(crate) use reach::Reach;

use super::error::{InstrumentError, limit};
use super::layout::{ORDER, appended, rank, section_id};
use super::step_export;
use forkpoint_traces::{Argument, Call, Put, Step, StepResult, WasmValue};
use std::collections::{BTreeMap, BTreeSet};
use there::There;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{
    ConstExpr, Encode, GlobalType, Ieee32, Ieee64, Instruction as I, RawSection, Section as _, SectionId, ValType,
};
use wasmparser::Parser;

/// The additions, encoded, section by section.
#[derive(Default)]
struct Added {
    entries: BTreeMap<SectionId, Vec<Vec<u8>>>,
    /// The global that says whether a step is done, and those that hold its results.
    kept: BTreeMap<StepResult, u32>,
    done: BTreeMap<u32, u32>,
}

/// Adds functions for the steps in `added`. Also returns how many bytes further the code begins.
pub(super) fn add(module: &[u8], steps: &[Step], added: &BTreeSet<u32>) -> Result<(Vec<u8>, u32), InstrumentError> {
    let there = There::of(module)?;
    limit("functions", there.functions.len() as u64 + added.len() as u64, 1_000_000)?;
    limit("exports", there.exports.len() as u64 + added.len() as u64, 1_000_000)?;
    let needed: BTreeSet<StepResult> = steps.iter().flat_map(Step::needs).collect();
    let mut new = Added::default();
    for (number, step) in (0..).zip(steps).filter(|(number, _)| added.contains(number)) {
        new.step(&there, number, step, &needed)?;
    }
    let globals = u64::from(there.globals) + new.count(SectionId::Global);
    limit("globals", globals, 1_000_000)?;
    let out = new.write(module, &there)?;
    limit("bytes", out.len() as u64, 1 << 30)?;
    // A module without code has none that could move.
    let moved = if there.code == 0 { 0 } else { There::of(&out)?.code - there.code };
    Ok((out, moved as u32))
}

impl Added {
    fn count(&self, id: SectionId) -> u64 {
        self.entries.get(&id).map_or(0, |entries| entries.len() as u64)
    }

    /// Adds an entry, and returns its number among those added.
    fn entry(&mut self, id: SectionId, bytes: Vec<u8>) -> u32 {
        let entries = self.entries.entry(id).or_default();
        entries.push(bytes);
        entries.len() as u32 - 1
    }

    /// A mutable global that is 0.
    fn global(&mut self, there: &There, ty: ValType) -> u32 {
        let zero = match ty {
            ValType::I64 => ConstExpr::i64_const(0),
            ValType::F32 => ConstExpr::f32_const(0.0f32.into()),
            ValType::F64 => ConstExpr::f64_const(0.0f64.into()),
            ValType::V128 => ConstExpr::v128_const(0),
            _ => ConstExpr::i32_const(0),
        };
        let mut bytes = Vec::new();
        GlobalType { val_type: ty, mutable: true, shared: false }.encode(&mut bytes);
        zero.encode(&mut bytes);
        there.globals + self.entry(SectionId::Global, bytes)
    }

    /// Traps unless a step is done.
    fn require(&self, step: u32, body: &mut Vec<I<'static>>) {
        if let Some(done) = self.done.get(&step) {
            body.extend([
                I::GlobalGet(*done),
                I::I32Eqz,
                I::If(wasm_encoder::BlockType::Empty),
                I::Unreachable,
                I::End,
            ]);
        }
    }

    fn step(
        &mut self,
        there: &There,
        number: u32,
        step: &Step,
        needed: &BTreeSet<StepResult>,
    ) -> Result<(), InstrumentError> {
        let mut body = Vec::new();
        for from in step.needs() {
            self.require(from.step, &mut body);
        }
        let (locals, results) = match step {
            Step::Call(call) => self.call(there, number, call, needed, &mut body)?,
            Step::Put(put) => {
                self.put(there, number, put, &mut body)?;
                (Vec::new(), Vec::new())
            }
        };
        if is_needed(needed, number) {
            let done = self.global(there, ValType::I32);
            self.done.insert(number, done);
            body.extend([I::I32Const(1), I::GlobalSet(done)]);
        }
        body.extend((0..locals.len() as u32).map(I::LocalGet));
        body.push(I::End);
        self.function(there, number, &locals, &results, &body);
        Ok(())
    }

    /// Calls an export. Returns the types of the locals that then hold its results, and those of the results.
    fn call(
        &mut self,
        there: &There,
        number: u32,
        call: &Call,
        needed: &BTreeSet<StepResult>,
        body: &mut Vec<I<'static>>,
    ) -> Result<(Vec<ValType>, Vec<ValType>), InstrumentError> {
        let missing = || wrong(format!("no function is exported as `{}`", call.function.escape_debug()));
        let (function, ty) = there.callee(call).ok_or_else(missing)?;
        for (argument, ty) in call.arguments.iter().zip(ty.params()) {
            body.push(match argument {
                Argument::Value(value) => constant(value, *ty)?,
                Argument::Result(from) => match self.kept.get(from) {
                    Some(global) => I::GlobalGet(*global),
                    None => return Err(wrong(format!("step {} keeps no result {}", from.step, from.result))),
                },
            });
        }
        body.push(I::Call(function));
        let results = ty.results().iter().map(|ty| Ok(RoundtripReencoder.val_type(*ty)?));
        let results = results.collect::<Result<Vec<_>, InstrumentError>>()?;
        if !is_needed(needed, number) {
            return Ok((Vec::new(), results));
        }
        body.extend((0..results.len() as u32).rev().map(I::LocalSet));
        for (result, ty) in
            (0..).zip(&results).filter(|(result, _)| needed.contains(&StepResult { step: number, result: *result }))
        {
            let global = self.global(there, *ty);
            self.kept.insert(StepResult { step: number, result }, global);
            body.extend([I::LocalGet(result), I::GlobalSet(global)]);
        }
        Ok((results.clone(), results))
    }

    /// Puts bytes into memory.
    fn put(
        &mut self,
        there: &There,
        number: u32,
        put: &Put,
        body: &mut Vec<I<'static>>,
    ) -> Result<(), InstrumentError> {
        let wide = there.memories.get(put.memory.0 as usize).copied();
        let (Some(wide), Some(room)) = (wide, self.kept.get(&put.room).copied()) else {
            return Err(wrong(format!("step {number} puts bytes where there is no room")));
        };
        // A passive segment.
        let mut segment = vec![1];
        put.bytes.as_slice().encode(&mut segment);
        let data_index = there.data + self.entry(SectionId::Data, segment);
        body.extend([
            I::GlobalGet(room),
            if wide { I::I64Eqz } else { I::I32Eqz },
            I::If(wasm_encoder::BlockType::Empty),
            I::Unreachable,
            I::End,
            I::GlobalGet(room),
            I::I32Const(0),
            I::I32Const(put.bytes.len() as i32),
            I::MemoryInit { mem: put.memory.0, data_index },
        ]);
        self.kept.insert(StepResult { step: number, result: 0 }, room);
        Ok(())
    }

    fn function(&mut self, there: &There, number: u32, locals: &[ValType], results: &[ValType], body: &[I<'static>]) {
        let mut ty = vec![0x60, 0];
        (results.len() as u32).encode(&mut ty);
        results.iter().for_each(|result| result.encode(&mut ty));
        let ty = there.types.len() as u32 + self.entry(SectionId::Type, ty);
        let mut bytes = Vec::new();
        ty.encode(&mut bytes);
        let function = there.functions.len() as u32 + self.entry(SectionId::Function, bytes);
        let mut code = Vec::new();
        (locals.len() as u32).encode(&mut code);
        for local in locals {
            1u32.encode(&mut code);
            local.encode(&mut code);
        }
        body.iter().for_each(|instruction| instruction.encode(&mut code));
        let mut sized = Vec::new();
        code.as_slice().encode(&mut sized);
        self.entry(SectionId::Code, sized);
        let mut export = Vec::new();
        step_export(number).as_str().encode(&mut export);
        export.push(0x00); // A function.
        function.encode(&mut export);
        self.entry(SectionId::Export, export);
    }

    /// Writes the module with all additions, in sections that it may lack, in their places.
    fn write(mut self, module: &[u8], there: &There) -> Result<Vec<u8>, InstrumentError> {
        let mut out = module[..module.len().min(8)].to_vec();
        let data_count = there.data + self.count(SectionId::Data) as u32;
        let counts = self.count(SectionId::Data) > 0;
        let mut next = 0;
        let mut missing = |new: &mut Added, out: &mut Vec<u8>, until: usize| -> Result<(), InstrumentError> {
            for id in ORDER.iter().take(until).skip(next) {
                match new.entries.remove(id) {
                    Some(entries) => raw(out, *id, &appended(&[0], &entries)?),
                    None if *id == SectionId::DataCount && counts => raw(out, *id, &encoded(data_count)),
                    None => {}
                }
            }
            next = next.max(until + 1);
            Ok(())
        };
        for payload in Parser::new(0).parse_all(module) {
            let Some((number, range)) = payload?.as_section() else { continue };
            let contents = &module[range];
            let Some(id) = section_id(number) else {
                raw(&mut out, SectionId::Custom, contents);
                continue;
            };
            missing(&mut self, &mut out, rank(id))?;
            match self.entries.remove(&id) {
                Some(entries) => raw(&mut out, id, &appended(contents, &entries)?),
                None if id == SectionId::DataCount => raw(&mut out, id, &encoded(data_count)),
                None => raw(&mut out, id, contents),
            }
        }
        missing(&mut self, &mut out, ORDER.len())?;
        Ok(out)
    }
}

/// Adds a function with these parameters and no results.
fn raw_function(new: &mut Added, there: &There, parameters: &[ValType], export: &str, body: &[I<'static>]) {
    let mut ty = vec![0x60];
    (parameters.len() as u32).encode(&mut ty);
    parameters.iter().for_each(|parameter| parameter.encode(&mut ty));
    ty.push(0);
    let ty = there.types.len() as u32 + new.entry(SectionId::Type, ty);
    let mut bytes = Vec::new();
    ty.encode(&mut bytes);
    let function = there.functions.len() as u32 + new.entry(SectionId::Function, bytes);
    let mut code = vec![0];
    body.iter().for_each(|instruction| instruction.encode(&mut code));
    let mut sized = Vec::new();
    code.as_slice().encode(&mut sized);
    new.entry(SectionId::Code, sized);
    let mut entry = Vec::new();
    export.encode(&mut entry);
    entry.push(0x00); // A function.
    function.encode(&mut entry);
    new.entry(SectionId::Export, entry);
}

/// Whether another step needs anything of this one.
fn is_needed(needed: &BTreeSet<StepResult>, number: u32) -> bool {
    needed.range(StepResult { step: number, result: 0 }..).next().is_some_and(|from| from.step == number)
}

fn wrong(why: String) -> InstrumentError {
    InstrumentError::Step { why }
}

fn raw(out: &mut Vec<u8>, id: SectionId, data: &[u8]) {
    RawSection { id: id as u8, data }.append_to(out);
}

fn encoded(number: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    number.encode(&mut bytes);
    bytes
}

fn constant(value: &WasmValue, ty: wasmparser::ValType) -> Result<I<'static>, InstrumentError> {
    Ok(match value {
        WasmValue::I32(value) => I::I32Const(*value),
        WasmValue::I64(value) => I::I64Const(*value),
        WasmValue::F32(bits) => I::F32Const(Ieee32::new(*bits)),
        WasmValue::F64(bits) => I::F64Const(Ieee64::new(*bits)),
        WasmValue::V128(bytes) => I::V128Const(i128::from_le_bytes(*bytes)),
        WasmValue::Reference(_) => match ty {
            wasmparser::ValType::Ref(ty) => I::RefNull(RoundtripReencoder.heap_type(ty.heap_type())?),
            ty => return Err(wrong(format!("a reference for an argument of type {ty}"))),
        },
    })
}

#[cfg(test)]
#[path = "steps_tests.rs"]
mod tests;
