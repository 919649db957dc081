//! Names for what stores write by pointers: a variable that holds the pointer, and the member at the store's offset from it, as in
//! `list->head.next` or `self.items[2]`.
//!
//! [`super::origins`] tells which local the address of a store comes from, debug information which variable that local holds there.
//! So nothing has to run for it, and only addresses at a constant distance from a pointer have a name.

use super::frame_variables::Frame;
use super::held::Held;
use super::locations::Where;
use super::origins::{Origin, Source};
use super::types::{EntryAt, Types};
use super::variables::Fixed;
use gimli::constants as dw;
use std::ops::Range;

/// Longer names are not made longer.
const MAX_PATH: usize = 400;
/// Most variables in one local that are tried.
const MAX_TRIED: usize = 16;

/// What a function knows while one of its instructions runs.
pub(super) struct Here<'a> {
    pub(super) types: Types<'a>,
    pub(super) fixed: &'a Fixed,
    pub(super) frame: Option<&'a Frame>,
    pub(super) held: &'a [Held],
    /// Of the instruction, as debug information counts.
    pub(super) address: u64,
    /// Where that begins to count in the module.
    pub(super) code_start: u64,
}

/// Bytes of memory with a name.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) path: String,
    pub(super) ty: EntryAt,
    pub(super) size: u64,
    /// How far behind its first byte the bytes begin that were asked for.
    pub(super) offset: u64,
}

/// A pointer: the name of what holds it, its type, and what has to be added to it for the address that is meant.
struct Pointer {
    path: String,
    ty: EntryAt,
    plus: u64,
    depth: isize,
}

impl Here<'_> {
    /// What is at an address.
    pub(super) fn named(&self, origin: &Origin, length: u64) -> Option<Named> {
        match &origin.source {
            Source::Nothing => self.fixed(origin.plus, length),
            Source::Loaded { from, old } => {
                self.best(self.loaded(from, *old).into_iter().collect(), origin.plus, length)
            }
            Source::Local { local, read, from } => self
                .on_frame(*local, origin.plus, length)
                .or_else(|| self.in_memory(*local, origin.plus, length))
                .or_else(|| self.best(self.pointers(*local, *read), origin.plus, length))
                .or_else(|| {
                    let from = from.as_ref()?;
                    let plus = from.plus.wrapping_add(origin.plus);
                    self.named(&Origin { source: from.source.clone(), plus }, length)
                }),
        }
    }

    /// What is behind one of these pointers: of several the innermost, whose line is shown; but a member says more than what some
    /// helper calls its argument.
    fn best(&self, mut pointers: Vec<Pointer>, plus: u64, length: u64) -> Option<Named> {
        pointers.sort_by_key(|pointer| -pointer.depth);
        pointers.truncate(MAX_TRIED);
        let behind = |pointer: &Pointer| self.behind(pointer, pointer.plus.wrapping_add(plus), length);
        let mut found: Vec<Named> = pointers.iter().filter_map(behind).collect();
        let best = found.iter().position(|named| named.path.contains(['.', '[', '>'])).unwrap_or(0);
        if found.is_empty() { None } else { Some(found.swap_remove(best)) }
    }

    /// A variable with a fixed address.
    fn fixed(&self, address: u64, length: u64) -> Option<Named> {
        let bytes = address..address.checked_add(length)?;
        let variable = self.fixed.at(&bytes)?;
        Some(self.part(&variable.name, variable.ty, variable.size, bytes.start - variable.start, length))
    }

    /// A variable on the function's frame.
    fn on_frame(&self, local: u32, plus: u64, length: u64) -> Option<Named> {
        let frame = self.frame.filter(|frame| frame.base == Some(local))?;
        let start = self.signed(plus)?;
        frame.variables_at(self.address).find_map(|variable| {
            let within = u64::try_from(start.checked_sub(variable.start)?).ok()?;
            let holds = within.checked_add(length)? <= variable.size;
            holds.then(|| self.part(&variable.name, variable.ty, variable.size, within, length))
        })
    }

    /// A variable that is in memory where a local points to.
    fn in_memory(&self, local: u32, plus: u64, length: u64) -> Option<Named> {
        self.held.iter().rev().find_map(|held| {
            held.places_at(self.address).find_map(|place| {
                let Where::Memory { local: own, plus: start } = place.at else { return None };
                let within = u64::try_from(self.signed(plus.wrapping_sub(start))?).ok()?;
                let size = self.types.size(held.ty)?;
                let holds = own == local && place.part.is_none() && within.checked_add(length)? <= size;
                holds.then(|| self.part(&held.name, held.ty, size, within, length))
            })
        })
    }

    fn part(&self, name: &str, ty: EntryAt, size: u64, within: u64, length: u64) -> Named {
        let part = self.types.part(ty, size, &(within..within + length));
        Named { path: format!("{name}{}", part.path), ty: part.ty, size: part.size, offset: within - part.start }
    }

    /// The variables whose value a local is, or that are at a constant distance from it. Compilers often tell where a variable is only
    /// while they use it: of one that they place nowhere at the instruction it counts where it was when the local was read.
    fn pointers(&self, local: u32, read: u32) -> Vec<Pointer> {
        let mut found = Vec::new();
        let read = u64::from(read).checked_sub(self.code_start).unwrap_or(self.address);
        for held in self.held {
            let here = held.places_at(self.address).next().is_some();
            let places = held.places_at(if here { self.address } else { read });
            found.extend(places.filter_map(|place| self.value(held, local, place.at, place.part.as_ref())));
        }
        found
    }

    /// The variable, or part of it, whose value a local is.
    fn value(&self, held: &Held, local: u32, at: Where, part: Option<&Range<u64>>) -> Option<Pointer> {
        let Where::Value { local: own, plus } = at else { return None };
        if own != local {
            return None;
        }
        let (path, ty) = match part {
            None => (held.name.clone(), held.ty),
            Some(bytes) => {
                let part = self.types.part(held.ty, self.types.size(held.ty)?, bytes);
                if (part.start, part.size) != (bytes.start, bytes.end - bytes.start) {
                    return None;
                }
                (format!("{}{}", held.name, part.path), part.ty)
            }
        };
        Some(Pointer { path, ty, plus: 0u64.wrapping_sub(plus), depth: held.depth })
    }

    /// A pointer in memory. An old one is that of a variable on the frame: others may have changed any other.
    fn loaded(&self, from: &Origin, old: bool) -> Option<Pointer> {
        let length = self.pointer_size()?;
        let named = match from.source {
            Source::Local { local, .. } if old => self.on_frame(local, from.plus, length)?,
            _ if old => return None,
            _ => self.named(from, length)?,
        };
        let whole = named.offset == 0 && named.size == length && named.path.len() <= MAX_PATH;
        whole.then_some(Pointer { path: named.path, ty: named.ty, plus: 0, depth: 0 })
    }

    /// What is so far behind the address that a pointer holds.
    fn behind(&self, pointer: &Pointer, plus: u64, length: u64) -> Option<Named> {
        let (target, kind) = self.types.pointed(pointer.ty)?;
        let size = self.types.size(target).filter(|size| *size > 0)?;
        let plus = u64::try_from(self.signed(plus)?).ok()?;
        // A slice's pointer is named like the slice.
        let slice = pointer.path.strip_suffix(".data_ptr");
        let (number, within) = match slice {
            Some(_) => (plus / size, plus % size),
            None if plus.checked_add(length)? <= size => (0, plus),
            // Behind a structure there may be what its type does not say.
            None if kind == Kind::Pointer && self.types.is_scalar(target) => (plus / size, plus % size),
            None => return None,
        };
        if within.checked_add(length)? > size {
            return None;
        }
        let part = self.types.part(target, size, &(within..within + length));
        let name = slice.unwrap_or(&pointer.path);
        let path = match (slice, kind, number) {
            (Some(_), ..) => format!("{name}[{number}]{}", part.path),
            (None, _, 1..) => format!("{}[{number}]{}", in_parentheses(name), part.path),
            (None, kind, 0) => through(name, kind, &part.path),
        };
        Some(Named { path, ty: part.ty, size: part.size, offset: within - part.start })
    }

    fn pointer_size(&self) -> Option<u64> {
        Some(self.types.units.first()?.encoding().address_size.into())
    }

    /// A sum of addresses, where it may be less than 0.
    fn signed(&self, sum: u64) -> Option<i64> {
        Some(if self.pointer_size()? == 4 { i64::from(sum as u32 as i32) } else { sum as i64 })
    }
}

