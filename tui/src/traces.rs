//! What the viewer needs to know about one trace or two, and nothing more.
//!
//! The screen is written against two traits. An [`Outline`] answers at once and is always there; [`Traces`] are read,
//! have one owner, and are away during an errand. `outline.rs` and `timelines.rs` implement them over real traces,
//! the tests over a few hundred made-up events. Invariant: every text that they return is free of control characters,
//! because a trace comes from a stranger and a terminal obeys.

use crate::picture::Picture;
use forkpoint_replay::{
    Activation, Appearance, CallFrame, CallWindow, Differing, EventFilter, EventSource, Pair, ReplayError, Side,
    SourceFrame, TypedValue, Variable, WhyReport,
};
use forkpoint_traces::{CodeOffset, FuncIndex, Loads, MemoryIndex, PAGE, Place, Position};
use std::ops::Range;
use std::sync::Arc;

/// The direction of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// To later positions.
    Forward,
    /// To earlier positions.
    Backward,
}

/// What two events may have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alike {
    /// They are of the same function.
    Function,
    /// They are of the same instruction.
    Site,
    /// They are of the same kind.
    Kind,
    /// They begin to write in the same 4 KiB page.
    Page,
}

/// An event to search for, by what it has in common with another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Like {
    /// Events of a function.
    Function(FuncIndex),
    /// Events of an instruction.
    Site(CodeOffset),
    /// Events of a kind.
    Kind(&'static str),
    /// Events that write to these bytes: first and one past the last.
    Bytes(MemoryIndex, u64, u64),
}

impl Alike {
    /// What the events have in common, in words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Alike::Function => "the same function",
            Alike::Site => "the same instruction",
            Alike::Kind => "the same kind",
            Alike::Page => "the same page of memory",
        }
    }

    /// What to search for from an event; `None` if it has nothing of the kind.
    pub(crate) fn like(self, event: &EventLine) -> Option<Like> {
        match self {
            Alike::Function => event.place.map(|place| Like::Function(place.func)),
            Alike::Site => event.place.map(|place| Like::Site(place.offset)),
            Alike::Kind => event.kind.map(Like::Kind),
            Alike::Page => event.written.map(|(memory, address, _)| {
                let start = address / PAGE * PAGE;
                Like::Bytes(memory, start, start.saturating_add(PAGE))
            }),
        }
    }
}

/// What a trace's titles show.
#[derive(Debug, Clone, Default)]
pub(crate) struct Info {
    /// The trace's file name.
    pub(crate) name: String,
    /// The module's file name.
    pub(crate) module: String,
    /// Engine and mode.
    pub(crate) engine: String,
    /// Number of events.
    pub(crate) events: u64,
    /// Whether the recording was cut off.
    pub(crate) incomplete: bool,
}

/// Where the two runs part.
#[derive(Debug, Clone)]
pub(crate) struct Parting {
    /// The verdict in one word.
    pub(crate) verdict: String,
    /// The row of the first unequal pair.
    pub(crate) row: u64,
    /// The row from which on they agree again.
    pub(crate) resync: Option<u64>,
}

/// An instruction of the original module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CodePlace {
    /// The function.
    pub(crate) func: FuncIndex,
    /// The instruction.
    pub(crate) offset: CodeOffset,
}

impl From<CodePlace> for Place {
    fn from(place: CodePlace) -> Place {
        Place { func: place.func, offset: Some(place.offset) }
    }
}

/// One event, ready to be shown.
#[derive(Debug, Clone)]
pub(crate) struct EventLine {
    /// Mnemonic, address, bytes.
    pub(crate) text: String,
    /// The word for its kind; `None` for events that are left out.
    pub(crate) kind: Option<&'static str>,
    /// What the bytes mean.
    pub(crate) value: Option<TypedValue>,
    /// The instruction, if there is one.
    pub(crate) place: Option<CodePlace>,
    /// The bytes it wrote: memory, first address, length.
    pub(crate) written: Option<(MemoryIndex, u64, u64)>,
    /// The variable that these are, or part of.
    pub(crate) variable: Option<String>,
}

impl EventLine {
    /// The same with only what the bytes mean; `None` if that is unknown.
    pub(crate) fn without_bytes(&self) -> Option<EventLine> {
        self.value.as_ref()?;
        let (text, _) = self.text.split_once(" <- ")?;
        Some(EventLine { text: text.to_string(), ..self.clone() })
    }
}

/// A line of code, text format or native.
#[derive(Debug, Clone)]
pub(crate) struct CodeLine {
    /// The instruction of the module that it is or belongs to.
    pub(crate) offset: Option<CodeOffset>,
    /// The margin: an offset or a native address.
    pub(crate) margin: String,
    /// The code.
    pub(crate) text: String,
    /// Whether the recorder added it.
    pub(crate) recorder: bool,
}

/// Lines of code, shared so that a frame does not copy a function of a hundred thousand lines.
pub(crate) type Code = Arc<[CodeLine]>;

