//! Takes out of a module what nothing refers to any more, and replaces imported functions.

mod write;

use super::error::EditError;
use super::parts::Parts;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use wasm_encoder::reencode::{Error, Reencode};
use wasm_encoder::{CodeSection, DataSection, ElementSection, GlobalSection, TableSection};
use wasmparser::{BinaryReader, DataKind, ElementKind, FunctionBody, RecGroup, TypeRef};

/// What an index counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Space {
    Type,
    Function,
    Table,
    Memory,
    Global,
    Tag,
    Data,
    Element,
}

const SPACES: usize = 8;

/// Bodies of functions that replace imported ones, by the import's number among imported functions.
pub(super) type Stubs = BTreeMap<u32, Vec<u8>>;

/// Whether memories, and their data, stay although no code refers to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Memories {
    /// They stay.
    Stay,
    /// They go.
    Go,
}

/// The module without what its exports and its start function do not need, nor what these do. Imported functions that have
/// a stub become functions of the module.
pub(super) fn pruned(module: &[u8], stubs: &Stubs, memories: Memories) -> Result<Vec<u8>, EditError> {
    let parts = Parts::of(module)?;
    let mut used = Used::default();
    if memories == Memories::Stay {
        let imported = parts.imported(|ty| matches!(ty, TypeRef::Memory(_)));
        (0..imported + parts.memories.len() as u32).for_each(|memory| {
            used.index(Space::Memory, memory);
        });
    }
    used.mark_all(&parts, stubs)?;
    used.renumber(&parts, stubs);
    write::write(&parts, stubs, &mut used)
}

/// What is needed, and afterwards its new indices.
#[derive(Default)]
struct Used {
    marked: [BTreeSet<u32>; SPACES],
    todo: Vec<(Space, u32)>,
    renumbered: Option<[BTreeMap<u32, u32>; SPACES]>,
}

impl Used {
    /// Marks an index, or gives the new one.
    fn index(&mut self, space: Space, index: u32) -> u32 {
        if let Some(renumbered) = &self.renumbered {
            // What was not marked is not written, either.
            return renumbered[space as usize].get(&index).copied().unwrap_or(index);
        }
        if self.marked[space as usize].insert(index) {
            self.todo.push((space, index));
        }
        index
    }

    fn has(&self, space: Space, index: u32) -> bool {
        self.marked[space as usize].contains(&index)
    }

    fn mark_all(&mut self, parts: &Parts<'_>, stubs: &Stubs) -> Result<(), EditError> {
        for export in &parts.exports {
            self.mark_external(export.kind, export.index);
        }
        if let Some(start) = parts.start {
            self.index(Space::Function, start);
        }
        if !simple(&parts.types) {
            (0..parts.types.iter().map(|group| group.types().len() as u32).sum()).for_each(|ty| {
                self.marked[Space::Type as usize].insert(ty);
            });
        }
        // Whatever else is imported decides whether the module can be instantiated.
        let mut counts = [0; SPACES];
        for import in &parts.imports {
            let space = match import.ty {
                TypeRef::Func(_) | TypeRef::FuncExact(_) => Space::Function,
                TypeRef::Table(_) => Space::Table,
                TypeRef::Memory(_) => Space::Memory,
                TypeRef::Global(_) => Space::Global,
                TypeRef::Tag(_) => Space::Tag,
            };
            if space != Space::Function {
                self.index(space, counts[space as usize]);
                self.entity_type(import.ty)?;
            }
            counts[space as usize] += 1;
        }
        while let Some((space, index)) = self.todo.pop() {
            self.mark_from(parts, stubs, space, index)?;
        }
        Ok(())
    }

    fn mark_external(&mut self, kind: wasmparser::ExternalKind, index: u32) {
        let space = match kind {
            wasmparser::ExternalKind::Func | wasmparser::ExternalKind::FuncExact => Space::Function,
            wasmparser::ExternalKind::Table => Space::Table,
            wasmparser::ExternalKind::Memory => Space::Memory,
            wasmparser::ExternalKind::Global => Space::Global,
            wasmparser::ExternalKind::Tag => Space::Tag,
        };
        self.index(space, index);
    }

