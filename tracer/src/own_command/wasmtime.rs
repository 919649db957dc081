//! Wasmtime's command line.

use super::parts::{OwnCommand, OwnModule, Shows, VALUE, needed, quoted};
use crate::features::FeatureSwitches;
use crate::spec::{Compiler, Mode, OptLevel, Target, WasmtimeSpec, cranelift_flag};

/// Bytes of a page that limits count.
const PAGE: u64 = 64 << 10;

pub(super) fn command(
    spec: &WasmtimeSpec,
    limit: Option<u64>,
    features: &FeatureSwitches,
    own: OwnModule<'_>,
) -> Result<OwnCommand, String> {
    let mut compiling = Vec::new();
    let mut both = Vec::new();
    match spec.opt {
        OptLevel::None => compiling.push("-O opt-level=0".to_string()),
        OptLevel::Speed => {}
        OptLevel::SpeedAndSize => compiling.push("-O opt-level=s".to_string()),
    }
    match (spec.compiler, &spec.target) {
        (Compiler::Winch, _) => compiling.push("-C compiler=winch".to_string()),
        (Compiler::Pulley, _) => both.push("--target pulley64".to_string()),
        (Compiler::Cranelift, _) => {}
    }
    if spec.compiler != Compiler::Pulley && spec.target != Target::Host {
        let triple = spec.target.triple().unwrap_or_default();
        compiling.push(format!("--target {}", quoted(&triple)));
    }
    let flags = spec.cpu.iter().map(|cpu| format!("-C cranelift-{}={}", cranelift_flag(cpu), cpu.enabled));
    compiling.extend(flags);
    let tuning = &spec.tuning;
    if tuning.single_pass {
        compiling.push("-O regalloc-algorithm=single-pass".to_string());
    }
    if tuning.canonical_nans {
        both.push("-W nan-canonicalization=y".to_string());
    }
    if tuning.pooling {
        both.push("-O pooling-allocator=y".to_string());
    }
    both.extend(tuning.memory_reservation.map(|bytes| format!("-O memory-reservation={bytes}")));
    both.extend(tuning.memory_guard.map(|bytes| format!("-O memory-guard-size={bytes}")));
    if tuning.no_signals {
        both.push("-O signals-based-traps=n".to_string());
    }
    for name in needed(own.module) {
        both.push(format!("-W {name}=y"));
        if name == "threads" {
            both.push("-W shared-memory=y".to_string());
        }
    }
    for switch in features.switches() {
        both.push(format!("-W {}={}", switch.name, if switch.enabled { 'y' } else { 'n' }));
    }
    let limit = limit.map(|pages| format!("-W max-memory-size={}", pages.saturating_mul(PAGE)));
    let words = |parts: &[&[String]]| parts.concat().iter().map(|word| format!(" {word}")).collect::<String>();
    let limit: Vec<String> = limit.into_iter().collect();
    let lines = match spec.mode {
        Mode::Jit => format!("wasmtime run{} --invoke {VALUE} \"$module\"", words(&[&compiling, &both, &limit])),
        Mode::Aot => format!(
            "wasmtime compile{} \"$module\" -o \"$module.cwasm\" &&\n  wasmtime run{} --allow-precompiled --invoke {VALUE} \"$module.cwasm\"",
            words(&[&compiling, &both]),
            words(&[&both, &limit]),
        ),
    };
    Ok(OwnCommand { lines, shows: Shows::Value })
}
