//! Recording a program of several modules: its rewritten modules under the program's numbers, and the job for an engine.
//!
//! Every module records by hooks, so that events of all instances come in one order; each has the numbers of its own sites
//! in its code, and nothing else of it knows that there are others.

mod check;
mod course;
mod followed;

pub(super) use check::ScriptCheck;
pub(super) use course::{ScriptCourse, ScriptTurn};
pub(super) use followed::followed;

use crate::error::RecordError;
use crate::instrument::{DataKind, DataSegment, InstrumentError, Instrumented, MemoryDecl, Options, untouched};
use crate::job::{DirectiveJob, ExportCall, ImportJob, InstanceJob, ScriptJob};
use crate::script::{Script, Unit};
use forkpoint_traces::{
    Action, Argument, CodeOffset, DataIndex, FuncIndex, GlobalIndex, InstanceInfo, MemoryIndex, ModulePart, Shape,
    Site, WasmValue,
};

/// A file of a job.
pub(super) type JobFile = (String, Vec<u8>);

/// The script's modules rewritten as `options` say, or with nothing but exports added: as one, in the program's numbers, with
/// the modules of its instances as parts.
pub(super) fn rewritten(script: &Script, options: Option<&Options>) -> Result<Instrumented, RecordError> {
    let mut all = untouched(&[]);
    for (unit, instance) in script.units.iter().zip(&script.info.instances) {
        let part = rewrite(script, unit, instance, options, all.sites.len() as u32)?;
        let Some(module) = script.info.modules.get(instance.module as usize) else { continue };
        all.sites.extend(part.sites.iter().map(|site| numbered(site, module, instance)));
        let own = unit.own_memories.1 as usize;
        let skipped = part.memories.len().saturating_sub(own);
        all.memories.extend(
            part.memories.iter().skip(skipped).cloned().map(|memory| MemoryDecl { imported: false, ..memory }),
        );
        // What the rewriter cannot read has no memories, and the numbers of later ones go on.
        all.memories.extend((part.memories.len() - skipped..own).map(|_| unknown_memory()));
        all.records |= part.records;
        all.stack_switching |= part.stack_switching;
        all.parts.push(part);
    }
    all.data = segments(script);
    Ok(all)
}

fn unknown_memory() -> MemoryDecl {
    MemoryDecl {
        minimum: 0,
        maximum: None,
        page_size: 1 << 16,
        memory64: false,
        shared: false,
        imported: false,
        export: String::new(),
    }
}

fn rewrite(
    script: &Script,
    unit: &Unit,
    instance: &InstanceInfo,
    options: Option<&Options>,
    sites: u32,
) -> Result<Instrumented, RecordError> {
    let Ok(original) = &unit.original else { return Ok(untouched(script.module(instance.module))) };
    match options {
        Some(options) => {
            match original.instrument(&Options { sites_before: Some(sites), ..options.clone() }) {
                // One instance that cannot be recorded does not keep the others from it.
                Err(InstrumentError::Instruction { .. }) => Ok(untouched(script.module(instance.module))),
                rewritten => Ok(rewritten?),
            }
        }
        None => Ok(original.expose()?),
    }
}

/// A site in the program's numbers.
fn numbered(site: &Site, module: &ModulePart, instance: &InstanceInfo) -> Site {
    let memory = |local: u32| instance.memories.get(local as usize).copied().unwrap_or(MemoryIndex(local));
    Site {
        func: FuncIndex(site.func.0.saturating_add(module.first_function.0)),
        offset: CodeOffset(site.offset.0.saturating_add(module.start.0)),
        memory: memory(site.memory.0),
        source: match site.op.shape() {
            Shape::Copy => memory(site.source).0,
            Shape::Init | Shape::Drop => site.source.saturating_add(module.first_data.0),
            _ => site.source,
        },
        ..site.clone()
    }
}

/// All data segments in the program's numbers: where their bytes are.
fn segments(script: &Script) -> Vec<DataSegment> {
    let mut all = Vec::new();
    for (unit, instance) in script.units.iter().zip(&script.info.instances) {
        let Some(module) = script.info.modules.get(instance.module as usize) else { continue };
        let start = module.start.0 as usize;
        let declared = unit.original.as_ref().map_or(&[][..], |original| original.data());
        // Where a module's segments are not known, the numbers of later ones go on.
        all.resize(unit.first_data.0 as usize, DataSegment { kind: DataKind::Passive, bytes: 0..0 });
        all.extend(declared.iter().map(|segment| DataSegment {
            kind: DataKind::Passive,
            bytes: segment.bytes.start + start..segment.bytes.end + start,
        }));
    }
    all
}

