//! Types of variables, from DWARF: their names, their sizes, and which of their parts holds some bytes.

use super::metered::MeteredReader;
use forkpoint_traces::clip;
use gimli::{
    AttributeValue, DebuggingInformationEntry, DwAt, DwTag, Dwarf, Reader, Unit, UnitOffset, constants as dw,
};
use std::ops::Range;

/// Most types on the way to a name, a size or a part.
const MAX_DEPTH: usize = 32;
/// Most members of a type that are looked at.
const MAX_MEMBERS: usize = 10_000;
/// Most members that are kept.
const MAX_FOUND: usize = 64;
/// Most bytes of a name as it is stored.
const MAX_TEXT: usize = 400;

type Entry = DebuggingInformationEntry<MeteredReader>;

/// An entry of debug information: the unit's number, and where in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EntryAt {
    pub(super) unit: usize,
    pub(super) offset: UnitOffset,
}

/// The types of a module's debug information.
#[derive(Clone, Copy)]
pub(super) struct Types<'a> {
    pub(super) dwarf: &'a Dwarf<MeteredReader>,
    /// In the order of their offsets.
    pub(super) units: &'a [Unit<MeteredReader>],
}

/// A part of a variable, or all of it.
pub(super) struct Part {
    /// What follows the variable's name: `.bodies[3].vx`.
    pub(super) path: String,
    pub(super) ty: EntryAt,
    /// Its bytes, counted from the variable's first.
    pub(super) start: u64,
    pub(super) size: u64,
}

/// A member of a structure.
struct Member {
    name: Option<String>,
    ty: EntryAt,
    start: u64,
    size: u64,
    /// Its bits, where it has no bytes of its own.
    bits: Option<Range<u64>>,
}

impl Member {
    fn holds(&self, bytes: &Range<u64>) -> bool {
        self.start <= bytes.start && bytes.end <= self.start.saturating_add(self.size)
    }

    fn part(&self, before: &str) -> Part {
        let dot = if self.name.is_some() { "." } else { "" };
        let path = format!("{before}{dot}{}", self.name.as_deref().unwrap_or_default());
        Part { path, ty: self.ty, start: self.start, size: self.size }
    }
}

