//! Tables, memories, globals and data segments: what they are called, and how large a memory can be.

use super::Symbols;
use super::layout::range_in;
use forkpoint_traces::{MAX_NAME, clip, printable_name};
use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use wasmparser::{BinaryReader, ExportSectionReader, ExternalKind, ImportSectionReader, MemorySectionReader};
use wasmparser::{MemoryType, TypeRef};

/// Most items of a kind that are looked at.
const MAX_ITEMS: usize = 1_000;

/// Bytes in a page where the module says nothing else.
const PAGE_LOG2: u32 = 16;

/// What a module numbers besides functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Item {
    /// A table.
    Table,
    /// A linear memory.
    Memory,
    /// A global.
    Global,
    /// A data segment.
    Data,
}

impl Item {
    /// The word that stands before the name or the number.
    pub fn noun(self) -> &'static str {
        match self {
            Item::Table => "table",
            Item::Memory => "memory",
            Item::Global => "global",
            Item::Data => "data",
        }
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.noun())
    }
}

/// What imports, exports and the memory section say of these.
#[derive(Debug, Default)]
pub(super) struct Items {
    /// Module and name of imported ones, by kind and index.
    imports: HashMap<(Item, u32), (Range<usize>, Range<usize>)>,
    /// The first name of exported ones.
    exports: HashMap<(Item, u32), Range<usize>>,
    /// Most pages that each memory can have.
    most_pages: Vec<u64>,
}

impl Items {
    pub(super) fn parse(module: &[u8], sections: [Option<BinaryReader<'_>>; 3]) -> Items {
        let [imports, memories, exports] = sections;
        let mut items = Items::default();
        items.read_imports(module, imports);
        let memories = memories.and_then(|reader| MemorySectionReader::new(reader).ok());
        for memory in memories.into_iter().flatten().map_while(Result::ok).take(MAX_ITEMS) {
            items.most_pages.push(most_pages(&memory));
        }
        let exports = exports.and_then(|reader| ExportSectionReader::new(reader).ok());
        for export in exports.into_iter().flatten().map_while(Result::ok) {
            let item = match export.kind {
                ExternalKind::Table => Item::Table,
                ExternalKind::Memory => Item::Memory,
                ExternalKind::Global => Item::Global,
                _ => continue,
            };
            if items.exports.len() < MAX_ITEMS {
                items.exports.entry((item, export.index)).or_insert_with(|| range_in(module, export.name));
            }
        }
        items
    }

    fn read_imports(&mut self, module: &[u8], section: Option<BinaryReader<'_>>) {
        let imports = section.and_then(|reader| ImportSectionReader::new(reader).ok());
        let mut next = HashMap::new();
        for import in imports.into_iter().flat_map(ImportSectionReader::into_imports).map_while(Result::ok) {
            let item = match import.ty {
                TypeRef::Table(_) => Item::Table,
                TypeRef::Memory(memory) => {
                    if self.most_pages.len() < MAX_ITEMS {
                        self.most_pages.push(most_pages(&memory));
                    }
                    Item::Memory
                }
                TypeRef::Global(_) => Item::Global,
                _ => continue,
            };
            let index: &mut u32 = next.entry(item).or_default();
            if (*index as usize) < MAX_ITEMS {
                let names = (range_in(module, import.module), range_in(module, import.name));
                self.imports.insert((item, *index), names);
            }
            *index = index.saturating_add(1);
        }
    }
}

/// As many pages as there are addresses for.
fn most_pages(memory: &MemoryType) -> u64 {
    let bits: u32 = if memory.memory64 { 64 } else { 32 };
    let page = memory.page_size_log2.unwrap_or(PAGE_LOG2).min(bits);
    1u64.checked_shl(bits - page).unwrap_or(u64::MAX)
}

impl Symbols {
    /// A name to show for a table, memory, global or data segment: from the name section, else its import as
    /// `module.name`, else its export. Safe to print, bounded; `None` where there is only a number, and where the name is
    /// but the noun, as that of most memories is.
    pub fn item_name(&self, item: Item, index: u32) -> Option<String> {
        self.known_item(item, index).filter(|name| name != item.noun())
    }

