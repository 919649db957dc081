//! Function bodies: copies them verbatim, and adds the recorder's code around memory-changing instructions.

use super::Segment;
use super::classify::{self, Class};
use super::error::{InstrumentError, limit, offset as code_offset};
use super::locals::{Exits, Function};
use super::machinery::{Inline, Machinery};
use super::mark::Mark;
use super::offsets::OffsetMap;
use super::options::Options;
use super::scan::Signature;
use forkpoint_traces::{FuncIndex, Site};
use wasm_encoder::{Encode, Instruction as I};
use wasmparser::{FunctionBody, Operator};

/// Largest function body and number of locals that engines accept, from wasmparser's limits.
const MAX_FUNCTION_SIZE: usize = 7_654_321;
const MAX_LOCALS: u64 = 50_000;

/// Rewrites the bodies of one module, one after the other.
pub(super) struct BodyRewriter<'m> {
    pub(super) module: &'m [u8],
    pub(super) machinery: Machinery,
    pub(super) options: &'m Options,
    /// Whether each memory is 64-bit.
    pub(super) wide: &'m [bool],
    /// Whether the module has exceptions, by which a function may end anywhere.
    pub(super) throws: bool,
    pub(super) sites: Vec<Site>,
    pub(super) segments: Vec<Segment>,
    pub(super) marks: Vec<Mark>,
    pub(super) offsets: OffsetMap,
    /// Contents of the rewritten code section.
    pub(super) code: Vec<u8>,
    pub(super) ops: Vec<u8>,
    pub(super) runs: Vec<(u32, Origin)>,
    frames: Vec<bool>,
}

/// The results for a module's bodies, besides code.
#[derive(Debug, Default)]
pub(super) struct Bodies {
    pub(super) sites: Vec<Site>,
    pub(super) segments: Vec<Segment>,
    pub(super) marks: Vec<Mark>,
}

/// Where a range of emitted operators comes from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Origin {
    Verbatim(u32),
    Recorder(u32),
}

impl<'m> BodyRewriter<'m> {
    pub(super) fn new(
        module: &'m [u8],
        machinery: Machinery,
        options: &'m Options,
        wide: &'m [bool],
        throws: bool,
        offsets: OffsetMap,
    ) -> Self {
        BodyRewriter {
            module,
            machinery,
            options,
            wide,
            throws,
            sites: Vec::new(),
            segments: Vec::new(),
            marks: Vec::new(),
            offsets,
            code: Vec::new(),
            ops: Vec::new(),
            runs: Vec::new(),
            frames: Vec::new(),
        }
    }

