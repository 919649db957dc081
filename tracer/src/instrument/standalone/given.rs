//! The module that a standalone one is made of, by its sections.

use crate::instrument::error::InstrumentError;
use crate::instrument::{HOOK_IMPORT, IMPORT_MODULE, features};
use std::collections::BTreeMap;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasmparser::{
    CompositeInnerType, Data, Element, ExternalKind, FuncType, FunctionBody, Global, MemoryType, Parser, Payload,
    RecGroup, Table, TagType, TypeRef,
};

/// A module's declarations and code.
#[derive(Default)]
pub(super) struct Given<'m> {
    pub(super) groups: Vec<RecGroup>,
    /// Each type as a function's, if it is one.
    pub(super) types: Vec<Option<FuncType>>,
    /// Names and types of imported functions.
    pub(super) imported: Vec<(String, String, u32)>,
    /// Types of defined functions.
    pub(super) functions: Vec<u32>,
    /// All memories, those that were imported first.
    pub(super) memories: Vec<MemoryType>,
    pub(super) tables: Vec<Table<'m>>,
    pub(super) globals: Vec<Global<'m>>,
    pub(super) tags: Vec<TagType>,
    pub(super) exports: BTreeMap<String, (ExternalKind, u32)>,
    pub(super) elements: Vec<Element<'m>>,
    pub(super) data: Vec<Data<'m>>,
    pub(super) counts_data: bool,
    pub(super) bodies: Vec<FunctionBody<'m>>,
}

impl<'m> Given<'m> {
    /// Reads a rewritten module, which has no start function.
    pub(super) fn read(module: &'m [u8]) -> Result<Given<'m>, InstrumentError> {
        let mut given = Given::default();
        let mut parser = Parser::new(0);
        parser.set_features(features());
        for payload in parser.parse_all(module) {
            given.payload(payload?)?;
        }
        Ok(given)
    }

    fn payload(&mut self, payload: Payload<'m>) -> Result<(), InstrumentError> {
        match payload {
            Payload::TypeSection(section) => {
                for group in section {
                    let group = group?;
                    self.types.extend(group.types().map(|ty| match &ty.composite_type.inner {
                        CompositeInnerType::Func(ty) => Some(ty.clone()),
                        _ => None,
                    }));
                    self.groups.push(group);
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    let what = match import.ty {
                        TypeRef::Func(ty) | TypeRef::FuncExact(ty) => {
                            self.imported.push((import.module.to_string(), import.name.to_string(), ty));
                            continue;
                        }
                        TypeRef::Memory(memory) => {
                            self.memories.push(memory);
                            continue;
                        }
                        TypeRef::Table(_) => "table",
                        TypeRef::Global(_) => "global",
                        TypeRef::Tag(_) => "tag",
                    };
                    return Err(InstrumentError::Standalone {
                        why: format!("it imports the {what} {}.{}", import.module, import.name),
                    });
                }
            }
            Payload::FunctionSection(section) => self.functions = section.into_iter().collect::<Result<_, _>>()?,
            Payload::TableSection(section) => self.tables = section.into_iter().collect::<Result<_, _>>()?,
            Payload::MemorySection(section) => {
                for memory in section {
                    self.memories.push(memory?);
                }
            }
            Payload::TagSection(section) => self.tags = section.into_iter().collect::<Result<_, _>>()?,
            Payload::GlobalSection(section) => self.globals = section.into_iter().collect::<Result<_, _>>()?,
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    self.exports.insert(export.name.to_string(), (export.kind, export.index));
                }
            }
            Payload::ElementSection(section) => self.elements = section.into_iter().collect::<Result<_, _>>()?,
            Payload::DataCountSection { .. } => self.counts_data = true,
            Payload::DataSection(section) => self.data = section.into_iter().collect::<Result<_, _>>()?,
            Payload::CodeSectionEntry(body) => self.bodies.push(body),
            _ => {}
        }
        Ok(())
    }

    /// The index of what is exported under a name.
    pub(super) fn export(&self, name: &str, kind: ExternalKind) -> Option<u32> {
        self.exports.get(name).filter(|(found, _)| *found == kind).map(|(_, index)| *index)
    }

    /// The type of a function, by its index.
    pub(super) fn signature(&self, function: u32) -> Option<&FuncType> {
        let function = function as usize;
        let ty = match self.imported.get(function) {
            Some((_, _, ty)) => *ty,
            None => *self.functions.get(function - self.imported.len())?,
        };
        self.types.get(ty as usize)?.as_ref()
    }

    /// Exported functions: code may refer to them because they are exported.
    pub(super) fn exported_functions(&self) -> Vec<u32> {
        let functions = self.exports.values().filter(|(kind, _)| *kind == ExternalKind::Func);
        let mut functions: Vec<u32> = functions.map(|(_, index)| *index).collect();
        functions.sort_unstable();
        functions.dedup();
        functions
    }
}

/// Whether an imported function is the hook.
pub(super) fn is_hook((module, name, _): &(String, String, u32)) -> bool {
    module == IMPORT_MODULE && name == HOOK_IMPORT
}

/// A type in the encoder's form.
pub(super) fn encoded(ty: wasmparser::ValType) -> Result<wasm_encoder::ValType, InstrumentError> {
    Ok(RoundtripReencoder.val_type(ty)?)
}
