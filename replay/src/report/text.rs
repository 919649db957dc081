//! A report for people: one paragraph, the events around, the two runs.

use super::{BetweenReport, CulpritReport, EventReport, Report, SideReport, SiteReport};
use crate::allowed::Allowed;
use crate::side::Side;
use crate::symbols::Variable;
use crate::verdict::Verdict;
use forkpoint_traces::{Hex, MemoryIndex, Position};
use std::fmt;

/// Most lines of what its process wrote last: of a panic, its message and place.
const LAST_LINES: usize = 8;

/// Most lines of an engine's message in a report for people: the message, and a trap's innermost frames.
const MESSAGE_LINES: usize = 5;

impl fmt::Display for SiteReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` in {} at {}", self.instruction, self.name, self.offset)?;
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, " ({file}:{line})"),
            (Some(file), None) => write!(f, " ({file})"),
            _ => Ok(()),
        }
    }
}

/// A sentence about a place in memory. Memory 0 of a single module, nearly always the only one, has neither number nor
/// name.
fn write_place(
    f: &mut fmt::Formatter<'_>,
    memory: &str,
    (memory_index, name): (Option<MemoryIndex>, Option<&str>),
    address: u64,
    before: &Hex<Vec<u8>>,
    after: [Option<&Hex<Vec<u8>>>; 2],
    (writer, written_before): (Option<&EventReport>, Option<Position>),
) -> fmt::Result {
    let which = match name {
        _ if memory_index == Some(MemoryIndex(0)) => String::new(),
        Some(name) => format!(" {name}"),
        None => memory_index.map_or_else(String::new, |MemoryIndex(index)| format!(" {index}")),
    };
    write!(f, "{memory}{which} at {address:#x} held {before:#} before")?;
    for side in Side::BOTH {
        if let Some(after) = side.of(after) {
            write!(f, ", {after:#} after in {side}")?;
        }
    }
    let Some(writer) = writer else {
        return match written_before {
            Some(position) => {
                write!(f, "; the event that wrote there last comes before {position} and was not recorded.")
            }
            None => f.write_str("; nothing had written there."),
        };
    };
    write!(f, "; last written at {}", writer.position)?;
    match &writer.site {
        Some(site) => write!(f, " by {site}."),
        None => write!(f, " ({}).", writer.event),
    }
}

impl CulpritReport {
    fn write(&self, f: &mut fmt::Formatter<'_>, what: &str) -> fmt::Result {
        let EventReport { position, event, site } = &self.event;
        write!(f, " {what} {position} of {}, {event}", self.side)?;
        match site {
            Some(site) => write!(f, ", {site}."),
            None => f.write_str("."),
        }
    }
}

impl BetweenReport {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (side, other) = (self.side, self.side.other());
        write!(f, " Where {side} ended is not known:")?;
        match &self.after {
            Some(EventReport { position, event, site: None }) => write!(f, " after {event} ({position})")?,
            Some(EventReport { position, site: Some(site), .. }) => write!(f, " after {site} ({position})")?,
            None => f.write_str(" before its first recorded instruction")?,
        }
        match &self.before {
            Some(EventReport { position, event, site: None }) => {
                write!(f, "; {other} went on to {event} ({position}).")?
            }
            Some(EventReport { position, site: Some(site), .. }) => {
                write!(f, "; {other} went on to {site} ({position}).")?
            }
            None => write!(f, "; {other} recorded no instruction after that.")?,
        }
        Ok(())
    }
}

impl Report {
    /// Which variables the two events write.
    fn write_variables(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |variable: &Variable| match &variable.ty {
            Some(ty) => format!("{variable} ({ty})"),
            None => variable.to_string(),
        };
        match (&self.lhs.variable, &self.rhs.variable) {
            (Some(left), Some(right)) if left == right => write!(f, "; both write {}", text(left)),
            (Some(left), Some(right)) => write!(f, "; lhs writes {}, rhs {}", text(left), text(right)),
            (Some(left), None) => write!(f, "; lhs writes {}", text(left)),
            (None, Some(right)) => write!(f, "; rhs writes {}", text(right)),
            (None, None) => Ok(()),
        }
    }
}

/// A sentence and a paragraph that a bug report can quote, then the events around.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(verdict), Some(position)) = (self.verdict, self.position) else {
            return self.fmt_without_divergence(f);
        };
        // The class fits on a line; what follows is a paragraph.
        write!(f, "The runs diverge at {position} ({verdict}): {}.\n ", verdict.meaning())?;
        if let Some(directive) = &self.directive {
            write!(f, " In {directive}:")?;
        }
        if let Some(site) = &self.site {
            write!(f, " At {site}:")?;
        }
        if let Some(call) = &self.host_call {
            write!(f, " In {call}:")?;
        }
        for side in Side::BOTH {
            let SideReport { engine, event, .. } = self.side(side);
            let event = event.as_deref().unwrap_or("nothing more");
            write!(f, "{} {side} ({engine}) has {event}", if side == Side::Lhs { "" } else { ";" })?;
        }
        self.write_variables(f)?;
        if let (Some(memory), Some(address), Some(before)) = (self.memory, self.address, &self.before) {
            let after = [self.lhs.after.as_ref(), self.rhs.after.as_ref()];
            let memory = (self.numbered(memory), self.memory_name.as_deref());
            write_place(
                f,
                "; memory",
                memory,
                address,
                before,
                after,
                (self.last_writer.as_ref(), self.written_before),
            )?;
        } else {
            f.write_str(".")?;
        }
        if let Some(place) = &self.elsewhere {
            let after = [Some(&place.lhs_after), Some(&place.rhs_after)];
            let memory = (self.numbered(place.memory), place.memory_name.as_deref());
            let writer = (place.last_writer.as_ref(), place.written_before);
            write_place(f, " Memory", memory, place.address, &place.before, after, writer)?;
        }
        if let Some(during) = &self.during {
            during.write(f, "Memory changed with")?;
        }
        if let Some(culprit) = &self.culprit {
            culprit.write(f, "The last event that wrote there is")?;
        }
        if let Some(nan) = &self.nan_bits
            && verdict != Verdict::NanBits
        {
            write!(f, " {} events before differ in NaN bits only, the first at {}; ", nan.count, nan.first)?;
            f.write_str(match nan.leads_to_divergence {
                true => "this follows from it.",
                false => "this may follow from it.",
            })?;
        }
        if let Some(between) = &self.between {
            between.write(f)?;
        }
        match self.resync {
            Some([lhs, rhs]) if self.resync_equal == Some(true) => {
                writeln!(f, " The runs agree again from lhs {lhs}, rhs {rhs} on, for a while.")?;
            }
            Some([lhs, rhs]) => writeln!(
                f,
                " The runs execute the same instructions again from lhs {lhs}, rhs {rhs} on, with different operands."
            )?,
            None => writeln!(f, " forkpoint found no place where the runs agree again.")?,
        }
        if let Some(machine) = &self.machine {
            writeln!(f, "{machine}")?;
        }
        if let Some(Allowed { certain, why }) = &self.allowed {
            let how = if *certain { "allows" } else { "may allow" };
            writeln!(f, "The specification {how} this: {why}.")?;
        }
        writeln!(f)?;
        for row in &self.context {
            let mark = if row.equal { ' ' } else { '!' };
            for side in Side::BOTH {
                if let Some(line) = side.of([&row.lhs, &row.rhs]) {
                    let side = if row.equal { "" } else { side.word() };
                    writeln!(f, "{mark} {:>10} {side:3} {line}", row.position.to_string())?;
                }
            }
        }
        writeln!(f)?;
        self.fmt_sides(f)
    }
}

impl Report {
    /// A memory of a single module; those of programs have names.
    fn numbered(&self, memory: MemoryIndex) -> Option<MemoryIndex> {
        self.lhs.assertions.is_none().then_some(memory)
    }

    fn fmt_without_divergence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Some(reason) if self.nothing_ran => writeln!(f, "Nothing to compare: {reason}.")?,
            Some(reason) => writeln!(f, "No answer: {reason}.")?,
            None if self.agree == Some(false) => {
                let verdict = self.verdict.map_or("end-state", Verdict::word);
                let meaning = self.meaning.unwrap_or_default();
                writeln!(f, "The runs diverge ({verdict}): {meaning}.")?;
                writeln!(f, "The recorded runs agree on all {} events.", self.lhs.events)?;
            }
            None => {
                let outcome = in_words(&self.lhs, "ended");
                write!(f, "The runs agree on all {} events", self.lhs.events)?;
                if let Some(nan) = &self.nan_bits {
                    write!(f, ", but for NaN bits in {} of them (first at {})", nan.count, nan.first)?;
                }
                write!(f, "; both {outcome}")?;
                self.not_asked.iter().try_for_each(|what| write!(f, "; {what}"))?;
                writeln!(f, ".")?;
            }
        }
        self.fmt_sides(f)
    }

    fn fmt_sides(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for name in Side::BOTH {
            let side = self.side(name);
            let outcome = in_words(side, "no end recorded");
            write!(f, "{name}: {}: {} events, {outcome}", side.engine, side.events)?;
            if !side.complete {
                f.write_str(" (incomplete)")?;
            }
            writeln!(f, "\n     {}", side.version)?;
            if let Some(assertions) = side.assertions.as_ref().filter(|assertions| !assertions.is_empty()) {
                writeln!(f, "     {assertions}")?;
            }
            if let Some(limit) = &side.page_limit {
                writeln!(f, "     {limit}")?;
            }
            let message = side.message.as_deref().unwrap_or_default();
            for line in message.lines().take(MESSAGE_LINES) {
                writeln!(f, "     {line}")?;
            }
            let left_out = message.lines().count().saturating_sub(MESSAGE_LINES);
            if left_out > 0 {
                writeln!(f, "     ... and {left_out} more lines (see `forkpoint info`)")?;
            }
            if let Some(words) = &side.last_words {
                let lines: Vec<&str> = words.lines().filter(|line| !line.trim().is_empty()).collect();
                let left_out = lines.len().saturating_sub(LAST_LINES);
                let more = if left_out > 0 {
                    format!(" ({left_out} lines before: see `forkpoint info`)")
                } else {
                    String::new()
                };
                writeln!(f, "     its process wrote last{more}:")?;
                lines[left_out..].iter().try_for_each(|line| writeln!(f, "       | {line}"))?;
            }
            match (side.offset, &side.code) {
                (Some(offset), Some(code)) => writeln!(f, "     at byte offset {offset:#x}, error code {code}")?,
                (Some(offset), None) => writeln!(f, "     at byte offset {offset:#x}")?,
                (None, Some(code)) => writeln!(f, "     error code {code}")?,
                (None, None) => {}
            }
        }
        writeln!(f, "specification: {}", self.specification)?;
        self.asked_for.iter().try_for_each(|difference| writeln!(f, "asked for: {difference}"))
    }
}

/// How a run ended, or `otherwise` if its trace does not say.
fn in_words(side: &SideReport, otherwise: &str) -> String {
    side.outcome.as_ref().map_or_else(|| otherwise.to_string(), ToString::to_string)
}
