//! What a module has already, by the numbers that additions to it need.

use crate::instrument::error::InstrumentError;
use forkpoint_traces::Call;
use std::collections::BTreeMap;
use wasmparser::{CompositeInnerType, ExternalKind, FuncType, Parser, Payload, TypeRef};

/// The module's items by kind, and its exported functions.
#[derive(Default)]
pub(super) struct There {
    pub(super) types: Vec<Option<FuncType>>,
    /// Type indices of all functions.
    pub(super) functions: Vec<u32>,
    pub(super) imported_functions: u32,
    pub(super) globals: u32,
    pub(super) tables: u32,
    pub(super) memories: Vec<bool>,
    pub(super) data: u32,
    pub(super) has_data_count: bool,
    pub(super) exports: BTreeMap<String, u32>,
    /// Where the first function body begins.
    pub(super) code: usize,
}

impl There {
    /// Reads a module's sections.
    pub(super) fn of(module: &[u8]) -> Result<There, InstrumentError> {
        let mut there = There::default();
        for payload in Parser::new(0).parse_all(module) {
            match payload? {
                Payload::TypeSection(section) => {
                    for group in section {
                        there.types.extend(group?.into_types().map(|ty| match ty.composite_type.inner {
                            CompositeInnerType::Func(ty) => Some(ty),
                            _ => None,
                        }));
                    }
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        match import?.ty {
                            TypeRef::Func(ty) | TypeRef::FuncExact(ty) => {
                                there.functions.push(ty);
                                there.imported_functions += 1;
                            }
                            TypeRef::Global(_) => there.globals += 1,
                            TypeRef::Memory(memory) => there.memories.push(memory.memory64),
                            TypeRef::Table(_) => there.tables += 1,
                            TypeRef::Tag(_) => {}
                        }
                    }
                }
                Payload::FunctionSection(section) => {
                    for ty in section {
                        there.functions.push(ty?);
                    }
                }
                Payload::MemorySection(section) => {
                    for memory in section {
                        there.memories.push(memory?.memory64);
                    }
                }
                Payload::TableSection(section) => there.tables += section.count(),
                Payload::GlobalSection(section) => there.globals += section.count(),
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export?;
                        if export.kind == ExternalKind::Func {
                            there.exports.insert(export.name.to_string(), export.index);
                        }
                    }
                }
                Payload::DataCountSection { .. } => there.has_data_count = true,
                Payload::DataSection(section) => there.data = section.count(),
                Payload::CodeSectionEntry(body) if there.code == 0 => there.code = body.range().start,
                _ => {}
            }
        }
        Ok(there)
    }

    /// The function that a call names, and its type.
    pub(super) fn callee(&self, call: &Call) -> Option<(u32, &FuncType)> {
        let function = *self.exports.get(&call.function)?;
        let ty = *self.functions.get(function as usize)?;
        Some((function, self.types.get(ty as usize)?.as_ref()?))
    }
}
