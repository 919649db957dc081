//! Events as they are stored, and what their operands mean: the one place that turns an [`Event`] into numbers and back.
//!
//! | site | operands | bytes |
//! | --- | --- | --- |
//! | a store, an atomic read-modify-write | address, value (of 16 bytes: its two halves) | |
//! | `memory.grow` | pages asked for, size before (`u64::MAX`: refused) | |
//! | `memory.fill` | address, byte, length | |
//! | `memory.copy`, `memory.init` | address, address or offset read from, length | |
//! | `data.drop` | | |
//! | [`SiteId::MILESTONE`], [`SiteId::HOST`] | | the encoded [`Milestone`] or [`HostEvent`] |
//! | [`SiteId::STRAY_BYTES`] | memory, address | the bytes |
//! | [`SiteId::OBSERVED`] | memory, address, how it was found | the bytes |
//! | the same, found as [`FOUND_SIZE`] | memory, pages | |
//! | the same, found as [`FOUND_OUTSIDE`] | memory, address | |
//!
//! The table of sites names the memory, and what is copied or dropped. `site.rs` decides how operands are laid out in
//! columns.

use crate::error::TraceError;
use crate::event::{Event, Observation, Value};
use crate::host::HostEvent;
use crate::ids::{DataIndex, MemoryIndex, SiteId};
use crate::milestone::Milestone;
use crate::op::Shape;
use crate::site::{MAX_OPERANDS, Site, SiteTable};
use crate::wire;

/// An [`Observation::ReadBack`] as a number.
const READ_BACK: u64 = 0;

/// An [`Observation::Checkpoint`] as a number.
const CHECKPOINT: u64 = 1;

/// An [`Observation::Watch`] as a number.
const WATCH: u64 = 2;

/// Instead of the number of an [`Observation`]: the event is [`Event::FoundSize`].
const FOUND_SIZE: u64 = 3;

/// Instead of the number of an [`Observation`]: the event is [`Event::FoundOutside`].
const FOUND_OUTSIDE: u64 = 4;

/// The size before of a growth that the engine refused.
const REFUSED: u64 = u64::MAX;

/// An event as it is stored: site number, operands, bytes. [`Event::read`] returns its readable form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawEvent<'a> {
    /// The site, or one of the recorder's own numbers.
    pub site: SiteId,
    /// The operands; unused ones are 0. Effective address first for every instruction that writes.
    pub operands: [u64; MAX_OPERANDS],
    /// Bytes of milestones, host calls and what was found; empty for instructions.
    pub blob: &'a [u8],
}

impl<'a> RawEvent<'a> {
    /// An instruction's event.
    #[inline]
    pub fn instruction(site: SiteId, operands: [u64; MAX_OPERANDS]) -> RawEvent<'static> {
        RawEvent { site, operands, blob: &[] }
    }

    /// A milestone, by its encoded bytes.
    pub(crate) fn milestone(encoded: &'a [u8]) -> RawEvent<'a> {
        RawEvent { site: SiteId::MILESTONE, operands: [0; MAX_OPERANDS], blob: encoded }
    }

    /// A step of a host call, by its encoded bytes.
    pub fn host(encoded: &'a [u8]) -> RawEvent<'a> {
        RawEvent { site: SiteId::HOST, operands: [0; MAX_OPERANDS], blob: encoded }
    }

    /// [`Event::StrayBytes`].
    pub(crate) fn stray_bytes(memory: MemoryIndex, address: u64, bytes: &'a [u8]) -> RawEvent<'a> {
        RawEvent { site: SiteId::STRAY_BYTES, operands: [memory.0.into(), address, 0], blob: bytes }
    }

    /// [`Event::Observed`].
    pub(crate) fn observed(memory: MemoryIndex, address: u64, by: Observation, bytes: &'a [u8]) -> RawEvent<'a> {
        let by = match by {
            Observation::ReadBack => READ_BACK,
            Observation::Checkpoint => CHECKPOINT,
            Observation::Watch => WATCH,
        };
        RawEvent { site: SiteId::OBSERVED, operands: [memory.0.into(), address, by], blob: bytes }
    }

    /// [`Event::FoundSize`].
    pub(crate) fn found_size(memory: MemoryIndex, pages: u64) -> RawEvent<'static> {
        RawEvent { site: SiteId::OBSERVED, operands: [memory.0.into(), pages, FOUND_SIZE], blob: &[] }
    }

    /// [`Event::FoundOutside`].
    pub(crate) fn found_outside(memory: MemoryIndex, address: u64) -> RawEvent<'static> {
        RawEvent { site: SiteId::OBSERVED, operands: [memory.0.into(), address, FOUND_OUTSIDE], blob: &[] }
    }

    /// The instruction and the bytes that it wrote, as first address and length, if it always writes the same number:
    /// nearly every event is a store, and this builds no [`Event`].
    #[inline]
    pub fn stored<'t>(&self, sites: &'t SiteTable) -> Option<(&'t Site, u64, u64)> {
        let site = sites.get(self.site)?;
        Some((site, self.operands[0], site.op.shape().width()?.into()))
    }

    /// The memory that a stray or found event names.
    fn memory(&self) -> Result<MemoryIndex, TraceError> {
        let memory = self.operands[0];
        let unknown = |_| TraceError::corrupt(0, format!("an event names memory {memory}"));
        u32::try_from(memory).map(MemoryIndex).map_err(unknown)
    }

    fn read_instruction(&self, site: &Site) -> Event {
        let [first, second, third] = self.operands;
        let (at, memory, address) = (self.site, site.memory, first);
        match site.op.shape() {
            Shape::Store { width, .. } | Shape::Rmw { width, .. } | Shape::Lane { width } => {
                Event::Store { site: at, memory, address, value: Value::new(second, third, width) }
            }
            Shape::Grow => {
                Event::Grow { site: at, memory, delta: first, result: (second != REFUSED).then_some(second) }
            }
            Shape::Fill => Event::Fill { site: at, memory, address, byte: second as u8, length: third },
            Shape::Copy => Event::Copy {
                site: at,
                memory,
                address,
                source_memory: MemoryIndex(site.source),
                source: second,
                length: third,
            },
            Shape::Init => Event::Init {
                site: at,
                memory,
                address,
                segment: DataIndex(site.source),
                source: second,
                length: third,
            },
            Shape::Drop => Event::Drop { site: at, segment: DataIndex(site.source) },
        }
    }
}

