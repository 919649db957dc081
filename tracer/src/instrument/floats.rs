//! What the specification leaves open about floats and vectors, made definite: the bits of NaNs that an instruction
//! makes, and the results of relaxed SIMD. Two engines that diverge over such bits agree on the module rewritten this
//! way.

use super::body::BodyRewriter;
use super::locals::Function;
use super::mark::{Float, Marked};
use super::options::Ask;
use forkpoint_traces::ValueType;
use wasm_encoder::{Ieee32, Ieee64, Instruction as I};
use wasmparser::Operator;

/// The type of the NaN that an instruction may make. Copies, loads, `abs`, `neg`, `copysign`, `pmin` and `pmax` are
/// not among them: their results are bits of their operands.
fn makes_nan(op: &Operator) -> Option<Float> {
    use Operator as O;
    Some(match op {
        O::F32Add
        | O::F32Sub
        | O::F32Mul
        | O::F32Div
        | O::F32Sqrt
        | O::F32Min
        | O::F32Max
        | O::F32Ceil
        | O::F32Floor
        | O::F32Trunc
        | O::F32Nearest
        | O::F32DemoteF64 => Float::F32,
        O::F64Add
        | O::F64Sub
        | O::F64Mul
        | O::F64Div
        | O::F64Sqrt
        | O::F64Min
        | O::F64Max
        | O::F64Ceil
        | O::F64Floor
        | O::F64Trunc
        | O::F64Nearest
        | O::F64PromoteF32 => Float::F64,
        O::F32x4Add
        | O::F32x4Sub
        | O::F32x4Mul
        | O::F32x4Div
        | O::F32x4Sqrt
        | O::F32x4Min
        | O::F32x4Max
        | O::F32x4Ceil
        | O::F32x4Floor
        | O::F32x4Trunc
        | O::F32x4Nearest
        | O::F32x4DemoteF64x2Zero
        | O::F32x4RelaxedMadd
        | O::F32x4RelaxedNmadd
        | O::F32x4RelaxedMin
        | O::F32x4RelaxedMax => Float::F32x4,
        O::F64x2Add
        | O::F64x2Sub
        | O::F64x2Mul
        | O::F64x2Div
        | O::F64x2Sqrt
        | O::F64x2Min
        | O::F64x2Max
        | O::F64x2Ceil
        | O::F64x2Floor
        | O::F64x2Trunc
        | O::F64x2Nearest
        | O::F64x2PromoteLowF32x4
        | O::F64x2RelaxedMadd
        | O::F64x2RelaxedNmadd
        | O::F64x2RelaxedMin
        | O::F64x2RelaxedMax => Float::F64x2,
        _ => return None,
    })
}

/// Instructions that replace one of relaxed SIMD, with one of its allowed results. `local` is free for a vector.
fn fixed(op: &Operator, [local, other]: [u32; 2]) -> Option<Vec<I<'static>>> {
    use Operator as O;
    // The pairs of products of signed bytes, as 16 bits: too large a sum is the largest number.
    let dot = || {
        vec![
            I::LocalSet(other),
            I::LocalTee(local),
            I::LocalGet(other),
            I::I16x8ExtMulLowI8x16S,
            I::I32x4ExtAddPairwiseI16x8S,
            I::LocalGet(local),
            I::LocalGet(other),
            I::I16x8ExtMulHighI8x16S,
            I::I32x4ExtAddPairwiseI16x8S,
            I::I16x8NarrowI32x4S,
        ]
    };
    Some(match op {
        O::I8x16RelaxedSwizzle => vec![I::I8x16Swizzle],
        O::I32x4RelaxedTruncF32x4S => vec![I::I32x4TruncSatF32x4S],
        O::I32x4RelaxedTruncF32x4U => vec![I::I32x4TruncSatF32x4U],
        O::I32x4RelaxedTruncF64x2SZero => vec![I::I32x4TruncSatF64x2SZero],
        O::I32x4RelaxedTruncF64x2UZero => vec![I::I32x4TruncSatF64x2UZero],
        O::F32x4RelaxedMadd => vec![I::LocalSet(local), I::F32x4Mul, I::LocalGet(local), I::F32x4Add],
        O::F64x2RelaxedMadd => vec![I::LocalSet(local), I::F64x2Mul, I::LocalGet(local), I::F64x2Add],
        O::F32x4RelaxedNmadd => {
            vec![I::LocalSet(local), I::F32x4Mul, I::F32x4Neg, I::LocalGet(local), I::F32x4Add]
        }
        O::F64x2RelaxedNmadd => {
            vec![I::LocalSet(local), I::F64x2Mul, I::F64x2Neg, I::LocalGet(local), I::F64x2Add]
        }
        O::I8x16RelaxedLaneselect
        | O::I16x8RelaxedLaneselect
        | O::I32x4RelaxedLaneselect
        | O::I64x2RelaxedLaneselect => vec![I::V128Bitselect],
        O::F32x4RelaxedMin => vec![I::F32x4Min],
        O::F32x4RelaxedMax => vec![I::F32x4Max],
        O::F64x2RelaxedMin => vec![I::F64x2Min],
        O::F64x2RelaxedMax => vec![I::F64x2Max],
        O::I16x8RelaxedQ15mulrS => vec![I::I16x8Q15MulrSatS],
        O::I16x8RelaxedDotI8x16I7x16S => dot(),
        // The third operand stays below: the dot product is finally added to it.
        O::I32x4RelaxedDotI8x16I7x16AddS => return None,
        _ => return None,
    })
}

