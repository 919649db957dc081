//! The meaning of an engine's message about a trap: C interfaces have no kinds of traps, or renumber them in each
//! release.

use forkpoint_traces::TrapKind;

/// Phrases of the specification's test suite and those that engines use instead, each found before any that it
/// contains.
const PHRASES: &[(&str, TrapKind)] = &[
    ("out of bounds memory access", TrapKind::MemoryOutOfBounds),
    ("memory access out of bounds", TrapKind::MemoryOutOfBounds),
    ("unaligned atomic", TrapKind::UnalignedAtomic),
    ("misaligned memory access", TrapKind::UnalignedAtomic),
    ("out of bounds table access", TrapKind::TableOutOfBounds),
    ("table access out of bounds", TrapKind::TableOutOfBounds),
    ("undefined element", TrapKind::TableOutOfBounds),
    ("uninitialized element", TrapKind::UndefinedElement),
    ("indirect call type mismatch", TrapKind::IndirectCallType),
    ("indirect call signature mismatch", TrapKind::IndirectCallType),
    ("out of bounds array access", TrapKind::ArrayOutOfBounds),
    ("null reference", TrapKind::NullReference),
    ("null function reference", TrapKind::NullReference),
    ("cast failure", TrapKind::CastFailure),
    ("divide by zero", TrapKind::IntegerDivideByZero),
    ("division by zero", TrapKind::IntegerDivideByZero),
    ("invalid conversion to integer", TrapKind::InvalidConversion),
    ("integer overflow", TrapKind::IntegerOverflow),
    ("call stack exhausted", TrapKind::StackOverflow),
    ("stack overflow", TrapKind::StackOverflow),
    ("allocation size too large", TrapKind::OutOfMemory),
    ("uncaught exception", TrapKind::UncaughtException),
    ("thrown wasm exception", TrapKind::UncaughtException),
    ("unreachable", TrapKind::Unreachable),
];

/// The kind of trap that a message describes.
pub(super) fn trap_kind(message: &str) -> TrapKind {
    let message = message.to_lowercase();
    PHRASES.iter().find(|(phrase, _)| message.contains(phrase)).map_or(TrapKind::Other, |(_, kind)| *kind)
}

/// A message without its backtraces, in one line: a guest's has the numbers of the rewritten module, and the engine's
/// own is irrelevant.
pub(super) fn without_backtrace(message: &str) -> String {
    let message = message.split("Stack backtrace:").next().unwrap_or_default();
    let mut words = Vec::new();
    let (mut backtrace, mut causes) = (false, false);
    for line in message.lines().map(str::trim) {
        match line {
            "Caused by:" => (backtrace, causes) = (false, true),
            _ if line.contains("wasm backtrace") => backtrace = true,
            _ if line.is_empty() || backtrace => {}
            // Several causes are numbered.
            _ if causes => words.push(line.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start_matches(": ")),
            _ => words.push(line),
        }
    }
    words.join(": ")
}

/// The byte offset in a module that an engine's message about it names.
pub(super) fn offset_in(message: &str) -> Option<u64> {
    // "(at offset 0x3a)", "at byte offset 58", "@+58".
    let at = ["offset ", "@+"].into_iter().find_map(|mark| Some(message.rfind(mark)? + mark.len()))?;
    let rest = &message[at..];
    let (digits, radix) = rest.strip_prefix("0x").map_or((rest, 10), |hex| (hex, 16));
    let end = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
    u64::from_str_radix(&digits[..end], radix).ok()
}

/// A message in one line.
pub(super) fn one_line(message: &str) -> String {
    let lines = message.lines().map(str::trim).filter(|line| !line.is_empty() && *line != "Caused by:");
    lines.collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_found_where_there_is_one() {
        for (message, offset) in [
            ("type mismatch: expected i32 (at offset 0x3a)", Some(0x3a)),
            ("Invalid input WebAssembly code at offset 58: unknown local 3", Some(58)),
            ("CompileError: WebAssembly.Module(): expected 4 bytes, fell off end @+12", Some(12)),
            ("a data segment's offset is odd", None),
            ("offset 99999999999999999999999", None),
            ("no more", None),
        ] {
            assert_eq!(offset_in(message), offset, "{message}");
        }
    }

    #[test]
    fn words_of_several_releases_mean_the_same() {
        let long = "error while executing at wasm backtrace:\n    0:   0x35 - <unknown>!unreachable_looking\n    1:   0x40 - \
                    <unknown>!run\n\nCaused by:\n    wasm trap: out of bounds memory access";
        let numbered = "error while executing at wasm backtrace:\n    0:   0x3f - m!run\n\nCaused by:\n    \
                        0: memory fault at 0x10000\n    1: wasm trap: integer divide by zero\n\nStack backtrace:\n   0: unreachable";
        let short = "wasm trap: call stack exhausted\nwasm backtrace:\n    0:   0x1f - <unknown>!<wasm function 0>\n";
        for (message, words, kind) in [
            (long, "wasm trap: out of bounds memory access", TrapKind::MemoryOutOfBounds),
            (numbered, "memory fault at 0x10000: wasm trap: integer divide by zero", TrapKind::IntegerDivideByZero),
            (short, "wasm trap: call stack exhausted", TrapKind::StackOverflow),
            ("Exception: unreachable", "Exception: unreachable", TrapKind::Unreachable),
            ("what nobody has said before", "what nobody has said before", TrapKind::Other),
        ] {
            assert_eq!((without_backtrace(message).as_str(), trap_kind(&without_backtrace(message))), (words, kind));
        }
    }
}
