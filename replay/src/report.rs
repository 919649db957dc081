//! A comparison in words and in data: what a bug report quotes and what `--json` prints.

use crate::describe::{describe, describe_with_place, hex_bytes};
use crate::divergence::{Divergence, Verdict, first_divergence};
use crate::error::ReplayError;
use crate::symbols::{Symbols, printable, printable_lines};
use crate::timeline::Timeline;
use forkpoint_traces::{Event, Milestone, Outcome, Position, SiteTable};
use serde::Serialize;
use std::fmt;

/// What two traces have to say about each other. Its JSON form is documented in `docs/json.md`.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Whether all events are equal and both runs were recorded to their end. `None`: no answer, see `reason`.
    pub agree: Option<bool>,
    /// Why there is no answer.
    pub reason: Option<String>,
    /// The class of the divergence.
    pub verdict: Option<Verdict>,
    /// The class in words.
    pub meaning: Option<&'static str>,
    /// Position of the first unequal pair.
    pub position: Option<u64>,
    /// Where in the module.
    pub site: Option<SiteReport>,
    /// Index of the memory written.
    pub memory: Option<u32>,
    /// First address shown in `before` and each side's `after`.
    pub address: Option<u64>,
    /// What memory held there before, in hexadecimal.
    pub before: Option<String>,
    /// Who wrote these bytes before.
    pub last_writer: Option<EventReport>,
    /// Where the runs agree again: left and right position.
    pub resync: Option<[u64; 2]>,
    /// The left run.
    pub lhs: SideReport,
    /// The right run.
    pub rhs: SideReport,
    /// Events around the divergence.
    pub context: Vec<ContextRow>,
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

/// One of the two runs.
#[derive(Debug, Clone, Serialize)]
pub struct SideReport {
    /// The engine as given on the command line.
    pub engine: String,
    /// Engine name and version, target and CPU features.
    pub version: String,
    /// How the run ended, `None` when the trace does not say.
    pub outcome: Option<String>,
    /// The engine's own words about that.
    pub message: Option<String>,
    /// Number of events.
    pub events: u64,
    /// Whether the trace was closed.
    pub complete: bool,
    /// The event at the divergence, in one line.
    pub event: Option<String>,
    /// Address written by it.
    pub address: Option<u64>,
    /// Bytes written by it.
    pub width: Option<u64>,
    /// The value written, in hexadecimal: at most 64 bytes.
    pub bytes: Option<String>,
    /// What memory holds afterwards where the report's `address` points.
    pub after: Option<String>,
}

/// Most lines of an engine's message in a report for people: what it says, and the innermost frames of a trap.
const MESSAGE_LINES: usize = 5;

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
    pub fn new(lhs: &mut Timeline, rhs: &mut Timeline, context: u64) -> Result<Report, ReplayError> {
        let divergence = first_divergence(lhs, rhs)?;
        let mut report = Report {
            agree: Some(divergence.is_none()),
            reason: None,
            verdict: None,
            meaning: None,
            position: None,
            site: None,
            memory: None,
            address: None,
            before: None,
            last_writer: None,
            resync: None,
            lhs: side(lhs)?,
            rhs: side(rhs)?,
            context: Vec::new(),
        };
        match divergence {
            Some(divergence) => report.explain(lhs, rhs, &divergence, context)?,
            None => report.agreement(lhs, rhs)?,
        }
        Ok(report)
    }

    /// Both have the same events: that is agreement only when both ran to an end.
    fn agreement(&mut self, lhs: &mut Timeline, rhs: &mut Timeline) -> Result<(), ReplayError> {
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
        if let Some(outcome @ (Outcome::TimedOut | Outcome::Interrupted)) = lhs.trace_mut().outcome()? {
            self.agree = None;
            self.reason = Some(format!("the runs agree as far as they went, but both {outcome}"));
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
        let symbols = Symbols::new(lhs.trace().module().to_vec());
        let sites = lhs.trace().sites().clone();
        if divergence.verdict == Verdict::Poisoned {
            self.agree = None;
            self.reason = Some(divergence.verdict.meaning().to_string());
        }
        self.verdict = Some(divergence.verdict);
        self.meaning = Some(divergence.verdict.meaning());
        self.position = Some(divergence.position.0);
        let place = |event: &Option<Event>| event.as_ref().and_then(|event| site_of(event, &sites, &symbols));
        self.site = place(&divergence.lhs).or_else(|| place(&divergence.rhs));
        self.resync = divergence.resync.map(|resync| [resync.lhs.0, resync.rhs.0]);
        self.lhs.describe(divergence.lhs.as_ref(), &sites, &symbols);
        self.rhs.describe(divergence.rhs.as_ref(), &sites, &symbols);
        if let Some(effect) = &divergence.memory {
            self.memory = Some(effect.memory.0);
            self.address = Some(effect.address);
            self.before = Some(hex(&effect.before));
            self.lhs.after = Some(hex(&effect.lhs_after));
            self.rhs.after = Some(hex(&effect.rhs_after));
            if let Some(position) = effect.last_writer {
                let event = lhs.event(position)?;
                self.last_writer = Some(EventReport {
                    position: position.0,
                    event: describe(&event, &sites),
                    site: site_of(&event, &sites, &symbols),
                });
            }
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
            let equal = left == right;
            let rhs = right.filter(|_| !equal);
            self.context.push(ContextRow { position, equal, lhs: left, rhs });
        }
        Ok(())
    }
}

