//! The two runs of a comparison.

use serde::Serialize;
use std::fmt;

/// One of the two runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The left one, or the only one of a single trace.
    #[default]
    Lhs,
    /// The right one.
    Rhs,
}

impl Side {
    /// Both, left first.
    pub const BOTH: [Side; 2] = [Side::Lhs, Side::Rhs];

    /// For arrays with one entry per side.
    pub fn index(self) -> usize {
        self as usize
    }

    /// The word for it, in options and in output.
    pub fn word(self) -> &'static str {
        match self {
            Side::Lhs => "lhs",
            Side::Rhs => "rhs",
        }
    }

    /// The other one.
    pub fn other(self) -> Side {
        match self {
            Side::Lhs => Side::Rhs,
            Side::Rhs => Side::Lhs,
        }
    }

    /// This side's part of a pair.
    pub fn of<T>(self, [lhs, rhs]: [T; 2]) -> T {
        match self {
            Side::Lhs => lhs,
            Side::Rhs => rhs,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_come_in_one_order() {
        assert_eq!(Side::BOTH.map(Side::index), [0, 1]);
        assert_eq!(Side::BOTH.map(|side| side.of(["left", "right"])), ["left", "right"]);
        assert_eq!(Side::BOTH.map(|side| format!("{:4}{}", side, side.other())), ["lhs rhs", "rhs lhs"]);
    }
}
