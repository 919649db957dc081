//! What a frame shows, as data: `view.rs` composes it, `render/` draws it.

use crate::focus::Focus;
use crate::hex::HexShape;
use crate::keymap::Keymap;
use crate::panel::Panel;
use crate::traces::{Code, EventLine};
use forkpoint_traces::{CodeOffset, Position};

/// What is special about a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowMark {
    /// Nothing.
    None,
    /// The first divergence.
    Divergence,
    /// Another unequal pair.
    Mismatch,
    /// An event that the other build does not have there.
    Alone,
    /// From here on the runs agree again.
    Resync,
}

/// A row of one event list.
#[derive(Debug, Clone)]
pub(crate) struct ListRow {
    pub(crate) selected: bool,
    pub(crate) mark: RowMark,
    /// The user's own mark.
    pub(crate) letter: Option<char>,
    /// What happened, `None` in a gap.
    pub(crate) event: Option<(Position, EventLine)>,
}

/// One event list.
#[derive(Debug, Clone)]
pub(crate) struct ListView {
    pub(crate) title: String,
    pub(crate) rows: Vec<ListRow>,
}

/// A byte of memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Byte {
    pub(crate) value: u8,
    /// Written by the event under the cursor.
    pub(crate) written: bool,
    /// Different on the other side.
    pub(crate) differs: bool,
}

/// The bytes of one side.
#[derive(Debug, Clone)]
pub(crate) struct HexView {
    pub(crate) title: String,
    pub(crate) shape: HexShape,
    pub(crate) start: u64,
    /// `None` past the end of memory.
    pub(crate) bytes: Vec<Option<Byte>>,
    /// The byte cursor.
    pub(crate) address: u64,
}

/// Lines of code, text format or native.
#[derive(Debug, Clone)]
pub(crate) struct CodeView {
    pub(crate) title: String,
    pub(crate) code: Code,
    /// The first line on screen.
    pub(crate) top: usize,
    /// The instruction of the event.
    pub(crate) site: Option<CodeOffset>,
    /// The text shown instead of code.
    pub(crate) empty: &'static str,
}

/// A line of the timeline.
#[derive(Debug, Clone)]
pub(crate) struct TimelineRow {
    /// Where the pages of the line begin.
    pub(crate) margin: String,
    /// How much is written, a character for each part of the run.
    pub(crate) cells: String,
}

/// The whole run.
#[derive(Debug, Clone, Default)]
pub(crate) struct TimelineView {
    pub(crate) title: String,
    /// The cursor, the divergence and the user's marks, a character for each part of the run.
    pub(crate) marks: String,
    /// Columns before the cells.
    pub(crate) margin: u16,
    /// The column of the cursor, without the margin.
    pub(crate) cursor: Option<u16>,
    pub(crate) rows: Vec<TimelineRow>,
    /// The text shown instead of rows.
    pub(crate) empty: &'static str,
}

/// An open prompt.
#[derive(Debug, Clone)]
pub(crate) struct PromptView {
    pub(crate) label: &'static str,
    pub(crate) text: String,
    /// The cursor's column in the text.
    pub(crate) column: usize,
}

/// Everything a frame shows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Screen {
    pub(crate) title: [String; 2],
    pub(crate) focus: Focus,
    pub(crate) timeline: Option<TimelineView>,
    pub(crate) panel: Option<Panel>,
    pub(crate) lists: [Option<ListView>; 2],
    pub(crate) hex: [Option<HexView>; 2],
    pub(crate) wat: [Option<CodeView>; 2],
    pub(crate) native: [Option<CodeView>; 2],
    pub(crate) status: String,
    /// The same without bytes, for narrow screens: the memory pane shows the bytes, but not their meaning.
    pub(crate) short_status: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) prompt: Option<PromptView>,
    /// The help's first line, if it is open.
    pub(crate) help: Option<u16>,
    /// Keys that the user bound.
    pub(crate) own_keys: Keymap,
}
