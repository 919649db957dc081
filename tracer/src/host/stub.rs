//! Stubs: answers to imports that nothing else provides, as the user writes them: `env.now=42`, `env.*=trap`.

use forkpoint_traces::Import;
use std::fmt;
use std::str::FromStr;

/// The answer of an imported function outside WASI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stub {
    /// `MODULE.NAME`, or a prefix of it and `*`.
    pattern: String,
    pub(crate) answer: StubAnswer,
}

/// What a stub does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StubAnswer {
    /// Returns these values, in the notation of arguments; an empty list means zeros.
    Results(Vec<String>),
    /// Traps.
    Trap,
}

/// Why a stub is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not MODULE.NAME=ANSWER; write env.now=42 (a result; separate several by commas), env.log= (zeros, or no result), env.abort=trap; a trailing * matches every name with that prefix"
)]
pub struct StubError(String);

impl Stub {
    /// Whether it answers this import.
    pub(crate) fn fits(&self, import: &Import) -> bool {
        let name = import.to_string();
        match self.pattern.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == self.pattern,
        }
    }
}

impl FromStr for Stub {
    type Err = StubError;

    fn from_str(text: &str) -> Result<Stub, StubError> {
        let fail = || StubError(text.to_string());
        // An answer contains no equals sign, but a name may.
        let (pattern, answer) = text.rsplit_once('=').ok_or_else(fail)?;
        if pattern.is_empty() || !pattern.contains(['.', '*']) {
            return Err(fail());
        }
        let answer = match answer.trim() {
            "trap" => StubAnswer::Trap,
            "" => StubAnswer::Results(Vec::new()),
            // Lanes of a vector have commas of their own.
            one if one.contains(':') => StubAnswer::Results(vec![one.to_string()]),
            list => StubAnswer::Results(list.split(',').map(|value| value.trim().to_string()).collect()),
        };
        Ok(Stub { pattern: pattern.to_string(), answer })
    }
}

impl fmt::Display for Stub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.answer {
            StubAnswer::Trap => write!(f, "{}=trap", self.pattern),
            StubAnswer::Results(values) => write!(f, "{}={}", self.pattern, values.join(",")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(stub: &str, module: &str, name: &str) -> bool {
        let import = Import { module: module.to_string(), name: name.to_string() };
        stub.parse::<Stub>().expect(stub).fits(&import)
    }

    #[test]
    fn names_and_beginnings_fit() {
        assert!(fits("env.now=1", "env", "now"));
        assert!(!fits("env.now=1", "env", "nowhere"));
        assert!(fits("env.*=trap", "env", "nowhere"));
        assert!(fits("*=", "a", "b"));
        assert!(fits("a=b.c=0", "a=b", "c"));
    }

    #[test]
    fn stubs_read_back_as_they_are_written() {
        for text in ["env.now=42", "env.*=trap", "env.log=", "env.two=1,-2", "env.v=i32x4:1,2,3,4"] {
            assert_eq!(text.parse::<Stub>().expect(text).to_string(), text);
        }
        for text in ["", "env.now", "now=1", "=1"] {
            assert!(text.parse::<Stub>().is_err(), "{text}");
        }
    }
}
