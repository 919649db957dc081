//! The function being rewritten: the locals that the recorder adds to it, and the segment in progress.

use super::room::Room;
use forkpoint_traces::ValueType;
use wasm_encoder::ValType;

/// The current function.
pub(super) struct Function {
    pub(super) index: u32,
    /// Bytes of the module up to here are in `ops`, or deliberately left out.
    pub(super) copied: usize,
    /// First local that the recorder adds.
    first_local: u32,
    pub(super) added: Vec<ValType>,
    /// The local that holds the cursor during a segment, or always.
    cursor: Option<u32>,
    /// Whether it holds it always.
    pub(super) keeps_cursor: bool,
    /// Scratch locals by value type, up to three of each.
    scratch: [[Option<u32>; 3]; 5],
    /// Bytes of the open segment's record so far.
    pub(super) segment: Option<u32>,
    /// What is known of the buffer.
    pub(super) room: Room,
}

impl Function {
    /// A function with `first_local` parameters and locals whose operators start at `start`.
    pub(super) fn new(index: u32, start: usize, first_local: u32) -> Function {
        Function {
            index,
            copied: start,
            first_local,
            added: Vec::new(),
            cursor: None,
            keeps_cursor: false,
            scratch: [[None; 3]; 5],
            segment: None,
            room: Room::default(),
        }
    }

    /// A local of any type, for one use.
    pub(super) fn add_local(&mut self, ty: ValType) -> u32 {
        let local = self.first_local.saturating_add(self.added.len() as u32);
        self.added.push(ty);
        local
    }

    pub(super) fn cursor(&mut self) -> u32 {
        match self.cursor {
            Some(local) => local,
            None => {
                let local = self.add_local(ValType::I32);
                self.cursor = Some(local);
                local
            }
        }
    }

    /// Locals for the operands of one instruction, shared by all instructions of the function.
    pub(super) fn scratch(&mut self, types: &[ValueType]) -> Vec<u32> {
        let mut taken = [0; 5];
        let mut locals = Vec::with_capacity(types.len());
        for ty in types {
            let column = &mut taken[row(*ty)];
            locals.push(self.scratch_at(*ty, *column));
            *column += 1;
        }
        locals
    }

    /// A scratch local besides those of a store's operands, which are at most two per type.
    pub(super) fn spare(&mut self, ty: ValueType) -> u32 {
        self.scratch_at(ty, 2)
    }

    fn scratch_at(&mut self, ty: ValueType, column: usize) -> u32 {
        if let Some(local) = self.scratch[row(ty)][column] {
            return local;
        }
        let local = self.add_local(match ty {
            ValueType::I32 => ValType::I32,
            ValueType::I64 => ValType::I64,
            ValueType::F32 => ValType::F32,
            ValueType::F64 => ValType::F64,
            ValueType::V128 => ValType::V128,
        });
        self.scratch[row(ty)][column] = Some(local);
        local
    }
}

fn row(ty: ValueType) -> usize {
    match ty {
        ValueType::I32 => 0,
        ValueType::I64 => 1,
        ValueType::F32 => 2,
        ValueType::F64 => 3,
        ValueType::V128 => 4,
    }
}

/// The marks of one function's exits.
#[derive(Debug, Clone, Default)]
pub(super) struct Exits {
    /// For each result, the local that holds it, its type, and its mark.
    pub(super) results: Vec<(u32, Option<ValueType>, u32)>,
    /// Where the active functions are requested.
    pub(super) stack: Option<OnStack>,
}

/// What is noted of one function where the active functions are requested.
#[derive(Debug, Clone, Copy)]
pub(super) struct OnStack {
    /// The local that holds what the global held when the function began.
    pub(super) called: u32,
    /// The mark of its end.
    pub(super) leave: u32,
    /// The local with its frame base, its type, and the mark of its changes.
    pub(super) frame_base: Option<(u32, ValueType, u32)>,
    /// The mark of places where it may catch an exception, if it does.
    pub(super) back: Option<u32>,
}

/// What a function has that is noted.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Called {
    /// The local with its frame base, and the type of that.
    pub(super) frame_base: Option<(u32, ValueType)>,
    /// Whether it catches exceptions.
    pub(super) catches: bool,
}
