//! A reduced module as text, with what a maintainer needs to know in front.

use super::Reduced;
use crate::error::CompareError;
use forkpoint_replay::printable;
use std::fmt::Write;

impl Reduced {
    /// The module in the text format. Comments say in which way which engines diverge, and how to see it.
    ///
    /// # Errors
    /// When the module is not one that can be printed.
    pub fn wat(&self, engines: [&str; 2]) -> Result<String, CompareError> {
        let mut text = String::new();
        for line in self.comments(engines) {
            let _ = writeln!(text, ";; {}", printable(&line));
        }
        text.push_str(
            &wasmprinter::print_bytes(&self.module).map_err(|error| CompareError::NoText(error.to_string()))?,
        );
        text.push('\n');
        Ok(text)
    }

    fn comments(&self, [lhs, rhs]: [&str; 2]) -> Vec<String> {
        let mut lines = vec![format!("{lhs} and {rhs} diverge: {}.", self.likeness)];
        let calls = self.calls.iter().map(|call| format!(" --invoke '{call}'"));
        let calls: String = calls.collect();
        lines.push(format!("forkpoint compare THIS{calls} --lhs '{lhs}' --rhs '{rhs}'"));
        lines
    }
}