fn side(timeline: &mut Timeline) -> Result<SideReport, ReplayError> {
    let outcome = timeline.trace_mut().outcome()?.map(|outcome| outcome.to_string());
    let trace = timeline.trace();
    let engine = &trace.header().engine;
    let features = match engine.cpu_features.as_slice() {
        [] => "baseline CPU".to_string(),
        features => features.join(" "),
    };
    Ok(SideReport {
        engine: printable(&engine.spec),
        version: printable(&format!("{} {}, {}, {features}", engine.name, engine.version, engine.target)),
        outcome,
        message: trace.message().map(printable_lines),
        events: trace.events(),
        complete: trace.is_complete(),
        event: None,
        address: None,
        width: None,
        bytes: None,
        after: None,
    })
}

impl SideReport {
    fn describe(&mut self, event: Option<&Event>, sites: &SiteTable, symbols: &Symbols) {
        let Some(event) = event else { return };
        // Both sides may have trapped, each at a place of its own.
        self.event = Some(match event {
            Event::Milestone(Milestone::Trapped { .. }) => describe_with_place(event, sites, symbols),
            event => describe(event, sites),
        });
        if let Some((_, address, length)) = event.written() {
            self.address = Some(address);
            self.width = Some(length);
        }
        self.bytes = match event {
            Event::Fill { byte, .. } => Some(hex(&[*byte])),
            other => other.bytes().map(|bytes| hex(&bytes[..bytes.len().min(64)])),
        };
    }
}

/// The instruction behind an event: its site, or where it trapped.
fn site_of(event: &Event, sites: &SiteTable, symbols: &Symbols) -> Option<SiteReport> {
    let (func, offset) = match event {
        Event::Milestone(Milestone::Trapped { func, offset: Some(offset), .. }) => {
            ((*func).or_else(|| symbols.function_at(*offset))?, *offset)
        }
        event => {
            let site = sites.get(event.site()?)?;
            (site.func, site.offset)
        }
    };
    let frame = symbols.source(offset).into_iter().next();
    Some(SiteReport {
        function: func.0,
        name: symbols.function_name(func),
        offset: offset.0,
        instruction: symbols
            .instruction(offset)
            .or_else(|| event.op(sites).map(|op| op.mnemonic().to_string()))
            .unwrap_or_default(),
        file: frame.as_ref().and_then(|frame| frame.file.clone()),
        line: frame.as_ref().and_then(|frame| frame.line),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl fmt::Display for SiteReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` in {} at {:#x}", self.instruction, self.name, self.offset)?;
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, " ({file}:{line})"),
            (Some(file), None) => write!(f, " ({file})"),
            _ => Ok(()),
        }
    }
}

/// Spaces between bytes, for people.
fn spaced(hex: &str) -> String {
    let bytes: Vec<u8> =
        (0..hex.len() / 2).filter_map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).ok()).collect();
    hex_bytes(&bytes)
}

/// One paragraph that a bug report can quote, then the events around.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(verdict), Some(position)) = (self.verdict, self.position) else {
            return self.fmt_without_divergence(f);
        };
        write!(f, "The runs diverge at #{position} ({verdict}): {}.", verdict.meaning())?;
        if let Some(site) = &self.site {
            write!(f, " At {site}:")?;
        }
        for (name, side) in [("lhs", &self.lhs), ("rhs", &self.rhs)] {
            let event = side.event.as_deref().unwrap_or("nothing more");
            write!(f, " {name} ({}) has {event};", side.engine)?;
        }
        if let (Some(address), Some(before)) = (self.address, &self.before) {
            write!(f, " memory at {address:#x} held {} before", spaced(before))?;
            for (name, side) in [("lhs", &self.lhs), ("rhs", &self.rhs)] {
                if let Some(after) = &side.after {
                    write!(f, ", {} after in {name}", spaced(after))?;
                }
            }
            match &self.last_writer {
                Some(writer) => {
                    write!(f, "; last written at #{}", writer.position)?;
                    match &writer.site {
                        Some(site) => write!(f, " by {site}.")?,
                        None => write!(f, " ({}).", writer.event)?,
                    }
                }
                None => f.write_str("; nothing had written there.")?,
            }
        }
        match self.resync {
            Some([lhs, rhs]) => writeln!(f, " The runs agree again from lhs #{lhs}, rhs #{rhs} on, for a while.")?,
            None => writeln!(f, " No place was found where the runs agree again.")?,
        }
        writeln!(f)?;
        for row in &self.context {
            let mark = if row.equal { ' ' } else { '!' };
            for (side, line) in [("lhs", &row.lhs), ("rhs", &row.rhs)] {
                let side = if row.equal { "" } else { side };
                if let Some(line) = line {
                    writeln!(f, "{mark} {:>10} {side:3} {line}", format!("#{}", row.position))?;
                }
            }
        }
        writeln!(f)?;
        self.fmt_sides(f)
    }
}

impl Report {
    fn fmt_without_divergence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Some(reason) => writeln!(f, "No answer: {reason}.")?,
            None => {
                let outcome = self.lhs.outcome.as_deref().unwrap_or("ended");
                writeln!(f, "The runs agree on all {} events; both {outcome}.", self.lhs.events)?;
            }
        }
        self.fmt_sides(f)
    }

    fn fmt_sides(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, side) in [("lhs", &self.lhs), ("rhs", &self.rhs)] {
            let outcome = side.outcome.as_deref().unwrap_or("no end recorded");
            write!(f, "{name}: {}: {} events, {outcome}", side.engine, side.events)?;
            if !side.complete {
                f.write_str(" (incomplete)")?;
            }
            writeln!(f, "\n     {}", side.version)?;
            let message = side.message.as_deref().unwrap_or_default();
            for line in message.lines().take(MESSAGE_LINES) {
                writeln!(f, "     {line}")?;
            }
            let left_out = message.lines().count().saturating_sub(MESSAGE_LINES);
            if left_out > 0 {
                writeln!(f, "     ... and {left_out} more lines (see `forkpoint info`)")?;
            }
        }
        Ok(())
    }
}
