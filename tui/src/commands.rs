//! Commands: every action by its name, for the line after `:` and for scripts. The names are in the table of keys.

use crate::action::{Action, Awaited, PromptKind};
use crate::app::App;
use crate::errand::Errand;
use crate::keys::BINDINGS;
use crate::traces::Direction;
use std::collections::BTreeSet;

/// The argument that a command takes.
enum Argument {
    None,
    /// The text that its key asks for.
    Text(PromptKind),
    /// The letter of a mark.
    Letter(fn(char) -> Action),
    /// How often, once without one.
    Count,
}

fn argument(action: Action) -> Argument {
    match action {
        Action::Prompt(PromptKind::Command) => Argument::None,
        Action::Prompt(kind) => Argument::Text(kind),
        Action::Await(Awaited::Mark) => Argument::Letter(Action::Mark),
        Action::Await(Awaited::ToMark) => Argument::Letter(Action::ToMark),
        Action::Step | Action::StepBack => Argument::Count,
        _ => Argument::None,
    }
}

/// The names of all commands, in alphabetical order.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    BINDINGS.iter().map(|binding| binding.name).collect::<BTreeSet<_>>().into_iter()
}

/// The command with this name, or the only one whose name begins so.
fn named(word: &str) -> Result<Action, String> {
    let fitting: Vec<&str> = names().filter(|name| name.starts_with(word)).collect();
    let name = match fitting.as_slice() {
        names if names.contains(&word) => word,
        [only] => only,
        [] => return Err(format!("`{word}` is no command: Tab after : shows them all, and ? tells what they do")),
        several => return Err(format!("`{word}` may be {}", several.join(", "))),
    };
    let binding = BINDINGS.iter().find(|binding| binding.name == name);
    binding.map(|binding| binding.action).ok_or_else(|| format!("`{word}` is no command"))
}

/// Whether a line is a position rather than a command.
fn is_position(line: &str) -> bool {
    line.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '#' | '+' | '-')) || line.ends_with('%')
}

impl App {
    /// Runs a line: a position, or a command with its argument. Slow work is returned as an errand.
    ///
    /// # Errors
    /// When it is neither, or the argument is wrong.
    pub(crate) fn execute(&mut self, line: &str) -> Result<Option<Errand>, String> {
        let line = line.trim().trim_start_matches(':').trim_start();
        if line.is_empty() {
            return Ok(None);
        }
        if is_position(line) {
            return self.take(PromptKind::Position, line);
        }
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let (action, rest) = (named(word)?, rest.trim());
        match (argument(action), rest) {
            (Argument::Letter(act), rest) => {
                let mut letters = rest.chars();
                match (letters.next(), letters.next()) {
                    (None, _) => Ok(self.update(action)),
                    (Some(letter), None) => Ok(self.update(act(letter))),
                    _ => Err(format!("`{rest}` is not the name of a mark: expected one letter or digit")),
                }
            }
            (_, "") => Ok(self.update(action)),
            (Argument::Text(kind), rest) => self.take(kind, rest),
            (Argument::Count, rest) => {
                let count = rest.parse().map_err(|_| format!("`{rest}` is not a number of events"))?;
                let direction = if action == Action::Step { Direction::Forward } else { Direction::Backward };
                self.move_rows(count, direction);
                Ok(None)
            }
            (Argument::None, rest) => Err(format!("`{word}` takes no argument, and `{rest}` is one")),
        }
    }
}
