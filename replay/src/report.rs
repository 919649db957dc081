//! A comparison in words and in data: what a bug report quotes and what `--json` prints.

mod ended;
mod places;
mod text;

use crate::allowed::{Allowed, allowed, trapped_otherwise};
use crate::describe::{describe, describe_with_place};
use crate::divergence::{Divergence, Found, MemoryEffect, both_observed, first_divergence};
use crate::error::ReplayError;
use crate::limits::PageLimit;
use crate::machine;
use crate::nan::NanBits;
use crate::side::Side;
use crate::signature::EventShape;
use crate::symbols::{Item, Symbols, printable, printable_lines};
use crate::timeline::Timeline;
use crate::typed::TypedValue;
use crate::verdict::Verdict;
pub use ended::BetweenReport;
use forkpoint_traces::{Event, FuncIndex, Hex, HostEvent, Milestone, Outcome, Position, SiteTable};
use places::{site_of, writer};
use serde::{Serialize, Serializer};
use std::sync::Arc;
use wasmparser::{Parser, Payload, TypeRef};

/// What two traces have to say about each other. Its JSON form is documented in `docs/json.md`.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Whether all events are equal and both runs were recorded to their end. `None`: no answer, see `reason`.
    pub agree: Option<bool>,
    /// Why there is no answer.
    pub reason: Option<String>,
    /// Whether both engines accepted less than it takes to run the module: they agree in that, and nothing ran.
    pub nothing_ran: bool,
    /// What of the program did not run under these engines, so that agreement says nothing about it: as sentences.
    pub not_asked: Vec<String>,
    /// The class of the divergence.
    pub verdict: Option<Verdict>,
    /// The class in words.
    pub meaning: Option<&'static str>,
    /// Position of the first unequal pair.
    pub position: Option<u64>,
    /// Where in the module: where a run trapped, crashed or was ended, whichever side did; else the instruction of the
    /// left event, or of the right one.
    pub site: Option<SiteReport>,
    /// Where a run ended whose engine does not say where.
    pub between: Option<BetweenReport>,
    /// Index of the memory written.
    pub memory: Option<u32>,
    /// Its name, where the module has one.
    pub memory_name: Option<String>,
    /// First address shown in `before` and each side's `after`.
    pub address: Option<u64>,
    /// What memory held there before, in hexadecimal.
    pub before: Option<Hex<Vec<u8>>>,
    /// Who wrote these bytes before.
    pub last_writer: Option<EventReport>,
    /// What memory held where the right event wrote, when that is not near the place above.
    pub elsewhere: Option<PlaceReport>,
    /// The store that is not what memory holds, or that memory should still hold.
    pub culprit: Option<CulpritReport>,
    /// The event with which memory changed without saying so, where a second run found it.
    pub during: Option<CulpritReport>,
    /// The host call in which the runs diverge, where they do so in the middle of one.
    pub host_call: Option<String>,
    /// Events before the divergence that differ in NaN bits only.
    pub nan_bits: Option<NanReport>,
    /// Whether the specification allows the difference: null where nothing says so.
    pub allowed: Option<Allowed>,
    /// Where the runs agree again: left and right position.
    pub resync: Option<[u64; 2]>,
    /// Whether the events from there on are equal, or only the instructions; `None` without a resync.
    pub resync_equal: Option<bool>,
    /// What the specification says of the module, with the proposals that the left run was told.
    pub specification: String,
    /// That the machine may have refused what one side did not get, as a sentence.
    pub machine: Option<String>,
    /// In what the two runs differ because it was asked for, as sentences.
    pub asked_for: Vec<String>,
    /// The module that both ran.
    pub module: ModuleReport,
    /// The left run.
    pub lhs: SideReport,
    /// The right run.
    pub rhs: SideReport,
    /// Events around the divergence.
    pub context: Vec<ContextRow>,
}

