//! The WebAssembly proposals that a module may use.

use wasmparser::WasmFeatures;

/// What a module may use: WebAssembly 3.0 and the proposals beyond it that Wasmtime runs.
pub(super) fn features() -> WasmFeatures {
    COMMON | WasmFeatures::STACK_SWITCHING
}

/// What every engine setting goes with.
pub(super) const COMMON: WasmFeatures =
    WasmFeatures::WASM3.union(WasmFeatures::CUSTOM_PAGE_SIZES).union(WasmFeatures::WIDE_ARITHMETIC);