    /// Appends the rewritten body of function `index` (original numbering) with this signature. `block_type` is the
    /// type of a block with its results, where they are several and it may be needed.
    pub(super) fn function(
        &mut self,
        index: u32,
        signature: &Signature,
        block_type: Option<u32>,
        body: &FunctionBody<'_>,
    ) -> Result<(), InstrumentError> {
        self.ops.clear();
        self.runs.clear();
        self.frames.clear();

        let mut locals = body.get_locals_reader()?;
        let groups = locals.get_count();
        let declarations = locals.original_position();
        let mut count = signature.params.len() as u64;
        let base = self.options.ask.frame_base(FuncIndex(index)).map(u64::from);
        let mut base_type = None;
        for _ in 0..groups {
            let (more, ty) = locals.read()?;
            base_type = base_type.or(Some(ty).filter(|_| base.is_some_and(|base| base < count + u64::from(more))));
            count += u64::from(more);
        }
        let start = locals.original_position();
        let mut function = Function::new(index, start, u32::try_from(count).unwrap_or(u32::MAX));
        self.mark_entry(&mut function, start);
        let called = self.called(base.zip(base_type), body)?;
        let exits = self.enter(&mut function, signature, (block_type, called), start)?;
        if self.keeps_cursor(index, body)? {
            self.keep_cursor(&mut function, signature, block_type, start)?;
        }
        self.operators(&mut function, exits.as_ref(), body)?;
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

        // The size of the body has no counterpart. The body follows, whose first byte is where engines place a
        // function's prologue.
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

    /// Contents of the rewritten code section, the map of offsets in it, and the other results.
    pub(super) fn finish(self) -> (Vec<u8>, OffsetMap, Bodies) {
        let BodyRewriter { code, offsets, sites, segments, marks, .. } = self;
        (code, offsets, Bodies { sites, segments, marks })
    }

    /// Appends the helper that has the buffer emptied and returns the new cursor: out of line, because it runs once per
    /// mebibyte.
    pub(super) fn helper(&mut self, inline: Inline) {
        const CURSOR: u32 = 0;
        let flush = self.machinery.import;
        let mut body = vec![0]; // No locals but its parameter.
        for instruction in [
            I::I32Const(0),
            I::LocalGet(CURSOR),
            I::I32Store(inline.cursor()),
            I::LocalGet(CURSOR),
            I::Call(flush),
            I::I32Const(0),
            I::I32Const(0),
            I::I32Load(inline.kept()),
            I::LocalTee(CURSOR),
            I::I32Store(inline.cursor()),
            I::LocalGet(CURSOR),
            I::End,
        ] {
            instruction.encode(&mut body);
        }
        self.offsets.nowhere(self.code.len() as u32);
        (body.len() as u32).encode(&mut self.code);
        self.code.extend_from_slice(&body);
    }

    fn operators(
        &mut self,
        function: &mut Function,
        exits: Option<&Exits>,
        body: &FunctionBody<'_>,
    ) -> Result<(), InstrumentError> {
        let mut reader = body.get_operators_reader()?;
        // After a `br` or the like, until the frame ends, operand types are unknown and nothing runs: no sites there.
        // `frames` holds, for each open frame, whether control can reach its start.
        let mut reachable = true;
        while !reader.eof() {
            let (op, at) = reader.read_with_offset()?;
            let end = reader.original_position();
            let runs = reachable;
            let outermost = self.frames.is_empty();
            let (mut again, mut stale, mut load) = (None, false, None);
            if runs {
                again = self.mark_before(function, &op, at);
                stale = self.before_others(function, &op, at);
                load = self.before_load(function, &op, at);
                self.fix_relaxed(function, &op, at, end);
                if let Some(exits) = exits {
                    self.before_leaving(function, exits, &op, at);
                }
            }
            if runs {
                function.room.branch(&op);
            }
            match classify::classify(&op) {
                Class::Plain => {}
                Class::Record(recorded) => {
                    // Without a memory there is nothing to replay, whatever the options.
                    if reachable && self.has_memory() && self.options.scope.covers(function.index, &recorded) {
                        self.record(function, recorded, at, end);
                    }
                }
                Class::Block => {
                    self.frames.push(reachable);
                    function.room.open(&op);
                }
                Class::Open => {
                    self.frames.push(reachable);
                    function.room.open(&op);
                    function.segment = None;
                }
                Class::Else => {
                    function.room.alternative(reachable);
                    reachable = self.frames.last().copied().unwrap_or(true);
                    function.segment = None;
                }
                Class::End => {
                    if function.keeps_cursor && self.frames.is_empty() {
                        self.recorder_at(function, at);
                        self.emit(I::End);
                        self.write_back(function, at);
                    }
                    if let Some(exits) = exits.filter(|_| self.frames.is_empty()) {
                        // The block that the body has become ends here, and then the function.
                        self.recorder_at(function, at);
                        self.emit(I::End);
                        self.leave(function, exits, at);
                    }
                    function.room.close(reachable);
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
            if let Some(exits) = exits {
                self.after_landing(function, exits, &op, (at, end), outermost);
            }
            if runs {
                self.after_float(function, &op, at, end);
                if let Some(load) = load {
                    self.after_load(function, &load, at, end);
                }
                if stale {
                    self.after_others(function, at, end);
                }
                if let Some(mark) = again {
                    self.mark_after(function, mark, at, end);
                }
            }
        }
        Ok(())
    }

    /// Copies the module's bytes up to `end`.
    pub(super) fn copy(&mut self, function: &mut Function, end: usize) {
        if function.copied < end {
            self.runs.push((self.ops.len() as u32, Origin::Verbatim(function.copied as u32)));
            self.ops.extend_from_slice(&self.module[function.copied..end]);
            function.copied = end;
        }
    }

    /// Rewrites an instruction at `at..end` that is one opcode byte and a function index.
    fn renumber(&mut self, function: &mut Function, callee: u32, at: usize, end: usize) {
        let index = self.machinery.renumber(callee);
        if index != callee {
            self.copy(function, at + 1);
            index.encode(&mut self.ops);
            function.copied = end;
        }
    }

    pub(super) fn has_memory(&self) -> bool {
        !self.wide.is_empty()
    }

    pub(super) fn emit(&mut self, instruction: I<'_>) {
        instruction.encode(&mut self.ops);
    }
}

#[cold]
fn refuse(op: &Operator<'_>, function: u32, at: usize, reason: &'static str) -> InstrumentError {
    InstrumentError::Instruction {
        instruction: classify::name(op),
        func: FuncIndex(function),
        name: None,
        offset: code_offset(at),
        reason,
    }
}
