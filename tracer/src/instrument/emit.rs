//! The recorder's code around one memory-changing instruction.
//!
//! Operands are saved in scratch locals and restored, the instruction runs unchanged, and then, inline or by a hook,
//! an event is recorded. Optionally the stored value is loaded back and compared.

use super::body::{BodyRewriter, Origin};
use super::classify::Recorded;
use super::error::offset as code_offset;
use super::locals::Function;
use super::machinery::Inline;
use super::operands::{Source, plain_load, plain_store};
use super::raw::{FIRST_SEGMENT, Payload, READ_BACK, READ_BACK_SIZE, SEGMENT_HEAD};
use super::{MAX_SEGMENT, Segment};
use forkpoint_traces::{FuncIndex, MemoryIndex, Shape, Site, SiteId, ValueType};
use wasm_encoder::{BlockType, Instruction as I, MemArg};

/// The type of a memory's addresses.
fn address(wide: bool) -> ValueType {
    if wide { ValueType::I64 } else { ValueType::I32 }
}

/// Where a record's fields go.
struct Place {
    /// Offset in the segment.
    used: u32,
    /// The number of the segment that begins with them.
    opens: Option<u32>,
}

impl BodyRewriter<'_> {
    /// Copies the memory-changing instruction at `at..end` and records what it does.
    pub(super) fn record(&mut self, function: &mut Function, recorded: Recorded, at: usize, end: usize) {
        let Recorded { op, memory, static_offset, source, lane } = recorded;
        let shape = op.shape();
        let is_wide = |memory: u32| self.wide.get(memory as usize).copied().unwrap_or(false);
        let wide = is_wide(memory);
        let source_wide = shape == Shape::Copy && is_wide(source);
        let payload = Payload::new(op, wide, source_wide);
        let word = address(wide);
        let operands: &[ValueType] = match shape {
            Shape::Store { ty, .. } => &[word, ty],
            Shape::Rmw { ty, operands: 1, .. } => &[word, ty],
            Shape::Rmw { ty, .. } => &[word, ty, ty],
            Shape::Lane { .. } => &[word, ValueType::V128],
            // The second one takes the result.
            Shape::Grow => &[word, word],
            Shape::Fill => &[word, ValueType::I32, word],
            Shape::Copy => &[word, address(source_wide), address(wide && source_wide)],
            Shape::Init => &[word, ValueType::I32, ValueType::I32],
            Shape::Drop => &[],
        };

        self.copy(function, at);
        self.runs.push((self.ops.len() as u32, Origin::Recorder(at as u32)));
        let site = SiteId::FIRST.0 + self.options.sites_before.unwrap_or(0) + self.sites.len() as u32;
        // Only stores check the range: the others are few, and finding out what they hit takes a model of memory.
        let range = self.options.scope.bytes.clone().filter(|_| shape.width().is_some()).map(|(_, bytes)| bytes);
        // The head comes before the instruction: a flush in between would show the host a memory with a write that
        // has no record yet. If the range decides, nobody checks memory.
        let mut used = match self.machinery.inline {
            Some(inline) if range.is_none() => self.head(function, inline, &payload, shape),
            Some(_) => 0,
            // Calls of the hook have no heads. Segments show where inline records would have them, for digests.
            None => self.segment(function, &payload, shape).used,
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
        let memarg = MemArg { offset: static_offset, align: 0, memory_index: memory };
        match shape {
            Shape::Grow => self.emit(I::LocalTee(locals[1])),
            Shape::Rmw { ty, width, .. } => {
                // What memory holds now; the operands are used up.
                self.emit(I::LocalGet(locals[0]));
                self.emit(plain_load(ty, width, memarg));
                self.emit(I::LocalSet(locals[1]));
            }
            _ => {}
        }
        let mut fields: Vec<Source> =
            locals.iter().zip(operands).map(|(local, ty)| Source::Local(*local, *ty)).collect();
        match shape {
            Shape::Lane { width } => fields[1] = Source::Lane { local: locals[1], lane, width },
            Shape::Rmw { .. } => fields.truncate(2),
            _ => {}
        }
        let known = function.room.known();
        if let Some(range) = &range {
            self.in_range(locals[0], wide, static_offset, shape.width().unwrap_or(1), range.clone());
            self.emit(I::If(BlockType::Empty));
            if let Some(inline) = self.machinery.inline {
                used = self.head(function, inline, &payload, shape);
            }
        }
        match self.machinery.inline {
            Some(inline) => self.append(function, inline, &fields, &payload, used),
            None => {
                self.hook(site, &fields);
                function.segment = (!fields.is_empty()).then_some(used + payload.size());
            }
        }
        if range.is_some() {
            self.emit(I::End);
            function.room.at_most(known);
        }
        if self.options.read_back
            && let Some(value) = fields.get(1)
        {
            match shape {
                Shape::Store { width, .. } => self.read_back(function, locals[0], *value, width, memarg),
                Shape::Lane { width } => self.read_back(function, locals[0], *value, width, memarg),
                _ => {}
            }
        }
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

    /// The place of the next record's fields: their offset in the open segment, or in a new one.
    fn segment(&mut self, function: &mut Function, payload: &Payload, shape: Shape) -> Place {
        // A drop leaves nothing but its segment number, so it needs its own segment: at the end of another segment's
        // record, nobody could tell whether it had happened.
        let fits = function.segment.filter(|used| used + payload.size() <= MAX_SEGMENT);
        if let Some(used) = fits.filter(|_| shape != Shape::Drop && self.options.joins()) {
            return Place { used, opens: None };
        }
        let number = FIRST_SEGMENT + self.segments.len() as u32;
        self.segments.push(Segment { first: self.sites.len() as u32, count: 0 });
        Place { used: SEGMENT_HEAD, opens: Some(number) }
    }

    /// Makes room for the next record's fields, in the open segment or in a new one. Returns the offset of the fields
    /// in the segment.
    fn head(&mut self, function: &mut Function, inline: Inline, payload: &Payload, shape: Shape) -> u32 {
        let Place { used, opens } = self.segment(function, payload, shape);
        if let Some(number) = opens {
            self.begin_record(function, inline, number);
        }
        used
    }

    /// Appends the fields of a record and commits it. One by one, so that a trap in mid-segment leaves what has
    /// happened.
    fn append(
        &mut self,
        function: &mut Function,
        inline: Inline,
        fields: &[Source],
        payload: &Payload,
        mut used: u32,
    ) {
        let cursor = function.cursor();
        let start = self.place_of(function, used);
        let mut place = start;
        for (field, size) in fields.iter().zip(payload.fields()) {
            self.emit(I::LocalGet(cursor));
            let ty = self.push(*field);
            self.emit(plain_store(ty, size, inline.record_at(place)));
            place += size;
        }
        used += place - start;
        function.room.use_up(payload.size());
        self.end_event(function, inline, place);
        function.segment = (!fields.is_empty()).then_some(used);
    }

    /// Calls the hook with the number of a site and its operands: an event.
    fn hook(&mut self, site: u32, fields: &[Source]) {
        if let Some(count) = self.machinery.count {
            self.emit(I::GlobalGet(count));
            self.emit(I::I64Const(1));
            self.emit(I::I64Add);
            self.emit(I::GlobalSet(count));
        }
        self.call_hook(site, fields);
    }

    fn call_hook(&mut self, site: u32, fields: &[Source]) {
        self.emit(I::I32Const(site as i32));
        let mut pushed = 0;
        for field in fields {
            let ty = self.push(*field);
            pushed += self.as_words(*field, ty);
        }
        for _ in pushed..3 {
            self.emit(I::I64Const(0));
        }
        self.emit(I::Call(self.machinery.import));
    }

    /// Pushes whether a store of `width` bytes at the base address in `local` touches `range`: a single comparison,
    /// since addresses below the range wrap around to large numbers.
    fn in_range(&mut self, local: u32, wide: bool, offset: u64, width: u8, range: std::ops::Range<u64>) {
        let before = u64::from(width) - 1;
        let length = range.end.saturating_sub(range.start).saturating_add(before);
        self.emit(I::LocalGet(local));
        if !wide {
            self.emit(I::I64ExtendI32U);
        }
        self.emit(I::I64Const(offset.wrapping_sub(range.start).wrapping_add(before) as i64));
        self.emit(I::I64Add);
        self.emit(I::I64Const(length as i64));
        self.emit(I::I64LtU);
    }

    /// Loads what was stored, and records what memory holds if it differs.
    fn read_back(&mut self, function: &mut Function, base: u32, stored: Source, width: u8, memarg: MemArg) {
        let ty = match (stored, width) {
            (Source::Local(_, ValueType::V128), _) => ValueType::V128,
            (Source::Local(_, ValueType::I64), _) | (_, 8) => ValueType::I64,
            _ => ValueType::I32,
        };
        let found = function.spare(ty);
        self.emit(I::LocalGet(base));
        self.emit(plain_load(ty, width, memarg));
        self.emit(I::LocalTee(found));
        let pushed = self.push(stored);
        match pushed {
            ValueType::F32 => self.emit(I::I32ReinterpretF32),
            ValueType::F64 => self.emit(I::I64ReinterpretF64),
            _ => {}
        }
        match ty {
            ValueType::V128 => {
                self.emit(I::V128Xor);
                self.emit(I::V128AnyTrue);
            }
            ValueType::I64 => {
                if width < 8 {
                    self.emit(I::I64Const((1 << (8 * u32::from(width))) - 1));
                    self.emit(I::I64And);
                }
                self.emit(I::I64Ne);
            }
            _ => {
                if width < 4 {
                    self.emit(I::I32Const((1 << (8 * u32::from(width))) - 1));
                    self.emit(I::I32And);
                }
                self.emit(I::I32Ne);
            }
        }
        self.emit(I::If(BlockType::Empty));
        let found = Source::Local(found, ty);
        match self.machinery.inline {
            None => self.call_hook(SiteId::OBSERVED.0, &[found]),
            Some(inline) => {
                let cursor = function.cursor();
                self.load_cursor(inline);
                self.emit(I::LocalSet(cursor));
                self.emit(I::LocalGet(cursor));
                self.emit(I::I32Const(READ_BACK as i32));
                self.emit(I::I32Store(inline.record_at(0)));
                self.emit(I::LocalGet(cursor));
                self.push(found);
                match ty {
                    ValueType::V128 => self.emit(I::V128Store(inline.record_at(SEGMENT_HEAD))),
                    narrow => {
                        self.as_words(found, narrow);
                        self.emit(I::I64Store(inline.record_at(SEGMENT_HEAD)));
                    }
                }
                self.commit(cursor, inline, READ_BACK_SIZE);
            }
        }
        self.emit(I::End);
        function.segment = None;
        function.room.use_up(READ_BACK_SIZE);
    }
}
