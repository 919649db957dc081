//! Writes the part of a module that is needed.

use super::{Space, Stubs, Used};
use crate::reduce::error::EditError;
use crate::reduce::parts::Parts;
use wasm_encoder::reencode::Reencode;
use wasm_encoder::{
    CodeSection, DataCountSection, DataSection, ElementSection, ExportSection, FunctionSection, GlobalSection,
    ImportSection, MemorySection, Module, StartSection, TableSection, TagSection, TypeSection,
};
use wasmparser::{BinaryReader, FunctionBody, TypeRef};

/// Writes what is marked.
pub(super) fn write(parts: &Parts<'_>, stubs: &Stubs, used: &mut Used) -> Result<Vec<u8>, EditError> {
    let mut module = Module::new();
    let mut types = TypeSection::new();
    let mut number = 0;
    for group in &parts.types {
        let count = group.types().len() as u32;
        if (number..number + count).any(|ty| used.has(Space::Type, ty)) {
            used.parse_recursive_type_group(types.ty(), group.clone())?;
        }
        number += count;
    }
    if !types.is_empty() {
        module.section(&types);
    }

    let imported = parts.imported_functions();
    let (mut imports, mut function) = (ImportSection::new(), 0);
    for import in &parts.imports {
        if matches!(import.ty, TypeRef::Func(_) | TypeRef::FuncExact(_)) {
            function += 1;
            if !used.has(Space::Function, function - 1) || stubs.contains_key(&(function - 1)) {
                continue;
            }
        }
        used.parse_import(&mut imports, *import)?;
    }
    if !imports.is_empty() {
        module.section(&imports);
    }

    let (mut functions, mut code) = (FunctionSection::new(), CodeSection::new());
    for (number, (ty, body)) in (imported.len() as u32..).zip(parts.functions.iter().zip(&parts.bodies)) {
        if used.has(Space::Function, number) {
            functions.function(used.index(Space::Type, *ty));
            used.parse_function_body(&mut code, body.clone())?;
        }
    }
    for (number, stub) in stubs {
        if let Some(ty) = imported.get(*number as usize).filter(|_| used.has(Space::Function, *number)) {
            functions.function(used.index(Space::Type, *ty));
            used.parse_function_body(&mut code, FunctionBody::new(BinaryReader::new(stub, 0)))?;
        }
    }
    if !functions.is_empty() {
        module.section(&functions);
    }

    let mut tables = TableSection::new();
    for (number, table) in (parts.imported(|ty| matches!(ty, TypeRef::Table(_)))..).zip(&parts.tables) {
        if used.has(Space::Table, number) {
            used.parse_table(&mut tables, table.clone())?;
        }
    }
    if !tables.is_empty() {
        module.section(&tables);
    }
    let mut memories = MemorySection::new();
    for (number, memory) in (parts.imported(|ty| matches!(ty, TypeRef::Memory(_)))..).zip(&parts.memories) {
        if used.has(Space::Memory, number) {
            memories.memory(used.memory_type(*memory)?);
        }
    }
    if !memories.is_empty() {
        module.section(&memories);
    }
    let mut tags = TagSection::new();
    for (number, tag) in (parts.imported(|ty| matches!(ty, TypeRef::Tag(_)))..).zip(&parts.tags) {
        if used.has(Space::Tag, number) {
            tags.tag(used.tag_type(*tag)?);
        }
    }
    if !tags.is_empty() {
        module.section(&tags);
    }
    let mut globals = GlobalSection::new();
    for (number, global) in (parts.imported(|ty| matches!(ty, TypeRef::Global(_)))..).zip(&parts.globals) {
        if used.has(Space::Global, number) {
            used.parse_global(&mut globals, global.clone())?;
        }
    }
    if !globals.is_empty() {
        module.section(&globals);
    }
    let mut exports = ExportSection::new();
    for export in &parts.exports {
        used.parse_export(&mut exports, *export)?;
    }
    if !exports.is_empty() {
        module.section(&exports);
    }
    if let Some(start) = parts.start {
        module.section(&StartSection { function_index: used.index(Space::Function, start) });
    }
    let mut elements = ElementSection::new();
    for (number, element) in (0..).zip(&parts.elements) {
        if used.has(Space::Element, number) {
            used.parse_element(&mut elements, element.clone())?;
        }
    }
    if !elements.is_empty() {
        module.section(&elements);
    }
    let mut data = DataSection::new();
    for (number, segment) in (0..).zip(&parts.data) {
        if used.has(Space::Data, number) {
            used.parse_data(&mut data, segment.clone())?;
        }
    }
    if parts.counts_data && !data.is_empty() {
        module.section(&DataCountSection { count: data.len() });
    }
    if !functions.is_empty() {
        module.section(&code);
    }
    if !data.is_empty() {
        module.section(&data);
    }
    Ok(module.finish())
}
