//! Two traces in lockstep on a terminal: `forkpoint view` as a library.
//!
//! Constraints: only what is on screen is read or kept, so a trace may have any length; no control character of a
//! trace reaches the terminal; the terminal is always restored; nothing is shown by colour alone; a key is answered
//! at once, even during a search.
//!
//! To get started: [`open`] takes one trace or two, [`Viewer::show`] returns when the user leaves.
//!
//! ```no_run
//! use forkpoint_replay::Timeline;
//! use forkpoint_tui::Opened;
//! use std::path::Path;
//!
//! fn view(lhs: &Path, rhs: &Path) -> Result<(), Box<dyn std::error::Error>> {
//!     let lhs = Opened { name: "left".to_string(), timeline: Timeline::open(lhs)? };
//!     let rhs = Opened { name: "right".to_string(), timeline: Timeline::open(rhs)? };
//!     forkpoint_tui::open(lhs, Some(rhs), None)?.show()?;
//!     Ok(())
//! }
//! ```
//!
//! Inside, the path of a key press is `event_loop.rs` (terminal event to `Action`, through the table in `keys.rs`),
//! `update.rs` (action to state), `errand.rs` and `worker.rs` (slow work, on another thread), `look.rs` (reads what
//! is in view, through the traits in `traces.rs`), `view.rs` (state to what is on screen, which `screen.rs`
//! declares), `render/` (to cells, one file per pane).

// Only the command prints, in one place.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

mod action;
mod app;
mod bytes;
mod call_stack;
mod calls;
mod commands;
mod errand;
mod errands;
mod event_loop;
mod excerpts;
mod focus;
mod headway;
mod hex;
mod in_view;
mod jumps;
mod kept;
mod keymap;
mod keys;
mod layout;
mod left_out;
mod listing;
mod look;
mod more_events;
mod mouse;
mod outgoing;
mod outline;
mod overview;
mod panel;
mod panels;
mod picture;
mod places;
mod prompt;
mod query;
mod render;
mod screen;
mod script;
mod sources;
mod submit;
mod terminal;
mod theme;
mod timelines;
mod traces;
mod typing;
mod update;
mod view;
mod watching;
mod worker;

#[cfg(test)]
mod tests;

use forkpoint_replay::{ReplayError, Side, SourceFiles, Timeline, printable};
use forkpoint_traces::Position;
pub use keymap::{Keymap, KeysError};
pub use script::{ViewScript, ViewScriptError};
use std::io::{self, IsTerminal};
use std::sync::Arc;
use traces::Outline;

/// A trace to look at.
pub struct Opened {
    /// Its name on the screen: its file name.
    pub name: String,
    /// The trace.
    pub timeline: Timeline,
}

/// Why the viewer could not start or continue.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TuiError {
    /// A trace cannot be read, or the two do not belong together.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// Standard input or output is not a terminal.
    #[error(
        "the viewer needs a terminal on standard input and output: use `forkpoint dump` or `forkpoint diff` \
         to write to a file or a pipe"
    )]
    NoTerminal,
    /// The position to start at does not exist.
    #[error("position {asked} is past the end: {name} has {events} events")]
    PastEnd {
        /// The requested position.
        asked: Position,
        /// The trace.
        name: String,
        /// How many events it has.
        events: u64,
    },
    /// The terminal cannot be used.
    #[error("using the terminal failed: {0}")]
    Terminal(#[from] io::Error),
}

/// One trace, or two in lockstep, ready to be shown.
pub struct Viewer(app::App);

/// Lines up the traces; reads only as much of them as it takes to find their first divergence. Traces of different modules are
/// those of two builds of a program: they line up where an observer sees the same, which takes reading them.
///
/// The viewer starts at `start`, a position of the left trace; without one, at the first divergence, or else the
/// beginning.
///
/// # Errors
/// When a trace cannot be read, the two cannot be compared, or `start` is past the end.
pub fn open(lhs: Opened, rhs: Option<Opened>, start: Option<Position>) -> Result<Viewer, TuiError> {
    let (outline, timelines) = timelines::Timelines::open(lhs, rhs)?;
    let row = match start {
        Some(position) => Some(row_of_start(&*outline, position)?),
        None => None,
    };
    Ok(Viewer(app::App::new(outline, Box::new(timelines), theme::Theme::from_environment(), row)))
}

