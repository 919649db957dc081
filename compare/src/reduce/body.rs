//! A function's code as nested expressions, and the edits that make it smaller and keep it valid.

mod blocks;

use super::error::EditError;
use super::sections::encoded;
use blocks::{Block, note_branches, unwrappings};
use std::ops::Range;
use wasm_encoder::Instruction;
use wasmparser::{
    FuncToValidate, FuncValidatorAllocations, FunctionBody, Operator, Parser, RefType, ValType, ValidPayload,
    Validator, ValidatorResources, WasmFeatures,
};

/// What an instruction leaves on the stack, with all that computes its operands: contiguous code that can be replaced as a whole.
#[derive(Debug, Clone)]
pub(super) struct Expression {
    /// Its bytes within the body.
    pub bytes: Range<usize>,
    /// The instruction's own bytes: of a block, its `end`.
    pub own: Range<usize>,
    /// Types of what it leaves; nothing makes it a statement.
    pub results: Vec<ValType>,
    /// Expressions of its operands, with the one type each leaves.
    pub operands: Vec<(Range<usize>, ValType)>,
    /// The block that it stands in, by a number.
    pub block: usize,
}

/// A replacement of bytes of a body.
pub(super) type Splice = (Range<usize>, Vec<u8>);

/// The code of one function.
#[derive(Debug, Default)]
pub(super) struct Code {
    /// All expressions, in the order of their last instructions.
    pub expressions: Vec<Expression>,
    /// Ways to take a block apart.
    pub unwrappings: Vec<Vec<Splice>>,
    /// Code that cannot be reached.
    pub dead: Vec<Range<usize>>,
    /// Where constants are whose value is not 0.
    pub constants: Vec<(Range<usize>, ValType)>,
}

/// A value on the stack.
#[derive(Debug, Clone, Copy)]
struct Value {
    /// Where the expression that leaves it begins.
    start: usize,
    ty: Option<ValType>,
    /// Which of so many values of that expression it is; of none if nothing in the block leaves it.
    index: usize,
    of: usize,
}

impl Value {
    /// The values that an expression leaves. Without a start, they are not the whole of one.
    fn of_expression(start: Option<usize>, types: &[Option<ValType>]) -> impl Iterator<Item = Value> {
        let of = if start.is_some() { types.len() } else { 0 };
        let values = types.iter().enumerate();
        values.map(move |(index, ty)| Value { start: start.unwrap_or(0), ty: *ty, index, of })
    }
}

/// Where the expressions of these operands begin, or `own` if there are none. `None` if one leaves other values, too, or came from
/// outside of the block.
fn start_of(operands: &[Value], own: usize) -> Option<usize> {
    let mut expected = 0;
    for value in operands {
        if value.of == 0 || value.index != expected {
            return None;
        }
        expected = if value.index + 1 == value.of { 0 } else { value.index + 1 };
    }
    (expected == 0).then(|| operands.first().map_or(own, |value| value.start))
}

/// Reads the code of the function with this number among those that the module defines.
pub(super) fn code(module: &[u8], function: u32) -> Result<Code, EditError> {
    let mut validator = Validator::new_with_features(WasmFeatures::all());
    let mut number = 0;
    for payload in Parser::new(0).parse_all(module) {
        if let ValidPayload::Func(function_to_validate, body) = validator.payload(&payload?)? {
            if number == function {
                return read(function_to_validate, &body);
            }
            number += 1;
        }
    }
    Err(EditError::Other("no such function"))
}

