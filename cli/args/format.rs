//! In which form results are printed.

use clap::ValueEnum;

/// The form of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// docs/json.md, the same as --json
    Json,
    /// Annotations of GitHub Actions
    Github,
    /// JUnit's XML
    Junit,
    /// SARIF 2.1.0, for code scanning
    Sarif,
}
