//! Engines that are commands: a template of the command line, and what is known about it.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// An engine that can be had only as a command: `command:wizard -ext:multi-memory {module}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandSpec {
    /// Its short name in a project file, if it has one.
    pub name: Option<String>,
    /// The command line: words as a shell splits them, with placeholders; `&&` alone separates commands.
    pub template: String,
    /// How a module gets its events out, if it is not to be found out.
    pub way: Option<Way>,
    /// The export that the command runs, if it is not to be found out.
    pub function: Option<String>,
}

/// How a module that records by itself gets its events out of an engine that is a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Way {
    /// It sends them by WASI's `fd_write`, out of a second memory.
    Stream,
    /// It returns what is asked for, and the engine prints it.
    Answer,
    /// It returns what is asked for, and the command's exit status is some bits of it.
    Status,
    /// It traps, or does not.
    Outcome,
}

impl Way {
    /// All ways, the best first.
    pub const ALL: [Way; 4] = [Way::Stream, Way::Answer, Way::Status, Way::Outcome];
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Way::Stream => "stream",
            Way::Answer => "answer",
            Way::Status => "status",
            Way::Outcome => "outcome",
        })
    }
}

impl FromStr for Way {
    type Err = String;

    fn from_str(text: &str) -> Result<Way, String> {
        let found = Way::ALL.into_iter().find(|way| way.to_string() == text);
        found.ok_or_else(|| format!("unknown way `{text}`: write stream, answer, status or outcome"))
    }
}

impl CommandSpec {
    /// An engine with everything but its command to be found out.
    ///
    /// # Errors
    /// A sentence, when there is no command.
    pub fn new(template: &str) -> Result<CommandSpec, String> {
        if template.trim().is_empty() {
            return Err("no command".to_string());
        }
        if !template.contains("{module}") {
            return Err("no {module} in the command, where the module's path is to stand,".to_string());
        }
        if let Err(error) = shell_words::split(template) {
            return Err(format!("a command that cannot be split into words ({error})"));
        }
        Ok(CommandSpec { name: None, template: template.to_string(), way: None, function: None })
    }

    /// Parses `way=stream,function=main:TEMPLATE`, what follows the engine's name, settings and colon included.
    pub(super) fn parse(text: &str) -> Result<CommandSpec, String> {
        let (settings, template) = text.split_once(':').unwrap_or((text, ""));
        let mut spec = CommandSpec::new(template)?;
        for setting in settings.split(',').filter(|setting| !setting.is_empty()) {
            match setting.split_once('=') {
                Some(("way", way)) => spec.way = Some(way.parse()?),
                Some(("function", function)) if !function.is_empty() => spec.function = Some(function.to_string()),
                _ => return Err(format!("unknown setting `{setting}`")),
            }
        }
        Ok(spec)
    }
}

impl fmt::Display for CommandSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            return f.write_str(name);
        }
        f.write_str("command")?;
        self.way.map_or(Ok(()), |way| write!(f, ",way={way}"))?;
        self.function.as_ref().map_or(Ok(()), |function| write!(f, ",function={function}"))?;
        write!(f, ":{}", self.template)
    }
}
