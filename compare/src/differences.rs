//! How the ends of two runs without recording differ.

use forkpoint_replay::{Item, Symbols, printable};
use forkpoint_tracer::EndDifference;
use forkpoint_traces::Hex;
use serde::{Serialize, Serializer};

/// A difference between the ends of two runs. Its JSON form is just the sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainDifference {
    /// What differs, without numbers: the same word for the same difference in another module. For a call, its
    /// function.
    pub kind: String,
    /// The difference in one line.
    pub words: String,
}

impl PlainDifference {
    pub(crate) fn new(difference: &EndDifference, names: [&str; 2], symbols: &Symbols) -> PlainDifference {
        PlainDifference { kind: kind(difference), words: words(difference, names, symbols) }
    }
}

impl Serialize for PlainDifference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.words)
    }
}

fn kind(difference: &EndDifference) -> String {
    match difference {
        EndDifference::Outcome { .. } => "outcome".to_string(),
        EndDifference::Call { function, .. } => printable(function),
        EndDifference::MemorySize { .. } | EndDifference::Bytes { .. } | EndDifference::Page { .. } => {
            "memory".to_string()
        }
        EndDifference::Global { .. } => "global".to_string(),
        EndDifference::TableSize { .. } => "table".to_string(),
    }
}

/// A difference in one line, with names for the two runs.
fn words(difference: &EndDifference, [left, right]: [&str; 2], symbols: &Symbols) -> String {
    match difference {
        EndDifference::Outcome { lhs, rhs } => format!("outcome: {left} {lhs}, {right} {rhs}"),
        EndDifference::Call { function, lhs, rhs } => {
            format!("{}: {left} {}, {right} {}", printable(function), printable(lhs), printable(rhs))
        }
        EndDifference::MemorySize { memory, lhs, rhs } => {
            let [lhs, rhs] = [lhs, rhs].map(|pages| symbols.pages(*memory, *pages));
            format!("{}: {left} {lhs}; {right} {rhs}", symbols.item(Item::Memory, memory.0))
        }
        EndDifference::Bytes { memory, address, lhs, rhs } => {
            let memory = symbols.item(Item::Memory, memory.0);
            format!("{memory} at {address:#x}: {left} {:#}, {right} {:#}", Hex(lhs), Hex(rhs))
        }
        EndDifference::Page { memory, address } => {
            let memory = symbols.item(Item::Memory, memory.0);
            format!("{memory} at {address:#x}: {left} and {right} differ in this page, whose bytes are not kept")
        }
        EndDifference::Global { index, lhs, rhs } => {
            let global = symbols.item(Item::Global, index.0);
            format!("{global}: {left} {}, {right} {}", printable(lhs), printable(rhs))
        }
        EndDifference::TableSize { table, lhs, rhs } => {
            format!("{}: {left} {lhs} elements, {right} {rhs} elements", symbols.item(Item::Table, *table))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use forkpoint_traces::{GlobalIndex, MemoryIndex};

    #[test]
    fn a_kind_is_the_same_whatever_names_and_numbers_are() {
        let symbols = Symbols::new(wat::parse_str("(module (memory $heap 1))").expect("a module"));
        let bytes = |address| EndDifference::Bytes { memory: MemoryIndex(0), address, lhs: vec![1], rhs: vec![2] };
        let [one, other] = [1, 2].map(|at| PlainDifference::new(&bytes(at), ["lhs", "rhs"], &symbols));
        assert_eq!((one.kind.as_str(), other.kind.as_str()), ("memory", "memory"));
        assert_ne!(one.words, other.words);
        assert_eq!(serde_json::to_string(&one).expect("JSON"), format!("\"{}\"", one.words));
    }

    #[test]
    fn what_has_a_name_goes_by_it() {
        let module = r#"(module (memory 1) (memory $heap 1) (global (mut i32) (i32.const 0))
            (global $count (mut i32) (i32.const 0)) (table $jumps 1 funcref))"#;
        let symbols = Symbols::new(wat::parse_str(module).expect("a module"));
        let line = |difference: EndDifference| words(&difference, ["lhs", "rhs"], &symbols);
        let global = |index| EndDifference::Global {
            index: GlobalIndex(index),
            lhs: "i32:1".to_string(),
            rhs: "i32:2".to_string(),
        };
        assert_eq!(line(global(0)), "global 0: lhs i32:1, rhs i32:2");
        assert_eq!(line(global(1)), "global count: lhs i32:1, rhs i32:2");
        let bytes = EndDifference::Bytes { memory: MemoryIndex(1), address: 16, lhs: vec![1, 2], rhs: vec![3, 4] };
        assert_eq!(line(bytes), "memory heap at 0x10: lhs 01 02, rhs 03 04");
        let size = EndDifference::TableSize { table: 0, lhs: 1, rhs: 2 };
        assert_eq!(line(size), "table jumps: lhs 1 elements, rhs 2 elements");
    }
}
