//! What is wrong with a script.

/// Why a script cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// The text is not a script.
    #[error("this is not a `.wast` script: line {line}, column {column}: {message}")]
    Syntax {
        /// Where.
        line: usize,
        /// Where in the line, from 1.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// A directive does something that is not supported.
    #[error("line {line}: {what}")]
    Directive {
        /// Its line.
        line: u32,
        /// What is wrong, and what to do.
        what: String,
    },
    /// Modules that cannot be linked.
    #[error("{0}")]
    Linked(String),
    /// The program is larger than what is supported.
    #[error("{found} {what}, and at most {most} are supported: split the script")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there are.
        found: u64,
        /// How many there may be.
        most: u64,
    },
    /// A recording's program and its modules do not fit together.
    #[error("the recorded program contradicts its modules: {0}")]
    Recorded(String),
}
