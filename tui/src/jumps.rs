//! Jumps, from which the user can come back, and marks.

use crate::app::App;
use crate::traces::Direction;

impl App {
    /// Goes to a row from which the user can come back.
    pub(crate) fn jump_to(&mut self, row: u64) {
        let before = self.row;
        self.go_to(row);
        if self.row != before {
            self.jumps.left(before);
        }
    }

    /// Goes to where the cursor was before a jump, or on again.
    pub(crate) fn jump(&mut self, direction: Direction) {
        match self.jumps.take(direction, self.row) {
            Some(row) => self.go_to(row),
            None => {
                let none = match direction {
                    Direction::Backward => "no jump to go back from",
                    Direction::Forward => "no jump to go forward to",
                };
                self.message = Some(none.to_string());
            }
        }
    }

    /// Marks the row under the cursor.
    pub(crate) fn mark(&mut self, letter: char) {
        if !letter.is_ascii_alphanumeric() {
            self.message = Some("a mark is a letter or a digit".to_string());
            return;
        }
        self.jumps.mark(letter, self.row);
        self.message = Some(format!("marked {letter}: '{letter} comes back here"));
    }

    /// Goes to a marked row; a quote after the quote is the place before the last jump.
    pub(crate) fn go_to_mark(&mut self, letter: char) {
        match self.jumps.marked(letter) {
            Some(row) => self.jump_to(row),
            None if letter == '\'' => self.jump(Direction::Backward),
            None => {
                let letters: String = self.jumps.marks().map(|(letter, _)| letter).collect();
                let there = if letters.is_empty() { "none are".to_string() } else { format!("{letters} are") };
                self.message = Some(format!("{letter} is not marked; {there}"));
            }
        }
    }
}
