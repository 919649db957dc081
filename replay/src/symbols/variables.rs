//! Variables with a fixed address, from DWARF: globals and statics, and which of their parts holds some bytes.
//!
//! They are collected once, in one walk over all entries; their types are read when a part is asked for.

use super::demangle::demangle;
use super::dwarf;
use super::frame_variables::{Frame, FrameVariables};
use super::held::{self, Held};
use super::layout::Layout;
use super::metered::{MeteredReader, Supply};
use super::origins::Origin;
use super::pointers::Here;
use super::types::{EntryAt, Types};
use forkpoint_traces::{printable, printable_name};
use gimli::{Abbreviation, AttributeValue, Dwarf, Expression, Operation, Unit, UnitOffset, constants as dw};
use serde::Serialize;
use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Most variables that are kept.
const MAX_VARIABLES: usize = 1_000_000;
/// How many variables that begin before an address are asked whether they hold it: they may overlap.
const LOOK_BACK: usize = 16;
/// Of how many functions the variables in locals are kept.
const MAX_KEPT: usize = 1_000;
/// What compilers call a namespace without a name.
const UNNAMED: &str = "_GLOBAL__N_1";
/// Most scopes around a variable that its name shows.
const MAX_SCOPES: usize = 16;

/// A variable, or the part of one, that holds bytes of memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Variable {
    /// As a programmer writes it: `world.bodies[3].vx`. Safe to print, bounded.
    pub path: String,
    /// The name of its type, if it has one. Safe to print, bounded.
    #[serde(rename = "type")]
    pub ty: Option<String>,
    /// Its first byte.
    pub address: u64,
    /// Its length in bytes.
    pub size: u64,
    /// How far behind its first byte the bytes begin that were asked for.
    pub offset: u64,
}

impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        if self.offset > 0 { write!(f, "+{:#x}", self.offset) } else { Ok(()) }
    }
}

/// All variables of one module.
pub(super) struct Variables {
    debug: Mutex<Debug>,
    fixed: Fixed,
    /// Those on the stack.
    frames: OnceLock<FrameVariables>,
    /// Those of one function that its locals hold.
    held: Mutex<HashMap<u64, Arc<[Held]>>>,
}

/// The variables with a fixed address.
pub(super) struct Fixed {
    /// In the order of their addresses.
    known: Vec<Known>,
    /// The largest size of one.
    largest: u64,
}

impl Fixed {
    /// The one that holds all of these bytes.
    pub(super) fn at(&self, bytes: &Range<u64>) -> Option<&Known> {
        let after = self.known.partition_point(|variable| variable.start <= bytes.start);
        let before = self.known[..after].iter().rev().take(LOOK_BACK);
        let mut near = before.take_while(|variable| bytes.start - variable.start <= self.largest);
        near.find(|variable| bytes.end - variable.start <= variable.size)
    }
}

/// Debug information to read types from.
struct Debug {
    supply: Arc<Supply>,
    /// Units of reading that one query may take.
    limit: u64,
    dwarf: Dwarf<MeteredReader>,
    units: Vec<Unit<MeteredReader>>,
}

/// A variable with a fixed address.
pub(super) struct Known {
    pub(super) start: u64,
    pub(super) size: u64,
    pub(super) name: String,
    pub(super) ty: EntryAt,
}

impl Variables {
    /// Collects the variables of a module whose debug information can be read.
    pub(super) fn load(module: &Arc<[u8]>, layout: &Layout) -> Variables {
        let (dwarf, supply, limit) = dwarf::sections(module, layout);
        let mut units = Vec::new();
        let mut headers = dwarf.units();
        while let Ok(Some(header)) = headers.next() {
            // The order of the units matters, so one that cannot be read ends them.
            let Ok(unit) = dwarf.unit(header) else { break };
            units.push(unit);
        }
        let mut known = Vec::new();
        let types = Types { dwarf: &dwarf, units: &units };
        for unit in 0..units.len() {
            // A unit that is damaged has the variables before the damage.
            let _ = Walk { types, unit, scopes: Vec::new() }.collect(&mut known);
        }
        known.sort_by_key(|variable| (variable.start, variable.size));
        // A variable of a header is in every unit that includes it.
        known.dedup_by(|a, b| (a.start, a.size, &a.name) == (b.start, b.size, &b.name));
        let largest = known.iter().map(|variable| variable.size).max().unwrap_or(0);
        let debug = Mutex::new(Debug { supply, limit, dwarf, units });
        let fixed = Fixed { known, largest };
        Variables { debug, fixed, frames: OnceLock::new(), held: Mutex::default() }
    }

    /// The variable that holds all of these bytes, and the smallest part of it that does.
    pub(super) fn at(&self, bytes: &Range<u64>) -> Option<Variable> {
        let variable = self.fixed.at(bytes)?;
        Some(self.part(&variable.name, variable.ty, variable.start..variable.start + variable.size, bytes))
    }

