//! The one table of keys and commands. The event loop, the command line, scripts, the help and the hint line all derive from it, so
//! that the help is always right.

use crate::action::{Action, Awaited, ByteMove, CallMove, Excerpt, PromptKind};
use crate::focus::Pane;
use crate::panel::PanelKind;
use crate::traces::Alike;
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

    /// Whether no modifier is held.
    pub(crate) fn is_plain(self) -> bool {
        self.1.is_empty()
    }

    /// A key by its name: a character, or as the help spells it; `ctrl-` and `alt-` before.
    pub(crate) fn parse(text: &str) -> Option<Key> {
        let lower = text.to_lowercase();
        if let Some(rest) = lower.strip_prefix("ctrl-").filter(|rest| !rest.is_empty()) {
            return Key::parse(rest).map(|key| Key(key.0, key.1 | KeyModifiers::CONTROL));
        }
        if lower.starts_with("alt-") && text.len() > 4 {
            return Key::parse(&text[4..]).map(|key| Key(key.0, key.1 | KeyModifiers::ALT));
        }
        let mut letters = text.chars();
        if let (Some(letter), None) = (letters.next(), letters.next()) {
            return (!letter.is_control()).then_some(Key(KeyCode::Char(letter), KeyModifiers::NONE));
        }
        let named = match lower.as_str() {
            "space" => KeyCode::Char(' '),
            "enter" => KeyCode::Enter,
            "tab" => KeyCode::Tab,
            "shift-tab" => KeyCode::BackTab,
            "esc" => KeyCode::Esc,
            "up" => KeyCode::Up,
            "down" => KeyCode::Down,
            "left" => KeyCode::Left,
            "right" => KeyCode::Right,
            "pgup" => KeyCode::PageUp,
            "pgdn" => KeyCode::PageDown,
            "home" => KeyCode::Home,
            "end" => KeyCode::End,
            "delete" => KeyCode::Delete,
            "backspace" => KeyCode::Backspace,
            other => KeyCode::F(other.strip_prefix('f')?.parse().ok().filter(|number| (1..=24).contains(number))?),
        };
        Some(Key(named, KeyModifiers::NONE))
    }

    pub(crate) fn label(self) -> String {
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
        let name = if self.1.contains(KeyModifiers::ALT) { format!("Alt-{name}") } else { name };
        if self.1.contains(KeyModifiers::CONTROL) { format!("Ctrl-{}", name.to_uppercase()) } else { name }
    }
}

/// What some keys do, and where.
pub(crate) struct Binding {
    keys: &'static [Key],
    /// The pane that must have the focus, `None` for all. The first matching binding wins.
    pane: Option<Pane>,
    /// Its name as a command.
    pub(crate) name: &'static str,
    /// What they do.
    pub(crate) action: Action,
    /// A word for the hint line, empty to stay off it.
    hint: &'static str,
    /// A sentence for the help.
    pub(crate) help: &'static str,
}

const fn bind(
    name: &'static str,
    keys: &'static [Key],
    action: Action,
    hint: &'static str,
    help: &'static str,
) -> Binding {
    Binding { keys, pane: None, name, action, hint, help }
}

const fn bind_in(
    pane: Pane,
    name: &'static str,
    keys: &'static [Key],
    action: Action,
    help: &'static str,
) -> Binding {
    Binding { keys, pane: Some(pane), name, action, hint: "", help }
}

