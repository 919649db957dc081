//! Applies the settings of a [`Tuning`] to Wasmtime.

use crate::spec::Tuning;
use wasmtime::{Config, InstanceAllocationStrategy, PoolingAllocationConfig, RegallocAlgorithm};

/// The size of a pool: enough for a guest of several memories, the recorder's buffer and the trampoline, but not so
/// much that address space runs out.
const POOLED: u32 = 32;

/// Applies the settings.
pub(super) fn apply(tuning: &Tuning, config: &mut Config) {
    if tuning.single_pass {
        config.cranelift_regalloc_algorithm(RegallocAlgorithm::SinglePass);
    }
    if tuning.pooling {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_memories(POOLED).total_tables(POOLED).total_core_instances(4).total_gc_heaps(4);
        pool.max_memories_per_module(POOLED / 2).max_tables_per_module(POOLED / 2);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    }
    if let Some(bytes) = tuning.memory_reservation {
        config.memory_reservation(bytes);
    }
    if let Some(bytes) = tuning.memory_guard {
        config.memory_guard_size(bytes);
    }
    if tuning.no_signals {
        config.signals_based_traps(false);
    }
    if tuning.canonical_nans {
        config.cranelift_nan_canonicalization(true);
    }
}

/// What differs from Wasmtime's defaults, for the trace's header, under Wasmtime's own names.
pub(super) fn settings(tuning: &Tuning) -> Vec<(String, String)> {
    let number = |value: Option<u64>| value.map(|value| value.to_string());
    let flag = |set: bool, value: &str| set.then(|| value.to_string());
    let all = [
        ("cranelift_nan_canonicalization", flag(tuning.canonical_nans, "true")),
        ("cranelift_regalloc_algorithm", flag(tuning.single_pass, "single_pass")),
        ("allocation_strategy", flag(tuning.pooling, "pooling")),
        ("memory_reservation", number(tuning.memory_reservation)),
        ("memory_guard_size", number(tuning.memory_guard)),
        ("signals_based_traps", flag(tuning.no_signals, "false")),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name.to_string(), value?))).collect()
}
