//! Bytes of memory: `*` written by the event under the cursor, `!` different on the other side, `#` both.

use super::cells::{put, rule};
use crate::layout::inside;
use crate::screen::{Byte, HexView};
use crate::theme::Theme;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;

/// Draws one side's bytes.
pub(super) fn draw(buffer: &mut Buffer, pane: Rect, hex: &HexView, focused: bool, theme: Theme) {
    rule(buffer, pane, &hex.title, focused, theme);
    let area = inside(pane);
    let digits = usize::from(hex.shape.digits);
    let mut address = hex.start;
    for (line, bytes) in (0..area.height).zip(hex.bytes.chunks(hex.shape.per_line.into())) {
        if bytes.iter().all(Option::is_none) {
            break;
        }
        put(buffer, area, 0, line, &format!("{address:0digits$x}"), theme.dim());
        for (i, byte) in (0..).zip(bytes) {
            let Some(byte) = byte else { continue };
            let under_cursor = address.checked_add(i.into()) == Some(hex.address);
            byte_cells(buffer, area, line, hex, (i, *byte, under_cursor), theme);
        }
        let Some(next) = address.checked_add(hex.shape.per_line.into()) else { break };
        address = next;
    }
}

fn byte_cells(buffer: &mut Buffer, area: Rect, line: u16, hex: &HexView, cell: (u16, Byte, bool), theme: Theme) {
    let (i, byte, under_cursor) = cell;
    let mark = match (byte.written, byte.differs) {
        (false, false) => " ",
        (true, false) => "*",
        (false, true) => "!",
        (true, true) => "#",
    };
    let mut style = if byte.value == 0 { theme.dim() } else { Style::new() };
    if byte.written {
        style = theme.written();
    }
    if byte.differs {
        style = style.patch(theme.differs());
    }
    let marked = style;
    if under_cursor {
        style = style.patch(theme.site()).patch(theme.selected());
    }
    let column = hex.shape.column(i);
    put(buffer, area, column, line, mark, if mark == " " { Style::new() } else { marked });
    put(buffer, area, column + 1, line, &format!("{:02x}", byte.value), style);
    if let Some(text) = hex.shape.text {
        let shown = if (0x20..0x7f).contains(&byte.value) { char::from(byte.value) } else { '.' };
        put(buffer, area, text + i, line, shown.encode_utf8(&mut [0; 4]), style);
    }
}

/// Where the byte cursor is on the screen.
pub(super) fn cursor(pane: Rect, hex: &HexView) -> Option<Position> {
    let area = inside(pane);
    let offset = hex.address.checked_sub(hex.start)?;
    let line = u16::try_from(offset / u64::from(hex.shape.per_line)).ok()?;
    let column = hex.shape.column((offset % u64::from(hex.shape.per_line)) as u16) + 1;
    (line < area.height && column < area.width).then(|| Position { x: area.x + column, y: area.y + line })
}
