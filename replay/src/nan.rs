//! Differences in the bits of NaNs only, which the specification allows: the sign of a NaN that an operation
//! makes, and mostly its payload, are up to the engine.

use crate::error::ReplayError;
use crate::timeline::Timeline;
use forkpoint_traces::{Event, GlobalState, MemoryIndex, Milestone, PAGE, Position};

/// What to do about events that differ in NaN bits only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NanBits {
    /// They count as equal.
    Ignore,
    /// The search goes on behind them; when it finds nothing else, the first of them is the divergence.
    #[default]
    Report,
    /// The first of them is the divergence.
    Stop,
}

impl std::str::FromStr for NanBits {
    type Err = String;

    fn from_str(text: &str) -> Result<NanBits, String> {
        match text {
            "ignore" => Ok(NanBits::Ignore),
            "report" => Ok(NanBits::Report),
            "stop" => Ok(NanBits::Stop),
            _ => Err(format!("unknown value `{text}` for --nan-bits: write ignore, report or stop")),
        }
    }
}

impl std::fmt::Display for NanBits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            NanBits::Ignore => "ignore",
            NanBits::Report => "report",
            NanBits::Stop => "stop",
        })
    }
}

/// Events that differ in NaN bits only, found on the way to a divergence or to the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NanDifferences {
    /// The first of them.
    pub first: Position,
    /// How many.
    pub count: u64,
    /// The bytes of the first on the left.
    pub lhs: Vec<u8>,
    /// The bytes of the first on the right.
    pub rhs: Vec<u8>,
}

fn is_nan32(bits: u32) -> bool {
    f32::from_bits(bits).is_nan()
}

fn is_nan64(bits: u64) -> bool {
    f64::from_bits(bits).is_nan()
}

fn word32(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |word| u32::from_le_bytes(*word))
}

fn word64(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |word| u64::from_le_bytes(*word))
}

/// Whether two values of equal length are equal but for lanes that are NaNs on both sides, as `f32` or as `f64`.
pub(crate) fn nan_lanes(lhs: &[u8], rhs: &[u8]) -> bool {
    let lanes = |width: usize, nan: fn(&[u8]) -> bool| {
        lhs.len().is_multiple_of(width)
            && lhs.chunks(width).zip(rhs.chunks(width)).all(|(left, right)| left == right || nan(left) && nan(right))
    };
    !lhs.is_empty()
        && lhs.len() == rhs.len()
        && (lanes(4, |lane| is_nan32(word32(lane))) || lanes(8, |lane| is_nan64(word64(lane))))
}

/// Whether two values in the notation of the command line are both NaNs. Results that are integers count when
/// their bits are those of NaNs: they were floats a moment before.
fn nan_values(lhs: &str, rhs: &str) -> bool {
    let strip = |text: &str| {
        text.split_once(':')
            .filter(|(ty, _)| matches!(*ty, "i32" | "i64" | "f32" | "f64"))
            .map_or(text.to_string(), |(_, value)| value.to_string())
    };
    let (lhs, rhs) = (strip(lhs), strip(rhs));
    let is_nan = |text: &str| text.trim_start_matches('-').starts_with("nan");
    if is_nan(&lhs) && is_nan(&rhs) {
        return true;
    }
    let (Ok(left), Ok(right)) = (lhs.parse::<i64>(), rhs.parse::<i64>()) else { return false };
    match (i32::try_from(left), i32::try_from(right)) {
        (Ok(left), Ok(right)) => is_nan32(left as u32) && is_nan32(right as u32),
        _ => is_nan64(left as u64) && is_nan64(right as u64),
    }
}

/// Whether two events at the same position differ in NaN bits only.
pub(crate) fn only_nan_bits(lhs: &Event, rhs: &Event) -> bool {
    match (lhs, rhs) {
        (
            Event::Store { site, address, value, .. },
            Event::Store { site: other, address: there, value: against, .. },
        ) => site == other && address == there && nan_lanes(value.bytes(), against.bytes()),
        (
            Event::Milestone(Milestone::Returned { results }),
            Event::Milestone(Milestone::Returned { results: others }),
        ) => {
            results.len() == others.len()
                && results.iter().zip(others).all(|(left, right)| left == right || nan_values(left, right))
        }
        _ => false,
    }
}