/// The module of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModuleReport {
    /// Its file's name, without folders.
    pub name: String,
    /// Length of the binary module.
    pub bytes: u64,
    /// BLAKE3 of the binary module, in hexadecimal.
    pub blake3: String,
}

/// An instruction of the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SiteReport {
    /// Function index.
    pub function: u32,
    /// Function name.
    pub name: String,
    /// Byte offset in the original module.
    pub offset: u32,
    /// The instruction in the text format.
    pub instruction: String,
    /// Source file, where debug information names one.
    pub file: Option<String>,
    /// Source line.
    pub line: Option<u32>,
}

/// An event with its place.
#[derive(Debug, Clone, Serialize)]
pub struct EventReport {
    /// Position.
    pub position: u64,
    /// The event in one line.
    pub event: String,
    /// Where in the module.
    pub site: Option<SiteReport>,
}

/// Bytes of memory before and after the two events.
#[derive(Debug, Clone, Serialize)]
pub struct PlaceReport {
    /// Index of the memory.
    pub memory: u32,
    /// Its name, where the module has one.
    pub memory_name: Option<String>,
    /// First address shown.
    pub address: u64,
    /// What memory held there before, in hexadecimal.
    pub before: Hex<Vec<u8>>,
    /// What it holds after the left event.
    pub lhs_after: Hex<Vec<u8>>,
    /// What it holds after the right event.
    pub rhs_after: Hex<Vec<u8>>,
    /// Who wrote these bytes before.
    pub last_writer: Option<EventReport>,
}

impl PlaceReport {
    fn new(
        effect: &MemoryEffect,
        timeline: &mut Timeline,
        sites: &SiteTable,
        symbols: &Symbols,
    ) -> Result<PlaceReport, ReplayError> {
        Ok(PlaceReport {
            memory: effect.memory.0,
            memory_name: symbols.item_name(Item::Memory, effect.memory.0),
            address: effect.address,
            before: Hex(effect.before.clone()),
            lhs_after: Hex(effect.lhs_after.clone()),
            rhs_after: Hex(effect.rhs_after.clone()),
            last_writer: writer(effect, timeline, sites, symbols)?,
        })
    }
}

/// The store behind bytes that memory does not hold.
#[derive(Debug, Clone, Serialize)]
pub struct CulpritReport {
    /// The side on which memory does not hold them.
    pub side: Side,
    /// The event.
    #[serde(flatten)]
    pub event: EventReport,
}

/// Events that differ in NaN bits only.
#[derive(Debug, Clone, Serialize)]
pub struct NanReport {
    /// Position of the first.
    pub first: u64,
    /// How many there are before the divergence.
    pub count: u64,
    /// Whether address or value at the divergence are bytes of the first one's NaNs.
    pub leads_to_divergence: bool,
}

/// One of the two runs.
#[derive(Debug, Clone, Serialize)]
pub struct SideReport {
    /// The engine as given on the command line.
    pub engine: String,
    /// Engine name and version, target and CPU features.
    pub version: String,
    /// The host that answered the module's calls for real; `None` where the module makes none, or a recording answered.
    pub host: Option<String>,
    /// How the run ended, `None` when the trace does not say. In JSON in words.
    #[serde(serialize_with = "in_words")]
    pub outcome: Option<Outcome>,
    /// The engine's own words about that.
    pub message: Option<String>,
    /// Of a rejection: the byte offset in the original module that the engine names.
    pub offset: Option<u64>,
    /// Of a rejection: the engine's own error code.
    pub code: Option<String>,
    /// What the engine's process wrote to its standard error before it died or was ended.
    pub last_words: Option<String>,
    /// What became of the limit on the pages of memories, where there was one.
    pub page_limit: Option<PageLimit>,
    /// Number of events.
    pub events: u64,
    /// Whether the trace was closed.
    pub complete: bool,
    /// The event at the divergence, in one line.
    pub event: Option<String>,
    /// Where in the module that event is: an instruction's, a trap's, or where the run crashed or was ended.
    pub site: Option<SiteReport>,
    /// Address written by it.
    pub address: Option<u64>,
    /// Bytes written by it.
    pub width: Option<u64>,
    /// The value written, in hexadecimal: at most 64 bytes.
    pub bytes: Option<Hex<Vec<u8>>>,
    /// What these bytes mean, by the instruction that stores them.
    pub value: Option<TypedValue>,
    /// What memory holds afterwards where the report's `address` points.
    pub after: Option<Hex<Vec<u8>>>,
    /// What the event is, for signatures.
    #[serde(skip)]
    pub(crate) shape: Option<EventShape>,
}

