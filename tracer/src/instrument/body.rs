//! Function bodies: copies them verbatim and adds the recorder's code around memory-changing instructions.

use super::classify::{self, Class, Recorded};
use super::error::{InstrumentError, offset as code_offset};
use super::offsets::OffsetMap;
use super::record::{FIRST_SEGMENT, Payload, SEGMENT_HEAD};
use super::{BUFFER_LIMIT, CURSOR_AT, MAX_SEGMENT, RECORDS_AT, Segment};
use forkpoint_traces::{FuncIndex, MemoryIndex, Shape, Site, ValueType};
use wasm_encoder::{BlockType, Encode, Instruction as I, MemArg, ValType};
use wasmparser::{FunctionBody, Operator};

/// Largest function body and number of locals that engines accept, from wasmparser's limits.
const MAX_FUNCTION_SIZE: usize = 7_654_321;
const MAX_LOCALS: u64 = 50_000;

/// Indices that emitted code refers to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Machinery {
    pub(super) flush: u32,
    pub(super) helper: u32,
    pub(super) buffer: u32,
}

impl Machinery {
    /// A function's index in the rewritten module: the flush import sits behind the other imports.
    pub(super) fn renumber(self, function: u32) -> u32 {
        // Only names of functions that do not exist could overflow.
        if function < self.flush { function } else { function.saturating_add(1) }
    }

    /// The place `at` bytes behind the cursor. Alignment 1: records have no padding.
    fn record_at(self, at: u32) -> MemArg {
        MemArg { offset: RECORDS_AT as u64 + u64::from(at), align: 0, memory_index: self.buffer }
    }

    /// The cursor itself, at address 0.
    fn cursor(self) -> MemArg {
        MemArg { offset: CURSOR_AT as u64, align: 2, memory_index: self.buffer }
    }
}

/// Rewrites the bodies of one module, one after the other.
pub(super) struct BodyRewriter<'m> {
    module: &'m [u8],
    machinery: Machinery,
    /// Whether each memory is 64-bit.
    wide: &'m [bool],
    pub(super) sites: Vec<Site>,
    pub(super) segments: Vec<Segment>,
    pub(super) offsets: OffsetMap,
    /// Contents of the rewritten code section.
    pub(super) code: Vec<u8>,
    ops: Vec<u8>,
    runs: Vec<(u32, Origin)>,
    frames: Vec<bool>,
}

/// Where a stretch of emitted operators comes from.
#[derive(Debug, Clone, Copy)]
enum Origin {
    Verbatim(u32),
    Recorder(u32),
}

/// The function at hand.
struct Function {
    index: u32,
    /// Bytes of the module up to here are in `ops`, or deliberately left out.
    copied: usize,
    /// First local that the recorder adds.
    first_local: u32,
    added: Vec<ValType>,
    /// The local that holds the cursor during a segment.
    cursor: Option<u32>,
    /// Scratch locals by value type, up to three of each.
    scratch: [[Option<u32>; 3]; 5],
    /// Bytes of the open segment's record so far.
    segment: Option<u32>,
}

impl Function {
    fn add_local(&mut self, ty: ValType) -> u32 {
        let local = self.first_local.saturating_add(self.added.len() as u32);
        self.added.push(ty);
        local
    }

