//! What an own command is, and what all of them are made with.

use crate::features;

/// The export that returns what differs, an `i32`.
pub const VALUE: &str = "main";
/// The export that returns it where `main` traps before: it is called afterwards, in the same instance.
pub const AFTERWARDS: &str = "after";
/// The export that traps unless `main` returns what the left side returns.
pub const CHECKED: &str = "_start";

/// A command of an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnCommand {
    /// Lines for a POSIX shell, in which `$module` is the module's path.
    pub lines: String,
    /// What it shows.
    pub shows: Shows,
}

/// What an engine's command shows of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shows {
    /// It prints what [`VALUE`] returns, or its exit status is the last byte of that.
    Value,
    /// It runs [`CHECKED`] and tells a trap from success.
    Success,
}

/// What is run.
#[derive(Debug, Clone, Copy)]
pub struct OwnModule<'a> {
    /// The module, which imports nothing.
    pub module: &'a [u8],
    /// Whether [`AFTERWARDS`] is called, too.
    pub afterwards: bool,
}

/// A word for a shell.
pub(super) fn quoted(word: &str) -> String {
    shell_words::quote(word).into_owned()
}

/// A string of Python or JavaScript.
pub(super) fn string(text: &str) -> String {
    let mut quoted = "\"".to_string();
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\x{:02x}", u32::from(c) & 0xff)),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

/// Proposals beyond WebAssembly 2.0 that a module is not valid without: an engine's command may have them switched off.
pub(super) fn needed(module: &[u8]) -> Vec<&'static str> {
    const OF_3: &[&str] = &[
        "custom-page-sizes",
        "exceptions",
        "function-references",
        "gc",
        "memory64",
        "multi-memory",
        "relaxed-simd",
        "stack-switching",
        "tail-call",
        "threads",
        "wide-arithmetic",
    ];
    let valid = |features| wasmparser::Validator::new_with_features(features).validate_all(module).is_ok();
    let all = wasmparser::WasmFeatures::all();
    if !valid(all) {
        return Vec::new();
    }
    OF_3.iter().copied().filter(|name| !valid(all.difference(features::flag_of(name)))).collect()
}
