//! What is known of real traces without reading: how their events line up, and the module's symbols.

use crate::traces::{CodePlace, Info, Outline, Parting};
use forkpoint_replay::{
    Activation, Alignment, CallFrame, CallWindow, Divergence, Item, Pair, Side, SourceFrame, Symbols, Timeline,
    Variable, printable, stack_variable,
};
use forkpoint_traces::{CodeOffset, FuncIndex, MemoryIndex, Position};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Builder;

/// What is known of one trace or two without reading them.
pub(crate) struct TraceOutline {
    pair: bool,
    infos: [Info; 2],
    alignment: Alignment,
    parting: Option<Parting>,
    /// Of each side's module.
    symbols: [Arc<Symbols>; 2],
    /// Whether debug information has been read, so that looking up a source line takes no time.
    lines: Arc<AtomicBool>,
}

impl TraceOutline {
    /// An outline of traces with this alignment that part there.
    pub(crate) fn new(
        infos: [Info; 2],
        pair: bool,
        alignment: Alignment,
        parting: Option<Parting>,
        symbols: [Arc<Symbols>; 2],
    ) -> TraceOutline {
        TraceOutline { pair, infos, alignment, parting, symbols, lines: Arc::default() }
    }

    /// The same where the traces hold more events.
    pub(crate) fn realigned(&self, alignment: Alignment, parting: Option<Parting>) -> TraceOutline {
        let (infos, symbols, lines) = (self.infos.clone(), self.symbols.clone(), Arc::clone(&self.lines));
        TraceOutline { pair: self.pair, infos, alignment, parting, symbols, lines }
    }

    /// Reads the module's debug information on another thread: for a large module that takes seconds, and until then
    /// frames lack source lines.
    pub(crate) fn read_lines(&self, sites: [CodeOffset; 2]) {
        let (symbols, lines) = (self.symbols.clone(), Arc::clone(&self.lines));
        let read = move || {
            for (symbols, site) in symbols.iter().zip(sites) {
                symbols.source(site);
                symbols.variable(MemoryIndex(0), &(0..1));
                symbols.frame_bases();
            }
            lines.store(true, Ordering::Release);
        };
        if Builder::new().name("forkpoint symbols".to_string()).spawn(read).is_err() {
            // Without a thread, the first frame that needs a line waits for it.
            self.lines.store(true, Ordering::Release);
        }
    }
}

impl Parting {
    /// Where the divergence of two traces is.
    pub(crate) fn of(divergence: &Divergence, alignment: &Alignment) -> Parting {
        Parting {
            verdict: divergence.verdict.to_string(),
            row: alignment.row_of_lhs(divergence.position),
            resync: divergence.resync.map(|resync| alignment.row_of_lhs(resync.lhs)),
        }
    }
}

/// What a trace's titles show.
pub(crate) fn info(name: &str, timeline: &Timeline) -> Info {
    let trace = timeline.trace();
    let engine = &trace.header().engine;
    let engine =
        if engine.spec.is_empty() { format!("{} {}", engine.name, engine.mode) } else { engine.spec.clone() };
    Info {
        name: printable(name),
        module: printable(&trace.header().module.name),
        engine: printable(&engine),
        events: trace.events(),
        incomplete: !trace.is_complete(),
    }
}

impl Outline for TraceOutline {
    fn is_pair(&self) -> bool {
        self.pair
    }

    fn are_builds(&self) -> bool {
        self.alignment.is_of_builds()
    }

    fn info(&self, side: Side) -> &Info {
        &self.infos[side.index()]
    }

    fn parting(&self) -> Option<&Parting> {
        self.parting.as_ref()
    }

    fn rows(&self) -> u64 {
        self.alignment.rows()
    }

    fn row(&self, row: u64) -> Pair {
        self.alignment.row(row)
    }

    fn row_of(&self, side: Side, position: Position) -> u64 {
        match side {
            Side::Lhs => self.alignment.row_of_lhs(position),
            Side::Rhs => self.alignment.row_of_rhs(position),
        }
    }

    fn is_left_out(&self, row: u64) -> bool {
        self.alignment.is_left_out(row)
    }

    fn beside(&self, side: Side, position: Position) -> Option<Position> {
        self.alignment.beside(side, position)
    }

    fn memory_name(&self, memory: MemoryIndex) -> String {
        self.symbols[0].item(Item::Memory, memory.0)
    }

    fn function_name(&self, side: Side, func: FuncIndex) -> String {
        self.symbols[side.index()].function_name(func)
    }

    fn own_offset(&self, side: Side, offset: CodeOffset) -> CodeOffset {
        self.symbols[side.index()].own_offset(offset)
    }

    fn source_line(&self, side: Side, offset: CodeOffset) -> Option<String> {
        if self.is_loading() {
            return None;
        }
        let frame = self.symbols[side.index()].source(offset).into_iter().next()?;
        let file = frame.file?;
        // The file's name is enough on a status line.
        let name = file.rsplit(['/', '\\']).next().unwrap_or(&file).to_string();
        Some(frame.line.map_or(name.clone(), |line| format!("{name}:{line}")))
    }

    fn variable(&self, side: Side, memory: MemoryIndex, bytes: Range<u64>) -> Option<Variable> {
        if self.is_loading() { None } else { self.symbols[side.index()].variable(memory, &bytes) }
    }

    fn written(&self, side: Side, place: CodePlace, memory: MemoryIndex, bytes: Range<u64>) -> Option<Variable> {
        if self.is_loading() { None } else { self.symbols[side.index()].written(place.offset, memory, &bytes) }
    }

    fn variable_named(&self, side: Side, name: &str) -> Option<(MemoryIndex, u64)> {
        let (memory, bytes) = self.symbols[side.index()].variable_named(name).filter(|_| !self.is_loading())?;
        Some((memory, bytes.start))
    }

    fn source_frames(&self, side: Side, offset: CodeOffset) -> Vec<SourceFrame> {
        if self.is_loading() { Vec::new() } else { self.symbols[side.index()].source(offset) }
    }

    fn source_text(&self, side: Side, path: &str) -> Option<Arc<str>> {
        self.symbols[side.index()].source_text(path).cloned()
    }

    fn call_frames(
        &self,
        side: Side,
        window: &CallWindow,
        at: Position,
        place: Option<CodePlace>,
    ) -> (Vec<CallFrame>, u64) {
        if self.is_loading() {
            return (Vec::new(), window.depth(at).unwrap_or(0));
        }
        CallFrame::stack(window, &self.symbols[side.index()], at, place.map(Into::into)).unwrap_or_default()
    }

    fn stack_variable(
        &self,
        side: Side,
        window: &CallWindow,
        at: Position,
        place: Option<CodePlace>,
        bytes: (MemoryIndex, &Range<u64>),
    ) -> Option<String> {
        if self.is_loading() {
            return None;
        }
        stack_variable(window, &self.symbols[side.index()], at, place.map(Into::into), bytes)
    }

    fn call_text(&self, side: Side, activation: &Activation) -> String {
        activation.text(&self.symbols[side.index()])
    }

    fn region(&self, side: Side, memory: MemoryIndex, address: u64) -> Option<String> {
        self.symbols[side.index()].region_label(memory, address)
    }

    fn is_loading(&self) -> bool {
        !self.lines.load(Ordering::Acquire)
    }
}
