//! What the user made of traces: marks, watches, what to pass over, the layout and
//! the theme. As lines of text, so that it can be kept from one
//! session to the next.

use crate::app::App;
use crate::layout::Sizes;
use crate::query;
use crate::theme::Theme;

/// Most lines that are read.
const MOST: usize = 200;

impl App {
    /// The state in lines.
    pub(crate) fn kept(&self) -> String {
        let mut text = String::new();
        for (letter, row) in self.jumps.marks() {
            text.push_str(&format!("mark {letter} {}\n", self.first_row(row)));
        }
        for watch in &self.watches {
            text.push_str(&format!("watch {watch}\n"));
        }
        if let Some(ignored) = &self.ignored {
            text.push_str(&format!("ignore {ignored}\n"));
        }
        if self.sizes != Sizes::default() {
            let Sizes { timeline, panel, memory, code } = self.sizes;
            text.push_str(&format!("sizes {timeline} {panel} {memory} {code}\n"));
        }
        if self.timeline {
            text.push_str("timeline\n");
        }
        if let Some(theme) = self.theme.chosen() {
            text.push_str(&format!("theme {theme}\n"));
        }
        text
    }

    /// Takes a state back. Lines that are wrong, or mark rows that do not exist, are left out, with a message.
    pub(crate) fn take_kept(&mut self, text: &str) {
        let wrong = text.lines().take(MOST).filter(|line| self.take_line(line).is_none()).count();
        if wrong > 0 {
            self.message =
                Some(format!("{wrong} lines of what was kept of these traces make no sense and are left out"));
        }
    }

    fn take_line(&mut self, line: &str) -> Option<()> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "mark" => {
                let (letter, row) = rest.split_once(' ')?;
                let letter = letter.parse::<char>().ok().filter(char::is_ascii_alphanumeric)?;
                let row = row.parse().ok().filter(|row| *row < self.outline.rows())?;
                self.jumps.mark(letter, row);
            }
            "watch" if self.watches.len() < MOST => self.watches.push(query::filter(rest).ok()?),
            "ignore" => self.ignored = Some(query::filter(rest).ok()?),
            "sizes" => {
                let mut sizes = rest.split(' ').map(|size| size.parse::<i16>().ok().filter(|size| size.abs() <= 100));
                let mut next = || sizes.next().flatten();
                self.sizes = Sizes { timeline: next()?, panel: next()?, memory: next()?, code: next()? };
            }
            "timeline" => self.timeline = true,
            "theme" => self.theme = self.theme.or_earlier(Theme::named(rest)?),
            _ => return None,
        }
        Some(())
    }
}
