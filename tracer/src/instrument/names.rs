//! The name section: names of functions, and the section with function indices renumbered.

use super::machinery::{Machinery, Renumber};
use wasm_encoder::reencode::Reencode;
use wasm_encoder::{NameMap, NameSection};
use wasmparser::{CustomSectionReader, KnownCustom, Name, NameSectionReader, Parser, Payload};

/// Names of functions in a custom section, if that is the name section; damaged parts are left out.
pub(crate) fn functions<'a>(section: &CustomSectionReader<'a>) -> impl Iterator<Item = (u32, &'a str)> + use<'a> {
    let subsections = match section.as_known() {
        KnownCustom::Name(subsections) => Some(subsections),
        _ => None,
    };
    let maps = subsections.into_iter().flatten().map_while(Result::ok).filter_map(|subsection| match subsection {
        Name::Function(map) => Some(map),
        _ => None,
    });
    let names = maps.flat_map(|map| map.into_iter().map_while(Result::ok));
    names.filter(|naming| !naming.name.is_empty()).map(|naming| (naming.index, naming.name))
}

/// A function's name in a module's name section.
pub(super) fn of_function(module: &[u8], index: u32) -> Option<String> {
    let sections = Parser::new(0).parse_all(module).map_while(Result::ok).filter_map(|payload| match payload {
        Payload::CustomSection(section) => Some(section),
        _ => None,
    });
    let mut names = sections.flat_map(|section| functions(&section));
    names.find(|(named, _)| *named == index).map(|(_, name)| name.to_string())
}

/// The rewritten name section; `None` if the original's is damaged, which is not an error in a custom section, but
/// then its indices cannot be trusted.
pub(super) fn rewrite(section: &CustomSectionReader<'_>, machinery: Machinery) -> Option<NameSection> {
    let KnownCustom::Name(subsections) = section.as_known() else {
        return None;
    };
    names(subsections, machinery).ok()
}

fn names(
    subsections: NameSectionReader<'_>,
    machinery: Machinery,
) -> Result<NameSection, wasm_encoder::reencode::Error> {
    let mut renumber = Renumber(machinery);
    let mut names = NameSection::new();
    for subsection in subsections {
        match subsection? {
            Name::Function(map) => {
                let mut functions = map.into_iter().collect::<Result<Vec<_>, _>>()?;
                for naming in &mut functions {
                    naming.index = machinery.renumber(naming.index);
                }
                let import = if machinery.inline.is_some() { "forkpoint:flush" } else { "forkpoint:event" };
                functions.push(wasmparser::Naming { index: machinery.import, name: import });
                if let Some(inline) = machinery.inline {
                    functions.push(wasmparser::Naming { index: inline.helper, name: "forkpoint:make-room" });
                }
                if let Some(note) = machinery.note {
                    functions.push(wasmparser::Naming { index: note, name: "forkpoint:note" });
                }
                // Readers may insist on ascending indices.
                functions.sort_by_key(|naming| naming.index);
                let mut map = NameMap::new();
                for naming in functions {
                    map.append(naming.index, naming.name);
                }
                names.functions(&map);
            }
            // Labels are counted through all blocks of a function, and the recorder adds some.
            Name::Label(_) => {}
            other => renumber.parse_custom_name_subsection(&mut names, other)?,
        }
    }
    Ok(names)
}
