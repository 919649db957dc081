//! The help: every key from the table, and what the marks mean.

use super::cells::put;
use super::text::fit;
use crate::keymap::Keymap;
use crate::keys::BINDINGS;
use crate::theme::Theme;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::{Clear, Widget};

/// What the marks on the screen mean.
const MARKS: &[(&str, &str)] = &[
    ("events", "> cursor  X first divergence  ! unequal  + only in one build  = agree again  a-z mark"),
    ("memory", "* written by the event   ! differs between sides   # both"),
    ("timeline", "few . to many @ writes  v cursor  X divergence  # both  - left out"),
    ("code", "> belongs to the site   ~ added by the recorder"),
    ("mouse", "click selects, wheel scrolls"),
];

/// The help as lines of text.
pub(crate) fn lines(own: &Keymap) -> Vec<String> {
    // The table lists the keys of single panes first, because they win there; readers want the others first.
    let (everywhere, in_panes): (Vec<_>, Vec<_>) = BINDINGS.iter().partition(|binding| binding.scope().is_empty());
    let mut lines: Vec<String> = everywhere
        .into_iter()
        .chain(in_panes)
        .map(|binding| {
            let scope = binding.scope();
            let scope = if scope.is_empty() { String::new() } else { format!("in {scope}: ") };
            let mut keys = own.labels(binding.action);
            keys.extend(Some(binding.labels()).filter(|labels| !labels.is_empty()));
            format!("{:>10}  {:<20}  {scope}{}", keys.join(" "), binding.name, binding.help)
        })
        .collect();
    lines.push(String::new());
    lines.extend(MARKS.iter().map(|(what, meaning)| format!("{what:>10}  {meaning}")));
    lines
}

/// How far the help can be scrolled at this height.
pub(crate) fn last_top(height: u16) -> u16 {
    (lines(&Keymap::default()).len() as u16 + 2).saturating_sub(height)
}

/// Draws the help over everything else, from line `top` on, or its last page.
pub(super) fn draw(buffer: &mut Buffer, screen: Rect, top: u16, own: &Keymap, theme: Theme) {
    let lines = lines(own);
    let width = screen.width.min(80);
    let height = screen.height.min(lines.len() as u16 + 2);
    let area =
        Rect { x: screen.x + (screen.width - width) / 2, y: screen.y + (screen.height - height) / 2, width, height };
    Clear.render(area, buffer);
    let room = usize::from(height.saturating_sub(2));
    let top = usize::from(top.min(last_top(screen.height)));
    let more = if lines.len() > room { "PgUp PgDn scroll, " } else { "" };
    put(buffer, area, 0, 0, &"━".repeat(width.into()), theme.rule(true));
    put(
        buffer,
        area,
        1,
        0,
        &fit(&format!(" keys and commands: {more}? closes "), width.saturating_sub(2)),
        theme.rule(true),
    );
    for (row, line) in (1..).zip(lines.iter().skip(top).take(room)) {
        put(buffer, area, 0, row, &fit(line, width), Style::new());
    }
    put(buffer, area, 0, height.saturating_sub(1), &"━".repeat(width.into()), theme.rule(true));
}