/// What to search for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Query {
    /// Events that write this byte of the memory on screen.
    Address(u64),
    /// Events whose function, mnemonic or kind contains this, in lower case.
    Text(String),
    /// Events that match an expression.
    Filter(EventFilter),
}

/// Called with the position that long work has reached; returns whether to give up.
pub(crate) type Reached = dyn Fn(Position) -> bool + Send + Sync;

/// What is known of one trace or two in lockstep without reading, shared by screen and errands.
///
/// Rows are what is on screen: an event of either side or of both. A side that does not exist behaves like an empty
/// trace.
pub(crate) trait Outline: Send + Sync {
    /// Whether there are two traces.
    fn is_pair(&self) -> bool;
    /// Whether these are of different modules.
    fn are_builds(&self) -> bool;
    /// What a side's titles show.
    fn info(&self, side: Side) -> &Info;
    /// Where the runs part, `None` if they agree and for a single trace.
    fn parting(&self) -> Option<&Parting>;
    /// Number of rows.
    fn rows(&self) -> u64;
    /// The events of a row.
    fn row(&self, row: u64) -> Pair;
    /// The row of a position.
    fn row_of(&self, side: Side, position: Position) -> u64;
    /// Whether a row stands for events that a trace leaves out.
    fn is_left_out(&self, row: u64) -> bool;
    /// The position on the other side that a position has beside it, whether they are left out or not.
    fn beside(&self, side: Side, position: Position) -> Option<Position>;
    /// A memory, by its name if it has one.
    fn memory_name(&self, memory: MemoryIndex) -> String;
    /// The name of a function of a side's module.
    fn function_name(&self, side: Side, func: FuncIndex) -> String;
    /// An offset as one in its own module.
    fn own_offset(&self, side: Side, offset: CodeOffset) -> CodeOffset;
    /// File and line an instruction of a side's module was compiled from; `None` while that is read for the first time.
    fn source_line(&self, side: Side, offset: CodeOffset) -> Option<String>;
    /// The variable of a side's module that holds these bytes; `None` while that is read for the first time.
    fn variable(&self, side: Side, memory: MemoryIndex, bytes: Range<u64>) -> Option<Variable>;
    /// What an instruction of a side's module writes to these bytes, as far as it tells; `None` while that is read for the first time.
    fn written(&self, side: Side, place: CodePlace, memory: MemoryIndex, bytes: Range<u64>) -> Option<Variable>;
    /// Memory and first byte of the variable with this name.
    fn variable_named(&self, side: Side, name: &str) -> Option<(MemoryIndex, u64)>;
    /// Where an instruction comes from, innermost function first; empty while that is read for the first time.
    fn source_frames(&self, side: Side, offset: CodeOffset) -> Vec<SourceFrame>;
    /// The text of a source file, where the module's source map has it.
    fn source_text(&self, side: Side, path: &str) -> Option<Arc<str>>;
    /// What is active at an event at a place, innermost first, and how many that is; empty while what that takes is read.
    fn call_frames(
        &self,
        side: Side,
        window: &CallWindow,
        at: Position,
        place: Option<CodePlace>,
    ) -> (Vec<CallFrame>, u64);
    /// The variable on the stack that holds these bytes at an event at a place; `None` while what that takes is read.
    fn stack_variable(
        &self,
        side: Side,
        window: &CallWindow,
        at: Position,
        place: Option<CodePlace>,
        bytes: (MemoryIndex, &Range<u64>),
    ) -> Option<String>;
    /// An activation as a call is written, with what it returned.
    fn call_text(&self, side: Side, activation: &Activation) -> String;
    /// What a byte of memory is for.
    fn region(&self, side: Side, memory: MemoryIndex, address: u64) -> Option<String>;
    /// Whether something that a frame could show is still being read in the background.
    fn is_loading(&self) -> bool;
}

