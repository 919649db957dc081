//! Second pass: writes the rewritten module section by section.
//!
//! Sections are copied as they are, or get entries appended behind bytes that stay as they are. Only where
//! function indices stand (exports, elements, initialisers of tables and globals, code, names) entries are
//! written anew.

use super::body::{BodyRewriter, Inline, Machinery};
use super::error::InstrumentError;
use super::error::limit;
use super::names;
use super::offsets::OffsetMap;
use super::scan::{Scan, Section, Signature};
use super::{
    Ask, BUFFER_EXPORT, BUFFER_PAGES, FLUSH_IMPORT, HOOK_IMPORT, IMPORT_MODULE, Instrumented, Options, START_EXPORT,
    Style, features,
};
use std::convert::Infallible;
use wasm_encoder::reencode::{self, Reencode};
use wasm_encoder::{
    ConstExpr, ElementSection, Encode, ExportKind, ExportSection, GlobalSection, GlobalType, MemoryType, RawSection,
    Section as _, SectionId, TableSection, ValType,
};
use wasmparser::{
    BinaryReader, CodeSectionReader, CustomSectionReader, ElementSectionReader, ExportSectionReader,
    GlobalSectionReader, TableSectionReader,
};

/// Sections in the order that a module must have them.
pub(super) const ORDER: [SectionId; 13] = [
    SectionId::Type,
    SectionId::Import,
    SectionId::Function,
    SectionId::Table,
    SectionId::Memory,
    SectionId::Tag,
    SectionId::Global,
    SectionId::Export,
    SectionId::Start,
    SectionId::Element,
    SectionId::DataCount,
    SectionId::Code,
    SectionId::Data,
];

pub(super) fn rank(id: u8) -> Option<usize> {
    ORDER.iter().position(|section| *section as u8 == id)
}

/// Renumbers function indices in what [`Reencode`] copies.
pub(super) struct Renumber(pub(super) Machinery);

impl Reencode for Renumber {
    type Error = Infallible;

    fn function_index(&mut self, function: u32) -> Result<u32, reencode::Error> {
        Ok(self.0.renumber(function))
    }
}

/// Types of the added functions: index, and the encoded type where it has to be added.
#[derive(Debug, Default)]
struct Types {
    import: u32,
    helper: u32,
    note: u32,
    /// For each type of the original, one without parameters and with its results, where it may be needed.
    blocks: Vec<Option<u32>>,
    added: Vec<Vec<u8>>,
}

impl Types {
    fn new(scan: &Scan, machinery: Option<Machinery>, options: Option<&Options>) -> Result<Types, InstrumentError> {
        let count = scan.signatures.len() as u32;
        let mut types = Types::default();
        let mut place = |existing: Option<u32>, encoded: &[u8]| {
            existing.unwrap_or_else(|| {
                types.added.push(encoded.to_vec());
                count + types.added.len() as u32 - 1
            })
        };
        // Each is `func`, parameters, results.
        match machinery {
            Some(Machinery { inline: Some(_), .. }) => {
                types.import = place(scan.flush_type, &[0x60, 1, 0x7f, 0]);
                types.helper = place(scan.helper_type, &[0x60, 0, 1, 0x7f]);
            }
            Some(_) => types.import = place(None, &[0x60, 4, 0x7f, 0x7e, 0x7e, 0x7e, 0]),
            None => {}
        }
        if machinery.is_some_and(|machinery| machinery.note.is_some()) {
            types.note = place(None, &[0x60, 3, 0x7f, 0x7e, 0x7e, 0]);
        }
        if options.is_some_and(|options| matches!(options.ask, Ask::Calls { .. })) {
            for signature in &scan.signatures {
                let block = match signature.results.len() {
                    0 | 1 => None,
                    many => {
                        let mut encoded = vec![0x60, 0];
                        many.encode(&mut encoded);
                        for ty in &signature.results {
                            reencode::RoundtripReencoder.val_type(*ty)?.encode(&mut encoded);
                        }
                        types.added.push(encoded);
                        Some(count + types.added.len() as u32 - 1)
                    }
                };
                types.blocks.push(block);
            }
            limit("types", u64::from(count) + types.added.len() as u64, 1_000_000)?;
        }
        Ok(types)
    }
}

