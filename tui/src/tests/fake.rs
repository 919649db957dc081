//! A made-up pair of traces: a loop that stores, and one value that differs on the right at #120, followed by three
//! events that the left side lacks.

use crate::picture::Picture;
use crate::traces::{Code, CodeLine, CodePlace, Direction, EventLine, Info, Like, Outline, Parting, Reached, Traces};
use forkpoint_replay::{
    Activation, Appearance, CallFrame, CallWindow, Differing, EventFilter, EventSource, Heat, Pair, ReplayError,
    Side, SourceFrame, Symbols, TypedValue, Variable, WhyReport,
};
use forkpoint_traces::{CodeOffset, FuncIndex, Loads, MemoryIndex, MemoryOp, PAGE, Place, Position, TraceError};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Position of the first divergence.
pub(super) const DIVERGENCE: u64 = 120;
/// Events that only the right side has, right after it.
pub(super) const EXTRA: u64 = 3;
/// Events of the left side.
pub(super) const EVENTS: u64 = 400;
/// The bytes of the one variable that has a name.
const COUNTER: Range<u64> = 0x1_0000..0x1_0010;
/// Bytes of memory.
const SIZE: u64 = 2 * 65536;

#[derive(Clone)]
struct Store {
    place: Option<CodePlace>,
    op: &'static str,
    memory: u32,
    address: u64,
    bytes: Vec<u8>,
}

/// One side.
#[derive(Clone)]
struct FakeSide {
    info: Info,
    events: Vec<Store>,
    position: u64,
    memories: [Vec<u8>; 2],
}

/// The pair, or its left side alone.
#[derive(Clone)]
pub(super) struct Fake {
    runs: Vec<FakeSide>,
    none: Info,
    parting: Option<Parting>,
    /// Every search is given up, as after Esc.
    stopped: bool,
    /// This many seeks are given up.
    stopped_seeks: u32,
    /// Every search goes on until it is given up.
    endless: bool,
    /// Memory is far away, and the first seek goes on until it is given up.
    distant: bool,
    /// Every search panics.
    broken: bool,
    progress: Option<Arc<Reached>>,
    /// For this many questions source lines are still being read.
    loading: Arc<AtomicU32>,
    /// Events that are left out of the timeline.
    gap: Option<(u64, u64)>,
    /// Put before every text, to see what reaches the screen.
    prefix: &'static str,
}

fn site(func: u32, offset: u32) -> Option<CodePlace> {
    Some(CodePlace { func: FuncIndex(func), offset: CodeOffset(offset) })
}

impl Store {
    fn kind(&self) -> &'static str {
        if self.place.is_some() { "store" } else { "milestone" }
    }
}

/// What the module does, `i` counting stores.
fn store(i: u64) -> Store {
    let word = (i as u32).wrapping_mul(0x9e37_79b9);
    match i {
        0 => Store { place: None, op: "memory 0: 2 pages", memory: 0, address: 0, bytes: Vec::new() },
        1 => Store { place: None, op: "call main(7)", memory: 0, address: 0, bytes: Vec::new() },
        _ if i.is_multiple_of(50) => Store {
            place: site(4, 0x2e1),
            op: "i64.store",
            memory: 1,
            address: 8 * (i / 50),
            bytes: (u64::from(word) << 13).to_le_bytes().to_vec(),
        },
        _ if i.is_multiple_of(7) => Store {
            place: site(3, 0x1c4),
            op: "i32.store8",
            memory: 0,
            address: 0xa4f0 + i % 16,
            bytes: vec![b'a' + (i % 26) as u8],
        },
        _ => Store {
            place: site(3, 0x1b2),
            op: "i32.store",
            memory: 0,
            address: 0xa400 + 4 * (i % 96),
            bytes: word.to_le_bytes().to_vec(),
        },
    }
}

