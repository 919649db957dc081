//! A comparison of two builds for people: a sentence, what each build did, and where memory differs.

use super::parts::{BuildReport, BuildsReport, SeenRow};
use super::place::{BuildBytes, BuildPlace, Counterpart, FollowedStores};
use crate::report::EventReport;
use crate::side::Side;
use forkpoint_traces::MemoryIndex;
use std::fmt;

/// How many places are shown: `--json` has more.
const FEW: usize = 3;

/// A sentence and a paragraph that a bug report can quote, then the places and the two runs.
impl fmt::Display for BuildsReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.agree, self.verdict) {
            (Some(true), _) => {
                let outcome = self.lhs.run.outcome.as_ref().map_or(String::new(), ToString::to_string);
                writeln!(f, "The builds agree in all that an observer sees: {}; both {outcome}.", self.counted())?;
            }
            (None, _) => {
                let reason = self.reason.as_deref().unwrap_or("unknown");
                writeln!(f, "No answer: {reason}.\n  Until there the builds agree: {}.", self.counted())?;
            }
            (Some(false), verdict) => {
                let verdict = verdict.map_or("unknown", |verdict| verdict.word());
                let difference = self.difference.as_deref().unwrap_or_default();
                writeln!(f, "The builds diverge ({verdict}): {difference}.")?;
                writeln!(f, "  Until there they agree in all that an observer sees: {}.", self.counted())?;
            }
        }
        self.fmt_events(f)?;
        if self.nan_results > 0 {
            writeln!(
                f,
                "{} of the results differ in bits of NaNs only, which the specification allows.",
                self.nan_results
            )?;
        }
        self.fmt_memory(f)?;
        self.notes.iter().try_for_each(|note| writeln!(f, "note: {note}."))?;
        writeln!(f)?;
        self.lhs.fmt(f, Side::Lhs)?;
        self.rhs.fmt(f, Side::Rhs)
    }
}

fn counted_bytes(bytes: u64) -> String {
    if bytes == 1 { "1 byte".to_string() } else { format!("{bytes} bytes") }
}

impl BuildsReport {
    /// The report on one of the builds.
    pub fn side(&self, side: Side) -> &BuildReport {
        side.of([&self.lhs, &self.rhs])
    }

    fn counted(&self) -> String {
        let count = |number: u64, one: &str, many: &str| match number {
            1 => format!("1 {one}"),
            number => format!("{number} {many}"),
        };
        let compared = &self.compared;
        let mut parts = vec![count(compared.calls, "call of an export", "calls of exports")];
        parts.push(count(compared.host_calls, "host call", "host calls"));
        if self.layout.same {
            parts.push(count(compared.growths, "growth of memory", "growths of memory"));
        }
        parts.join(", ")
    }

    fn fmt_events(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.agree == Some(true) {
            return Ok(());
        }
        for SeenRow { lhs, rhs, event } in &self.context {
            writeln!(f, "    lhs {lhs}, rhs {rhs}: {event}")?;
        }
        for side in Side::BOTH {
            match &self.side(side).event {
                Some(EventReport { position, event, site }) => {
                    write!(f, "  ! {side} {position}: {event}")?;
                    match site {
                        Some(site) => writeln!(f, ", {site}")?,
                        None => writeln!(f)?,
                    }
                }
                None => writeln!(f, "  ! {side}: nothing more")?,
            }
        }
        Ok(())
    }

