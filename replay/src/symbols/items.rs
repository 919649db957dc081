//! Tables, memories, globals and data segments: what they are called, and how large a memory can be.

use super::layout::range_in;
use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use wasmparser::{BinaryReader, ExportSectionReader, ExternalKind, ImportSectionReader, MemorySectionReader};
use wasmparser::{MemoryType, TypeRef};

/// Most items of a kind that are read.
const MAX_ITEMS: usize = 1_000;

/// Bytes in a page unless the module says otherwise.
pub(super) const PAGE_LOG2: u32 = 16;

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
    /// The word before the name or the number.
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

/// What imports, exports and the memory section say of these items.
#[derive(Debug, Default)]
pub(super) struct Items {
    /// Module and name of imported ones, by kind and index.
    pub(super) imports: HashMap<(Item, u32), (Range<usize>, Range<usize>)>,
    /// The first name of exported ones.
    pub(super) exports: HashMap<(Item, u32), Range<usize>>,
    /// Most pages that each memory can have.
    pub(super) most_pages: Vec<u64>,
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

    /// How many items of a kind are imported.
    pub(super) fn imported(&self, item: Item) -> u32 {
        self.imports.keys().filter(|(kind, _)| *kind == item).count() as u32
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
