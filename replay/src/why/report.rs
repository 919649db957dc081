//! Chains in words and as data.

use super::chain::{Chain, ChainEnd, Evidence, Why};
use crate::describe::variable_of;
use crate::error::ReplayError;
use crate::report::{EventReport, SiteReport};
use crate::side::Side;
use crate::symbols::Variable;
use crate::timeline::Timeline;
use forkpoint_traces::MemoryIndex;
use serde::Serialize;
use std::fmt;
use std::sync::Arc;

/// [`Why`] with events, places and names: what `forkpoint why` prints.
#[derive(Debug, Clone, Serialize)]
pub struct WhyReport {
    /// The ways that the difference may have come, the best first.
    pub chains: Vec<ChainReport>,
    /// Whether there were more links than are looked at.
    pub cut_short: bool,
}

/// A way that a difference may have come.
#[derive(Debug, Clone, Serialize)]
pub struct ChainReport {
    /// Its links, backward in time.
    pub steps: Vec<ChainStep>,
    /// Where it ends.
    pub end: ChainEnd,
    /// That in words.
    pub meaning: String,
}

/// Bytes that differed, and who wrote them.
#[derive(Debug, Clone, Serialize)]
pub struct ChainStep {
    /// Index of the memory.
    pub memory: MemoryIndex,
    /// The first of the bytes.
    pub address: u64,
    /// How many there are.
    pub length: u64,
    /// The variable that they are, or part of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variable: Option<Variable>,
    /// What speaks for it that the step before came from here.
    pub evidence: Evidence,
    /// The instruction that loaded them, where a rerun tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loaded_by: Option<SiteReport>,
    /// The last event that wrote them on the left.
    pub lhs: Option<EventReport>,
    /// The one on the right.
    pub rhs: Option<EventReport>,
}

impl WhyReport {
    /// Looks up the events of an answer about these timelines.
    ///
    /// # Errors
    /// When a trace is damaged.
    pub fn new(answer: &Why, lhs: &mut Timeline, rhs: &mut Timeline) -> Result<WhyReport, ReplayError> {
        let mut chains = Vec::new();
        for chain in &answer.chains {
            chains.push(ChainReport::new(chain, lhs, rhs)?);
        }
        Ok(WhyReport { chains, cut_short: answer.cut_short })
    }
}

impl ChainReport {
    fn new(chain: &Chain, lhs: &mut Timeline, rhs: &mut Timeline) -> Result<ChainReport, ReplayError> {
        let symbols = Arc::clone(lhs.symbols());
        let mut steps = Vec::new();
        for link in &chain.links {
            let mut events = [None, None];
            let mut variable = symbols.variable(link.memory, &link.bytes);
            for (side, timeline) in Side::BOTH.into_iter().zip([&mut *lhs, &mut *rhs]) {
                if let Some(position) = link.writers[side.index()] {
                    let sites = Arc::clone(timeline.trace().sites());
                    let event = timeline.event(position)?;
                    let written = event
                        .written()
                        .map(|(memory, address, length)| (memory, address..address.saturating_add(length)));
                    if variable.is_none() && written == Some((link.memory, link.bytes.clone())) {
                        variable = variable_of(&event, &sites, &symbols);
                    }
                    events[side.index()] = Some(EventReport::of(position, &event, &sites, &symbols));
                }
            }
            let [left, right] = events;
            steps.push(ChainStep {
                memory: link.memory,
                address: link.bytes.start,
                length: link.bytes.end - link.bytes.start,
                variable,
                evidence: link.evidence,
                loaded_by: link.loaded.map(|load| SiteReport::at(load.func, load.offset, &symbols)),
                lhs: left,
                rhs: right,
            });
        }
        Ok(ChainReport { steps, end: chain.end, meaning: chain.end.to_string() })
    }
}

impl ChainReport {
    /// A loop carries a difference through the same bytes over and over: of such steps the first and the last are written.
    fn write_steps(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut steps = self.steps.as_slice();
        while let Some((first, rest)) = steps.split_first() {
            first.write(f)?;
            let again = rest.iter().take_while(|step| step.repeats(first)).count();
            steps = rest;
            if again > 2 {
                let last = &rest[again - 1];
                let position =
                    last.lhs.as_ref().map_or(String::new(), |event| format!(", back to {}", event.position));
                writeln!(f, "  ... through the same bytes {} times{position}", again - 1)?;
                steps = &rest[again - 1..];
                if let Some((last, rest)) = steps.split_first() {
                    last.write(f)?;
                    steps = rest;
                }
            }
        }
        Ok(())
    }
}

impl ChainStep {
    /// Whether it is a step through the same bytes by the same instruction.
    fn repeats(&self, other: &ChainStep) -> bool {
        let place = |step: &ChainStep| step.lhs.as_ref().and_then(|event| Some(event.site.as_ref()?.place));
        let bytes = |step: &ChainStep| (step.memory, step.address, step.length);
        bytes(self) == bytes(other) && place(self) == place(other)
    }

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.bytes())?;
        for side in Side::BOTH {
            writeln!(f, "  {side} {}", self.writer(side))?;
        }
        Ok(())
    }

    /// The bytes in one line: where, what they are called, and what speaks for them.
    pub fn bytes(&self) -> String {
        let memory = if self.memory.0 == 0 { String::new() } else { format!("memory {} ", self.memory.0) };
        let name = self.variable.as_ref().map_or(String::new(), |variable| format!(" {variable}"));
        let count = if self.length == 1 { "1 byte".to_string() } else { format!("{} bytes", self.length) };
        let by = self.loaded_by.as_ref().map_or(String::new(), |site| format!(", by {site}"));
        format!("{count} at {memory}{:#x}{name}: {}{by}", self.address, self.evidence)
    }

    /// The writer on a side in one line; without its place, if the other side has the same.
    pub fn writer(&self, side: Side) -> String {
        let Some(event) = side.of([&self.lhs, &self.rhs]) else { return "never written".to_string() };
        let place = match (&event.site, &self.lhs) {
            (Some(site), Some(left)) if side == Side::Rhs && left.site.as_ref() == Some(site) => String::new(),
            (Some(site), _) => format!("  {site}"),
            (None, _) => String::new(),
        };
        format!("{} {}{place}", event.position, event.event)
    }
}

impl fmt::Display for WhyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, chain) in (1..).zip(&self.chains) {
            if self.chains.len() > 1 {
                writeln!(f, "{}Way {number} of {}:", if number > 1 { "\n" } else { "" }, self.chains.len())?;
            }
            chain.write_steps(f)?;
            writeln!(f, "{}.", chain.meaning)?;
        }
        if self.cut_short {
            writeln!(f, "There were more links than are looked at, so better ways may be missing.")?;
        }
        Ok(())
    }
}