struct Rewriter<'m> {
    module: &'m [u8],
    scan: &'m Scan,
    /// `None` for a module without memory.
    machinery: Option<Machinery>,
    types: Types,
    bodies: Option<BodyRewriter<'m>>,
    out: Vec<u8>,
}

/// Writes the module that `scan` describes anew: with recorder's code as `options` say, or without any.
pub(super) fn rewrite(module: &[u8], scan: Scan, options: Option<&Options>) -> Result<Instrumented, InstrumentError> {
    let options = options.filter(|options| !scan.memories.is_empty() || options.asks());
    let records = options.is_some();
    if records {
        scan.check_limits()?;
    }
    let machinery = options.map(|options| Machinery {
        import: scan.imported_functions,
        inline: (options.style == Style::Inline)
            .then(|| Inline { helper: scan.function_count() + 1, buffer: scan.memories.len() as u32 }),
        note: (options.style == Style::Inline && options.ask.takes_notes()).then(|| scan.function_count() + 2),
        count: (options.style == Style::Hooks && matches!(options.ask, Ask::Places { .. }))
            .then_some(scan.global_count),
    });
    let types = Types::new(&scan, machinery, options)?;
    let wide: Vec<bool> = scan.memories.iter().map(|memory| memory.memory64).collect();
    let offsets = OffsetMap::new(scan.imported_functions, scan.function_count(), records);
    let mut rewriter = Rewriter {
        module,
        scan: &scan,
        machinery,
        types,
        bodies: machinery
            .zip(options)
            .map(|(machinery, options)| BodyRewriter::new(module, machinery, options, &wide, offsets.clone())),
        out: Vec::with_capacity(module.len() + module.len() / 2),
    };
    rewriter.out.extend_from_slice(&module[..module.len().min(8)]);
    let mut offsets = rewriter.sections(offsets)?;
    let Rewriter { bodies, out, .. } = rewriter;
    limit("bytes", out.len() as u64, 1 << 30)?;
    let (sites, segments, marks) = match bodies {
        Some(bodies) => {
            offsets = bodies.offsets;
            (bodies.sites, bodies.segments, bodies.marks)
        }
        None => Default::default(),
    };
    Ok(Instrumented {
        module: out,
        sites,
        segments,
        marks,
        offsets,
        records,
        has_start: scan.start.is_some(),
        memories: scan.memories,
        globals: scan.globals,
        tables: scan.tables,
        stack_switching: false,
        data: scan.data,
    })
}

impl<'m> Rewriter<'m> {
    /// Writes all sections, those the original lacks at their places in between. Gives back the offset map of
    /// a module whose code stays as it is.
    fn sections(&mut self, mut unchanged: OffsetMap) -> Result<OffsetMap, InstrumentError> {
        let scan = self.scan;
        let mut next = 0;
        for section in &scan.sections {
            if section.id == SectionId::Custom as u8 {
                self.custom(section)?;
                continue;
            }
            if let Some(rank) = rank(section.id) {
                while next < rank {
                    self.missing(ORDER[next])?;
                    next += 1;
                }
                next = rank + 1;
            }
            if section.id == SectionId::Code as u8 && self.machinery.is_none() {
                let base = self.raw(section.id, &self.module[section.contents.clone()]);
                unchanged.verbatim(0, section.contents.start as u32);
                unchanged.finish(base, section.contents.len() as u32);
            } else {
                self.section(section)?;
            }
        }
        for id in &ORDER[next..] {
            self.missing(*id)?;
        }
        Ok(unchanged)
    }

    /// Writes a section that the original does not have, if something has to go there.
    fn missing(&mut self, id: SectionId) -> Result<(), InstrumentError> {
        let needed = match id {
            SectionId::Export => self.added_exports() > 0,
            SectionId::Type => !self.types.added.is_empty(),
            SectionId::Import => self.machinery.is_some(),
            SectionId::Global => self.machinery.is_some_and(|machinery| machinery.count.is_some()),
            SectionId::Function | SectionId::Memory | SectionId::Code => {
                self.machinery.is_some_and(|machinery| machinery.inline.is_some())
            }
            _ => false,
        };
        if needed {
            // An empty vector: its count of entries and no entry.
            self.entries(id as u8, &[0], 0)?;
        }
        Ok(())
    }

