//! Finds the call of a function in which runs part, and the state of the instance when it began.

use super::candidate::Candidate;
use super::error::EditError;
use super::judge::Judge;
use super::probe::Probe;
use forkpoint_replay::Report;
use forkpoint_tracer::Recorded;
use forkpoint_traces::{GlobalIndex, Outcome, SiteId, TraceReader, TrapKind, WasmValue};
use std::path::PathBuf;
use wasm_encoder::{BlockType, Instruction};
use wasmparser::{Operator, ValType};

/// One activation of a function: its number among all of that function, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Activation {
    pub function: u32,
    pub number: i64,
}

/// The state of the instance where an activation begins.
pub(super) struct Entry {
    pub arguments: Vec<WasmValue>,
    /// All mutable globals of the original.
    pub globals: Vec<(u32, WasmValue)>,
    /// A trace whose replay ends with the memories as they are.
    pub trace: PathBuf,
    /// Host calls so far.
    pub host_calls: u64,
    /// Who called it; `None` if the host did.
    pub caller: Option<Activation>,
}

/// Where a run is to be stopped: at the execution with this number, from 1, of the instruction at `offset`.
#[derive(Debug, Clone, Copy)]
struct Stop {
    function: u32,
    offset: u32,
    execution: i64,
}

/// The activation in which the runs of the original part, if events show one.
pub(super) fn of_divergence(judge: &Judge<'_>, original: &Candidate, report: &Report) -> Option<Activation> {
    let stop = stop(judge, report)?;
    let mut probe = Probe::new(&original.module).ok()?;
    let [activations, executions, found] = [ValType::I64; 3].map(|ty| probe.global(ty));
    let own = probe.number_activations(stop.function, activations).ok()?;
    stop_at(
        &mut probe,
        stop.function,
        stop.offset as usize,
        executions,
        stop.execution,
        &[Instruction::LocalGet(own), Instruction::GlobalSet(found)],
    );
    let module = probe.finish().ok()?;
    let recorded = judge.record(&original.with(module), Some(&judge.reference_trace()), "probe.fpt").ok()?;
    // There is no activation with number 0: it was not stopped there.
    let WasmValue::I64(number @ 1..) = stopped(&recorded, found)? else { return None };
    Some(Activation { function: stop.function, number })
}

/// The last instruction at or before the divergence that the left side executed and recorded, and how often.
fn stop(judge: &Judge<'_>, report: &Report) -> Option<Stop> {
    let mut trace = TraceReader::open(&judge.reference_trace()).ok()?;
    let sites = trace.sites().clone();
    let position = report.position?;
    // Events of instructions up to the divergence. Its own counts if it is the left side's.
    let (mut last, mut found) = (None, Vec::new());
    for chunk in 0..trace.chunks().len() {
        if trace.chunks()[chunk].first > position {
            break;
        }
        let mut at = trace.chunks()[chunk].first;
        let read = trace.read_chunk(chunk, |raw| {
            if at <= position && raw.site >= SiteId::FIRST {
                last = Some(raw.site);
                let index = (raw.site.0 - SiteId::FIRST.0) as usize;
                if found.len() <= index {
                    found.resize(index + 1, 0);
                }
                found[index] += 1;
            }
            at = at.next();
            Ok::<(), forkpoint_traces::TraceError>(())
        });
        read.ok()?;
    }
    let site = last?;
    let place = sites.get(site)?;
    let execution = *found.get((site.0 - SiteId::FIRST.0) as usize)?;
    Some(Stop { function: place.func.0, offset: place.offset.0, execution })
}

