//! Calls of exports as the user writes them: a name and arguments, some of them texts and files for guest memory.
//!
//! Only notation is known here. Which type an argument has, where bytes go and the results of earlier calls are found
//! out by [`super::steps`].

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// A call of an export, as the user wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// Name of the export.
    pub function: String,
    /// Arguments: values in the notation of [`parse_value`](crate::parse_value), or what is to be put into memory, or a
    /// word for what is known by then only (docs/reactors.md).
    pub arguments: Vec<String>,
}

/// Why a call is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// There is no name.
    #[error("name an export, followed by its arguments: 'run 64'")]
    Empty,
    /// A quotation mark that nothing closes.
    #[error("a quotation mark is not closed: {text}")]
    Open {
        /// The text from there on.
        text: String,
    },
}

/// What an argument says before its type is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Notation {
    /// A value.
    Value,
    /// The address of bytes that are put into memory.
    Bytes(Source, Ending),
    /// The length of the bytes before.
    Length,
    /// A result of a call before: of which call by number, or of the last one; and which result. All count from 1.
    Result { call: Option<usize>, number: usize },
}

/// Where bytes come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    Text(Vec<u8>),
    File(PathBuf),
    Zeros(u64),
}

/// What becomes of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// A NUL follows them, and is not counted.
    Nul,
    /// Nothing is.
    Bare,
    /// They are UTF-8, and are put as UTF-16.
    Utf16,
}

impl FromStr for Invocation {
    type Err = CallError;

    fn from_str(text: &str) -> Result<Invocation, CallError> {
        let mut words = words(text)?.into_iter();
        let function = words.next().map(|word| unquoted(&word)).unwrap_or_default();
        if function.is_empty() {
            return Err(CallError::Empty);
        }
        Ok(Invocation { function, arguments: words.collect() })
    }
}

/// As on the command line: the name, then the arguments.
impl fmt::Display for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.function;
        match name.contains(|c: char| c.is_whitespace() || matches!(c, '"' | '\'')) {
            true if !name.contains('\'') => write!(f, "'{name}'")?,
            true if !name.contains(['"', '\\']) => write!(f, "\"{name}\"")?,
            _ => f.write_str(name)?,
        }
        self.arguments.iter().try_for_each(|argument| write!(f, " {argument}"))
    }
}

/// The words between spaces outside of quotation marks, unchanged.
fn words(text: &str) -> Result<Vec<String>, CallError> {
    let mut words: Vec<String> = Vec::new();
    let (mut word, mut quote) = (String::new(), None);
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match quote {
            Some((mark, _)) if c == mark => quote = None,
            Some(('"', _)) if c == '\\' => {
                word.push(c);
                word.extend(chars.next().map(|(_, escaped)| escaped));
                continue;
            }
            Some(_) => {}
            None if matches!(c, '"' | '\'') => quote = Some((c, at)),
            None if c.is_whitespace() => {
                words.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
                continue;
            }
            None => {}
        }
        word.push(c);
    }
    if let Some((_, at)) = quote {
        return Err(CallError::Open { text: text[at..].to_string() });
    }
    words.extend((!word.is_empty()).then_some(word));
    Ok(words)
}

/// The text between the quotation marks of a word, if one pair encloses all of it.
fn unquoted(word: &str) -> String {
    let between = |mark: char| word.strip_prefix(mark)?.strip_suffix(mark).filter(|inside| !inside.contains(mark));
    between('"').or_else(|| between('\'')).unwrap_or(word).to_string()
}

/// Reads an argument.
///
/// # Errors
/// In words, when it begins as one of the notations for bytes and is none.
pub(super) fn notation(text: &str) -> Result<Notation, String> {
    let (ending, bytes) = match text.as_bytes() {
        [b'b', b'"' | b'@', ..] => (Ending::Bare, &text[1..]),
        [b'u', b'"' | b'@', ..] => (Ending::Utf16, &text[1..]),
        _ => (Ending::Nul, text),
    };
    if let Some(file) = bytes.strip_prefix('@') {
        let file = unquoted(file);
        return match file.is_empty() {
            true => Err("`@` must be followed by the name of a file".to_string()),
            false => Ok(Notation::Bytes(Source::File(file.into()), ending)),
        };
    }
    if let Some(rest) = bytes.strip_prefix('"') {
        let Some(inside) = rest.strip_suffix('"') else {
            return Err("the text continues after its quotation mark".to_string());
        };
        return Ok(Notation::Bytes(Source::Text(unescaped(inside)?), ending));
    }
    if let Some(length) = text.strip_prefix("zeros:") {
        let length = length.parse().map_err(|_| "write zeros:N with a number of bytes, as in zeros:4096")?;
        return Ok(Notation::Bytes(Source::Zeros(length), Ending::Bare));
    }
    match text {
        "len" => Ok(Notation::Length),
        "result" => Ok(Notation::Result { call: None, number: 1 }),
        _ => match text.strip_prefix("result:") {
            Some(which) => {
                let (call, number) = which.split_once('.').unwrap_or((which, "1"));
                let from_one = |text: &str| text.parse().ok().filter(|number| *number > 0);
                match (from_one(call), from_one(number)) {
                    (call @ Some(_), Some(number)) => Ok(Notation::Result { call, number }),
                    _ => Err("write result:CALL or result:CALL.NUMBER, both counted from 1".to_string()),
                }
            }
            None => Ok(Notation::Value),
        },
    }
}