    fn section(&mut self, section: &Section) -> Result<(), InstrumentError> {
        let contents = &self.module[section.contents.clone()];
        self.entries(section.id, contents, section.contents.start)
    }

    /// Writes section `id` from the original's `contents`, which start at `start`.
    fn entries(&mut self, id: u8, contents: &'m [u8], start: usize) -> Result<(), InstrumentError> {
        let input = || BinaryReader::new_features(contents, start, features());
        let Some(machinery) = self.machinery else {
            match id {
                _ if id == SectionId::Start as u8 => {}
                _ if id == SectionId::Export as u8 => self.exports(ExportSectionReader::new(input())?)?,
                _ => {
                    self.raw(id, contents);
                }
            }
            return Ok(());
        };
        let mut renumber = Renumber(machinery);
        match id {
            _ if id == SectionId::Type as u8 => {
                let added = std::mem::take(&mut self.types.added);
                self.append(id, contents, &added)?;
            }
            _ if id == SectionId::Import as u8 => {
                let mut import = Vec::new();
                IMPORT_MODULE.encode(&mut import);
                if machinery.inline.is_some() { FLUSH_IMPORT } else { HOOK_IMPORT }.encode(&mut import);
                import.push(0x00); // A function.
                self.types.import.encode(&mut import);
                self.append(id, contents, &[import])?;
            }
            _ if id == SectionId::Function as u8 && machinery.inline.is_some() => {
                let mut index = Vec::new();
                self.types.helper.encode(&mut index);
                let mut added = vec![index];
                if machinery.note.is_some() {
                    let mut index = Vec::new();
                    self.types.note.encode(&mut index);
                    added.push(index);
                }
                self.append(id, contents, &added)?;
            }
            _ if id == SectionId::Memory as u8 && machinery.inline.is_some() => {
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
            _ if id == SectionId::Table as u8 => {
                let mut tables = TableSection::new();
                renumber.parse_table_section(&mut tables, TableSectionReader::new(input())?)?;
                tables.append_to(&mut self.out);
            }
            _ if id == SectionId::Global as u8 => {
                let mut globals = GlobalSection::new();
                renumber.parse_global_section(&mut globals, GlobalSectionReader::new(input())?)?;
                if machinery.count.is_some() {
                    let ty = GlobalType { val_type: ValType::I64, mutable: true, shared: false };
                    globals.global(ty, &ConstExpr::i64_const(0));
                }
                globals.append_to(&mut self.out);
            }
            _ if id == SectionId::Export as u8 => self.exports(ExportSectionReader::new(input())?)?,
            _ if id == SectionId::Start as u8 => {}
            _ if id == SectionId::Element as u8 => {
                let mut elements = ElementSection::new();
                renumber.parse_element_section(&mut elements, ElementSectionReader::new(input())?)?;
                elements.append_to(&mut self.out);
            }
            _ if id == SectionId::Code as u8 => self.code(CodeSectionReader::new(input())?)?,
            _ => {
                self.raw(id, contents);
            }
        }
        Ok(())
    }

    fn added_exports(&self) -> u64 {
        let scan = self.scan;
        let buffer = usize::from(self.machinery.is_some_and(|machinery| machinery.inline.is_some()));
        let state = scan.memories.len() + scan.globals.len() + scan.tables.len();
        (state + usize::from(scan.start.is_some()) + buffer) as u64
    }

    fn exports(&mut self, section: ExportSectionReader<'_>) -> Result<(), InstrumentError> {
        limit("exports", u64::from(section.count()) + self.added_exports(), 1_000_000)?;
        let scan = self.scan;
        let mut exports = ExportSection::new();
        let renumbered = |index| self.machinery.map_or(index, |machinery| machinery.renumber(index));
        match self.machinery {
            Some(machinery) => Renumber(machinery).parse_export_section(&mut exports, section)?,
            None => reencode::RoundtripReencoder.parse_export_section(&mut exports, section)?,
        }
        for (index, memory) in scan.memories.iter().enumerate() {
            exports.export(&memory.export, ExportKind::Memory, index as u32);
        }
        for (index, table) in scan.tables.iter().enumerate() {
            exports.export(table, ExportKind::Table, index as u32);
        }
        for global in &scan.globals {
            exports.export(&global.export, ExportKind::Global, global.index);
        }
        if let Some(start) = scan.start {
            exports.export(START_EXPORT, ExportKind::Func, renumbered(start));
        }
        if let Some(inline) = self.machinery.and_then(|machinery| machinery.inline) {
            exports.export(BUFFER_EXPORT, ExportKind::Memory, inline.buffer);
        }
        exports.append_to(&mut self.out);
        Ok(())
    }

    fn code(&mut self, section: CodeSectionReader<'_>) -> Result<(), InstrumentError> {
        let scan = self.scan;
        let Some(mut bodies) = self.bodies.take() else {
            return Ok(());
        };
        let inline = bodies.machinery.inline;
        let note = bodies.machinery.note;
        (section.count() + u32::from(inline.is_some()) + u32::from(note.is_some())).encode(&mut bodies.code);
        let none = Signature::default();
        for (defined, body) in section.into_iter().enumerate() {
            let ty = scan.functions.get(defined).map_or(usize::MAX, |ty| *ty as usize);
            let signature = scan.signatures.get(ty).unwrap_or(&none);
            let block = self.types.blocks.get(ty).copied().flatten();
            bodies.function(scan.imported_functions + defined as u32, signature, block, &body?)?;
        }
        if let Some(inline) = inline {
            bodies.helper(inline);
            if note.is_some() {
                bodies.note_helper(inline);
            }
        }
        let base = self.raw(SectionId::Code as u8, &bodies.code);
        bodies.offsets.finish(base, bodies.code.len() as u32);
        bodies.code = Vec::new();
        self.bodies = Some(bodies);
        Ok(())
    }

    fn custom(&mut self, section: &Section) -> Result<(), InstrumentError> {
        let contents = &self.module[section.contents.clone()];
        let custom =
            CustomSectionReader::new(BinaryReader::new_features(contents, section.contents.start, features()))?;
        if let Some(machinery) = self.machinery {
            let name = custom.name();
            if name == "name" {
                if let Some(names) = names::rewrite(&custom, machinery) {
                    names.append_to(&mut self.out);
                }
                return Ok(());
            }
            // These hold function indices or offsets of the original's code. An engine that believed them
            // would take hints for the wrong branches, and a linker would patch the wrong bytes. DWARF holds
            // such offsets too but stays: no engine runs differently for it, and whoever reads it has
            // translated to original offsets first.
            if name.starts_with("metadata.code.") || name == "linking" || name.starts_with("reloc.") {
                return Ok(());
            }
        }
        self.raw(SectionId::Custom as u8, contents);
        Ok(())
    }

    /// Writes a section with the original's entries, as they are, and then `added`.
    fn append(&mut self, id: u8, contents: &[u8], added: &[Vec<u8>]) -> Result<(), InstrumentError> {
        self.raw(id, &appended(contents, added)?);
        Ok(())
    }

    /// Writes a section; gives back where its contents start.
    fn raw(&mut self, id: u8, data: &[u8]) -> u32 {
        RawSection { id, data }.append_to(&mut self.out);
        (self.out.len() - data.len()) as u32
    }
}

/// A section's entries, as they are, and then `added`.
pub(super) fn appended(contents: &[u8], added: &[Vec<u8>]) -> Result<Vec<u8>, InstrumentError> {
    let mut reader = BinaryReader::new(contents, 0);
    let count = reader.read_var_u32()?;
    let mut section = Vec::with_capacity(contents.len() + 16);
    count.saturating_add(added.len() as u32).encode(&mut section);
    section.extend_from_slice(&contents[reader.current_position()..]);
    added.iter().for_each(|entry| section.extend_from_slice(entry));
    Ok(section)
}
