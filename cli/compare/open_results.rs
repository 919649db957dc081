//! What follows from results that the specification leaves open: both sides once more, with NaNs made canonical or
//! relaxed SIMD made definite by the rewriter. Where the divergence is gone then, it follows from them.

use super::reruns::{Asked, NAMES, Reruns};
use crate::open::recorded as open;
use anyhow::Result;
use forkpoint_replay::{Allowed, NanBits, Report, SiteReport, TypedValue, first_divergence};
use forkpoint_tracer::instrument::{Ask, Float, Marked, Options};
use forkpoint_tracer::{NOTES_IN_A_DIGEST, Note, Notes};
use forkpoint_traces::{Hex, Outcome, ValueType};
use serde::Serialize;
use std::fmt;

/// That a divergence follows from results that the specification leaves open.
#[derive(Debug, Serialize)]
pub struct FollowsFrom {
    /// From which: `nan-bits`, `relaxed-simd`, or `nan-bits-and-relaxed-simd`.
    pub what: &'static str,
    /// Whether the runs agree to their end with definite results. Otherwise they agree beyond the divergence, up to a host
    /// call that is another one with such results, so that the host log cannot answer it.
    pub to_the_end: bool,
    /// The first NaN whose bits differ, where it could be found.
    pub first_nan: Option<FirstNan>,
}

/// The first NaN that the two sides made with other bits.
#[derive(Debug, Serialize)]
pub struct FirstNan {
    /// The instruction.
    pub site: SiteReport,
    /// The how-manieth NaN of this instruction it is, from 1.
    pub nth: u64,
    /// Events before.
    pub events: u64,
    /// The left one's bytes in memory order, in hexadecimal.
    pub lhs: Hex<Vec<u8>>,
    /// The right one's.
    pub rhs: Hex<Vec<u8>>,
    /// What these bytes mean.
    pub lhs_value: Option<TypedValue>,
    /// The right one's.
    pub rhs_value: Option<TypedValue>,
}

/// What the specification leaves open, by the names in [`FollowsFrom::what`].
const NANS: &str = "nan-bits";
const RELAXED: &str = "relaxed-simd";
const BOTH: &str = "nan-bits-and-relaxed-simd";

