//! Two traces in lockstep on a terminal: what is behind `forkpoint view`.
//!
//! Constraints: nothing is read or kept but what is on screen, so a trace may have any length; no control
//! character of a trace reaches the terminal; the terminal is given back whatever happens; nothing is told by
//! colour alone.
//!
//! To get started: [`open`] takes one trace or two, [`Viewer::show`] returns when the user leaves. Inside, the path of a
//! key press is `event_loop.rs` (terminal event to `Action`, through the table in `keys.rs`), `update.rs`
//! (action to state), `jobs.rs` and `progress.rs` (what takes long), `view.rs` (state to what is on screen, read through the
//! trait in `source.rs`; its memory part is `memory_view.rs`), `render/` (to cells, one file per pane).

// Who prints is the command, in one place.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

mod action;
mod app;
mod event_loop;
mod focus;
mod hex;
mod jobs;
mod keys;
mod layout;
mod memory_view;
mod mouse;
mod progress;
mod query;
mod recorded;
mod render;
mod source;
mod terminal;
mod theme;
mod update;
mod view;

#[cfg(test)]
mod tests;

use forkpoint_replay::{ReplayError, Side, Timeline, printable};
use forkpoint_traces::Position;
use source::Source;
use std::io::{self, IsTerminal};

/// A trace to look at.
pub struct Run {
    /// What to call it: its file name.
    pub name: String,
    /// The trace.
    pub timeline: Timeline,
}

/// Why the viewer could not start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TuiError {
    /// A trace cannot be read, or the two do not belong together.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// Standard input or output is no terminal.
    #[error(
        "the viewer needs a terminal on standard input and output: use `forkpoint dump` or `forkpoint diff` \
         to write to a file or a pipe"
    )]
    NoTerminal,
    /// The position to start at does not exist.
    #[error("position {asked} is past the end: {name} has {events} events")]
    PastEnd {
        /// The position asked for.
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

/// Lines up the traces, which reads as much of them as it takes to find their first divergence.
///
/// The viewer starts at `start`, a position of the left trace; without one at the first divergence, or the beginning.
///
/// # Errors
/// When a trace cannot be read, the two are not of the same module, `start` is past the end, or there is no
/// terminal.
pub fn open(lhs: Run, rhs: Option<Run>, start: Option<Position>) -> Result<Viewer, TuiError> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Err(TuiError::NoTerminal);
    }
    let source = recorded::Recorded::new(lhs, rhs)?;
    let row = match start {
        Some(position) => Some(row_of_start(&source, position)?),
        None => None,
    };
    Ok(Viewer(app::App::new(Box::new(source), theme::Theme::from_environment(), row)))
}

impl Viewer {
    /// Shows them until the user leaves.
    ///
    /// # Errors
    /// When the terminal cannot be used. Errors in damaged parts of a trace are shown on the screen.
    pub fn show(mut self) -> Result<(), TuiError> {
        let mut screen = terminal::Screen::enter()?;
        event_loop::run(&mut self.0, &mut screen)?;
        Ok(())
    }
}

fn row_of_start(source: &dyn Source, position: Position) -> Result<u64, TuiError> {
    let info = source.info(Side::Lhs);
    if position.0 > info.events {
        return Err(TuiError::PastEnd { asked: position, name: printable(&info.name), events: info.events });
    }
    Ok(source.row_of(Side::Lhs, position))
}

/// The keys and marks of the viewer as text, from the table that the viewer itself uses: for manuals.
pub fn keys_help() -> String {
    render::help_lines().join("\n")
}
