//! Everything a user can ask for. Keys and mouse become actions; tests send them directly.

use crate::panel::PanelKind;
use crate::traces::{Alike, Direction};
use tui_input::InputRequest;

/// Which text a prompt asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PromptKind {
    /// A position to go to.
    Position,
    /// An address of the memory on screen.
    Address,
    /// Something to search for.
    Search,
    /// A command by its name.
    Command,
    /// An expression over the events to stop at.
    Watch,
    /// An expression over the events to pass over.
    Ignore,
    /// Bytes to find in memory as it is.
    Bytes,
    /// Bytes to find where they first stand in memory.
    Appearance,
    /// The name of a theme.
    Theme,
    /// The file to write the screen to.
    WriteScreen,
    /// The file to write the events on screen to.
    WriteEvents,
}

impl PromptKind {
    /// The text before the input.
    pub(crate) fn label(self) -> &'static str {
        match self {
            PromptKind::Position => "go to (#1234, +10, -10, 50%, function): ",
            PromptKind::Address => "go to address (hex) or variable: ",
            PromptKind::Search => "search (function, mnemonic, kind, @address, kind == store && value == 7): ",
            PromptKind::Command => ":",
            PromptKind::Watch => "stop at (addr in 0x400..0x404 && value == 7): ",
            PromptKind::Ignore => "pass over (func == log || addr in 0x400..0x500): ",
            PromptKind::Bytes => "find in memory (\"text\", 2a 00, i32 42): ",
            PromptKind::Appearance => "when do these bytes appear (\"text\", 2a 00, i32 42): ",
            PromptKind::Theme => "theme (dark, light, safe, none): ",
            PromptKind::WriteScreen => "write the screen to a new file: ",
            PromptKind::WriteEvents => "write the events on screen to a new file: ",
        }
    }
}

/// A move of the byte cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ByteMove {
    /// One byte back.
    Left,
    /// One byte forward.
    Right,
    /// One line back.
    Up,
    /// One line forward.
    Down,
}

/// A step that heeds calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallMove {
    /// Over what the function calls.
    Over,
    /// Out of the function.
    Out,
}

/// What is taken from the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Excerpt {
    /// All of it.
    Screen,
    /// The events in the lists.
    Events,
}

/// What the letter is for that is typed next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Awaited {
    /// The name of a new mark.
    Mark,
    /// The name of the mark to go to.
    ToMark,
}

/// Something a user asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// One event forward.
    Step,
    /// One event back.
    StepBack,
    /// To the nearest event of the same activation or one that it is called by, or out of it.
    Call(CallMove, Direction),
    /// Has the recording run again for the events under the cursor, which are left out.
    Record,
    /// A page forward, in the focused pane.
    PageDown,
    /// A page back, in the focused pane.
    PageUp,
    /// To the first event.
    First,
    /// To the last event.
    Last,
    /// To the first divergence.
    Divergence,
    /// To the next or previous search hit, or mismatch if no search is active.
    Match(Direction),
    /// To the nearest event that wrote the byte under the cursor.
    Writer(Direction),
    /// To the nearest event that has this in common with the one under the cursor.
    Alike(Alike, Direction),
    /// To where the cursor was before the last jump, or back to where that led.
    Jump(Direction),
    /// Waits for the letter of a mark.
    Await(Awaited),
    /// Marks the row under the cursor.
    Mark(char),
    /// To a marked row.
    ToMark(char),
    /// Asks for a text.
    Prompt(PromptKind),
    /// Moves the byte cursor.
    Byte(ByteMove),
    /// Scrolls code by a line.
    Scroll(Direction),
    /// Shows another memory.
    Memory(Direction),
    /// Shows or hides a list.
    Panel(PanelKind),
    /// Why the value under the cursor differs, by what both runs loaded.
    WhyByLoads,
    /// Moves the cursor of the list by a line.
    Line(Direction),
    /// Goes where the line under the cursor leads.
    Choose,
    /// To the nearest event that a watch stops at.
    Run(Direction),
    /// Forgets all watches.
    Unwatch,
    /// Passes over no events any more.
    IgnoreNothing,
    /// Makes the focused pane larger or smaller.
    Resize(Direction),
    /// Puts the screen, or the events on it, on the clipboard.
    Copy(Excerpt),
    /// Shows or hides the timeline.
    Timeline,
    /// Moves the time by a column of the timeline.
    Time(Direction),
    /// Switches whether the memory view follows the events' writes.
    Follow,
    /// Focuses the next or previous pane.
    Focus(Direction),
    /// Focuses the other side.
    OtherSide,
    /// Fills the screen with the focused pane.
    Zoom,
    /// Shows or hides the keys.
    Help,
    /// Closes what is open: help, prompt, message, search.
    Close,
    /// Ends the viewer.
    Quit,
    /// Changes the text of the prompt.
    Edit(InputRequest),
    /// Takes an earlier text of the prompt, or a later one.
    Recall(Direction),
    /// Completes the name of a command.
    Complete,
    /// Accepts the text of the prompt.
    Submit,
    /// A click, by column and row of the screen.
    Click(u16, u16),
    /// A turn of the wheel over a column and row of the screen.
    Wheel(u16, u16, Direction),
}
