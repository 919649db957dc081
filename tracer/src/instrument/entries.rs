//! What happens to each section's entries.

use super::body::BodyRewriter;
use super::error::{InstrumentError, limit};
use super::layout::appended;
use super::machinery::{Machinery, Renumber};
use super::scan::Signature;
use super::sections::Rewriter;
use super::{BUFFER_EXPORT, BUFFER_PAGES, FLUSH_IMPORT, HOOK_IMPORT, IMPORT_MODULE, Options, START_EXPORT, features};
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{
    ConstExpr, ElementSection, Encode, ExportKind, ExportSection, GlobalSection, GlobalType, MemoryType,
    Section as _, SectionId, TableSection, ValType,
};
use wasmparser::{
    BinaryReader, CodeSectionReader, ElementSectionReader, ExportSectionReader, GlobalSectionReader,
    TableSectionReader,
};

impl Rewriter<'_> {
    /// Writes section `id` from the original's `contents`, which start at `start`.
    pub(super) fn entries(&mut self, id: SectionId, contents: &[u8], start: usize) -> Result<(), InstrumentError> {
        match (id, self.added) {
            // The recorder calls it.
            (SectionId::Start, _) => Ok(()),
            (SectionId::Export, _) => {
                self.exports(ExportSectionReader::new(BinaryReader::new_features(contents, start, features()))?)
            }
            (SectionId::Code, None) => {
                let base = self.raw(id, contents);
                self.offsets.verbatim(0, start as u32);
                self.offsets.finish(base, contents.len() as u32);
                Ok(())
            }
            (SectionId::Code, Some((machinery, options))) => {
                let reader = CodeSectionReader::new(BinaryReader::new_features(contents, start, features()))?;
                self.code(reader, machinery, options)
            }
            (_, Some((machinery, _))) => self.renumbered(id, contents, start, machinery),
            (_, None) => {
                self.raw(id, contents);
                Ok(())
            }
        }
    }

    /// Writes a section of declarations that contains function indices, or gets additional entries.
    fn renumbered(
        &mut self,
        id: SectionId,
        contents: &[u8],
        start: usize,
        machinery: Machinery,
    ) -> Result<(), InstrumentError> {
        let input = || BinaryReader::new_features(contents, start, features());
        let mut renumber = Renumber(machinery);
        match id {
            SectionId::Type => {
                let added = std::mem::take(&mut self.types.added);
                self.append(id, contents, &added)?;
            }
            SectionId::Import => {
                let mut import = Vec::new();
                IMPORT_MODULE.encode(&mut import);
                if machinery.inline.is_some() { FLUSH_IMPORT } else { HOOK_IMPORT }.encode(&mut import);
                import.push(0x00); // A function.
                self.types.import.encode(&mut import);
                self.append(id, contents, &[import])?;
            }
            SectionId::Function if machinery.inline.is_some() => {
                let note = machinery.note.map(|_| self.types.note);
                let added: Vec<Vec<u8>> =
                    [Some(self.types.helper), note].into_iter().flatten().map(encoded).collect();
                self.append(id, contents, &added)?;
            }
            SectionId::Memory if machinery.inline.is_some() => {
                let pages = u64::from(BUFFER_PAGES);
                let mut memory = Vec::new();
                MemoryType {
                    minimum: pages,
                    maximum: Some(pages),
                    memory64: false,
                    shared: false,
                    page_size_log2: None,
                }
                .encode(&mut memory);
                self.append(id, contents, &[memory])?;
            }
            SectionId::Table => {
                let mut tables = TableSection::new();
                renumber.parse_table_section(&mut tables, TableSectionReader::new(input())?)?;
                tables.append_to(&mut self.out);
            }
            SectionId::Global => {
                let mut globals = GlobalSection::new();
                renumber.parse_global_section(&mut globals, GlobalSectionReader::new(input())?)?;
                for _ in 0..machinery.globals() {
                    let ty = GlobalType { val_type: ValType::I64, mutable: true, shared: false };
                    globals.global(ty, &ConstExpr::i64_const(0));
                }
                globals.append_to(&mut self.out);
            }
            SectionId::Element => {
                let mut elements = ElementSection::new();
                renumber.parse_element_section(&mut elements, ElementSectionReader::new(input())?)?;
                elements.append_to(&mut self.out);
            }
            _ => {
                self.raw(id, contents);
            }
        }
        Ok(())
    }

    pub(super) fn added_exports(&self) -> u64 {
        let scan = self.scan;
        let buffer = usize::from(self.added.is_some_and(|(machinery, _)| machinery.inline.is_some()));
        let state = scan.memories.len() + scan.globals.len() + scan.tables.len();
        (state + usize::from(scan.start.is_some()) + buffer) as u64
    }

    fn exports(&mut self, section: ExportSectionReader<'_>) -> Result<(), InstrumentError> {
        limit("exports", u64::from(section.count()) + self.added_exports(), 1_000_000)?;
        let scan = self.scan;
        let mut exports = ExportSection::new();
        let machinery = self.added.map(|(machinery, _)| machinery);
        let renumbered = |index| machinery.map_or(index, |machinery| machinery.renumber(index));
        match machinery {
            Some(machinery) => Renumber(machinery).parse_export_section(&mut exports, section)?,
            None => RoundtripReencoder.parse_export_section(&mut exports, section)?,
        }
        for (index, memory) in scan.memories.iter().enumerate() {
            exports.export(&memory.export, ExportKind::Memory, index as u32);
        }
        for (index, table) in scan.tables.iter().enumerate() {
            exports.export(table, ExportKind::Table, index as u32);
        }
        for global in &scan.globals {
            exports.export(&global.export, ExportKind::Global, global.index.0);
        }
        if let Some(start) = scan.start {
            exports.export(START_EXPORT, ExportKind::Func, renumbered(start));
        }
        if let Some(inline) = machinery.and_then(|machinery| machinery.inline) {
            exports.export(BUFFER_EXPORT, ExportKind::Memory, inline.buffer);
        }
        exports.append_to(&mut self.out);
        Ok(())
    }

    fn code(
        &mut self,
        section: CodeSectionReader<'_>,
        machinery: Machinery,
        options: &Options,
    ) -> Result<(), InstrumentError> {
        let scan = self.scan;
        let wide: Vec<bool> = scan.memories.iter().map(|memory| memory.memory64).collect();
        let offsets = std::mem::take(&mut self.offsets);
        let mut bodies = BodyRewriter::new(self.module, machinery, options, &wide, scan.throws, offsets);
        let added = u32::from(machinery.inline.is_some()) + u32::from(machinery.note.is_some());
        (section.count() + added).encode(&mut bodies.code);
        let none = Signature::default();
        for (defined, body) in section.into_iter().enumerate() {
            let ty = scan.functions.get(defined).map_or(usize::MAX, |ty| *ty as usize);
            let signature = scan.signatures.get(ty).unwrap_or(&none);
            let block = self.types.blocks.get(ty).copied().flatten();
            bodies.function(scan.imported_functions + defined as u32, signature, block, &body?)?;
        }
        if let Some(inline) = machinery.inline {
            bodies.helper(inline);
            if machinery.note.is_some() {
                bodies.note_helper(inline);
            }
        }
        let (code, offsets, bodies) = bodies.finish();
        self.offsets = offsets;
        self.bodies = bodies;
        let base = self.raw(SectionId::Code, &code);
        self.offsets.finish(base, code.len() as u32);
        Ok(())
    }

    /// Writes a section with the original's entries unchanged, followed by `added`.
    fn append(&mut self, id: SectionId, contents: &[u8], added: &[Vec<u8>]) -> Result<(), InstrumentError> {
        self.raw(id, &appended(contents, added)?);
        Ok(())
    }
}

fn encoded(index: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    index.encode(&mut bytes);
    bytes
}
