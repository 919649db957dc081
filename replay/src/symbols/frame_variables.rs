//! Functions in DWARF: the names of their parameters, and their variables on the stack in memory, at an offset from the frame
//! base. That is a local of the function, and a run has to tell its value.

use super::locations::{Attributes, Code, Where};
use super::types::{EntryAt, Types};
use forkpoint_traces::printable_name;
use gimli::constants as dw;
use std::ops::Range;
use std::sync::Arc;

/// Most variables that are kept.
const MAX_VARIABLES: usize = 1_000_000;

/// Variables and parameters of all functions.
#[derive(Default)]
pub(super) struct FrameVariables {
    /// In the order of their addresses.
    functions: Vec<Frame>,
}

/// A function.
pub(super) struct Frame {
    /// Its code.
    code: Range<u64>,
    /// Its entry.
    pub(super) entry: EntryAt,
    /// The local that holds the frame base, if it has one.
    pub(super) base: Option<u32>,
    /// The names of its parameters, empty for those without.
    parameters: Vec<String>,
    variables: Vec<OnFrame>,
}

/// A variable on a frame.
pub(super) struct OnFrame {
    /// Counted from the frame base.
    pub(super) start: i64,
    pub(super) size: u64,
    pub(super) name: String,
    pub(super) ty: EntryAt,
    /// The code in which it exists, where that is not all of the function.
    scope: Option<Code>,
}

impl OnFrame {
    fn exists_at(&self, address: u64) -> bool {
        self.scope.as_ref().is_none_or(|scope| scope.iter().any(|code| code.contains(&address)))
    }
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
        let mut scopes: Vec<(isize, Option<Code>)> = Vec::new();
        while !entries.is_empty() && *count < MAX_VARIABLES {
            let (depth, offset) = (entries.next_depth(), entries.next_offset());
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
                        let entry = EntryAt { unit: number, offset };
                        self.functions.push(Frame { code, entry, base, parameters, variables });
                        *count += 1;
                    }
                }
                dw::DW_TAG_lexical_block | dw::DW_TAG_inlined_subroutine => {
                    scopes.push((depth, entry.scope(types, number)));
                }
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
                    // A scope that does not say where it is has that of what is around it.
                    let scope = scopes.iter().rev().find_map(|(_, code)| code.clone());
                    let found = on_frame(&entry, types, number, scope.as_ref());
                    if let Some(frame) = self.functions.last_mut() {
                        *count += found.len();
                        frame.variables.extend(found);
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

    /// The function whose code holds an address.
    pub(super) fn function_at(&self, address: u64) -> Option<&Frame> {
        let after = self.functions.partition_point(|frame| frame.code.start <= address);
        self.functions[..after].last().filter(|frame| frame.code.contains(&address))
    }

    /// The variable that holds these bytes where a function, at an address of its code, has this frame base; and its first byte.
    pub(super) fn at(&self, address: u64, base: u64, bytes: &Range<u64>) -> Option<(&OnFrame, u64)> {
        let frame = self.function_at(address).filter(|frame| frame.base.is_some())?;
        let (found, start) = frame.variables_at(address).find_map(|variable| {
            let start = base.checked_add_signed(variable.start)?;
            let end = start.saturating_add(variable.size);
            (start <= bytes.start && bytes.end <= end).then_some((variable, start))
        })?;
        Some((found, start))
    }
}

impl Frame {
    /// Where its code begins.
    pub(super) fn start(&self) -> u64 {
        self.code.start
    }

    /// Its variables on the stack while an instruction runs, those of the innermost scopes first.
    pub(super) fn variables_at(&self, address: u64) -> impl Iterator<Item = &OnFrame> {
        self.variables.iter().rev().filter(move |variable| variable.exists_at(address))
    }
}

/// A variable on the stack, once for each place that it has there while some code runs.
fn on_frame(entry: &Attributes, types: Types, number: usize, scope: Option<&Code>) -> Vec<OnFrame> {
    let (Some(name), Some(ty)) = (&entry.name, entry.ty) else { return Vec::new() };
    let mut found = Vec::new();
    for place in entry.places(types, number) {
        let (Where::Frame(start), None) = (place.at, place.part) else { continue };
        let Some(size) = types.size(ty).filter(|size| *size > 0) else { break };
        let scope = match place.code {
            Some(code) => Some(Arc::from([code])),
            None => scope.cloned(),
        };
        found.push(OnFrame { start, size, name: printable_name(name), ty, scope });
    }
    found
}
