//! Where the addresses of stores come from: locals, constants and what was loaded, as far as the instructions before a store
//! show. Debug information says which variables these are ([`super::pointers`]).
//!
//! One walk over a function's body follows what is on the operand stack and what was put into locals. What branches may bring is
//! not followed: at a place that several ways lead to, nothing is known of what was put into locals before.

use super::arities::Arities;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use wasmparser::{BinaryReader, BlockType, FunctionBody, Operator};

/// Most loads and locals on the way to an address: `a->b->c`.
const MAX_STEPS: usize = 6;
/// Most operands that are followed.
const MAX_OPERANDS: usize = 10_000;
/// Most places on a frame that are followed.
const MAX_SLOTS: usize = 10_000;
/// Most locals whose contents are followed.
const MAX_LOCALS: usize = 10_000;

/// An address, as a sum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) source: Source,
    /// What is added to it, modulo the size of an address.
    pub(super) plus: u64,
}

/// What an address is counted from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// From 0.
    Nothing,
    /// What a local holds, and has held since the instruction at an offset read it; and where it got that.
    Local { local: u32, read: u32, from: Option<Arc<Origin>> },
    /// What was loaded from there. If it is `old`, memory may have changed since; but no instruction writes there again.
    Loaded { from: Arc<Origin>, old: bool },
}

/// The addresses of the stores of one function, by the offset of the instruction.
pub(super) type Origins = HashMap<u32, Origin>;

/// The addresses of all stores of a function.
pub(super) fn of_stores(body: BinaryReader<'_>, arities: &Arities) -> Origins {
    let mut walk = Walk::default();
    let Ok(operators) = FunctionBody::new(body).get_operators_reader() else { return Origins::new() };
    for (operator, offset) in operators.into_iter_with_offsets().map_while(Result::ok) {
        walk.step(&operator, offset as u32, arities);
    }
    walk.settled()
}

/// An operand, or what a local holds.
#[derive(Debug, Clone)]
enum Value {
    Unknown,
    Known { root: Root, plus: u64 },
}

#[derive(Debug, Clone)]
enum Root {
    Nothing,
    /// Read from a local by the instruction at an offset when it had been set so often.
    Local {
        local: u32,
        read: u32,
        sets: u32,
        from: Option<Arc<Value>>,
    },
    /// Loaded when memory had changed so often.
    Loaded {
        from: Arc<Value>,
        changes: u32,
    },
}

#[derive(Default)]
struct Walk {
    operands: Vec<Value>,
    /// The operands below each block around, and how many results it leaves; `None` where that is not followed.
    blocks: Vec<(Vec<Value>, Option<usize>)>,
    /// What locals hold, where that is known.
    locals: HashMap<u32, Arc<Value>>,
    /// How often each was set.
    sets: HashMap<u32, u32>,
    /// Where locals were stored when the function began, and how often they had been set then.
    spilled: HashMap<u32, (u32, Arc<Value>)>,
    /// How often memory may have changed.
    changes: u32,
    stores: Origins,
    /// How often something is stored at each distance from a local, as for variables on a frame.
    slots: HashMap<(u32, u64), u32>,
    /// Those whose address is taken.
    taken: HashSet<(u32, u64)>,
}

