//! A list of places, or source code: `>` the cursor.

use super::cells::{put, rule};
use super::text::{fit, pad};
use crate::layout::inside;
use crate::panel::{Panel, PanelKind};
use crate::theme::Theme;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Draws a list.
pub(super) fn draw(buffer: &mut Buffer, pane: Rect, panel: &Panel, focused: bool, theme: Theme) {
    let count = match panel.kind {
        PanelKind::Source => String::new(),
        _ if panel.lines.is_empty() => String::new(),
        _ => format!(" {} of {}", panel.cursor + 1, panel.lines.len()),
    };
    let about = if panel.about.is_empty() { String::new() } else { format!("  {}", panel.about) };
    rule(buffer, pane, &format!("{}{count}{about}", panel.kind.word()), focused, theme);
    let area = inside(pane);
    if panel.lines.is_empty() {
        put(buffer, area, 0, 0, &fit(empty(panel.kind), area.width), theme.dim());
    }
    let shown = panel.lines.iter().enumerate().skip(panel.top);
    for (line, (number, entry)) in (0..area.height).zip(shown) {
        let selected = number == panel.cursor;
        let cursor = if selected { '>' } else { ' ' };
        let text = fit(&format!("{cursor}{}", entry.text), area.width);
        let style = match (selected, focused) {
            (true, true) => theme.selected(),
            (true, false) => theme.site(),
            (false, _) => Style::new(),
        };
        put(buffer, area, 0, line, &pad(text, area.width), style);
    }
}

/// What an empty list says.
fn empty(kind: PanelKind) -> &'static str {
    match kind {
        PanelKind::Divergences => "the two traces agree",
        PanelKind::Marks => "no marks: m and a letter mark an event",
        PanelKind::Watches => "no watches: :watch addr == 0x400 && value == 7 makes one",
        PanelKind::HostCalls => "the host was not called",
        PanelKind::Why => "nothing to explain",
        PanelKind::Source => "no source",
        PanelKind::Calls => "no calls",
    }
}
