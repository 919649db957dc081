//! Keys that the user binds: a file with a key and a command's name on each line.
//!
//! ```text
//! # F5 runs on, and a list opens with a control key.
//! F5       run
//! ctrl-d   divergences
//! ```

use crate::action::Action;
use crate::focus::Pane;
use crate::keys::{BINDINGS, Key, action_of};
use forkpoint_replay::printable;

/// Most keys that a file may bind.
const MOST: usize = 500;

/// Keys that the user bound, before those of the table.
#[derive(Debug, Clone, Default)]
pub struct Keymap(Vec<(Key, Action)>);

/// A line of a file with keys is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {message}")]
pub struct KeysError {
    /// What the file is called.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

impl Keymap {
    /// Reads the text of a file, with a key and a command on each line.
    ///
    /// # Errors
    /// [`KeysError`] at the first line that is wrong.
    pub fn parse(file: &str, text: &str) -> Result<Keymap, KeysError> {
        let mut keys = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line == "#" || line.starts_with("# ") {
                continue;
            }
            let wrong =
                |message: String| KeysError { file: printable(file), line: number, message: printable(&message) };
            let (key, command) = line
                .split_once(char::is_whitespace)
                .ok_or_else(|| wrong(format!("`{line}` is not a key and a command, such as `F5 run`")))?;
            let key = Key::parse(key)
                .ok_or_else(|| wrong(format!("`{key}` is no key: expected x, F5, Up, ctrl-x or alt-x")))?;
            let command = command.trim();
            let binding = BINDINGS.iter().find(|binding| binding.name == command);
            let binding =
                binding.ok_or_else(|| wrong(format!("`{command}` is no command: ? in the viewer lists them")))?;
            if keys.len() == MOST {
                return Err(wrong(format!("more than {MOST} keys")));
            }
            keys.push((key, binding.action));
        }
        Ok(Keymap(keys))
    }

    /// What a key does while a pane has the focus: the user's last word on it, or what the table says.
    pub(crate) fn action_of(&self, key: Key, focus: Pane) -> Option<Action> {
        let own = self.0.iter().rev().find(|(bound, _)| *bound == key);
        own.map(|(_, action)| *action).or_else(|| action_of(key, focus))
    }

    /// The user's own keys for an action, as the help spells them.
    pub(crate) fn labels(&self, action: Action) -> Vec<String> {
        self.0.iter().filter(|(_, bound)| *bound == action).map(|(key, _)| key.label()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traces::Direction;
    use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

    #[test]
    fn the_users_keys_come_before_the_table() {
        let keys = Keymap::parse("keys", "# mine\nF5 run\nctrl-n step\nj quit\n").expect("it is right");
        let of = |code, modifiers| keys.action_of(Key::of(&KeyEvent::new(code, modifiers)), Pane::Events);
        assert_eq!(of(KeyCode::F(5), KeyModifiers::NONE), Some(Action::Run(Direction::Forward)));
        assert_eq!(of(KeyCode::Char('n'), KeyModifiers::CONTROL), Some(Action::Step));
        assert_eq!(of(KeyCode::Char('j'), KeyModifiers::NONE), Some(Action::Quit));
        assert_eq!(of(KeyCode::Char('k'), KeyModifiers::NONE), Some(Action::StepBack));
        assert_eq!(keys.labels(Action::Quit), ["j"]);
    }

    #[test]
    fn wrong_lines_are_named() {
        for (text, line, message) in [
            ("F5", 1, "is not a key and a command"),
            ("\nF99 run", 2, "is no key"),
            ("x jump-\u{1b}", 1, "is no command"),
        ] {
            let error = Keymap::parse("keys", text).expect_err(text);
            assert!(error.line == line && error.message.contains(message), "{error}");
            assert!(!error.to_string().contains('\u{1b}'));
        }
    }
}
