//! Values of a call in words.

use crate::symbols::printable;
use forkpoint_traces::WasmValue;

/// Values of a call. What an engine calls a reference comes from outside.
pub(super) fn values(values: &[WasmValue]) -> String {
    printable(&values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
}