fn read(function: FuncToValidate<ValidatorResources>, body: &FunctionBody<'_>) -> Result<Code, EditError> {
    let base = body.range().start;
    let mut validator = function.into_validator(FuncValidatorAllocations::default());
    validator.read_locals(&mut body.get_binary_reader())?;
    let mut reader = body.get_operators_reader()?;
    let mut code = Code::default();
    let mut stack: Vec<Value> = Vec::new();
    let first = reader.original_position() - base;
    let outermost = Block {
        start: Some(first),
        opening: first..first,
        middle: None,
        height: 0,
        number: 0,
        is_if: false,
        branches: true,
    };
    let (mut blocks, mut numbers) = (vec![outermost], 1);
    let mut dead_from = None;
    while !reader.eof() {
        let (operator, at) = reader.read_with_offset()?;
        let own = at - base..reader.original_position() - base;
        let arity = operator.operator_arity(&validator);
        validator.op(at, &operator)?;
        let height = validator.operand_stack_height() as usize;
        let is_dead = validator.get_control_frame(0).is_some_and(|frame| frame.unreachable);
        let closes = matches!(operator, Operator::End | Operator::Else);
        if closes && let Some(start) = dead_from.take() {
            // Nothing in a stretch that cannot be reached is looked at.
            if start < own.start {
                code.dead.push(start..own.start);
            }
        } else if dead_from.is_some() {
            if opens(&operator) {
                skip(&mut reader, &mut validator)?;
            }
            continue;
        }
        let Some((params, results)) = arity.map(|(params, results)| (params as usize, results as usize)) else {
            return Err(EditError::Other("an instruction of unknown arity"));
        };
        let result = |depth: usize| validator.get_operand_type(depth).flatten();
        match operator {
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } | Operator::TryTable { .. } => {
                let is_if = matches!(operator, Operator::If { .. });
                let operands = stack.split_off(stack.len().saturating_sub(params));
                let start = start_of(&operands, own.start);
                let height_below = stack.len();
                stack.extend(Value::of_expression(None, &vec![None; height.saturating_sub(height_below)]));
                let catches = matches!(operator, Operator::TryTable { .. });
                blocks.push(Block {
                    start,
                    opening: own,
                    middle: None,
                    height: height_below,
                    number: numbers,
                    is_if,
                    branches: catches || height > height_below,
                });
                numbers += 1;
                continue;
            }
            Operator::Else => {
                let Some(block) = blocks.last_mut() else { return Err(EditError::Other("an `else` without `if`")) };
                stack.truncate(block.height);
                stack.extend(Value::of_expression(None, &vec![None; height.saturating_sub(block.height)]));
                block.middle = Some(own);
                continue;
            }
            Operator::End => {
                let Some(block) = blocks.pop() else { return Err(EditError::Other("an `end` too many")) };
                if blocks.is_empty() {
                    break;
                }
                stack.truncate(block.height);
                let types: Vec<_> = (0..height.saturating_sub(block.height)).rev().map(result).collect();
                stack.extend(Value::of_expression(block.start, &types));
                let parent = blocks.last().map_or(0, |block| block.number);
                code.unwrappings.extend(unwrappings(&block, &own));
                if let Some(start) = block.start {
                    code.expression(start..own.end, own, types, Vec::new(), parent);
                }
                continue;
            }
            _ => {}
        }
        let operands = stack.split_off(stack.len().saturating_sub(params));
        let start = start_of(&operands, own.start);
        note_branches(&operator, &mut blocks);
        code.note(&operator, &own);
        let block = blocks.last().map_or(0, |block| block.number);
        if is_dead {
            // It ends what can be reached: an expression without results, whatever its type says.
            dead_from = Some(own.end);
            stack.truncate(height);
            if let Some(start) = start {
                code.expression(start..own.end, own, Vec::new(), Vec::new(), block);
            }
            continue;
        }
        let types: Vec<_> = (0..results).rev().map(result).collect();
        stack.extend(Value::of_expression(start, &types));
        let Some(start) = start else { continue };
        let mut ends = operands.iter().skip(1).map(|value| value.start).chain([own.start]);
        let part = |value: &Value| Some((value.start..ends.next()?, value.ty.filter(|_| value.of == 1)?));
        let parts = operands.iter().filter_map(part).collect();
        code.expression(start..own.end, own, types, parts, block);
    }
    Ok(code)
}

fn opens(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } | Operator::TryTable { .. }
    )
}

