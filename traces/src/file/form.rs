//! What a trace is written for decides how small it is.

/// What a file is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// To be quick.
    Recording,
    /// To be small.
    Excerpt {
        /// Whether the module is in it, or elsewhere.
        with_module: bool,
    },
}