/// Whether two `End` milestones differ in NaN bits only: in memory, read at the end of both timelines, and in
/// globals.
pub(crate) fn end_differs_in_nan_bits_only(
    lhs: &mut Timeline,
    rhs: &mut Timeline,
    left: &Event,
    right: &Event,
) -> Result<bool, ReplayError> {
    let (
        Event::Milestone(Milestone::End { outcome, memories, globals, tables }),
        Event::Milestone(Milestone::End { outcome: other, memories: others, globals: theirs, tables: others_tables }),
    ) = (left, right)
    else {
        return Ok(false);
    };
    let same = |left: &GlobalState, right: &GlobalState| {
        left.index == right.index && (left.value == right.value || nan_values(&left.value, &right.value))
    };
    let sizes = memories.iter().map(|memory| memory.pages).eq(others.iter().map(|memory| memory.pages));
    if outcome != other
        || tables != others_tables
        || !sizes
        || globals.len() != theirs.len()
        || !globals.iter().zip(theirs).all(|(left, right)| same(left, right))
    {
        return Ok(false);
    }
    lhs.seek(Position(lhs.len()))?;
    rhs.seek(Position(rhs.len()))?;
    for memory in 0..memories.len() as u32 {
        let memory = MemoryIndex(memory);
        for (here, there) in [(&*lhs, &*rhs), (&*rhs, &*lhs)] {
            for (number, page) in here.memory().pages_in(memory, 0..u64::MAX) {
                let mut against = [0; PAGE as usize];
                there.memory().read(memory, number * PAGE, &mut against);
                let differ = page.chunks(8).zip(against.chunks(8)).any(|(a, b)| a != b && !nan_lanes(a, b));
                if differ {
                    return Ok(false);
                }
            }
        }
    }
    Ok(true)
}

impl NanDifferences {
    /// Whether a pair of events takes its address or value from the first pair of NaNs: the same bytes of it on
    /// both sides, extended either way.
    pub fn leads_to(&self, lhs: &Event, rhs: &Event) -> bool {
        let words = |event: &Event| -> Vec<u64> {
            let address = event.written().map(|(_, address, _)| address);
            let value = event.bytes().filter(|bytes| bytes.len() <= 8).map(|bytes| {
                let mut word = [0; 8];
                word[..bytes.len()].copy_from_slice(bytes);
                u64::from_le_bytes(word)
            });
            address.into_iter().chain(value).collect()
        };
        let parts = |bytes: &[u8], start: usize, width: usize| -> Option<[u64; 2]> {
            let part = bytes.get(start..start + width)?;
            let mut word = [0; 8];
            word[..width].copy_from_slice(part);
            let zero = u64::from_le_bytes(word);
            let shift = 64 - 8 * width as u32;
            Some([zero, ((zero << shift) as i64 >> shift) as u64 & u64::from(u32::MAX)])
        };
        let pairs: Vec<(u64, u64)> = words(lhs).into_iter().zip(words(rhs)).filter(|(a, b)| a != b).collect();
        [1usize, 2, 4, 8].into_iter().any(|width| {
            (0..self.lhs.len()).any(|start| {
                let (Some(left), Some(right)) = (parts(&self.lhs, start, width), parts(&self.rhs, start, width))
                else {
                    return false;
                };
                left.iter().zip(right).any(|(left, right)| left != &right && pairs.contains(&(*left, right)))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_of_nans_are_told_from_other_values() {
        let quiet = 0x7fc0_0000u32.to_le_bytes();
        let negative = 0xffc0_0000u32.to_le_bytes();
        let one = 1.0f32.to_le_bytes();
        assert!(nan_lanes(&quiet, &negative));
        assert!(!nan_lanes(&quiet, &one));
        assert!(nan_lanes(&[one, quiet].concat(), &[one, negative].concat()));
        assert!(!nan_lanes(&[one, quiet].concat(), &[quiet, negative].concat()));
        assert!(nan_lanes(&f64::NAN.to_le_bytes(), &(-f64::NAN).to_le_bytes()));
        assert!(!nan_lanes(&[0x7f], &[0xff]));
        assert!(!nan_lanes(&[], &[]));
    }

    #[test]
    fn results_that_are_nans_are_known_by_notation_or_by_bits() {
        assert!(nan_values("nan:0x400000", "-nan:0x400000"));
        assert!(nan_values("f32:nan:0x400000", "f32:-nan:0x400000"));
        assert!(nan_values("2143289344", "-4194304"));
        assert!(!nan_values("1", "-4194304"));
        assert!(!nan_values("null", "reference"));
    }
}
