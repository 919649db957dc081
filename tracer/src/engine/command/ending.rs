//! What the end of a command means: its exit status, and what it printed.

use super::process::Status;
use crate::engine::words;
use forkpoint_traces::TrapKind;

/// Words for traps of engines that have no interface, each found before any that it contains.
const PHRASES: &[(&str, TrapKind)] = &[
    ("mem out of bounds", TrapKind::MemoryOutOfBounds),
    ("table out of bounds", TrapKind::TableOutOfBounds),
    ("func sig mismatch", TrapKind::IndirectCallType),
    ("func invalid", TrapKind::IndirectCall),
    ("div by zero", TrapKind::IntegerDivideByZero),
    ("float unrepresentable", TrapKind::Truncation),
    ("null deref", TrapKind::NullReference),
    ("maximum call stack size exceeded", TrapKind::StackOverflow),
    ("call stack overflow", TrapKind::StackOverflow),
];

const SIGABRT: i32 = 6;

/// Signals by which programs crash.
const CRASHES: [i32; 7] = [4, 5, 6, 7, 8, 11, 31];

/// How a command that did not come to its end ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ending {
    /// Its words name a trap.
    Trapped { trap: TrapKind, message: String },
    /// It died by a signal.
    Crashed(i32),
    /// Nothing says why.
    Other,
}

/// Text for people: the last lines of what was printed, without control characters' effects left to chance.
pub(super) fn said(noise: &[u8], stderr: &[u8]) -> String {
    let lossy = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        let start = text.len().saturating_sub(2048);
        let start = (start..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or_default();
        text[start..].trim().to_string()
    };
    let parts = [lossy(noise), lossy(stderr)];
    parts.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join("\n")
}

/// Without lines that are frames of a stack, whose numbers are those of the rewritten module.
fn without_frames(said: &str) -> String {
    let is_frame = |line: &str| {
        let line = line.trim_start();
        line.starts_with("<wasm func #") || line.starts_with("at ") || line.starts_with("at wasm://")
    };
    said.lines().filter(|line| !is_frame(line)).collect::<Vec<_>>().join("\n")
}

/// The kind of trap that words are about.
fn trap_kind(message: &str) -> TrapKind {
    let plain = message.to_lowercase().replace('_', " ");
    let own = PHRASES.iter().find(|(phrase, _)| plain.contains(phrase)).map(|(_, kind)| *kind);
    own.unwrap_or_else(|| words::trap_kind(message))
}

impl Ending {
    /// The end of a run in which the hook was called with the number of a site that the module does not have.
    pub(super) fn lost(site: u32) -> Ending {
        let message = format!(
            "the engine ran code that is not the module's: the recorder's hook was called for site {site}, which the module does not have"
        );
        Ending::Trapped { trap: TrapKind::Other, message }
    }

    /// Whether two runs ended alike: an engine's words about a trap may name places.
    pub(super) fn is_like(&self, other: &Ending) -> bool {
        match (self, other) {
            (Ending::Trapped { trap, .. }, other) => other.is_trap(*trap),
            (one, other) => one == other,
        }
    }

    /// Whether it is this trap.
    pub(super) fn is_trap(&self, kind: TrapKind) -> bool {
        matches!(self, Ending::Trapped { trap, .. } if *trap == kind)
    }

    /// The same of a run that did not come to its end, whatever its status says.
    pub(super) fn unfinished(status: Status, said: &str) -> Ending {
        match status {
            Status::Code(0) => Ending::of(Status::Code(1), said),
            status => Ending::of(status, said),
        }
    }

    /// The meaning of a status and of what was printed.
    pub(super) fn of(status: Status, said: &str) -> Ending {
        let message = match said.lines().rev().find_map(|line| Some(line.split_once("wasm trap: ")?.1)) {
            Some(words) => format!("wasm trap: {words}"),
            None => words::without_backtrace(&without_frames(said)),
        };
        let trap = trap_kind(&message);
        match status {
            // Wasmtime's command aborts where its guest traps.
            Status::Signal(SIGABRT) if trap != TrapKind::Other => Ending::Trapped { trap, message },
            Status::Signal(signal) => Ending::Crashed(signal),
            Status::Code(code) if code != 0 && trap != TrapKind::Other => Ending::Trapped { trap, message },
            // As a shell reports it.
            Status::Code(code) if CRASHES.contains(&(code - 128)) => Ending::Crashed(code - 128),
            _ => Ending::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_commands_name_traps() {
        for (said, trap) in [
            ("<wasm func #0> +7\n  !trap[MEM_OUT_OF_BOUNDS]", TrapKind::MemoryOutOfBounds),
            ("<wasm func #0> +21\n  !trap[UNREACHABLE]", TrapKind::Unreachable),
            ("main() => error: unreachable executed", TrapKind::Unreachable),
            ("Exception: out of bounds memory access", TrapKind::MemoryOutOfBounds),
            ("RangeError: Maximum call stack size exceeded", TrapKind::StackOverflow),
        ] {
            let ending = Ending::of(Status::Code(10), said);
            assert!(matches!(ending, Ending::Trapped { trap: found, .. } if found == trap), "{said}: {ending:?}");
            assert_eq!(Ending::of(Status::Code(0), said), Ending::Other);
        }
        assert_eq!(Ending::of(Status::Code(139), "Segmentation fault"), Ending::Crashed(11));
        assert_eq!(Ending::of(Status::Signal(6), "assertion failed"), Ending::Crashed(6));
        assert_eq!(Ending::of(Status::Code(1), "no such file"), Ending::Other);
    }
}
