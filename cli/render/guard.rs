//! What the observer guard found, in words.

use super::InWords;
use forkpoint_compare::{Guard, Nondeterminism, PlainDifference};
use std::fmt;

impl fmt::Display for InWords<'_, Guard> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let InWords(guard) = self;
        let mut unsteady = guard.nondeterminism.iter();
        unsteady.try_for_each(|found| write!(f, "{}: {}", found.side.word(), InWords(&found.seen)))?;
        guard.notes.iter().try_for_each(|note| writeln!(f, "note: {note}"))?;
        if guard.plain_differences.is_empty() {
            writeln!(f, "Without recording, both runs end the same way.")?;
        } else {
            writeln!(f, "Without recording, the runs end differently:")?;
            differences(f, &guard.plain_differences)?;
        }
        for side in &guard.changed_by_recording {
            writeln!(f, "Recording changes how {} ends.", side.word())?;
        }
        ways(f, guard)
    }
}

/// Each difference on an indented line.
pub fn differences(f: &mut fmt::Formatter<'_>, found: &[PlainDifference]) -> fmt::Result {
    found.iter().try_for_each(|difference| writeln!(f, "  {}", difference.words))
}

/// The ways to record that were tried to see the difference in spite of recording.
pub fn ways(f: &mut fmt::Formatter<'_>, guard: &Guard) -> fmt::Result {
    let list =
        |f: &mut fmt::Formatter<'_>, lines: &[String]| lines.iter().try_for_each(|line| writeln!(f, "  {line}"));
    if !guard.last_writers.is_empty() {
        writeln!(f, "In the full recordings these bytes were last written by:")?;
        list(f, &guard.last_writers)?;
    }
    if !guard.vanished_in.is_empty() {
        writeln!(f, "The difference vanishes under:")?;
        list(f, &guard.vanished_in)?;
    }
    if let Some(rung) = &guard.survived_in {
        writeln!(f, "It survives under {rung}; the report shows that recording.")?;
    }
    Ok(())
}

impl fmt::Display for InWords<'_, Nondeterminism> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let InWords(found) = self;
        writeln!(f, "{} does not run this module the same way twice.", found.engine)?;
        if !found.plain_differences.is_empty() {
            writeln!(f, "Two of its runs without recording end differently:")?;
            differences(f, &found.plain_differences)?;
        }
        match found.events {
            Some([first, last]) if first == last => writeln!(f, "Its recordings diverge at {first}."),
            Some([first, last]) => writeln!(f, "Its recordings diverge between {first} and {last}."),
            None => writeln!(f, "Its recordings are equal."),
        }
    }
}
