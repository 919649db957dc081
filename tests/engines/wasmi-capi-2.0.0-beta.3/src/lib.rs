//! The functions of `wasm.h` as the crate exports them; nothing is added.

pub use wasmi_c_api::*;
