//! Functions that answer like a host did: they take the place of imported ones.

use super::parts::Parts;
use super::prune::Stubs;
use forkpoint_traces::{HostEvent, HostOutcome, TraceError, TraceReader, WasmValue};
use std::collections::BTreeMap;
use wasm_encoder::{Function, Ieee32, Ieee64, Instruction, MemArg};

/// Most calls of one function that are answered; the next one traps.
const MOST_CALLS: usize = 200;

/// Most bytes that the host writes and that are written by code.
const MOST_BYTES: usize = 16 << 10;

/// A host call, answered.
#[derive(Default)]
struct Answer {
    /// Memory, address, bytes.
    writes: Vec<(u32, u64, Vec<u8>)>,
    /// Whether it did more than that.
    cannot: bool,
    /// `None`: it did not return.
    results: Option<Vec<WasmValue>>,
}

/// Bodies for all imported functions of a module: each call is answered like the one of its number in the host log, after the
/// first `skipped` calls of all. `first_global` is the index of the first of as many mutable `i32` globals as there are imported
/// functions.
pub(super) fn stubs(
    parts: &Parts<'_>,
    trace: &TraceReader,
    skipped: u64,
    first_global: u32,
) -> Result<Stubs, TraceError> {
    let mut answers: BTreeMap<u32, Vec<Answer>> = BTreeMap::new();
    let (mut log, mut calls, mut bytes) = (trace.host_log()?, 0, 0);
    // The calls that go on, innermost last: a host may call the guest, which calls it again.
    let mut open: Vec<Option<(u32, usize)>> = Vec::new();
    while let Some(event) = log.next_event()? {
        if let HostEvent::Call(call) = &event {
            calls += 1;
            let of_function = answers.entry(call.function.0).or_default();
            let wanted = calls > skipped && of_function.len() < MOST_CALLS && bytes < MOST_BYTES;
            open.push(wanted.then_some((call.function.0, of_function.len())));
            if wanted {
                of_function.push(Answer::default());
            }
            continue;
        }
        let innermost = if matches!(event, HostEvent::Return { .. }) { open.pop() } else { open.last().copied() };
        let answer = innermost.flatten().and_then(|(function, number)| answers.get_mut(&function)?.get_mut(number));
        let Some(answer) = answer else { continue };
        match event {
            HostEvent::Write { memory, address, bytes: written } => {
                bytes += written.len();
                answer.writes.push((memory.0, address, written));
            }
            HostEvent::Return { outcome: HostOutcome::Returned(results), .. } => answer.results = Some(results),
            HostEvent::Return { .. } | HostEvent::Call(_) => {}
            // Code of the module cannot stand in for a host that calls it, grows its memory or changes its globals and tables.
            HostEvent::Enter { .. }
            | HostEvent::Leave { .. }
            | HostEvent::Grow { .. }
            | HostEvent::SetGlobal { .. }
            | HostEvent::SetElement { .. }
            | HostEvent::GrowTable { .. }
            | HostEvent::SetReference { .. }
            | HostEvent::SetFunction { .. } => answer.cannot = true,
        }
    }
    let imported = 0..parts.imported_functions().len() as u32;
    let nothing = Vec::new();
    let body = |function: u32| stub(answers.get(&function).unwrap_or(&nothing), first_global + function);
    Ok(imported.map(|function| (function, body(function))).collect())
}

/// A function that gives these answers in turn, and then traps.
fn stub(answers: &[Answer], counter: u32) -> Vec<u8> {
    let mut function = Function::new([]);
    for (number, answer) in (0..).zip(answers) {
        let Some(results) = answer.results.as_ref().filter(|_| !answer.cannot) else { break };
        let Some(results) = results.iter().map(constant).collect::<Option<Vec<_>>>() else { break };
        function.instruction(&Instruction::GlobalGet(counter));
        function.instruction(&Instruction::I32Const(number));
        function.instruction(&Instruction::I32Eq);
        function.instruction(&Instruction::If(wasm_encoder::BlockType::Empty));
        for (memory, address, bytes) in &answer.writes {
            for (address, piece) in (*address..).step_by(8).zip(bytes.chunks(8)) {
                write(&mut function, *memory, address, piece);
            }
        }
        function.instruction(&Instruction::I32Const(number + 1));
        function.instruction(&Instruction::GlobalSet(counter));
        results.iter().for_each(|result| {
            function.instruction(result);
        });
        function.instruction(&Instruction::Return);
        function.instruction(&Instruction::End);
    }
    function.instruction(&Instruction::Unreachable);
    function.instruction(&Instruction::End);
    function.into_raw_body()
}

/// Writes up to eight bytes to a memory with 32-bit addresses.
fn write(function: &mut Function, memory_index: u32, address: u64, bytes: &[u8]) {
    let memarg = MemArg { offset: 0, align: 0, memory_index };
    if let Ok(word) = <[u8; 8]>::try_from(bytes) {
        function.instruction(&Instruction::I32Const(address as i32));
        function.instruction(&Instruction::I64Const(i64::from_le_bytes(word)));
        function.instruction(&Instruction::I64Store(memarg));
        return;
    }
    for (address, byte) in (address..).zip(bytes) {
        function.instruction(&Instruction::I32Const(address as i32));
        function.instruction(&Instruction::I32Const(i32::from(*byte)));
        function.instruction(&Instruction::I32Store8(memarg));
    }
}

/// The instruction that pushes a value; `None` for a reference, which is none outside of its run.
pub(super) fn constant(value: &WasmValue) -> Option<Instruction<'static>> {
    Some(match value {
        WasmValue::I32(value) => Instruction::I32Const(*value),
        WasmValue::I64(value) => Instruction::I64Const(*value),
        WasmValue::F32(bits) => Instruction::F32Const(Ieee32::new(*bits)),
        WasmValue::F64(bits) => Instruction::F64Const(Ieee64::new(*bits)),
        WasmValue::V128(bytes) => Instruction::V128Const(i128::from_le_bytes(*bytes)),
        WasmValue::Reference(_) => return None,
    })
}
