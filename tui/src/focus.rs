//! Which pane has the focus.

use crate::layout::Wish;
use crate::traces::Direction;
use forkpoint_replay::Side;

/// A kind of pane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Pane {
    /// The lists of events.
    #[default]
    Events,
    /// The bytes of memory.
    Memory,
    /// The text format, one for both sides.
    Wat,
    /// Native code.
    Native,
    /// The whole run.
    Timeline,
    /// A list of places, or source code.
    Panel,
}

impl Pane {
    /// The word for it on the screen.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Pane::Events => "events",
            Pane::Memory => "memory",
            Pane::Wat => "wat",
            Pane::Native => "native",
            Pane::Timeline => "timeline",
            Pane::Panel => "list",
        }
    }
}

/// The focused pane. The side matters for the text format too: it is the side whose site is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Focus {
    /// The kind of pane.
    pub(crate) pane: Pane,
    /// The side.
    pub(crate) side: Side,
}

/// The order of the Tab key through two sides; with one side the right half is left out, and timeline and list where they are hidden.
const RING: [(Pane, Side); 9] = [
    (Pane::Timeline, Side::Lhs),
    (Pane::Panel, Side::Lhs),
    (Pane::Events, Side::Lhs),
    (Pane::Events, Side::Rhs),
    (Pane::Memory, Side::Lhs),
    (Pane::Memory, Side::Rhs),
    (Pane::Wat, Side::Lhs),
    (Pane::Native, Side::Lhs),
    (Pane::Native, Side::Rhs),
];

impl Focus {
    /// The next pane in a direction. Text format and timeline keep the side from which they are reached.
    pub(crate) fn moved(self, direction: Direction, wish: &Wish) -> Focus {
        let shown = |(pane, side): &(Pane, Side)| {
            (wish.pair || *side == Side::Lhs)
                && (wish.timeline || *pane != Pane::Timeline)
                && (wish.panel || *pane != Pane::Panel)
        };
        let ring: Vec<(Pane, Side)> = RING.into_iter().filter(shown).collect();
        let of_both = |pane| matches!(pane, Pane::Wat | Pane::Timeline | Pane::Panel);
        let here = |&(pane, side): &(Pane, Side)| pane == self.pane && (side == self.side || of_both(pane));
        let at = ring.iter().position(here).unwrap_or(0);
        let next = match direction {
            Direction::Forward => (at + 1) % ring.len(),
            Direction::Backward => (at + ring.len() - 1) % ring.len(),
        };
        let (pane, side) = ring[next];
        Focus { pane, side: if of_both(pane) { self.side } else { side } }
    }
}
