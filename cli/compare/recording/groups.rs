//! Which engines do the same with a recording.

use crate::files::timeline;
use forkpoint_compare::Compared;
use forkpoint_replay::{NanBits, first_divergence};
use std::path::{Path, PathBuf};

/// Engines that agree with the recording, and those that diverge from it in the same way.
pub struct Groups {
    nan_bits: NanBits,
    /// The first trace of each group that diverges; none of those that agree.
    first: Vec<Option<PathBuf>>,
}

impl Groups {
    pub fn new(nan_bits: NanBits) -> Groups {
        Groups { nan_bits, first: Vec::new() }
    }

    /// The group of an engine, by its number from 0 on; `None` if it gave no answer. Its run is in `trace`.
    pub fn of(&mut self, compared: &Compared, trace: &Path) -> Option<usize> {
        let diverges = !compared.report.agree?;
        let found = self.first.iter().position(|first| match first {
            None => !diverges,
            Some(first) => diverges && self.are_equal(first, trace),
        });
        Some(found.unwrap_or_else(|| {
            self.first.push(diverges.then(|| trace.to_path_buf()));
            self.first.len() - 1
        }))
    }

    /// Whether two runs are event for event the same. One that cannot be read again is like no other.
    fn are_equal(&self, one: &Path, other: &Path) -> bool {
        let found = || -> anyhow::Result<bool> {
            let (mut one, mut other) = (timeline(one)?, timeline(other)?);
            let found = first_divergence(&mut one, &mut other, self.nan_bits)?;
            Ok(found.divergence.is_none() && found.cut_short.is_none())
        };
        found().unwrap_or(false)
    }
}
