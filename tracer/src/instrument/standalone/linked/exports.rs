//! What a rewritten module exports, by name and type.

use crate::instrument::error::InstrumentError;
use crate::instrument::standalone::given::encoded;
use crate::instrument::{HOOK_IMPORT, IMPORT_MODULE, features};
use std::collections::HashMap;
use wasm_encoder::{HeapType, ValType};
use wasmparser::{
    BinaryReader, CompositeInnerType, ConstExpr, ExternalKind, FuncType, GlobalType, MemoryType, Parser, Payload,
    TableType, TypeRef,
};

/// The exports of a module.
#[derive(Default)]
pub(super) struct Exports {
    types: Vec<Option<FuncType>>,
    functions: Vec<u32>,
    memories: Vec<MemoryType>,
    tables: Vec<TableType>,
    globals: Vec<GlobalType>,
    exports: HashMap<String, (ExternalKind, u32)>,
    /// Whether it imports the hook.
    pub(super) hooked: bool,
}

impl Exports {
    pub(super) fn of(module: &[u8]) -> Result<Exports, InstrumentError> {
        let mut all = Exports::default();
        let mut parser = Parser::new(0);
        parser.set_features(features());
        for payload in parser.parse_all(module) {
            all.payload(payload?)?;
        }
        Ok(all)
    }

    fn payload(&mut self, payload: Payload<'_>) -> Result<(), InstrumentError> {
        match payload {
            Payload::TypeSection(section) => {
                for group in section {
                    self.types.extend(group?.types().map(|ty| match &ty.composite_type.inner {
                        CompositeInnerType::Func(ty) => Some(ty.clone()),
                        _ => None,
                    }));
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    self.hooked |= import.module == IMPORT_MODULE && import.name == HOOK_IMPORT;
                    match import.ty {
                        TypeRef::Func(ty) | TypeRef::FuncExact(ty) => self.functions.push(ty),
                        TypeRef::Memory(ty) => self.memories.push(ty),
                        TypeRef::Table(ty) => self.tables.push(ty),
                        TypeRef::Global(ty) => self.globals.push(ty),
                        TypeRef::Tag(_) => {}
                    }
                }
            }
            Payload::FunctionSection(section) => {
                for ty in section {
                    self.functions.push(ty?);
                }
            }
            Payload::TableSection(section) => {
                for table in section {
                    self.tables.push(table?.ty);
                }
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    self.memories.push(memory?);
                }
            }
            Payload::GlobalSection(section) => {
                for global in section {
                    self.globals.push(global?.ty);
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    self.exports.insert(export.name.to_string(), (export.kind, export.index));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn find(&self, kind: ExternalKind, name: &str) -> Option<usize> {
        self.exports.get(name).filter(|(found, _)| *found == kind).map(|(_, index)| *index as usize)
    }

    pub(super) fn function(&self, name: &str) -> Result<&FuncType, InstrumentError> {
        let found = self.find(ExternalKind::Func, name).and_then(|index| self.functions.get(index));
        found.and_then(|ty| self.types.get(*ty as usize)?.as_ref()).ok_or_else(|| missing("function", name))
    }

    /// Whether such a function is exported.
    pub(super) fn has_function(&self, name: &str) -> bool {
        self.find(ExternalKind::Func, name).is_some()
    }

    pub(super) fn global(&self, name: &str) -> Result<GlobalType, InstrumentError> {
        let found = self.find(ExternalKind::Global, name).and_then(|index| self.globals.get(index));
        let ty = *found.ok_or_else(|| missing("global", name))?;
        known(ty.content_type).map(|_| ty)
    }

    pub(super) fn table(&self, name: &str) -> Result<TableType, InstrumentError> {
        let found = self.find(ExternalKind::Table, name).and_then(|index| self.tables.get(index));
        let ty = *found.ok_or_else(|| missing("table", name))?;
        known(wasmparser::ValType::Ref(ty.element_type)).map(|_| ty)
    }

    pub(super) fn memory(&self, name: &str) -> Result<MemoryType, InstrumentError> {
        let found = self.find(ExternalKind::Memory, name).and_then(|index| self.memories.get(index));
        found.copied().ok_or_else(|| missing("memory", name))
    }
}

fn missing(what: &str, name: &str) -> InstrumentError {
    InstrumentError::Standalone { why: format!("no {what} is exported as `{}`", name.escape_debug()) }
}

/// A type that means the same in every module.
///
/// # Errors
/// When it is one of the module's own.
pub(super) fn known(ty: wasmparser::ValType) -> Result<ValType, InstrumentError> {
    match encoded(ty)? {
        ValType::Ref(reference) if matches!(reference.heap_type, HeapType::Concrete(_) | HeapType::Exact(_)) => {
            let why = "what is called or shown has a reference to a type of the module's own".to_string();
            Err(InstrumentError::Standalone { why })
        }
        ty => Ok(ty),
    }
}

/// An empty constant expression: of what is imported, nothing is initialized.
pub(super) fn constant_null() -> ConstExpr<'static> {
    ConstExpr::new(BinaryReader::new(&[0x0b], 0))
}
