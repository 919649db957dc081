//! An event list: `>` the cursor, `X` the first divergence, `!` other unequal events, `=` the resync.

use super::{fit, put, rule};
use crate::layout::inside;
use crate::theme::Theme;
use crate::view::{ListView, Mark};
use forkpoint_traces::Position;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Where there is no room, so many digits of a position are shown.
const SHORT_DIGITS: usize = 5;

/// Draws one side's list.
pub(super) fn draw(buffer: &mut Buffer, pane: Rect, list: &ListView, focused: bool, theme: Theme) {
    rule(buffer, pane, &list.title, focused, theme);
    let area = inside(pane);
    let events = || list.rows.iter().filter_map(|row| row.event.as_ref());
    let digits = events().map(|(position, _)| position.0.to_string().len()).max().unwrap_or(1);
    let room = |digits: usize| area.width.saturating_sub(digits as u16 + 3);
    // All rows alike: addresses of different lengths side by side are hard to compare.
    let crowded = events().any(|(_, event)| !fits(&event.text, room(digits)));
    // The status line has the whole position.
    let digits = if crowded { digits.min(SHORT_DIGITS + 1) } else { digits };
    let room = room(digits);
    for (line, row) in (0..area.height).zip(&list.rows) {
        let (mark, mut style) = match row.mark {
            Mark::None => (' ', Style::new()),
            Mark::Divergence => ('X', theme.divergence()),
            Mark::Mismatch => ('!', theme.mismatch()),
            Mark::Resync => ('=', theme.resync()),
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
        // What the bytes mean is on the status line, too.
        if let Some(value) = row.event.as_ref().and_then(|(_, event)| event.value.as_ref()) {
            let forms = [format!("{text} = {value}"), format!("{text} = {} {}", value.ty, value.text)];
            text = forms.into_iter().find(|form| fits(form, room)).unwrap_or(text);
        }
        let width = usize::from(area.width);
        put(buffer, area, 0, line, &format!("{:width$}", head + &text), style);
    }
}

/// A position in a column of `digits`: what does not fit is cut at the front.
fn last_digits(position: Position, digits: usize) -> String {
    let text = position.0.to_string();
    if text.len() <= digits { text } else { format!("…{}", &text[text.len() + 1 - digits..]) }
}

pub(super) fn fits(text: &str, room: u16) -> bool {
    text.chars().count() <= usize::from(room)
}

/// Takes out what can be guessed, so that the value stays in view on 80 columns: leading zeros of addresses,
/// then blanks until the text fits.
pub(super) fn shorten(text: &str, room: u16) -> String {
    let mut short = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("[0x") {
        let (before, address) = rest.split_at(at + 1);
        short.push_str(before);
        let digits = address[2..].trim_start_matches('0');
        if !digits.starts_with(|c: char| c.is_ascii_hexdigit()) {
            short.push('0');
        }
        rest = digits;
    }
    short.push_str(rest);
    if fits(&short, room) {
        return short;
    }
    let Some((target, value)) = short.split_once(" <- ") else { return fit(&short, room) };
    let close = format!("{target}<-{value}");
    if !fits(&close, room) && value.bytes().all(|byte| byte == b' ' || byte.is_ascii_hexdigit()) {
        return fit(&format!("{target}<-{}", value.replace(' ', "")), room);
    }
    fit(&close, room)
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

    #[test]
    fn values_outlive_padding() {
        let store = "i32.store [0x0000a4f0] <- 2a 00 00 00";
        assert!(fits(store, 37) && !fits(store, 36));
        assert_eq!(shorten(store, 32), "i32.store [a4f0] <- 2a 00 00 00");
        assert_eq!(shorten(store, 29), "i32.store [a4f0]<-2a 00 00 00");
        assert_eq!(shorten(store, 26), "i32.store [a4f0]<-2a000000");
        assert_eq!(shorten(store, 10), "i32.store…");
        assert_eq!(shorten("memory.copy [0x00000000; 4] <- [0x00000010]", 30), "memory.copy [0; 4] <- [10]");
        assert_eq!(shorten(store, 0), "");
    }
}
