//! A module that begins where one activation of a function began: the program around it is gone.

use super::activation::{Activation, Entry};
use super::answers::{constant, stubs};
use super::append::with_function;
use super::candidate::Candidate;
use super::error::EditError;
use super::judge::Judge;
use super::parts::Parts;
use super::prune::{Memories, pruned};
use super::replayed::at_end;
use super::sections::{Sections, bodies};
use forkpoint_traces::{Image, MemoryIndex, PAGE, TraceReader};
use std::collections::BTreeMap;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{
    ConstExpr, DataCountSection, DataSection, Function, GlobalSection, GlobalType, Instruction, MemorySection,
    SectionId, ValType,
};
use wasmparser::{DataKind, MemoryType, TypeRef};

/// The name of a slice's one export.
pub(super) const EXPORT: &str = "main";

/// Zeros between two stretches of memory that are stored as one.
const GAP: usize = 8;

/// The module in which one export without parameters calls the function of `activation` with its arguments, from the state that
/// `entry` has.
pub(super) fn slice(
    judge: &Judge<'_>,
    original: &Candidate,
    activation: Activation,
    entry: &Entry,
) -> Result<Candidate, EditError> {
    let parts = Parts::of(&original.module)?;
    if parts.imports.iter().any(|import| !matches!(import.ty, TypeRef::Func(_) | TypeRef::FuncExact(_))) {
        return Err(EditError::Other("the module imports more than functions"));
    }
    let timeline = at_end(&entry.trace).ok_or(EditError::Other("the memory where the call begins is not known"))?;
    let image = timeline.memory();
    let mut sections = Sections::of(&original.module)?;
    sections.remove(SectionId::Start);
    memories(&parts, image, &mut sections)?;
    data(&parts, image, &mut sections)?;
    let counters = globals(&parts, &entry.globals, &mut sections)?;
    sections.remove(SectionId::Export);
    let module = with_function(&sections.to_module(), EXPORT, [&[], &[]], &main(&parts, activation, entry)?)?;
    let log =
        TraceReader::open(&judge.reference_trace()).map_err(|_| EditError::Other("the host log cannot be read"))?;
    let stubs = stubs(&parts, &log, entry.host_calls, counters)
        .map_err(|_| EditError::Other("the host log cannot be read"))?;
    let call = EXPORT.parse().map_err(|_| EditError::Other("no call"))?;
    Ok(Candidate { module: pruned(&module, &stubs, Memories::Stay)?, calls: vec![call], in_javascript: false })
}

/// Declares memories with the sizes that they have.
fn memories(parts: &Parts<'_>, image: &Image, sections: &mut Sections) -> Result<(), EditError> {
    let mut memories = MemorySection::new();
    for (number, memory) in (0..).zip(&parts.memories) {
        let page = memory.page_size_log2.map_or(1 << 16, |log2| 1_u64 << log2);
        let pages = image.size(MemoryIndex(number)).map_or(memory.initial, |size| size.bytes() / page);
        memories.memory(RoundtripReencoder.memory_type(MemoryType { initial: pages, ..*memory })?);
    }
    if !memories.is_empty() {
        sections.set(&memories);
    }
    Ok(())
}

/// Keeps the indices of data segments, of which active ones are used up, and adds what memories hold.
fn data(parts: &Parts<'_>, image: &Image, sections: &mut Sections) -> Result<(), EditError> {
    let mut data = DataSection::new();
    for segment in &parts.data {
        match &segment.kind {
            DataKind::Passive => data.passive(segment.data.iter().copied()),
            DataKind::Active { memory_index, .. } => {
                let wide = parts.memories.get(*memory_index as usize).is_some_and(|memory| memory.memory64);
                data.active(*memory_index, &offset(wide, 0), [])
            }
        };
    }
    for (number, memory) in (0..).zip(&parts.memories) {
        let end = image.size(MemoryIndex(number)).map_or(0, |size| size.bytes());
        let mut open: Option<(u64, Vec<u8>)> = None;
        for (page, bytes) in image.pages_in(MemoryIndex(number), 0..end.div_ceil(PAGE)) {
            for (address, byte) in (page * PAGE..).zip(bytes).filter(|(_, byte)| **byte != 0) {
                match &mut open {
                    Some((start, stretch)) if address - *start < (stretch.len() + GAP) as u64 => {
                        stretch.resize((address - *start) as usize, 0);
                        stretch.push(*byte);
                    }
                    _ => {
                        if let Some((start, stretch)) = open.replace((address, vec![*byte])) {
                            data.active(number, &offset(memory.memory64, start), stretch);
                        }
                    }
                }
            }
        }
        if let Some((start, stretch)) = open {
            data.active(number, &offset(memory.memory64, start), stretch);
        }
    }
    if parts.counts_data {
        sections.set(&DataCountSection { count: data.len() });
    }
    if data.is_empty() {
        sections.remove(SectionId::Data);
    } else {
        sections.set(&data);
    }
    Ok(())
}