    /// The smallest part of a variable that holds some of its bytes.
    fn part(&self, name: &str, ty: EntryAt, all: Range<u64>, bytes: &Range<u64>) -> Variable {
        let debug = self.debug.lock().unwrap_or_else(PoisonError::into_inner);
        debug.supply.refill(debug.limit);
        let types = Types { dwarf: &debug.dwarf, units: &debug.units };
        let within = bytes.start - all.start..bytes.end - all.start;
        let part = types.part(ty, all.end - all.start, &within);
        Variable {
            path: printable(&format!("{name}{}", part.path)),
            ty: type_name(types, part.ty),
            address: all.start + part.start,
            size: part.size,
            offset: within.start - part.start,
        }
    }

    fn frames(&self) -> &FrameVariables {
        self.frames.get_or_init(|| {
            let debug = self.debug.lock().unwrap_or_else(PoisonError::into_inner);
            debug.supply.refill(debug.limit);
            FrameVariables::load(Types { dwarf: &debug.dwarf, units: &debug.units })
        })
    }

    /// Where the code of each function with a frame base begins, and the local that holds it.
    pub(super) fn frame_bases(&self) -> impl Iterator<Item = (u64, u32)> {
        self.frames().bases()
    }

    /// The names of the parameters of the function whose code holds an address.
    pub(super) fn parameters(&self, address: u64) -> &[String] {
        self.frames().parameters(address)
    }

    /// The variable on the stack that holds these bytes, where a function is at an address of its code and has this frame base.
    pub(super) fn on_frame(&self, address: u64, base: u64, bytes: &Range<u64>) -> Option<Variable> {
        let (variable, start) = self.frames().at(address, base, bytes)?;
        Some(self.part(&variable.name, variable.ty, start..start.checked_add(variable.size)?, bytes))
    }

    /// What a store of an instruction at an address of the code, which begins at `code_start` in the module, writes, by its debug
    /// information alone.
    pub(super) fn written(
        &self,
        code_start: u64,
        address: u64,
        origin: &Origin,
        bytes: &Range<u64>,
    ) -> Option<Variable> {
        let frames = self.frames();
        let debug = self.debug.lock().unwrap_or_else(PoisonError::into_inner);
        debug.supply.refill(debug.limit);
        let types = Types { dwarf: &debug.dwarf, units: &debug.units };
        let frame = frames.function_at(address);
        let held = frame.map(|frame| self.held_by(types, frame));
        let held = held.as_deref().unwrap_or_default();
        let here = Here { types, fixed: &self.fixed, frame, held, address, code_start };
        let named = here.named(origin, bytes.end - bytes.start)?;
        Some(Variable {
            path: printable(&named.path),
            ty: type_name(types, named.ty),
            address: bytes.start.checked_sub(named.offset)?,
            size: named.size,
            offset: named.offset,
        })
    }

    fn held_by(&self, types: Types, frame: &Frame) -> Arc<[Held]> {
        let mut known = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_KEPT {
            known.clear();
        }
        let found = known.entry(frame.start()).or_insert_with(|| held::of_function(types, frame.entry).into());
        Arc::clone(found)
    }

    /// The variable with this name, or part of it: its bytes.
    pub(super) fn named(&self, name: &str) -> Option<Range<u64>> {
        let found = self.fixed.known.iter().find(|variable| variable.name == name);
        // A name without its scopes will do.
        let scoped = || {
            let last = |variable: &&Known| variable.name.rsplit("::").next() == Some(name);
            self.fixed.known.iter().find(last)
        };
        found.or_else(scoped).map(|variable| variable.start..variable.start + variable.size)
    }
}

fn type_name(types: Types, ty: EntryAt) -> Option<String> {
    Some(types.name(ty)).filter(|name| name != "?").map(|name| printable_name(&name))
}

/// A walk over the entries of one unit.
struct Walk<'a> {
    types: Types<'a>,
    unit: usize,
    /// Depth and place of the entries around the current one that have names.
    scopes: Vec<(isize, UnitOffset)>,
}

/// What is read of a variable's entry.
#[derive(Default)]
struct Attributes {
    name: Option<String>,
    linkage_name: Option<String>,
    ty: Option<EntryAt>,
    /// The declaration that it completes.
    declaration: Option<EntryAt>,
    address: Option<u64>,
}