    fn known_item(&self, item: Item, index: u32) -> Option<String> {
        let named = self.names().item(&self.module, item, index).filter(|name| !name.is_empty());
        if let Some(name) = named {
            return Some(printable_name(name));
        }
        let text = |at: &Range<usize>| str::from_utf8(&self.module[at.clone()]).ok();
        let items = self.items();
        if let Some((module, name)) = items.imports.get(&(item, index)) {
            let (module, name) = (text(module)?, text(name)?);
            return Some(printable_name(&format!("{}.{name}", clip(module, MAX_NAME / 2))));
        }
        items.exports.get(&(item, index)).and_then(text).filter(|name| !name.is_empty()).map(printable_name)
    }

    /// The noun, and the name or, where there is none, the number: `memory heap`, `memory 1`.
    pub fn item(&self, item: Item, index: u32) -> String {
        format!("{item} {}", self.item_label(item, index))
    }

    /// The name or, where there is none, the number.
    pub fn item_label(&self, item: Item, index: u32) -> String {
        self.item_name(item, index).unwrap_or_else(|| index.to_string())
    }

    /// A size in words.
    pub fn pages(&self, memory: u32, pages: u64) -> String {
        format!("{pages} pages{}", self.doubt(memory, pages))
    }

    /// What to add to a size that no memory can have: it is an engine's word, and not known.
    pub fn doubt(&self, memory: u32, pages: u64) -> &'static str {
        if pages > self.most_pages(memory) { ", says the engine" } else { "" }
    }

    /// Most pages that a memory can have: as many as there are addresses for.
    pub fn most_pages(&self, memory: u32) -> u64 {
        let known = self.items().most_pages.get(memory as usize);
        known.copied().unwrap_or(1 << (32 - PAGE_LOG2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbols(text: &str) -> Symbols {
        Symbols::new(wat::parse_str(text).expect("a module"))
    }

    #[test]
    fn names_come_from_the_name_section_the_import_or_the_export() {
        let symbols = symbols(
            r#"(module
                 (import "env" "base" (global i32)) (import "env" "ram" (memory 1)) (import "env" "t" (table 1 funcref))
                 (memory $heap 1) (memory (export "screen") 1) (memory (export "memory") 1)
                 (global $counter (mut i32) (i32.const 0)) (global (export "flag") (mut i32) (i32.const 0))
                 (table $jumps 1 funcref) (table 1 funcref)
                 (data $greeting "hi") (data "there"))"#,
        );
        let names = |item, count| (0..count).map(|index| symbols.item(item, index)).collect::<Vec<_>>();
        assert_eq!(names(Item::Memory, 4), ["memory env.ram", "memory heap", "memory screen", "memory 3"]);
        assert_eq!(names(Item::Global, 3), ["global env.base", "global counter", "global flag"]);
        assert_eq!(names(Item::Table, 4), ["table env.t", "table jumps", "table 2", "table 3"]);
        assert_eq!(names(Item::Data, 3), ["data greeting", "data 1", "data 2"]);
    }

    #[test]
    fn a_memory_has_as_many_pages_as_addresses_reach() {
        let symbols =
            symbols("(module (memory 1) (memory i64 1) (memory 1 (pagesize 1)) (memory i64 1 (pagesize 1)))");
        assert_eq!(
            [0, 1, 2, 3, 4].map(|memory| symbols.most_pages(memory)),
            [1 << 16, 1 << 48, 1 << 32, u64::MAX, 1 << 16]
        );
        assert_eq!(symbols.pages(0, 65_536), "65536 pages");
        assert_eq!(symbols.pages(0, 65_537), "65537 pages, says the engine");
        assert_eq!(symbols.pages(1, 65_537), "65537 pages");
    }

    #[test]
    fn hostile_names_are_escaped() {
        let symbols = symbols("(module (memory 1) (memory (export \"\\1b[2Jx\") 1))");
        assert_eq!(symbols.item(Item::Memory, 1), "memory \\u{1b}[2Jx");
    }
}
