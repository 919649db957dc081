//! Second pass: writes the rewritten module section by section.
//!
//! Sections are copied unchanged, or get entries appended after bytes that stay as they are. Only where function
//! indices occur (exports, elements, initialisers of tables and globals, code, names) entries are written anew:
//! [`entries`](super::entries) handles each section.

use super::body::Bodies;
use super::error::{InstrumentError, limit};
use super::layout::{ORDER, rank};
use super::machinery::{Inline, Machinery};
use super::names;
use super::offsets::OffsetMap;
use super::scan::{Scan, Section};
use super::types::Types;
use super::{Ask, Instrumented, Options, Style, features};
use wasm_encoder::{RawSection, Section as _, SectionId};
use wasmparser::{BinaryReader, CustomSectionReader};

/// A module that is being written.
pub(super) struct Rewriter<'m> {
    pub(super) module: &'m [u8],
    pub(super) scan: &'m Scan,
    /// What the recorder adds, and how; `None` for a module that gets exports only.
    pub(super) added: Option<(Machinery, &'m Options)>,
    pub(super) types: Types,
    pub(super) offsets: OffsetMap,
    /// The rewritten code section.
    pub(super) bodies: Bodies,
    pub(super) out: Vec<u8>,
}

/// Rewrites the module that `scan` describes: with recorder's code as `options` say, or without any.
pub(super) fn rewrite(
    module: &[u8],
    scan: &Scan,
    options: Option<&Options>,
) -> Result<Instrumented, InstrumentError> {
    let options = options.filter(|options| !scan.memories.is_empty() || options.asks());
    let records = options.is_some();
    if records {
        scan.check_limits()?;
    }
    let added = options.map(|options| (machinery(scan, options), options));
    let mut rewriter = Rewriter {
        module,
        scan,
        added,
        types: Types::new(scan, added)?,
        offsets: OffsetMap::new(scan.imported_functions, scan.function_count(), records),
        bodies: Bodies::default(),
        out: Vec::with_capacity(module.len() + module.len() / 2),
    };
    rewriter.out.extend_from_slice(&module[..module.len().min(8)]);
    rewriter.sections()?;
    let Rewriter { offsets, bodies: Bodies { sites, segments, marks }, out, .. } = rewriter;
    limit("bytes", out.len() as u64, 1 << 30)?;
    Ok(Instrumented {
        module: out,
        sites,
        segments,
        marks,
        offsets,
        records,
        has_start: scan.start.is_some(),
        memories: scan.memories.clone(),
        globals: scan.globals.clone(),
        tables: scan.tables.clone(),
        stack_switching: false,
        parts: Vec::new(),
        data: scan.data.clone(),
    })
}

/// The additions to a module that records in this way.
fn machinery(scan: &Scan, options: &Options) -> Machinery {
    let inline = options.style == Style::Inline;
    Machinery {
        import: scan.imported_functions,
        inline: inline.then(|| Inline { helper: scan.function_count() + 1, buffer: scan.memories.len() as u32 }),
        note: (inline && options.ask.takes_notes()).then(|| scan.function_count() + 2),
        count: (!inline && matches!(options.ask, Ask::Places { .. })).then_some(scan.global_count),
        called: options.ask.is_stack().then_some(scan.global_count),
    }
}

impl Rewriter<'_> {
    /// Writes all sections, including those that the original lacks, in their places.
    fn sections(&mut self) -> Result<(), InstrumentError> {
        let scan = self.scan;
        let mut next = 0;
        for section in &scan.sections {
            if section.id == SectionId::Custom {
                self.custom(section)?;
                continue;
            }
            let rank = rank(section.id);
            for id in ORDER.iter().take(rank).skip(next) {
                self.missing(*id)?;
            }
            next = rank + 1;
            self.entries(section.id, &self.module[section.contents.clone()], section.contents.start)?;
        }
        ORDER.iter().skip(next).try_for_each(|id| self.missing(*id))
    }

    /// Writes a section that the original lacks, if it has anything to hold.
    fn missing(&mut self, id: SectionId) -> Result<(), InstrumentError> {
        let machinery = self.added.map(|(machinery, _)| machinery);
        let needed = match id {
            SectionId::Export => self.added_exports() > 0,
            SectionId::Type => !self.types.added.is_empty(),
            SectionId::Import => machinery.is_some(),
            SectionId::Global => machinery.is_some_and(|machinery| machinery.globals() > 0),
            SectionId::Function | SectionId::Memory | SectionId::Code => {
                machinery.is_some_and(|machinery| machinery.inline.is_some())
            }
            _ => false,
        };
        // An empty vector: its count of entries and no entry.
        if needed { self.entries(id, &[0], 0) } else { Ok(()) }
    }

    fn custom(&mut self, section: &Section) -> Result<(), InstrumentError> {
        let contents = &self.module[section.contents.clone()];
        let custom =
            CustomSectionReader::new(BinaryReader::new_features(contents, section.contents.start, features()))?;
        if let Some((machinery, _)) = self.added {
            let name = custom.name();
            if name == "name" {
                if let Some(names) = names::rewrite(&custom, machinery) {
                    names.append_to(&mut self.out);
                }
                return Ok(());
            }
            // These hold function indices or offsets of the original's code. An engine that believed them would apply
            // hints to the wrong branches, and a linker would patch the wrong bytes. DWARF holds such offsets too but
            // stays: no engine runs differently because of it, and its readers translate to original offsets first.
            if name.starts_with("metadata.code.") || name == "linking" || name.starts_with("reloc.") {
                return Ok(());
            }
        }
        self.raw(SectionId::Custom, contents);
        Ok(())
    }

    /// Writes a section; returns where its contents start.
    pub(super) fn raw(&mut self, id: SectionId, data: &[u8]) -> u32 {
        RawSection { id: id as u8, data }.append_to(&mut self.out);
        (self.out.len() - data.len()) as u32
    }
}
