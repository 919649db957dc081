//! The per-site predictor: what it foresees is not stored.
//!
//! For every site it keeps which site followed last time, and for every operand the last value and a stride. An
//! operand is foreseen when it is the last value plus the stride; the stride changes only when the same difference is
//! seen twice, so a loop that starts a new row, or a value that changes once, costs one miss, not two. Encoder and
//! decoder drive the same [`Predictor`], so they cannot disagree.
//! State is forgotten at every chunk (by an epoch, not by clearing): chunks are readable alone.

use crate::site::Layout;

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

    /// Whether it foresees this difference.
    #[inline]
    pub(crate) fn goes_on(&self, stride: u64) -> bool {
        self.stride == stride
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

/// History of one site within a chunk, and what a store there writes. One cache line: of everything that is kept per
/// site, an event of a store looks at this alone.
#[derive(Debug, Clone, Copy, Default)]
#[repr(align(64))]
pub(crate) struct SiteState {
    epoch: u32,
    pub(crate) successor: u32,
    /// Memory and width of a store of up to 8 bytes; a width of 0 is anything else.
    pub(crate) memory: u32,
    pub(crate) width: u8,
    /// Whether its values are grouped.
    pub(crate) grouped: bool,
    /// The first two operands. Few events have a third.
    pub(crate) lanes: [Lane; 2],
}

/// History of a site's third operand, in the chunk with this epoch.
#[derive(Debug, Clone, Copy, Default)]
struct Third {
    epoch: u32,
    lane: Lane,
}

/// Where the values of one site are in a chunk that is read: the next one, and their end.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Values {
    /// The [round](SiteValues::round) in which this was so.
    pub(crate) round: u32,
    pub(crate) next: u32,
    pub(crate) end: u32,
}

/// The same of all sites, kept by a decoder from one chunk to the next.
#[derive(Debug, Default)]
pub(crate) struct SiteValues {
    pub(crate) sites: Vec<Values>,
    /// Counts chunks, so that what was before needs no clearing.
    pub(crate) round: u32,
}

/// History of all sites.
#[derive(Debug)]
pub(crate) struct Predictor {
    states: Vec<SiteState>,
    third: Vec<Third>,
    epoch: u32,
    previous: usize,
    /// What a decoder keeps of grouped values.
    values: SiteValues,
}

impl Predictor {
    /// No history of the sites with these layouts. A chunk begins with [`Predictor::reset`].
    pub(crate) fn new(layouts: &[Layout]) -> Predictor {
        let state = |layout: &Layout| {
            let Layout { memory, store: width, grouped, .. } = *layout;
            SiteState { memory, width, grouped, ..SiteState::default() }
        };
        let mut states: Vec<SiteState> = layouts.iter().map(state).collect();
        states.resize(states.len().max(1), SiteState::default());
        Predictor {
            third: vec![Third::default(); states.len()],
            states,
            epoch: 0,
            previous: 0,
            values: SiteValues::default(),
        }
    }

    /// Forgets everything: a chunk begins.
    pub(crate) fn reset(&mut self) {
        if self.epoch == u32::MAX {
            self.states.iter_mut().for_each(|state| state.epoch = 0);
            self.third.fill(Third::default());
            self.epoch = 0;
        }
        self.epoch += 1;
        self.previous = 0;
        self.fresh(0);
    }

    /// Lends what a decoder keeps of grouped values, to be given back.
    pub(crate) fn take_values(&mut self) -> SiteValues {
        std::mem::take(&mut self.values)
    }

    /// Gets it back.
    pub(crate) fn give_back(&mut self, values: SiteValues) {
        self.values = values;
    }

    fn fresh(&mut self, site: usize) {
        let state = &mut self.states[site];
        (state.epoch, state.successor, state.lanes) = (self.epoch, site as u32 + 1, Default::default());
    }

    /// The site expected next.
    #[inline]
    pub(crate) fn successor(&self) -> u32 {
        self.states[self.previous].successor
    }

    /// Moves on to `site`, which must be one of those given to [`Predictor::new`], and returns its history.
    #[inline]
    pub(crate) fn enter(&mut self, site: u32) -> &mut SiteState {
        let previous = &mut self.states[self.previous];
        // Mostly it is there already, and a line that is not written stays clean.
        if previous.successor != site {
            previous.successor = site;
        }
        let site = site as usize;
        if self.states[site].epoch != self.epoch {
            self.fresh(site);
        }
        self.previous = site;
        &mut self.states[site]
    }

    /// Whether it is at this site.
    #[inline]
    pub(crate) fn is_at(&self, site: u32) -> bool {
        self.previous == site as usize
    }

    /// History of the site that was entered last.
    #[inline]
    pub(crate) fn entered(&mut self) -> &mut SiteState {
        &mut self.states[self.previous]
    }

    /// Memory and width of the store at `site`, `None` for anything else.
    #[inline]
    pub(crate) fn store(&self, site: u32) -> Option<(u32, u8)> {
        let state = self.states.get(site as usize).filter(|state| state.width != 0)?;
        Some((state.memory, state.width))
    }

    /// History of an operand of the site that was entered last.
    #[inline]
    pub(crate) fn lane(&mut self, operand: usize) -> &mut Lane {
        if let Some(lane) = self.states[self.previous].lanes.get_mut(operand) {
            return lane;
        }
        let third = &mut self.third[self.previous];
        if third.epoch != self.epoch {
            *third = Third { epoch: self.epoch, lane: Lane::default() };
        }
        &mut third.lane
    }
}
