//! The part of a frame that is memory: where the byte cursor goes, which bytes are in view, how they are marked.
//!
//! Memory is shown as it is *after* the event under the cursor, so that at the first divergence the bytes that
//! differ are seen to differ.

use crate::app::App;
use crate::hex::HexShape;
use crate::layout::inside;
use crate::source::{EventLine, moment};
use crate::view::{Byte, HexView};
use forkpoint_replay::Side;
use forkpoint_traces::{MemoryIndex, Position};
use ratatui::layout::Rect;

impl App {
    /// Makes memory what it is after the row under the cursor.
    pub(crate) fn seek_memory(&mut self) {
        for side in self.sides() {
            let position = moment(&*self.source, side, self.row);
            if self.read_or_say(|app| app.source.seek(side, position)).is_none() {
                return;
            }
        }
        self.settled = self.row;
    }

    /// Takes the byte cursor to what the event under the cursor wrote.
    pub(crate) fn follow_event(&mut self, event: Option<&EventLine>) {
        if std::mem::take(&mut self.arrived)
            && self.follow
            && let Some((memory, address, _)) = event.and_then(|event| event.written)
        {
            self.memory = memory;
            self.set_address(address);
        }
    }

    fn hex_area(&self) -> Rect {
        inside(self.areas.memory[self.focus.side.index()])
    }

    /// The columns of a memory view of a width, the same for both sides.
    pub(crate) fn hex_shape(&self, width: u16) -> HexShape {
        HexShape::new(self.memory_size(), width)
    }

    /// Bytes in a line of the memory view.
    pub(crate) fn bytes_per_line(&self) -> u16 {
        self.hex_shape(self.hex_area().width).per_line
    }

    /// The first byte on screen.
    pub(crate) fn hex_start(&self) -> u64 {
        self.hex_shape(self.hex_area().width).line_of(self.hex_top)
    }

    /// Size in bytes of the memory on screen, on the side where it is larger.
    pub(crate) fn memory_size(&self) -> u64 {
        self.sides().filter_map(|side| self.source.memory_bytes(side, self.memory)).max().unwrap_or(0)
    }

    /// How many memories there are.
    pub(crate) fn memory_count(&self) -> u32 {
        self.sides().map(|side| self.source.memories(side)).max().unwrap_or(0)
    }

    /// Scrolls so that the byte cursor is on screen.
    pub(crate) fn keep_byte_in_view(&mut self) {
        let area = self.hex_area();
        if area.height == 0 {
            return;
        }
        let shape = self.hex_shape(area.width);
        let (line, height) = (u64::from(shape.per_line), u64::from(area.height));
        let (cursor, start) = (shape.line_of(self.address), shape.line_of(self.hex_top));
        self.hex_top = if cursor < start {
            // A line back scrolls by a line, farther lands with some lines before.
            if start - cursor == line { cursor } else { cursor.saturating_sub(height / 3 * line) }
        } else if (cursor - start) / line >= height {
            let lines = if (cursor - start) / line == height { height - 1 } else { height / 3 };
            cursor.saturating_sub(lines * line)
        } else {
            start
        };
    }

    /// The bytes in view, with what `events`, those under the cursor, wrote.
    pub(crate) fn hex_views(&self, events: &[Option<EventLine>; 2]) -> [Option<HexView>; 2] {
        let mut raw = [None, None];
        for side in self.sides() {
            let area = inside(self.areas.memory[side.index()]);
            // Both sides are read even when one is shown: the other tells which bytes differ.
            let area = if area.height == 0 { self.hex_area() } else { area };
            let shape = self.hex_shape(area.width);
            let mut bytes = vec![0; usize::from(shape.per_line) * usize::from(area.height)];
            let start = shape.line_of(self.hex_top);
            let count = self.source.read(side, self.memory, start, &mut bytes);
            raw[side.index()] = Some((shape, start, bytes, count));
        }
        Side::BOTH.map(|side| {
            let (shape, start, bytes, count) = raw[side.index()].as_ref()?;
            if inside(self.areas.memory[side.index()]).height == 0 {
                return None;
            }
            let other = raw[side.other().index()].as_ref();
            let written = events[side.index()].as_ref().and_then(|event| event.written);
            let bytes = bytes.iter().enumerate().map(|(i, &value)| {
                let there = other.map(|(_, _, bytes, count)| bytes.get(i).copied().filter(|_| i < *count));
                (i < *count).then(|| Byte {
                    value,
                    written: is_in(written, self.memory, start.saturating_add(i as u64)),
                    differs: there.is_some_and(|there| there != Some(value)),
                })
            });
            let bytes = bytes.collect();
            Some(HexView { title: self.hex_title(side), shape: *shape, start: *start, bytes, address: self.address })
        })
    }

    fn hex_title(&self, side: Side) -> String {
        let size = match self.source.memory_bytes(side, self.memory) {
            Some(bytes) if bytes.is_multiple_of(1024) => format!("{} KiB", bytes / 1024),
            Some(bytes) => format!("{bytes} bytes"),
            None => "not there yet".to_string(),
        };
        let pinned = if self.follow { "" } else { " pinned" };
        let after = match moment(&*self.source, side, self.row).0.checked_sub(1) {
            Some(last) => format!(" after {}", Position(last)),
            None => String::new(),
        };
        format!("{} @{:#x}{pinned}{after} {size}", self.source.memory_name(self.memory), self.address)
    }
}

fn is_in(written: Option<(MemoryIndex, u64, u64)>, memory: MemoryIndex, address: u64) -> bool {
    written.is_some_and(|(written, start, length)| {
        written == memory && address.checked_sub(start).is_some_and(|offset| offset < length)
    })
}