impl Walk {
    fn step(&mut self, operator: &Operator<'_>, offset: u32, arities: &Arities) {
        match operator {
            Operator::LocalGet { local_index } => {
                let value = self.read(*local_index, offset);
                self.push(value);
            }
            Operator::LocalSet { local_index } => {
                let value = self.pop();
                self.set(*local_index, value);
            }
            Operator::LocalTee { local_index } => {
                let value = self.pop();
                self.set(*local_index, value);
                // At this instruction, debug information tells of what was there before.
                let value = self.read(*local_index, u32::MAX);
                self.push(value);
            }
            Operator::I32Const { value } => {
                self.push(Value::Known { root: Root::Nothing, plus: *value as u32 as u64 })
            }
            Operator::I64Const { value } => self.push(Value::Known { root: Root::Nothing, plus: *value as u64 }),
            Operator::I32Add | Operator::I64Add => {
                let (right, left) = (self.pop(), self.pop());
                let sum = sum(left, right);
                if let Value::Known { root: Root::Local { local, .. }, plus } = &sum
                    && self.taken.len() < MAX_SLOTS
                {
                    self.taken.insert((*local, *plus));
                }
                self.push(sum);
            }
            Operator::I32Load { memarg } | Operator::I64Load { memarg } => {
                let address = self.pop();
                let loaded = if memarg.memory == 0 { self.loaded(address, memarg.offset) } else { Value::Unknown };
                self.push(loaded);
            }
            Operator::Block { blockty }
            | Operator::TryTable { try_table: wasmparser::TryTable { ty: blockty, .. } } => {
                self.begin(*blockty);
            }
            Operator::Loop { blockty } => {
                self.merge();
                self.begin(*blockty);
            }
            Operator::If { blockty } => {
                self.pop();
                self.begin(*blockty);
            }
            Operator::Else => {
                self.operands.clear();
                self.merge();
            }
            Operator::End => {
                self.merge();
                let (below, results) = self.blocks.pop().unwrap_or_default();
                self.operands = below;
                match results {
                    Some(results) => self.operands.extend((0..results).map(|_| Value::Unknown)),
                    None => self.operands.clear(),
                }
            }
            Operator::BrIf { .. } => drop(self.pop()),
            Operator::Br { .. } | Operator::BrTable { .. } | Operator::Return | Operator::Unreachable => {
                self.operands.clear();
            }
            other => self.other(other, offset, arities),
        }
    }

    /// An instruction that is followed only by the number of its operands.
    fn other(&mut self, operator: &Operator<'_>, offset: u32, arities: &Arities) {
        let Some((takes, leaves)) = operator.operator_arity(arities) else {
            self.operands.clear();
            self.changes += 1;
            return;
        };
        let written = written(operator);
        let value = if takes > 0 { self.pop() } else { Value::Unknown };
        let mut address = Value::Unknown;
        for _ in 1..takes {
            address = self.pop();
        }
        if let Some(plus) = written
            && let Some(origin) = self.origin(&address)
        {
            let origin = Origin { plus: origin.plus.wrapping_add(plus), ..origin };
            self.note_slot(&address, plus, &value);
            self.stores.insert(offset, origin);
        }
        if written.is_some() || may_change_memory(operator) {
            self.changes += 1;
        }
        for _ in 0..leaves {
            self.push(Value::Unknown);
        }
    }

    /// Notes a store that may be to a variable on the frame. A parameter that is stored there when the function begins is that variable
    /// from then on, in code that is not optimised.
    fn note_slot(&mut self, address: &Value, plus: u64, value: &Value) {
        let Value::Known { root: root @ Root::Local { local, .. }, plus: own } = address else { return };
        let slot = (*local, own.wrapping_add(plus));
        if self.slots.len() >= MAX_SLOTS {
            // Too many to tell which are written once.
            self.taken.insert(slot);
            return;
        }
        *self.slots.entry(slot).or_insert(0) += 1;
        if let Value::Known { root: Root::Local { local: kept, sets, from: None, .. }, plus: 0 } = value
            && self.blocks.is_empty()
            && self.sets.get(kept).copied().unwrap_or(0) == *sets
        {
            let from = Arc::new(Value::Known { root: root.clone(), plus: slot.1 });
            let loaded = Root::Loaded { from, changes: self.changes };
            self.spilled.insert(*kept, (*sets, Arc::new(Value::Known { root: loaded, plus: 0 })));
        }
    }

    /// Without what relies on a place in memory that is written more than once, or of which others may know.
    fn settled(mut self) -> Origins {
        let stores = std::mem::take(&mut self.stores);
        stores.into_iter().filter_map(|(offset, origin)| Some((offset, self.settle(&origin)?))).collect()
    }

