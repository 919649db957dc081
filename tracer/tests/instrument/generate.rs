//! Generated modules that write memory in every way that can be recorded.

use crate::steer::steer;
use arbitrary::Unstructured;
use wasm_smith::{Config, InstructionKind, InstructionKinds, Module};

/// Bytes of entropy for a module: functions get shorter when it runs out.
const ENTROPY: usize = 12 << 10;

/// A generated module, and whether it is unmodified: then nearly all of its functions trap soon.
pub struct Generated {
    pub module: Vec<u8>,
    pub raw: bool,
}

/// The module of a seed, the same on every machine; `None` if the generator finds none.
///
/// Generated control flow is mostly a way to leave early, so three modules of four have none. One of eight keeps
/// its arbitrary addresses; half of those are guarded by the generator, the others trap.
pub fn generate(seed: u64) -> Option<Generated> {
    let bytes = entropy(seed, ENTROPY);
    let mut module = Module::new(config(seed), &mut Unstructured::new(&bytes)).ok()?;
    module.ensure_termination(500).ok()?;
    let raw = is_raw(seed);
    Some(Generated { module: steer(&module.to_bytes(), !raw), raw })
}

fn is_raw(seed: u64) -> bool {
    seed % 8 == 7
}

fn config(seed: u64) -> Config {
    let control = seed.is_multiple_of(4);
    let mut kinds = vec![
        InstructionKind::NumericInt,
        InstructionKind::Parametric,
        InstructionKind::Variable,
        InstructionKind::Memory,
    ];
    if seed.is_multiple_of(3) {
        kinds.extend([InstructionKind::Numeric, InstructionKind::Vector]);
    }
    if control {
        kinds.extend([InstructionKind::Control, InstructionKind::Reference, InstructionKind::Table]);
    }
    Config {
        allowed_instructions: InstructionKinds::new(&kinds),
        // The generator's own guards leave out atomics.
        disallow_traps: control || (is_raw(seed) && seed % 16 == 15),
        min_memories: 1,
        max_memories: 3,
        max_imports: 0,
        memory64_enabled: true,
        memory_max_size_required: true,
        max_memory32_bytes: 2 << 16,
        max_memory64_bytes: 2 << 16,
        gc_enabled: control,
        reference_types_enabled: control,
        exceptions_enabled: control,
        relaxed_simd_enabled: false,
        threads_enabled: true,
        custom_page_sizes_enabled: true,
        wide_arithmetic_enabled: true,
        max_instructions: 300,
        min_funcs: 4,
        max_funcs: 8,
        min_types: 3,
        max_types: 8,
        max_type_size: 200,
        max_globals: 4,
        max_tables: if control { 2 } else { 0 },
        max_table_elements: 100,
        // Otherwise `table.grow` takes gigabytes.
        table_max_size_required: true,
        max_element_segments: 3,
        max_elements: 5,
        min_data_segments: 2,
        max_data_segments: 5,
        max_tags: 2,
        export_everything: true,
        canonicalize_nans: true,
        // Otherwise a global may be an array of gigabytes.
        limit_arrays_in_const_exprs: true,
        ..Config::default()
    }
}

/// Pseudo-random bytes, equal on every machine.
fn entropy(seed: u64, length: usize) -> Vec<u8> {
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
