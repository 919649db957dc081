//! Printing: numbers for people, JSON for programs, silence once the reader has gone.
//!
//! Everything that this command prints goes through here, and none of it acts on a terminal. Modules, traces,
//! engines, runners, file names and arguments are hostile text, so text that a caller forgot to escape is escaped
//! here. The lints at the top of `main.rs` forbid other ways to print.

use forkpoint_compare::json_indented;
use forkpoint_replay::{is_active, printable};
use std::borrow::Cow;
use std::ffi::OsStr;
use std::io::{self, BufWriter, StdoutLock, Write};
use std::os::unix::ffi::OsStrExt;

/// Whether an error only means that the reader of our output stopped reading.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe))
}

/// Text in which nothing but line ends acts on a terminal.
pub fn harmless(text: &str) -> Cow<'_, str> {
    if !acts(text) {
        return Cow::Borrowed(text);
    }
    let pieces = text.split_inclusive('\n').map(|line| match line.strip_suffix('\n') {
        Some(line) => printable(line) + "\n",
        None => printable(line),
    });
    Cow::Owned(pieces.collect())
}

/// Whether there is an active character other than a line end. Nearly all text is ASCII, and there may be gigabytes
/// of it.
fn acts(text: &str) -> bool {
    let plain = |byte: u8| matches!(byte, b' '..=b'~' | b'\n');
    !text.bytes().all(plain) && text.chars().any(|c| c != '\n' && is_active(c))
}

/// Writes a line to standard error. If nobody listens, that is not an error.
pub fn tell(line: &str) {
    let _ = io::stderr().lock().write_all(format!("{}\n", harmless(line)).as_bytes());
}

/// Writes text to standard output. A reader that has gone is not an error: the answer, and with it the exit code,
/// does not depend on the reader.
pub fn print(text: &str) -> anyhow::Result<()> {
    print_own(&harmless(text))
}

/// The same for text whose every character comes from this program.
pub fn print_own(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Standard output for the messages of a protocol: JSON for another program, in which control characters are escaped.
pub fn messages() -> BufWriter<StdoutLock<'static>> {
    BufWriter::new(io::stdout().lock())
}

/// Standard output for many lines. Here a reader that has gone is an error, which ends the work.
pub struct Lines(BufWriter<StdoutLock<'static>>);

impl Lines {
    /// Takes standard output.
    pub fn new() -> Lines {
        Lines(BufWriter::with_capacity(1 << 16, io::stdout().lock()))
    }

    /// Writes a line.
    pub fn line(&mut self, line: &str) -> io::Result<()> {
        self.0.write_all(harmless(line).as_bytes())?;
        self.0.write_all(b"\n")
    }

    /// Writes whole lines whose every character comes from this program or is [`harmless`].
    pub fn own_lines(&mut self, lines: &[u8]) -> io::Result<()> {
        self.0.write_all(lines)
    }

    /// Flushes the output.
    pub fn finish(mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Standard output for bytes that are no text for a terminal, or whose every character comes from this program or is
/// [`harmless`].
pub fn raw() -> impl Write + Send {
    BufWriter::with_capacity(1 << 16, io::stdout())
}

/// A word quoted for a shell, safe to paste whatever file name or argument it is.
pub fn quoted(word: &OsStr) -> String {
    match word.to_str() {
        Some(text) if !text.chars().any(is_active) => shell_words::quote(text).into_owned(),
        _ => {
            let mut out = "$'".to_string();
            for chunk in word.as_bytes().utf8_chunks() {
                for c in chunk.valid().chars() {
                    match c {
                        '\\' | '\'' => out.extend(['\\', c]),
                        c if is_active(c) => {
                            let mut bytes = [0; 4];
                            out.extend(c.encode_utf8(&mut bytes).bytes().map(|byte| format!("\\x{byte:02x}")));
                        }
                        c => out.push(c),
                    }
                }
                out.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
            }
            out + "'"
        }
    }
}

/// Writes a value as indented JSON.
pub fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    print(&(json_indented(value)? + "\n"))
}

/// A number with a comma at every third digit.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A length in bytes with a suitable unit.
pub fn bytes(length: u64) -> String {
    const UNITS: &[(&str, u64)] = &[("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match UNITS.iter().find(|(_, size)| length >= *size) {
        Some((unit, size)) => format!("{:.1} {unit}", length as f64 / *size as f64),
        None => format!("{length} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_line_ends_act() {
        assert_eq!(harmless("one\ntwo\n"), "one\ntwo\n");
        assert_eq!(harmless("a\x1b[2J\r\nb\u{202e}\n\nc\t"), "a\\u{1b}[2J\\u{d}\nb\\u{202e}\n\nc\\u{9}");
    }

    #[test]
    fn words_can_be_pasted() {
        let words: [&[u8]; 6] =
            [b"a.wat", b"my file.wat", b"it's", b"a\x1b[2J'\\\n", "b\u{202e}ö".as_bytes(), b"\xff\xfe.fpt"];
        let line: Vec<String> = words.iter().map(|word| quoted(OsStr::from_bytes(word))).collect();
        assert!(!line.iter().any(|word| word.chars().any(is_active)), "{line:?}");
        let script = format!("printf '%s\\0' {}", line.join(" "));
        let read = std::process::Command::new("bash").args(["-c", &script]).output().expect("bash").stdout;
        let read: Vec<&[u8]> = read.strip_suffix(b"\0").expect("words").split(|byte| *byte == 0).collect();
        assert_eq!(read, words);
    }

    #[test]
    fn numbers_are_grouped_by_three() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn lengths_have_a_unit() {
        assert_eq!([12, 2048, 3 << 20].map(bytes), ["12 bytes", "2.0 KiB", "3.0 MiB"]);
    }
}
