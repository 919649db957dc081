//! What a trace is written for decides how small it is.

/// What a file is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// To be quick.
    Recording,
    /// To be read soon and by its writer only: it is without its module, and nobody waits until the disk has it.
    Passing,
    /// To hold part of another trace: small, to be sent, or, with its module, to be run again at once.
    Excerpt {
        /// Whether the module is in it, or elsewhere.
        with_module: bool,
    },
}