impl Asked<'_> {
    /// Finds out whether the divergence is gone with definite results.
    pub(super) fn open_results(&self, report: &mut Report, reruns: &mut Reruns) -> Result<()> {
        let module = self.comparison.session.program.original();
        let uses = forkpoint_tracer::instrument::open_results(module);
        let position = report.position.unwrap_or(u64::MAX);
        let notes = if uses.nans { self.notes(nans, 0, position, reruns)? } else { None };
        // Where no NaN is made, nothing follows from its bits.
        let made = notes.as_ref().is_some_and(|[lhs, rhs]| lhs.count + rhs.count > 0);
        let probes = [(NANS, made, false), (RELAXED, false, uses.relaxed), (BOTH, made, uses.relaxed)];
        let mut asked = Vec::new();
        for (what, canonical_nans, fixed_relaxed) in probes {
            if !canonical_nans && !fixed_relaxed || asked.contains(&(canonical_nans, fixed_relaxed)) {
                continue;
            }
            asked.push((canonical_nans, fixed_relaxed));
            let definite = Options { canonical_nans, fixed_relaxed, ..self.base.clone() };
            let Some(to_the_end) = self.agree_with(definite, position)? else { continue };
            let why = match what {
                NANS => "it follows from the bits of NaNs, which it leaves open",
                RELAXED => "it follows from results of relaxed SIMD, which it leaves open",
                _ => "it follows from the bits of NaNs and from results of relaxed SIMD, which it leaves open",
            };
            report.allowed = Some(Allowed { certain: true, why: why.to_string() });
            let first_nan = if canonical_nans { self.first_nan(notes, position)? } else { None };
            reruns.follows_from = Some(FollowsFrom { what, to_the_end, first_nan });
            return Ok(());
        }
        if uses.relaxed {
            // That the module uses relaxed SIMD is no ground any more.
            report.allowed = None;
        }
        Ok(())
    }

    /// Whether both sides agree when the module is rewritten so: to their end, or at least beyond `position`.
    fn agree_with(&self, options: Options, position: u64) -> Result<Option<bool>> {
        let outcomes = [self.again(0, options.clone())?, self.again(1, options)?].map(|recorded| recorded.outcome);
        let (mut lhs, mut rhs) = (open(&self.file(0))?, open(&self.file(1))?);
        let whole = lhs.trace().incomplete().is_none() && rhs.trace().incomplete().is_none();
        let found = first_divergence(&mut lhs, &mut rhs, NanBits::Stop)?;
        if !whole || found.divergence.is_some() || outcomes.iter().any(Outcome::is_cut_short) {
            return Ok(None);
        }
        let answered = !outcomes.contains(&Outcome::Unanswered);
        // The last event is the end.
        let beyond = lhs.len().saturating_sub(1) > position;
        Ok((answered || beyond).then_some(answered))
    }

    /// Notes of both sides, kept from number `start` on.
    pub(super) fn notes(
        &self,
        ask: impl Fn(std::ops::Range<u64>) -> Ask,
        start: u64,
        position: u64,
        reruns: &mut Reruns,
    ) -> Result<Option<[Notes; 2]>> {
        let mut both = Vec::new();
        for side in 0..2 {
            let window = start..start.saturating_add(NOTES_IN_A_DIGEST);
            match self.ask(side, Options { ask: ask(window), ..self.base.clone() }, position)? {
                Ok(recorded) => both.push(recorded.notes),
                Err(why) => {
                    reruns.notes.push(why);
                    return Ok(None);
                }
            }
        }
        Ok(<[Notes; 2]>::try_from(both).ok())
    }

    /// The number of the first note that differs, and the notes of both sides with it.
    pub(super) fn first_difference(
        &self,
        notes: [Notes; 2],
        ask: impl Fn(std::ops::Range<u64>) -> Ask,
        position: u64,
    ) -> Result<Option<(u64, [Notes; 2])>> {
        let Some(number) = notes[0].first_difference(&notes[1]) else { return Ok(None) };
        if notes.iter().any(|notes| notes.get(number).is_some()) {
            return Ok(Some((number, notes)));
        }
        // It is one of those of which only the digest is known.
        let mut aside = Reruns::default();
        let Some(notes) = self.notes(ask, number, position, &mut aside)? else { return Ok(None) };
        Ok(notes[0].first_difference(&notes[1]).map(|number| (number, notes)))
    }

    fn first_nan(&self, notes: Option<[Notes; 2]>, position: u64) -> Result<Option<FirstNan>> {
        let Some(notes) = notes else { return Ok(None) };
        let Some((number, notes)) = self.first_difference(notes, nans, position)? else {
            return Ok(None);
        };
        let (Some(left), Some(right)) = (notes[0].get(number), notes[1].get(number)) else { return Ok(None) };
        let (Some(offset), true) = (left.mark.offset, left.mark == right.mark && left.events <= position) else {
            return Ok(None);
        };
        let symbols = self.comparison.session.symbols();
        // One mark has one type.
        let ((lhs, ty), (rhs, _)) = (bits(left), bits(right));
        Ok(Some(FirstNan {
            site: SiteReport::at(left.mark.func, offset, &symbols),
            nth: left.nth,
            events: left.events,
            lhs_value: TypedValue::of_type(ty, &lhs),
            rhs_value: TypedValue::of_type(ty, &rhs),
            lhs: Hex(lhs),
            rhs: Hex(rhs),
        }))
    }
}

fn nans(window: std::ops::Range<u64>) -> Ask {
    Ask::Nans { window }
}

/// The bytes of a NaN in memory order, and its type.
fn bits(note: &Note) -> (Vec<u8>, ValueType) {
    let (width, ty) = match note.mark.what {
        Marked::Nan(Float::F32) => (4, ValueType::F32),
        Marked::Nan(Float::F64) => (8, ValueType::F64),
        _ => (16, ValueType::V128),
    };
    (note.words.iter().flat_map(|word| word.to_le_bytes()).take(width).collect(), ty)
}

impl fmt::Display for FollowsFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, with) = match self.what {
            NANS => ("the bits of NaNs", "all NaNs made canonical"),
            RELAXED => ("results of relaxed SIMD", "relaxed SIMD made definite"),
            _ => (
                "the bits of NaNs and results of relaxed SIMD",
                "all NaNs made canonical and relaxed SIMD made definite",
            ),
        };
        write!(f, "This follows from {from}: with {with} on both sides, the runs agree")?;
        f.write_str(if self.to_the_end { "." } else { " there, and go on to a host call that was another one." })?;
        let Some(nan) = &self.first_nan else { return Ok(()) };
        let FirstNan { site, nth, lhs, rhs, lhs_value, rhs_value, .. } = nan;
        let typed = |bytes: &Hex<Vec<u8>>, value: &Option<TypedValue>| match value {
            Some(value) => format!("{bytes:#} = {value}"),
            None => format!("{bytes:#}"),
        };
        write!(f, " The first NaN whose bits differ is number {nth} of {site}: ")?;
        write!(f, "{} {}, {} {}.", NAMES[0], typed(lhs, lhs_value), NAMES[1], typed(rhs, rhs_value))
    }
}
