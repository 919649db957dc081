//! Constant expressions of integer type, as far as they are known before instantiation.

use wasmparser::Operator;

/// Longest expression that is kept. Compilers emit one or three operators.
const MAX_STEPS: usize = 256;

/// The address of an active data segment: a constant, or computed from globals that the host provides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(Vec<Step>);

/// In postfix order, as in the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// A constant, zero-extended.
    Known(u64),
    /// The value of an imported global, by global index.
    Imported(u32),
    /// Takes two values and pushes one, cut to 32 bits if `narrow`.
    Arithmetic { operation: Operation, narrow: bool },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Add,
    Sub,
    Mul,
}

impl Address {
    pub(super) fn known(value: u64) -> Address {
        Address(vec![Step::Known(value)])
    }

    pub(super) fn imported(global: u32) -> Address {
        Address(vec![Step::Imported(global)])
    }

    /// The value, if it does not depend on the host.
    pub fn constant(&self) -> Option<u64> {
        self.value(|_| None)
    }

    /// The first imported global that it depends on, by global index.
    pub fn import(&self) -> Option<u32> {
        self.0.iter().find_map(|step| match step {
            Step::Imported(global) => Some(*global),
            _ => None,
        })
    }

    /// The value, given the values of imported globals, zero-extended.
    pub fn value(&self, imported: impl Fn(u32) -> Option<u64>) -> Option<u64> {
        let mut stack = Vec::new();
        for step in &self.0 {
            let value = match *step {
                Step::Known(value) => value,
                Step::Imported(global) => imported(global)?,
                Step::Arithmetic { operation, narrow } => {
                    let (right, left): (u64, u64) = (stack.pop()?, stack.pop()?);
                    // Low halves do not depend on high ones: arithmetic in 64 bits, cut off, serves both widths.
                    let value = match operation {
                        Operation::Add => left.wrapping_add(right),
                        Operation::Sub => left.wrapping_sub(right),
                        Operation::Mul => left.wrapping_mul(right),
                    };
                    if narrow { value & u64::from(u32::MAX) } else { value }
                }
            };
            stack.push(value);
        }
        stack.pop()
    }

    /// Parses an expression whose globals have these values; `None` if it is not an integer.
    pub(super) fn read(
        expr: &wasmparser::ConstExpr<'_>,
        global: impl Fn(u32) -> Option<Address>,
    ) -> Result<Option<Address>, wasmparser::Error> {
        let mut steps = Vec::new();
        let mut ops = expr.get_operators_reader();
        while !ops.eof() && steps.len() < MAX_STEPS {
            let arithmetic = |operation, narrow| Step::Arithmetic { operation, narrow };
            steps.push(match ops.read()? {
                Operator::I32Const { value } => Step::Known(u64::from(value as u32)),
                Operator::I64Const { value } => Step::Known(value as u64),
                Operator::GlobalGet { global_index } => match global(global_index) {
                    Some(address) => {
                        steps.extend(address.0);
                        continue;
                    }
                    None => return Ok(None),
                },
                Operator::I32Add => arithmetic(Operation::Add, true),
                Operator::I32Sub => arithmetic(Operation::Sub, true),
                Operator::I32Mul => arithmetic(Operation::Mul, true),
                Operator::I64Add => arithmetic(Operation::Add, false),
                Operator::I64Sub => arithmetic(Operation::Sub, false),
                Operator::I64Mul => arithmetic(Operation::Mul, false),
                Operator::End => {
                    let address = Address(steps);
                    return Ok(Some(address.constant().map_or(address, Address::known)));
                }
                // References and aggregates: no integer can be computed from them.
                _ => return Ok(None),
            });
        }
        Ok(None)
    }
}
