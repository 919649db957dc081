//! Where a trap happened: the engine's frames, in numbers of the original module.

use crate::instrument::Instrumented;
use crate::protocol::TrapFrame;
use forkpoint_traces::{CodeOffset, FuncIndex, ProgramInfo};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Most frames of a trap that are kept: more than engines give by default.
const MOST_FRAMES: usize = 256;

/// A frame of the original module.
pub(super) struct OriginalFrame {
    pub(super) func: FuncIndex,
    pub(super) offset: Option<CodeOffset>,
    name: Option<String>,
}

/// The frames of a program's functions, in its numbers.
pub(super) fn of_program(frames: Vec<TrapFrame>, module: &Instrumented, program: &ProgramInfo) -> Vec<OriginalFrame> {
    let frame = |frame: TrapFrame| {
        // Without its instance a frame says nothing.
        let number = frame.instance? as usize;
        let (part, instance) = (module.parts.get(number)?, program.instances.get(number)?);
        let own = program.modules.get(instance.module as usize)?;
        let func = part.offsets.function(frame.function)?;
        let offset = frame.offset.and_then(|offset| part.offsets.original(offset));
        Some(OriginalFrame {
            func: FuncIndex(func.0.checked_add(own.first_function.0)?),
            offset: offset.and_then(|mapped| Some(CodeOffset(mapped.offset.0.checked_add(own.start.0)?))),
            name: frame.name,
        })
    };
    frames.into_iter().filter_map(frame).take(MOST_FRAMES).collect()
}

/// The frames of the module's own functions.
pub(super) fn original(
    frames: Vec<TrapFrame>,
    module: &Instrumented,
    functions: &BTreeMap<u32, String>,
) -> Vec<OriginalFrame> {
    let offsets = &module.offsets;
    let frames = frames.into_iter().filter_map(|frame| {
        let func = offsets.function(frame.function)?;
        Some(OriginalFrame {
            func,
            offset: frame.offset.and_then(|offset| offsets.original(offset)).map(|mapped| mapped.offset),
            name: frame.name.or_else(|| functions.get(&func.0).cloned()),
        })
    });
    frames.take(MOST_FRAMES).collect()
}

/// Most characters of a name that are shown.
const MAX_NAME: usize = 200;

/// A function's name as its author wrote it, where it is Rust's: names of C++ can unfold without bound.
pub(super) fn shown(name: &str) -> String {
    let demangled = rustc_demangle::try_demangle(name).map(|name| format!("{name:#}"));
    demangled.as_deref().unwrap_or(name).chars().take(MAX_NAME).collect()
}

/// The engine's words, and a line for each frame.
pub(super) fn with_frames(mut message: String, frames: &[OriginalFrame]) -> String {
    for (i, frame) in frames.iter().enumerate() {
        let name = match &frame.name {
            Some(name) => shown(name),
            None => format!("func[{}]", frame.func.0),
        };
        let _ = write!(message, "\n  {} {name}", if i == 0 { "in" } else { "called by" });
        if let Some(offset) = frame.offset {
            let _ = write!(message, " at {offset}");
        }
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_lines_after_the_message() {
        let frame = |func, offset: Option<u32>, name: Option<&str>| OriginalFrame {
            func: FuncIndex(func),
            offset: offset.map(CodeOffset),
            name: name.map(str::to_string),
        };
        let frames = [
            frame(3, Some(0x40), Some("_ZN4core9panicking5panic17h0123456789abcdefE")),
            frame(1, Some(0x1f), None),
            frame(0, None, Some("f")),
        ];
        assert_eq!(
            with_frames("wasm trap".to_string(), &frames),
            "wasm trap\n  in core::panicking::panic at 0x40\n  called by func[1] at 0x1f\n  called by f"
        );
    }
}
