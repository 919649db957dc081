//! What a module imports and exports, by name and type.

use super::types;
use crate::error::RecordError;
use crate::instrument::EXPORT_PREFIX;
use forkpoint_traces::Import;
use std::collections::BTreeMap;
use wasmparser::{CompositeInnerType, ExternalKind, FuncType, MemoryType, Parser, Payload, TypeRef, ValType};

/// What a module imports and exports. Means nothing for a module that turns out not to be valid.
pub(super) struct Interface {
    pub(super) imports: Vec<Needed>,
    pub(super) exports: BTreeMap<String, Option<FuncType>>,
    /// Exported functions by index; of several names the first.
    pub(super) functions: BTreeMap<u32, String>,
    pub(super) wasi_memory: Option<u32>,
    /// The size in bytes that the first memory has at first.
    pub(super) memory_bytes: Option<u64>,
}

/// What a module needs from outside.
pub(super) struct Needed {
    pub(super) import: Import,
    /// Its type in words.
    pub(super) ty: String,
    pub(super) kind: NeededKind,
}

impl Needed {
    /// Whether it is a function with this many parameters and results, all of them integers.
    pub(super) fn is_function_of_integers(&self, (parameters, results): (usize, usize)) -> bool {
        let NeededKind::Function(Some(ty)) = &self.kind else { return false };
        let mut types = ty.params().iter().chain(ty.results());
        (ty.params().len(), ty.results().len()) == (parameters, results)
            && types.all(|ty| matches!(ty, ValType::I32 | ValType::I64))
    }
}

pub(super) enum NeededKind {
    Function(Option<FuncType>),
    Memory,
    Other,
}

impl Interface {
    pub(super) fn of(module: &[u8]) -> Interface {
        let mut types: Vec<Option<FuncType>> = Vec::new();
        let mut functions: Vec<u32> = Vec::new();
        let mut interface = Interface {
            imports: Vec::new(),
            exports: BTreeMap::new(),
            functions: BTreeMap::new(),
            wasi_memory: None,
            memory_bytes: None,
        };
        // In a valid module every section reads without error; for others the validator's answer is what counts.
        for payload in Parser::new(0).parse_all(module).filter_map(Result::ok) {
            match payload {
                Payload::TypeSection(section) => {
                    for group in section.into_iter().filter_map(Result::ok) {
                        types.extend(group.into_types().map(|ty| match ty.composite_type.inner {
                            CompositeInnerType::Func(ty) => Some(ty),
                            _ => None,
                        }));
                    }
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports().filter_map(Result::ok) {
                        if let TypeRef::Func(ty) | TypeRef::FuncExact(ty) = import.ty {
                            functions.push(ty);
                        }
                        let ty = types::import(import.ty, |ty| types.get(ty as usize)?.as_ref());
                        let kind = match import.ty {
                            TypeRef::Func(ty) | TypeRef::FuncExact(ty) => {
                                NeededKind::Function(types.get(ty as usize).cloned().flatten())
                            }
                            TypeRef::Memory(memory) => {
                                interface.memory_bytes.get_or_insert(bytes(memory));
                                NeededKind::Memory
                            }
                            _ => NeededKind::Other,
                        };
                        let import = Import { module: import.module.to_string(), name: import.name.to_string() };
                        interface.imports.push(Needed { import, ty, kind });
                    }
                }
                Payload::MemorySection(section) => {
                    for memory in section.into_iter().filter_map(Result::ok) {
                        interface.memory_bytes.get_or_insert(bytes(memory));
                    }
                }
                Payload::FunctionSection(section) => {
                    functions.extend(section.into_iter().filter_map(Result::ok));
                }
                Payload::ExportSection(section) => {
                    for export in section.into_iter().filter_map(Result::ok) {
                        if export.kind == ExternalKind::Memory && export.name == "memory" {
                            interface.wasi_memory = Some(export.index);
                        }
                        if export.kind == ExternalKind::Func {
                            interface.functions.entry(export.index).or_insert_with(|| export.name.to_string());
                        }
                        let ty = (export.kind == ExternalKind::Func)
                            .then(|| functions.get(export.index as usize))
                            .flatten()
                            .and_then(|ty| types.get(*ty as usize).cloned().flatten());
                        interface.exports.insert(export.name.to_string(), ty);
                    }
                }
                // Names win over exports: they are the author's own.
                Payload::CustomSection(section) => {
                    let names = crate::instrument::names::functions(&section);
                    interface.functions.extend(names.map(|(index, name)| (index, name.to_string())));
                }
                _ => {}
            }
        }
        interface
    }

    /// The functions that can be called, as the end of an error message.
    pub(super) fn callable(&self) -> String {
        let names: Vec<String> = self
            .exports
            .iter()
            .filter(|(name, ty)| ty.is_some() && !name.starts_with(EXPORT_PREFIX))
            .map(|(name, _)| name.escape_debug().to_string())
            .take(20)
            .collect();
        match names.as_slice() {
            [] => "; it exports no function at all".to_string(),
            names => format!("; it exports {}", names.join(", ")),
        }
    }

    /// The type of an exported function.
    pub(super) fn function(&self, name: &str) -> Result<&FuncType, RecordError> {
        self.exports.get(name).and_then(Option::as_ref).ok_or_else(|| RecordError::NoSuchExport {
            name: name.escape_debug().to_string(),
            exports: self.callable(),
        })
    }
}

/// The size in bytes that a memory has at first.
fn bytes(memory: MemoryType) -> u64 {
    memory.initial.saturating_mul(1u64.checked_shl(memory.page_size_log2.unwrap_or(16)).unwrap_or(1 << 16))
}
