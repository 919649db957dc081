//! Imports that are no functions and no memories, turned into definitions of the module itself.
//!
//! A program that lives in JavaScript imports globals, tables and tags that it made. When its recording runs elsewhere, nobody
//! has them, and no two engines are given them in the same way. So the module defines them, with what is known of
//! them: what globals were, and how large tables were. Imports come first in every index space, and become the first
//! definitions, so no index changes. A constant expression may refer only to an imported global: it gets the value instead.

use super::error::InstrumentError;
use super::features;
use super::layout::{ORDER, rank, section_id};
use forkpoint_traces::WasmValue;
use std::collections::BTreeMap;
use std::convert::Infallible;
use wasm_encoder::reencode::{self, Reencode, RoundtripReencoder};
use wasm_encoder::{
    ConstExpr, DataSection, ElementSection, GlobalSection, HeapType, Ieee32, Ieee64, ImportSection, Instruction,
    RawSection, Section as _, SectionId, TableSection, TagSection,
};
use wasmparser::{
    BinaryReader, DataSectionReader, ElementSectionReader, GlobalSectionReader, ImportSectionReader, Operator,
    Parser, Payload, TableSectionReader, TagSectionReader, TypeRef,
};

/// What JavaScript gave a module at its instantiation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Given {
    /// What imported globals were, by index.
    pub(crate) globals: BTreeMap<u32, WasmValue>,
    /// How many elements imported tables had, by index.
    pub(crate) tables: BTreeMap<u32, u64>,
}

impl Given {
    /// The value of a global as an address.
    pub(crate) fn address(&self, global: u32) -> Option<u64> {
        match self.globals.get(&global)? {
            WasmValue::I32(value) => Some(u64::from(*value as u32)),
            WasmValue::I64(value) => Some(*value as u64),
            _ => None,
        }
    }
}

/// Turns all imported globals, tables and tags of a valid module into definitions. Also returns by how many bytes the code
/// begins later.
pub(super) fn settle(module: &[u8], given: &Given) -> Result<(Vec<u8>, i64), InstrumentError> {
    let mut settling = Settling { given, first: Firsts::default(), out: module[..module.len().min(8)].to_vec() };
    let (mut next, mut code) = (0, (0, 0));
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload?;
        if let Payload::CodeSectionStart { range, .. } = &payload {
            code.0 = range.start;
        }
        let Some((number, range)) = payload.as_section() else { continue };
        let Some(id) = section_id(number) else {
            RawSection { id: SectionId::Custom as u8, data: &module[range] }.append_to(&mut settling.out);
            continue;
        };
        for missing in ORDER.iter().take(rank(id)).skip(next) {
            settling.section(*missing, None)?;
        }
        next = rank(id) + 1;
        settling.section(id, Some(BinaryReader::new_features(&module[range.clone()], range.start, features())))?;
        if id == SectionId::Code {
            code.1 = settling.out.len() - range.len();
        }
    }
    for missing in ORDER.iter().skip(next) {
        settling.section(*missing, None)?;
    }
    Ok((settling.out, code.1 as i64 - code.0 as i64))
}

/// What was imported, as the first entries of the sections that define it.
#[derive(Default)]
struct Firsts {
    tables: TableSection,
    tags: TagSection,
    globals: GlobalSection,
}

struct Settling<'a> {
    given: &'a Given,
    first: Firsts,
    out: Vec<u8>,
}

