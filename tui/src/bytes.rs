//! The byte cursor, and which bytes are on screen around it.
//!
//! Memory is shown as it is *after* the event under the cursor, so that at the first divergence the differing bytes
//! show.

use crate::action::ByteMove;
use crate::app::App;
use crate::hex::HexShape;
use crate::layout::inside;
use crate::traces::{Direction, sides};
use forkpoint_traces::MemoryIndex;
use ratatui::layout::Rect;

impl App {
    /// Where the memory with the focus is, or would be.
    pub(crate) fn hex_area(&self) -> Rect {
        inside(self.areas.memory[self.focus.side.index()])
    }

    /// The columns of a memory view of this width, the same for both sides.
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
        let size = |side| self.traces.as_ref()?.memory_bytes(side, self.memory);
        sides(&*self.outline).filter_map(size).max().unwrap_or(0)
    }

    /// How many memories there are.
    fn memory_count(&self) -> u32 {
        let count = |side| self.traces.as_ref().map_or(0, |traces| traces.memories(side));
        sides(&*self.outline).map(count).max().unwrap_or(0)
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
            // A line back scrolls by a line; a longer move lands with some lines before it.
            if start - cursor == line { cursor } else { cursor.saturating_sub(height / 3 * line) }
        } else if (cursor - start) / line >= height {
            let lines = if (cursor - start) / line == height { height - 1 } else { height / 3 };
            cursor.saturating_sub(lines * line)
        } else {
            start
        };
    }

    pub(crate) fn move_byte(&mut self, step: ByteMove) {
        let line = u64::from(self.bytes_per_line());
        self.follow = false;
        self.set_address(match step {
            ByteMove::Left => self.address.saturating_sub(1),
            ByteMove::Right => self.address.saturating_add(1),
            ByteMove::Up => self.address.checked_sub(line).unwrap_or(self.address),
            ByteMove::Down => self.address.saturating_add(line),
        });
    }

    /// Moves cursor and screen together, so that the cursor keeps its place on the screen.
    pub(crate) fn roll_bytes(&mut self, lines: u64, direction: Direction) {
        let bytes = lines.saturating_mul(u64::from(self.bytes_per_line()));
        let before = self.address;
        self.follow = false;
        self.set_address(match direction {
            Direction::Forward => before.saturating_add(bytes),
            Direction::Backward => before.saturating_sub(bytes),
        });
        // The cursor may move against the direction: where this memory is smaller than the one in which the cursor
        // was set, or does not exist yet.
        self.hex_top = if self.address >= before {
            self.hex_top.saturating_add(self.address - before)
        } else {
            self.hex_top.saturating_sub(before - self.address)
        };
    }

    /// Puts the byte cursor on an address, or on the last byte of the larger memory.
    pub(crate) fn set_address(&mut self, address: u64) {
        let last = self.memory_size().saturating_sub(1);
        self.address = address.min(last);
    }

    pub(crate) fn other_memory(&mut self, direction: Direction) {
        let last = self.memory_count().saturating_sub(1);
        let memory = match direction {
            Direction::Forward => self.memory.0.saturating_add(1).min(last),
            Direction::Backward => self.memory.0.saturating_sub(1),
        };
        if memory == self.memory.0 {
            self.message =
                Some(format!("no other memory that way: this is {}", self.outline.memory_name(self.memory)));
            return;
        }
        self.memory = MemoryIndex(memory);
        self.follow = false;
        self.set_address(self.address);
    }
}
