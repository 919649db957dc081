//! Source lines and subprogram names from DWARF 4 and 5.
//!
//! Addresses in a module's debug information count from the start of the Code section's contents. `gimli` loads
//! the sections and walks the entries, `addr2line` answers the queries; before it sees a section, [`is_sane`]
//! refuses what would overflow its stack, and [`Supply`] limits what it may read.

use super::demangle::demangle;
use super::layout::Layout;
use super::metered::{MeteredReader, Supply};
use addr2line::{Context, FunctionName};
use forkpoint_traces::{clip, printable, printable_name};
use gimli::{Dwarf, Reader, Section};
use serde::Serialize;
use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

/// One function on the way to an instruction: the one that contains it, or one that this was inlined into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceFrame {
    /// Name of the function, demangled and safe to print.
    pub function: Option<String>,
    /// Path of the source file as the compiler wrote it, safe to print.
    pub file: Option<String>,
    /// Line, from 1.
    pub line: Option<u32>,
    /// Column, from 1.
    pub column: Option<u32>,
}

/// The debug information of one module.
pub(super) struct DebugInfo {
    supply: Arc<Supply>,
    /// Units of reading that one query may take.
    limit: u64,
    /// `None` once a query took more than that: the next one would too.
    context: Mutex<Option<Context<MeteredReader>>>,
}

/// Real debug information takes less than one read per byte for everything it holds; a query that reads each byte
/// this often is not reading real debug information.
const READS_PER_BYTE: u64 = 8;
/// And this many reads on top, for small modules.
const SPARE_READS: u64 = 1_000_000;
/// Deeper nesting of entries is refused: `addr2line` recurses into inlined functions.
const MAX_DEPTH: isize = 256;
/// Entries of more attributes are refused: skipping those without bytes costs time but no reads.
const MAX_ATTRIBUTES: usize = 256;
/// Most frames of one answer.
const MAX_FRAMES: usize = 256;
/// Most characters of a path that are shown.
const MAX_PATH: usize = 1_000;

impl DebugInfo {
    /// Finds the units of the module's debug information, `None` if none can be read.
    pub(super) fn load(module: &Arc<[u8]>, layout: &Layout) -> Option<DebugInfo> {
        layout.custom(module, ".debug_info")?;
        let (dwarf, supply, limit) = sections(module, layout);
        if !is_sane(&dwarf).ok()? {
            return None;
        }
        let context = Context::from_dwarf(dwarf).ok()?;
        Some(DebugInfo { supply, limit, context: Mutex::new(Some(context)) })
    }

    /// The frames at `address`, innermost first.
    pub(super) fn source(&self, address: u64) -> Vec<SourceFrame> {
        let mut found = Vec::new();
        self.frames(address, |frame| {
            let location = frame.location.as_ref();
            found.push(SourceFrame {
                function: frame.function.as_ref().and_then(name_of),
                file: location.and_then(|l| l.file).map(|file| printable(&clip(file, MAX_PATH))),
                line: location.and_then(|l| l.line),
                column: location.and_then(|l| l.column).filter(|&column| column > 0),
            });
        });
        found
    }

    /// Name of the function, not inlined, that holds `address`.
    pub(super) fn subprogram(&self, address: u64) -> Option<String> {
        let mut outermost = None;
        self.frames(address, |frame| outermost = frame.function.as_ref().and_then(name_of));
        outermost
    }

    fn frames(&self, address: u64, mut visit: impl FnMut(addr2line::Frame<'_, MeteredReader>)) {
        let mut guard = self.context.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(context) = guard.as_ref() else { return };
        self.supply.refill(self.limit);
        if let Ok(mut frames) = context.find_frames(address).skip_all_loads() {
            for _ in 0..MAX_FRAMES {
                let Ok(Some(frame)) = frames.next() else { break };
                visit(frame);
            }
        }
        if self.supply.is_exhausted() {
            *guard = None;
        }
    }
}

/// The sections of the module's debug information, not looked at yet, with units of reading for one query.
pub(super) fn sections(module: &Arc<[u8]>, layout: &Layout) -> (Dwarf<MeteredReader>, Arc<Supply>, u64) {
    let supply = Supply::new(module.clone());
    let mut bytes = 0;
    let dwarf = Dwarf::load(|id| {
        let range = layout.custom(module, id.name()).unwrap_or(0..0);
        bytes += range.len() as u64;
        Ok::<_, Infallible>(MeteredReader::new(&supply, range))
    });
    let Ok(dwarf) = dwarf;
    let limit = bytes * READS_PER_BYTE + SPARE_READS;
    supply.refill(limit);
    (dwarf, supply, limit)
}

fn name_of(name: &FunctionName<MeteredReader>) -> Option<String> {
    let raw = name.raw_name().ok()?;
    (!raw.is_empty()).then(|| printable_name(&demangle(&raw, name.language)))
}

/// Walks every entry once, without recursion, and checks that none is nested too deep or has too many attributes.
fn is_sane(dwarf: &Dwarf<MeteredReader>) -> gimli::Result<bool> {
    let mut tables = HashSet::new();
    let mut headers = dwarf.units();
    while let Some(header) = headers.next()? {
        let table = header.debug_abbrev_offset().0;
        if tables.insert(table) && widest_abbreviation(dwarf, table) > MAX_ATTRIBUTES {
            return Ok(false);
        }
        let Ok(abbreviations) = dwarf.abbreviations(&header) else {
            continue;
        };
        let mut entries = header.entries_raw(&abbreviations, None)?;
        while !entries.is_empty() {
            if entries.next_depth() > MAX_DEPTH {
                return Ok(false);
            }
            // A unit that cannot be read to its end is harmless: no other code reads past that point either.
            let Ok(abbreviation) = entries.read_abbreviation() else {
                break;
            };
            let attributes = abbreviation.map_or(&[][..], |abbreviation| abbreviation.attributes());
            if entries.skip_attributes(attributes).is_err() {
                break;
            }
        }
    }
    Ok(true)
}

/// Most attributes of an abbreviation in the table at `offset`, as far as it can be read.
fn widest_abbreviation(dwarf: &Dwarf<MeteredReader>, offset: usize) -> usize {
    let mut reader = dwarf.debug_abbrev.reader().clone();
    let mut widest = 0;
    let _end_of_table = (|| -> gimli::Result<()> {
        reader.skip(offset)?;
        while reader.read_uleb128()? != 0 {
            let (_tag, _has_children) = (reader.read_uleb128()?, reader.read_u8()?);
            for attributes in 0.. {
                let (name, form) = (reader.read_uleb128()?, reader.read_uleb128()?);
                if (name, form) == (0, 0) {
                    break;
                }
                if form == u64::from(gimli::DW_FORM_implicit_const.0) {
                    reader.read_sleb128()?;
                }
                widest = widest.max(attributes + 1);
            }
        }
        Ok(())
    })();
    widest
}
