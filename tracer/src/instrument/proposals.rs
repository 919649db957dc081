//! The WebAssembly proposals that a module may use.

use wasmparser::WasmFeatures;

/// The proposals a module may use: WebAssembly 3.0, and others that Wasmtime runs.
pub(super) fn features() -> WasmFeatures {
    COMMON | WasmFeatures::STACK_SWITCHING
}

/// The proposals that every engine setting supports.
pub(super) const COMMON: WasmFeatures =
    WasmFeatures::WASM3.union(WasmFeatures::CUSTOM_PAGE_SIZES).union(WasmFeatures::WIDE_ARITHMETIC);
