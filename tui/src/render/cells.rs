//! Cells: the only way onto the screen.

use super::text::fit;
use crate::theme::Theme;
use forkpoint_replay::{is_active, printable};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use std::borrow::Cow;

/// The title line of a pane: a heavy rule shows the focus without colour.
pub(super) fn rule(buffer: &mut Buffer, pane: Rect, title: &str, focused: bool, theme: Theme) {
    let line = Rect { height: pane.height.min(1), width: pane.width.saturating_sub(1), ..pane };
    let style = theme.rule(focused);
    let stroke = if focused { "━" } else { "─" };
    put(buffer, line, 0, 0, &stroke.repeat(line.width.into()), style);
    put(buffer, line, 1, 0, &fit(&format!(" {title} "), line.width.saturating_sub(2)), style);
}

/// Writes a text at a column and line of a region, cut at its edge. Every cell of the screen comes from here, so
/// nothing acts on the terminal, even where escaping was forgotten.
pub(super) fn put(buffer: &mut Buffer, area: Rect, column: u16, line: u16, text: &str, style: Style) {
    let area = area.intersection(buffer.area);
    if column < area.width && line < area.height {
        let text = if text.chars().any(is_active) { Cow::Owned(printable(text)) } else { Cow::Borrowed(text) };
        buffer.set_stringn(area.x + column, area.y + line, text, usize::from(area.width - column), style);
    }
}
