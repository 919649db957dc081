//! Makes generated modules do something: their addresses, lengths and divisors are arbitrary numbers, so that nearly
//! every one would trap at its first memory access. Steered, they stay in bounds and continue.

use crate::implant::{Surroundings, implant};
use forkpoint_traces::{MemoryOp, Shape, ValueType};
use std::convert::Infallible;
use wasm_encoder::reencode::{Error, Reencode};
use wasm_encoder::{CodeSection, ConstExpr, DataSection, Function, Instruction as I, MemArg, MemoryType, ValType};
use wasmparser::{CompositeInnerType, DataKind, FunctionBody, Operator, Parser, Payload};

/// Addresses end below this, static offsets and lengths below half of it: all accesses are within [`SMALLEST`].
const ADDRESSES: u64 = 0x800;
/// Bytes that every memory has.
const SMALLEST: u64 = 0x1000;
/// One `data.drop` in this many stays, since every later `memory.init` of its segment traps. The others are replaced.
const DROPS: usize = 8;

/// Facts from the sections before or after the code.
#[derive(Default)]
struct Facts {
    /// Parameters of each function.
    params: Vec<u32>,
    /// Whether each memory has 64-bit addresses, and whether it is shared.
    memories: Vec<(bool, bool)>,
    /// Length of each data segment that can be the source of a `memory.init`, 0 for active ones.
    passive: Vec<usize>,
}

struct Steer {
    facts: Facts,
    /// Whether addresses are kept in bounds. Threads never wait, in any module.
    bounded: bool,
    function: usize,
    drops: usize,
    random: u64,
    /// The memory of the last memory argument.
    memory: u32,
    /// The first scratch local.
    scratch: u32,
}

/// Steers a module without imports; unless it is `bounded`, only its waits and what would prevent its instantiation.
pub fn steer(module: &[u8], bounded: bool) -> Vec<u8> {
    let mut steer = Steer {
        facts: facts(module),
        bounded,
        function: 0,
        drops: 0,
        random: module.len() as u64,
        memory: 0,
        scratch: 0,
    };
    let mut steered = wasm_encoder::Module::new();
    steer.parse_core_module(&mut steered, Parser::new(0), module).expect("the generated module is valid");
    steered.finish()
}

fn facts(module: &[u8]) -> Facts {
    let mut facts = Facts::default();
    let mut types = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        match payload.expect("the generated module is valid") {
            Payload::TypeSection(section) => {
                for group in section {
                    for ty in group.expect("valid").types() {
                        types.push(match &ty.composite_type.inner {
                            CompositeInnerType::Func(function) => function.params().len() as u32,
                            _ => 0,
                        });
                    }
                }
            }
            Payload::FunctionSection(section) => {
                facts.params = section.into_iter().map(|ty| types[ty.expect("valid") as usize]).collect();
            }
            Payload::MemorySection(section) => {
                facts.memories = section
                    .into_iter()
                    .map(|memory| memory.map(|memory| (memory.memory64, memory.shared)).expect("valid"))
                    .collect();
            }
            Payload::DataSection(section) => {
                let length = |data: wasmparser::Data<'_>| match data.kind {
                    DataKind::Passive => data.data.len(),
                    DataKind::Active { .. } => 0,
                };
                facts.passive = section.into_iter().map(|data| length(data.expect("valid"))).collect();
            }
            _ => {}
        }
    }
    facts
}

impl Reencode for Steer {
    type Error = Infallible;

    fn memory_type(&mut self, ty: wasmparser::MemoryType) -> Result<MemoryType, Error<Infallible>> {
        let mut ty = wasm_encoder::reencode::utils::memory_type(self, ty);
        ty.minimum = ty.minimum.max(if ty.page_size_log2 == Some(0) { SMALLEST } else { 1 });
        ty.maximum = ty.maximum.map(|maximum| maximum.max(ty.minimum + 3));
        Ok(ty)
    }

    fn mem_arg(&mut self, arg: wasmparser::MemArg) -> Result<MemArg, Error<Infallible>> {
        self.memory = arg.memory;
        let mut arg = wasm_encoder::reencode::utils::mem_arg(self, arg)?;
        if self.bounded {
            arg.offset &= ADDRESSES / 2 - 8;
        }
        Ok(arg)
    }

