//! The lines above and below the panes: title; status, message or prompt; keys.

use super::cells::put;
use super::text::{columns, fit, fits, shorten};
use crate::keys;
use crate::layout::Areas;
use crate::screen::{PromptView, Screen};
use crate::theme::Theme;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;

/// Draws the first line: the verdict at the right edge outlives long file names.
pub(super) fn title(buffer: &mut Buffer, area: Rect, screen: &Screen, theme: Theme) {
    let [files, verdict] = &screen.title;
    put(buffer, area, 0, 0, &" ".repeat(area.width.into()), theme.title());
    let length = columns(verdict).min(area.width);
    // A blank keeps them apart.
    let room = (area.width - length).saturating_sub(u16::from(length > 0));
    put(buffer, area, 0, 0, &fit(files, room), theme.title());
    put(buffer, area, area.width - length, 0, verdict, theme.title());
}

/// Draws the two lines at the bottom. A message replaces the status, or the keys while a prompt is open.
pub(super) fn draw(buffer: &mut Buffer, areas: &Areas, screen: &Screen, theme: Theme) {
    let (status, bottom) = (areas.status, areas.hints);
    let message = screen.message.as_deref();
    if let Some(PromptView { label, text, .. }) = &screen.prompt {
        let label = fit(label, label_width(status, label));
        put(buffer, status, 0, 0, &label, theme.message());
        put(buffer, status, columns(&label), 0, text, Style::new());
        match message {
            Some(message) => put(buffer, bottom, 0, 0, &fit(message, bottom.width), theme.message()),
            None => put(buffer, bottom, 0, 0, "Enter takes it  Esc closes", theme.dim()),
        }
        return;
    }
    match message {
        Some(message) => put(buffer, status, 0, 0, &fit(message, status.width), theme.message()),
        None => put(buffer, status, 0, 0, &fitting(screen, status.width), Style::new()),
    }
    hints(buffer, bottom, theme);
}

/// The status in the first form that fits.
fn fitting(screen: &Screen, width: u16) -> String {
    if fits(&screen.status, width) {
        return screen.status.clone();
    }
    let shortened = shorten(&screen.status, width);
    match &screen.short_status {
        Some(short) if shortened.ends_with('…') && fits(short, width) => short.clone(),
        Some(short) if shortened.ends_with('…') => shorten(short, width),
        _ => shortened,
    }
}

/// As many keys as fit.
fn hints(buffer: &mut Buffer, area: Rect, theme: Theme) {
    let mut column = 0;
    for (key, word) in keys::hints() {
        let width = columns(&key) + 1 + columns(word);
        if column + width > area.width {
            break;
        }
        put(buffer, area, column, 0, &key, theme.site());
        put(buffer, area, column + columns(&key) + 1, 0, word, theme.dim());
        column += width + 2;
    }
}

/// A prompt's label leaves room to type.
fn label_width(area: Rect, label: &str) -> u16 {
    columns(label).min(area.width.saturating_sub(12))
}

/// Where typing goes.
pub(super) fn prompt_cursor(area: Rect, prompt: &PromptView) -> Option<Position> {
    let column = u16::try_from(prompt.column).ok()?.checked_add(label_width(area, prompt.label))?;
    (area.height > 0 && column < area.width).then(|| Position { x: area.x + column, y: area.y })
}
