//! What the lanes of a stored vector are. `v128.store` does not say, but the instruction before it, which makes the
//! vector, mostly does: `f32x4.add` makes four floats.

use std::collections::HashMap;
use wasmparser::{BinaryReader, FunctionBody, Operator};

/// The lanes of a vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lanes {
    /// Sixteen integers.
    I8x16,
    /// Eight integers.
    I16x8,
    /// Four integers.
    I32x4,
    /// Two integers.
    I64x2,
    /// Four floats.
    F32x4,
    /// Two floats.
    F64x2,
}

/// The lanes by the offsets of stores, those of one function.
pub(super) type StoredLanes = HashMap<u32, Lanes>;

impl Lanes {
    /// What an instruction makes; `None` if its name does not show it, and for comparisons, which make masks.
    fn made_by(operator: &Operator<'_>) -> Option<Lanes> {
        let name = format!("{operator:?}");
        let name = name.split([' ', '{']).next().unwrap_or_default();
        let (lanes, rest) = [
            ("I8x16", Lanes::I8x16),
            ("I16x8", Lanes::I16x8),
            ("I32x4", Lanes::I32x4),
            ("I64x2", Lanes::I64x2),
            ("F32x4", Lanes::F32x4),
            ("F64x2", Lanes::F64x2),
        ]
        .into_iter()
        .find_map(|(shape, lanes)| Some((lanes, name.strip_prefix(shape)?)))?;
        let compares = ["Eq", "Ne", "Lt", "Gt", "Le", "Ge"]
            .iter()
            .any(|word| rest.strip_prefix(word).is_some_and(|rest| matches!(rest, "" | "S" | "U")));
        Some(match lanes {
            Lanes::F32x4 if compares => Lanes::I32x4,
            Lanes::F64x2 if compares => Lanes::I64x2,
            lanes => lanes,
        })
    }
}

/// The lanes of every vector that a function stores.
pub(super) fn stored(body: BinaryReader<'_>) -> StoredLanes {
    let mut stores = StoredLanes::new();
    let mut before: Option<Operator<'_>> = None;
    let Ok(operators) = FunctionBody::new(body).get_operators_reader() else { return stores };
    for operator in operators.into_iter_with_offsets().map_while(Result::ok) {
        let (operator, offset) = operator;
        match operator {
            Operator::V128Store { .. }
            | Operator::V128Store8Lane { .. }
            | Operator::V128Store16Lane { .. }
            | Operator::V128Store32Lane { .. }
            | Operator::V128Store64Lane { .. } => {
                if let Some(lanes) = before.as_ref().and_then(Lanes::made_by) {
                    stores.insert(offset as u32, lanes);
                }
                before = None;
            }
            // The value keeps its place on the stack.
            Operator::LocalTee { .. } => {}
            other => before = Some(other),
        }
    }
    stores
}

#[cfg(test)]
mod tests {
    use super::super::Symbols;
    use super::*;
    use forkpoint_traces::CodeOffset;

    #[test]
    fn the_instruction_before_tells() {
        let vector = "(v128.const i64x2 0 0)";
        let text = format!(
            r#"(module (memory 1) (func (param v128) (local v128)
                 (v128.store (i32.const 0) (f32x4.add {vector} {vector}))
                 (v128.store (i32.const 0) (local.tee 1 (f64x2.sqrt {vector})))
                 (v128.store (i32.const 0) (f32x4.lt {vector} {vector}))
                 (v128.store (i32.const 0) (i8x16.splat (i32.const 1)))
                 (v128.store32_lane 1 (i32.const 0) (f32x4.relaxed_madd {vector} {vector} {vector}))
                 (v128.store (i32.const 0) (local.get 0))
                 (v128.store (i32.const 0) (f64x2.le {vector} {vector}))))"#
        );
        let symbols = Symbols::new(wat::parse_str(text).expect("a module"));
        let function = symbols.wat(forkpoint_traces::FuncIndex(0)).expect("a function");
        let stores = function.lines.iter().filter(|line| line.text.trim_start().starts_with("v128.store"));
        let lanes: Vec<_> = stores.map(|line| symbols.lanes(line.offset.expect("an instruction"))).collect();
        let expected = [
            Some(Lanes::F32x4),
            Some(Lanes::F64x2),
            Some(Lanes::I32x4),
            Some(Lanes::I8x16),
            Some(Lanes::F32x4),
            None,
            Some(Lanes::I64x2),
        ];
        assert_eq!(lanes, expected);
        assert_eq!(symbols.lanes(CodeOffset(0)), None);
    }
}
