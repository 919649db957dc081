//! The variables of one function that locals hold, or that are in memory where a local points to.

use super::locations::{Attributes, Code, Place, Where};
use super::types::{EntryAt, Types};
use forkpoint_traces::printable_name;
use gimli::constants as dw;

/// Most variables of a function that are looked at.
const MAX_VARIABLES: usize = 20_000;

/// A variable.
pub(super) struct Held {
    pub(super) name: String,
    pub(super) ty: EntryAt,
    /// How deep it is in the scopes of its function.
    pub(super) depth: isize,
    /// The code in which it exists; `None` for all of the function.
    scope: Option<Code>,
    places: Vec<Place>,
}

impl Held {
    /// Where it, or parts of it, are while an instruction runs.
    pub(super) fn places_at(&self, address: u64) -> impl Iterator<Item = &Place> {
        let exists = self.scope.as_ref().is_none_or(|scope| scope.iter().any(|code| code.contains(&address)));
        self.places.iter().filter(move |place| exists && place.is_at(address))
    }
}

/// Collects those of the function whose entry this is, without those of functions inside of it that are not inlined.
pub(super) fn of_function(types: Types, function: EntryAt) -> Vec<Held> {
    let mut found = Vec::new();
    // Where it is damaged, those before it are known.
    let _ = collect(types, function, &mut found);
    found
}

fn collect(types: Types, function: EntryAt, found: &mut Vec<Held>) -> gimli::Result<()> {
    let Some(unit) = types.units.get(function.unit) else { return Ok(()) };
    let mut entries = unit.header.entries_raw(&unit.abbreviations, Some(function.offset))?;
    let mut scopes: Vec<(isize, Option<Code>)> = Vec::new();
    let mut skipped: Option<isize> = None;
    let mut begun = false;
    while !entries.is_empty() && found.len() < MAX_VARIABLES {
        let depth = entries.next_depth();
        if begun && depth <= 0 {
            break;
        }
        let Some(abbreviation) = entries.read_abbreviation()? else { continue };
        while scopes.pop_if(|(scope, _)| *scope >= depth).is_some() {}
        skipped = skipped.filter(|skipped| depth > *skipped);
        let tag = abbreviation.tag();
        let is_variable = matches!(tag, dw::DW_TAG_variable | dw::DW_TAG_formal_parameter);
        let is_scope = matches!(tag, dw::DW_TAG_lexical_block | dw::DW_TAG_inlined_subroutine);
        if !std::mem::replace(&mut begun, true) || skipped.is_some() || !is_variable && !is_scope {
            // What is inside of other entries belongs to them.
            if depth > 0 && !is_scope && skipped.is_none() {
                skipped = Some(depth);
            }
            entries.skip_attributes(abbreviation.attributes())?;
            continue;
        }
        let mut entry = Attributes::default();
        for spec in abbreviation.attributes() {
            let attribute = entries.read_attribute(*spec)?;
            entry.take(types, function.unit, attribute.name(), attribute.value());
        }
        if is_scope {
            scopes.push((depth, entry.scope(types, function.unit)));
            continue;
        }
        let places = entry.places(types, function.unit);
        if !places.iter().any(|place| matches!(place.at, Where::Value { .. } | Where::Memory { .. })) {
            continue;
        }
        entry.complete(types);
        if let (Some(name), Some(ty)) = (&entry.name, entry.ty) {
            // A scope that does not say where it is has that of what is around it.
            let scope = scopes.iter().rev().find_map(|(_, code)| code.clone());
            found.push(Held { name: printable_name(name), ty, depth, scope, places });
        }
    }
    Ok(())
}
