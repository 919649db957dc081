//! The observer guard: does recording change what the runs do?
//!
//! Instrumented code is other code, and a miscompilation may vanish in it. So both sides run once without
//! recording, and what these runs leave behind is compared: with each other, and with what the recorded runs left.

use crate::compare::nondeterminism::Nondeterminism;
use crate::differences::words;
use crate::session::{How, Session};
use anyhow::Result;
use forkpoint_replay::{Item, Symbols, Timeline, describe_with_place, place_of, printable};
use forkpoint_tracer::instrument::{Options, Scope, Style};
use forkpoint_tracer::{EndDifference, EndState, Recorded};
use forkpoint_traces::{FuncIndex, MemoryIndex, Position};
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// The two runs without recording.
pub struct PlainRuns {
    pub lhs: EndState,
    pub rhs: EndState,
}

/// What the guard found.
#[derive(Debug, Clone, Serialize)]
pub struct Guard {
    /// Where the end states of the runs without recording differ, in words; the first few.
    pub plain_differences: Vec<String>,
    /// Sides whose recorded run ended otherwise than the same run without recording, though both can be repeated.
    pub changed_by_recording: Vec<&'static str>,
    /// What was seen of a side that does not run the module the same way twice; no effect of recording is concluded
    /// from it.
    pub nondeterminism: Vec<Unsteady>,
    /// What could not be found out, and why.
    pub notes: Vec<String>,
    /// Whether the runs differ only with recording, or only without.
    pub observer_effect: bool,
    /// The least intrusive recording that was tried and still ended as the runs without recording did.
    pub survived_in: Option<String>,
    /// Recordings that were tried and changed the picture.
    pub vanished_in: Vec<String>,
    /// Who wrote last, in the full recordings, the bytes that differ without recording.
    pub last_writers: Vec<String>,
}

/// A side that does not run the module the same way twice.
#[derive(Debug, Clone, Serialize)]
pub struct Unsteady {
    /// `lhs` or `rhs`.
    pub side: &'static str,
    #[serde(flatten)]
    pub seen: Nondeterminism,
}

/// A way to record that changes the code less.
pub struct Rung {
    pub name: String,
    pub how: How,
}

/// Most differences and writers that are told.
const MOST: usize = 8;

/// Most bytes that a rung is narrowed to.
const NARROW: u64 = 64;

impl PlainRuns {
    /// Whether one of them was ended from outside, so that nothing follows from how it ended.
    pub fn cut_short(&self) -> bool {
        self.lhs.outcome.is_cut_short() || self.rhs.outcome.is_cut_short()
    }

    /// Compares the runs without recording with each other and with the recorded ones, of which is known whether
    /// their traces agree.
    pub fn judge(&self, lhs: &Recorded, rhs: &Recorded, traces_agree: bool, symbols: &Symbols) -> Guard {
        let differences = self.lhs.differences(&self.rhs);
        let in_words = |difference: &EndDifference| words(difference, ["lhs", "rhs"], symbols);
        let mut changed_by_recording = Vec::new();
        for (name, plain, recorded) in [("lhs", &self.lhs, lhs), ("rhs", &self.rhs, rhs)] {
            if !plain.is_that_of(recorded) {
                changed_by_recording.push(name);
            }
        }
        // Runs may differ on the way and end alike: traces that disagree are no observer effect by themselves.
        let observer_effect = !changed_by_recording.is_empty() && differences.is_empty() != traces_agree;
        Guard {
            plain_differences: differences.iter().take(MOST).map(in_words).collect(),
            changed_by_recording,
            nondeterminism: Vec::new(),
            notes: Vec::new(),
            observer_effect,
            survived_in: None,
            vanished_in: Vec::new(),
            last_writers: Vec::new(),
        }
    }

    /// Whether recordings ended as the runs without recording did.
    pub fn survived(&self, lhs: &Recorded, rhs: &Recorded) -> bool {
        self.lhs.is_that_of(lhs) && self.rhs.is_that_of(rhs)
    }

    fn differing_bytes(&self) -> Vec<(MemoryIndex, Range<u64>)> {
        let differences = self.lhs.differences(&self.rhs);
        let bytes = differences.iter().filter_map(|difference| match difference {
            EndDifference::Bytes { memory, address, lhs, .. } => {
                Some((MemoryIndex(*memory), *address..address + (lhs.len() as u64).min(NARROW)))
            }
            _ => None,
        });
        bytes.take(MOST).collect()
    }