impl Event {
    /// The readable form of a stored event of a trace with these sites.
    ///
    /// # Errors
    /// When there is no such site, or a milestone's or a host call's bytes do not decode.
    pub fn read(raw: &RawEvent, sites: &SiteTable) -> Result<Event, TraceError> {
        if let Some(site) = sites.get(raw.site) {
            return Ok(raw.read_instruction(site));
        }
        let [_, address, third] = raw.operands;
        let bytes = || raw.blob.to_vec();
        Ok(match raw.site {
            SiteId::MILESTONE => Event::Milestone(Milestone::decode(raw.blob)?),
            SiteId::HOST => Event::Host(HostEvent::decode(raw.blob)?),
            SiteId::STRAY_BYTES => Event::StrayBytes { memory: raw.memory()?, address, bytes: bytes() },
            SiteId::OBSERVED => {
                let memory = raw.memory()?;
                let by = match third {
                    FOUND_SIZE => return Ok(Event::FoundSize { memory, pages: address }),
                    FOUND_OUTSIDE => return Ok(Event::FoundOutside { memory, address }),
                    READ_BACK => Observation::ReadBack,
                    WATCH => Observation::Watch,
                    // Any other number counts as the least specific observation.
                    _ => Observation::Checkpoint,
                };
                Event::Observed { memory, address, by, bytes: bytes() }
            }
            other => return Err(TraceError::corrupt(0, format!("there is no site number {}", other.0))),
        })
    }
}

impl Milestone {
    /// As a trace stores it.
    pub(crate) fn encode(&self) -> Vec<u8> {
        wire::encode(self)
    }

    /// The inverse of [`Milestone::encode`].
    pub(crate) fn decode(bytes: &[u8]) -> Result<Milestone, TraceError> {
        wire::decode(bytes, 0, "milestone")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_reads_back_as_it_was() {
        let sites = SiteTable::new(Vec::new());
        let memory = MemoryIndex(3);
        for by in [Observation::ReadBack, Observation::Checkpoint, Observation::Watch] {
            let event = Event::Observed { memory, address: 7, by, bytes: vec![1, 2] };
            assert_eq!(
                Event::read(&RawEvent::observed(memory, 7, by, &[1, 2]), &sites).expect("it reads back"),
                event
            );
        }
        let read = |raw: RawEvent| Event::read(&raw, &sites).expect("it reads back");
        assert_eq!(read(RawEvent::found_size(memory, 9)), Event::FoundSize { memory, pages: 9 });
        assert_eq!(read(RawEvent::found_outside(memory, 9)), Event::FoundOutside { memory, address: 9 });
        let stray = Event::StrayBytes { memory, address: 5, bytes: vec![4] };
        assert_eq!(read(RawEvent::stray_bytes(memory, 5, &[4])), stray);
    }

    #[test]
    fn what_cannot_be_is_an_error() {
        let sites = SiteTable::new(Vec::new());
        let far = RawEvent { site: SiteId::OBSERVED, operands: [1 << 32, 0, CHECKPOINT], blob: &[1] };
        for raw in [far, RawEvent::instruction(SiteId(5), [0; 3]), RawEvent::milestone(&[99]), RawEvent::host(&[])] {
            assert!(Event::read(&raw, &sites).is_err(), "{raw:?}");
        }
    }
}