impl Fake {
    pub(super) fn pair() -> Fake {
        let mut fake = Fake::single();
        let mut events = fake.runs[0].events.clone();
        events[DIVERGENCE as usize].bytes[1] ^= 0x40;
        let extra = (0..EXTRA).map(|i| Store {
            place: site(4, 0x2e1),
            op: "i32.store",
            memory: 0,
            address: 0xa4e8 + 4 * i,
            bytes: vec![0xee; 4],
        });
        events.splice(DIVERGENCE as usize + 1..DIVERGENCE as usize + 1, extra);
        fake.runs.push(run("b.fpt", "wasmedge:aot", events));
        fake.parting =
            Some(Parting { verdict: "value".to_string(), row: DIVERGENCE, resync: Some(DIVERGENCE + 1 + EXTRA) });
        fake
    }

    pub(super) fn single() -> Fake {
        let events = (0..EVENTS).map(store).collect();
        Fake {
            runs: vec![run("a.fpt", "wasmtime:jit", events)],
            none: Info::default(),
            parting: None,
            stopped: false,
            stopped_seeks: 0,
            endless: false,
            distant: false,
            broken: false,
            progress: None,
            loading: Arc::default(),
            gap: None,
            prefix: "",
        }
    }

    /// A pair whose searches are given up.
    pub(super) fn stopped() -> Fake {
        Fake { stopped: true, ..Fake::pair() }
    }

    /// A pair of which one seek is given up.
    pub(super) fn stopped_once() -> Fake {
        Fake { stopped_seeks: 1, ..Fake::pair() }
    }

    /// A pair whose searches never end by themselves.
    pub(super) fn endless() -> Fake {
        Fake { endless: true, ..Fake::pair() }
    }

    /// A pair whose memory is far from everywhere, until the seek is given up.
    pub(super) fn distant() -> Fake {
        Fake { distant: true, ..Fake::pair() }
    }

    /// A pair whose source lines take a while.
    pub(super) fn loading() -> Fake {
        Fake { loading: Arc::new(AtomicU32::new(10)), ..Fake::pair() }
    }

    /// A pair whose searches panic.
    pub(super) fn broken() -> Fake {
        Fake { broken: true, ..Fake::pair() }
    }

    /// A pair whose timelines lack some events.
    pub(super) fn with_gap(first: u64, past: u64) -> Fake {
        Fake { gap: Some((first, past)), ..Fake::pair() }
    }

    /// A pair whose texts all begin with `prefix`.
    pub(super) fn prefixed(prefix: &'static str) -> Fake {
        Fake { prefix, ..Fake::pair() }
    }

    fn run(&self, side: Side) -> Option<&FakeSide> {
        self.runs.get(side.index())
    }

    fn store(&self, side: Side, position: Position) -> Result<&Store, ReplayError> {
        let run = &self.runs[side.index()];
        let out_of_range = || TraceError::OutOfRange { asked: position, events: run.info.events };
        Ok(run.events.get(position.0 as usize).ok_or_else(out_of_range)?)
    }

    /// Runs until it is given up.
    fn go_on<T>(&self, at: Position) -> Result<T, ReplayError> {
        while !self.progress.as_ref().is_some_and(|given_up| given_up(at)) {
            std::thread::sleep(Duration::from_millis(1));
        }
        Err(ReplayError::Cancelled)
    }

    fn search(
        &self,
        side: Side,
        at: Position,
        direction: Direction,
        fits: impl Fn(&Store) -> bool,
    ) -> Result<Option<Position>, ReplayError> {
        if self.stopped {
            return Err(ReplayError::Cancelled);
        }
        assert!(!self.broken, "a search that is broken");
        if self.endless {
            return self.go_on(at);
        }
        let Some(run) = self.run(side) else { return Ok(None) };
        let at = at.0 as usize;
        let found = match direction {
            Direction::Forward => (at..run.events.len()).find(|&i| fits(&run.events[i])),
            Direction::Backward => (0..at).rev().find(|&i| fits(&run.events[i])),
        };
        Ok(found.map(|position| Position(position as u64)))
    }
}