    fn settle(&self, origin: &Origin) -> Option<Origin> {
        let source = match &origin.source {
            Source::Nothing => Source::Nothing,
            Source::Local { local, read, from } => {
                let from = from.as_ref().and_then(|from| self.settle(from)).map(Arc::new);
                Source::Local { local: *local, read: *read, from }
            }
            Source::Loaded { from, old } => {
                if let (Source::Local { local, .. }, true) = (&from.source, old) {
                    let slot = (*local, from.plus);
                    let once = |count: Option<&u32>| count.is_none_or(|count| *count <= 1);
                    let stays =
                        once(self.slots.get(&slot)) && once(self.sets.get(local)) && !self.taken.contains(&slot);
                    stays.then_some(())?;
                }
                Source::Loaded { from: Arc::new(self.settle(from)?), old: *old }
            }
        };
        Some(Origin { source, plus: origin.plus })
    }

    fn push(&mut self, value: Value) {
        if self.operands.len() >= MAX_OPERANDS {
            self.operands.clear();
        }
        self.operands.push(value);
    }

    fn pop(&mut self) -> Value {
        self.operands.pop().unwrap_or(Value::Unknown)
    }

    fn begin(&mut self, ty: BlockType) {
        let results = match ty {
            BlockType::Empty => Some(0),
            BlockType::Type(_) => Some(1),
            // Such a block may take operands, too.
            BlockType::FuncType(_) => None,
        };
        self.blocks.push((std::mem::take(&mut self.operands), results));
    }

    /// Several ways lead here.
    fn merge(&mut self) {
        self.locals.clear();
        self.changes += 1;
    }

    fn read(&self, local: u32, read: u32) -> Value {
        let sets = self.sets.get(&local).copied().unwrap_or(0);
        let spilled = || self.spilled.get(&local).filter(|(then, _)| *then == sets).map(|(_, value)| value);
        let from = self.locals.get(&local).or_else(spilled).filter(|value| steps(value) < MAX_STEPS).cloned();
        Value::Known { root: Root::Local { local, read, sets, from }, plus: 0 }
    }

    fn set(&mut self, local: u32, value: Value) {
        *self.sets.entry(local).or_insert(0) += 1;
        if matches!(value, Value::Known { .. }) && self.locals.len() < MAX_LOCALS {
            self.locals.insert(local, Arc::new(value));
        } else {
            self.locals.remove(&local);
        }
    }

    fn loaded(&self, address: Value, offset: u64) -> Value {
        if steps(&address) >= MAX_STEPS {
            return Value::Unknown;
        }
        let Value::Known { root, plus } = address else { return Value::Unknown };
        let from = Arc::new(Value::Known { root, plus: plus.wrapping_add(offset) });
        Value::Known { root: Root::Loaded { from, changes: self.changes }, plus: 0 }
    }

    /// What is true of a value now.
    fn origin(&self, value: &Value) -> Option<Origin> {
        let Value::Known { root, plus } = value else { return None };
        let now = |local: &u32| self.sets.get(local).copied().unwrap_or(0);
        let (source, more) = match root {
            Root::Nothing => (Source::Nothing, 0),
            Root::Local { local, read, sets, from } => {
                let from = from.as_ref().and_then(|from| self.origin(from));
                match (now(local) == *sets, from) {
                    (true, from) => (Source::Local { local: *local, read: *read, from: from.map(Arc::new) }, 0),
                    (false, Some(from)) => (from.source, from.plus),
                    (false, None) => return None,
                }
            }
            Root::Loaded { from, changes } => {
                let (from, old) = (self.origin(from)?, *changes != self.changes);
                if old && !matches!(from.source, Source::Local { .. }) {
                    return None;
                }
                (Source::Loaded { from: Arc::new(from), old }, 0)
            }
        };
        Some(Origin { source, plus: plus.wrapping_add(more) })
    }
}

/// How many loads and locals are on the way to a value. They are followed one inside of the other.
fn steps(value: &Value) -> usize {
    match value {
        Value::Known { root: Root::Loaded { from, .. } | Root::Local { from: Some(from), .. }, .. } => {
            1 + steps(from)
        }
        _ => 0,
    }
}