    fn cursor(&mut self) -> u32 {
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
    fn scratch(&mut self, types: &[ValueType]) -> Vec<u32> {
        let mut taken = [0; 5];
        let mut locals = Vec::with_capacity(types.len());
        for ty in types {
            let (row, encoded) = match ty {
                ValueType::I32 => (0, ValType::I32),
                ValueType::I64 => (1, ValType::I64),
                ValueType::F32 => (2, ValType::F32),
                ValueType::F64 => (3, ValType::F64),
                ValueType::V128 => (4, ValType::V128),
            };
            let column: usize = taken[row];
            taken[row] += 1;
            let local = match self.scratch[row][column] {
                Some(local) => local,
                None => {
                    let local = self.add_local(encoded);
                    self.scratch[row][column] = Some(local);
                    local
                }
            };
            locals.push(local);
        }
        locals
    }
}

/// The type of an address of a memory.
fn address(wide: bool) -> ValueType {
    if wide { ValueType::I64 } else { ValueType::I32 }
}

/// The plain store of a value into the buffer. Never the instruction under observation itself where there is
/// another: a fault in how an engine runs it must not hit the record too.
fn plain_store(ty: ValueType, width: u32, memarg: MemArg) -> I<'static> {
    match (ty, width) {
        (ValueType::I32, 1) => I::I32Store8(memarg),
        (ValueType::I32, 2) => I::I32Store16(memarg),
        (ValueType::I32, _) => I::I32Store(memarg),
        (ValueType::I64, 1) => I::I64Store8(memarg),
        (ValueType::I64, 2) => I::I64Store16(memarg),
        (ValueType::I64, 4) => I::I64Store32(memarg),
        (ValueType::I64, _) => I::I64Store(memarg),
        (ValueType::F32, _) => I::F32Store(memarg),
        (ValueType::F64, _) => I::F64Store(memarg),
        (ValueType::V128, _) => I::V128Store(memarg),
    }
}

impl<'m> BodyRewriter<'m> {
    pub(super) fn new(module: &'m [u8], machinery: Machinery, wide: &'m [bool], offsets: OffsetMap) -> Self {
        BodyRewriter {
            module,
            machinery,
            wide,
            sites: Vec::new(),
            segments: Vec::new(),
            offsets,
            code: Vec::new(),
            ops: Vec::new(),
            runs: Vec::new(),
            frames: Vec::new(),
        }
    }

    /// Appends the rewritten body of function `index` (original numbering) with `params` parameters.
    pub(super) fn function(
        &mut self,
        index: u32,
        params: u32,
        body: &FunctionBody<'_>,
    ) -> Result<(), InstrumentError> {
        self.ops.clear();
        self.runs.clear();
        self.frames.clear();

        let mut locals = body.get_locals_reader()?;
        let groups = locals.get_count();
        let declarations = locals.original_position();
        let mut count = u64::from(params);
        for _ in 0..groups {
            count += u64::from(locals.read()?.0);
        }
        let start = locals.original_position();
        let mut function = Function {
            index,
            copied: start,
            first_local: u32::try_from(count).unwrap_or(u32::MAX),
            added: Vec::new(),
            cursor: None,
            scratch: [[None; 3]; 5],
            segment: None,
        };
        self.operators(&mut function, body)?;
        self.copy(&mut function, body.range().end);

        limit("locals in a function", count + function.added.len() as u64, MAX_LOCALS)?;
        let mut head = Vec::new();
        (groups + function.added.len() as u32).encode(&mut head);
        let counted = head.len();
        head.extend_from_slice(&self.module[declarations..start]);
        let declared = head.len();
        for ty in &function.added {
            head.push(1);
            ty.encode(&mut head);
        }
        let size = head.len() + self.ops.len();
        limit("bytes in a function", size as u64, MAX_FUNCTION_SIZE as u64)?;
        limit("bytes of code", (self.code.len() + size) as u64, u64::from(u32::MAX >> 1))?;

        // The size of the body has no counterpart of its own. What follows is the body, whose first byte
        // is where engines say that a function's prologue is.
        let body_start = body.range().start as u32;
        self.offsets.recorder(self.code.len() as u32, body_start);
        (size as u32).encode(&mut self.code);
        let base = self.code.len() as u32;
        self.offsets.verbatim(base, body_start);
        self.offsets.verbatim(base + counted as u32, declarations as u32);
        self.offsets.recorder(base + declared as u32, start as u32);
        self.code.extend_from_slice(&head);
        let base = self.code.len() as u32;
        for (at, origin) in &self.runs {
            match *origin {
                Origin::Verbatim(original) => self.offsets.verbatim(base + at, original),
                Origin::Recorder(original) => self.offsets.recorder(base + at, original),
            }
        }
        self.code.extend_from_slice(&self.ops);
        Ok(())
    }

