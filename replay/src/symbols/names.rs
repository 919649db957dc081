//! The name section and the exports: where each name lies, not the names themselves.

use super::items::Item;
use super::layout::{Layout, range_in};
use std::collections::HashMap;
use std::ops::Range;
use wasmparser::{BinaryReader, IndirectNameMap, IndirectNaming, Name, NameMap, NameSectionReader};

/// Most names kept of each small kind (types, tables, memories, segments, tags).
const MAX_SMALL: usize = 1_000;

/// Where the names of one module lie in its file. If a name is given twice, the last one counts.
#[derive(Debug, Default)]
pub(super) struct Names {
    functions: HashMap<u32, Range<usize>>,
    globals: HashMap<u32, Range<usize>>,
    exports: HashMap<u32, Range<usize>>,
    /// Offset of the entry that holds a function's local names.
    locals: HashMap<u32, usize>,
    /// Offset of the entry that holds a function's label names.
    labels: HashMap<u32, usize>,
    /// Names of the small kinds, by number of their subsection.
    small: Vec<(u8, Vec<Entry>)>,
}

/// An index and where its name lies.
type Entry = (u32, Range<usize>);

impl Names {
    pub(super) fn parse(module: &[u8], layout: &Layout) -> Names {
        let mut names = Names::default();
        for (func, name) in layout.exports(module) {
            names.exports.entry(func).or_insert_with(|| range_in(module, name));
        }
        if let Some(range) = layout.custom(module, "name") {
            let reader = BinaryReader::new(&module[range.clone()], range.start);
            for subsection in NameSectionReader::new(reader) {
                let Ok(subsection) = subsection else { break };
                names.subsection(module, subsection);
            }
        }
        names
    }

    fn subsection(&mut self, module: &[u8], subsection: Name<'_>) {
        match subsection {
            Name::Function(map) => self.functions.extend(entries(module, map)),
            Name::Global(map) => self.globals.extend(entries(module, map)),
            Name::Local(map) => self.locals.extend(indirect(map)),
            Name::Label(map) => self.labels.extend(indirect(map)),
            Name::Type(map) => self.small(module, 4, map),
            Name::Table(map) => self.small(module, 5, map),
            Name::Memory(map) => self.small(module, 6, map),
            Name::Element(map) => self.small(module, 8, map),
            Name::Data(map) => self.small(module, 9, map),
            Name::Tag(map) => self.small(module, 11, map),
            Name::Module { .. } | Name::Field(_) | Name::Unknown { .. } => {}
        }
    }

    fn small(&mut self, module: &[u8], id: u8, map: NameMap<'_>) {
        if self.small.iter().all(|(known, _)| *known != id) {
            self.small.push((id, entries(module, map).take(MAX_SMALL).collect()));
        }
    }

    /// Name of a function in the name section.
    pub(super) fn function<'a>(&self, module: &'a [u8], index: u32) -> Option<&'a str> {
        text(module, self.functions.get(&index)?)
    }

    /// Name of a global in the name section.
    pub(super) fn global<'a>(&self, module: &'a [u8], index: u32) -> Option<&'a str> {
        text(module, self.globals.get(&index)?)
    }

    /// The global with this name in the name section.
    pub(super) fn global_named(&self, module: &[u8], name: &str) -> Option<u32> {
        let mut globals = self.globals.iter().filter(|(_, at)| module.get((*at).clone()) == Some(name.as_bytes()));
        globals.next().map(|(index, _)| *index)
    }

    /// Name of another item in the name section.
    pub(super) fn item<'a>(&self, module: &'a [u8], item: Item, index: u32) -> Option<&'a str> {
        let kind = match item {
            Item::Global => return self.global(module, index),
            Item::Table => 5,
            Item::Memory => 6,
            Item::Data => 9,
        };
        let (_, entries) = self.small.iter().find(|(id, _)| *id == kind)?;
        text(module, &entries.iter().rfind(|(named, _)| *named == index)?.1)
    }

    /// First name under which a function is exported.
    pub(super) fn export<'a>(&self, module: &'a [u8], index: u32) -> Option<&'a str> {
        text(module, self.exports.get(&index)?)
    }

    /// Names of a function's parameters and locals.
    pub(super) fn locals<'a>(&self, module: &'a [u8], func: u32) -> Vec<(u32, &'a str)> {
        inner(module, self.locals.get(&func))
    }

    /// Names of a function's labels.
    pub(super) fn labels<'a>(&self, module: &'a [u8], func: u32) -> Vec<(u32, &'a str)> {
        inner(module, self.labels.get(&func))
    }

    /// Number of the subsection and names of each small kind.
    pub(super) fn small_kinds<'a>(&self, module: &'a [u8]) -> Vec<(u8, Vec<(u32, &'a str)>)> {
        let kind = |entries: &[Entry]| {
            let named = entries.iter().filter_map(|(index, at)| Some((*index, text(module, at)?)));
            named.collect()
        };
        self.small.iter().map(|(id, entries)| (*id, kind(entries))).collect()
    }
}

fn entries<'a>(module: &'a [u8], map: NameMap<'a>) -> impl Iterator<Item = Entry> + 'a {
    map.into_iter().map_while(Result::ok).map(|naming| (naming.index, range_in(module, naming.name)))
}

fn indirect(map: IndirectNameMap<'_>) -> impl Iterator<Item = (u32, usize)> {
    map.into_iter_with_offsets().map_while(Result::ok).map(|(offset, naming)| (naming.index, offset))
}

/// The names of the indirect entry at `offset`.
fn inner<'a>(module: &'a [u8], offset: Option<&usize>) -> Vec<(u32, &'a str)> {
    let Some(&offset) = offset else { return Vec::new() };
    let entry = BinaryReader::new(&module[offset..], offset).read::<IndirectNaming>();
    match entry {
        Ok(entry) => entry.names.into_iter().map_while(Result::ok).map(|n| (n.index, n.name)).collect(),
        Err(_) => Vec::new(),
    }
}

fn text<'a>(module: &'a [u8], at: &Range<usize>) -> Option<&'a str> {
    str::from_utf8(&module[at.clone()]).ok()
}