fn sum(left: Value, right: Value) -> Value {
    match (left, right) {
        (Value::Known { root, plus }, Value::Known { root: Root::Nothing, plus: more })
        | (Value::Known { root: Root::Nothing, plus: more }, Value::Known { root, plus }) => {
            Value::Known { root, plus: plus.wrapping_add(more) }
        }
        _ => Value::Unknown,
    }
}

/// For an instruction that writes to memory 0 at its first operand, what it adds to that.
fn written(operator: &Operator<'_>) -> Option<u64> {
    match operator {
        Operator::I32Store { memarg }
        | Operator::I64Store { memarg }
        | Operator::F32Store { memarg }
        | Operator::F64Store { memarg }
        | Operator::I32Store8 { memarg }
        | Operator::I32Store16 { memarg }
        | Operator::I64Store8 { memarg }
        | Operator::I64Store16 { memarg }
        | Operator::I64Store32 { memarg }
        | Operator::V128Store { memarg }
        | Operator::V128Store8Lane { memarg, .. }
        | Operator::V128Store16Lane { memarg, .. }
        | Operator::V128Store32Lane { memarg, .. }
        | Operator::V128Store64Lane { memarg, .. }
        | Operator::I32AtomicStore { memarg }
        | Operator::I64AtomicStore { memarg }
        | Operator::I32AtomicStore8 { memarg }
        | Operator::I32AtomicStore16 { memarg }
        | Operator::I64AtomicStore8 { memarg }
        | Operator::I64AtomicStore16 { memarg }
        | Operator::I64AtomicStore32 { memarg } => (memarg.memory == 0).then_some(memarg.offset),
        Operator::MemoryFill { mem: 0 }
        | Operator::MemoryCopy { dst_mem: 0, .. }
        | Operator::MemoryInit { mem: 0, .. } => Some(0),
        _ => None,
    }
}

/// Whether memory may differ behind an instruction, which is not one of [`written`]. What is not a plain instruction may.
fn may_change_memory(operator: &Operator<'_>) -> bool {
    !matches!(
        operator,
        Operator::Drop
            | Operator::Select
            | Operator::GlobalGet { .. }
            | Operator::GlobalSet { .. }
            | Operator::I32Load8S { .. }
            | Operator::I32Load8U { .. }
            | Operator::I32Load16S { .. }
            | Operator::I32Load16U { .. }
            | Operator::I64Load8S { .. }
            | Operator::I64Load8U { .. }
            | Operator::I64Load16S { .. }
            | Operator::I64Load16U { .. }
            | Operator::I64Load32S { .. }
            | Operator::I64Load32U { .. }
            | Operator::F32Load { .. }
            | Operator::F64Load { .. }
            | Operator::F32Const { .. }
            | Operator::F64Const { .. }
            | Operator::I32Eqz
            | Operator::I32Eq
            | Operator::I32Ne
            | Operator::I32LtS
            | Operator::I32LtU
            | Operator::I32GtS
            | Operator::I32GtU
            | Operator::I32LeS
            | Operator::I32LeU
            | Operator::I32GeS
            | Operator::I32GeU
            | Operator::I32Sub
            | Operator::I32Mul
            | Operator::I32And
            | Operator::I32Or
            | Operator::I32Xor
            | Operator::I32Shl
            | Operator::I32ShrS
            | Operator::I32ShrU
            | Operator::I64Sub
            | Operator::I64Mul
            | Operator::I64And
            | Operator::I64Or
            | Operator::I64Xor
            | Operator::I64Shl
            | Operator::I64ShrS
            | Operator::I64ShrU
            | Operator::I32WrapI64
            | Operator::I64ExtendI32S
            | Operator::I64ExtendI32U
            | Operator::F32Add
            | Operator::F32Sub
            | Operator::F32Mul
            | Operator::F32Div
            | Operator::F64Add
            | Operator::F64Sub
            | Operator::F64Mul
            | Operator::F64Div
            | Operator::F64PromoteF32
            | Operator::F32DemoteF64
    )
}

#[cfg(test)]
#[path = "origins_tests.rs"]
mod tests;
