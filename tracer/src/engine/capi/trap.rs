//! The contents of a trap of `wasm.h`.

use super::abi::{Api, Object, Vector};
use crate::protocol::TrapFrame;

/// A trap's message.
///
/// # Safety
/// It must be a trap.
pub(super) unsafe fn message(api: &Api, trap: Object) -> String {
    let mut text = Vector::empty();
    // SAFETY: the caller vouches for the trap; the text is ours afterwards.
    unsafe {
        (api.wasm_trap_message)(trap, &mut text);
        api.own_text(text)
    }
}

/// A trap's frames, innermost first.
///
/// # Safety
/// It must be a trap.
pub(super) unsafe fn frames(api: &Api, trap: Object) -> Vec<TrapFrame> {
    let mut list = Vector::empty();
    // SAFETY: the caller vouches for the trap; the list is filled by the engine and never deleted.
    unsafe {
        (api.wasm_trap_trace)(trap, &mut list);
        let frame = |frame: &Object| TrapFrame {
            instance: None,
            function: (api.wasm_frame_func_index)(*frame),
            // All ones if the engine does not know it.
            offset: u32::try_from((api.wasm_frame_module_offset)(*frame)).ok().filter(|offset| *offset != u32::MAX),
            name: None,
        };
        list.slice().iter().map(frame).collect()
    }
}
