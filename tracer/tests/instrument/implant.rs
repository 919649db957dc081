//! Memory-changing instructions with their own operands, for places where a generated module has none: the generator
//! rarely has the three operands of a `memory.copy` on its stack.

use wasm_encoder::{Function, Instruction as I, MemArg};

/// What the module has.
pub struct Surroundings<'m> {
    /// Whether each memory has 64-bit addresses.
    pub wide: &'m [bool],
    /// How many bytes of each data segment `memory.init` may use.
    pub passive: &'m [usize],
}

/// Writes one such instruction, which takes nothing from the stack and leaves nothing there. Addresses and lengths
/// are below 0x400.
pub fn implant(f: &mut Function, module: &Surroundings<'_>, random: &mut u64) {
    let mut next = |below: u64| {
        *random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (*random >> 33) % below
    };
    let memory = next(module.wide.len() as u64) as u32;
    let other = next(module.wide.len() as u64) as u32;
    let wide = |memory: u32| module.wide[memory as usize];
    let constant = |value: u64, wide: bool| if wide { I::I64Const(value as i64) } else { I::I32Const(value as i32) };
    let (at, from, length) = (next(0x400), next(0x400), next(0x40));
    let argument = |align: u32| MemArg { offset: at & 0x78, align, memory_index: memory };
    match next(6) {
        0 => {
            f.instruction(&constant(at, wide(memory)))
                .instruction(&I::I32Const(from as i32))
                .instruction(&constant(length, wide(memory)))
                .instruction(&I::MemoryFill(memory));
        }
        1 => {
            f.instruction(&constant(at, wide(memory)))
                .instruction(&constant(from, wide(other)))
                .instruction(&constant(length, wide(memory) && wide(other)))
                .instruction(&I::MemoryCopy { src_mem: other, dst_mem: memory });
        }
        2 if !module.passive.is_empty() => {
            let segment = next(module.passive.len() as u64);
            let bytes = module.passive[segment as usize] as u64;
            let source = next(bytes + 1);
            f.instruction(&constant(at, wide(memory)))
                .instruction(&I::I32Const(source as i32))
                .instruction(&I::I32Const(next(bytes - source + 1).min(length) as i32))
                .instruction(&I::MemoryInit { mem: memory, data_index: segment as u32 });
        }
        3 => {
            // Both operands come from memory, so sometimes the bytes are the expected ones.
            let align = next(4) as u32;
            let (exchange, narrow) = compare_exchange(align, next(2) == 0, argument(align));
            let load = MemArg { offset: from & 0x38, align: 0, memory_index: memory };
            let load = |same: bool| {
                let argument = if same { argument(0) } else { load };
                if narrow { I::I32Load(argument) } else { I::I64Load(argument) }
            };
            let address = constant(at & !7, wide(memory));
            f.instruction(&address)
                .instruction(&address)
                .instruction(&load(length % 2 == 0))
                .instruction(&constant(at & !7, wide(memory)))
                .instruction(&load(false))
                .instruction(&exchange)
                .instruction(&I::Drop);
        }
        _ => {
            let lane = next(16) as u8;
            let address = MemArg { offset: from & 0x3f, align: 0, memory_index: other };
            f.instruction(&constant(at, wide(memory)))
                .instruction(&constant(from, wide(other)))
                .instruction(&I::V128Load(address))
                .instruction(&vector_store(next(5), lane, argument(0)));
        }
    }
}

/// The compare-exchange of `1 << align` bytes, and whether its operands are `i32`.
fn compare_exchange(align: u32, narrow: bool, argument: MemArg) -> (I<'static>, bool) {
    match (align, narrow) {
        (0, true) => (I::I32AtomicRmw8CmpxchgU(argument), true),
        (1, true) => (I::I32AtomicRmw16CmpxchgU(argument), true),
        (2, true) => (I::I32AtomicRmwCmpxchg(argument), true),
        (0, false) => (I::I64AtomicRmw8CmpxchgU(argument), false),
        (1, false) => (I::I64AtomicRmw16CmpxchgU(argument), false),
        (2, false) => (I::I64AtomicRmw32CmpxchgU(argument), false),
        _ => (I::I64AtomicRmwCmpxchg(argument), false),
    }
}

fn vector_store(which: u64, lane: u8, memarg: MemArg) -> I<'static> {
    match which {
        0 => I::V128Store8Lane { memarg, lane },
        1 => I::V128Store16Lane { memarg, lane: lane % 8 },
        2 => I::V128Store32Lane { memarg, lane: lane % 4 },
        3 => I::V128Store64Lane { memarg, lane: lane % 2 },
        _ => I::V128Store(memarg),
    }
}