/// One row of the events around the divergence.
#[derive(Debug, Clone, Serialize)]
pub struct ContextRow {
    /// Position, the same on both sides.
    pub position: u64,
    /// Whether the two events are equal.
    pub equal: bool,
    /// The left event.
    pub lhs: Option<String>,
    /// The right event, where it is another.
    pub rhs: Option<String>,
}

impl Report {
    /// Compares two traces. `context` events before and after the divergence are shown.
    ///
    /// # Errors
    /// When the traces are of different modules, or damaged where it matters.
    pub fn new(
        lhs: &mut Timeline,
        rhs: &mut Timeline,
        context: u64,
        nan_bits: NanBits,
    ) -> Result<Report, ReplayError> {
        let Found { mut divergence, nan, cut_short } = first_divergence(lhs, rhs, nan_bits)?;
        if divergence.is_none() {
            divergence = both_observed(lhs, rhs)?;
        }
        let mut report = Report {
            agree: Some(divergence.is_none()),
            reason: None,
            nothing_ran: false,
            not_asked: not_asked(lhs, rhs),
            verdict: None,
            meaning: None,
            position: None,
            site: None,
            between: None,
            memory: None,
            memory_name: None,
            address: None,
            before: None,
            last_writer: None,
            elsewhere: None,
            culprit: None,
            during: None,
            host_call: None,
            nan_bits: nan.map(|nan| NanReport {
                first: nan.first.0,
                count: nan.count,
                leads_to_divergence: divergence
                    .as_ref()
                    .and_then(|divergence| divergence.lhs.as_ref().zip(divergence.rhs.as_ref()))
                    .is_some_and(|(left, right)| nan.leads_to(left, right)),
            }),
            allowed: None,
            resync: None,
            resync_equal: None,
            specification: specification(lhs),
            machine: None,
            asked_for: asked_for(lhs, rhs),
            module: module(lhs),
            lhs: side(lhs)?,
            rhs: side(rhs)?,
            context: Vec::new(),
        };
        match divergence {
            Some(divergence) => report.explain(lhs, rhs, &divergence, context)?,
            None => report.agreement(lhs, rhs, cut_short)?,
        }
        Ok(report)
    }

    /// What there is to know of one of the runs.
    pub fn side(&self, side: Side) -> &SideReport {
        side.of([&self.lhs, &self.rhs])
    }

    /// Both have the same events: that is agreement only when both ran to an end.
    fn agreement(
        &mut self,
        lhs: &mut Timeline,
        rhs: &mut Timeline,
        cut_short: Option<String>,
    ) -> Result<(), ReplayError> {
        for (side, timeline) in [("left", &*lhs), ("right", &*rhs)] {
            if let Some(why) = timeline.trace().incomplete() {
                self.agree = None;
                self.reason = Some(format!(
                    "the runs agree on {} events, but the {side} trace is incomplete: {why}",
                    lhs.len().min(rhs.len())
                ));
                return Ok(());
            }
        }
        if cut_short.is_some() {
            self.agree = None;
            self.reason = cut_short;
            return Ok(());
        }
        let Some(outcome) = lhs.trace_mut().outcome()? else { return Ok(()) };
        self.nothing_ran = match outcome {
            Outcome::Rejected { stage } => {
                self.reason = Some(format!("both engines rejected the module at {stage}, so nothing ran"));
                true
            }
            Outcome::NotRun => {
                self.reason =
                    Some("both engines compiled the module, which is not valid, so nothing ran".to_string());
                true
            }
            Outcome::NoRoom => {
                self.agree = None;
                self.reason = Some(format!("some of the requested calls did not run on either side: {outcome}"));
                false
            }
            _ => false,
        };
        if self.nothing_ran {
            self.agree = None;
        }
        Ok(())
    }

