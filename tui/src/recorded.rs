//! The [`Source`] over real traces: timelines, their alignment, and the module's symbols.

use crate::source::{Code, CodeLine, Direction, EventLine, Info, Parting, Place, Reached, Source};
use crate::{Run, TuiError};
use forkpoint_replay::{
    Alignment, Item, NanBits, Pair, ReplayError, Side, Symbols, Timeline, TypedValue, describe,
    describe_without_value, disassemble, first_divergence, place_of, printable,
};
use forkpoint_traces::{CodeOffset, Event, FuncIndex, MemoryIndex, Position, SiteId, SiteTable};
use std::collections::HashMap;
use std::sync::Arc;

/// Code of so many functions is kept.
const KEPT: usize = 16;

/// One trace or two.
pub(crate) struct Recorded {
    runs: Vec<Timeline>,
    infos: [Info; 2],
    alignment: Alignment,
    parting: Option<Parting>,
    symbols: Symbols,
    sites: Arc<SiteTable>,
    /// Rendered code by function and, for native code, side.
    code: HashMap<(FuncIndex, Option<Side>), Code>,
}

impl Recorded {
    /// Lines up two traces, or takes one.
    pub(crate) fn new(lhs: Run, rhs: Option<Run>) -> Result<Recorded, TuiError> {
        let mut infos = [info(&lhs), Info::default()];
        let module = Arc::clone(lhs.timeline.trace().module());
        let sites = Arc::clone(lhs.timeline.trace().sites());
        let mut runs = vec![lhs.timeline];
        let mut alignment = Alignment::single(runs[0].len());
        let mut parting = None;
        if let Some(rhs) = rhs {
            infos[1] = info(&rhs);
            runs.push(rhs.timeline);
            if let [lhs, rhs] = runs.as_mut_slice() {
                let divergence = first_divergence(lhs, rhs, NanBits::default())?.divergence;
                alignment = Alignment::new(lhs, rhs, divergence.as_ref());
                parting = divergence.map(|divergence| Parting {
                    verdict: divergence.verdict.to_string(),
                    row: divergence.position.0,
                    resync: divergence.resync.map(|resync| alignment.row_of_lhs(resync.lhs)),
                });
            }
        }
        let symbols = Symbols::new(module.to_vec());
        Ok(Recorded { runs, infos, alignment, parting, symbols, sites, code: HashMap::new() })
    }

    fn kept(&mut self, key: (FuncIndex, Option<Side>), make: impl FnOnce(&Recorded) -> Vec<CodeLine>) -> Code {
        if let Some(code) = self.code.get(&key) {
            return Arc::clone(code);
        }
        if self.code.len() >= KEPT {
            self.code.clear();
        }
        let code = Code::from(make(self));
        self.code.insert(key, Arc::clone(&code));
        code
    }

    fn native_lines(&self, side: Side, func: FuncIndex) -> Option<Vec<CodeLine>> {
        let trace = self.runs.get(side.index())?.trace();
        let one = |text: String| vec![CodeLine { offset: None, margin: String::new(), text, recorder: false }];
        let function = match trace.native_code(func) {
            Ok(function) => function?,
            Err(error) => return Some(one(printable(&error.to_string()))),
        };
        let target = trace.native_target()?;
        let lines = match disassemble(target, &function) {
            Ok(lines) => lines,
            Err(error) => return Some(one(printable(&error.to_string()))),
        };
        Some(
            lines
                .into_iter()
                .map(|line| CodeLine {
                    offset: line.site,
                    margin: format!("{:x}", line.address),
                    text: printable(&line.text),
                    recorder: line.recorder,
                })
                .collect(),
        )
    }
}

fn info(run: &Run) -> Info {
    let trace = run.timeline.trace();
    let engine = &trace.header().engine;
    let engine =
        if engine.spec.is_empty() { format!("{} {}", engine.name, engine.mode) } else { engine.spec.clone() };
    Info {
        name: printable(&run.name),
        module: printable(&trace.header().module.name),
        engine: printable(&engine),
        events: trace.events(),
        incomplete: !trace.is_complete(),
    }
}