impl Walk<'_> {
    fn collect(&mut self, known: &mut Vec<Known>) -> gimli::Result<()> {
        let types = self.types;
        let unit = &types.units[self.unit];
        let mut entries = unit.header.entries_raw(&unit.abbreviations, None)?;
        while !entries.is_empty() && known.len() < MAX_VARIABLES {
            let (depth, offset) = (entries.next_depth(), entries.next_offset());
            let Some(abbreviation) = entries.read_abbreviation()? else { continue };
            while self.scopes.last().is_some_and(|(scope, _)| *scope >= depth) {
                self.scopes.pop();
            }
            if abbreviation.tag() == dw::DW_TAG_variable && has_place(abbreviation) {
                let mut found = Attributes::default();
                for spec in abbreviation.attributes() {
                    let attribute = entries.read_attribute(*spec)?;
                    self.take(&mut found, attribute.name(), attribute.value());
                }
                known.extend(self.known(found));
                continue;
            }
            if is_scope(abbreviation) {
                self.scopes.push((depth, offset));
            }
            entries.skip_attributes(abbreviation.attributes())?;
        }
        Ok(())
    }

    fn take(&self, found: &mut Attributes, name: gimli::DwAt, value: AttributeValue<MeteredReader>) {
        match name {
            dw::DW_AT_name => found.name = self.types.text(self.unit, value),
            dw::DW_AT_linkage_name | dw::DW_AT_MIPS_linkage_name => {
                found.linkage_name = self.types.text(self.unit, value);
            }
            dw::DW_AT_type => found.ty = self.types.reference(self.unit, value),
            dw::DW_AT_specification | dw::DW_AT_abstract_origin => {
                found.declaration = self.types.reference(self.unit, value);
            }
            dw::DW_AT_location => {
                if let AttributeValue::Exprloc(expression) = value {
                    found.address = self.address(expression);
                }
            }
            _ => {}
        }
    }

    /// The address, where the location is nothing else.
    fn address(&self, expression: Expression<MeteredReader>) -> Option<u64> {
        let unit = &self.types.units[self.unit];
        let mut operations = expression.operations(unit.encoding());
        let mut address = match operations.next().ok()?? {
            Operation::Address { address } => address,
            Operation::AddressIndex { index } => self.types.dwarf.address(unit, index).ok()?,
            _ => return None,
        };
        while let Some(operation) = operations.next().ok()? {
            let Operation::PlusConstant { value } = operation else { return None };
            address = address.checked_add(value)?;
        }
        // Linkers put 0 or the last addresses where they left a variable out.
        let most = if unit.encoding().address_size == 8 { u64::MAX } else { u32::MAX.into() };
        (address != 0 && address < most - 1).then_some(address)
    }

    fn known(&self, mut found: Attributes) -> Option<Known> {
        let start = found.address?;
        if let Some(declaration) = found.declaration {
            let entry = self.types.entry(declaration)?;
            for name in [dw::DW_AT_name, dw::DW_AT_linkage_name, dw::DW_AT_type] {
                let known = match name {
                    dw::DW_AT_name => found.name.is_some(),
                    dw::DW_AT_type => found.ty.is_some(),
                    _ => found.linkage_name.is_some(),
                };
                if let Some(value) = entry.attr_value(name).filter(|_| !known) {
                    self.take(&mut found, name, value);
                }
            }
        }
        let ty = found.ty?;
        let size = self.types.size(ty).filter(|size| *size > 0)?;
        start.checked_add(size)?;
        let mangled = found.linkage_name.as_deref().map(|name| (name, demangle(name, None)));
        let name = match mangled {
            Some((name, demangled)) if demangled != name => demangled.replace(UNNAMED, "(anonymous namespace)"),
            // A string literal has a place and no name.
            _ => self.scoped(&found.name?),
        };
        Some(Known { start, size, name: printable_name(&name), ty })
    }

    /// A name with those of what is around it.
    fn scoped(&self, name: &str) -> String {
        let mut scoped = String::new();
        for (_, offset) in self.scopes.iter().take(MAX_SCOPES) {
            if let Some(scope) = self.scope_name(EntryAt { unit: self.unit, offset: *offset }) {
                scoped.push_str(&scope);
                scoped.push_str("::");
            }
        }
        scoped.push_str(name);
        scoped
    }

    fn scope_name(&self, at: EntryAt) -> Option<String> {
        let entry = self.types.entry(at)?;
        if let Some(name) = entry.attr_value(dw::DW_AT_name) {
            return self.types.text(at.unit, name);
        }
        let origin = entry.attr_value(dw::DW_AT_specification).or(entry.attr_value(dw::DW_AT_abstract_origin))?;
        let origin = self.types.reference(at.unit, origin)?;
        self.types.text(origin.unit, self.types.entry(origin)?.attr_value(dw::DW_AT_name)?)
    }
}

fn has_place(abbreviation: &Abbreviation) -> bool {
    abbreviation.attributes().iter().any(|spec| spec.name() == dw::DW_AT_location)
}

fn is_scope(abbreviation: &Abbreviation) -> bool {
    abbreviation.has_children()
        && matches!(
            abbreviation.tag(),
            dw::DW_TAG_namespace
                | dw::DW_TAG_subprogram
                | dw::DW_TAG_structure_type
                | dw::DW_TAG_class_type
                | dw::DW_TAG_union_type
        )
}