impl BodyRewriter<'_> {
    /// Replaces the instruction at `at..end` if it is one of relaxed SIMD and this is requested.
    pub(super) fn fix_relaxed(&mut self, function: &mut Function, op: &Operator, at: usize, end: usize) {
        if !self.options.fixed_relaxed || !is_relaxed(op) {
            return;
        }
        let locals = function.scratch(&[ValueType::V128; 3]);
        let spare = [locals[0], locals[1]];
        let instructions = match op {
            Operator::I32x4RelaxedDotI8x16I7x16AddS => {
                let dot = fixed(&Operator::I16x8RelaxedDotI8x16I7x16S, spare).unwrap_or_default();
                let mut all = vec![I::LocalSet(locals[2])];
                all.extend(dot);
                all.extend([I::I32x4ExtAddPairwiseI16x8S, I::LocalGet(locals[2]), I::I32x4Add]);
                all
            }
            op => match fixed(op, spare) {
                Some(instructions) => instructions,
                None => return,
            },
        };
        self.recorder_at(function, at);
        for instruction in instructions {
            self.emit(instruction);
        }
        function.copied = end;
    }

    /// After the instruction at `at..end`: gives the NaN that it may have made the common bits, and notes one, as far
    /// as that is requested.
    pub(super) fn after_float(&mut self, function: &mut Function, op: &Operator, at: usize, end: usize) {
        let notes = matches!(self.options.ask, Ask::Nans { .. });
        if !self.options.canonical_nans && !notes {
            return;
        }
        let Some(float) = makes_nan(op) else { return };
        let ty = match float {
            Float::F32 => ValueType::F32,
            Float::F64 => ValueType::F64,
            Float::F32x4 | Float::F64x2 => ValueType::V128,
        };
        let local = function.spare(ty);
        self.copy(function, end);
        self.recorder_at(function, at);
        self.emit(I::LocalTee(local));
        if notes {
            self.note_nan(function, Marked::Nan(float), (local, ty), at, |body| {
                body.emit(I::LocalGet(local));
                body.emit(I::LocalGet(local));
                match float {
                    Float::F32 => body.emit(I::F32Ne),
                    Float::F64 => body.emit(I::F64Ne),
                    Float::F32x4 => body.emit(I::F32x4Ne),
                    Float::F64x2 => body.emit(I::F64x2Ne),
                }
                if ty == ValueType::V128 {
                    body.emit(I::V128AnyTrue);
                }
            });
        }
        if self.options.canonical_nans {
            const QUIET32: u32 = 0x7fc0_0000;
            const QUIET64: u64 = 0x7ff8_0000_0000_0000;
            match float {
                Float::F32 => self.emit(I::F32Const(Ieee32::new(QUIET32))),
                Float::F64 => self.emit(I::F64Const(Ieee64::new(QUIET64))),
                Float::F32x4 => self.emit(I::V128Const((0..4).fold(0, |all, _| all << 32 | i128::from(QUIET32)))),
                Float::F64x2 => self.emit(I::V128Const((0..2).fold(0, |all, _| all << 64 | i128::from(QUIET64)))),
            }
            self.emit(I::LocalGet(local));
            self.emit(I::LocalGet(local));
            for instruction in match float {
                Float::F32 => [I::F32Eq, I::Select],
                Float::F64 => [I::F64Eq, I::Select],
                Float::F32x4 => [I::F32x4Eq, I::V128Bitselect],
                Float::F64x2 => [I::F64x2Eq, I::V128Bitselect],
            } {
                self.emit(instruction);
            }
        }
    }
}

/// Which of a module's results the specification leaves open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OpenResults {
    /// Bits of NaNs.
    pub nans: bool,
    /// Results of relaxed SIMD.
    pub relaxed: bool,
}

/// Looks for instructions with open results in the binary `module`. A module that cannot be read has none.
pub fn open_results(module: &[u8]) -> OpenResults {
    let mut found = OpenResults::default();
    for payload in wasmparser::Parser::new(0).parse_all(module) {
        let Ok(wasmparser::Payload::CodeSectionEntry(body)) = payload else { continue };
        let Ok(operators) = body.get_operators_reader() else { continue };
        for op in operators.into_iter().map_while(Result::ok) {
            found.nans |= makes_nan(&op).is_some();
            found.relaxed |= is_relaxed(&op);
        }
        if found.nans && found.relaxed {
            break;
        }
    }
    found
}

/// Whether it is an instruction of the relaxed SIMD proposal.
pub(super) fn is_relaxed(op: &Operator) -> bool {
    macro_rules! proposals {
        ($(@$proposal:ident $op:ident $({ $($arg:ident: $argty:ty),* })? => $visit:ident ($($ann:tt)*))*) => {
            match op {
                $(Operator::$op { .. } => proposals!(is $proposal),)*
                _ => false,
            }
        };
        (is relaxed_simd) => { true };
        (is $other:ident) => { false };
    }
    wasmparser::for_each_operator!(proposals)
}
