//! Real traces, as the viewer reads them: timelines, their alignment, and the module's symbols.

mod recorded;

use crate::outline::{TraceOutline, info};
use crate::picture::{COLUMNS, Picture, ROWS};
use crate::traces::{Code, CodeLine, CodePlace, Direction, EventLine, Info, Like, Outline, Parting, Reached, Traces};
use crate::{Opened, TuiError};
use forkpoint_replay::{
    Alignment, Appearance, BoundFilter, Differing, EventFilter, EventSource, Found, Heat, NanBits, ReplayError, Side,
    Symbols, Timeline, TypedValue, WhyReport, align_builds, are_builds, describe, describe_without_value,
    disassemble, first_divergence, place_of, printable, value_around, why_by_loads, written_pages_of,
};
use forkpoint_traces::{CodeOffset, Event, FuncIndex, Loads, MemoryIndex, Position, RawEvent, SiteId, SiteTable};
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

/// Number of functions whose code is kept.
const KEPT: usize = 16;

/// One trace or two.
pub(crate) struct Timelines {
    sides: Vec<Timeline>,
    alignment: Alignment,
    /// Where two runs of one module part.
    parted: Found,
    outline: Arc<TraceOutline>,
    progress: Option<Arc<Reached>>,
    /// Of each side's module.
    symbols: [Arc<Symbols>; 2],
    sites: [Arc<SiteTable>; 2],
    /// Rendered code by function, side of its module or of its run, and whether it is native.
    code: HashMap<(FuncIndex, Side, bool), Code>,
}

impl Timelines {
    /// Takes one trace, or lines up two; reads only as much of them as it takes to find their first divergence.
    pub(crate) fn open(lhs: Opened, rhs: Option<Opened>) -> Result<(Arc<TraceOutline>, Timelines), TuiError> {
        let mut infos = [info(&lhs.name, &lhs.timeline), Info::default()];
        let mut sides = vec![lhs.timeline];
        let mut alignment = Alignment::single(&sides[0]);
        let (mut parting, mut parted) = (None, Found::default());
        if let Some(rhs) = rhs {
            infos[1] = info(&rhs.name, &rhs.timeline);
            sides.push(rhs.timeline);
            if let [lhs, rhs] = sides.as_mut_slice() {
                (alignment, parting, parted) = aligned(lhs, rhs)?;
            }
        }
        let symbols_of = |timeline: &Timeline| Arc::clone(timeline.symbols());
        let own = symbols_of(&sides[0]);
        let others = if alignment.is_of_builds() { symbols_of(&sides[1]) } else { Arc::clone(&own) };
        let symbols = [own, others];
        let site_tables = [0, sides.len() - 1].map(|side| Arc::clone(sides[side].trace().sites()));
        let outline = TraceOutline::new(infos, sides.len() == 2, alignment.clone(), parting, symbols.clone());
        let first = |sites: &Arc<SiteTable>| sites.iter().next().map_or(CodeOffset(0), |(_, site)| site.offset);
        outline.read_lines(site_tables.each_ref().map(first));
        let outline = Arc::new(outline);
        let shared = Arc::clone(&outline);
        let (sites, code, progress) = (site_tables, HashMap::new(), None);
        Ok((shared, Timelines { sides, alignment, parted, outline, progress, symbols, sites, code }))
    }

