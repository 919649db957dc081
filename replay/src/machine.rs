//! What may be due to the machine and not to the engine: memory that could not grow because the process's address
//! space was limited.

use crate::divergence::Divergence;
use crate::side::Side;
use crate::timeline::Timeline;
use forkpoint_traces::{ADDRESS_SPACE, Event};

/// A refused growth under a limit on address space.
pub(crate) struct Refusal {
    /// What is known of it, as a sentence.
    pub(crate) words: String,
    /// Whether no process could have had this memory under that limit, whatever its engine does.
    pub(crate) certain: bool,
}

/// What is known of a divergence in which one side's memory did not grow; `None` if both grew, or if nothing limited
/// that side's process.
pub(crate) fn refusal(lhs: &Timeline, rhs: &Timeline, divergence: &Divergence) -> Option<Refusal> {
    let (Some(left), Some(right)) = (&divergence.lhs, &divergence.rhs) else { return None };
    let (Event::Grow { memory, delta, result: left, .. }, Event::Grow { result: right, .. }) = (left, right) else {
        return None;
    };
    let (side, before) = match (left, right) {
        (Some(before), None) => (Side::Rhs, *before),
        (None, Some(before)) => (Side::Lhs, *before),
        _ => return None,
    };
    let timeline = side.of([lhs, rhs]);
    let settings = &timeline.trace().header().engine.settings;
    let limit: u64 = settings.iter().find(|(name, _)| name == ADDRESS_SPACE)?.1.parse().ok()?;
    let page = timeline.memory().size(*memory).map_or(1 << 16, |size| u64::from(size.page_size));
    let size = before.saturating_add(*delta).saturating_mul(page);
    let certain = size > limit;
    let which = if certain {
        "The machine refused it, and not the engine"
    } else {
        "The machine may have refused it, and not the engine"
    };
    let words = format!(
        "{which}: the process of {side} could have {limit} bytes of address space (ulimit -v), and this memory alone would \
         have {size}."
    );
    Some(Refusal { words, certain })
}
