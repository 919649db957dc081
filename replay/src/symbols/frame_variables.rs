//! Functions in DWARF: the names of their parameters, and their variables on the stack in memory, at an offset from the frame
//! base. That is a local of the function, and a run has to tell its value.

use super::metered::MeteredReader;
use super::types::{EntryAt, Types};
use forkpoint_traces::printable_name;
use gimli::{AttributeValue, Expression, Operation, constants as dw};
use std::ops::Range;

/// Most variables that are kept.
const MAX_VARIABLES: usize = 1_000_000;

/// Variables and parameters of all functions.
#[derive(Default)]
pub(super) struct FrameVariables {
    /// In the order of their addresses.
    functions: Vec<Frame>,
}

/// A function.
struct Frame {
    /// Its code.
    code: Range<u64>,
    /// The local that holds the frame base, if it has one.
    base: Option<u32>,
    /// The names of its parameters, empty for those without.
    parameters: Vec<String>,
    variables: Vec<OnFrame>,
}

/// A variable on a frame.
pub(super) struct OnFrame {
    /// Counted from the frame base.
    start: i64,
    pub(super) size: u64,
    pub(super) name: String,
    pub(super) ty: EntryAt,
    /// The code in which it exists, where that is one piece and not all of the function.
    scope: Option<Range<u64>>,
}

impl FrameVariables {
    /// Collects them in one walk over all entries.
    pub(super) fn load(types: Types) -> FrameVariables {
        let mut found = FrameVariables::default();
        let mut count = 0;
        for unit in 0..types.units.len() {
            // A unit that is damaged has the variables before the damage.
            let _ = found.walk(types, unit, &mut count);
        }
        found.functions.retain(|frame| !frame.code.is_empty());
        found.functions.sort_by_key(|frame| frame.code.start);
        found
    }

    fn walk(&mut self, types: Types, number: usize, count: &mut usize) -> gimli::Result<()> {
        let unit = &types.units[number];
        let mut entries = unit.header.entries_raw(&unit.abbreviations, None)?;
        // Depth of the function, and depth and code of the scopes inside of it.
        let mut function: Option<isize> = None;
        let mut scopes: Vec<(isize, Option<Range<u64>>)> = Vec::new();
        while !entries.is_empty() && *count < MAX_VARIABLES {
            let depth = entries.next_depth();
            let Some(abbreviation) = entries.read_abbreviation()? else { continue };
            function = function.filter(|function| depth > *function);
            while scopes.pop_if(|(scope, _)| *scope >= depth).is_some() {}
            let tag = abbreviation.tag();
            let read = match tag {
                dw::DW_TAG_subprogram => true,
                dw::DW_TAG_variable
                | dw::DW_TAG_formal_parameter
                | dw::DW_TAG_lexical_block
                | dw::DW_TAG_inlined_subroutine => function.is_some(),
                _ => false,
            };
            if !read {
                entries.skip_attributes(abbreviation.attributes())?;
                continue;
            }
            let mut entry = Attributes::default();
            for spec in abbreviation.attributes() {
                let attribute = entries.read_attribute(*spec)?;
                entry.take(types, number, attribute.name(), attribute.value());
            }
            match tag {
                dw::DW_TAG_subprogram => {
                    function = None;
                    scopes.clear();
                    if let Some(code) = entry.code() {
                        function = Some(depth);
                        let (base, parameters, variables) = (entry.base, Vec::new(), Vec::new());
                        self.functions.push(Frame { code, base, parameters, variables });
                        *count += 1;
                    }
                }
                dw::DW_TAG_lexical_block | dw::DW_TAG_inlined_subroutine => scopes.push((depth, entry.code())),
                _ => {
                    entry.complete(types);
                    if let Some(frame) = self.functions.last_mut()
                        && tag == dw::DW_TAG_formal_parameter
                        && function == Some(depth - 1)
                    {
                        let name = entry.name.as_deref().map(printable_name);
                        frame.parameters.push(name.unwrap_or_default());
                        *count += 1;
                    }
                    let scope = scopes.last().and_then(|(_, code)| code.clone());
                    let found = entry.variable(types, scope);
                    if let (Some(frame), Some(variable)) = (self.functions.last_mut(), found) {
                        frame.variables.push(variable);
                        *count += 1;
                    }
                }
            }
        }
        Ok(())
    }