    fn kept(&mut self, key: (FuncIndex, Side, bool), make: impl FnOnce(&Timelines) -> Vec<CodeLine>) -> Code {
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

    /// A filter for each side.
    fn bound(&self, filter: &EventFilter) -> [BoundFilter; 2] {
        [0, 1].map(|side| filter.bind(&self.sites[side], &self.symbols[side]))
    }

    fn native_lines(&self, side: Side, func: FuncIndex) -> Option<Vec<CodeLine>> {
        let trace = self.sides.get(side.index())?.trace();
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

/// How two traces line up, and where they part.
fn aligned(lhs: &mut Timeline, rhs: &mut Timeline) -> Result<(Alignment, Option<Parting>, Found), TuiError> {
    if are_builds(lhs, rhs) {
        let (alignment, unlike) = align_builds(lhs, rhs, NanBits::default())?;
        let parting = unlike.map(|(verdict, row)| Parting { verdict: verdict.to_string(), row, resync: None });
        return Ok((alignment, parting, Found::default()));
    }
    let parted = first_divergence(lhs, rhs, NanBits::default())?;
    let alignment = Alignment::new(lhs, rhs, parted.divergence.as_ref());
    let parting = parted.divergence.as_ref().map(|divergence| Parting::of(divergence, &alignment));
    Ok((alignment, parting, parted))
}

impl Traces for Timelines {
    fn is_equal(&mut self, row: u64) -> Result<bool, ReplayError> {
        match self.sides.as_mut_slice() {
            [lhs, rhs] => self.alignment.is_equal(lhs, rhs, row),
            _ => Ok(true),
        }
    }

    fn mismatch(
        &mut self,
        row: u64,
        direction: Direction,
        ignored: Option<&EventFilter>,
    ) -> Result<Option<u64>, ReplayError> {
        let bound = ignored.map(|filter| self.bound(filter));
        let ignored = bound.as_ref().map(|bound| bound.each_ref());
        match (self.sides.as_mut_slice(), direction) {
            ([lhs, rhs], Direction::Forward) => self.alignment.next_mismatch_but(lhs, rhs, row, ignored),
            ([lhs, rhs], Direction::Backward) => self.alignment.previous_mismatch_but(lhs, rhs, row, ignored),
            _ => Ok(None),
        }
    }

    fn differing(
        &mut self,
        most: usize,
        ignored: Option<&EventFilter>,
    ) -> Result<(Vec<Differing>, bool), ReplayError> {
        let bound = ignored.map(|filter| self.bound(filter));
        let ignored = bound.as_ref().map(|bound| bound.each_ref());
        match self.sides.as_mut_slice() {
            [lhs, rhs] => self.alignment.differing(lhs, rhs, most, ignored),
            _ => Ok((Vec::new(), false)),
        }
    }

    fn matching(
        &mut self,
        side: Side,
        filter: &EventFilter,
        at: Position,
        direction: Direction,
    ) -> Result<Option<Position>, ReplayError> {
        let bound = filter.bind(&self.sites[side.index()], &self.symbols[side.index()]);
        match (self.sides.get_mut(side.index()), direction) {
            (Some(run), Direction::Forward) => run.next_match(&bound, at),
            (Some(run), Direction::Backward) => run.last_match(&bound, at),
            (None, _) => Ok(None),
        }
    }

    fn host_calls(&mut self, side: Side, most: usize) -> Result<Vec<(Position, String)>, ReplayError> {
        let Some(run) = self.sides.get_mut(side.index()) else { return Ok(Vec::new()) };
        let (sites, symbols) = (&self.sites[side.index()], &self.symbols[side.index()]);
        let filter = EventFilter::host_calls().bind(sites, symbols);
        let (mut calls, mut at) = (Vec::new(), Position(0));
        while calls.len() < most
            && let Some(position) = run.next_match(&filter, at)?
        {
            let event = run.event(position)?;
            calls.push((position, describe(&event, sites, symbols)));
            at = position.next();
        }
        Ok(calls)
    }

    fn appearance(&mut self, side: Side, bytes: &[u8], from: Position) -> Result<Option<Appearance>, ReplayError> {
        self.sides.get_mut(side.index()).map_or(Ok(None), |run| run.next_appearance(bytes, from))
    }

    fn find_bytes(&self, side: Side, memory: MemoryIndex, bytes: &[u8], from: u64) -> Option<u64> {
        self.sides.get(side.index())?.find_bytes(memory, bytes, from)
    }

    fn why(
        &mut self,
        (side, memory, address): (Side, MemoryIndex, u64),
        moments: [Position; 2],
        loads: &mut dyn FnMut(Side, Position) -> Option<Loads>,
    ) -> Result<Option<WhyReport>, ReplayError> {
        let [lhs, rhs] = self.sides.as_mut_slice() else { return Ok(None) };
        let timeline = if side == Side::Lhs { &mut *lhs } else { &mut *rhs };
        let value = value_around(timeline, memory, address, moments[side.index()])?;
        let mut told = |_: &mut Timeline, side: Side, at: Position| loads(side, at);
        let answer = why_by_loads(lhs, rhs, &self.parted, memory, value, moments, &mut told)?;
        answer.map(|answer| WhyReport::new(&answer, lhs, rhs)).transpose()
    }

    fn left_out(&self, side: Side, stretch: Range<Position>) -> Option<Range<Position>> {
        let mut gaps = self.sides.get(side.index())?.trace().gaps();
        gaps.find(|gap| gap.start < stretch.end && stretch.start < gap.end)
    }

    fn event(&mut self, side: Side, position: Position) -> Result<EventLine, ReplayError> {
        if let Some(gap) = self.sides[side.index()].trace().gap(position) {
            let (count, last) = (gap.end.0 - position.0, Position(gap.end.0 - 1));
            let text = format!("{count} events up to {last} are left out");
            return Ok(EventLine { text, kind: None, value: None, place: None, written: None, variable: None });
        }
        let event = self.sides[side.index()].event(position)?;
        let (sites, symbols) = (&self.sites[side.index()], &self.symbols[side.index()]);
        Ok(EventLine {
            text: describe_without_value(&event, sites, symbols),
            kind: Some(event.kind()),
            value: TypedValue::of(&event, sites, symbols),
            place: place_of(&event, sites).map(|(func, offset)| CodePlace { func, offset }),
            written: event.written(),
            variable: None,
        })
    }

    fn position(&self, side: Side) -> Position {
        self.sides.get(side.index()).map_or(Position(0), Timeline::position)
    }

    fn seek(&mut self, side: Side, position: Position) -> Result<(), ReplayError> {
        self.sides.get_mut(side.index()).map_or(Ok(()), |run| run.seek(position))
    }

    fn memories(&self, side: Side) -> u32 {
        self.sides.get(side.index()).map_or(0, |run| run.memory().memories())
    }

    fn memory_bytes(&self, side: Side, memory: MemoryIndex) -> Option<u64> {
        Some(self.sides.get(side.index())?.memory().size(memory)?.bytes())
    }

    fn read(&self, side: Side, memory: MemoryIndex, address: u64, out: &mut [u8]) -> usize {
        self.sides.get(side.index()).map_or(0, |run| run.memory().read(memory, address, out))
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
        match (self.sides.get_mut(side.index()), direction) {
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
        let Some(run) = self.sides.get_mut(side.index()) else { return Ok(None) };
        // Names are looked up once per function, not once per event.
        let mut names: HashMap<FuncIndex, bool> = HashMap::new();
        let (sites, symbols) = (Arc::clone(&self.sites[side.index()]), Arc::clone(&self.symbols[side.index()]));
        let named = sites.iter().map(|(id, site)| {
            let named = names
                .entry(site.func)
                .or_insert_with(|| symbols.function_name(site.func).to_lowercase().contains(text));
            let kind = || Event::read(&RawEvent::instruction(id, [0; 3]), &sites).map(|event| event.kind());
            *named || site.op.mnemonic().contains(text) || kind().is_ok_and(|kind| kind == text)
        });
        // One entry per site number: it is looked up for every event on the way.
        let matching: Vec<bool> = std::iter::repeat_n(false, SiteId::FIRST.0 as usize).chain(named).collect();
        // Instructions go by their site alone, so their values do not matter.
        let fits = |raw: &RawEvent| {
            if let Some(matching) = matching.get(raw.site.0 as usize).filter(|_| raw.site.is_instruction()) {
                return Ok(*matching);
            }
            let event = Event::read(raw, &sites)?;
            Ok(event.kind().contains(text) || describe(&event, &sites, &symbols).to_lowercase().contains(text))
        };
        match direction {
            Direction::Forward => run.next_that(at, fits),
            Direction::Backward => run.last_that(at, fits),
        }
    }

    fn nearest(
        &mut self,
        side: Side,
        like: Like,
        at: Position,
        direction: Direction,
    ) -> Result<Option<Position>, ReplayError> {
        let Some(run) = self.sides.get_mut(side.index()) else { return Ok(None) };
        if let Like::Bytes(memory, start, end) = like {
            return match direction {
                Direction::Forward => run.next_writer(memory, start..end, at),
                Direction::Backward => run.last_writer(memory, start..end, at),
            };
        }
        let sites = Arc::clone(&self.sites[side.index()]);
        let fits = |raw: &RawEvent| {
            let site = || sites.get(raw.site).filter(|_| raw.site.is_instruction());
            match like {
                Like::Function(func) => Ok(site().is_some_and(|site| site.func == func)),
                Like::Site(offset) => Ok(site().is_some_and(|site| site.offset == offset)),
                Like::Kind(kind) => match site() {
                    Some(site) => Ok(Event::kind_of(site.op) == kind),
                    None => Ok(Event::read(raw, &sites)?.kind() == kind),
                },
                Like::Bytes(..) => Ok(false),
            }
        };
        match direction {
            Direction::Forward => run.next_that(at, fits),
            Direction::Backward => run.last_that(at, fits),
        }
    }

    fn picture(&mut self, side: Side, memory: MemoryIndex) -> Result<Picture, ReplayError> {
        let Some(run) = self.sides.get_mut(side.index()) else {
            return Ok(Picture {
                heat: Heat { columns: 1, rows: 1, counts: vec![0], events: 0 },
                pages: Vec::new(),
                gaps: Vec::new(),
            });
        };
        let pages: Vec<u64> = written_pages_of(run, memory)?.into_iter().collect();
        let columns = run.len().clamp(1, COLUMNS) as usize;
        let heat = Heat::of(run, memory, &pages, columns, pages.len().min(ROWS))?;
        let gaps = run.trace().gaps().map(|gap| (gap.start.0, gap.end.0)).collect();
        Ok(Picture { heat, pages, gaps })
    }

    fn function_named(&self, side: Side, name: &str) -> Option<FuncIndex> {
        let bare = name.trim_start_matches('$');
        let index = bare.parse().ok().map(FuncIndex);
        let functions: BTreeSet<FuncIndex> = self.sites[side.index()].iter().map(|(_, site)| site.func).collect();
        functions.into_iter().find(|func| match index {
            Some(index) => *func == index,
            None => self.symbols[side.index()].function_name(*func).trim_start_matches('$') == bare,
        })
    }

    fn wat(&mut self, side: Side, func: FuncIndex) -> Code {
        // Two runs of one module share its text.
        let side = if self.alignment.is_of_builds() { side } else { Side::Lhs };
        self.kept((func, side, false), |timelines| {
            let symbols = &timelines.symbols[side.index()];
            let lines = symbols.wat(func).map(|function| function.lines).unwrap_or_default();
            let margin = |offset: Option<CodeOffset>| {
                offset.map_or(String::new(), |offset| format!("{:x}", symbols.own_offset(offset).0))
            };
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
        self.kept((func, side, true), |timelines| timelines.native_lines(side, func).unwrap_or_default())
    }

    fn record(
        &mut self,
        side: Side,
        position: Position,
        source: &dyn EventSource,
        reached: &dyn Fn(Position) -> bool,
    ) -> Result<Option<Arc<dyn Outline>>, String> {
        self.record_again(side, position, source, reached)
    }

    fn set_progress(&mut self, progress: Arc<Reached>) {
        self.progress = Some(Arc::clone(&progress));
        for run in &mut self.sides {
            let progress = Arc::clone(&progress);
            run.set_progress(move |position| progress(position));
        }
    }
}