/// Passes over a block that cannot be reached, up to and with its `end`.
fn skip(
    reader: &mut wasmparser::OperatorsReader<'_>,
    validator: &mut wasmparser::FuncValidator<ValidatorResources>,
) -> Result<(), EditError> {
    let mut depth = 1;
    while depth > 0 {
        let (operator, at) = reader.read_with_offset()?;
        validator.op(at, &operator)?;
        depth += usize::from(opens(&operator));
        depth -= usize::from(matches!(operator, Operator::End));
    }
    Ok(())
}

impl Code {
    fn expression(
        &mut self,
        bytes: Range<usize>,
        own: Range<usize>,
        results: Vec<Option<ValType>>,
        operands: Vec<(Range<usize>, ValType)>,
        block: usize,
    ) {
        if let Some(results) = results.into_iter().collect() {
            self.expressions.push(Expression { bytes, own, results, operands, block });
        }
    }

    /// Notes what a single instruction could be instead.
    fn note(&mut self, operator: &Operator<'_>, own: &Range<usize>) {
        match operator {
            Operator::I32Const { value } if *value != 0 => self.constants.push((own.clone(), ValType::I32)),
            Operator::I64Const { value } if *value != 0 => self.constants.push((own.clone(), ValType::I64)),
            Operator::F32Const { value } if value.bits() != 0 => self.constants.push((own.clone(), ValType::F32)),
            Operator::F64Const { value } if value.bits() != 0 => self.constants.push((own.clone(), ValType::F64)),
            _ => {}
        }
    }

    /// Statements of each block that are part of no other expression there, in order.
    pub fn statements(&self) -> Vec<Vec<Range<usize>>> {
        let mut blocks: std::collections::BTreeMap<usize, Vec<Range<usize>>> = Default::default();
        // Later expressions contain earlier ones.
        for expression in self.expressions.iter().rev() {
            let of_block = blocks.entry(expression.block).or_default();
            if of_block.last().is_none_or(|last| expression.bytes.end <= last.start) {
                of_block.push(expression.bytes.clone());
            }
        }
        let mut statements: Vec<Vec<Range<usize>>> = blocks.into_values().collect();
        let is_statement = |range: &Range<usize>| {
            self.expressions.iter().any(|expression| expression.bytes == *range && expression.results.is_empty())
        };
        for of_block in &mut statements {
            of_block.reverse();
            of_block.retain(is_statement);
        }
        statements.sort_by_key(|of_block| std::cmp::Reverse(of_block.iter().map(Range::len).sum::<usize>()));
        statements
    }
}

/// The instruction that pushes 0, or a null reference.
pub(super) fn zero(ty: ValType) -> Option<Vec<u8>> {
    Some(encoded(&match ty {
        ValType::I32 => Instruction::I32Const(0),
        ValType::I64 => Instruction::I64Const(0),
        ValType::F32 => Instruction::F32Const(0.0.into()),
        ValType::F64 => Instruction::F64Const(0.0.into()),
        ValType::V128 => Instruction::V128Const(0),
        ValType::Ref(RefType::FUNCREF) => Instruction::RefNull(wasm_encoder::HeapType::FUNC),
        ValType::Ref(RefType::EXTERNREF) => Instruction::RefNull(wasm_encoder::HeapType::EXTERN),
        ValType::Ref(_) => return None,
    }))
}

/// The body with some of its bytes replaced; the ranges do not overlap.
pub(super) fn spliced(body: &[u8], splices: &[Splice]) -> Vec<u8> {
    let mut splices: Vec<&Splice> = splices.iter().collect();
    splices.sort_by_key(|(range, _)| range.start);
    let (mut bytes, mut at) = (Vec::with_capacity(body.len()), 0);
    for (range, replacement) in splices {
        bytes.extend_from_slice(&body[at..range.start]);
        bytes.extend_from_slice(replacement);
        at = range.end;
    }
    bytes.extend_from_slice(&body[at..]);
    bytes
}
