//! Generated modules: whatever wasm-smith comes up with is refused with a reason or rewritten soundly.

use crate::engines::modes;
use crate::support;
use arbitrary::{Result, Unstructured};
use forkpoint_tracer::instrument::{Options, instrument};
use wasm_smith::{Config, InstructionKind, InstructionKinds, Module};

/// A generator of modules that write memory in every way that can be recorded. Generated control flow is mostly
/// a way to leave early, so three modules of four have none, and every second one keeps its addresses in bounds.
pub fn config(seed: u64) -> Config {
    let mut kinds = vec![
        InstructionKind::Numeric,
        InstructionKind::Vector,
        InstructionKind::Parametric,
        InstructionKind::Variable,
        InstructionKind::Memory,
    ];
    if seed.is_multiple_of(4) {
        kinds.extend([InstructionKind::Control, InstructionKind::Reference, InstructionKind::Table]);
    }
    Config {
        allowed_instructions: InstructionKinds::new(&kinds),
        disallow_traps: seed.is_multiple_of(2),
        min_memories: 1,
        max_memories: 3,
        max_imports: 0,
        memory64_enabled: true,
        memory_max_size_required: true,
        max_memory32_bytes: 8 << 16,
        max_memory64_bytes: 8 << 16,
        relaxed_simd_enabled: false,
        threads_enabled: true,
        custom_page_sizes_enabled: true,
        wide_arithmetic_enabled: true,
        max_instructions: 400,
        min_funcs: 4,
        max_funcs: 8,
        max_types: 8,
        max_type_size: 200,
        max_globals: 4,
        max_tables: 2,
        max_table_elements: 100,
        max_element_segments: 3,
        max_elements: 5,
        max_data_segments: 4,
        max_tags: 2,
        export_everything: true,
        canonicalize_nans: true,
        ..Config::default()
    }
}

/// Pseudo-random bytes, equal on every machine.
pub fn entropy(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
    }
    bytes
}

/// One generated module: it must rewrite, since the generator keeps to what can be recorded.
fn run(seed: u64, u: &mut Unstructured<'_>) -> Result<usize> {
    let mut module = Module::new(config(seed), u)?;
    module.ensure_termination(1000).expect("the generator wrote all bodies");
    let module = module.to_bytes();
    Ok(modes().iter().map(|mode| support::rewrite(&module, &mode.options).sites.len()).sum())
}

#[test]
fn smoke() {
    let (mut modules, mut sites) = (0, 0);
    for seed in 0..200 {
        let bytes = entropy(seed, 8192);
        if let Ok(count) = run(seed, &mut Unstructured::new(&bytes)) {
            modules += 1;
            sites += count;
        }
    }
    assert!(sites > 1000, "the generated modules write memory: {sites} sites in {modules} modules");
}

/// Damaged modules: errors, no panics.
#[test]
fn damaged_modules_do_not_panic() {
    let text = "(module (memory 1) (data (i32.const 0) \"abc\") (table 1 funcref) (elem (i32.const 0) $f)
        (func $f (param i32) (i32.store8 (local.get 0) (i32.const 1)) (drop (memory.grow (i32.const 1)))) (start $g)
        (func $g (call $f (i32.const 1))))";
    let module = wat::parse_str(text).expect("well formed");
    assert!(instrument(&module, &Options::default()).is_ok());
    for at in 0..module.len() {
        let _ = instrument(&module[..at], &Options::default());
        for bit in 0..8 {
            let mut damaged = module.clone();
            damaged[at] ^= 1 << bit;
            if instrument(&damaged, &Options::default()).is_ok() {
                support::rewrite(&damaged, &Options::default());
            }
        }
    }
}