impl Source for Recorded {
    fn is_pair(&self) -> bool {
        self.runs.len() == 2
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

    fn is_equal(&mut self, row: u64) -> Result<bool, ReplayError> {
        match self.runs.as_mut_slice() {
            [lhs, rhs] => self.alignment.is_equal(lhs, rhs, row),
            _ => Ok(true),
        }
    }

    fn mismatch(&mut self, row: u64, direction: Direction) -> Result<Option<u64>, ReplayError> {
        match (self.runs.as_mut_slice(), direction) {
            ([lhs, rhs], Direction::Forward) => self.alignment.next_mismatch(lhs, rhs, row),
            ([lhs, rhs], Direction::Backward) => self.alignment.previous_mismatch(lhs, rhs, row),
            _ => Ok(None),
        }
    }

    fn event(&mut self, side: Side, position: Position) -> Result<EventLine, ReplayError> {
        let event = self.runs[side.index()].event(position)?;
        Ok(EventLine {
            text: describe_without_value(&event, &self.sites, &self.symbols),
            value: TypedValue::of(&event, &self.sites, &self.symbols),
            place: place_of(&event, &self.sites).map(|(func, offset)| Place { func, offset }),
            written: event.written(),
        })
    }

    fn position(&self, side: Side) -> Position {
        self.runs.get(side.index()).map_or(Position(0), Timeline::position)
    }

    fn seek(&mut self, side: Side, position: Position) -> Result<(), ReplayError> {
        self.runs.get_mut(side.index()).map_or(Ok(()), |run| run.seek(position))
    }

    fn memories(&self, side: Side) -> u32 {
        self.runs.get(side.index()).map_or(0, |run| run.memory().memories())
    }

    fn memory_bytes(&self, side: Side, memory: MemoryIndex) -> Option<u64> {
        Some(self.runs.get(side.index())?.memory().size(memory)?.bytes())
    }

    fn read(&self, side: Side, memory: MemoryIndex, address: u64, out: &mut [u8]) -> usize {
        self.runs.get(side.index()).map_or(0, |run| run.memory().read(memory, address, out))
    }

    fn writer(
        &mut self,
        side: Side,
        memory: MemoryIndex,
        address: u64,
        at: Position,
        direction: Direction,
    ) -> Result<Option<Position>, ReplayError> {
        let byte = address..address.saturating_add(1);
        match (self.runs.get_mut(side.index()), direction) {
            (Some(run), Direction::Forward) => run.next_writer(memory, byte, at),
            (Some(run), Direction::Backward) => run.last_writer(memory, byte, at),
            (None, _) => Ok(None),
        }
    }

    fn find(
        &mut self,
        side: Side,
        text: &str,
        at: Position,
        direction: Direction,
    ) -> Result<Option<Position>, ReplayError> {
        let Some(run) = self.runs.get_mut(side.index()) else { return Ok(None) };
        // Names are looked at once per function, not once per event.
        let mut names: HashMap<FuncIndex, bool> = HashMap::new();
        let named = self.sites.iter().map(|(_, site)| {
            let named = names
                .entry(site.func)
                .or_insert_with(|| self.symbols.function_name(site.func).to_lowercase().contains(text));
            *named || site.op.mnemonic().contains(text)
        });
        // One entry per site number: this is looked at for every event on the way.
        let matching: Vec<bool> = std::iter::repeat_n(false, SiteId::FIRST.0 as usize).chain(named).collect();
        let (sites, symbols) = (Arc::clone(&self.sites), &self.symbols);
        let fits = |event: &Event| match event.site() {
            Some(site) => matching.get(site.0 as usize).copied().unwrap_or(false) || event.kind() == text,
            None => event.kind().contains(text) || describe(event, &sites, symbols).to_lowercase().contains(text),
        };
        let mut visit = |position: u64| Ok::<bool, ReplayError>(fits(&run.event(Position(position))?));
        match direction {
            Direction::Forward => first_that(at.0..self.infos[side.index()].events, &mut visit),
            Direction::Backward => first_that((0..at.0).rev(), &mut visit),
        }
    }

    fn memory_name(&self, memory: MemoryIndex) -> String {
        self.symbols.item(Item::Memory, memory.0)
    }

    fn function_name(&self, func: FuncIndex) -> String {
        self.symbols.function_name(func)
    }

    fn source_line(&self, offset: CodeOffset) -> Option<String> {
        let frame = self.symbols.source(offset).into_iter().next()?;
        let file = frame.file?;
        // The file's name is enough on a status line.
        let name = file.rsplit(['/', '\\']).next().unwrap_or(&file).to_string();
        Some(frame.line.map_or(name.clone(), |line| format!("{name}:{line}")))
    }

    fn wat(&mut self, func: FuncIndex) -> Code {
        self.kept((func, None), |recorded| {
            let lines = recorded.symbols.wat(func).map(|function| function.lines).unwrap_or_default();
            let margin =
                |offset: Option<CodeOffset>| offset.map_or(String::new(), |offset| format!("{:x}", offset.0));
            lines
                .into_iter()
                .map(|line| CodeLine {
                    offset: line.offset,
                    margin: margin(line.offset),
                    text: line.text,
                    recorder: false,
                })
                .collect()
        })
    }

    fn native(&mut self, side: Side, func: FuncIndex) -> Code {
        self.kept((func, Some(side)), |recorded| recorded.native_lines(side, func).unwrap_or_default())
    }

    fn set_progress(&mut self, progress: Arc<Reached>) {
        for run in &mut self.runs {
            let progress = Arc::clone(&progress);
            run.set_progress(move |position| progress(position));
        }
    }
}

fn first_that(
    mut positions: impl Iterator<Item = u64>,
    fits: &mut impl FnMut(u64) -> Result<bool, ReplayError>,
) -> Result<Option<Position>, ReplayError> {
    positions
        .find_map(|position| match fits(position) {
            Ok(true) => Some(Ok(Position(position))),
            Ok(false) => None,
            Err(error) => Some(Err(error)),
        })
        .transpose()
}
