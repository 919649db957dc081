//! The engine that rewritten modules run under in tests, and every way to record.

use forkpoint_tracer::instrument::{Ask, Options, Style};
use forkpoint_traces::{FuncIndex, Position};
use wasmtime::{Config, Engine};

/// A way to record.
pub struct Mode {
    pub name: &'static str,
    pub options: Options,
}

/// Every way to record. Hooks come first: the order of their events is the real order, also across instances.
pub fn modes() -> Vec<Mode> {
    let base = Options::default();
    let hooks = Options { style: Style::Hooks, ..base.clone() };
    let (places, nans, calls) = (Ask::Places { events: 0 }, Ask::Nans { window: 0..0 }, Ask::Calls { window: 0..0 });
    let stack = Ask::Stack {
        around: Position(0),
        step: None,
        frame_bases: (0..100).map(|func| (FuncIndex(func), 1)).collect(),
    };
    vec![
        Mode { name: "hooks", options: hooks.clone() },
        Mode { name: "inline", options: base.clone() },
        Mode { name: "inline+places", options: Options { ask: places.clone(), ..base.clone() } },
        Mode { name: "hooks+places", options: Options { ask: places, ..hooks.clone() } },
        Mode { name: "inline+nans", options: Options { ask: nans.clone(), ..base.clone() } },
        Mode { name: "hooks+nans", options: Options { ask: nans, ..hooks.clone() } },
        Mode { name: "inline+calls", options: Options { ask: calls.clone(), ..base.clone() } },
        Mode { name: "hooks+calls", options: Options { ask: calls, ..hooks.clone() } },
        Mode { name: "inline+stack", options: Options { ask: stack.clone(), ..base.clone() } },
        Mode { name: "hooks+stack", options: Options { ask: stack, ..hooks.clone() } },
        // Only for modules whose NaNs have these bits by themselves.
        Mode { name: "inline+canonical", options: Options { canonical_nans: true, ..base.clone() } },
        Mode { name: "hooks+canonical", options: Options { canonical_nans: true, ..hooks.clone() } },
        Mode { name: "hooks+read-back", options: Options { read_back: true, ..hooks } },
        Mode { name: "inline+read-back", options: Options { read_back: true, ..base.clone() } },
        Mode { name: "inline+unjoined", options: Options { join: false, buffer_limit: 0, ..base } },
    ]
}

/// Wasmtime with every proposal that the rewriter accepts. Memories are small mappings that move when they grow, so
/// that thousands of them fit.
pub fn config() -> Config {
    let mut config = Config::new();
    config
        .wasm_multi_memory(true)
        .wasm_memory64(true)
        .wasm_tail_call(true)
        .wasm_function_references(true)
        .wasm_gc(true)
        .wasm_exceptions(true)
        .wasm_relaxed_simd(true)
        .wasm_custom_page_sizes(true)
        .wasm_wide_arithmetic(true)
        .wasm_stack_switching(true)
        .shared_memory(true)
        .memory_reservation(1 << 20)
        .memory_guard_size(1 << 16);
    config
}

/// The engine of [`config`].
pub fn engine() -> Engine {
    Engine::new(&config()).expect("a valid configuration")
}