impl Types<'_> {
    /// Reads an entry.
    pub(super) fn entry(&self, at: EntryAt) -> Option<Entry> {
        let unit = self.units.get(at.unit)?;
        unit.header.entry(&unit.abbreviations, at.offset).ok()
    }

    /// The entry that an attribute refers to.
    pub(super) fn reference(&self, unit: usize, value: AttributeValue<MeteredReader>) -> Option<EntryAt> {
        match value {
            AttributeValue::UnitRef(offset) => Some(EntryAt { unit, offset }),
            AttributeValue::DebugInfoRef(offset) => {
                let start = |unit: &Unit<MeteredReader>| unit.header.debug_info_offset();
                let after = self.units.partition_point(|unit| start(unit).is_some_and(|start| start <= offset));
                let unit = after.checked_sub(1)?;
                Some(EntryAt { unit, offset: offset.to_unit_offset(&self.units[unit].header)? })
            }
            _ => None,
        }
    }

    fn target(&self, at: EntryAt, entry: &Entry, name: DwAt) -> Option<EntryAt> {
        self.reference(at.unit, entry.attr_value(name)?)
    }

    /// A text of an entry, as the compiler wrote it.
    pub(super) fn text(&self, unit: usize, value: AttributeValue<MeteredReader>) -> Option<String> {
        let text = self.dwarf.attr_string(self.units.get(unit)?, value).ok()?;
        Some(clip(&text.to_string_lossy().ok()?, MAX_TEXT).to_string()).filter(|text| !text.is_empty())
    }

    fn own_name(&self, at: EntryAt, entry: &Entry) -> Option<String> {
        self.text(at.unit, entry.attr_value(dw::DW_AT_name)?)
    }

    /// The type behind other names and qualifiers for it.
    fn plain(&self, mut at: EntryAt) -> Option<(EntryAt, Entry)> {
        for _ in 0..MAX_DEPTH {
            let entry = self.entry(at)?;
            if !is_alias(entry.tag()) {
                return Some((at, entry));
            }
            at = self.target(at, &entry, dw::DW_AT_type)?;
        }
        None
    }

    /// The size of a type in bytes.
    pub(super) fn size(&self, at: EntryAt) -> Option<u64> {
        self.size_within(at, MAX_DEPTH)
    }

    fn size_within(&self, at: EntryAt, depth: usize) -> Option<u64> {
        let (at, entry) = self.plain(at)?;
        if let Some(size) = entry.attr_value(dw::DW_AT_byte_size).and_then(|size| size.udata_value()) {
            return Some(size);
        }
        match entry.tag() {
            dw::DW_TAG_array_type => {
                let stride = self.stride(at, &entry, depth.checked_sub(1)?)?;
                self.counts(at).into_iter().try_fold(stride, |size, count| size.checked_mul(count?))
            }
            dw::DW_TAG_pointer_type | dw::DW_TAG_reference_type | dw::DW_TAG_rvalue_reference_type => {
                Some(self.units.get(at.unit)?.encoding().address_size.into())
            }
            _ => None,
        }
    }

    fn stride(&self, at: EntryAt, array: &Entry, depth: usize) -> Option<u64> {
        match array.attr_value(dw::DW_AT_byte_stride).and_then(|stride| stride.udata_value()) {
            Some(stride) => Some(stride),
            None => self.size_within(self.target(at, array, dw::DW_AT_type)?, depth),
        }
    }

    /// The number of elements of each dimension, `None` where it is open.
    fn counts(&self, array: EntryAt) -> Vec<Option<u64>> {
        let mut counts = Vec::new();
        self.children(array, |_, child| {
            if child.tag() == dw::DW_TAG_subrange_type {
                let number = |name| child.attr_value(name).and_then(|value: AttributeValue<_>| value.udata_value());
                let last = || number(dw::DW_AT_upper_bound).and_then(|last| last.checked_add(1));
                counts.push(number(dw::DW_AT_count).or_else(last));
            }
            counts.len() < MAX_DEPTH
        });
        counts
    }

    /// Calls `visit` for the children of an entry until it returns `false`.
    fn children(&self, of: EntryAt, mut visit: impl FnMut(EntryAt, &Entry) -> bool) {
        let Some(unit) = self.units.get(of.unit) else { return };
        let Ok(mut tree) = unit.header.entries_tree(&unit.abbreviations, Some(of.offset)) else { return };
        let Ok(root) = tree.root() else { return };
        let mut children = root.children();
        for _ in 0..MAX_MEMBERS {
            let Ok(Some(child)) = children.next() else { return };
            let entry = child.entry();
            if !visit(EntryAt { unit: of.unit, offset: entry.offset() }, entry) {
                return;
            }
        }
    }

    /// The name of a type, much as the language writes it.
    pub(super) fn name(&self, at: EntryAt) -> String {
        self.name_within(at, MAX_DEPTH).unwrap_or_else(|| "?".to_string())
    }

    fn name_within(&self, at: EntryAt, depth: usize) -> Option<String> {
        let depth = depth.checked_sub(1)?;
        let entry = self.entry(at)?;
        if let Some(name) = self.own_name(at, &entry) {
            return Some(name);
        }
        let target = || match self.target(at, &entry, dw::DW_AT_type) {
            Some(target) => self.name_within(target, depth),
            None => Some("void".to_string()),
        };
        Some(match entry.tag() {
            dw::DW_TAG_pointer_type => format!("{} *", target()?),
            dw::DW_TAG_reference_type => format!("{} &", target()?),
            dw::DW_TAG_rvalue_reference_type => format!("{} &&", target()?),
            dw::DW_TAG_const_type => format!("const {}", target()?),
            dw::DW_TAG_volatile_type => format!("volatile {}", target()?),
            dw::DW_TAG_restrict_type | dw::DW_TAG_atomic_type => target()?,
            dw::DW_TAG_array_type => {
                let counts = self.counts(at);
                let count = |count: &Option<u64>| format!("[{}]", count.map_or(String::new(), |n| n.to_string()));
                format!("{}{}", target()?, counts.iter().map(count).collect::<String>())
            }
            dw::DW_TAG_subroutine_type => "function".to_string(),
            dw::DW_TAG_structure_type | dw::DW_TAG_class_type => "struct".to_string(),
            dw::DW_TAG_union_type => "union".to_string(),
            dw::DW_TAG_enumeration_type => "enum".to_string(),
            _ => return None,
        })
    }

    /// The smallest part of a variable of this type that holds these bytes, counted from its first.
    pub(super) fn part(&self, ty: EntryAt, size: u64, bytes: &Range<u64>) -> Part {
        let mut part = Part { path: String::new(), ty, start: 0, size };
        for _ in 0..MAX_DEPTH {
            let Some(inner) = self.step(&part, bytes, true) else { break };
            part = inner;
            // A name of a hostile module may be long, and there may be many of them.
            if part.path.len() > MAX_TEXT {
                break;
            }
        }
        part
    }

    /// The element or member that holds the bytes. Of a union, one of their length is preferred; without `ahead`, the first.
    fn step(&self, part: &Part, bytes: &Range<u64>, ahead: bool) -> Option<Part> {
        let (at, entry) = self.plain(part.ty)?;
        match entry.tag() {
            dw::DW_TAG_array_type => self.element(at, &entry, part, bytes),
            dw::DW_TAG_structure_type | dw::DW_TAG_class_type => self.field(at, part, bytes),
            dw::DW_TAG_union_type => {
                let fields = self.members(at, part.start, |member| member.holds(bytes));
                let fits = |member: &&Member| self.smallest(member.part(""), bytes) == bytes.end - bytes.start;
                let chosen = fields.iter().find(|member| ahead && fits(member)).or(fields.first())?;
                Some(chosen.part(&part.path))
            }
            _ => None,
        }
    }

    /// The size of the smallest part of a part that holds the bytes.
    fn smallest(&self, mut part: Part, bytes: &Range<u64>) -> u64 {
        for _ in 0..MAX_DEPTH {
            let Some(inner) = self.step(&part, bytes, false) else { break };
            part = inner;
        }
        part.size
    }

    /// The member of a structure that holds the bytes, or those that share them by bits.
    fn field(&self, of: EntryAt, part: &Part, bytes: &Range<u64>) -> Option<Part> {
        let bits = bytes.start.checked_mul(8)?..bytes.end.checked_mul(8)?;
        let touched = |member: &Member| match &member.bits {
            Some(own) => own.start < bits.end && bits.start < own.end,
            None => member.holds(bytes),
        };
        let found = self.members(of, part.start, touched);
        if let Some(whole) = found.iter().find(|member| member.bits.is_none()) {
            return Some(whole.part(&part.path));
        }
        let first = found.first()?;
        let (mut part, last) = (first.part(&part.path), found.last()?);
        if found.len() > 1 {
            let names: Vec<&str> = found.iter().filter_map(|member| member.name.as_deref()).collect();
            part.path.truncate(part.path.len() - first.name.as_ref().map_or(0, |name| name.len() + 1));
            part.path.push_str(&format!(".{{{}}}", names.join(",")));
        }
        part.size = last.start.saturating_add(last.size).saturating_sub(part.start);
        Some(part)
    }

    fn element(&self, at: EntryAt, array: &Entry, part: &Part, bytes: &Range<u64>) -> Option<Part> {
        let ty = self.target(at, array, dw::DW_AT_type)?;
        let stride = self.stride(at, array, MAX_DEPTH)?;
        let number = bytes.start.checked_sub(part.start)?.checked_div(stride)?;
        let start = part.start.checked_add(number.checked_mul(stride)?)?;
        let size = self.size(ty)?;
        if start.checked_add(size)? < bytes.end {
            return None;
        }
        let (mut rest, mut indices) = (number, Vec::new());
        let counts = self.counts(at);
        for count in counts.iter().skip(1).rev() {
            let count = (*count).filter(|count| *count > 0)?;
            indices.push(rest % count);
            rest /= count;
        }
        indices.push(rest);
        let indices: String = indices.iter().rev().map(|index| format!("[{index}]")).collect();
        Some(Part { path: format!("{}{indices}", part.path), ty, start, size })
    }

    /// The members of a structure at `base` that are wanted.
    fn members(&self, of: EntryAt, base: u64, wanted: impl Fn(&Member) -> bool) -> Vec<Member> {
        let mut found = Vec::new();
        self.children(of, |at, child| {
            found.extend(self.member_at(at, child, base).filter(&wanted));
            found.len() < MAX_FOUND
        });
        found
    }

    fn member_at(&self, at: EntryAt, child: &Entry, base: u64) -> Option<Member> {
        let inherited = child.tag() == dw::DW_TAG_inheritance;
        if child.tag() != dw::DW_TAG_member && !inherited || child.has_attr(dw::DW_AT_external) {
            return None;
        }
        let number = |name| child.attr_value(name).and_then(|value: AttributeValue<_>| value.udata_value());
        let ty = self.target(at, child, dw::DW_AT_type)?;
        let size = self.size(ty)?;
        let name = if inherited { None } else { self.own_name(at, child).map(tuple_field) };
        let start = match child.attr_value(dw::DW_AT_data_member_location) {
            Some(location) => location.udata_value()?,
            None => 0,
        };
        let start = base.checked_add(start)?;
        let Some(length) = number(dw::DW_AT_bit_size) else {
            return Some(Member { name, ty, start, size, bits: None });
        };
        // Counted from the structure's first bit, or, in DWARF 3, from the highest bit of the member's own bytes.
        let first = match number(dw::DW_AT_data_bit_offset) {
            Some(bit) => base.checked_mul(8)?.checked_add(bit)?,
            None => {
                let own = number(dw::DW_AT_byte_size).unwrap_or(size).checked_mul(8)?;
                let above = number(dw::DW_AT_bit_offset).unwrap_or(0).checked_add(length)?;
                start.checked_mul(8)?.checked_add(own.checked_sub(above)?)?
            }
        };
        let bits = first..first.checked_add(length)?;
        let start = bits.start / 8;
        Some(Member { name, ty, start, size: bits.end.div_ceil(8).checked_sub(start)?, bits: Some(bits) })
    }
}

/// Another name for a type, or a qualified one.
fn is_alias(tag: DwTag) -> bool {
    matches!(
        tag,
        dw::DW_TAG_typedef
            | dw::DW_TAG_const_type
            | dw::DW_TAG_volatile_type
            | dw::DW_TAG_restrict_type
            | dw::DW_TAG_atomic_type
    )
}

/// Rust's name for a field without one is `__0`, which its programmers write as `0`.
fn tuple_field(name: String) -> String {
    match name.strip_prefix("__").filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit())) {
        Some(digits) if !digits.is_empty() => digits.to_string(),
        _ => name,
    }
}
