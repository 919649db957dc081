//! Code around the site, text format or native: `>` marks the site's code, `~` the recorder's.

use super::cells::{put, rule};
use super::text::fit;
use crate::layout::inside;
use crate::screen::CodeView;
use crate::theme::Theme;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// In narrower panes the margin with the addresses is left out.
const MARGIN_FROM: u16 = 36;

/// Draws lines of code.
pub(super) fn draw(buffer: &mut Buffer, pane: Rect, view: &CodeView, focused: bool, theme: Theme) {
    rule(buffer, pane, &view.title, focused, theme);
    let area = inside(pane);
    if view.code.is_empty() {
        put(buffer, area, 2, 0, view.empty, theme.dim());
        return;
    }
    let lines = view.code.get(view.top..).unwrap_or_default();
    let lines = &lines[..lines.len().min(area.height.into())];
    let margin = lines.iter().map(|line| line.margin.len()).max().unwrap_or(0) as u16;
    let margin = if area.width >= MARGIN_FROM.max(2 * margin) { margin } else { 0 };
    for (row, line) in (0..).zip(lines) {
        let at_site = line.offset.is_some() && line.offset == view.site;
        let (mark, style) = match (line.recorder, at_site) {
            (true, _) => ("~", theme.dim()),
            (false, true) => (">", theme.site()),
            (false, false) => (" ", Style::new()),
        };
        put(buffer, area, 0, row, mark, style);
        let mut column = 1;
        if margin > 0 {
            let width = usize::from(margin);
            put(buffer, area, column, row, &format!("{:>width$}", line.margin), theme.dim());
            column += margin + 1;
        }
        put(buffer, area, column, row, &fit(&line.text, area.width.saturating_sub(column)), style);
    }
}
