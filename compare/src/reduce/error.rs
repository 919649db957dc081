//! What can be wrong with an edit of a module.

use std::convert::Infallible;
use thiserror::Error;

/// An edit that cannot be made. A candidate less, and never the end of a reduction.
#[derive(Debug, Error)]
pub(super) enum EditError {
    #[error(transparent)]
    Parse(#[from] wasmparser::Error),
    #[error("encoding the module again: {0}")]
    Encode(#[from] wasm_encoder::reencode::Error<Infallible>),
    #[error("{0}")]
    Other(&'static str),
}
