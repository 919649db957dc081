//! Prompts, and what was typed into them.

use crate::action::PromptKind;
use tui_input::Input;

/// Most texts that are kept.
const MOST: usize = 200;

/// A question to the user.
#[derive(Debug)]
pub(crate) struct Prompt {
    /// What is asked for.
    pub(crate) kind: PromptKind,
    /// What was typed so far.
    pub(crate) input: Input,
    /// How many texts of the history it is back.
    pub(crate) back: usize,
}

/// Texts that were accepted, the last one last.
#[derive(Debug, Default)]
pub(crate) struct History(Vec<(PromptKind, String)>);

impl History {
    /// Keeps a text; one that is repeated moves to the end.
    pub(crate) fn keep(&mut self, kind: PromptKind, text: &str) {
        let entry = (kind, text.trim().to_string());
        self.0.retain(|kept| *kept != entry);
        if self.0.len() >= MOST {
            self.0.remove(0);
        }
        self.0.push(entry);
    }

    /// The text that is so many back among those of a kind, counted from 1.
    pub(crate) fn back(&self, kind: PromptKind, back: usize) -> Option<&str> {
        let mut texts = self.0.iter().rev().filter(|(kept, _)| *kept == kind);
        texts.nth(back.checked_sub(1)?).map(|(_, text)| text.as_str())
    }
}

impl Prompt {
    /// An empty one.
    pub(crate) fn new(kind: PromptKind) -> Prompt {
        Prompt { kind, input: Input::default(), back: 0 }
    }
}
