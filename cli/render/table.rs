//! Columns aligned by the width of characters on a terminal: some take two cells, some none.

use std::fmt;
use unicode_width::UnicodeWidthStr;

/// The side of its column on which a text is aligned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
}

/// Rows of texts, in columns as wide as the widest text, two cells apart.
pub struct Table<const N: usize> {
    columns: [Align; N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    /// A table without rows.
    pub fn new(columns: [Align; N]) -> Table<N> {
        Table { columns, rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, row: [String; N]) {
        self.rows.push(row);
    }
}

impl<const N: usize> fmt::Display for Table<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widest = |column: usize| self.rows.iter().map(|row| row[column].width()).max().unwrap_or(0);
        let widths: [usize; N] = std::array::from_fn(widest);
        for row in &self.rows {
            let mut line = String::new();
            for ((text, width), align) in row.iter().zip(widths).zip(self.columns) {
                let room = " ".repeat(width - text.width());
                line += &match align {
                    Align::Left => format!("{text}{room}  "),
                    Align::Right => format!("{room}{text}  "),
                };
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_take_two_cells() {
        let mut table = Table::new([Align::Left, Align::Right, Align::Left]);
        for (name, count, end) in
            [("runner:引擎", "7", "finished"), ("wasmi", "1,234", "trap"), ("e\u{301}", "-", "")]
        {
            table.row([name, count, end].map(str::to_string));
        }
        let lines: Vec<String> = table.to_string().lines().map(str::to_string).collect();
        assert_eq!(lines, ["runner:引擎      7  finished", "wasmi        1,234  trap", "e\u{301}                -"]);
    }
}
