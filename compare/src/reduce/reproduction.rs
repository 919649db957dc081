//! The engines' own commands that show a divergence, without forkpoint, and whether they do.

use super::witness::{Seen, Witness, witness};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use forkpoint_replay::printable;
use forkpoint_tracer::{AFTERWARDS, OwnCommand, OwnModule, OwnRun, Request, Shows, own_command, run_own_command};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Time that an engine's own command has.
const LIMIT: Duration = Duration::from_secs(20);
/// Modules of more bytes are written in base64, and smaller ones in escapes, which every shell knows.
const SMALL: usize = 1 << 10;
/// Bytes on a line of a script.
const ON_A_LINE: usize = 24;
/// Characters of what a command printed that are shown.
const SHOWN: usize = 300;

/// How a divergence is seen without forkpoint.
#[derive(Debug, Clone)]
pub struct Reproduction {
    /// The reduced module with an export `main` that returns what differs, and `_start`, which traps where that is not what the left
    /// side returns.
    pub module: Vec<u8>,
    /// The engines' own commands.
    pub sides: [OwnSide; 2],
}

/// An engine's own command.
#[derive(Debug, Clone)]
pub struct OwnSide {
    /// The engine, as it says itself.
    pub engine: String,
    /// Lines for a POSIX shell, in which `$module` is the module's path; or why there is none.
    pub command: Result<String, String>,
    /// What it shows, in words.
    pub expected: String,
    /// Whether it does.
    pub check: OwnCheck,
}

/// Whether an engine's own command shows what it is to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnCheck {
    /// It was not run.
    NotRun,
    /// The program is not there, or did not end in time.
    Unavailable,
    /// It was run, and did this.
    Ran {
        /// Whether that is what was expected.
        as_expected: bool,
        /// What it printed and how it ended, in words.
        did: String,
    },
}

impl Reproduction {
    /// The reproduction of a candidate from the traces of its last comparison; in words why there is none.
    pub(super) fn of(
        file: impl Fn(&str) -> PathBuf,
        module: &[u8],
        sides: [&Request; 2],
        engines: [String; 2],
        run: bool,
    ) -> Result<Reproduction, String> {
        let witness = witness(module, &file("lhs.fpt"), &file("rhs.fpt"))?;
        let path = file("witness.wasm");
        std::fs::write(&path, &witness.module).map_err(|error| format!("writing a module: {error}"))?;
        let own = OwnModule { module: &witness.module, afterwards: witness.afterwards };
        let [left, right] = engines;
        let side = |number: usize, engine: String| {
            let command = own_command(sides[number], own);
            let check = match &command {
                Ok(command) if run => checked(command, &witness, number, &path, sides[number]),
                _ => OwnCheck::NotRun,
            };
            let expected = expected(command.as_ref().map_or(Shows::Value, |command| command.shows), &witness, number);
            OwnSide { engine, command: command.map(|command| command.lines), expected, check }
        };
        let sides = [side(0, left), side(1, right)];
        Ok(Reproduction { module: witness.module, sides })
    }

    /// Whether both commands were run and show the divergence.
    pub fn is_checked(&self) -> bool {
        self.sides.iter().all(|side| matches!(side.check, OwnCheck::Ran { as_expected: true, .. }))
    }

    /// A script for a POSIX shell that writes the module and runs both commands.
    pub fn script(&self, title: &str) -> String {
        let mut script = format!("#!/bin/sh\n# {}\n# Needs the two engines, and not forkpoint.\n", printable(title));
        script.push_str("folder=$(mktemp -d) || exit 2\ntrap 'rm -rf \"$folder\"' EXIT\nmodule=$folder/bug.wasm\n");
        if self.module.len() <= SMALL {
            script.push_str("{\n");
            for line in self.module.chunks(ON_A_LINE) {
                let escapes: String = line.iter().map(|byte| format!("\\{byte:03o}")).collect();
                let _ = writeln!(script, "  printf '{escapes}'");
            }
            script.push_str("} > \"$module\"\n");
        } else {
            let _ = writeln!(script, "base64 -d > \"$module\" <<'END'\n{}END", base64(&self.module));
        }
        for (name, side) in ["left", "right"].into_iter().zip(&self.sides) {
            // What the processor can do is in the report.
            let engine: Vec<&str> = side.engine.split(", ").take(2).collect();
            let engine = printable(&engine.join(", ")).replace('\'', "");
            match &side.command {
                Ok(lines) => {
                    let _ =
                        write!(script, "\necho '{name}: {engine}'\necho '  expected: {}'\n{lines}\n", side.expected);
                }
                Err(why) => {
                    let why = printable(why).replace('\'', "");
                    let _ = write!(script, "\necho '{name}: {engine}'\necho '  no command: {why}'\n");
                }
            }
        }
        script
    }

