//! Second pass: writes the rewritten module section by section.
//!
//! Sections are copied as they are, or get entries appended behind bytes that stay as they are. Only where
//! function indices stand (exports, elements, initialisers of tables and globals, code, names) entries are
//! written anew.

use super::body::{BodyRewriter, Machinery, limit};
use super::error::InstrumentError;
use super::names;
use super::offsets::OffsetMap;
use super::scan::{Scan, Section};
use super::{BUFFER_EXPORT, BUFFER_PAGES, FLUSH_IMPORT, IMPORT_MODULE, Instrumented, START_EXPORT, features};
use std::convert::Infallible;
use wasm_encoder::reencode::{self, Reencode};
use wasm_encoder::{
    ElementSection, Encode, ExportKind, ExportSection, GlobalSection, MemoryType, RawSection, Section as _,
    SectionId, TableSection,
};
use wasmparser::{
    BinaryReader, CodeSectionReader, CustomSectionReader, ElementSectionReader, ExportSectionReader,
    GlobalSectionReader, TableSectionReader,
};

/// Sections in the order that a module must have them.
const ORDER: [SectionId; 13] = [
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

fn rank(id: u8) -> Option<usize> {
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

/// Type indices of the added functions, and whether each type has to be added.
#[derive(Debug, Clone, Copy)]
struct Types {
    flush: u32,
    helper: u32,
    flush_is_new: bool,
    helper_is_new: bool,
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

/// Writes the module that `scan` describes anew.
pub(super) fn rewrite(module: &[u8], scan: Scan) -> Result<Instrumented, InstrumentError> {
    let records = !scan.memories.is_empty();
    if records {
        scan.check_limits()?;
    }
    let machinery = records.then(|| Machinery {
        flush: scan.imported_functions,
        helper: scan.function_count() + 1,
        buffer: scan.memories.len() as u32,
    });
    let type_count = scan.params.len() as u32;
    let types = Types {
        flush: scan.flush_type.unwrap_or(type_count),
        helper: scan.helper_type.unwrap_or(type_count + u32::from(scan.flush_type.is_none())),
        flush_is_new: scan.flush_type.is_none(),
        helper_is_new: scan.helper_type.is_none(),
    };
    let wide: Vec<bool> = scan.memories.iter().map(|memory| memory.memory64).collect();
    let offsets = OffsetMap::new(scan.imported_functions, scan.function_count(), records);
    let mut rewriter = Rewriter {
        module,
        scan: &scan,
        machinery,
        types,
        bodies: machinery.map(|machinery| BodyRewriter::new(module, machinery, &wide, offsets.clone())),
        out: Vec::with_capacity(module.len() + module.len() / 2),
    };
    rewriter.out.extend_from_slice(&module[..module.len().min(8)]);
    let mut offsets = rewriter.sections(offsets)?;
    let Rewriter { bodies, out, .. } = rewriter;
    limit("bytes", out.len() as u64, 1 << 30)?;
    let (sites, segments) = match bodies {
        Some(bodies) => {
            offsets = bodies.offsets;
            (bodies.sites, bodies.segments)
        }
        None => (Vec::new(), Vec::new()),
    };
    Ok(Instrumented {
        module: out,
        sites,
        segments,
        offsets,
        records,
        has_start: scan.start.is_some(),
        memories: scan.memories,
        globals: scan.globals,
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
            SectionId::Type => self.machinery.is_some() && (self.types.flush_is_new || self.types.helper_is_new),
            SectionId::Import | SectionId::Function | SectionId::Code => self.machinery.is_some(),
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
        let mut added = Vec::new();
        match id {
            _ if id == SectionId::Type as u8 => {
                // `func`, parameters, results.
                if self.types.flush_is_new {
                    added.push(vec![0x60, 1, 0x7f, 0]);
                }
                if self.types.helper_is_new {
                    added.push(vec![0x60, 0, 1, 0x7f]);
                }
                self.append(id, contents, &added)?;
            }
            _ if id == SectionId::Import as u8 => {
                let mut import = Vec::new();
                IMPORT_MODULE.encode(&mut import);
                FLUSH_IMPORT.encode(&mut import);
                import.push(0x00); // A function.
                self.types.flush.encode(&mut import);
                self.append(id, contents, &[import])?;
            }
            _ if id == SectionId::Function as u8 => {
                let mut index = Vec::new();
                self.types.helper.encode(&mut index);
                self.append(id, contents, &[index])?;
            }
            _ if id == SectionId::Memory as u8 => {
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
        let buffer = usize::from(self.machinery.is_some());
        (scan.memories.len() + scan.globals.len() + usize::from(scan.start.is_some()) + buffer) as u64
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
        for global in &scan.globals {
            exports.export(&global.export, ExportKind::Global, global.index);
        }
        if let Some(start) = scan.start {
            exports.export(START_EXPORT, ExportKind::Func, renumbered(start));
        }
        if let Some(machinery) = self.machinery {
            exports.export(BUFFER_EXPORT, ExportKind::Memory, machinery.buffer);
        }
        exports.append_to(&mut self.out);
        Ok(())
    }

    fn code(&mut self, section: CodeSectionReader<'_>) -> Result<(), InstrumentError> {
        let scan = self.scan;
        let Some(mut bodies) = self.bodies.take() else {
            return Ok(());
        };
        (section.count() + 1).encode(&mut bodies.code);
        for (defined, body) in section.into_iter().enumerate() {
            let params = scan.functions.get(defined).and_then(|ty| scan.params.get(*ty as usize));
            bodies.function(scan.imported_functions + defined as u32, params.copied().unwrap_or(0), &body?)?;
        }
        bodies.helper();
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
        let mut reader = BinaryReader::new(contents, 0);
        let count = reader.read_var_u32()?;
        let mut section = Vec::with_capacity(contents.len() + 16);
        count.saturating_add(added.len() as u32).encode(&mut section);
        section.extend_from_slice(&contents[reader.current_position()..]);
        for entry in added {
            section.extend_from_slice(entry);
        }
        self.raw(id, &section);
        Ok(())
    }

    /// Writes a section; gives back where its contents start.
    fn raw(&mut self, id: u8, data: &[u8]) -> u32 {
        RawSection { id, data }.append_to(&mut self.out);
        (self.out.len() - data.len()) as u32
    }
}
