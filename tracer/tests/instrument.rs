//! The module rewriter: structure of what it writes, refusals, semantics under Wasmtime, generated modules.

#[path = "instrument/asked.rs"]
mod asked;
#[path = "instrument/check.rs"]
mod check;
#[path = "instrument/engines.rs"]
mod engines;
#[path = "instrument/generate.rs"]
mod generate;
#[path = "instrument/generated.rs"]
mod generated;
#[path = "instrument/handle.rs"]
mod handle;
#[path = "instrument/implant.rs"]
mod implant;
#[path = "instrument/lab.rs"]
mod lab;
#[path = "instrument/property.rs"]
mod property;
#[path = "instrument/semantics.rs"]
mod semantics;
#[path = "instrument/side_by_side.rs"]
mod side_by_side;
#[path = "instrument/sizes.rs"]
mod sizes;
#[path = "instrument/steer.rs"]
mod steer;
#[path = "instrument/structure.rs"]
mod structure;
#[path = "instrument/support.rs"]
mod support;
