//! A module that shows a divergence to somebody without forkpoint: one export returns what differs.

use super::append::with_function;
use super::error::EditError;
use super::parts::Parts;
use super::replayed::at_end;
use super::script::{Call, MemoryByte, calls, different_bytes};
use super::sections::Sections;
use forkpoint_replay::Timeline;
use forkpoint_tracer::{AFTERWARDS, CHECKED, VALUE};
use forkpoint_traces::{MemoryIndex, Outcome, TrapKind, WasmValue};
use std::path::Path;
use wasm_encoder::{Function, Instruction, MemArg, SectionId, ValType};

/// A module, and what is seen of it under each engine.
pub(super) struct Witness {
    pub module: Vec<u8>,
    pub seen: [Seen; 2],
    /// Whether the runs trap before what differs can be read, so that another call reads it.
    pub afterwards: bool,
}

/// What is seen of a module under an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// The call returns this.
    Value(i32),
    /// It traps.
    Trap(TrapKind),
    /// The engine does not take the module.
    Refused,
    /// The engine crashes, or does not come to an end.
    Dead,
}

/// What is looked at once the calls have been made.
#[derive(Clone, Copy)]
enum Look {
    /// Nothing: how they end is enough.
    Nothing,
    /// The result with this number of the last call, and which 32 bits of it.
    Result(usize, usize),
    /// The size of a memory.
    Pages(u32),
    /// Bytes of a memory.
    Bytes { memory: u32, address: u64, whole: bool },
}

/// Makes a witness from traces of one module under both engines.
///
/// # Errors
/// In words, when nothing that a call returns shows the difference.
pub(super) fn witness(module: &[u8], lhs: &Path, rhs: &Path) -> Result<Witness, String> {
    let unreadable = || "the traces of the reduced module cannot be read".to_string();
    let mut sides = [at_end(lhs).ok_or_else(unreadable)?, at_end(rhs).ok_or_else(unreadable)?];
    let parts = Parts::of(module).map_err(|error| error.to_string())?;
    if !parts.imports.is_empty() {
        return Err("the reduced module still calls its host".to_string());
    }
    let mut made = Vec::new();
    for side in &mut sides {
        made.push(calls(side).ok_or("the start function traps")?);
    }
    let [ref of_lhs, ref of_rhs] = made[..] else { return Err(unreadable()) };
    let dead = [dead(&mut sides[0]), dead(&mut sides[1])];
    if dead == [Some(Seen::Dead); 2] {
        return Err("neither run comes to an end".to_string());
    }
    let first = of_lhs.iter().zip(of_rhs).position(|(left, right)| left.end != right.end);
    // A side that was not taken makes no calls.
    let longest = if of_lhs.len() >= of_rhs.len() { of_lhs } else { of_rhs };
    let count = first.map_or(longest.len(), |first| first + 1);
    let calls = longest.get(..count).unwrap_or_default();
    let ends = [of_lhs, of_rhs].map(|calls| count.checked_sub(1).and_then(|last| calls.get(last)?.end.as_ref()));
    let traps = |end: Option<&Result<_, TrapKind>>| end.and_then(|end| end.as_ref().err().copied());
    let look = if dead.iter().any(Option::is_some) || ends.iter().any(|end| traps(*end).is_some()) && first.is_some()
    {
        Look::Nothing
    } else {
        look(&parts, ends, &sides).ok_or("what differs on the way is gone at the end")?
    };
    let trap_first = ends.iter().all(|end| traps(*end).is_some()) && !matches!(look, Look::Nothing);
    let seen = |side: usize| {
        if let Some(dead) = dead[side] {
            return dead;
        }
        match traps(ends[side]) {
            Some(trap) if !trap_first => Seen::Trap(trap),
            _ => Seen::Value(value(look, ends[side], &sides[side])),
        }
    };
    let seen = [seen(0), seen(1)];
    let failed = |error: EditError| format!("a module that shows it cannot be made: {error}");
    let module = with_exports(module, &parts, calls, look, seen[0], trap_first).map_err(failed)?;
    Ok(Witness { module, seen, afterwards: trap_first })
}

/// How a side ended before anything was called, or without an end.
fn dead(side: &mut Timeline) -> Option<Seen> {
    match side.trace_mut().outcome() {
        Ok(Some(Outcome::Rejected { .. })) => Some(Seen::Refused),
        Ok(Some(Outcome::Crashed { .. } | Outcome::TimedOut)) => Some(Seen::Dead),
        _ => None,
    }
}

type End<'a> = Option<&'a Result<Vec<WasmValue>, TrapKind>>;

/// What shows the difference.
fn look(parts: &Parts<'_>, ends: [End<'_>; 2], sides: &[Timeline; 2]) -> Option<Look> {
    if let [Some(Ok(left)), Some(Ok(right))] = ends {
        for (number, (left, right)) in left.iter().zip(right).enumerate() {
            let part = words(left).iter().zip(words(right)).position(|(left, right)| *left != right);
            if let Some(part) = part {
                return Some(Look::Result(number, part));
            }
        }
    }
    for memory in 0..parts.memories.len() as u32 {
        let size = |side: &Timeline| side.memory().size(MemoryIndex(memory)).map_or(0, |size| size.bytes());
        if size(&sides[0]) != size(&sides[1]) {
            return Some(Look::Pages(memory));
        }
        if let Some(MemoryByte { address, .. }) = different_bytes(&sides[0], &sides[1], MemoryIndex(memory)).first() {
            let whole = address.saturating_add(4) <= size(&sides[0]);
            return Some(Look::Bytes { memory, address: *address, whole });
        }
    }
    None
}

