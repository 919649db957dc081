//! A module's entries by section, as the parser gives them.

use super::error::EditError;
use wasmparser::{
    Data, Element, Export, FunctionBody, Global, Import, MemoryType, Parser, Payload, RecGroup, Table, TagType,
    TypeRef,
};

/// Everything in a module but its custom sections.
#[derive(Default)]
pub(super) struct Parts<'a> {
    pub types: Vec<RecGroup>,
    pub imports: Vec<Import<'a>>,
    /// Type indices of the functions that the module defines.
    pub functions: Vec<u32>,
    pub tables: Vec<Table<'a>>,
    pub memories: Vec<MemoryType>,
    pub tags: Vec<TagType>,
    pub globals: Vec<Global<'a>>,
    pub exports: Vec<Export<'a>>,
    pub start: Option<u32>,
    pub elements: Vec<Element<'a>>,
    pub counts_data: bool,
    pub bodies: Vec<FunctionBody<'a>>,
    pub data: Vec<Data<'a>>,
}

impl<'a> Parts<'a> {
    /// The parts of a binary module.
    pub fn of(module: &'a [u8]) -> Result<Parts<'a>, EditError> {
        let mut parts = Parts::default();
        for payload in Parser::new(0).parse_all(module) {
            match payload? {
                Payload::TypeSection(reader) => parts.types = reader.into_iter().collect::<Result<_, _>>()?,
                Payload::ImportSection(reader) => {
                    parts.imports = reader.into_imports().collect::<Result<_, _>>()?;
                }
                Payload::FunctionSection(reader) => parts.functions = reader.into_iter().collect::<Result<_, _>>()?,
                Payload::TableSection(reader) => parts.tables = reader.into_iter().collect::<Result<_, _>>()?,
                Payload::MemorySection(reader) => parts.memories = reader.into_iter().collect::<Result<_, _>>()?,
                Payload::TagSection(reader) => parts.tags = reader.into_iter().collect::<Result<_, _>>()?,
                Payload::GlobalSection(reader) => parts.globals = reader.into_iter().collect::<Result<_, _>>()?,
                Payload::ExportSection(reader) => parts.exports = reader.into_iter().collect::<Result<_, _>>()?,
                Payload::StartSection { func, .. } => parts.start = Some(func),
                Payload::ElementSection(reader) => parts.elements = reader.into_iter().collect::<Result<_, _>>()?,
                Payload::DataCountSection { .. } => parts.counts_data = true,
                Payload::CodeSectionEntry(body) => parts.bodies.push(body),
                Payload::DataSection(reader) => parts.data = reader.into_iter().collect::<Result<_, _>>()?,
                _ => {}
            }
        }
        Ok(parts)
    }

    /// Type indices of imported functions.
    pub fn imported_functions(&self) -> Vec<u32> {
        let types = self.imports.iter().filter_map(|import| match import.ty {
            TypeRef::Func(ty) | TypeRef::FuncExact(ty) => Some(ty),
            _ => None,
        });
        types.collect()
    }

    /// How many imports there are of a kind.
    pub fn imported(&self, kind: impl Fn(&TypeRef) -> bool) -> u32 {
        self.imports.iter().filter(|import| kind(&import.ty)).count() as u32
    }

    /// The type of a function, by its index.
    pub fn type_of(&self, function: u32) -> Option<u32> {
        let imported = self.imported_functions();
        let function = function as usize;
        imported.get(function).or_else(|| self.functions.get(function - imported.len())).copied()
    }

    /// A function type, by its index.
    pub fn func_type(&self, index: u32) -> Option<&wasmparser::FuncType> {
        let ty = self.types.iter().flat_map(RecGroup::types).nth(index as usize)?;
        match &ty.composite_type.inner {
            wasmparser::CompositeInnerType::Func(ty) => Some(ty),
            _ => None,
        }
    }
}