    /// Appends the helper that empties the buffer: out of line, because it runs once in a mebibyte.
    pub(super) fn helper(&mut self) {
        let (flush, cursor) = (self.machinery.flush, self.machinery.cursor());
        let mut body = vec![0]; // No locals.
        for instruction in [
            I::I32Const(0),
            I::I32Load(cursor),
            I::Call(flush),
            I::I32Const(0),
            I::I32Const(0),
            I::I32Store(cursor),
            I::I32Const(0),
            I::End,
        ] {
            instruction.encode(&mut body);
        }
        self.offsets.nowhere(self.code.len() as u32);
        (body.len() as u32).encode(&mut self.code);
        self.code.extend_from_slice(&body);
    }

    fn operators(&mut self, function: &mut Function, body: &FunctionBody<'_>) -> Result<(), InstrumentError> {
        let mut reader = body.get_operators_reader()?;
        // Behind a `br` or the like, until the frame ends, operand types are anybody's guess and nothing runs:
        // no sites there. `frames` holds, for each open frame, whether control can reach its start.
        let mut reachable = true;
        while !reader.eof() {
            let (op, at) = reader.read_with_offset()?;
            let end = reader.original_position();
            match classify::classify(&op) {
                Class::Plain => {}
                Class::Record(recorded) => {
                    if reachable {
                        self.record(function, recorded, at, end);
                    }
                }
                Class::Block => self.frames.push(reachable),
                Class::Open => {
                    self.frames.push(reachable);
                    function.segment = None;
                }
                Class::Else => {
                    reachable = self.frames.last().copied().unwrap_or(true);
                    function.segment = None;
                }
                Class::End => {
                    reachable = self.frames.pop().unwrap_or(true);
                    function.segment = None;
                }
                Class::Leave => {
                    reachable = false;
                    function.segment = None;
                }
                Class::Boundary => function.segment = None,
                Class::Call(callee) => {
                    self.renumber(function, callee, at, end);
                    function.segment = None;
                }
                Class::TailCall(callee) => {
                    self.renumber(function, callee, at, end);
                    reachable = false;
                    function.segment = None;
                }
                Class::RefFunc(callee) => self.renumber(function, callee, at, end),
                Class::Refuse(reason) => return Err(refuse(&op, function.index, at, reason)),
            }
        }
        Ok(())
    }

    /// Copies the module's bytes up to `end`.
    fn copy(&mut self, function: &mut Function, end: usize) {
        if function.copied < end {
            self.runs.push((self.ops.len() as u32, Origin::Verbatim(function.copied as u32)));
            self.ops.extend_from_slice(&self.module[function.copied..end]);
            function.copied = end;
        }
    }

    /// Writes anew an instruction at `at..end` that is one opcode byte and a function index.
    fn renumber(&mut self, function: &mut Function, callee: u32, at: usize, end: usize) {
        let index = self.machinery.renumber(callee);
        if index != callee {
            self.copy(function, at + 1);
            index.encode(&mut self.ops);
            function.copied = end;
        }
    }

    fn emit(&mut self, instruction: I<'_>) {
        instruction.encode(&mut self.ops);
    }