fn offset(wide: bool, address: u64) -> ConstExpr {
    if wide { ConstExpr::i64_const(address as i64) } else { ConstExpr::i32_const(address as u32 as i32) }
}

/// Gives mutable globals the values that they have, and adds one for each imported function. Returns the index of the first of
/// these.
fn globals(
    parts: &Parts<'_>,
    values: &[(u32, forkpoint_traces::WasmValue)],
    sections: &mut Sections,
) -> Result<u32, EditError> {
    let values: BTreeMap<u32, _> = values.iter().map(|(index, value)| (*index, value)).collect();
    let mut globals = GlobalSection::new();
    for (index, global) in (0..).zip(&parts.globals) {
        match values.get(&index).and_then(|value| constant(value)) {
            Some(value) => {
                globals.global(RoundtripReencoder.global_type(global.ty)?, &ConstExpr::extended([value]));
            }
            None => RoundtripReencoder.parse_global(&mut globals, global.clone())?,
        }
    }
    let first = globals.len();
    for _ in parts.imported_functions() {
        globals.global(GlobalType { val_type: ValType::I32, mutable: true, shared: false }, &ConstExpr::i32_const(0));
    }
    if !globals.is_empty() {
        sections.set(&globals);
    }
    Ok(first)
}

/// The code of the one function that is exported: it calls the activation's with its arguments.
fn main(parts: &Parts<'_>, activation: Activation, entry: &Entry) -> Result<Function, EditError> {
    let callee = parts.type_of(activation.function).and_then(|ty| parts.func_type(ty));
    let results = callee.ok_or(EditError::Other("a function without a type"))?.results().len();
    let mut main = Function::new([]);
    for argument in &entry.arguments {
        main.instruction(&constant(argument).ok_or(EditError::Other("an argument that is a reference"))?);
    }
    main.instruction(&Instruction::Call(activation.function));
    (0..results).for_each(|_| {
        main.instruction(&Instruction::Drop);
    });
    main.instruction(&Instruction::End);
    Ok(main)
}

/// The functions that a candidate's calls do not enter, by their numbers among those that it defines; nothing if that cannot be
/// found out.
pub(super) fn not_entered(judge: &Judge<'_>, candidate: &Candidate) -> Vec<u32> {
    let found = || -> Option<Vec<u32>> {
        let mut probe = super::probe::Probe::new(&candidate.module).ok()?;
        let imported = probe.parts().imported_functions().len() as u32;
        let count = bodies(&candidate.module).ok()?.len() as u32;
        let mut entered = Vec::new();
        for number in 0..count {
            let global = probe.global(wasmparser::ValType::I32);
            let at = probe.entry(imported + number).ok()?;
            probe.insert(imported + number, at, &[Instruction::I32Const(1), Instruction::GlobalSet(global)]);
            entered.push(global);
        }
        let recorded = judge.record(&candidate.with(probe.finish().ok()?), None, "entered.fpt").ok()?;
        let is_entered = |global: &u32| {
            recorded
                .globals
                .iter()
                .any(|state| state.index.0 == *global && state.value == forkpoint_traces::WasmValue::I32(1))
        };
        // Without any, the run was cut short and nothing is known.
        if !entered.iter().any(is_entered) {
            return None;
        }
        Some((0..).zip(&entered).filter(|(_, global)| !is_entered(global)).map(|(number, _)| number).collect())
    };
    found().unwrap_or_default()
}
