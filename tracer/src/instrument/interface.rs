//! What a rewritten module and its host agree on: names of imports and exports, and addresses in the buffer.

/// Module name of the import that rewritten modules need.
pub const IMPORT_MODULE: &str = "forkpoint";
/// Field name of the import of modules that record inline; its argument is the number of bytes in the buffer.
pub const FLUSH_IMPORT: &str = "flush";
/// Field name of the import of modules that record by hooks; its arguments are the number of a site and up to
/// three operands, see [`RecordDecoder::decode_hook`](super::RecordDecoder::decode_hook).
pub const HOOK_IMPORT: &str = "event";
/// Prefix of all export names that the rewriter adds.
pub const EXPORT_PREFIX: &str = "forkpoint:";
/// Export name of the buffer.
pub const BUFFER_EXPORT: &str = "forkpoint:buffer";
/// Export name of the function that was the start function.
pub const START_EXPORT: &str = "forkpoint:start";

/// Export name of the function for a step of a run, by its number.
pub(crate) fn step_export(number: u32) -> String {
    format!("{EXPORT_PREFIX}step.{number}")
}

/// Export name of a function of the original module that it does not export, by its index.
pub(crate) fn function_export(function: u32) -> String {
    format!("{EXPORT_PREFIX}function.{function}")
}

/// Export name of the function that sets an element of a table.
pub(crate) fn element_export(table: u32) -> String {
    format!("{EXPORT_PREFIX}element.{table}")
}

/// Export name of the function that sets an element of a table to a function of the host's.
pub(crate) fn function_element_export(table: u32) -> String {
    format!("{EXPORT_PREFIX}function.element.{table}")
}

/// Export name of the function that grows a table.
pub(crate) fn table_grow_export(table: u32) -> String {
    format!("{EXPORT_PREFIX}grow.{table}")
}

/// Export name of the function that sets a global.
pub(crate) fn global_export(global: u32) -> String {
    format!("{EXPORT_PREFIX}set.{global}")
}

/// Address in the buffer of the cursor, an `i32`.
pub const CURSOR_AT: usize = 0;
/// Address in the buffer of the number of the [`Mark`](super::Mark) that the run reached last, an `i32`; 0 for none.
pub const MARK_AT: usize = 8;
/// Address in the buffer of how many bytes of the records' space the host keeps for itself, an `i32`: the cursor of an empty buffer.
pub const KEPT_AT: usize = 12;
/// Address in the buffer of the first record.
pub const RECORDS_AT: usize = 16;
/// A segment that finds the cursor beyond this has the buffer flushed first, if it looks at all.
pub const BUFFER_LIMIT: u32 = (1 << 20) - RECORDS_AT as u32;
/// What the buffer holds beyond [`BUFFER_LIMIT`], in bytes.
pub(super) const SLACK: u32 = 1 << 16;
/// Largest record of one segment in bytes.
pub(super) const MAX_SEGMENT: u32 = SLACK / 2;
/// Size of the buffer in pages of 64 KiB.
pub const BUFFER_PAGES: u32 = (RECORDS_AT as u32 + BUFFER_LIMIT + SLACK) >> 16;