    fn parse_data(&mut self, section: &mut DataSection, data: wasmparser::Data<'_>) -> Result<(), Error<Infallible>> {
        let DataKind::Active { memory_index, .. } = data.kind else {
            return wasm_encoder::reencode::utils::parse_data(self, section, data);
        };
        let at = u64::from(section.len()) * 100 % ADDRESSES;
        let offset = match self.facts.memories[memory_index as usize].0 {
            true => ConstExpr::i64_const(at as i64),
            false => ConstExpr::i32_const(at as i32),
        };
        section.active(memory_index, &offset, data.data.iter().copied().take(ADDRESSES as usize));
        Ok(())
    }

    fn parse_function_body(
        &mut self,
        code: &mut CodeSection,
        body: FunctionBody<'_>,
    ) -> Result<(), Error<Infallible>> {
        self.scratch = self.facts.params[self.function];
        self.function += 1;
        let mut locals = Vec::new();
        for group in body.get_locals_reader()? {
            let (count, ty) = group?;
            self.scratch += count;
            locals.push((count, self.val_type(ty)?));
        }
        locals.extend([ValType::I32, ValType::I64, ValType::F32, ValType::F64, ValType::V128].map(|ty| (2, ty)));
        let mut function = Function::new(locals);
        let mut reader = body.get_operators_reader()?;
        while !reader.eof() {
            self.operator(&mut function, reader.read()?)?;
        }
        code.function(&function);
        Ok(())
    }
}

impl Steer {
    /// One of two scratch locals of a type.
    fn local(&self, ty: ValueType, which: u32) -> u32 {
        let group = match ty {
            ValueType::I32 => 0,
            ValueType::I64 => 1,
            ValueType::F32 => 2,
            ValueType::F64 => 3,
            ValueType::V128 => 4,
        };
        self.scratch + 2 * group + which
    }

    fn word(&self, memory: u32) -> ValueType {
        if self.facts.memories[memory as usize].0 { ValueType::I64 } else { ValueType::I32 }
    }

    /// Keeps the bits in `mask` of the number on the stack.
    fn mask(f: &mut Function, ty: ValueType, mask: u64) {
        match ty {
            ValueType::I64 => f.instruction(&I::I64Const(mask as i64)).instruction(&I::I64And),
            _ => f.instruction(&I::I32Const(mask as i32)).instruction(&I::I32And),
        };
    }

    /// Masks the address below operands of these types.
    fn address(&self, f: &mut Function, mask: u64, above: &[ValueType]) {
        let locals: Vec<u32> = above.iter().zip(0..).map(|(ty, which)| self.local(*ty, which)).collect();
        for local in locals.iter().rev() {
            f.instruction(&I::LocalSet(*local));
        }
        Steer::mask(f, self.word(self.memory), mask);
        for local in locals {
            f.instruction(&I::LocalGet(local));
        }
    }

    fn operator(&mut self, f: &mut Function, op: Operator<'_>) -> Result<(), Error<Infallible>> {
        let instruction = self.instruction(op.clone())?;
        let debug = format!("{op:?}");
        let name = debug.split([' ', '{']).next().unwrap_or_default();
        if name.starts_with("MemoryAtomicWait") {
            self.wait(f, name, &instruction);
            return Ok(());
        }
        if !self.bounded {
            f.instruction(&instruction);
            return Ok(());
        }
        // Atomics trap at addresses that are not a multiple of their width.
        let reach = if name.contains("Atomic") { ADDRESSES - 8 } else { ADDRESSES - 1 };
        match MemoryOp::named(name).map(MemoryOp::shape) {
            Some(Shape::Store { ty, .. } | Shape::Rmw { ty, operands: 1, .. }) => self.address(f, reach, &[ty]),
            Some(Shape::Rmw { ty, .. }) => self.address(f, reach, &[ty, ty]),
            Some(Shape::Lane { .. }) => self.address(f, reach, &[ValueType::V128]),
            Some(_) => {
                self.bulk(f, &op, &instruction);
                return Ok(());
            }
            None if name == "MemoryAtomicNotify" => self.address(f, reach, &[ValueType::I32]),
            None if name.starts_with("V128Load") && name.ends_with("Lane") => {
                self.address(f, reach, &[ValueType::V128]);
            }
            None if name.contains("Load") => self.address(f, reach, &[]),
            None => match op {
                Operator::I32DivS | Operator::I32DivU | Operator::I32RemS | Operator::I32RemU => {
                    f.instruction(&I::I32Const(1)).instruction(&I::I32Or);
                }
                Operator::I64DivS | Operator::I64DivU | Operator::I64RemS | Operator::I64RemU => {
                    f.instruction(&I::I64Const(1)).instruction(&I::I64Or);
                }
                _ => {}
            },
        }
        f.instruction(&saturating(&op).unwrap_or(instruction));
        Ok(())
    }