fn run(name: &str, engine: &str, events: Vec<Store>) -> FakeSide {
    let info = Info {
        name: name.to_string(),
        module: "mix.wasm".to_string(),
        engine: engine.to_string(),
        events: events.len() as u64,
        incomplete: false,
    };
    FakeSide { info, events, position: 0, memories: [Vec::new(), Vec::new()] }
}

impl Outline for Fake {
    fn are_builds(&self) -> bool {
        false
    }

    fn is_pair(&self) -> bool {
        self.runs.len() == 2
    }

    fn info(&self, side: Side) -> &Info {
        self.run(side).map_or(&self.none, |run| &run.info)
    }

    fn parting(&self) -> Option<&Parting> {
        self.parting.as_ref()
    }

    fn rows(&self) -> u64 {
        self.runs.iter().map(|run| run.info.events).max().unwrap_or(0)
    }

    fn row(&self, row: u64) -> Pair {
        if !self.is_pair() {
            return Pair { lhs: (row < EVENTS).then_some(Position(row)), rhs: None };
        }
        let lhs = match row {
            0..=DIVERGENCE => Some(row),
            _ => row.checked_sub(EXTRA).filter(|position| *position > DIVERGENCE),
        };
        let rhs = (row < self.runs[1].info.events).then_some(Position(row));
        Pair { lhs: lhs.filter(|position| *position < EVENTS).map(Position), rhs }
    }

    fn row_of(&self, side: Side, position: Position) -> u64 {
        let shifted = self.is_pair() && side == Side::Lhs && position.0 > DIVERGENCE;
        if shifted { position.0 + EXTRA } else { position.0 }
    }

    fn is_left_out(&self, _: u64) -> bool {
        false
    }

    fn beside(&self, side: Side, position: Position) -> Option<Position> {
        self.row(self.row_of(side, position)).of(side.other())
    }

    fn memory_name(&self, memory: MemoryIndex) -> String {
        format!("{}memory {}", self.prefix, if memory.0 == 1 { "heap" } else { "0" })
    }

    fn function_name(&self, _: Side, func: FuncIndex) -> String {
        format!("{}{}", self.prefix, if func.0 == 3 { "mix" } else { "flush" })
    }

    fn own_offset(&self, _: Side, offset: CodeOffset) -> CodeOffset {
        offset
    }

    fn source_line(&self, _: Side, offset: CodeOffset) -> Option<String> {
        (offset.0 == 0x1b2 && !self.is_loading()).then(|| "mix.c:14".to_string())
    }

    fn variable(&self, _: Side, memory: MemoryIndex, bytes: Range<u64>) -> Option<Variable> {
        let part = bytes.start.checked_sub(COUNTER.start).filter(|_| memory.0 == 0 && bytes.end <= COUNTER.end)?;
        Some(Variable {
            path: format!("mixer.counter[{}]", part / 4),
            ty: Some("int".to_string()),
            address: bytes.start - part % 4,
            size: 4,
            offset: part % 4,
        })
    }

    fn written(&self, side: Side, _: CodePlace, memory: MemoryIndex, bytes: Range<u64>) -> Option<Variable> {
        self.variable(side, memory, bytes)
    }

    fn variable_named(&self, _: Side, name: &str) -> Option<(MemoryIndex, u64)> {
        (name == "mixer").then_some((MemoryIndex(0), COUNTER.start))
    }

    fn source_text(&self, _: Side, _: &str) -> Option<Arc<str>> {
        None
    }

    fn source_frames(&self, _: Side, offset: CodeOffset) -> Vec<SourceFrame> {
        let frame = SourceFrame {
            function: Some("mix".to_string()),
            file: Some("/build/mix.c".to_string()),
            line: Some(14),
            column: None,
        };
        Vec::from_iter((offset.0 == 0x1b2).then_some(frame))
    }

    fn call_frames(
        &self,
        _: Side,
        window: &CallWindow,
        at: Position,
        place: Option<CodePlace>,
    ) -> (Vec<CallFrame>, u64) {
        let place = place.map(|place| Place { func: place.func, offset: Some(place.offset) });
        CallFrame::stack(window, &Symbols::new(*b"\0asm\x01\0\0\0"), at, place).unwrap_or_default()
    }