    /// What the check found, in a line.
    pub fn in_words(&self) -> String {
        let side = |side: &OwnSide| match (&side.command, &side.check) {
            (Err(why), _) => format!("no command ({why})"),
            (_, OwnCheck::NotRun) => "not run".to_string(),
            (_, OwnCheck::Unavailable) => {
                "not run here (its program is not in the search path, or did not end in time)".to_string()
            }
            (_, OwnCheck::Ran { as_expected: true, did }) => format!("as expected, {did}"),
            (_, OwnCheck::Ran { as_expected: false, did }) => format!("NOT as expected ({}), {did}", side.expected),
        };
        format!("left {}; right {}", side(&self.sides[0]), side(&self.sides[1]))
    }
}

/// What a command shows of one side.
fn expected(shows: Shows, witness: &Witness, side: usize) -> String {
    let seen = witness.seen[side];
    match (shows, seen) {
        (Shows::Value, Seen::Value(value)) if witness.afterwards => {
            format!("a trap, then `{AFTERWARDS}` returns {value}")
        }
        (Shows::Value, Seen::Value(value)) => format!("main returns {value}"),
        (Shows::Success, Seen::Value(_)) if seen == witness.seen[0] => "it ends with success".to_string(),
        (Shows::Success, Seen::Value(_)) => "unreachable executed, since main returns another value".to_string(),
        (_, Seen::Trap(trap)) => format!("a trap: {trap}"),
        (_, Seen::Refused) => "the module is refused".to_string(),
        (_, Seen::Dead) => "a crash, or no end".to_string(),
    }
}

fn checked(command: &OwnCommand, witness: &Witness, side: usize, module: &Path, request: &Request) -> OwnCheck {
    let Ok(Some(ran)) = run_own_command(command, module, LIMIT, &request.interrupt) else {
        return OwnCheck::Unavailable;
    };
    let said = if ran.printed.is_empty() { &ran.complained } else { &ran.printed };
    let words: String = printable(&said.replace('\n', " ")).chars().take(SHOWN).collect();
    let did = match words.is_empty() {
        true => format!("printed nothing, {}", ran.ended),
        false => format!("printed `{}`, {}", words.replace('`', "'"), ran.ended),
    };
    OwnCheck::Ran { as_expected: is_as_expected(command.shows, witness, side, &ran), did }
}

fn is_as_expected(shows: Shows, witness: &Witness, side: usize, ran: &OwnRun) -> bool {
    let seen = witness.seen[side];
    match (shows, seen) {
        (Shows::Value, Seen::Value(value)) => {
            let digits = |c: char| !(c.is_ascii_digit() || c == '-');
            let numbers: Vec<i64> = ran.printed.split(digits).filter_map(|word| word.parse().ok()).collect();
            let same = |number: &i64| *number == i64::from(value) || *number == i64::from(value as u32);
            // An engine that prints nothing has the status for it.
            numbers.iter().any(same) || numbers.is_empty() && ran.status == Some(value & 0xff)
        }
        (Shows::Success, Seen::Value(_)) => (ran.status == Some(0)) == (seen == witness.seen[0]),
        // Some end with success and say so.
        (_, Seen::Trap(trap)) => {
            let says = |word: &&str| ran.printed.contains(word) || ran.complained.contains(word);
            ran.status != Some(0) || ["trap", "error", &trap.to_string()].iter().any(says)
        }
        // A shell adds 128 to the signal that ended a program: a script that crashes has refused nothing.
        (_, Seen::Refused) => ran.status.is_some_and(|status| (1..128).contains(&status)),
        (_, Seen::Dead) => ran.status != Some(0),
    }
}

/// Bytes in base64, in lines.
fn base64(bytes: &[u8]) -> String {
    bytes.chunks(54).map(|line| STANDARD.encode(line) + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_is_no_refusal() {
        let witness = Witness { module: Vec::new(), seen: [Seen::Value(1), Seen::Refused], afterwards: false };
        let ran = |status: Option<i32>| {
            let text = String::new;
            OwnRun { printed: text(), complained: text(), status, ended: text() }
        };
        let refused =
            [Some(1), Some(0), Some(139), None].map(|status| is_as_expected(Shows::Value, &witness, 1, &ran(status)));
        assert_eq!(refused, [true, false, false, false]);
    }

    #[test]
    fn base64_is_that_of_others() {
        for (bytes, text) in
            [("", ""), ("f", "Zg==\n"), ("fo", "Zm8=\n"), ("foo", "Zm9v\n"), ("foobar", "Zm9vYmFy\n")]
        {
            assert_eq!(super::base64(bytes.as_bytes()), text);
        }
    }
}