    fn explain(
        &mut self,
        lhs: &mut Timeline,
        rhs: &mut Timeline,
        divergence: &Divergence,
        context: u64,
    ) -> Result<(), ReplayError> {
        let symbols = Arc::clone(lhs.symbols());
        let sites = lhs.trace().sites().clone();
        if divergence.verdict.is_no_answer() {
            self.agree = None;
            self.reason = Some(divergence.verdict.meaning().to_string());
        }
        if let Some(refusal) = machine::refusal(lhs, rhs, divergence) {
            if refusal.certain {
                self.agree = None;
                self.reason = Some(refusal.words.clone());
            }
            self.machine = Some(refusal.words);
        }
        self.verdict = Some(divergence.verdict);
        self.meaning = Some(divergence.verdict.meaning());
        self.position = Some(divergence.position.0);
        let place = |event: &Option<Event>, timeline: &Timeline| {
            event.as_ref().and_then(|event| ended::place(event, timeline, &sites, &symbols))
        };
        self.lhs.site = place(&divergence.lhs, lhs);
        self.rhs.site = place(&divergence.rhs, rhs);
        match ended::ended_side(divergence) {
            None => self.site = self.lhs.site.clone().or_else(|| self.rhs.site.clone()),
            Some(side) => {
                // An instruction of the side that went on is not where the other one ended.
                let ends = |event: &Option<Event>| event.as_ref().is_some_and(ended::ends_run);
                let both = ends(&divergence.lhs) && ends(&divergence.rhs);
                self.site = match side {
                    Side::Lhs if both => self.lhs.site.clone().or_else(|| self.rhs.site.clone()),
                    side => self.side(side).site.clone(),
                };
                if self.site.is_none() {
                    let sides = [&mut *lhs, &mut *rhs];
                    self.between = ended::between(side, divergence.position, sides, &sites, &symbols)?;
                }
            }
        }
        let mut culprit = |place: Option<(Side, Position)>| -> Result<Option<CulpritReport>, ReplayError> {
            let Some((side, position)) = place else { return Ok(None) };
            let event = side.of([&mut *lhs, &mut *rhs]).event(position)?;
            let site = site_of(&event, &sites, &symbols);
            let event = EventReport { position: position.0, event: describe(&event, &sites, &symbols), site };
            Ok(Some(CulpritReport { side, event }))
        };
        (self.culprit, self.during) = (culprit(divergence.culprit)?, culprit(divergence.during)?);
        // What is found has no instruction of its own: the store behind it is what matters.
        let behind = match divergence.verdict {
            Verdict::UncommittedStore | Verdict::OutOfBounds => &self.culprit,
            Verdict::UnrecordedWrite => &self.during,
            _ => &None,
        };
        if let Some(behind) = behind {
            self.site.clone_from(&behind.event.site);
        }
        if matches!(divergence.lhs, Some(Event::Host(_))) && divergence.verdict == Verdict::HostWrite {
            self.host_call =
                host_call_around(lhs, divergence.position)?.map(|event| describe(&event, &sites, &symbols));
        }
        let site = self.site.as_ref().map(|site| FuncIndex(site.function));
        self.allowed = trapped_otherwise(divergence.lhs.as_ref(), divergence.rhs.as_ref())
            .or_else(|| allowed(divergence.verdict, site, &symbols, &lhs.trace().header().specification));
        self.resync = divergence.resync.map(|resync| [resync.lhs.0, resync.rhs.0]);
        self.resync_equal = divergence.resync.map(|resync| resync.equal);
        self.lhs.describe(divergence.lhs.as_ref(), &sites, &symbols);
        self.rhs.describe(divergence.rhs.as_ref(), &sites, &symbols);
        self.elsewhere = match &divergence.elsewhere {
            Some(effect) => Some(PlaceReport::new(effect, rhs, &sites, &symbols)?),
            None => None,
        };
        if let Some(effect) = &divergence.memory {
            self.memory = Some(effect.memory.0);
            self.memory_name = symbols.item_name(Item::Memory, effect.memory.0);
            self.address = Some(effect.address);
            self.before = Some(Hex(effect.before.clone()));
            self.lhs.after = Some(Hex(effect.lhs_after.clone()));
            self.rhs.after = Some(Hex(effect.rhs_after.clone()));
            self.last_writer = writer(effect, lhs, &sites, &symbols)?;
        }
        let at = divergence.position.0;
        for position in at.saturating_sub(context)..=at.saturating_add(context) {
            let line = |timeline: &mut Timeline| -> Result<Option<String>, ReplayError> {
                if position >= timeline.len() {
                    return Ok(None);
                }
                let event = timeline.event(Position(position))?;
                Ok(Some(describe_with_place(&event, &sites, &symbols)))
            };
            let (left, right) = (line(lhs)?, line(rhs)?);
            if left.is_none() && right.is_none() {
                break;
            }
            let equal =
                left.is_some() && right.is_some() && lhs.same_event(Position(position), rhs, Position(position))?;
            let rhs = right.filter(|_| !equal);
            self.context.push(ContextRow { position, equal, lhs: left, rhs });
        }
        Ok(())
    }
}

