//! Typing into a prompt: earlier texts again, and names of commands completed.

use crate::action::PromptKind;
use crate::app::App;
use crate::commands;
use crate::traces::Direction;
use tui_input::{Input, InputRequest};

impl App {
    /// Changes the text of the prompt.
    pub(crate) fn edit(&mut self, request: InputRequest) {
        if let Some(prompt) = &mut self.prompt {
            prompt.input.handle(request);
            self.message = None;
        }
    }

    /// Puts an earlier text into the prompt, or a later one; after the last one it is empty.
    pub(crate) fn recall(&mut self, direction: Direction) {
        let Some(prompt) = &mut self.prompt else { return };
        let back = match direction {
            Direction::Backward => prompt.back + 1,
            Direction::Forward => prompt.back.saturating_sub(1),
        };
        match self.history.back(prompt.kind, back) {
            Some(text) => prompt.input = Input::new(text.to_string()),
            None if back == 0 => prompt.input = Input::default(),
            None => return,
        }
        prompt.back = back;
    }

    /// Completes the name of a command as far as it is certain, and shows the names that fit.
    pub(crate) fn complete(&mut self) {
        let Some(prompt) = self.prompt.as_mut().filter(|prompt| prompt.kind == PromptKind::Command) else { return };
        let text = prompt.input.value().trim_start();
        if text.contains(char::is_whitespace) {
            return;
        }
        let fitting: Vec<&str> = commands::names().filter(|name| name.starts_with(text)).collect();
        let (completed, message) = match fitting.as_slice() {
            [] => (text.to_string(), Some(format!("no command begins with `{text}`"))),
            [only] => (format!("{only} "), None),
            [first, ..] => {
                let same = |name: &&str| first.bytes().zip(name.bytes()).take_while(|(a, b)| a == b).count();
                let shared = fitting.iter().map(same).min().unwrap_or(0);
                (first[..shared].to_string(), Some(fitting.join("  ")))
            }
        };
        prompt.input = Input::new(completed);
        self.message = message;
    }
}
