//! What DWARF says of a function, a scope or a variable: its code, and where the variable is while code there runs.

use super::metered::MeteredReader;
use super::types::{EntryAt, Types};
use gimli::{AttributeValue, Expression, Operation, constants as dw};
use std::ops::Range;
use std::sync::Arc;

/// Most pieces of code of one scope, and most places of one variable.
const MAX_PIECES: usize = 1_000;
/// Most operations of an expression that are looked at.
const MAX_OPERATIONS: usize = 100;

/// The code of a scope, in pieces.
pub(super) type Code = Arc<[Range<u64>]>;

/// Where a variable, or a part of it, is.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// While this code runs; `None` for all of its scope.
    pub(super) code: Option<Range<u64>>,
    /// Which of its bytes; `None` for all of them.
    pub(super) part: Option<Range<u64>>,
    pub(super) at: Where,
}

/// Where bytes of a variable are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Where {
    /// In memory, counted from the frame base.
    Frame(i64),
    /// In memory, so far behind the address that a local holds.
    Memory { local: u32, plus: u64 },
    /// Nowhere: they are the value of a local, and this added to it.
    Value { local: u32, plus: u64 },
    /// What is not told apart: a constant, something computed, on the operand stack.
    Elsewhere,
}

impl Place {
    pub(super) fn is_at(&self, address: u64) -> bool {
        self.code.as_ref().is_none_or(|code| code.contains(&address))
    }
}

/// What is read of an entry.
#[derive(Default)]
pub(super) struct Attributes {
    low: Option<u64>,
    high: Option<High>,
    ranges: Option<AttributeValue<MeteredReader>>,
    /// The local that is the frame base.
    pub(super) base: Option<u32>,
    pub(super) name: Option<String>,
    pub(super) ty: Option<EntryAt>,
    origin: Option<EntryAt>,
    location: Option<AttributeValue<MeteredReader>>,
}

/// Where code ends.
enum High {
    Address(u64),
    Length(u64),
}

impl Attributes {
    pub(super) fn take(
        &mut self,
        types: Types,
        number: usize,
        name: gimli::DwAt,
        value: AttributeValue<MeteredReader>,
    ) {
        let unit = &types.units[number];
        match (name, value) {
            (dw::DW_AT_low_pc, AttributeValue::Addr(address)) => self.low = Some(address),
            (dw::DW_AT_low_pc, AttributeValue::DebugAddrIndex(index)) => {
                self.low = types.dwarf.address(unit, index).ok();
            }
            (dw::DW_AT_high_pc, AttributeValue::Addr(address)) => self.high = Some(High::Address(address)),
            (dw::DW_AT_high_pc, value) => self.high = value.udata_value().map(High::Length),
            (dw::DW_AT_ranges, value) => self.ranges = Some(value),
            (dw::DW_AT_frame_base, AttributeValue::Exprloc(expression)) => {
                self.base = match expression.operations(unit.encoding()).next() {
                    Ok(Some(Operation::WasmLocal { index })) => Some(index),
                    _ => None,
                };
            }
            (dw::DW_AT_location, value) => self.location = Some(value),
            (dw::DW_AT_name, value) => self.name = types.text(number, value),
            (dw::DW_AT_type, value) => self.ty = types.reference(number, value),
            (dw::DW_AT_abstract_origin, value) => self.origin = types.reference(number, value),
            _ => {}
        }
    }

    /// The code of a function, which is in one piece.
    pub(super) fn code(&self) -> Option<Range<u64>> {
        let low = self.low?;
        let high = match self.high.as_ref()? {
            High::Address(address) => *address,
            High::Length(length) => low.checked_add(*length)?,
        };
        (low < high).then_some(low..high)
    }

    /// The code of a scope; `None` if the entry does not say.
    pub(super) fn scope(&self, types: Types, number: usize) -> Option<Code> {
        let Some(ranges) = self.ranges.clone() else { return Some(Arc::from([self.code()?])) };
        let mut pieces = Vec::new();
        if let Ok(Some(mut ranges)) = types.dwarf.attr_ranges(&types.units[number], ranges) {
            // What cannot be read holds no code.
            while let Ok(Some(range)) = ranges.next()
                && pieces.len() < MAX_PIECES
            {
                pieces.push(range.begin..range.end);
            }
        }
        Some(pieces.into())
    }

    /// Takes what is missing from where a function is declared, of one that is inlined somewhere.
    pub(super) fn complete(&mut self, types: Types) {
        if let Some(origin) = self.origin
            && let Some(entry) = types.entry(origin)
        {
            for name in [dw::DW_AT_name, dw::DW_AT_type] {
                let known = if name == dw::DW_AT_name { self.name.is_some() } else { self.ty.is_some() };
                if let Some(value) = entry.attr_value(name).filter(|_| !known) {
                    self.take(types, origin.unit, name, value);
                }
            }
        }
    }

    /// Where a variable is, as far as that is a local or memory at a local's address.
    pub(super) fn places(&self, types: Types, number: usize) -> Vec<Place> {
        let unit = &types.units[number];
        let mut found = Vec::new();
        match self.location.clone() {
            Some(AttributeValue::Exprloc(expression)) => {
                read(expression, unit.encoding(), None, &mut found);
            }
            Some(list) => {
                let Ok(Some(mut locations)) = types.dwarf.attr_locations(unit, list) else { return found };
                while let Ok(Some(location)) = locations.next()
                    && found.len() < MAX_PIECES
                {
                    let code = location.range.begin..location.range.end;
                    read(location.data, unit.encoding(), Some(code), &mut found);
                }
            }
            None => {}
        }
        found
    }
}

/// What an expression says, where it says no more than a place, or several of parts.
fn read(
    expression: Expression<MeteredReader>,
    encoding: gimli::Encoding,
    code: Option<Range<u64>>,
    found: &mut Vec<Place>,
) {
    let elsewhere = |code: &Option<Range<u64>>| Place { code: code.clone(), part: None, at: Where::Elsewhere };
    let mut operations = expression.operations(encoding);
    let (mut at, mut known, mut start, mut in_parts) = (None, true, 0u64, false);
    for _ in 0..MAX_OPERATIONS {
        let Ok(operation) = operations.next() else { return };
        match (operation, at) {
            (Some(Operation::FrameOffset { offset }), None) if known => at = Some(Where::Frame(offset)),
            (Some(Operation::WasmLocal { index }), None) if known => {
                at = Some(Where::Value { local: index, plus: 0 })
            }
            (Some(Operation::PlusConstant { value }), Some(Where::Value { local, plus: 0 })) => {
                at = Some(Where::Memory { local, plus: value });
            }
            (Some(Operation::StackValue), Some(Where::Memory { local, plus })) => {
                at = Some(Where::Value { local, plus });
            }
            (Some(Operation::StackValue), Some(Where::Value { .. })) => {}
            (Some(Operation::Piece { size_in_bits, bit_offset: None }), _) if size_in_bits.is_multiple_of(8) => {
                let Some(end) = start.checked_add(size_in_bits / 8) else { return };
                if let Some(at) = at.filter(|_| known) {
                    found.push(Place { code: code.clone(), part: Some(start..end), at });
                }
                (at, known, start, in_parts) = (None, true, end, true);
            }
            (None, at) => {
                match at.filter(|_| known && !in_parts) {
                    Some(at) => found.push(Place { code, part: None, at }),
                    None if !in_parts => found.push(elsewhere(&code)),
                    None => {}
                }
                return;
            }
            // Something is computed.
            _ => (at, known) = (None, false),
        }
    }
}