/// The events of one trace or two, and memory at a position of each.
///
/// A side that does not exist behaves like an empty trace.
pub(crate) trait Traces: Send {
    /// Whether both events of a row are equal; always true for a single trace.
    fn is_equal(&mut self, row: u64) -> Result<bool, ReplayError>;
    /// The nearest row with unequal events: from `row` on, or before `row`. Rows whose events are all ignored are passed over.
    fn mismatch(
        &mut self,
        row: u64,
        direction: Direction,
        ignored: Option<&EventFilter>,
    ) -> Result<Option<u64>, ReplayError>;
    /// The stretches with unequal events, at most so many, and whether there are more.
    fn differing(
        &mut self,
        most: usize,
        ignored: Option<&EventFilter>,
    ) -> Result<(Vec<Differing>, bool), ReplayError>;
    /// The nearest event that matches: from `at` on, or before `at`.
    fn matching(
        &mut self,
        side: Side,
        filter: &EventFilter,
        at: Position,
        direction: Direction,
    ) -> Result<Option<Position>, ReplayError>;
    /// The calls of the host in words, at most so many.
    fn host_calls(&mut self, side: Side, most: usize) -> Result<Vec<(Position, String)>, ReplayError>;
    /// The first event from `from` on that completes these bytes somewhere in memory.
    fn appearance(&mut self, side: Side, bytes: &[u8], from: Position) -> Result<Option<Appearance>, ReplayError>;
    /// The nearest place from an address on where these bytes stand.
    fn find_bytes(&self, side: Side, memory: MemoryIndex, bytes: &[u8], from: u64) -> Option<u64>;
    /// What carried a difference to the value at an address as a side has it, before the events at these positions, with what `loads`
    /// tells of what a side loaded before an event; `None` if there is no difference.
    fn why(
        &mut self,
        what: (Side, MemoryIndex, u64),
        moments: [Position; 2],
        loads: &mut dyn FnMut(Side, Position) -> Option<Loads>,
    ) -> Result<Option<WhyReport>, ReplayError>;
    /// The first events of a side in a stretch that its trace leaves out.
    fn left_out(&self, side: Side, stretch: Range<Position>) -> Option<Range<Position>>;
    /// The event at a position.
    fn event(&mut self, side: Side, position: Position) -> Result<EventLine, ReplayError>;
    /// The position of a side's memory.
    fn position(&self, side: Side) -> Position;
    /// Moves memory to its state before the event at `position`.
    fn seek(&mut self, side: Side, position: Position) -> Result<(), ReplayError>;
    /// How many memories a side has at the position of its last seek.
    fn memories(&self, side: Side) -> u32;
    /// Size of a memory in bytes, `None` if there is no such memory (yet).
    fn memory_bytes(&self, side: Side, memory: MemoryIndex) -> Option<u64>;
    /// Copies bytes of memory; what lies past the end is 0. Returns how many are inside.
    fn read(&self, side: Side, memory: MemoryIndex, address: u64, out: &mut [u8]) -> usize;
    /// The nearest event that wrote a byte: from `at` on, or before `at`.
    fn writer(
        &mut self,
        side: Side,
        memory: MemoryIndex,
        address: u64,
        at: Position,
        direction: Direction,
    ) -> Result<Option<Position>, ReplayError>;
    /// The nearest event whose function, mnemonic or kind contains `text`: from `at` on, or before `at`.
    fn find(
        &mut self,
        side: Side,
        text: &str,
        at: Position,
        direction: Direction,
    ) -> Result<Option<Position>, ReplayError>;
    /// The nearest event like this: from `at` on, or before `at`.
    fn nearest(
        &mut self,
        side: Side,
        like: Like,
        at: Position,
        direction: Direction,
    ) -> Result<Option<Position>, ReplayError>;
    /// Where and when a side writes to a memory.
    fn picture(&mut self, side: Side, memory: MemoryIndex) -> Result<Picture, ReplayError>;
    /// The function of a side's module with this name or index, if one with a memory-changing instruction has it.
    fn function_named(&self, side: Side, name: &str) -> Option<FuncIndex>;
    /// Has a side's recording run again for the events around a position, if it leaves them out, and reads that run from now on.
    /// Returns the new outline; `None` if it was stopped. `reached` is called now and then with the position that the run has come
    /// to, and says whether to stop.
    ///
    /// # Errors
    /// When they cannot be had: why not.
    fn record(
        &mut self,
        side: Side,
        position: Position,
        source: &dyn EventSource,
        reached: &dyn Fn(Position) -> bool,
    ) -> Result<Option<Arc<dyn Outline>>, String>;
    /// A function of a side's module in the text format, empty if it cannot be printed.
    fn wat(&mut self, side: Side, func: FuncIndex) -> Code;
    /// A function's native code, empty if the trace has none.
    fn native(&mut self, side: Side, func: FuncIndex) -> Code;
    /// Sets what is called now and then during long work, with the position reached: on `true` the work gives up with
    /// [`ReplayError::Cancelled`].
    fn set_progress(&mut self, progress: Arc<Reached>);
}

/// The sides that exist.
pub(crate) fn sides(outline: &dyn Outline) -> impl Iterator<Item = Side> + use<> {
    Side::BOTH.into_iter().take(if outline.is_pair() { 2 } else { 1 })
}

/// How many events a side has executed after `row`: as a position, the state *after* the row.
///
/// In a row without an event of that side, the side waits.
pub(crate) fn moment(outline: &dyn Outline, side: Side, row: u64) -> Position {
    if let Some(position) = outline.row(row).of(side) {
        // A row of events that are left out stands for all of them.
        return outline.row(row.saturating_add(1)).of(side).unwrap_or(position.next());
    }
    // Rows grow with positions, so the number of events up to `row` is found by bisection.
    let (mut low, mut high) = (0, outline.info(side).events);
    while low < high {
        let middle = low + (high - low) / 2;
        if outline.row_of(side, Position(middle)) <= row { low = middle + 1 } else { high = middle }
    }
    Position(low)
}