    /// Marks what an entry refers to.
    fn mark_from(&mut self, parts: &Parts<'_>, stubs: &Stubs, space: Space, index: u32) -> Result<(), EditError> {
        let own = |imported: u32| index.checked_sub(imported).map(|number| number as usize);
        match space {
            Space::Type => {
                if let Some(ty) = parts.types.iter().flat_map(RecGroup::types).nth(index as usize) {
                    self.sub_type(ty.clone())?;
                }
            }
            Space::Function => {
                if let Some(ty) = parts.type_of(index) {
                    self.index(Space::Type, ty);
                }
                let imported = parts.imported_functions().len() as u32;
                if let Some(body) = own(imported).and_then(|number| parts.bodies.get(number)) {
                    self.parse_function_body(&mut CodeSection::new(), body.clone())?;
                } else if let Some(stub) = stubs.get(&index) {
                    let body = FunctionBody::new(BinaryReader::new(stub, 0));
                    self.parse_function_body(&mut CodeSection::new(), body)?;
                }
            }
            Space::Table => {
                let imported = parts.imported(|ty| matches!(ty, TypeRef::Table(_)));
                if let Some(table) = own(imported).and_then(|number| parts.tables.get(number)) {
                    self.parse_table(&mut TableSection::new(), table.clone())?;
                }
                for (number, element) in (0..).zip(&parts.elements) {
                    if matches!(element.kind, ElementKind::Active { table_index, .. } if table_index.unwrap_or(0) == index)
                    {
                        self.index(Space::Element, number);
                    }
                }
            }
            Space::Memory => {
                for (number, data) in (0..).zip(&parts.data) {
                    if matches!(data.kind, DataKind::Active { memory_index, .. } if memory_index == index)
                        && !data.data.is_empty()
                    {
                        self.index(Space::Data, number);
                    }
                }
            }
            Space::Global => {
                let imported = parts.imported(|ty| matches!(ty, TypeRef::Global(_)));
                if let Some(global) = own(imported).and_then(|number| parts.globals.get(number)) {
                    self.parse_global(&mut GlobalSection::new(), global.clone())?;
                }
            }
            Space::Tag => {
                let imported = parts.imported(|ty| matches!(ty, TypeRef::Tag(_)));
                if let Some(tag) = own(imported).and_then(|number| parts.tags.get(number)) {
                    self.index(Space::Type, tag.func_type_idx);
                }
            }
            Space::Data => {
                if let Some(data) = parts.data.get(index as usize) {
                    self.parse_data(&mut DataSection::new(), data.clone())?;
                }
            }
            Space::Element => {
                if let Some(element) = parts.elements.get(index as usize) {
                    self.parse_element(&mut ElementSection::new(), element.clone())?;
                }
            }
        }
        Ok(())
    }

    /// Gives everything marked its new index.
    fn renumber(&mut self, parts: &Parts<'_>, stubs: &Stubs) {
        let mut renumbered: [BTreeMap<u32, u32>; SPACES] = Default::default();
        for (space, marked) in self.marked.iter().enumerate() {
            renumbered[space] = marked.iter().copied().zip(0..).collect();
        }
        // Imports first, then what the module defines, then what replaces imports.
        let imported = parts.imported_functions().len() as u32;
        let rank = |index: &u32| match (*index < imported, stubs.contains_key(index)) {
            (true, true) => (2, *index),
            (true, false) => (0, *index),
            (false, _) => (1, *index),
        };
        let mut functions: Vec<u32> = self.marked[Space::Function as usize].iter().copied().collect();
        functions.sort_by_key(rank);
        renumbered[Space::Function as usize] = functions.into_iter().zip(0..).collect();
        self.renumbered = Some(renumbered);
    }
}

impl Reencode for Used {
    type Error = Infallible;

    fn type_index(&mut self, index: u32) -> Result<u32, Error> {
        Ok(self.index(Space::Type, index))
    }
    fn function_index(&mut self, index: u32) -> Result<u32, Error> {
        Ok(self.index(Space::Function, index))
    }
    fn table_index(&mut self, index: u32) -> Result<u32, Error> {
        Ok(self.index(Space::Table, index))
    }
    fn memory_index(&mut self, index: u32) -> Result<u32, Error> {
        Ok(self.index(Space::Memory, index))
    }
    fn global_index(&mut self, index: u32) -> Result<u32, Error> {
        Ok(self.index(Space::Global, index))
    }
    fn tag_index(&mut self, index: u32) -> Result<u32, Error> {
        Ok(self.index(Space::Tag, index))
    }
    fn data_index(&mut self, index: u32) -> Result<u32, Error> {
        Ok(self.index(Space::Data, index))
    }
    fn element_index(&mut self, index: u32) -> Result<u32, Error> {
        Ok(self.index(Space::Element, index))
    }
}

/// Whether all types are of functions, and none refers to another or stands in a group: then some can be left out.
fn simple(types: &[RecGroup]) -> bool {
    types.iter().all(|group| {
        !group.is_explicit_rec_group()
            && group.types().all(|ty| {
                let is_function = matches!(ty.composite_type.inner, wasmparser::CompositeInnerType::Func(_));
                is_function && ty.supertype_idx.is_none()
            })
    })
}