    fn stack_variable(
        &self,
        _: Side,
        _: &CallWindow,
        _: Position,
        _: Option<CodePlace>,
        (memory, bytes): (MemoryIndex, &Range<u64>),
    ) -> Option<String> {
        (memory.0 == 0 && bytes.start >= 0xa400).then(|| "mix: total: int".to_string())
    }

    fn call_text(&self, _: Side, activation: &Activation) -> String {
        activation.text(&Symbols::new(*b"\0asm\x01\0\0\0"))
    }

    fn region(&self, _: Side, memory: MemoryIndex, address: u64) -> Option<String> {
        (memory.0 == 0 && address > 0x1_ff00).then(|| "stack".to_string())
    }

    fn is_loading(&self) -> bool {
        self.loading.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
    }
}

impl Traces for Fake {
    fn is_equal(&mut self, row: u64) -> Result<bool, ReplayError> {
        let pair = self.row(row);
        let (Some(lhs), Some(rhs)) = (pair.lhs, pair.rhs) else { return Ok(!self.is_pair()) };
        let (lhs, rhs) = (self.store(Side::Lhs, lhs)?, self.store(Side::Rhs, rhs)?);
        Ok((lhs.place, lhs.address, &lhs.bytes) == (rhs.place, rhs.address, &rhs.bytes))
    }

    fn mismatch(
        &mut self,
        row: u64,
        direction: Direction,
        _: Option<&EventFilter>,
    ) -> Result<Option<u64>, ReplayError> {
        let rows = self.rows();
        let unequal = |row: &u64| !self.is_equal(*row).expect("the row exists");
        Ok(match direction {
            Direction::Forward => (row..rows).find(unequal),
            Direction::Backward => (0..row.min(rows)).rev().find(unequal),
        })
    }

    fn event(&mut self, side: Side, position: Position) -> Result<EventLine, ReplayError> {
        let store = self.store(side, position)?;
        let prefix = self.prefix;
        let bytes: Vec<String> = store.bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let text = match store.place {
            None => format!("{prefix}{}", store.op),
            Some(_) => {
                let memory = if store.memory == 0 { "" } else { "memory heap " };
                format!("{prefix}{} {memory}[{:#010x}] <- {}", store.op, store.address, bytes.join(" "))
            }
        };
        let length = store.bytes.len() as u64;
        let written = (length > 0).then_some((MemoryIndex(store.memory), store.address, length));
        let op = MemoryOp::ALL.iter().find(|op| op.mnemonic() == store.op);
        let value = op.and_then(|op| TypedValue::stored_by(*op, None, &store.bytes));
        Ok(EventLine { text, kind: Some(store.kind()), value, place: store.place, written, variable: None })
    }

    fn position(&self, side: Side) -> Position {
        if self.distant {
            return Position(u64::MAX);
        }
        Position(self.run(side).map_or(0, |run| run.position))
    }

    fn seek(&mut self, side: Side, position: Position) -> Result<(), ReplayError> {
        if let Some(left) = self.stopped_seeks.checked_sub(1) {
            self.stopped_seeks = left;
            return Err(ReplayError::Cancelled);
        }
        if std::mem::take(&mut self.distant) {
            return self.go_on(position);
        }
        let run = &mut self.runs[side.index()];
        let events = &run.events[..position.0 as usize];
        run.position = position.0;
        run.memories = [vec![0; SIZE as usize], vec![0; 100]];
        for store in events {
            let at = store.address as usize;
            run.memories[store.memory as usize][at..at + store.bytes.len()].copy_from_slice(&store.bytes);
        }
        Ok(())
    }

    fn memories(&self, side: Side) -> u32 {
        self.run(side).map_or(0, |run| if run.position == 0 { 0 } else { 2 })
    }

