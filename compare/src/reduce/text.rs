//! A reduced module in the forms that a maintainer wants.

use super::reduction::Reduced;
use super::reproduction::OwnCheck;
use crate::error::CompareError;
use forkpoint_replay::printable;
use std::fmt::Write;

impl Reduced {
    /// The module in the text format. Comments say how it diverges, and that `command` shows it.
    ///
    /// # Errors
    /// When the module cannot be printed.
    pub fn wat(&self, command: &str) -> Result<String, CompareError> {
        let mut text = String::new();
        for line in [format!("Diverges: {}", self.likeness), command.to_string()] {
            let _ = writeln!(text, ";; {}", printable(&line));
        }
        text.push_str(&self.plain_wat()?);
        Ok(text)
    }

    fn plain_wat(&self) -> Result<String, CompareError> {
        let text = wasmprinter::print_bytes(&self.module).map_err(|error| CompareError::NoText(error.to_string()))?;
        Ok(format!("{}\n", text.trim_end()))
    }

    /// A page for a bug tracker, in Markdown: the module, the engines, the first divergence, and the `command` that shows it.
    ///
    /// # Errors
    /// When the module cannot be printed.
    pub fn markdown(&self, command: &str) -> Result<String, CompareError> {
        let report = self.compared.as_ref().map(|compared| &compared.report);
        let mut page = format!("# {}\n\n", line(self.likeness.to_string()));
        let _ = writeln!(
            page,
            "{}",
            line(report.and_then(|report| report.meaning).unwrap_or("two runs of this module differ").to_string())
        );
        let _ = writeln!(
            page,
            "\n## Module\n\n{} bytes as a binary.\n\n```wat\n{}```\n",
            self.module.len(),
            self.plain_wat()?
        );
        if let Some(report) = report {
            page.push_str("## Engines\n\n");
            for (side, of_side) in [("left", &report.lhs), ("right", &report.rhs)] {
                let _ =
                    writeln!(page, "- {side}: `{}`, {}", line(of_side.engine.clone()), line(of_side.version.clone()));
            }
        }
        let _ = writeln!(page, "\n## Command\n\n```sh\n{}\n```\n", line(command.to_string()));
        page.push_str(&self.without_forkpoint());
        let Some(report) = report else {
            page.push_str(
                "The reduction was interrupted before a last comparison: the command shows the divergence.\n",
            );
            return Ok(page);
        };
        let _ = writeln!(page, "## First divergence\n\n```text\n{}\n```", report.to_string().trim_end());
        Ok(page)
    }
}

impl Reduced {
    /// The section with the engines' own commands.
    fn without_forkpoint(&self) -> String {
        let mut page = "## Without forkpoint\n\n".to_string();
        let reproduction = match &self.reproduction {
            Ok(reproduction) => reproduction,
            Err(why) => {
                let _ = writeln!(page, "There is no command of the engines alone: {}.\n", line(why.clone()));
                return page;
            }
        };
        for (name, side) in ["left", "right"].into_iter().zip(&reproduction.sides) {
            let (engine, expected) = (line(side.engine.clone()), line(side.expected.clone()));
            let _ = match (&side.command, &side.check) {
                (Err(why), _) => writeln!(page, "- {name}, {engine}: no command of its own ({})", line(why.clone())),
                (_, OwnCheck::NotRun) => writeln!(page, "- {name}, {engine}: {expected}"),
                (_, OwnCheck::Unavailable) => {
                    writeln!(
                        page,
                        "- {name}, {engine}: {expected}. Not checked: the program was not there, or did not end."
                    )
                }
                (_, OwnCheck::Ran { as_expected: true, did }) => {
                    writeln!(page, "- {name}, {engine}: {expected}. Checked: {did}.")
                }
                (_, OwnCheck::Ran { as_expected: false, did }) => {
                    writeln!(page, "- {name}, {engine}: {expected}. **Not so when it was checked**: {did}.")
                }
            };
        }
        let _ = writeln!(page, "\n```sh\n{}```\n", reproduction.script(&self.likeness.to_string()));
        page
    }
}

/// A text on one line, without what would end a code span.
fn line(text: String) -> String {
    printable(&text).replace('`', "'")
}