    /// Accesses other than plain ones.
    fn bulk(&mut self, f: &mut Function, op: &Operator<'_>, instruction: &I<'_>) {
        let lengths = ADDRESSES / 2 - 1;
        let bulk = |f: &mut Function, dst: ValueType, src: (ValueType, u64), len: (ValueType, u64)| {
            let (source, length) = (self.local(src.0, 0), self.local(len.0, 1));
            f.instruction(&I::LocalSet(length)).instruction(&I::LocalSet(source));
            Steer::mask(f, dst, ADDRESSES - 1);
            f.instruction(&I::LocalGet(source));
            Steer::mask(f, src.0, src.1);
            f.instruction(&I::LocalGet(length));
            Steer::mask(f, len.0, len.1);
        };
        match *op {
            Operator::MemoryGrow { mem } => Steer::mask(f, self.word(mem), 3),
            Operator::MemoryFill { mem } => {
                bulk(f, self.word(mem), (ValueType::I32, u64::from(u32::MAX)), (self.word(mem), lengths));
            }
            Operator::MemoryCopy { dst_mem, src_mem } => {
                let (dst, src) = (self.word(dst_mem), self.word(src_mem));
                let len = if dst == src { dst } else { ValueType::I32 };
                bulk(f, dst, (src, ADDRESSES - 1), (len, lengths));
            }
            Operator::MemoryInit { data_index, mem } => {
                // Source and length below half of the segment.
                let half = self.facts.passive[data_index as usize] / 2;
                let mask = ((half + 1).next_power_of_two() / 2).saturating_sub(1) as u64;
                bulk(f, self.word(mem), (ValueType::I32, mask), (ValueType::I32, mask));
            }
            Operator::DataDrop { .. } => {
                self.drops += 1;
                if !self.drops.is_multiple_of(DROPS) {
                    let wide: Vec<bool> = self.facts.memories.iter().map(|(wide, _)| *wide).collect();
                    let module = Surroundings { wide: &wide, passive: &self.facts.passive };
                    return implant(f, &module, &mut self.random);
                }
            }
            _ => {}
        }
        f.instruction(instruction);
    }

    /// A wait that times out at once, and none in an unshared memory, where it would trap.
    fn wait(&self, f: &mut Function, name: &str, instruction: &I<'_>) {
        f.instruction(&I::Drop);
        if !self.bounded || self.facts.memories[self.memory as usize].1 {
            if self.bounded {
                let ty = if name.ends_with("32") { ValueType::I32 } else { ValueType::I64 };
                self.address(f, ADDRESSES - 8, &[ty]);
            }
            f.instruction(&I::I64Const(0)).instruction(instruction);
        } else {
            f.instruction(&I::Drop).instruction(&I::Drop).instruction(&I::I32Const(0));
        }
    }
}

/// The conversion that does not trap, instead of one that does.
fn saturating(op: &Operator<'_>) -> Option<I<'static>> {
    Some(match op {
        Operator::I32TruncF32S => I::I32TruncSatF32S,
        Operator::I32TruncF32U => I::I32TruncSatF32U,
        Operator::I32TruncF64S => I::I32TruncSatF64S,
        Operator::I32TruncF64U => I::I32TruncSatF64U,
        Operator::I64TruncF32S => I::I64TruncSatF32S,
        Operator::I64TruncF32U => I::I64TruncSatF32U,
        Operator::I64TruncF64S => I::I64TruncSatF64S,
        Operator::I64TruncF64U => I::I64TruncSatF64U,
        _ => return None,
    })
}