/// Most steps of a host call that are gone back to find where it began.
const MAX_STEPS: u64 = 1 << 16;

/// The host call that the step at `position` belongs to.
fn host_call_around(timeline: &mut Timeline, position: Position) -> Result<Option<Event>, ReplayError> {
    for back in 1..=position.0.min(MAX_STEPS) {
        match timeline.event(Position(position.0 - back))? {
            call @ Event::Host(HostEvent::Call(_)) => return Ok(Some(call)),
            Event::Host(HostEvent::Write { .. } | HostEvent::Grow { .. }) => {}
            _ => break,
        }
    }
    Ok(None)
}

fn module(timeline: &Timeline) -> ModuleReport {
    let module = &timeline.trace().header().module;
    ModuleReport { name: printable(&module.name), bytes: module.length, blake3: module.hash_hex() }
}

/// What the specification says, as the recorder of this trace found it.
fn specification(timeline: &Timeline) -> String {
    let header = timeline.trace().header();
    let switches = header.features.run.join(" ");
    let with = if switches.is_empty() { String::new() } else { format!(" with {}", printable(&switches)) };
    match (&header.specification.invalid, header.specification.beyond.as_slice()) {
        (Some((message, offset)), _) => format!("not valid{with}: {} at {offset:#x}", printable(message)),
        (None, []) => format!("valid WebAssembly 3.0{with}"),
        (None, beyond) => format!("valid WebAssembly 3.0{with} and {}", printable(&beyond.join(", "))),
    }
}

/// Whether a module has imports that a host answers.
fn imports_functions(module: &[u8]) -> bool {
    let sections = Parser::new(0).parse_all(module).map_while(Result::ok);
    let imports = sections.filter_map(|section| match section {
        Payload::ImportSection(imports) => Some(imports),
        _ => None,
    });
    imports
        .flat_map(|imports| imports.into_imports())
        .any(|import| import.is_ok_and(|import| matches!(import.ty, TypeRef::Func(_) | TypeRef::FuncExact(_))))
}