    fn fmt_memory(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(why) = &self.layout.why {
            writeln!(
                f,
                "Addresses do not mean the same in both builds: {why}. So memory is not compared, nor how it grows; what the \
                 host is given is, wherever it lies."
            )?;
        }
        let (read, others): (Vec<&BuildPlace>, Vec<&BuildPlace>) =
            self.places.iter().partition(|place| place.read_by_host);
        for place in read {
            writeln!(f, "What the host is given differs first at:")?;
            place.fmt(f)?;
        }
        if let Some(followed) = &self.followed {
            followed.fmt(f)?;
        }
        let bytes = &self.memory;
        if bytes.all == 0 {
            if self.layout.same && self.agree.is_some() {
                let moments = self.compared.memory_differed;
                match (self.agree, moments) {
                    (Some(true), 0) => writeln!(f, "Memory is the same at each of these moments.")?,
                    (Some(true), _) => {
                        writeln!(
                            f,
                            "Memory is the same at the end; it differed at {moments} moments before, without effect."
                        )?;
                    }
                    _ => writeln!(f, "Memory does not differ there.")?,
                }
            }
            return Ok(());
        }
        match self.agree {
            Some(true) => write!(
                f,
                "Memory differs at the end in {}, which no host call, result or trap showed: moved, added or removed \
                 without effect",
                counted_bytes(bytes.all)
            )?,
            _ => write!(f, "Memory differs there in {}", counted_bytes(bytes.all))?,
        }
        let of = if bytes.examined < bytes.all { format!("of {} examined, ", bytes.examined) } else { String::new() };
        writeln!(
            f,
            " ({of}{} written by both builds, {} by lhs only, {} by rhs only). First of all:",
            bytes.both, bytes.only_lhs, bytes.only_rhs
        )?;
        others.into_iter().take(FEW).try_for_each(|place| place.fmt(f))
    }
}

impl FollowedStores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.one_function {
            writeln!(f, "Followed store by store, one function of both first left other bytes here:")?;
            place.fmt(f)?;
        }
        if let Some(place) = &self.before {
            match self.one_function {
                Some(_) => writeln!(f, "Before that, this differs, which may be another use of the stack:")?,
                None => writeln!(f, "Followed store by store, the builds first left other bytes here:")?,
            }
            place.fmt(f)?;
        }
        match (self.lost, &self.one_function, &self.before) {
            (true, ..) => writeln!(f, "Then their stores have too little in common to be followed."),
            (false, None, None) => {
                writeln!(
                    f,
                    "Followed store by store, both write the same until there: what differs was never in memory."
                )
            }
            _ => Ok(()),
        }
    }
}

impl BuildPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let memory = match self.memory {
            MemoryIndex(0) => String::new(),
            MemoryIndex(index) => format!("memory {index} "),
        };
        for (side, bytes) in [(Side::Lhs, &self.lhs), (Side::Rhs, &self.rhs)] {
            let BuildBytes { address, bytes: held, writer, counterpart } = bytes;
            write!(f, "  {side} {memory}{address:#010x}: {held:#}")?;
            match writer {
                None => f.write_str(", which nothing wrote")?,
                Some(EventReport { position, event, site: None }) => write!(f, ", by {position}: {event}")?,
                Some(EventReport { position, event, site: Some(site) }) => {
                    write!(f, ", by {position}: {event}, in {} at {}", site.name, site.offset)?;
                    if let (Some(file), Some(line)) = (&site.file, site.line) {
                        write!(f, " ({file}:{line})")?;
                    }
                }
            }
            match (counterpart, self.same_function) {
                (Some(Counterpart { name, by, .. }), None) => {
                    write!(f, " ({name} in {}, by {by})", side.other())?;
                }
                (Some(Counterpart { by, .. }), Some(_)) if side == Side::Rhs => {
                    write!(f, " (the same function, by {by})")?
                }
                _ => {}
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

impl BuildReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>, side: Side) -> fmt::Result {
        let BuildReport { module, run, .. } = self;
        let outcome = run.outcome.as_ref().map_or("no end recorded".to_string(), ToString::to_string);
        let cut = if run.complete { "" } else { " (incomplete)" };
        writeln!(f, "{side}: {}, {} bytes, BLAKE3 {}", module.name, module.bytes, module.blake3)?;
        writeln!(f, "     {}: {} events, {outcome}{cut}", run.engine, run.events)?;
        if let Some(message) = run.message.as_ref().and_then(|message| message.lines().next()) {
            writeln!(f, "     {message}")?;
        }
        Ok(())
    }
}
