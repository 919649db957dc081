//! The ladder: ways to record that change the code less and less, to show a difference that full recording hides.

use crate::error::{CompareError, in_one_line};
use crate::files::replace;
use crate::guard::{Guard, PlainRuns};
use crate::runs::Runs;
use forkpoint_replay::{Item, Report, Side, Symbols, Timeline, describe_with_place, place_of, printable};
use forkpoint_tracer::instrument::{Options, Scope, Style};
use forkpoint_tracer::{EndDifference, Request};
use forkpoint_traces::{FuncIndex, MemoryIndex, Position};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

/// What a rung records.
#[derive(Clone, Copy)]
enum Reach {
    /// Everything.
    Whole,
    /// Stores to bytes that differ without recording.
    Bytes,
    /// Functions that wrote such bytes or trapped.
    Functions,
    /// Only the sizes of memories.
    Sizes,
}

/// The rungs, from the top. The climb starts from recording everything by inline records.
const LADDER: [(Style, Reach); 6] = [
    (Style::Inline, Reach::Bytes),
    (Style::Inline, Reach::Functions),
    (Style::Hooks, Reach::Whole),
    (Style::Hooks, Reach::Bytes),
    (Style::Hooks, Reach::Functions),
    (Style::Inline, Reach::Sizes),
];

/// Most bytes that a rung is restricted to.
const NARROW: u64 = 64;

/// Most places of bytes that are tried.
const MOST: usize = 8;

/// What rungs are restricted to.
struct Suspects {
    bytes: Option<(MemoryIndex, Range<u64>)>,
    functions: BTreeSet<FuncIndex>,
}

impl Suspects {
    /// The name of a rung and how it rewrites the module; `None` where there is nothing to restrict it to.
    fn rung(&self, (style, reach): (Style, Reach), symbols: &Symbols) -> Option<(String, Options)> {
        let by = word(style);
        let (name, scope) = match reach {
            Reach::Whole => (format!("{by} instead of inline records"), Scope::default()),
            Reach::Bytes => {
                let (memory, range) = self.bytes.clone()?;
                let name = symbols.item(Item::Memory, memory.0);
                let name = format!("{by} of stores to {:#x}..{:#x} of {name} only", range.start, range.end);
                (name, Scope { bytes: Some((memory, range)), functions: None })
            }
            Reach::Functions => {
                let names: Vec<String> = self.functions.iter().map(|func| symbols.function_name(*func)).collect();
                let name = format!("{by} in {} only", names.join(", "));
                (!names.is_empty())
                    .then_some((name, Scope { functions: Some(self.functions.clone()), bytes: None }))?
            }
            Reach::Sizes => ("no stores at all".to_string(), Scope { functions: Some(BTreeSet::new()), bytes: None }),
        };
        Some((name, Options { style, scope, ..Options::default() }))
    }
}

fn word(style: Style) -> &'static str {
    match style {
        Style::Inline => "inline records",
        Style::Hooks => "hooks",
    }
}

impl Guard {
    /// Climbs down the ladder until a recording shows what the runs without recording show. Returns the report about
    /// that recording, whose traces replace the sides' own; otherwise `full`, the report about the full recordings.
    pub(crate) fn climb(
        &mut self,
        runs: &Runs,
        sides: [&Request; 2],
        plain: &PlainRuns,
        full: Report,
    ) -> Result<Report, CompareError> {
        let traces = sides.map(|side| side.output.as_path());
        let mut timelines = [runs.open(traces[0])?, runs.open(traces[1])?];
        let by_hooks = timelines.iter().all(|side| side.trace().header().recorder.hooks);
        let style = if by_hooks { Style::Hooks } else { Style::Inline };
        self.vanished_in.push(format!("recording of everything by {}", word(style)));
        let suspects = self.suspects(plain, &mut timelines)?;
        drop(timelines);
        for (name, options) in LADDER.into_iter().filter_map(|rung| suspects.rung(rung, runs.symbols())) {
            let files = ["rung-lhs.fpt", "rung-rhs.fpt"].map(|name| runs.aside(name));
            let record = |side: Side| {
                let output = files[side.index()].clone();
                runs.record_again(&Request { output, options: options.clone(), ..side.of(sides).clone() })
            };
            match record(Side::Lhs).and_then(|lhs| Ok([lhs, record(Side::Rhs)?])) {
                Ok(recorded) if plain.survived(&recorded) => {
                    self.survived_in = Some(name);
                    replace(traces[0], &files[0])?;
                    replace(traces[1], &files[1])?;
                    return runs.report(traces);
                }
                Ok(_) => self.vanished_in.push(name),
                // The results so far are worth more than this attempt.
                Err(error) => {
                    self.vanished_in.push(format!("{name} (not recorded: {})", printable(&in_one_line(&error))))
                }
            }
        }
        Ok(full)
    }

    /// In the full recordings, the last writers of the bytes that differ without recording, and the places of traps.
    fn suspects(&mut self, plain: &PlainRuns, sides: &mut [Timeline; 2]) -> Result<Suspects, CompareError> {
        let bytes = plain.differing_bytes();
        let mut functions = BTreeSet::new();
        for (side, timeline) in Side::BOTH.into_iter().zip(sides) {
            let symbols = Arc::clone(timeline.symbols());
            let sites = timeline.trace().sites().clone();
            let end = Position(timeline.len());
            let mut seen = BTreeSet::new();
            for (memory, range) in &bytes {
                let Some(writer) = timeline.last_writer(*memory, range.clone(), end)? else { continue };
                if !seen.insert(writer) {
                    continue;
                }
                let event = timeline.event(writer)?;
                functions.extend(event.site().and_then(|site| sites.get(site)).map(|site| site.func));
                let words = describe_with_place(&event, &sites, &symbols);
                self.last_writers.push(format!("{} {writer}: {words}", side.word()));
            }
            // The function in which a run trapped is worth a look.
            for position in (end.0.saturating_sub(3)..end.0).map(Position) {
                let event = timeline.event(position)?;
                if event.kind() == "trap" {
                    functions.extend(place_of(&event, &sites).map(|(func, _)| func));
                }
            }
        }
        Ok(Suspects { bytes: bytes.into_iter().next(), functions })
    }
}

impl PlainRuns {
    fn differing_bytes(&self) -> Vec<(MemoryIndex, Range<u64>)> {
        let differences = self.lhs.differences(&self.rhs);
        let bytes = differences.iter().filter_map(|difference| match difference {
            EndDifference::Bytes { memory, address, lhs, .. } => {
                Some((*memory, *address..address + (lhs.len() as u64).min(NARROW)))
            }
            _ => None,
        });
        bytes.take(MOST).collect()
    }
}