    /// Who wrote last, in the full recordings, the bytes that differ without recording: in words, and functions.
    pub fn writers(&self, sides: [&mut Timeline; 2]) -> Result<(Vec<String>, BTreeSet<FuncIndex>)> {
        let (mut words, mut functions) = (Vec::new(), BTreeSet::new());
        for (name, timeline) in ["lhs", "rhs"].into_iter().zip(sides) {
            let symbols = Symbols::new(Arc::clone(timeline.trace().module()));
            let sites = timeline.trace().sites().clone();
            let end = Position(timeline.len());
            let mut seen = BTreeSet::new();
            for (memory, range) in self.differing_bytes() {
                let Some(writer) = timeline.last_writer(memory, range, end)? else { continue };
                if !seen.insert(writer) {
                    continue;
                }
                let event = timeline.event(writer)?;
                functions.extend(event.site().and_then(|site| sites.get(site)).map(|site| site.func));
                words.push(format!("{name} {writer}: {}", describe_with_place(&event, &sites, &symbols)));
            }
            // A run that trapped did so in a function that is worth a look.
            for position in (end.0.saturating_sub(3)..end.0).map(Position) {
                let event = timeline.event(position)?;
                if event.kind() == "trap" {
                    functions.extend(place_of(&event, &sites).map(|(func, _)| func));
                }
            }
        }
        Ok((words, functions))
    }

    /// Ways to record that change the code less and less, or otherwise.
    pub fn ladder(&self, session: &Session, suspects: BTreeSet<FuncIndex>) -> Vec<Rung> {
        let symbols = session.symbols();
        let mut rungs = Vec::new();
        let mut add = |name: String, options: Options| {
            rungs.push(Rung { name, how: session.how_with(options) });
        };
        let bytes = self.differing_bytes().into_iter().next();
        for (style, by) in [(Style::Inline, "inline records"), (Style::Hooks, "hooks")] {
            let with = |scope: Scope| Options { style, scope, ..Options::default() };
            if style == Style::Hooks {
                add("hooks in place of inline records".to_string(), with(Scope::default()));
            }
            if let Some((memory, range)) = &bytes {
                let memory = symbols.item(Item::Memory, memory.0);
                let name = format!("{by} of stores to {:#x}..{:#x} of {memory} only", range.start, range.end);
                add(name, with(Scope { bytes: bytes.clone(), functions: None }));
            }
            if !suspects.is_empty() {
                let list: Vec<String> = suspects.iter().map(|func| symbols.function_name(*func)).collect();
                let name = format!("{by} in {} only", list.join(", "));
                add(name, with(Scope { functions: Some(suspects.clone()), bytes: None }));
            }
        }
        // The least there is: nothing but the sizes of memories.
        let nothing = Scope { functions: Some(BTreeSet::new()), bytes: None };
        add("no stores at all".to_string(), Options { scope: nothing, ..Options::default() });
        rungs
    }
}

impl Guard {
    /// Takes what repeated runs of a side say, which recording seemed to change.
    pub fn repeated(&mut self, name: &'static str, repeated: anyhow::Result<Option<Nondeterminism>>) {
        match repeated {
            Ok(None) => return,
            Ok(Some(seen)) => self.nondeterminism.push(Unsteady { side: name, seen }),
            Err(error) => self.notes.push(format!(
                "{name} could not be run again, so whether recording changes how it ends is not known: {}",
                printable(&format!("{error:#}"))
            )),
        }
        self.changed_by_recording.retain(|changed| *changed != name);
        self.observer_effect = false;
    }

    /// Whether there is nothing that the report does not say: recording changed neither side.
    pub fn is_unremarkable(&self) -> bool {
        !self.observer_effect
            && self.changed_by_recording.is_empty()
            && self.nondeterminism.is_empty()
            && self.notes.is_empty()
    }
}

impl fmt::Display for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list =
            |f: &mut fmt::Formatter<'_>, lines: &[String]| lines.iter().try_for_each(|line| writeln!(f, "  {line}"));
        self.nondeterminism.iter().try_for_each(|Unsteady { side, seen }| write!(f, "{side}: {seen}"))?;
        self.notes.iter().try_for_each(|note| writeln!(f, "note: {note}"))?;
        if self.plain_differences.is_empty() {
            writeln!(f, "Without recording, both runs end the same way.")?;
        } else {
            writeln!(f, "Without recording, the runs end differently:")?;
            list(f, &self.plain_differences)?;
        }
        for side in &self.changed_by_recording {
            writeln!(f, "Recording changes how {side} ends.")?;
        }
        self.ways(f)
    }
}

impl Guard {
    /// What was tried to see the difference in spite of recording.
    pub fn ways(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list =
            |f: &mut fmt::Formatter<'_>, lines: &[String]| lines.iter().try_for_each(|line| writeln!(f, "  {line}"));
        if !self.last_writers.is_empty() {
            writeln!(f, "In the full recordings these bytes were last written by:")?;
            list(f, &self.last_writers)?;
        }
        if !self.vanished_in.is_empty() {
            writeln!(f, "The difference vanishes under:")?;
            list(f, &self.vanished_in)?;
        }
        if let Some(rung) = &self.survived_in {
            writeln!(f, "It survives under {rung}, and is shown as recorded so.")?;
        }
        Ok(())
    }
}
