//! The state of the viewer, and the frame that shows it.
//!
//! One loop: an [`Action`](crate::action::Action) changes the state ([`App::update`], in `update.rs`). What
//! takes long comes back as a [`Job`](crate::jobs::Job) and is done by [`App::perform`] (`jobs.rs`), while frames say how
//! far it is (`progress.rs`).
//! [`App::render`] reads what the screen needs from the source (`view.rs`) and draws it (`render/`). Nothing is
//! kept per event: the state is a row, an address and a handful of switches, whatever the length of the trace.

use crate::action::PromptKind;
use crate::focus::{Focus, Pane};
use crate::layout::{Areas, Wish};
use crate::progress::Progress;
use crate::render::{self, Still};
use crate::source::{Query, Source};
use crate::theme::Theme;
use crate::view::View;
use forkpoint_traces::MemoryIndex;
use ratatui::Frame;
use ratatui::layout::Rect;
use std::sync::Arc;
use tui_input::Input;

/// A question to the user.
#[derive(Debug)]
pub(crate) struct Prompt {
    /// What is asked for.
    pub(crate) kind: PromptKind,
    /// What was typed so far.
    pub(crate) input: Input,
}

/// The state of the viewer.
pub(crate) struct App {
    pub(crate) source: Box<dyn Source>,
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
    /// Whether the byte cursor goes where events write.
    pub(crate) follow: bool,
    /// Whether the row changed and the byte cursor has not followed yet.
    pub(crate) arrived: bool,
    pub(crate) prompt: Option<Prompt>,
    /// The help's first line, when it is open.
    pub(crate) help: Option<u16>,
    /// What `n` and `N` look for, in place of mismatches.
    pub(crate) query: Option<Query>,
    pub(crate) message: Option<String>,
    /// How far a job under way has come.
    pub(crate) progress: Arc<Progress>,
    /// The row at which memory was shown last.
    pub(crate) settled: u64,
    pub(crate) quit: bool,
    /// Where the panes of the last frame stand.
    pub(crate) areas: Areas,
}

impl App {
    /// A viewer that stands at `start`, a row; in place of it at the first divergence, or the beginning.
    pub(crate) fn new(source: Box<dyn Source>, theme: Theme, start: Option<u64>) -> App {
        let row = start.or(source.parting().map(|parting| parting.row)).unwrap_or(0);
        let mut app = App {
            source,
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
            help: None,
            query: None,
            message: None,
            progress: Arc::default(),
            settled: 0,
            quit: false,
            areas: Areas::default(),
        };
        app.go_to(row);
        app
    }

    /// Whether the user wants to leave.
    pub(crate) fn is_done(&self) -> bool {
        self.quit
    }

    /// Puts the cursor on a row, or on the last one.
    pub(crate) fn go_to(&mut self, row: u64) {
        self.row = row.min(self.source.rows().saturating_sub(1));
        self.scroll = 0;
        self.arrived = true;
    }

    /// Does a job at once: what the event loop does, without the frame in between.
    #[cfg(test)]
    pub(crate) fn dispatch(&mut self, action: crate::action::Action) {
        if let Some(job) = self.update(action) {
            self.perform(&job);
        }
    }

    /// A frame for before anything is read.
    pub(crate) fn blank(&self, area: Rect) -> Still {
        let areas = Areas::new(area, self.wish());
        Still::new(areas, View { title: self.title(), focus: self.focus, ..View::default() }, self.theme)
    }

    fn wish(&self) -> Wish {
        Wish { pair: self.source.is_pair(), focus: self.focus, zoom: self.zoom, code: self.code }
    }

    /// Draws the state, and hands out what was drawn.
    pub(crate) fn render(&mut self, frame: &mut Frame) -> Still {
        self.areas = Areas::new(frame.area(), self.wish());
        let view = self.view();
        render::draw(frame, &self.areas, &view, self.theme);
        Still::new(self.areas, view, self.theme)
    }
}
