//! Known failures. Each row is needed: an exception that does not occur fails its file.
//!
//! All rows are about Wasmtime and scripts of older versions of the standard, whose rules later proposals lifted.
//! None is about the rewriter: Wasmtime does the same with the rewritten modules.

use super::run::Failure;

/// Lines of a file, and why they may fail.
pub struct Exception {
    /// `folder/file` of the suite.
    pub file: &'static str,
    /// The mode, `original` for what Wasmtime itself does differently from the script, or `*`.
    pub mode: &'static str,
    /// Lines of the script; none for all of them.
    pub lines: &'static [usize],
    pub reason: &'static str,
}

/// All exceptions.
pub const EXCEPTIONS: &[Exception] = &[
    row("custom-descriptors/array_new_exact.wast", &[], DESCRIPTORS),
    row("custom-descriptors/binary-descriptors.wast", &[], DESCRIPTORS),
    row("custom-descriptors/br_on_cast.wast", &[], DESCRIPTORS),
    row("custom-descriptors/br_on_cast_desc_eq.wast", &[], DESCRIPTORS),
    row("custom-descriptors/br_on_cast_desc_eq_fail.wast", &[], DESCRIPTORS),
    row("custom-descriptors/br_on_cast_fail.wast", &[], DESCRIPTORS),
    row("custom-descriptors/descriptors.wast", &[], DESCRIPTORS),
    row("custom-descriptors/exact-casts.wast", &[], DESCRIPTORS),
    row("custom-descriptors/exact-func-import.wast", &[], DESCRIPTORS),
    row("custom-descriptors/exact.wast", &[], DESCRIPTORS),
    row("custom-descriptors/ref_cast_desc_eq.wast", &[], DESCRIPTORS),
    row("custom-descriptors/ref_get_desc.wast", &[], DESCRIPTORS),
    row("custom-descriptors/struct_new_desc.wast", &[], DESCRIPTORS),
    row("exceptions/tag.wast", &[18, 22], TAGS),
    row("function-references/binary.wast", &[145, 165, 184, 203, 242, 261, 279, 297], MEMORY_INDEX),
    row("memory64/binary.wast", &[876, 896, 915, 934, 973, 992, 1010, 1028], MEMORY_INDEX),
    row("memory64/memory.wast", &[10, 11], MEMORIES),
    row("memory64/memory64.wast", &[8, 9], MEMORIES),
    row("multi-value/binary.wast", &[162, 182, 201, 220, 259, 278, 296, 314], MEMORY_INDEX),
    row("mutable-global/linking.wast", &[206, 227, 236, 238, 248, 298, 334, 342, 344, 354], SEGMENTS),
    row("reference-types/binary-leb128.wast", &[217, 225, 404, 461], LONG),
    row("reference-types/binary.wast", &[157, 354, 362, 419], LONG),
    row("reference-types/binary.wast", &[756, 776, 795, 814, 853, 872, 890, 908], MEMORY_INDEX),
    row("reference-types/imports.wast", &[416, 420, 424], MEMORIES),
    row("reference-types/unreached-invalid.wast", &[539], BR_TABLE),
    row("threads/imports.wast", &[309, 313, 317], TABLES),
    row("threads/imports.wast", &[404, 408, 412], MEMORIES),
    row("threads/memory.wast", &[14, 15], MEMORIES),
    row("wasm-v1/binary-leb128.wast", &[216, 224, 403, 460], LONG),
    row("wasm-v1/imports.wast", &[404, 408, 412], MEMORIES),
    row("wasm-v1/memory.wast", &[8, 9], MEMORIES),
    row("wasm-v2/binary-leb128.wast", &[217, 225], LONG),
    row("wasm-v2/binary.wast", &[145, 165, 184, 203, 242, 261, 279, 297], MEMORY_INDEX),
    row("wasm-v2/imports.wast", &[487, 491, 495], MEMORIES),
    row("wasm-v2/memory.wast", &[10, 11], MEMORIES),
];

const DESCRIPTORS: &str = "Wasmtime does not implement the custom descriptors proposal";
const MEMORIES: &str = "several memories were not valid before the multi-memory proposal";
const MEMORY_INDEX: &str = "the byte behind memory instructions had to be 0 before the multi-memory proposal";
const TABLES: &str = "several tables were not valid before the reference types proposal";
const LONG: &str = "limits and offsets had 32 bits before the memory64 proposal, and so fewer bytes";
const SEGMENTS: &str = "before the bulk memory proposal no segment was copied unless all of them fitted";
const BR_TABLE: &str = "the targets of an unreachable br_table had to agree before the reference types proposal";
const TAGS: &str = "tags may have results since the stack switching proposal";

/// A file that Wasmtime runs differently from the script, with its original modules.
const fn row(file: &'static str, lines: &'static [usize], reason: &'static str) -> Exception {
    Exception { file, mode: "original", lines, reason }
}

impl Exception {
    fn covers(&self, failure: &Failure) -> bool {
        (self.mode == "*" || self.mode == failure.mode)
            && (self.lines.is_empty() || self.lines.contains(&failure.line))
    }
}

/// Failures of `file` that no row covers, and rows that cover nothing; none if all are known.
pub fn unexpected(file: &str, modes: &[&str], failures: &[Failure]) -> Vec<String> {
    let rows: Vec<&Exception> = EXCEPTIONS.iter().filter(|row| row.file == file).collect();
    let unknown = failures
        .iter()
        .filter(|failure| !rows.iter().any(|row| row.covers(failure)))
        .map(|failure| format!("line {} ({}): {}", failure.line, failure.mode, failure.what));
    let unneeded = rows
        .iter()
        .filter(|row| row.mode == "*" || row.mode == "original" || modes.contains(&row.mode))
        .filter(|row| {
            let mine: Vec<usize> = failures.iter().filter(|f| row.covers(f)).map(|f| f.line).collect();
            mine.is_empty() || row.lines.iter().any(|line| !mine.contains(line))
        })
        .map(|row| format!("holds, against {} ({:?}): {}", row.mode, row.lines, row.reason));
    unknown.chain(unneeded).collect()
}