/// What did not run under the engines of both sides.
fn not_asked(lhs: &Timeline, rhs: &Timeline) -> Vec<String> {
    let [left, right] = [lhs, rhs].map(|timeline| timeline.trace().header());
    let mut sentences = Vec::new();
    let preloads: Vec<&str> =
        left.host.preloads.iter().map(|preload| preload.split('=').next().unwrap_or_default()).collect();
    if !preloads.is_empty() {
        let names = printable(&preloads.join(", "));
        sentences.push(format!("the modules of --preload ({names}) ran in wasmi, and not under these engines"));
    }
    if (left.host.replayed || right.host.replayed) && imports_functions(lhs.trace().module()) {
        let side = match (left.host.replayed, right.host.replayed) {
            (true, true) => "both sides",
            (true, false) => Side::Lhs.word(),
            _ => Side::Rhs.word(),
        };
        sentences.push(format!("host calls of {side} were answered from a recording"));
    }
    sentences
}

/// Settings of the user's own that differ between the sides.
fn asked_for(lhs: &Timeline, rhs: &Timeline) -> Vec<String> {
    let (left, right) = (lhs.trace().header(), rhs.trace().header());
    let mut differences = Vec::new();
    if left.limits.memory_pages != right.limits.memory_pages {
        let words = |pages: Option<u64>| pages.map_or("none".to_string(), |pages| format!("{pages} pages"));
        let (lhs, rhs) = (words(left.limits.memory_pages), words(right.limits.memory_pages));
        differences.push(format!("the sides have different limits on memory pages: lhs {lhs}, rhs {rhs}"));
    }
    if left.features != right.features {
        let words =
            |words: &[String]| if words.is_empty() { "none".to_string() } else { printable(&words.join(" ")) };
        let (lhs, rhs) = (words(&left.features.run), words(&right.features.run));
        differences.push(format!("the sides have different proposals switched: lhs {lhs}, rhs {rhs}"));
    }
    differences
}

/// The setting of an engine that says which host answered for it.
const HOST: &str = "host";

fn side(timeline: &mut Timeline) -> Result<SideReport, ReplayError> {
    let outcome = timeline.trace_mut().outcome()?;
    let page_limit = PageLimit::of(timeline)?;
    let trace = timeline.trace();
    let engine = &trace.header().engine;
    let features = match engine.cpu_features.as_slice() {
        [] => "baseline CPU".to_string(),
        features => features.join(" "),
    };
    let host = engine.settings.iter().find(|(name, _)| name == HOST);
    Ok(SideReport {
        engine: printable(&engine.spec),
        version: printable(&format!("{} {}, {}, {features}", engine.name, engine.version, engine.target)),
        host: host.filter(|_| !trace.header().host.replayed).map(|(_, host)| printable(host)),
        outcome,
        message: trace.message().map(printable_lines),
        offset: trace.words().offset,
        code: trace.words().code.as_deref().map(printable),
        last_words: trace.words().last_words.as_deref().map(printable_lines),
        page_limit,
        events: trace.events(),
        complete: trace.is_complete(),
        event: None,
        site: None,
        address: None,
        width: None,
        bytes: None,
        value: None,
        after: None,
        shape: None,
    })
}

fn in_words<S: Serializer>(outcome: &Option<Outcome>, serializer: S) -> Result<S::Ok, S::Error> {
    outcome.as_ref().map(ToString::to_string).serialize(serializer)
}

impl SideReport {
    fn describe(&mut self, event: Option<&Event>, sites: &SiteTable, symbols: &Symbols) {
        let Some(event) = event else { return };
        // Both sides may have trapped, each at a place of its own.
        self.event = Some(match event {
            Event::Milestone(Milestone::Trapped { .. }) => describe_with_place(event, sites, symbols),
            event => describe(event, sites, symbols),
        });
        self.shape = Some(EventShape::of(event));
        self.value = TypedValue::of(event, sites, symbols);
        if let Some((_, address, length)) = event.written() {
            self.address = Some(address);
            self.width = Some(length);
        }
        self.bytes = match event {
            Event::Fill { byte, .. } => Some(Hex(vec![*byte])),
            other => other.bytes().map(|bytes| Hex(bytes[..bytes.len().min(64)].to_vec())),
        };
    }
}