    /// Copies the memory-changing instruction at `at..end` and records what it does.
    fn record(&mut self, function: &mut Function, recorded: Recorded, at: usize, end: usize) {
        let Recorded { op, memory, static_offset, source, lane } = recorded;
        let shape = op.shape();
        let is_wide = |memory: u32| self.wide.get(memory as usize).copied().unwrap_or(false);
        let wide = is_wide(memory);
        let source_wide = shape == Shape::Copy && is_wide(source);
        let payload = Payload::new(op, wide, source_wide);
        let word = address(wide);

        // A drop leaves nothing but its segment number, so it needs one of its own: at the end of another
        // segment's record nobody could tell whether it had happened.
        let fits = function.segment.is_some_and(|used| used + payload.size() <= MAX_SEGMENT);
        let open = function.segment.filter(|_| fits && shape != Shape::Drop);

        self.copy(function, at);
        self.runs.push((self.ops.len() as u32, Origin::Recorder(at as u32)));
        let used = match open {
            Some(used) => used,
            None => self.open_segment(function),
        };

        let operands: &[ValueType] = match shape {
            Shape::Store { ty, .. } => &[word, ty],
            Shape::Lane { .. } => &[word, ValueType::V128],
            // The second one takes the result.
            Shape::Grow => &[word, word],
            Shape::Fill => &[word, ValueType::I32, word],
            Shape::Copy => &[word, address(source_wide), address(wide && source_wide)],
            Shape::Init => &[word, ValueType::I32, ValueType::I32],
            Shape::Drop => &[],
        };
        let locals = function.scratch(operands);
        let popped = if shape == Shape::Grow { &locals[..1] } else { &locals[..] };
        if let [first, others @ ..] = popped {
            for local in others.iter().rev() {
                self.emit(I::LocalSet(*local));
            }
            self.emit(I::LocalTee(*first));
            for local in others {
                self.emit(I::LocalGet(*local));
            }
        }
        self.runs.push((self.ops.len() as u32, Origin::Verbatim(at as u32)));
        self.ops.extend_from_slice(&self.module[at..end]);
        function.copied = end;
        self.runs.push((self.ops.len() as u32, Origin::Recorder(at as u32)));
        if shape == Shape::Grow {
            self.emit(I::LocalTee(locals[1]));
        }

        let cursor = function.cursor();
        let mut field_at = used;
        for (field, (local, size)) in locals.iter().zip(payload.fields()).enumerate() {
            let memarg = self.machinery.record_at(field_at);
            self.emit(I::LocalGet(cursor));
            self.emit(I::LocalGet(*local));
            let mut ty = operands[field];
            if let (Shape::Lane { width }, 1) = (shape, field) {
                let (extract, lane_type) = match width {
                    1 => (I::I8x16ExtractLaneU(lane), ValueType::I32),
                    2 => (I::I16x8ExtractLaneU(lane), ValueType::I32),
                    4 => (I::I32x4ExtractLane(lane), ValueType::I32),
                    _ => (I::I64x2ExtractLane(lane), ValueType::I64),
                };
                self.emit(extract);
                ty = lane_type;
            }
            self.emit(plain_store(ty, size, memarg));
            field_at += size;
        }
        // Committed one by one, so that a trap in mid-segment leaves what has happened.
        self.emit(I::I32Const(0));
        self.emit(I::LocalGet(cursor));
        self.emit(I::I32Const(field_at as i32));
        self.emit(I::I32Add);
        self.emit(I::I32Store(self.machinery.cursor()));

        function.segment = (shape != Shape::Drop).then_some(field_at);
        if let Some(segment) = self.segments.last_mut() {
            segment.count += 1;
        }
        self.sites.push(Site {
            func: FuncIndex(function.index),
            offset: code_offset(at),
            op,
            memory: MemoryIndex(memory),
            static_offset,
            source,
        });
    }

    /// Starts a segment: makes room in the buffer and writes the segment's number.
    fn open_segment(&mut self, function: &mut Function) -> u32 {
        let cursor = function.cursor();
        let number = FIRST_SEGMENT + self.segments.len() as u32;
        self.segments.push(Segment { first: self.sites.len() as u32, count: 0 });
        self.emit(I::I32Const(0));
        self.emit(I::I32Load(self.machinery.cursor()));
        self.emit(I::LocalTee(cursor));
        self.emit(I::I32Const(BUFFER_LIMIT as i32));
        self.emit(I::I32GtU);
        self.emit(I::If(BlockType::Empty));
        self.emit(I::Call(self.machinery.helper));
        self.emit(I::LocalSet(cursor));
        self.emit(I::End);
        self.emit(I::LocalGet(cursor));
        self.emit(I::I32Const(number as i32));
        self.emit(I::I32Store(self.machinery.record_at(0)));
        SEGMENT_HEAD
    }
}

#[cold]
fn refuse(op: &Operator<'_>, function: u32, at: usize, reason: &'static str) -> InstrumentError {
    InstrumentError::Instruction {
        instruction: classify::name(op),
        func: FuncIndex(function),
        offset: code_offset(at),
        reason,
    }
}

/// Turns away what an engine would turn away after rewriting, with the cause instead of a puzzle.
pub(super) fn limit(what: &str, found: u64, limit: u64) -> Result<(), InstrumentError> {
    if found <= limit {
        return Ok(());
    }
    Err(InstrumentError::Limit { what: what.to_string(), found, limit })
}