/// All keys, in the order of the help and of the hint line.
#[rustfmt::skip]
pub(crate) const BINDINGS: &[Binding] = &[
    bind_in(Pane::Memory, "byte-left", &[code(KeyCode::Left), char('h')], Action::Byte(ByteMove::Left), "byte cursor left"),
    bind_in(Pane::Memory, "byte-right", &[code(KeyCode::Right), char('l')], Action::Byte(ByteMove::Right), "byte cursor right"),
    bind_in(Pane::Memory, "byte-up", &[code(KeyCode::Up)], Action::Byte(ByteMove::Up), "byte cursor up"),
    bind_in(Pane::Memory, "byte-down", &[code(KeyCode::Down)], Action::Byte(ByteMove::Down), "byte cursor down"),
    bind_in(Pane::Wat, "scroll-up", &[code(KeyCode::Up)], Action::Scroll(Backward), "scroll up"),
    bind_in(Pane::Wat, "scroll-down", &[code(KeyCode::Down)], Action::Scroll(Forward), "scroll down"),
    bind_in(Pane::Native, "scroll-up", &[code(KeyCode::Up)], Action::Scroll(Backward), "scroll up"),
    bind_in(Pane::Native, "scroll-down", &[code(KeyCode::Down)], Action::Scroll(Forward), "scroll down"),
    bind_in(Pane::Panel, "line-up", &[code(KeyCode::Up)], Action::Line(Backward), "a line up"),
    bind_in(Pane::Panel, "line-down", &[code(KeyCode::Down)], Action::Line(Forward), "a line down"),
    bind_in(Pane::Panel, "choose", &[code(KeyCode::Enter)], Action::Choose, "go to the event of the line"),
    bind_in(Pane::Timeline, "time-back", &[code(KeyCode::Left), char('h')], Action::Time(Backward), "a column back in time"),
    bind_in(Pane::Timeline, "time-forward", &[code(KeyCode::Right), char('l')], Action::Time(Forward), "a column forward in time"),
    bind("step", &[char('j'), code(KeyCode::Down)], Action::Step, "step", "one event forward; as a command N events"),
    bind("back", &[char('k'), code(KeyCode::Up)], Action::StepBack, "back", "one event back; as a command N events"),
    bind("divergence", &[char('d')], Action::Divergence, "divergence", "jump to the first divergence"),
    bind("last-writer", &[char('w')], Action::Writer(Backward), "last writer", "last writer of the byte under the cursor"),
    bind("next-writer", &[char('W')], Action::Writer(Forward), "", "next writer of the byte under the cursor"),
    bind("next-pane", &[code(KeyCode::Tab)], Action::Focus(Forward), "pane", "focus the next pane"),
    bind("previous-pane", &[code(KeyCode::BackTab)], Action::Focus(Backward), "", "focus the previous pane"),
    bind("other-side", &[char('s')], Action::OtherSide, "", "focus the other side"),
    bind("search", &[char('/')], Action::Prompt(PromptKind::Search), "search", "search by function, mnemonic, kind, @address or expression"),
    bind("next", &[char('n')], Action::Match(Forward), "", "next search hit, or mismatch after Esc"),
    bind("previous", &[char('N')], Action::Match(Backward), "", "previous search hit or mismatch"),
    bind("help", &[char('?')], Action::Help, "help", "show or hide this help"),
    bind("quit", &[char('q'), ctrl('c')], Action::Quit, "quit", "quit"),
    bind("command", &[char(':')], Action::Prompt(PromptKind::Command), "command", "a command or a position; Tab completes"),
    bind("go", &[char('#')], Action::Prompt(PromptKind::Position), "", "go to #1234, +10, 50%, a function's first event"),
    bind("address", &[char('@')], Action::Prompt(PromptKind::Address), "", "go to an address or to a variable"),
    bind("jump-back", &[ctrl('o'), char('<')], Action::Jump(Backward), "", "back to where the last jump began"),
    bind("jump-forward", &[char('>')], Action::Jump(Forward), "", "forward again"),
    bind("mark", &[char('m')], Action::Await(Awaited::Mark), "", "mark this event with the letter typed next"),
    bind("to-mark", &[char('\'')], Action::Await(Awaited::ToMark), "", "go to the mark with the letter typed next"),
    bind("next-of-site", &[char('i')], Action::Alike(Alike::Site, Forward), "", "next event of the same instruction"),
    bind("previous-of-site", &[char('I')], Action::Alike(Alike::Site, Backward), "", "previous event of the same instruction"),
    bind("next-of-function", &[char('u')], Action::Alike(Alike::Function, Forward), "", "next event of the same function"),
    bind("previous-of-function", &[char('U')], Action::Alike(Alike::Function, Backward), "", "previous event of the same function"),
    bind("next-of-kind", &[char('t')], Action::Alike(Alike::Kind, Forward), "", "next event of the same kind"),
    bind("previous-of-kind", &[char('T')], Action::Alike(Alike::Kind, Backward), "", "previous event of the same kind"),
    bind("next-of-page", &[char('p')], Action::Alike(Alike::Page, Forward), "", "next event that writes to the same 4 KiB page"),
    bind("previous-of-page", &[char('P')], Action::Alike(Alike::Page, Backward), "", "previous event that writes to the same page"),
    bind("page-down", &[code(KeyCode::PageDown), ctrl('f')], Action::PageDown, "", "a page down in the focused pane"),
    bind("page-up", &[code(KeyCode::PageUp), ctrl('b')], Action::PageUp, "", "a page up in the focused pane"),
    bind("first", &[char('g'), code(KeyCode::Home)], Action::First, "", "first event"),
    bind("last", &[char('G'), code(KeyCode::End)], Action::Last, "", "last event"),
    bind("follow", &[char('f')], Action::Follow, "", "memory follows writes, or stays where it is"),
    bind("next-memory", &[char(']')], Action::Memory(Forward), "", "next memory"),
    bind("previous-memory", &[char('[')], Action::Memory(Backward), "", "previous memory"),
    bind("timeline", &[char('o')], Action::Timeline, "", "show or hide the timeline, the whole run on a few lines"),
    bind("all-divergences", &[char('D')], Action::Panel(PanelKind::Divergences), "", "list all stretches where the runs differ"),
    bind("why", &[char('y')], Action::Panel(PanelKind::Why), "", "why the value under the cursor differs"),
    bind("why-by-loads", &[char('O')], Action::WhyByLoads, "", "the same by what both runs load, when run again"),
    bind("source", &[char('S')], Action::Panel(PanelKind::Source), "", "show or hide the source of the event"),
    bind("host-calls", &[char('H')], Action::Panel(PanelKind::HostCalls), "", "list the calls of the host"),
    bind("calls", &[char('K')], Action::Panel(PanelKind::Calls), "", "call stack at the event, and calls around it"),
    bind("record", &[char('R')], Action::Record, "", "run again for the events that are left out here"),
    bind("step-over", &[char('J')], Action::Call(CallMove::Over, Forward), "", "next event, over what the function calls"),
    bind("back-over", &[char('L')], Action::Call(CallMove::Over, Backward), "", "last event, over what the function calls"),
    bind("step-out", &[char('}')], Action::Call(CallMove::Out, Forward), "", "first event after the function has returned"),
    bind("back-out", &[char('{')], Action::Call(CallMove::Out, Backward), "", "last event before the function was called"),
    bind("marks", &[char('M')], Action::Panel(PanelKind::Marks), "", "list the marks"),
    bind("watches", &[char('V')], Action::Panel(PanelKind::Watches), "", "list the watches and what memory holds there"),
    bind("watch", &[char('a')], Action::Prompt(PromptKind::Watch), "", "add a watch: an expression over events"),
    bind("unwatch", &[char('A')], Action::Unwatch, "", "forget all watches"),
    bind("run", &[char('c')], Action::Run(Forward), "", "run to the next event that a watch stops at"),
    bind("run-back", &[char('C')], Action::Run(Backward), "", "run back to the last one"),
    bind("ignore", &[char('x')], Action::Prompt(PromptKind::Ignore), "", "mismatches pass over events: an expression"),
    bind("ignore-nothing", &[char('X')], Action::IgnoreNothing, "", "mismatches pass over nothing again"),
    bind("find", &[char('b')], Action::Prompt(PromptKind::Bytes), "", "find bytes or text in memory as it is here"),
    bind("appearance", &[char('B')], Action::Prompt(PromptKind::Appearance), "", "go to when bytes first stand in memory, then again"),
    bind("larger", &[char('+')], Action::Resize(Forward), "", "focused pane a line larger"),
    bind("smaller", &[char('-')], Action::Resize(Backward), "", "focused pane a line smaller"),
    bind("copy", &[char('Y')], Action::Copy(Excerpt::Screen), "", "screen as text to the terminal's clipboard (OSC 52)"),
    bind("copy-events", &[char('E')], Action::Copy(Excerpt::Events), "", "events on screen to the clipboard"),
    bind("write", &[], Action::Prompt(PromptKind::WriteScreen), "", "screen as text to a new file"),
    bind("write-events", &[], Action::Prompt(PromptKind::WriteEvents), "", "events on screen to a new file"),
    bind("theme", &[], Action::Prompt(PromptKind::Theme), "", "colours: dark, light, safe (for colour-blind eyes), none"),
    bind("zoom", &[char('z')], Action::Zoom, "", "focused pane fills the screen, and back"),
    bind("close", &[code(KeyCode::Esc)], Action::Close, "", "close help, prompt, message; forget the search"),
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