/// Refuses standard input and output that are no terminal: before work whose result could not be shown.
///
/// # Errors
/// [`TuiError::NoTerminal`].
pub fn need_terminal() -> Result<(), TuiError> {
    match io::stdin().is_terminal() && io::stdout().is_terminal() {
        true => Ok(()),
        false => Err(TuiError::NoTerminal),
    }
}

impl Viewer {
    /// The same with a message to begin with.
    #[must_use]
    pub fn saying(mut self, message: &str) -> Viewer {
        self.0.message = Some(printable(message));
        self
    }

    /// The same with source files that may be shown.
    #[must_use]
    pub fn with_sources(mut self, sources: SourceFiles) -> Viewer {
        self.0.sources = sources;
        self
    }

    /// The same with something that can tell which functions were active, by running a recording again.
    #[must_use]
    pub fn with_calls(mut self, source: Arc<dyn forkpoint_replay::CallSource>) -> Viewer {
        self.0.calls.service = Some(calls::CallService(source));
        self
    }

    /// The same with something that can tell what the runs loaded, by running the recordings again.
    #[must_use]
    pub fn with_loads(mut self, source: Arc<dyn forkpoint_replay::LoadSource>) -> Viewer {
        self.0.loads = Some(calls::LoadService(source));
        self
    }

    /// The same with something that can tell which events a trace leaves out, by running a recording again.
    #[must_use]
    pub fn with_more_events(mut self, source: Arc<dyn forkpoint_replay::EventSource>) -> Viewer {
        self.0.more_events = Some(more_events::EventService(source));
        self
    }

    /// The same with keys that the user binds.
    #[must_use]
    pub fn with_keys(mut self, keys: Keymap) -> Viewer {
        self.0.keymap = keys;
        self
    }

    /// Runs the commands of a script without a terminal, one a line, on a screen of this width and height. What it prints goes to
    /// `print`: screens as text, without control characters.
    ///
    /// # Errors
    /// [`ViewScriptError`] at the first line that is no command, that has a wrong argument or fails; and what `print` returns.
    pub fn run_script<E: From<ViewScriptError>>(
        mut self,
        script: &ViewScript,
        size: (u16, u16),
        print: impl FnMut(&str) -> Result<(), E>,
    ) -> Result<(), E> {
        script::run(&mut self.0, script, size, print)
    }

    /// The same with marks, watches, layout and theme of an earlier session: what [`Viewer::show`] returned. Lines that make no sense are
    /// left out.
    #[must_use]
    pub fn with_kept(mut self, text: &str) -> Viewer {
        self.0.take_kept(text);
        self
    }

    /// Shows them until the user leaves. Returns the user's marks, watches, layout and theme in lines, for [`Viewer::with_kept`].
    ///
    /// # Errors
    /// When there is no terminal, or it cannot be used. Errors in damaged parts of a trace are shown on the screen.
    pub fn show(mut self) -> Result<String, TuiError> {
        need_terminal()?;
        let mut tty = terminal::Tty::enter()?;
        event_loop::run(&mut self.0, &mut tty)?;
        Ok(self.0.kept())
    }
}

fn row_of_start(outline: &dyn Outline, position: Position) -> Result<u64, TuiError> {
    let info = outline.info(Side::Lhs);
    if position.0 > info.events {
        return Err(TuiError::PastEnd { asked: position, name: printable(&info.name), events: info.events });
    }
    Ok(outline.row_of(Side::Lhs, position))
}

/// The keys and marks of the viewer as text, from the table that the viewer itself uses: for manuals.
pub fn keys_help() -> String {
    render::help_lines(&keymap::Keymap::default()).join("\n")
}
