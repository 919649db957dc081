//! What tables, memories, globals and data segments are called, and how large a memory can be, in words.

use super::ModuleSymbols;
use super::items::{Item, PAGE_LOG2};
use forkpoint_traces::{MAX_NAME, MemoryIndex, clip, printable_name};
use std::ops::Range;

/// Most pages of a 32-bit memory with pages of the usual size.
pub(super) const USUAL_MOST_PAGES: u64 = 1 << (32 - PAGE_LOG2);

impl ModuleSymbols {
    /// A name to show for a table, memory, global or data segment: from the name section, else its import as
    /// `module.name`, else its export. Safe to print, bounded; `None` if there is only a number, or if the name is
    /// just the noun, as for most memories.
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

    /// The name, or else the number.
    pub fn item_label(&self, item: Item, index: u32) -> String {
        self.item_name(item, index).unwrap_or_else(|| index.to_string())
    }

    /// Most pages that a memory can have: as many as it has addresses for.
    pub fn most_pages(&self, memory: MemoryIndex) -> u64 {
        let known = self.items().most_pages.get(memory.0 as usize);
        known.copied().unwrap_or(USUAL_MOST_PAGES)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Symbols;
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
            [0, 1, 2, 3, 4].map(|memory| symbols.most_pages(MemoryIndex(memory))),
            [1 << 16, 1 << 48, 1 << 32, u64::MAX, 1 << 16]
        );
        assert_eq!(symbols.pages(MemoryIndex(0), 65_536), "65536 pages");
        assert_eq!(symbols.pages(MemoryIndex(0), 65_537), "65537 pages, says the engine");
        assert_eq!(symbols.pages(MemoryIndex(1), 65_537), "65537 pages");
    }

    #[test]
    fn hostile_names_are_escaped() {
        let symbols = symbols("(module (memory 1) (memory (export \"\\1b[2Jx\") 1))");
        assert_eq!(symbols.item(Item::Memory, 1), "memory \\u{1b}[2Jx");
    }
}