impl Settling<'_> {
    /// Writes a section; `contents` are those of the module, if it has it.
    fn section(&mut self, id: SectionId, contents: Option<BinaryReader<'_>>) -> Result<(), InstrumentError> {
        let mut values = Values(&self.given.globals);
        match (id, contents) {
            (SectionId::Import, Some(contents)) => self.imports(ImportSectionReader::new(contents)?)?,
            (SectionId::Table, contents) => {
                let mut section = std::mem::take(&mut self.first.tables);
                if let Some(contents) = contents {
                    values.parse_table_section(&mut section, TableSectionReader::new(contents)?)?;
                }
                append(section.len(), &section, &mut self.out);
            }
            (SectionId::Tag, contents) => {
                let mut section = std::mem::take(&mut self.first.tags);
                if let Some(contents) = contents {
                    values.parse_tag_section(&mut section, TagSectionReader::new(contents)?)?;
                }
                append(section.len(), &section, &mut self.out);
            }
            (SectionId::Global, contents) => {
                let mut section = std::mem::take(&mut self.first.globals);
                if let Some(contents) = contents {
                    values.parse_global_section(&mut section, GlobalSectionReader::new(contents)?)?;
                }
                append(section.len(), &section, &mut self.out);
            }
            (SectionId::Element, Some(contents)) => {
                let mut section = ElementSection::new();
                values.parse_element_section(&mut section, ElementSectionReader::new(contents)?)?;
                section.append_to(&mut self.out);
            }
            (SectionId::Data, Some(contents)) => {
                let mut section = DataSection::new();
                values.parse_data_section(&mut section, DataSectionReader::new(contents)?)?;
                section.append_to(&mut self.out);
            }
            (id, Some(contents)) => {
                let mut contents = contents;
                let data = contents.read_bytes(contents.bytes_remaining())?;
                RawSection { id: id as u8, data }.append_to(&mut self.out);
            }
            (_, None) => {}
        }
        Ok(())
    }

    fn imports(&mut self, reader: ImportSectionReader<'_>) -> Result<(), InstrumentError> {
        let mut section = ImportSection::new();
        let (mut globals, mut tables) = (0, 0);
        for import in reader.into_imports() {
            let import = import?;
            match import.ty {
                TypeRef::Global(ty) => {
                    let value = self.given.globals.get(&globals).map(constant);
                    let value = value.ok_or_else(|| InstrumentError::Step {
                        why: format!("nobody knows what the imported global {globals} was"),
                    })?;
                    self.first.globals.global(RoundtripReencoder.global_type(ty)?, &ConstExpr::extended([value]));
                    globals += 1;
                }
                TypeRef::Table(ty) => {
                    let mut ty = RoundtripReencoder.table_type(ty)?;
                    ty.minimum = self.given.tables.get(&tables).copied().unwrap_or(ty.minimum);
                    self.first.tables.table(ty);
                    tables += 1;
                }
                TypeRef::Tag(ty) => {
                    self.first.tags.tag(RoundtripReencoder.tag_type(ty)?);
                }
                ty => {
                    section.import(import.module, import.name, RoundtripReencoder.entity_type(ty)?);
                }
            }
        }
        section.append_to(&mut self.out);
        Ok(())
    }
}

fn append(entries: u32, section: &impl wasm_encoder::Section, out: &mut Vec<u8>) {
    if entries > 0 {
        section.append_to(out);
    }
}

/// Copies sections, with the values of imported globals in constant expressions.
struct Values<'a>(&'a BTreeMap<u32, WasmValue>);

impl Reencode for Values<'_> {
    type Error = Infallible;

    fn const_expr(&mut self, expression: wasmparser::ConstExpr<'_>) -> Result<ConstExpr, reencode::Error> {
        let mut steps = Vec::new();
        let mut operators = expression.get_operators_reader();
        while !operators.eof() {
            match operators.read()? {
                Operator::End => break,
                Operator::GlobalGet { global_index } if self.0.contains_key(&global_index) => {
                    steps.extend(self.0.get(&global_index).map(constant));
                }
                other => steps.push(self.instruction(other)?),
            }
        }
        Ok(ConstExpr::extended(steps))
    }
}

fn constant(value: &WasmValue) -> Instruction<'static> {
    match value {
        WasmValue::I32(value) => Instruction::I32Const(*value),
        WasmValue::I64(value) => Instruction::I64Const(*value),
        WasmValue::F32(bits) => Instruction::F32Const(Ieee32::new(*bits)),
        WasmValue::F64(bits) => Instruction::F64Const(Ieee64::new(*bits)),
        WasmValue::V128(bytes) => Instruction::V128Const(i128::from_le_bytes(*bytes)),
        WasmValue::Reference(_) => Instruction::RefNull(HeapType::EXTERN),
    }
}

#[cfg(test)]
#[path = "settle_tests.rs"]
mod tests;