const ESCAPES: &str = r#"\n, \r, \t, \", \', \\, \u{1f600}, and a byte as two hexadecimal digits, \00"#;

/// The bytes of a text with the escapes of WebAssembly's text format.
fn unescaped(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['\\', '"']) {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        let wrong =
            || format!("`{}` is not an escape: there are {ESCAPES}", rest[at..].chars().take(4).collect::<String>());
        if rest[at..].starts_with('"') {
            return Err("the text continues after its quotation mark".to_string());
        }
        rest = &rest[at + 1..];
        let simple = match rest.chars().next() {
            Some('n') => Some(b'\n'),
            Some('r') => Some(b'\r'),
            Some('t') => Some(b'\t'),
            Some(same @ ('"' | '\'' | '\\')) => Some(same as u8),
            _ => None,
        };
        if let Some(byte) = simple {
            bytes.push(byte);
            rest = &rest[1..];
        } else if let Some(code) = rest.strip_prefix("u{") {
            let (code, behind) = code.split_once('}').ok_or_else(wrong)?;
            let code = u32::from_str_radix(code, 16).ok().and_then(char::from_u32).ok_or_else(wrong)?;
            bytes.extend_from_slice(code.encode_utf8(&mut [0; 4]).as_bytes());
            rest = behind;
        } else {
            let digits = rest.get(..2).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
            let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).ok_or_else(wrong)?;
            bytes.push(byte);
            rest = &rest[2..];
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8], ending: Ending) -> Result<Notation, String> {
        Ok(Notation::Bytes(Source::Text(bytes.to_vec()), ending))
    }

    #[test]
    fn a_call_reads_back_as_it_is_written() {
        for (written, function, arguments) in [
            ("run", "run", vec![]),
            ("run 64  -1", "run", vec!["64", "-1"]),
            (r#"render "digraph{a -> b}" len"#, "render", vec![r#""digraph{a -> b}""#, "len"]),
            (r#"f b"a \" b" @"my file""#, "f", vec![r#"b"a \" b""#, r#"@"my file""#]),
            ("'a name' 1", "a name", vec!["1"]),
            (r#""it's" 1"#, "it's", vec!["1"]),
        ] {
            let call: Invocation = written.parse().expect(written);
            assert_eq!(
                (call.function.as_str(), &call.arguments),
                (function, &arguments.iter().map(|argument| argument.to_string()).collect())
            );
            assert_eq!(call.to_string().parse(), Ok(call), "{written}");
        }
        assert_eq!("".parse::<Invocation>(), Err(CallError::Empty));
        assert_eq!("''".parse::<Invocation>(), Err(CallError::Empty));
        assert!(matches!(r#"f "a\""#.parse::<Invocation>(), Err(CallError::Open { .. })));
    }

    #[test]
    fn bytes_come_from_texts_and_files() {
        assert_eq!(notation(r#""a\n\u{1f600}\ff\\""#), text(b"a\n\xf0\x9f\x98\x80\xff\\", Ending::Nul));
        assert_eq!(notation(r#"b"""#), text(b"", Ending::Bare));
        assert_eq!(notation(r#"u"\22""#), text(b"\"", Ending::Utf16));
        let file = |ending| Ok(Notation::Bytes(Source::File("a b".into()), ending));
        assert_eq!(notation("@'a b'"), file(Ending::Nul));
        assert_eq!(notation("b@\"a b\""), file(Ending::Bare));
        assert_eq!(notation("zeros:16"), Ok(Notation::Bytes(Source::Zeros(16), Ending::Bare)));
        for wrong in
            [r#""a"b"#, r#""a"b""#, r#""\q""#, r#""\u{110000}""#, r#""\u{41""#, r#""\f""#, r#""\é""#, "@", "zeros:x"]
        {
            assert!(notation(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn other_words_are_values() {
        for value in ["1", "-0x1", "nan", "b", "u", "null", "lens", "results"] {
            assert_eq!(notation(value), Ok(Notation::Value));
        }
        assert_eq!(notation("len"), Ok(Notation::Length));
        assert_eq!(notation("result"), Ok(Notation::Result { call: None, number: 1 }));
        assert_eq!(notation("result:2"), Ok(Notation::Result { call: Some(2), number: 1 }));
        assert_eq!(notation("result:2.3"), Ok(Notation::Result { call: Some(2), number: 3 }));
        for wrong in ["result:", "result:0", "result:1.0", "result:x", "result:1."] {
            assert!(notation(wrong).is_err(), "{wrong}");
        }
    }
}
