//! Native code, mapped to offsets in the original module.

use crate::instrument::Instrumented;
use crate::protocol::{NO_OFFSET, NativeFrame};
use forkpoint_traces::{FuncIndex, NativeFunction, NativePoint};
use std::collections::HashSet;

/// The native code of a function, if it is one of the module's own that records something.
pub(super) fn original(
    native: NativeFrame,
    module: &Instrumented,
    recorded: &HashSet<FuncIndex>,
) -> Option<NativeFunction> {
    let func = module.offsets.function(native.function).filter(|func| recorded.contains(func))?;
    let mut points: Vec<NativePoint> = Vec::with_capacity(native.points.len());
    for (offset, wasm) in native.points {
        let mapped = (wasm != NO_OFFSET).then(|| module.offsets.original(wasm)).flatten();
        let point = NativePoint {
            offset,
            site: mapped.map(|mapped| mapped.offset),
            recorder: mapped.is_some_and(|mapped| mapped.recorder),
        };
        if points.last().is_none_or(|last| (last.site, last.recorder) != (point.site, point.recorder)) {
            points.push(point);
        }
    }
    Some(NativeFunction { func, start: native.start, code: native.code, points })
}