/// The active segments of an instance in order, in the program's numbers: segment, memory, address and length. Those whose
/// address is not known have none.
pub(super) fn active(
    script: &Script,
    number: u32,
) -> impl Iterator<Item = (DataIndex, MemoryIndex, Option<u64>, u64)> + '_ {
    let unit = script.units.get(number as usize).zip(script.info.instances.get(number as usize));
    unit.into_iter().flat_map(|(unit, instance)| {
        let declared = unit.original.as_ref().map_or(&[][..], |original| original.data());
        declared.iter().enumerate().filter_map(move |(at, segment)| {
            let DataKind::Active { memory, address } = &segment.kind else { return None };
            let address = address.value(|global| *unit.constants.get(global as usize)?);
            let memory = *instance.memories.get(memory.0 as usize)?;
            let index = DataIndex(unit.first_data.0.saturating_add(at as u32));
            Some((index, memory, address, segment.bytes.len() as u64))
        })
    })
}

/// The globals that an instance shows at the end: its own, in the program's numbers.
pub(super) fn shown_globals(
    script: &Script,
    number: u32,
    part: &Instrumented,
) -> impl Iterator<Item = (GlobalIndex, String)> {
    let imported = script.units.get(number as usize).map_or(0, |unit| unit.imported_globals);
    let first = script.info.instances.get(number as usize).map_or(0, |instance| instance.first_global.0);
    let own = part.globals.iter().filter(move |global| global.index.0 >= imported);
    own.map(move |global| (GlobalIndex(first.saturating_add(global.index.0)), global.export.clone()))
        .collect::<Vec<_>>()
        .into_iter()
}

/// What an engine's process is to do with the rewritten modules, and the files for it.
pub(super) fn job(script: &Script, rewritten: &Instrumented) -> (ScriptJob, Vec<JobFile>) {
    let mut files = Vec::new();
    let mut instances = Vec::new();
    for (number, part) in rewritten.parts.iter().enumerate() {
        let (unit, instance) = (&script.units[number], &script.info.instances[number]);
        let (original, module) = (format!("{number}.original.wasm"), format!("{number}.wasm"));
        files.push((original.clone(), script.module(instance.module).to_vec()));
        files.push((module.clone(), part.module.clone()));
        let own = |list: &[String], count: u32| list[list.len().saturating_sub(count as usize)..].to_vec();
        let memories: Vec<String> = part.memories.iter().map(|memory| memory.export.clone()).collect();
        let mut memories = own(&memories, unit.own_memories.1);
        memories.resize(unit.own_memories.1 as usize, String::new());
        instances.push(InstanceJob {
            original,
            module,
            stages_only: !is_run(unit, part),
            imports: imports(unit, instance),
            memories,
            globals: shown_globals(script, number as u32, part).map(|(_, export)| export).collect(),
            tables: own(&part.tables, unit.own_tables.1),
            has_start: part.has_start,
        });
    }
    let directives = script.info.directives.iter().map(|directive| match &directive.action {
        Action::Instantiate { instance } => DirectiveJob::Instantiate { instance: *instance },
        Action::Check { module } => {
            let name = format!("check-{module}.wasm");
            files.push((name.clone(), script.module(*module).to_vec()));
            DirectiveJob::Check { module: name }
        }
        Action::Get { instance, global } => DirectiveJob::Get { instance: *instance, global: global.clone() },
        Action::Call { instance, call } => {
            let value = |argument: &Argument| match argument {
                Argument::Value(value) => Some(value.clone()),
                Argument::Result(_) => None,
            };
            let arguments: Vec<WasmValue> = call.arguments.iter().filter_map(value).collect();
            let vectors = arguments.iter().any(|value| matches!(value, WasmValue::V128(_)));
            let call = ExportCall { function: call.function.clone(), arguments, vectors };
            DirectiveJob::Call { instance: *instance, call }
        }
    });
    let directives = directives.collect();
    (ScriptJob { instances, directives }, files)
}

fn imports(unit: &Unit, instance: &InstanceInfo) -> Vec<ImportJob> {
    let linked = unit.imports.iter().zip(&instance.imports).filter_map(|(names, link)| Some((names, link.as_ref()?)));
    linked
        .map(|((module, name), link)| ImportJob {
            module: module.clone(),
            name: name.clone(),
            instance: link.instance,
            export: link.export.clone(),
        })
        .collect()
}

/// Whether an instance of a module is made: it could be rewritten.
fn is_run(unit: &Unit, part: &Instrumented) -> bool {
    unit.original.as_ref().is_ok_and(|original| original.memories().len() == part.memories.len())
}
