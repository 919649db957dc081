//! Annotations of GitHub Actions: lines that the runner reads from a step's output.
//!
//! The form is that of [workflow commands](https://docs.github.com/actions/reference/workflow-commands-for-github-actions).

use super::case::{Case, CaseResult};
use std::fmt::Write;

/// A line for each case that does not agree.
pub fn annotations(cases: &[Case]) -> String {
    let mut lines = String::new();
    for Case { module, engines, result } in cases {
        let _ = match result {
            CaseResult::Agree => Ok(()),
            CaseResult::Diverge(found) => {
                let (file, line) = found
                    .source
                    .clone()
                    .map_or((module.clone(), String::new()), |(file, line)| (file, format!(",line={line}")));
                let title = property(&format!("{}: {engines} diverge on {module}", found.verdict));
                writeln!(lines, "::error file={}{line},title={title}::{}", property(&file), message(&found.text))
            }
            CaseResult::Unanswered(why) => {
                let title = property(&format!("no answer: {engines} on {module}"));
                writeln!(lines, "::warning file={},title={title}::{}", property(module), message(why))
            }
        };
    }
    lines
}

/// A message: line breaks and percent signs have codes.
fn message(text: &str) -> String {
    text.trim_end().replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property, where colons and commas have codes, too.
fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}