    fn memory_bytes(&self, side: Side, memory: MemoryIndex) -> Option<u64> {
        let run = self.run(side).filter(|run| run.position > 0)?;
        Some(run.memories.get(memory.0 as usize)?.len() as u64)
    }

    fn read(&self, side: Side, memory: MemoryIndex, address: u64, out: &mut [u8]) -> usize {
        out.fill(0);
        let bytes = self.run(side).and_then(|run| run.memories.get(memory.0 as usize)?.get(address as usize..));
        let bytes = bytes.unwrap_or_default();
        let count = bytes.len().min(out.len());
        out[..count].copy_from_slice(&bytes[..count]);
        count
    }

    fn differing(&mut self, most: usize, _: Option<&EventFilter>) -> Result<(Vec<Differing>, bool), ReplayError> {
        let mut found = Vec::new();
        for row in 0..self.rows() {
            if !self.is_equal(row)? && found.len() < most {
                found.push(Differing { rows: row..row + 1, count: 1 });
            }
        }
        Ok((found, false))
    }

    fn matching(
        &mut self,
        side: Side,
        filter: &EventFilter,
        at: Position,
        direction: Direction,
    ) -> Result<Option<Position>, ReplayError> {
        // Only what tests of the screen need: addresses.
        let bytes = filter.addresses().unwrap_or(0..u64::MAX);
        self.search(side, at, direction, |store| !store.bytes.is_empty() && bytes.contains(&store.address))
    }

    fn host_calls(&mut self, side: Side, most: usize) -> Result<Vec<(Position, String)>, ReplayError> {
        let events = self.run(side).map_or(0, |run| run.events.len());
        let calls = (10..events as u64).step_by(100).map(|at| (Position(at), format!("{}fd_write(1)", self.prefix)));
        Ok(calls.take(most).collect())
    }

    fn appearance(&mut self, side: Side, bytes: &[u8], from: Position) -> Result<Option<Appearance>, ReplayError> {
        let found = self.search(side, from, Direction::Forward, |store| store.bytes == bytes)?;
        Ok(found.map(|position| Appearance { position, memory: MemoryIndex(0), address: 0x1_0004 }))
    }

    fn left_out(&self, _: Side, _: Range<Position>) -> Option<Range<Position>> {
        None
    }

    fn find_bytes(&self, side: Side, memory: MemoryIndex, bytes: &[u8], from: u64) -> Option<u64> {
        let held = self.run(side)?.memories.get(memory.0 as usize)?.get(from as usize..)?;
        held.windows(bytes.len()).position(|window| window == bytes).map(|at| from + at as u64)
    }

    fn why(
        &mut self,
        (_, _, address): (Side, MemoryIndex, u64),
        moments: [Position; 2],
        loads: &mut dyn FnMut(Side, Position) -> Option<Loads>,
    ) -> Result<Option<WhyReport>, ReplayError> {
        for side in Side::BOTH {
            loads(side, moments[side.index()]);
        }
        Ok((address >= 0xa400).then(|| WhyReport { chains: Vec::new(), cut_short: true }))
    }

    fn writer(
        &mut self,
        side: Side,
        memory: MemoryIndex,
        address: u64,
        at: Position,
        direction: Direction,
    ) -> Result<Option<Position>, ReplayError> {
        self.search(side, at, direction, |store| {
            let bytes = store.address..store.address + store.bytes.len() as u64;
            store.memory == memory.0 && bytes.contains(&address)
        })
    }

    fn find(
        &mut self,
        side: Side,
        text: &str,
        at: Position,
        direction: Direction,
    ) -> Result<Option<Position>, ReplayError> {
        self.search(side, at, direction, |store| {
            store.op.contains(text)
                || store.place.is_some_and(|place| self.function_name(side, place.func).contains(text))
        })
    }

