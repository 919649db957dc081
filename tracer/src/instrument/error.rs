//! Why a module cannot be rewritten.

use crate::validity::Invalid;
use forkpoint_traces::{CodeOffset, FuncIndex};
use thiserror::Error;

/// A module that is invalid, or that forkpoint would record wrongly or not at all. There is no partial recording: a
/// write that escapes the recorder would make every later answer about memory a guess.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InstrumentError {
    /// The component model's container.
    #[error(
        "this is a component, not a core module: extract the core module from it (for example with `wasm-tools component unbundle`) and record that"
    )]
    Component,

    /// Validation failed.
    #[error("the module is not valid: {message} (at byte offset {offset})")]
    Invalid {
        /// What the validator found.
        message: String,
        /// Where.
        offset: CodeOffset,
    },

    /// Valid only under a proposal that is not supported.
    #[error(
        "the module needs the WebAssembly proposal {proposal}, which forkpoint does not record: {message} (at byte offset {offset})"
    )]
    Proposal {
        /// The proposal's name in the validator.
        proposal: String,
        /// What the validator found.
        message: String,
        /// Where.
        offset: CodeOffset,
    },

    /// An instruction that changes memory in a way that cannot be recorded or is unknown.
    #[error(
        "function {} has `{instruction}` at byte offset {offset}, which forkpoint cannot record: {reason}",
        name.as_ref().map_or_else(|| func.0.to_string(), |name| name.escape_debug().to_string())
    )]
    Instruction {
        /// The instruction, close to the text format.
        instruction: String,
        /// The function that contains it.
        func: FuncIndex,
        /// The function's name in the name section.
        name: Option<String>,
        /// Where.
        offset: CodeOffset,
        /// Why not.
        reason: &'static str,
    },

    /// The recorder's import module is taken.
    #[error(
        "the module imports `{name}` from `forkpoint` (at byte offset {offset}): that name is the recorder's own; is the module rewritten already?"
    )]
    ReservedImport {
        /// Field name of the import.
        name: String,
        /// Where.
        offset: CodeOffset,
    },

    /// One of the recorder's export names is taken.
    #[error(
        "the module exports `{name}` (at byte offset {offset}): names that start with `forkpoint:` are the recorder's own; is the module rewritten already?"
    )]
    ReservedExport {
        /// The export's name.
        name: String,
        /// Where.
        offset: CodeOffset,
    },

    /// A step of a run that does not fit the module.
    #[error("the module cannot be given a function for a step of the run: {why}")]
    Step {
        /// What is wrong with it.
        why: String,
    },

    /// A module that cannot record by itself.
    #[error("the module cannot record by itself, as an engine that is a command needs: {why}")]
    Standalone {
        /// What is in the way.
        why: String,
    },

    /// Larger than engines accept, if not before rewriting then after.
    #[error("with the recorder's code the module has {found} {what}, but engines accept at most {limit}")]
    Limit {
        /// What is counted.
        what: String,
        /// How many there would be.
        found: u64,
        /// How many are accepted.
        limit: u64,
    },
}

/// Refuses what an engine would refuse after rewriting, with the cause instead of a puzzle.
pub(super) fn limit(what: &str, found: u64, limit: u64) -> Result<(), InstrumentError> {
    if found <= limit {
        return Ok(());
    }
    Err(InstrumentError::Limit { what: what.to_string(), found, limit })
}

/// A file-relative offset in the type of errors. Modules of more than 2 GiB are refused before any offset is taken,
/// so saturation never shows.
pub(super) fn offset(offset: usize) -> CodeOffset {
    CodeOffset(u32::try_from(offset).unwrap_or(u32::MAX))
}

impl From<wasmparser::Error> for InstrumentError {
    fn from(error: wasmparser::Error) -> Self {
        Invalid::from(error).into()
    }
}

impl From<Invalid> for InstrumentError {
    fn from(Invalid { message, offset: at, missing }: Invalid) -> Self {
        let offset = offset(at);
        match missing {
            Some(features) => InstrumentError::Proposal {
                proposal: features
                    .iter_names()
                    .map(|(name, _)| name.to_lowercase().replace('_', "-"))
                    .collect::<Vec<_>>()
                    .join(", "),
                message,
                offset,
            },
            None => InstrumentError::Invalid { message, offset },
        }
    }
}

impl From<wasm_encoder::reencode::Error> for InstrumentError {
    fn from(error: wasm_encoder::reencode::Error) -> Self {
        match error {
            wasm_encoder::reencode::Error::ParseError(error) => error.into(),
            other => InstrumentError::Invalid { message: other.to_string(), offset: CodeOffset(0) },
        }
    }
}