/// Inserts before an instruction: at its execution with this number, `then` is done and the run ends in a trap.
fn stop_at(
    probe: &mut Probe<'_>,
    function: u32,
    offset: usize,
    counter: u32,
    execution: i64,
    then: &[Instruction<'_>],
) {
    probe.insert(
        function,
        offset,
        &[
            Instruction::GlobalGet(counter),
            Instruction::I64Const(1),
            Instruction::I64Add,
            Instruction::GlobalSet(counter),
            Instruction::GlobalGet(counter),
            Instruction::I64Const(execution),
            Instruction::I64Eq,
            Instruction::If(BlockType::Empty),
        ],
    );
    probe.insert(function, offset, then);
    probe.insert(function, offset, &[Instruction::Unreachable, Instruction::End]);
}

/// The value of a global where a probe has stopped the run.
fn stopped(recorded: &Recorded, global: u32) -> Option<WasmValue> {
    // A host that was called back cannot say what it would have done after that trap.
    if !matches!(recorded.outcome, Outcome::Trapped { trap: TrapKind::Unreachable } | Outcome::Unanswered) {
        return None;
    }
    let state = recorded.globals.iter().find(|state| state.index == GlobalIndex(global))?;
    Some(state.value.clone())
}

/// The state where an activation begins.
pub(super) fn entry(judge: &Judge<'_>, original: &Candidate, activation: Activation, name: &str) -> Option<Entry> {
    let mut probe = Probe::new(&original.module).ok()?;
    let Activation { function, number } = activation;
    let activations = probe.global(ValType::I64);
    let params = probe.params(function)?.to_vec();
    let copies: Vec<u32> = params.iter().map(|ty| probe.global(*ty)).collect();
    let [caller, caller_number] = [ValType::I32, ValType::I64].map(|ty| probe.global(ty));
    note_callers(&mut probe, function, activations, caller, caller_number).ok()?;
    let at = probe.entry(function).ok()?;
    let copied =
        (0..).zip(&copies).flat_map(|(param, copy)| [Instruction::LocalGet(param), Instruction::GlobalSet(*copy)]);
    probe.insert(
        function,
        at,
        &[
            Instruction::GlobalGet(activations),
            Instruction::I64Const(number),
            Instruction::I64Eq,
            Instruction::If(BlockType::Empty),
        ],
    );
    probe.insert(function, at, &copied.collect::<Vec<_>>());
    probe.insert(function, at, &[Instruction::Unreachable, Instruction::End]);
    let module = probe.finish().ok()?;
    let recorded = judge.record(&original.with(module), Some(&judge.reference_trace()), name).ok()?;
    if stopped(&recorded, activations)? != WasmValue::I64(number) {
        return None;
    }
    let arguments = copies.iter().map(|copy| stopped(&recorded, *copy)).collect::<Option<_>>()?;
    let caller = match (stopped(&recorded, caller)?, stopped(&recorded, caller_number)?) {
        (WasmValue::I32(caller), WasmValue::I64(number)) if number > 0 => {
            Some(Activation { function: caller as u32, number })
        }
        _ => None,
    };
    let added = activations;
    let globals = recorded.globals.iter().filter(|state| state.index.0 < added);
    let globals = globals.map(|state| (state.index.0, state.value.clone())).collect();
    let trace = judge.file(name);
    let host_calls = host_calls(&trace)?;
    Some(Entry { arguments, globals, trace, host_calls, caller })
}

fn host_calls(trace: &std::path::Path) -> Option<u64> {
    let mut log = TraceReader::open(trace).ok()?.host_log().ok()?;
    let mut calls = 0;
    while let Some(event) = log.next_event().ok()? {
        calls += u64::from(matches!(event, forkpoint_traces::HostEvent::Call(_)));
    }
    Some(calls)
}

/// Has every function that may call `function` note, before it does, which it is and which of its activations: each activation
/// begins right after its caller has done so. The activations of `function` itself are counted in `activations`.
fn note_callers(
    probe: &mut Probe<'_>,
    function: u32,
    activations: u32,
    caller: u32,
    caller_number: u32,
) -> Result<(), EditError> {
    let of_function = probe.number_activations(function, activations)?;
    let ty = probe.parts().type_of(function).and_then(|ty| probe.parts().func_type(ty)).cloned();
    let imported = probe.parts().imported_functions().len() as u32;
    let bodies = probe.parts().bodies.clone();
    for (number, body) in (imported..).zip(bodies) {
        let mut sites = Vec::new();
        let mut reader = body.get_operators_reader()?;
        while !reader.eof() {
            let (operator, offset) = reader.read_with_offset()?;
            let calls = match operator {
                Operator::Call { function_index } | Operator::ReturnCall { function_index } => {
                    function_index == function
                }
                Operator::CallIndirect { type_index, .. }
                | Operator::ReturnCallIndirect { type_index, .. }
                | Operator::CallRef { type_index }
                | Operator::ReturnCallRef { type_index } => probe.parts().func_type(type_index) == ty.as_ref(),
                _ => false,
            };
            if calls {
                sites.push(offset);
            }
        }
        if sites.is_empty() {
            continue;
        }
        let own = if number == function {
            of_function
        } else {
            let counter = probe.global(ValType::I64);
            probe.number_activations(number, counter)?
        };
        for offset in sites {
            probe.insert(
                number,
                offset,
                &[
                    Instruction::I32Const(number as i32),
                    Instruction::GlobalSet(caller),
                    Instruction::LocalGet(own),
                    Instruction::GlobalSet(caller_number),
                ],
            );
        }
    }
    Ok(())
}