/// A value in words of 32 bits.
fn words(value: &WasmValue) -> Vec<i32> {
    let of = |bits: u128, count: usize| (0..count).map(|word| (bits >> (32 * word)) as i32).collect();
    match value {
        WasmValue::I32(value) => vec![*value],
        WasmValue::F32(bits) => vec![*bits as i32],
        WasmValue::I64(value) => of(*value as u64 as u128, 2),
        WasmValue::F64(bits) => of(u128::from(*bits), 2),
        WasmValue::V128(bytes) => of(u128::from_le_bytes(*bytes), 4),
        WasmValue::Reference(_) => Vec::new(),
    }
}

/// What a side sees where a module looks.
fn value(look: Look, end: End<'_>, side: &Timeline) -> i32 {
    match (look, end) {
        (Look::Result(number, part), Some(Ok(results))) => {
            results.get(number).and_then(|result| words(result).get(part).copied()).unwrap_or_default()
        }
        (Look::Pages(memory), _) => side.memory().size(MemoryIndex(memory)).map_or(0, |size| size.pages as i32),
        (Look::Bytes { memory, address, whole }, _) => {
            let mut bytes = [0; 4];
            let read = if whole { &mut bytes[..] } else { &mut bytes[..1] };
            side.memory().read(MemoryIndex(memory), address, read);
            i32::from_le_bytes(bytes)
        }
        _ => 0,
    }
}

/// The module with the exports that the own commands call, and no others.
fn with_exports(
    module: &[u8],
    parts: &Parts<'_>,
    calls: &[Call],
    look: Look,
    expected: Seen,
    afterwards: bool,
) -> Result<Vec<u8>, EditError> {
    let mut main = Vec::new();
    let mut locals = Vec::new();
    for (number, call) in calls.iter().enumerate() {
        let export = parts.exports.iter().find(|export| export.name == call.function);
        let export = export.ok_or(EditError::Other("a call of something that is not exported"))?;
        for argument in &call.arguments {
            main.push(super::answers::constant(argument).ok_or(EditError::Other("an argument that is a reference"))?);
        }
        main.push(Instruction::Call(export.index));
        let ty = parts.type_of(export.index).and_then(|ty| parts.func_type(ty));
        let results = ty.ok_or(EditError::Other("a function without a type"))?.results();
        let is_last = number + 1 == calls.len();
        for (result, ty) in results.iter().enumerate().rev() {
            match look {
                Look::Result(wanted, part) if is_last && wanted == result => {
                    main.extend(part_of(*ty, part).ok_or(EditError::Other("a result that is a reference"))?);
                    main.push(Instruction::LocalSet(0));
                    locals = vec![(1, ValType::I32)];
                }
                _ => main.push(Instruction::Drop),
            }
        }
    }
    let wide = |memory: u32| parts.memories.get(memory as usize).is_some_and(|memory| memory.memory64);
    let looks = match look {
        Look::Nothing => vec![Instruction::I32Const(0)],
        Look::Result(..) => vec![Instruction::LocalGet(0)],
        Look::Pages(memory) if wide(memory) => vec![Instruction::MemorySize(memory), Instruction::I32WrapI64],
        Look::Pages(memory) => vec![Instruction::MemorySize(memory)],
        Look::Bytes { memory: memory_index, address, whole } => {
            let memarg = MemArg { offset: 0, align: 0, memory_index };
            vec![
                if wide(memory_index) {
                    Instruction::I64Const(address as i64)
                } else {
                    Instruction::I32Const(address as u32 as i32)
                },
                if whole { Instruction::I32Load(memarg) } else { Instruction::I32Load8U(memarg) },
            ]
        }
    };
    let function = |locals: &[(u32, ValType)], code: &[&[Instruction<'_>]]| {
        let mut function = Function::new(locals.iter().copied());
        code.iter().flat_map(|code| code.iter()).for_each(|instruction| {
            function.instruction(instruction);
        });
        function.instruction(&Instruction::End);
        function
    };
    let mut sections = Sections::of(module)?;
    sections.remove(SectionId::Export);
    let mut module = sections.to_module();
    let defined = (parts.imported_functions().len() + parts.functions.len()) as u32;
    let i32 = [ValType::I32];
    // By these numbers a script calls them.
    module = with_function(&module, VALUE, [&[], &i32], &function(&locals, &[&main, &looks]))?;
    if afterwards {
        return with_function(&module, AFTERWARDS, [&[], &i32], &function(&[], &[&looks]));
    }
    let check = match expected {
        Seen::Value(value) => vec![
            Instruction::Call(defined),
            Instruction::I32Const(value),
            Instruction::I32Ne,
            Instruction::If(wasm_encoder::BlockType::Empty),
            Instruction::Unreachable,
            Instruction::End,
        ],
        _ => vec![Instruction::Call(defined), Instruction::Drop],
    };
    with_function(&module, CHECKED, [&[], &[]], &function(&[], &[&check]))
}

/// Makes a result on the stack one word of it.
fn part_of(ty: wasmparser::ValType, part: usize) -> Option<Vec<Instruction<'static>>> {
    let half = |part: usize| match part {
        0 => vec![Instruction::I32WrapI64],
        _ => vec![Instruction::I64Const(32), Instruction::I64ShrU, Instruction::I32WrapI64],
    };
    Some(match ty {
        wasmparser::ValType::I32 => Vec::new(),
        wasmparser::ValType::F32 => vec![Instruction::I32ReinterpretF32],
        wasmparser::ValType::I64 => half(part),
        wasmparser::ValType::F64 => [vec![Instruction::I64ReinterpretF64], half(part)].concat(),
        wasmparser::ValType::V128 => vec![Instruction::I32x4ExtractLane(part as u8)],
        wasmparser::ValType::Ref(_) => return None,
    })
}
