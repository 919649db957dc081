//! The lines above and below the panes: title; status, message or prompt; keys.

use super::events::{fits, shorten};
use super::{fit, put};
use crate::keys;
use crate::layout::Areas;
use crate::theme::Theme;
use crate::view::View;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;

/// Draws the first line: the verdict at the right edge outlives long file names.
pub(super) fn title(buffer: &mut Buffer, area: Rect, view: &View, theme: Theme) {
    let [files, verdict] = &view.title;
    put(buffer, area, 0, 0, &" ".repeat(area.width.into()), theme.title());
    let length = (verdict.chars().count() as u16).min(area.width);
    put(buffer, area, 0, 0, &fit(files, area.width - length), theme.title());
    put(buffer, area, area.width - length, 0, verdict, theme.title());
}

/// Draws the two lines at the bottom. A message takes the place of the status, and that of the keys while a
/// prompt is open.
pub(super) fn draw(buffer: &mut Buffer, areas: &Areas, view: &View, theme: Theme) {
    let (status, bottom) = (areas.status, areas.hints);
    let message = view.message.as_deref();
    if let Some((label, text, _)) = &view.prompt {
        let label = fit(label, label_width(status, label));
        put(buffer, status, 0, 0, &label, theme.message());
        put(buffer, status, label.chars().count() as u16, 0, text, Style::new());
        match message {
            Some(message) => put(buffer, bottom, 0, 0, &fit(message, bottom.width), theme.message()),
            None => put(buffer, bottom, 0, 0, "Enter takes it  Esc closes", theme.dim()),
        }
        return;
    }
    match message {
        Some(message) => put(buffer, status, 0, 0, &fit(message, status.width), theme.message()),
        None => put(buffer, status, 0, 0, &fitting(view, status.width), Style::new()),
    }
    hints(buffer, bottom, theme);
}

/// The status in the first form that fits.
fn fitting(view: &View, width: u16) -> String {
    if fits(&view.status, width) {
        return view.status.clone();
    }
    let shortened = shorten(&view.status, width);
    match &view.short_status {
        Some(short) if shortened.ends_with('…') && fits(short, width) => short.clone(),
        Some(short) if shortened.ends_with('…') => shorten(short, width),
        _ => shortened,
    }
}

/// As many keys as fit.
fn hints(buffer: &mut Buffer, area: Rect, theme: Theme) {
    let mut column = 0;
    for (key, word) in keys::hints() {
        let width = (key.chars().count() + 1 + word.chars().count()) as u16;
        if column + width > area.width {
            break;
        }
        put(buffer, area, column, 0, &key, theme.site());
        put(buffer, area, column + key.chars().count() as u16 + 1, 0, word, theme.dim());
        column += width + 2;
    }
}

/// A prompt's label leaves room to type.
fn label_width(area: Rect, label: &str) -> u16 {
    (label.chars().count() as u16).min(area.width.saturating_sub(12))
}

/// Where typing goes.
pub(super) fn prompt_cursor(area: Rect, label: &str, column: usize) -> Option<Position> {
    let column = u16::try_from(column).ok()?.checked_add(label_width(area, label))?;
    (area.height > 0 && column < area.width).then(|| Position { x: area.x + column, y: area.y })
}
