//! What Node's side is told of the module that it is to record, in JSON.

use super::JavaScript;
use crate::host::answer::GuestFunctions;
use crate::host::function::HostFunction;
use crate::instrument::{Instrumented, START_EXPORT};
use crate::record::Program;
use forkpoint_traces::{Shape, Site, ValueType};
use serde::Serialize;
use wasmparser::ValType;

/// How a module is recorded. Names are those of the rewritten module's exports.
#[derive(Serialize)]
pub(super) struct Plan<'a> {
    /// The file of the rewritten module.
    module: &'a str,
    memories: Vec<&'a str>,
    /// Mutable globals, for the state at the end.
    globals: Vec<Global<'a>>,
    /// Those that JavaScript can set.
    set_globals: Vec<Global<'a>>,
    tables: &'a [String],
    /// Those whose elements JavaScript can set.
    set_tables: Vec<Table<'a>>,
    /// Those of JavaScript's own references.
    extern_tables: Vec<Table<'a>>,
    /// What JavaScript gives the module, in order: types of imported globals, and names of imported tables.
    given_globals: Vec<&'static str>,
    given_tables: Vec<&'a str>,
    /// The start function, which no longer runs by itself.
    start: Option<u32>,
    start_export: &'static str,
    imports: &'a [HostFunction],
    /// For each site what it writes: the memory, what is added to its first operand, and how many bytes; 0 where that is its
    /// last operand.
    sites: Vec<Option<(u32, u64, u32)>>,
    /// Whether the module can catch what an import throws.
    catches: bool,
    /// Functions that neither read nor write memory.
    blind: Vec<u32>,
    functions: GuestFunctions,
    /// By how much indices of defined functions are larger than in the original module.
    shift: u32,
}

#[derive(Serialize)]
struct Global<'a> {
    index: u32,
    export: &'a str,
    #[serde(rename = "type")]
    ty: &'static str,
}

#[derive(Serialize)]
struct Table<'a> {
    index: u32,
    export: &'a str,
}

impl<'a> Plan<'a> {
    /// The plan for `rewritten`, which is in the file `module`.
    pub(super) fn new(
        program: &'a Program,
        javascript: &JavaScript,
        rewritten: &'a Instrumented,
        module: &'a str,
    ) -> Plan<'a> {
        let settable: Vec<u32> = javascript.reach.globals().collect();
        let globals = || {
            rewritten.globals.iter().map(|global| Global {
                index: global.index.0,
                export: &global.export,
                ty: match global.ty {
                    ValueType::I32 => "I32",
                    ValueType::I64 => "I64",
                    ValueType::F32 => "F32",
                    _ => "F64",
                },
            })
        };
        let table = |index| Some(Table { index, export: rewritten.tables.get(index as usize)? });
        let given_tables = javascript.reach.imported_tables.keys();
        let given_tables = given_tables.filter_map(|index| Some(rewritten.tables.get(*index as usize)?.as_str()));
        Plan {
            module,
            memories: rewritten.memories.iter().map(|memory| memory.export.as_str()).collect(),
            globals: globals().collect(),
            set_globals: globals().filter(|global| settable.contains(&global.index)).collect(),
            tables: &rewritten.tables,
            set_tables: javascript.reach.tables().filter_map(table).collect(),
            extern_tables: javascript.reach.extern_tables().filter_map(table).collect(),
            given_globals: javascript.reach.imported_globals.values().map(word).collect(),
            given_tables: given_tables.collect(),
            start: javascript.reach.start,
            start_export: START_EXPORT,
            imports: &program.host_functions,
            sites: rewritten.sites.iter().map(written).collect(),
            catches: javascript.reach.catches,
            blind: javascript.reach.blind.iter().copied().collect(),
            functions: javascript.guests(),
            shift: u32::from(rewritten.records),
        }
    }
}

/// A number's type in the recorder's JSON.
fn word(ty: &ValType) -> &'static str {
    match ty {
        ValType::I32 => "I32",
        ValType::I64 => "I64",
        ValType::F32 => "F32",
        _ => "F64",
    }
}

/// Where an instruction writes.
fn written(site: &Site) -> Option<(u32, u64, u32)> {
    let width = match site.op.shape() {
        Shape::Store { width, .. } | Shape::Rmw { width, .. } | Shape::Lane { width } => u32::from(width),
        Shape::Fill | Shape::Copy | Shape::Init => 0,
        Shape::Grow | Shape::Drop => return None,
    };
    Some((site.memory.0, site.static_offset, width))
}
