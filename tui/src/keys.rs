//! The one table of keys. The event loop, the help and the hint line all derive from it, so that the help is always
//! right.

use crate::action::{Action, ByteMove, PromptKind};
use crate::focus::Pane;
use crate::traces::Direction::{Backward, Forward};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A key with its modifiers. Shift counts only if the character does not imply it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key(KeyCode, KeyModifiers);

const fn char(c: char) -> Key {
    Key(KeyCode::Char(c), KeyModifiers::NONE)
}

const fn ctrl(c: char) -> Key {
    Key(KeyCode::Char(c), KeyModifiers::CONTROL)
}

const fn code(code: KeyCode) -> Key {
    Key(code, KeyModifiers::NONE)
}

impl Key {
    /// The key of a terminal event.
    pub(crate) fn of(event: &KeyEvent) -> Key {
        Key(event.code, event.modifiers.intersection(KeyModifiers::CONTROL | KeyModifiers::ALT))
    }

    fn label(self) -> String {
        let name = match self.0 {
            KeyCode::Char(' ') => "Space".to_string(),
            KeyCode::Char(c) => c.to_string(),
            KeyCode::Up => "↑".to_string(),
            KeyCode::Down => "↓".to_string(),
            KeyCode::Left => "←".to_string(),
            KeyCode::Right => "→".to_string(),
            KeyCode::PageUp => "PgUp".to_string(),
            KeyCode::PageDown => "PgDn".to_string(),
            KeyCode::BackTab => "Shift-Tab".to_string(),
            KeyCode::Esc => "Esc".to_string(),
            other => format!("{other:?}"),
        };
        if self.1.contains(KeyModifiers::CONTROL) { format!("Ctrl-{}", name.to_uppercase()) } else { name }
    }
}

/// What some keys do, and where.
pub(crate) struct Binding {
    keys: &'static [Key],
    /// The pane that must have the focus, `None` for all. The first matching binding wins.
    pane: Option<Pane>,
    /// What they do.
    pub(crate) action: Action,
    /// A word for the hint line, empty to stay off it.
    hint: &'static str,
    /// A sentence for the help.
    pub(crate) help: &'static str,
}

const fn bind(keys: &'static [Key], action: Action, hint: &'static str, help: &'static str) -> Binding {
    Binding { keys, pane: None, action, hint, help }
}

const fn bind_in(pane: Pane, keys: &'static [Key], action: Action, help: &'static str) -> Binding {
    Binding { keys, pane: Some(pane), action, hint: "", help }
}

/// All keys, in the order of the help and of the hint line.
#[rustfmt::skip]
pub(crate) const BINDINGS: &[Binding] = &[
    bind_in(Pane::Memory, &[code(KeyCode::Left), char('h')], Action::Byte(ByteMove::Left), "byte cursor left"),
    bind_in(Pane::Memory, &[code(KeyCode::Right), char('l')], Action::Byte(ByteMove::Right), "byte cursor right"),
    bind_in(Pane::Memory, &[code(KeyCode::Up)], Action::Byte(ByteMove::Up), "byte cursor up"),
    bind_in(Pane::Memory, &[code(KeyCode::Down)], Action::Byte(ByteMove::Down), "byte cursor down"),
    bind_in(Pane::Wat, &[code(KeyCode::Up)], Action::Scroll(Backward), "scroll up"),
    bind_in(Pane::Wat, &[code(KeyCode::Down)], Action::Scroll(Forward), "scroll down"),
    bind_in(Pane::Native, &[code(KeyCode::Up)], Action::Scroll(Backward), "scroll up"),
    bind_in(Pane::Native, &[code(KeyCode::Down)], Action::Scroll(Forward), "scroll down"),
    bind(&[char('j'), code(KeyCode::Down)], Action::Step, "step", "step: one event forward"),
    bind(&[char('k'), code(KeyCode::Up)], Action::StepBack, "back", "reverse step: one event back"),
    bind(&[char('d')], Action::Divergence, "divergence", "jump to the first divergence"),
    bind(&[char('w')], Action::Writer(Backward), "last writer", "last writer of the byte under the cursor"),
    bind(&[char('W')], Action::Writer(Forward), "", "next writer of the byte under the cursor"),
    bind(&[code(KeyCode::Tab)], Action::Focus(Forward), "pane", "focus the next pane"),
    bind(&[code(KeyCode::BackTab)], Action::Focus(Backward), "", "focus the previous pane"),
    bind(&[char('s')], Action::OtherSide, "", "focus the other side"),
    bind(&[char('/')], Action::Prompt(PromptKind::Search), "search", "search by function, mnemonic, kind or @address"),
    bind(&[char('n')], Action::Match(Forward), "", "next search hit, or mismatch after Esc"),
    bind(&[char('N')], Action::Match(Backward), "", "previous search hit or mismatch"),
    bind(&[char('?')], Action::Help, "help", "show or hide this help"),
    bind(&[char('q'), ctrl('c')], Action::Quit, "quit", "quit"),
    bind(&[char(':')], Action::Prompt(PromptKind::Position), "go to", "go to a position: #1234, 0x4d2, +10, 50%"),
    bind(&[char('m')], Action::Prompt(PromptKind::Address), "address", "go to an address of the memory on screen"),
    bind(&[code(KeyCode::PageDown), ctrl('f')], Action::PageDown, "", "a page down in the focused pane"),
    bind(&[code(KeyCode::PageUp), ctrl('b')], Action::PageUp, "", "a page up in the focused pane"),
    bind(&[char('g'), code(KeyCode::Home)], Action::First, "", "first event"),
    bind(&[char('G'), code(KeyCode::End)], Action::Last, "", "last event"),
    bind(&[char('f')], Action::Follow, "", "memory follows writes, or stays where it is"),
    bind(&[char(']')], Action::Memory(Forward), "", "next memory"),
    bind(&[char('[')], Action::Memory(Backward), "", "previous memory"),
    bind(&[char('z')], Action::Zoom, "", "focused pane fills the screen, and back"),
    bind(&[code(KeyCode::Esc)], Action::Close, "", "close help, prompt, message; forget the search"),
];

/// What a key does while a pane has the focus.
pub(crate) fn action_of(key: Key, focus: Pane) -> Option<Action> {
    BINDINGS
        .iter()
        .find(|binding| binding.keys.contains(&key) && binding.pane.is_none_or(|pane| pane == focus))
        .map(|binding| binding.action)
}

impl Binding {
    /// The keys as the help spells them.
    pub(crate) fn labels(&self) -> String {
        let labels: Vec<String> = self.keys.iter().map(|key| key.label()).collect();
        labels.join(" ")
    }

    /// Its keys as a terminal reports them.
    #[cfg(test)]
    pub(crate) fn events(&self) -> impl Iterator<Item = KeyEvent> {
        self.keys.iter().map(|key| KeyEvent::new(key.0, key.1))
    }

    /// Where it works, empty for everywhere.
    pub(crate) fn scope(&self) -> &'static str {
        self.pane.map_or("", Pane::word)
    }
}

/// Key and word of the bindings on the hint line.
pub(crate) fn hints() -> impl Iterator<Item = (String, &'static str)> {
    BINDINGS.iter().filter(|binding| !binding.hint.is_empty()).map(|binding| (binding.keys[0].label(), binding.hint))
}
