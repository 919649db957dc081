//! The module rewriter: structure of what it writes, refusals, semantics under Wasmtime, generated modules.

#[path = "instrument/check.rs"]
mod check;
#[path = "instrument/engines.rs"]
mod engines;
#[path = "instrument/lab.rs"]
mod lab;
#[path = "instrument/property.rs"]
mod property;
#[path = "instrument/semantics.rs"]
mod semantics;
#[path = "instrument/structure.rs"]
mod structure;
#[path = "instrument/support.rs"]
mod support;
