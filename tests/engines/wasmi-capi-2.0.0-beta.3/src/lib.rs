//! Exports the functions of `wasm.h` from the crate; nothing is added.

pub use wasmi_c_api::*;
