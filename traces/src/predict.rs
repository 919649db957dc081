//! The per-site predictor: what it foresees is not stored.
//!
//! For every site it keeps which site followed last time, and for every operand the last value and a stride. An
//! operand is foreseen when it is the last value plus the stride; the stride changes only when the same difference is
//! seen twice, so a loop that starts a new row, or a value that changes once, costs one miss, not two. Encoder and
//! decoder drive the same [`Predictor`], so they cannot disagree.
//! State is forgotten at every chunk (by an epoch, not by clearing): chunks are readable alone.

use crate::site::MAX_OPERANDS;

/// History of one operand of one site.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Lane {
    pub(crate) last: u64,
    stride: u64,
    difference: u64,
}

impl Lane {
    #[inline]
    pub(crate) fn predict(&self) -> u64 {
        self.last.wrapping_add(self.stride)
    }

    /// Notes a value that was foreseen.
    #[inline]
    pub(crate) fn hit(&mut self, value: u64) {
        self.last = value;
    }

    /// Notes a value that was not foreseen.
    #[inline]
    pub(crate) fn miss(&mut self, value: u64) {
        let difference = value.wrapping_sub(self.last);
        if difference == self.difference {
            self.stride = difference;
        }
        self.difference = difference;
        self.last = value;
    }
}

/// History of one site within a chunk.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SiteState {
    epoch: u32,
    successor: u32,
    pub(crate) lanes: [Lane; MAX_OPERANDS],
}

/// History of all sites.
#[derive(Debug)]
pub(crate) struct Predictor {
    states: Vec<SiteState>,
    epoch: u32,
    previous: usize,
}

impl Predictor {
    pub(crate) fn new(sites: usize) -> Predictor {
        Predictor { states: vec![SiteState::default(); sites.max(1)], epoch: 0, previous: 0 }
    }

    /// Forgets everything: a chunk begins.
    pub(crate) fn reset(&mut self) {
        if self.epoch == u32::MAX {
            self.states.fill(SiteState::default());
            self.epoch = 0;
        }
        self.epoch += 1;
        self.previous = 0;
        self.fresh(0);
    }

    fn fresh(&mut self, site: usize) {
        self.states[site] = SiteState { epoch: self.epoch, successor: site as u32 + 1, lanes: Default::default() };
    }

    /// The site expected next.
    #[inline]
    pub(crate) fn successor(&self) -> u32 {
        self.states[self.previous].successor
    }

    /// Moves on to `site`, which must be below the number given to [`Predictor::new`], and returns its history.
    #[inline]
    pub(crate) fn enter(&mut self, site: u32) -> &mut SiteState {
        self.states[self.previous].successor = site;
        let site = site as usize;
        if self.states[site].epoch != self.epoch {
            self.fresh(site);
        }
        self.previous = site;
        &mut self.states[site]
    }
}
