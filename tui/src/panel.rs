//! Lists of places: divergences, marks, watches, host calls, and the answer to why bytes differ; and source code. One of them is
//! shown at a time, in a pane under the title. Choosing a line goes to its event.

use forkpoint_replay::printable;

/// What a list is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PanelKind {
    /// All stretches in which the runs differ.
    Divergences,
    /// The user's marks.
    Marks,
    /// The user's watches, with what memory holds.
    Watches,
    /// The calls of the host.
    HostCalls,
    /// The events that carried a difference.
    Why,
    /// The source around the event under the cursor.
    Source,
    /// The functions that are active at the event under the cursor, and the calls around it.
    Calls,
}

impl PanelKind {
    /// The word for it on the screen.
    pub(crate) fn word(self) -> &'static str {
        match self {
            PanelKind::Divergences => "divergences",
            PanelKind::Marks => "marks",
            PanelKind::Watches => "watches",
            PanelKind::HostCalls => "host calls",
            PanelKind::Why => "why",
            PanelKind::Source => "source",
            PanelKind::Calls => "calls",
        }
    }
}

/// A line of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PanelLine {
    /// Where it leads, if anywhere.
    pub(crate) row: Option<u64>,
    /// Whether choosing it asks for more, by running the recordings again.
    pub(crate) asks: bool,
    pub(crate) text: String,
}

impl PanelLine {
    /// A line, made safe to print.
    pub(crate) fn new(row: Option<u64>, text: &str) -> PanelLine {
        PanelLine { row, asks: false, text: printable(text) }
    }

    /// A line that asks for more.
    pub(crate) fn asking(text: &str) -> PanelLine {
        PanelLine { row: None, asks: true, text: printable(text) }
    }
}

/// A list that is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Panel {
    pub(crate) kind: PanelKind,
    /// What the title says besides the kind.
    pub(crate) about: String,
    pub(crate) lines: Vec<PanelLine>,
    /// The line under the cursor.
    pub(crate) cursor: usize,
    /// The first line on screen.
    pub(crate) top: usize,
}

impl Panel {
    /// A list with its cursor on the first line.
    pub(crate) fn new(kind: PanelKind, about: String, lines: Vec<PanelLine>) -> Panel {
        Panel { kind, about: printable(&about), lines, cursor: 0, top: 0 }
    }

    /// Keeps the cursor among the lines and on the screen.
    pub(crate) fn keep_in_view(&mut self, height: usize) {
        self.cursor = self.cursor.min(self.lines.len().saturating_sub(1));
        if self.cursor < self.top {
            self.top = self.cursor;
        } else if self.cursor >= self.top.saturating_add(height.max(1)) {
            self.top = self.cursor + 1 - height.max(1);
        }
        self.top = self.top.min(self.lines.len().saturating_sub(height.max(1)));
    }
}
