//! Types of variables, from DWARF: their names, their sizes, and which of their parts holds some bytes.

use super::metered::MeteredReader;
use forkpoint_traces::clip;
use gimli::{
    AttributeValue, DebuggingInformationEntry, DwAt, DwTag, Dwarf, Operation, Reader, Unit, UnitOffset,
    constants as dw,
};
use std::ops::Range;

/// Most types on the way to a name, a size or a part.
const MAX_DEPTH: usize = 32;
/// How many types, one in the other, are looked at to choose among members that share bytes.
const LOOK_AHEAD: usize = 3;
/// Most members of a type that are looked at.
const MAX_MEMBERS: usize = 10_000;
/// Most members that are kept.
const MAX_FOUND: usize = 64;
/// Most members that are named together.
const MAX_TOGETHER: usize = 8;
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

    pub(super) fn target(&self, at: EntryAt, entry: &Entry, name: DwAt) -> Option<EntryAt> {
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
    pub(super) fn plain(&self, mut at: EntryAt) -> Option<(EntryAt, Entry)> {
        for _ in 0..MAX_DEPTH {
            let entry = self.entry(at)?;
            if !is_alias(entry.tag()) {
                return Some((at, entry));
            }
            at = self.target(at, &entry, dw::DW_AT_type)?;
        }
        None
    }

    /// Whether a unit was written in Rust.
    pub(super) fn is_rust(&self, unit: usize) -> bool {
        let Some(header) = self.units.get(unit).map(|unit| &unit.header) else { return false };
        let root = self.entry(EntryAt { unit, offset: header.root_offset() });
        let language = root.and_then(|root| root.attr_value(dw::DW_AT_language));
        matches!(language, Some(AttributeValue::Language(dw::DW_LANG_Rust)))
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
            let Some(inner) = self.step(&part, bytes, LOOK_AHEAD) else { break };
            part = inner;
            // A name of a hostile module may be long, and there may be many of them.
            if part.path.len() > MAX_TEXT {
                break;
            }
        }
        part
    }

    /// The element or member that holds the bytes. Where there are several, what is in them decides, of as many types one in the
    /// other as `ahead` says; otherwise the first.
    fn step(&self, part: &Part, bytes: &Range<u64>, ahead: usize) -> Option<Part> {
        let (at, entry) = self.plain(part.ty)?;
        match entry.tag() {
            dw::DW_TAG_array_type => self.element(at, &entry, part, bytes),
            dw::DW_TAG_structure_type | dw::DW_TAG_class_type => self.field(at, part, bytes, ahead),
            dw::DW_TAG_union_type => {
                let fields = self.members(at, part.start, |member| member.holds(bytes));
                let smallest = |member: &Member| self.smallest(member.part(""), bytes, ahead - 1).size;
                let fits = |member: &&Member| ahead > 0 && smallest(member) == bytes.end - bytes.start;
                let chosen = fields.iter().find(fits).or(fields.first())?;
                Some(chosen.part(&part.path))
            }
            _ => None,
        }
    }

    /// The smallest part of a part that holds the bytes.
    fn smallest(&self, mut part: Part, bytes: &Range<u64>, ahead: usize) -> Part {
        for _ in 0..MAX_DEPTH {
            let Some(inner) = self.step(&part, bytes, ahead).filter(|inner| inner.path.len() <= MAX_TEXT) else {
                break;
            };
            part = inner;
        }
        part
    }

    /// The member of a structure that holds the bytes, or those that share them by bits.
    fn field(&self, of: EntryAt, part: &Part, bytes: &Range<u64>, ahead: usize) -> Option<Part> {
        let bits = bytes.start.checked_mul(8)?..bytes.end.checked_mul(8)?;
        let touched = |member: &Member| match &member.bits {
            Some(own) => own.start < bits.end && bits.start < own.end,
            None => member.holds(bytes),
        };
        let found = self.members(of, part.start, touched);
        if found.is_empty() {
            return self.variant(of, part, bytes, ahead.checked_sub(1)?);
        }
        // A base class without members may be at the same place as a member.
        let whole = || found.iter().filter(|member| member.bits.is_none());
        if let Some(whole) = whole().find(|member| !self.is_empty(member, LOOK_AHEAD)).or_else(|| whole().next()) {
            let one_of_bases = ahead > 0 && whole.name.is_none();
            let with_class = || self.of_base(of, whole, part, bytes, ahead - 1);
            return one_of_bases.then(with_class).flatten().or_else(|| Some(whole.part(&part.path)));
        }
        let first = found.first()?;
        let (mut part, last) = (first.part(&part.path), found.last()?);
        if found.len() > 1 {
            let names: Vec<&str> = found.iter().filter_map(|member| member.name.as_deref()).collect();
            part.path.truncate(part.path.len() - first.name.as_ref().map_or(0, |name| name.len() + 1));
            part.path.push_str(&together(&names));
        }
        // Bits do not begin and end with the bytes that are written.
        let end = last.start.saturating_add(last.size).max(bytes.end);
        part.start = part.start.min(bytes.start);
        part.size = end.saturating_sub(part.start);
        Some(part)
    }

    /// Whether a member, or base class, has no members.
    fn is_empty(&self, member: &Member, ahead: usize) -> bool {
        let structure = |tag| matches!(tag, dw::DW_TAG_structure_type | dw::DW_TAG_class_type);
        let Some((at, _)) = self.plain(member.ty).filter(|(_, entry)| structure(entry.tag())) else { return false };
        let filled = |inner: &Member| ahead > 0 && !self.is_empty(inner, ahead - 1);
        member.size == 1 && self.members(at, 0, filled).is_empty()
    }

    /// A member of a base class, with that class's name, where other base classes have one of the same name.
    fn of_base(&self, of: EntryAt, base: &Member, part: &Part, bytes: &Range<u64>, ahead: usize) -> Option<Part> {
        let bases = self.members(of, 0, |other| other.name.is_none());
        if bases.len() < 2 {
            return None;
        }
        let inner = self.step(&base.part(""), bytes, ahead)?;
        let own = inner.path.trim_start_matches('.');
        let has_it = |base: &&Member| {
            let Some((at, _)) = self.plain(base.ty) else { return false };
            !self.members(at, 0, |member| member.name.as_deref() == Some(own)).is_empty()
        };
        let path = format!("{}.{}::{own}", part.path, self.name(base.ty));
        (bases.iter().filter(has_it).count() > 1).then_some(Part { path, ..inner })
    }

    /// The part of an enumeration with values, as in Rust, that is at these bytes: what tells its variants apart, or of the variants
    /// those that have something of just this length there. What memory holds is not looked at.
    fn variant(&self, of: EntryAt, part: &Part, bytes: &Range<u64>, ahead: usize) -> Option<Part> {
        let (mut discriminant, mut found) = (None, Vec::new());
        self.children(of, |at, child| {
            if child.tag() == dw::DW_TAG_variant_part {
                let tag = self.target(at, child, dw::DW_AT_discr);
                self.children(at, |inner, entry| {
                    if tag == Some(inner) {
                        discriminant = self.member_at(inner, entry, part.start);
                    } else if entry.tag() == dw::DW_TAG_variant {
                        found.extend(self.members(inner, part.start, |member| member.holds(bytes)));
                    }
                    found.len() < MAX_FOUND
                });
            }
            found.len() < MAX_FOUND
        });
        let inside: Vec<Part> = found
            .iter()
            .filter_map(|member| {
                let inner = self.smallest(member.part(""), bytes, ahead);
                let fits = inner.start == bytes.start && inner.size == bytes.end - bytes.start;
                // A variant without values has the size of all of it.
                (fits && inner.path.trim_start_matches('.').contains(['.', '['])).then_some(inner)
            })
            .collect();
        match inside.as_slice() {
            [] => {
                let tag = discriminant.filter(|tag| tag.holds(bytes))?;
                Some(Part {
                    path: format!("{}.discriminant", part.path),
                    ty: tag.ty,
                    start: tag.start,
                    size: tag.size,
                })
            }
            // Where the place of a value tells the variants apart, too, either may be meant.
            _ if discriminant
                .is_some_and(|tag| tag.start < bytes.end && bytes.start < tag.start.saturating_add(tag.size)) =>
            {
                None
            }
            [one] => Some(Part {
                path: format!("{}{}", part.path, one.path),
                ty: one.ty,
                start: one.start,
                size: one.size,
            }),
            several => {
                let names: Vec<&str> = several.iter().map(|part| part.path.trim_start_matches('.')).collect();
                let one = &several[0];
                let path = format!("{}{}", part.path, together(&names));
                (names.len() <= MAX_TOGETHER).then_some(Part { path, ty: one.ty, start: one.start, size: one.size })
            }
        }
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

    /// A member's place: a number, or, of old compilers, an expression that adds it.
    fn constant(&self, unit: usize, location: AttributeValue<MeteredReader>) -> Option<u64> {
        let AttributeValue::Exprloc(expression) = location else { return location.udata_value() };
        let mut operations = expression.operations(self.units.get(unit)?.encoding());
        match (operations.next().ok()?, operations.next().ok()?) {
            (Some(Operation::PlusConstant { value }), None) => Some(value),
            // That of a virtual base class is in the object's table.
            _ => None,
        }
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
            Some(location) => self.constant(at.unit, location)?,
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

/// Members that share bytes.
fn together(names: &[&str]) -> String {
    format!(".{{{}}}", names.join(","))
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