    /// The code of each function, and the local that holds its frame base.
    pub(super) fn bases(&self) -> impl Iterator<Item = (u64, u32)> {
        self.functions.iter().filter_map(|frame| Some((frame.code.start, frame.base?)))
    }

    /// The names of the parameters of the function whose code holds an address.
    pub(super) fn parameters(&self, address: u64) -> &[String] {
        self.function_at(address).map_or(&[], |frame| &frame.parameters)
    }

    fn function_at(&self, address: u64) -> Option<&Frame> {
        let after = self.functions.partition_point(|frame| frame.code.start <= address);
        self.functions[..after].last().filter(|frame| frame.code.contains(&address))
    }

    /// The variable that holds these bytes where a function, at an address of its code, has this frame base; and its first byte.
    pub(super) fn at(&self, address: u64, base: u64, bytes: &Range<u64>) -> Option<(&OnFrame, u64)> {
        let frame = self.function_at(address).filter(|frame| frame.base.is_some())?;
        let holds = |variable: &&OnFrame| {
            let Some(start) = base.checked_add_signed(variable.start) else { return false };
            let end = start.saturating_add(variable.size);
            let there = variable.scope.as_ref().is_none_or(|scope| scope.contains(&address));
            start <= bytes.start && bytes.end <= end && there
        };
        // Of several, which then are in the same place, the one of the innermost scope.
        let found = frame.variables.iter().rev().find(holds)?;
        Some((found, base.checked_add_signed(found.start)?))
    }
}

/// What is read of an entry.
#[derive(Default)]
struct Attributes {
    low: Option<u64>,
    high: Option<High>,
    base: Option<u32>,
    name: Option<String>,
    ty: Option<EntryAt>,
    origin: Option<EntryAt>,
    offset: Option<i64>,
}

/// Where code ends.
enum High {
    Address(u64),
    Length(u64),
}

impl Attributes {
    fn take(&mut self, types: Types, number: usize, name: gimli::DwAt, value: AttributeValue<MeteredReader>) {
        let unit = &types.units[number];
        match (name, value) {
            (dw::DW_AT_low_pc, AttributeValue::Addr(address)) => self.low = Some(address),
            (dw::DW_AT_low_pc, AttributeValue::DebugAddrIndex(index)) => {
                self.low = types.dwarf.address(unit, index).ok();
            }
            (dw::DW_AT_high_pc, AttributeValue::Addr(address)) => self.high = Some(High::Address(address)),
            (dw::DW_AT_high_pc, value) => self.high = value.udata_value().map(High::Length),
            (dw::DW_AT_frame_base, AttributeValue::Exprloc(expression)) => {
                self.base = match first(expression, unit.encoding()) {
                    Some(Operation::WasmLocal { index }) => Some(index),
                    _ => None,
                };
            }
            (dw::DW_AT_location, AttributeValue::Exprloc(expression)) => {
                self.offset = match only(expression, unit.encoding()) {
                    Some(Operation::FrameOffset { offset }) => Some(offset),
                    _ => None,
                };
            }
            (dw::DW_AT_name, value) => self.name = types.text(number, value),
            (dw::DW_AT_type, value) => self.ty = types.reference(number, value),
            (dw::DW_AT_abstract_origin, value) => self.origin = types.reference(number, value),
            _ => {}
        }
    }

    fn code(&self) -> Option<Range<u64>> {
        let low = self.low?;
        let high = match self.high.as_ref()? {
            High::Address(address) => *address,
            High::Length(length) => low.checked_add(*length)?,
        };
        (low < high).then_some(low..high)
    }

    /// Takes what is missing from where a function is declared, of one that is inlined somewhere.
    fn complete(&mut self, types: Types) {
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

    fn variable(self, types: Types, scope: Option<Range<u64>>) -> Option<OnFrame> {
        let (start, ty) = (self.offset?, self.ty?);
        let size = types.size(ty).filter(|size| *size > 0)?;
        Some(OnFrame { start, size, name: printable_name(&self.name?), ty, scope })
    }
}

/// The first operation of an expression.
fn first(expression: Expression<MeteredReader>, encoding: gimli::Encoding) -> Option<Operation<MeteredReader>> {
    expression.operations(encoding).next().ok()?
}

/// The only operation of an expression.
fn only(expression: Expression<MeteredReader>, encoding: gimli::Encoding) -> Option<Operation<MeteredReader>> {
    let mut operations = expression.operations(encoding);
    let found = operations.next().ok()??;
    operations.next().ok()?.is_none().then_some(found)
}
