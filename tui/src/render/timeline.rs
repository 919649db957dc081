//! The timeline: how much is written, by characters, with the cursor's column reversed. Above it a line of marks: `v` the cursor, `X` the
//! first divergence, `#` both, letters the user's marks; `-` where the trace leaves events out.

use super::cells::{put, rule};
use crate::layout::inside;
use crate::screen::TimelineView;
use crate::theme::Theme;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Draws the whole run.
pub(super) fn draw(buffer: &mut Buffer, pane: Rect, timeline: &TimelineView, focused: bool, theme: Theme) {
    rule(buffer, pane, &timeline.title, focused, theme);
    let area = inside(pane);
    put(buffer, area, timeline.margin, 0, &timeline.marks, theme.divergence());
    if timeline.rows.is_empty() {
        put(buffer, area, 0, 1, timeline.empty, theme.dim());
    }
    for (line, row) in (1..area.height).zip(&timeline.rows) {
        put(buffer, area, 0, line, &row.margin, theme.dim());
        put(buffer, area, timeline.margin, line, &row.cells, Style::new());
        let under = timeline.cursor.and_then(|column| Some((column, row.cells.chars().nth(column.into())?)));
        if let Some((column, cell)) = under {
            let cell = cell.encode_utf8(&mut [0; 4]).to_string();
            put(buffer, area, timeline.margin + column, line, &cell, theme.selected());
        }
    }
}