    fn nearest(
        &mut self,
        side: Side,
        like: Like,
        at: Position,
        direction: Direction,
    ) -> Result<Option<Position>, ReplayError> {
        self.search(side, at, direction, |store| match like {
            Like::Function(func) => store.place.is_some_and(|place| place.func == func),
            Like::Site(offset) => store.place.is_some_and(|place| place.offset == offset),
            Like::Kind(kind) => store.kind() == kind,
            Like::Bytes(memory, start, end) => {
                store.memory == memory.0 && !store.bytes.is_empty() && (start..end).contains(&store.address)
            }
        })
    }

    fn picture(&mut self, side: Side, memory: MemoryIndex) -> Result<Picture, ReplayError> {
        if self.stopped {
            return Err(ReplayError::Cancelled);
        }
        if self.endless {
            return self.go_on(Position(7));
        }
        let events: &[Store] = self.run(side).map_or(&[], |run| &run.events);
        let writes =
            || (0usize..).zip(events).filter(|(_, store)| store.memory == memory.0 && !store.bytes.is_empty());
        let pages: BTreeSet<u64> = writes().map(|(_, store)| store.address / PAGE).collect();
        let pages: Vec<u64> = pages.into_iter().collect();
        let (columns, rows) = (events.len().max(1), pages.len().max(1));
        let mut counts = vec![0; columns * rows];
        for (position, store) in writes() {
            let row = pages.binary_search(&(store.address / PAGE)).expect("it is among them");
            counts[row * columns + position] += 1;
        }
        let heat = Heat { columns, rows, counts, events: events.len() as u64 };
        Ok(Picture { heat, pages, gaps: self.gap.into_iter().collect() })
    }

    fn function_named(&self, _: Side, name: &str) -> Option<FuncIndex> {
        match name {
            "mix" | "3" => Some(FuncIndex(3)),
            "flush" | "4" => Some(FuncIndex(4)),
            _ => None,
        }
    }

    fn wat(&mut self, side: Side, func: FuncIndex) -> Code {
        let stores: &[u32] = if func.0 == 3 { &[0x1b2, 0x1c4] } else { &[0x2e1] };
        let first = stores[0] - 20;
        let head = CodeLine {
            offset: None,
            margin: String::new(),
            text: format!("{}(func ${} (param i32)", self.prefix, self.function_name(side, func)),
            recorder: false,
        };
        let body =
            (first..first + 60).filter(|offset| offset % 2 == 0 || stores.contains(offset)).map(|offset| CodeLine {
                offset: Some(CodeOffset(offset)),
                margin: format!("{offset:x}"),
                text: match stores.iter().position(|store| *store == offset) {
                    Some(0) => "  i32.store offset=8".to_string(),
                    Some(_) => "  i32.store8".to_string(),
                    None => format!("  local.get {}", offset % 5),
                },
                recorder: false,
            });
        std::iter::once(head).chain(body).collect()
    }

    fn record(
        &mut self,
        _: Side,
        _: Position,
        _: &dyn EventSource,
        _: &dyn Fn(Position) -> bool,
    ) -> Result<Option<Arc<dyn Outline>>, String> {
        Err("a made-up trace has no recording".to_string())
    }

    fn native(&mut self, side: Side, func: FuncIndex) -> Code {
        let Some(place) = self.run(side).and_then(|_| store(if func.0 == 3 { 2 } else { 50 }).place) else {
            return Code::from([]);
        };
        let line = |(i, text): (u64, &str)| CodeLine {
            offset: (3..6).contains(&i).then_some(place.offset),
            margin: format!("{:x}", 0x4100 + 4 * i),
            text: text.to_string(),
            recorder: i == 4 || i == 5,
        };
        let store = match side {
            Side::Lhs => "mov dword ptr [r9 + rcx + 8], edi",
            Side::Rhs => "movbe dword ptr [rdx + rax + 8], esi",
        };
        let text =
            ["push rbp", "mov rbp, rsp", "mov ecx, edi", store, "mov qword ptr [r8], rcx", "add r8, 12", "ret"];
        (0..).zip(text).map(line).collect()
    }

    fn set_progress(&mut self, progress: Arc<Reached>) {
        self.progress = Some(progress);
    }
}
