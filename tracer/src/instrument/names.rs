//! The name section, with function indices renumbered.

use super::body::Machinery;
use super::sections::Renumber;
use wasm_encoder::reencode::Reencode;
use wasm_encoder::{NameMap, NameSection};
use wasmparser::{CustomSectionReader, KnownCustom, Name, NameSectionReader};

/// The rewritten name section; `None` if the original's is damaged, which is no error in a custom section, but
/// then its indices could not be trusted.
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