/// How a pointer is followed in its language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `p->member`, `*p`.
    Pointer,
    /// `p.member`, `*p`, as in Rust.
    Dotted,
    /// `p.member`, `p`.
    Reference,
}

impl Types<'_> {
    /// What a pointer points to, and how it is followed.
    fn pointed(&self, pointer: EntryAt) -> Option<(EntryAt, Kind)> {
        let (at, entry) = self.plain(pointer)?;
        let kind = match entry.tag() {
            dw::DW_TAG_pointer_type if self.is_rust(at.unit) => Kind::Dotted,
            dw::DW_TAG_pointer_type => Kind::Pointer,
            dw::DW_TAG_reference_type | dw::DW_TAG_rvalue_reference_type => Kind::Reference,
            _ => return None,
        };
        Some((self.target(at, &entry, dw::DW_AT_type)?, kind))
    }

    /// Whether a type has no members and no elements.
    fn is_scalar(&self, ty: EntryAt) -> bool {
        self.plain(ty).is_some_and(|(_, entry)| {
            matches!(
                entry.tag(),
                dw::DW_TAG_base_type
                    | dw::DW_TAG_enumeration_type
                    | dw::DW_TAG_pointer_type
                    | dw::DW_TAG_reference_type
            )
        })
    }
}

/// What is behind a pointer with a name.
fn through(name: &str, kind: Kind, part: &str) -> String {
    let around = in_parentheses(name);
    match (kind, part.strip_prefix('.')) {
        (Kind::Reference, None) if part.is_empty() => name.to_string(),
        (_, None) if part.is_empty() => format!("*{name}"),
        (Kind::Pointer, Some(member)) => format!("{around}->{member}"),
        (Kind::Pointer, None) => format!("(*{name}){part}"),
        _ => format!("{around}{part}"),
    }
}

fn in_parentheses(name: &str) -> String {
    if name.starts_with('*') { format!("({name})") } else { name.to_string() }
}
