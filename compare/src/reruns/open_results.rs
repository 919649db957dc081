//! What follows from results that the specification leaves open: both sides are rerun with NaNs made canonical or
//! relaxed SIMD made definite by the rewriter. If that removes the divergence, it follows from them.

use super::asked::Asked;
use crate::agreement::same_digests;
use crate::error::CompareError;
use crate::files::open_recorded;
use forkpoint_replay::{Allowed, NanBits, Report, Side, SiteReport, TypedValue, first_divergence};
use forkpoint_tracer::instrument::{Ask, Float, Marked, Options};
use forkpoint_tracer::{Keep, Note, Notes, Request};
use forkpoint_traces::{Hex, Outcome, Position, ValueType};
use serde::Serialize;

/// That a divergence follows from results that the specification leaves open.
#[derive(Debug, Serialize)]
pub struct FollowsFrom {
    /// Which results.
    pub what: LeftOpen,
    /// Whether the runs agree to their end with definite results. Otherwise they agree beyond the divergence, up to a
    /// host call that changes with such results, so that the host log cannot answer it.
    pub to_the_end: bool,
    /// The first NaN whose bits differ, if it could be found.
    pub first_nan: Option<FirstNan>,
}

/// The first NaN that the two sides made with different bits.
#[derive(Debug, Serialize)]
pub struct FirstNan {
    /// The instruction.
    pub site: SiteReport,
    /// The number of this NaN among those of the instruction, from 1.
    pub nth: u64,
    /// Number of events before it.
    pub events: u64,
    /// The left side's bytes in memory order, in hexadecimal.
    pub lhs: Hex<Vec<u8>>,
    /// The right side's.
    pub rhs: Hex<Vec<u8>>,
    /// The value of the left side's bytes.
    pub lhs_value: Option<TypedValue>,
    /// The value of the right side's.
    pub rhs_value: Option<TypedValue>,
}

/// Results that the specification leaves open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeftOpen {
    /// The bits of NaNs.
    NanBits,
    /// Results of relaxed SIMD.
    RelaxedSimd,
    /// Both.
    NanBitsAndRelaxedSimd,
}

impl Asked<'_> {
    /// Finds out whether definite results remove the divergence.
    pub(super) fn open_results(
        &self,
        report: &mut Report,
        why_not: &mut Vec<String>,
    ) -> Result<Option<FollowsFrom>, CompareError> {
        let module = self.runs.program.original();
        let uses = forkpoint_tracer::instrument::open_results(module);
        let position = report.position.unwrap_or(Position(u64::MAX));
        let notes = if uses.nans { self.notes(nans, 0, position, why_not)? } else { None };
        // Where no NaN is made, its bits cannot be the cause.
        let made = notes.as_ref().is_some_and(|[lhs, rhs]| lhs.count + rhs.count > 0);
        let probes = [
            (LeftOpen::NanBits, made, false),
            (LeftOpen::RelaxedSimd, false, uses.relaxed),
            (LeftOpen::NanBitsAndRelaxedSimd, made, uses.relaxed),
        ];
        let mut asked = Vec::new();
        for (what, canonical_nans, fixed_relaxed) in probes {
            if !canonical_nans && !fixed_relaxed || asked.contains(&(canonical_nans, fixed_relaxed)) {
                continue;
            }
            asked.push((canonical_nans, fixed_relaxed));
            let definite = Options { canonical_nans, fixed_relaxed, ..self.options.clone() };
            let Some(to_the_end) = self.agree_with(definite, position)? else { continue };
            let why = match what {
                LeftOpen::NanBits => "it follows from the bits of NaNs, which it leaves open",
                LeftOpen::RelaxedSimd => "it follows from results of relaxed SIMD, which it leaves open",
                LeftOpen::NanBitsAndRelaxedSimd => {
                    "it follows from the bits of NaNs and from results of relaxed SIMD, which it leaves open"
                }
            };
            report.allowed = Some(Allowed { certain: true, why: why.to_string() });
            let first_nan = if canonical_nans { self.first_nan(notes, position)? } else { None };
            return Ok(Some(FollowsFrom { what, to_the_end, first_nan }));
        }
        if uses.relaxed {
            // The module's use of relaxed SIMD is no longer a reason.
            report.allowed = None;
        }
        Ok(None)
    }

    /// Whether both sides agree when the module is rewritten this way: to their end, or at least beyond `position`.
    fn agree_with(&self, options: Options, position: Position) -> Result<Option<bool>, CompareError> {
        if let Keep::Window { .. } | Keep::Windows(_) = &self.sides[0].keep {
            return self.agree_by_digests(options);
        }
        let outcomes = [self.again(Side::Lhs, options.clone())?, self.again(Side::Rhs, options)?]
            .map(|recorded| recorded.outcome);
        let (mut lhs, mut rhs) = (open_recorded(&self.file(Side::Lhs))?, open_recorded(&self.file(Side::Rhs))?);
        let whole = lhs.trace().incomplete().is_none() && rhs.trace().incomplete().is_none();
        let found = first_divergence(&mut lhs, &mut rhs, NanBits::Stop)?;
        if !whole || found.divergence.is_some() || outcomes.iter().any(Outcome::is_cut_short) {
            return Ok(None);
        }
        let answered = !outcomes.contains(&Outcome::Unanswered);
        // The last event is the end.
        let beyond = lhs.len().saturating_sub(1) > position.0;
        Ok((answered || beyond).then_some(answered))
    }

    /// The same for long runs, by digests: only to their end.
    fn agree_by_digests(&self, options: Options) -> Result<Option<bool>, CompareError> {
        let run = |side: Side| {
            let output = self.file(side);
            let request = Request { output, keep: Keep::Digests, ..side.of(self.sides).clone() };
            self.runs.record_again(&Request { options: options.clone(), ..request })
        };
        let (lhs, rhs) = (run(Side::Lhs)?, run(Side::Rhs)?);
        Ok((same_digests(&lhs, &rhs) && lhs.memories == rhs.memories && lhs.globals == rhs.globals).then_some(true))
    }

    fn first_nan(&self, notes: Option<[Notes; 2]>, position: Position) -> Result<Option<FirstNan>, CompareError> {
        let Some(notes) = notes else { return Ok(None) };
        let Some((number, notes)) = self.first_difference(notes, nans, position)? else {
            return Ok(None);
        };
        let (Some(left), Some(right)) = (notes[0].get(number), notes[1].get(number)) else { return Ok(None) };
        let (Some(offset), true) = (left.mark.offset, left.mark == right.mark && left.events <= position.0) else {
            return Ok(None);
        };
        // One mark has one type.
        let ((lhs, ty), (rhs, _)) = (bits(left), bits(right));
        Ok(Some(FirstNan {
            site: SiteReport::at(left.mark.func, offset, self.runs.symbols()),
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
