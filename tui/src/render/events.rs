//! An event list: `>` the cursor, `X` the first divergence, `!` other unequal events, `+` what only one build has there, `=` the
//! resync, a letter where the user has marked an event and nothing else is to be said.

use super::cells::{put, rule};
use super::text::{fits, pad, shorten};
use crate::layout::inside;
use crate::screen::{ListView, RowMark};
use crate::theme::Theme;
use crate::traces::EventLine;
use forkpoint_traces::Position;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Digits of a position that are shown in a narrow column.
const SHORT_DIGITS: usize = 5;

/// Draws one side's list.
pub(super) fn draw(buffer: &mut Buffer, pane: Rect, list: &ListView, focused: bool, theme: Theme) {
    rule(buffer, pane, &list.title, focused, theme);
    let area = inside(pane);
    let events = || list.rows.iter().filter_map(|row| row.event.as_ref());
    let digits = events().map(|(position, _)| position.0.to_string().len()).max().unwrap_or(1);
    let room = |digits: usize| area.width.saturating_sub(digits as u16 + 3);
    // All rows in one way: addresses of different lengths are hard to compare.
    let crowded = events().any(|(_, event)| !fits(&event.text, room(digits)));
    // The status line has the whole position.
    let digits = if crowded { digits.min(SHORT_DIGITS + 1) } else { digits };
    let room = room(digits);
    for (line, row) in (0..area.height).zip(&list.rows) {
        let (mark, mut style) = match row.mark {
            RowMark::None => (row.letter.unwrap_or(' '), Style::new()),
            RowMark::Divergence => ('X', theme.divergence()),
            RowMark::Mismatch => ('!', theme.mismatch()),
            RowMark::Alone => ('+', theme.mismatch()),
            RowMark::Resync => ('=', theme.resync()),
        };
        if row.selected {
            style = style.patch(theme.selected());
        }
        let cursor = if row.selected { '>' } else { ' ' };
        let head = match &row.event {
            Some((position, _)) => format!("{cursor}{mark}{:>digits$} ", last_digits(*position, digits)),
            None => format!("{cursor}{mark}{:>digits$} ", '-'),
        };
        let mut text = match &row.event {
            Some((_, event)) if crowded => shorten(&event.text, room),
            Some((_, event)) => event.text.clone(),
            None => String::new(),
        };
        // The status line also shows what the bytes mean.
        if let Some(value) = row.event.as_ref().and_then(|(_, event)| event.value.as_ref()) {
            let event = row.event.as_ref().map(|(_, event)| event);
            let short = format!("{} {}", value.ty, value.text);
            let mut forms = vec![format!("{text} = {value}"), format!("{text} = {short}")];
            if let Some(name) = event.and_then(|event| event.variable.as_ref()) {
                let bare = event.and_then(EventLine::without_bytes).map_or(String::new(), |event| event.text);
                let bare = if crowded { shorten(&bare, u16::MAX) } else { bare };
                // The pane below has the bytes, and no other place of the list tells what they are.
                forms.splice(
                    0..0,
                    [
                        format!("{text} = {value}  {name}"),
                        format!("{text} = {short}  {name}"),
                        format!("{bare} {name} = {short}"),
                    ],
                );
            }
            text = forms.into_iter().find(|form| fits(form, room)).unwrap_or(text);
        }
        put(buffer, area, 0, line, &pad(head + &text, area.width), style);
    }
}

/// A position in a column of `digits`: what does not fit is cut at the front.
fn last_digits(position: Position, digits: usize) -> String {
    let text = position.0.to_string();
    if text.len() <= digits { text } else { format!("…{}", &text[text.len() + 1 - digits..]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_positions_lose_their_front() {
        assert_eq!(last_digits(Position(12_345), 6), "12345");
        assert_eq!(last_digits(Position(123_456), 6), "123456");
        assert_eq!(last_digits(Position(15_000_001), 6), "…00001");
    }
}
