//! What a trace is written for decides how small it is.

/// What a file is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// To be quick.
    Recording,
    /// To be small, and without the module, which is elsewhere.
    Excerpt,
}
