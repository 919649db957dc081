//! The state of the viewer.
//!
//! Four steps, each in a file: an [`Action`](crate::action::Action) changes the state ([`App::update`], in
//! `update.rs`); slow work comes back as an [`Errand`](crate::errand::Errand), which takes the traces out of the
//! state and brings them back ([`App::begin`] and [`App::finish`], in `errands.rs`); before a frame [`App::look`]
//! lays the screen out and reads what is in view (`look.rs`); [`App::view`] composes the frame from that and changes
//! nothing (`view.rs`). Nothing is kept per event: the state is a row, an address, a handful of switches and a
//! screenful of what was read, whatever the length of the trace.

use crate::action::Awaited;
use crate::calls::{Calls, LoadService};
use crate::errand::Errand;
use crate::focus::{Focus, Pane};
use crate::headway::Headway;
use crate::in_view::InView;
use crate::keymap::Keymap;
use crate::layout::{Areas, Sizes, Wish};
use crate::more_events::EventService;
use crate::outgoing::Outgoing;
use crate::panel::Panel;
use crate::picture::Picture;
use crate::places::Jumps;
use crate::prompt::{History, Prompt};
use crate::theme::Theme;
use crate::traces::{Outline, Query, Traces};
use forkpoint_replay::{EventFilter, Side, SourceFiles};
use forkpoint_traces::MemoryIndex;
use std::sync::Arc;

/// What is said first of two builds.
const BUILDS: &str = "two builds: events that do the same share a row, + is only in one build";

/// The state of the viewer.
pub(crate) struct App {
    pub(crate) outline: Arc<dyn Outline>,
    /// The one that the viewer began with, if the traces hold more events now.
    pub(crate) first_outline: Option<Arc<dyn Outline>>,
    /// Who tells what the traces leave out.
    pub(crate) more_events: Option<EventService>,
    /// What tells of loads, by running the recordings again.
    pub(crate) loads: Option<LoadService>,
    /// `None` while an errand has them.
    pub(crate) traces: Option<Box<dyn Traces>>,
    /// The errand that follows from the one before.
    pub(crate) due: Option<Errand>,
    /// How far the current errand has come.
    pub(crate) headway: Arc<Headway>,
    pub(crate) theme: Theme,
    /// The row under the cursor.
    pub(crate) row: u64,
    /// The first row on screen.
    pub(crate) top: u64,
    pub(crate) focus: Focus,
    pub(crate) zoom: bool,
    /// Which code a narrow screen shows: `Wat` or `Native`.
    pub(crate) code: Pane,
    /// Lines that the code is moved away from the site.
    pub(crate) scroll: i64,
    /// The memory on screen.
    pub(crate) memory: MemoryIndex,
    /// The byte under the cursor.
    pub(crate) address: u64,
    /// The first byte on screen, up to alignment.
    pub(crate) hex_top: u64,
    /// Whether the byte cursor follows the events' writes.
    pub(crate) follow: bool,
    /// Whether the row changed and the byte cursor has not followed yet.
    pub(crate) arrived: bool,
    pub(crate) prompt: Option<Prompt>,
    /// What was typed into prompts.
    pub(crate) history: History,
    /// What the letter is for that is typed next.
    pub(crate) awaited: Option<Awaited>,
    /// Ways back.
    pub(crate) jumps: Jumps,
    /// Whether the timeline is shown.
    pub(crate) timeline: bool,
    /// The list that is shown.
    pub(crate) panel: Option<Panel>,
    /// Lines that the user gave to panes.
    pub(crate) sizes: Sizes,
    /// The events to stop at.
    pub(crate) watches: Vec<EventFilter>,
    /// The unequal events to pass over.
    pub(crate) ignored: Option<EventFilter>,
    /// The calls that are known, and what tells them.
    pub(crate) calls: Calls,
    /// The folders from which source files may be read.
    pub(crate) sources: SourceFiles,
    /// Keys that the user bound.
    pub(crate) keymap: Keymap,
    /// What is to be taken from the next frame.
    pub(crate) outgoing: Option<Outgoing>,
    /// Timelines by side and memory, the last one last.
    pub(crate) pictures: Vec<((Side, MemoryIndex), Picture)>,
    /// The one that the user stopped, or that failed.
    pub(crate) unpictured: Option<(Side, MemoryIndex)>,
    /// The help's first line, if it is open.
    pub(crate) help: Option<u16>,
    /// What `n` and `N` search for, instead of mismatches.
    pub(crate) query: Option<Query>,
    pub(crate) message: Option<String>,
    /// The row at which memory was shown last.
    pub(crate) settled: u64,
    pub(crate) quit: bool,
    /// Where the panes of the last frame are.
    pub(crate) areas: Areas,
    /// What the last frame read of the traces.
    pub(crate) seen: InView,
}

impl App {
    /// A viewer at the row `start`; without one, at the first divergence, or else the beginning.
    pub(crate) fn new(
        outline: Arc<dyn Outline>,
        mut traces: Box<dyn Traces>,
        theme: Theme,
        start: Option<u64>,
    ) -> App {
        let row = start.or(outline.parting().map(|parting| parting.row)).unwrap_or(0);
        let builds = outline.are_builds();
        let headway = Arc::new(Headway::default());
        let asked = Arc::clone(&headway);
        traces.set_progress(Arc::new(move |position| asked.at(position)));
        let mut app = App {
            outline,
            first_outline: None,
            more_events: None,
            loads: None,
            traces: Some(traces),
            due: None,
            headway,
            theme,
            row: 0,
            top: 0,
            focus: Focus::default(),
            zoom: false,
            code: Pane::Wat,
            scroll: 0,
            memory: MemoryIndex(0),
            address: 0,
            hex_top: 0,
            follow: true,
            arrived: true,
            prompt: None,
            history: History::default(),
            awaited: None,
            jumps: Jumps::default(),
            timeline: false,
            panel: None,
            sizes: Sizes::default(),
            watches: Vec::new(),
            ignored: None,
            calls: Calls::default(),
            sources: SourceFiles::default(),
            keymap: Keymap::default(),
            outgoing: None,
            pictures: Vec::new(),
            unpictured: None,
            help: None,
            query: None,
            message: builds.then(|| BUILDS.to_string()),
            settled: 0,
            quit: false,
            areas: Areas::default(),
            seen: InView::default(),
        };
        app.go_to(row);
        app
    }

    /// Whether the user wants to leave.
    pub(crate) fn is_done(&self) -> bool {
        self.quit
    }

    /// Whether an errand is running.
    pub(crate) fn is_away(&self) -> bool {
        self.traces.is_none()
    }

    /// Puts the cursor on a row, or on the last one.
    pub(crate) fn go_to(&mut self, row: u64) {
        self.row = row.min(self.outline.rows().saturating_sub(1));
        self.scroll = 0;
        self.arrived = true;
    }

    /// What determines the layout of a frame.
    pub(crate) fn wish(&self) -> Wish {
        Wish {
            pair: self.outline.is_pair(),
            builds: self.outline.are_builds(),
            focus: self.focus,
            zoom: self.zoom,
            code: self.code,
            timeline: self.timeline,
            panel: self.panel.is_some(),
            sizes: self.sizes,
        }
    }
}
