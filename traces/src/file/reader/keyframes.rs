//! Restoring memory from keyframes.

use super::TraceReader;
use crate::block::{self, Tag};
use crate::error::TraceError;
use crate::ids::{MemoryIndex, Position};
use crate::image::{CorruptEvent, Image};
use crate::keyframe::{Base, PageList};
use crate::page::PAGE;
use crate::wire;

impl TraceReader {
    /// Number of keyframes.
    pub fn keyframes(&self) -> usize {
        self.index.keyframes.len()
    }

    /// The position of the last keyframe at or before `position`; 0 where there is none.
    pub fn keyframe_before(&self, position: Position) -> Position {
        let number = self.index.keyframes.partition_point(|frame| frame.position <= position.0);
        Position(number.checked_sub(1).map_or(0, |i| self.index.keyframes[i].position))
    }

    /// The position of each keyframe, in order.
    pub fn keyframe_positions(&self) -> impl ExactSizeIterator<Item = Position> {
        self.index.keyframes.iter().map(|frame| Position(frame.position))
    }

    /// Sets `image` to the last keyframe at or before `position` and returns that keyframe's position: 0 and empty
    /// memory where there is none.
    ///
    /// # Errors
    /// When the keyframe is damaged.
    pub fn restore(&self, position: Position, image: &mut Image) -> Result<Position, TraceError> {
        let number = self.index.keyframes.partition_point(|frame| frame.position <= position.0);
        self.restore_keyframe(number, image)
    }

    /// Sets `image` to the keyframe of this number, from 1, and returns its position. Keyframe 0, like any that the
    /// trace does not have, is empty memory before the first event.
    ///
    /// # Errors
    /// When the keyframe is damaged.
    pub fn restore_keyframe(&self, number: usize, image: &mut Image) -> Result<Position, TraceError> {
        let Some(frame) = number.checked_sub(1).and_then(|i| self.index.keyframes.get(i)) else {
            image.clear();
            return Ok(Position(0));
        };
        let mut chain = vec![frame];
        // It is checked when the trace is opened that the base comes before.
        while let Some(Base::Keyframe(base)) = chain.last().map(|frame| frame.base) {
            chain.extend(self.index.keyframes.get((base as usize).wrapping_sub(1)));
        }
        image.clear();
        if let Some(Base::Events(events)) = chain.last().map(|first| first.base) {
            self.replay_first(Position(events), image)?;
        }
        let corrupt = |at| move |error: CorruptEvent| TraceError::corrupt(at, error.to_string());
        image.restore_sizes(&frame.sizes).map_err(corrupt(0))?;
        // Oldest first: later keyframes overwrite.
        for frame in chain.into_iter().rev() {
            for &at in &frame.blocks {
                let head = self.block_at(at, Tag::Pages)?;
                let raw = block::read(&self.file, &head)?;
                let (list, bytes): (PageList, _) = wire::decode_prefix(&raw, at, "list of pages")?;
                if list.bytes() != bytes.len() as u64 {
                    return Err(TraceError::corrupt(at, "a keyframe's pages are cut off"));
                }
                for ((memory, page), bytes) in list.0.iter().zip(bytes.chunks_exact(PAGE as usize)) {
                    let address = page
                        .checked_mul(PAGE)
                        .ok_or_else(|| TraceError::corrupt(at, "a keyframe's page lies past 2^64"))?;
                    // The last page of a memory with small pages may extend past the memory's end, where nothing is
                    // stored.
                    let inside =
                        image.size(MemoryIndex(*memory)).map_or(0, |size| size.bytes().saturating_sub(address));
                    let bytes = &bytes[..bytes.len().min(inside as usize)];
                    if bytes.is_empty() && image.size(MemoryIndex(*memory)).is_some() {
                        // A page of a memory that was later found to be smaller.
                        continue;
                    }
                    image.write(MemoryIndex(*memory), address, bytes).map_err(corrupt(at))?;
                }
            }
        }
        Ok(Position(frame.position))
    }
}
