//! The text of functions as sources, which the adapter writes.

use forkpoint_replay::Symbols;
use forkpoint_traces::{CodeOffset, FuncIndex};
use serde_json::{Value, json};

/// The text of a function as a source; editors ask for it by its number.
pub(crate) fn of_function(symbols: &Symbols, func: FuncIndex) -> Value {
    let name = format!("{}.wat", symbols.function_name(func).replace(['/', '\\'], "_"));
    json!({ "name": name, "sourceReference": u64::from(func.0) + 1 })
}

/// The function whose text has this number.
pub(crate) fn function_of(reference: u64) -> Option<FuncIndex> {
    Some(FuncIndex(u32::try_from(reference.checked_sub(1)?).ok()?))
}

/// The text of a function.
pub(crate) fn text(symbols: &Symbols, func: FuncIndex) -> Option<String> {
    let wat = symbols.wat(func)?;
    Some(wat.lines.iter().fold(String::new(), |text, line| text + &line.text + "\n"))
}

/// The line of a function's text, from 1, that has the instruction at an offset.
pub(crate) fn line_of(symbols: &Symbols, func: FuncIndex, offset: CodeOffset) -> Option<u64> {
    let wat = symbols.wat(func)?;
    let line = wat.lines.iter().position(|line| line.offset == Some(offset))?;
    Some(line as u64 + 1)
}
