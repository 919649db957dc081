//! Scripts: the viewer's commands without a terminal, one a line, and its screen as text.
//!
//! ```text
//! # A comment begins with # and a blank; #12 is a position.
//! divergence
//! last-writer
//! print
//! ```

use crate::app::App;
use crate::errand::Aim;
use crate::outgoing::{Destination, write_new};
use crate::render;
use forkpoint_replay::printable;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use std::convert::Infallible;
use std::time::Duration;
use unicode_width::UnicodeWidthStr;

/// The names of the command that prints the screen: only scripts have it.
const PRINT: [&str; 2] = ["print", "screen"];

/// How long to wait between two looks at what another thread reads.
const PAUSE: Duration = Duration::from_millis(5);

/// Commands to run.
#[derive(Debug, Clone)]
pub struct ViewScript {
    /// What it is called in errors: its file name.
    pub name: String,
    /// One command a line.
    pub text: String,
}

/// A line of a script is wrong, or what it asks for failed.
#[derive(Debug, thiserror::Error)]
#[error("{script}:{line}: {message}")]
pub struct ViewScriptError {
    /// The script's name.
    pub script: String,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

/// Runs a script on a screen of this width and height.
pub(crate) fn run<E: From<ViewScriptError>>(
    app: &mut App,
    script: &ViewScript,
    (width, height): (u16, u16),
    mut print: impl FnMut(&str) -> Result<(), E>,
) -> Result<(), E> {
    let Ok(mut screen) = Terminal::new(TestBackend::new(width, height));
    let mut printed = false;
    wait_for_lines(app);
    let wrong = |line: usize, message: String| ViewScriptError {
        script: printable(&script.name),
        line,
        message: printable(&message),
    };
    settle(app, &mut screen).map_err(|message| wrong(1, message))?;
    for (number, line) in (1..).zip(script.text.lines()) {
        let line = line.trim();
        if line.is_empty() || line == "#" || line.starts_with("# ") {
            continue;
        }
        if PRINT.contains(&line) {
            let gap = if printed { "\n" } else { "" };
            print(&format!("{gap}{}", text(screen.backend().buffer())))?;
            printed = true;
            continue;
        }
        step(app, line).and_then(|()| settle(app, &mut screen)).map_err(|message| wrong(number, message))?;
        send_out(app, &screen).map_err(|message| wrong(number, message))?;
        if app.is_done() {
            break;
        }
    }
    Ok(())
}

/// Runs one line to its end.
fn step(app: &mut App, line: &str) -> Result<(), String> {
    if let Some(errand) = app.execute(line)? {
        app.run_here(&errand)?;
    }
    if app.prompt.take().is_some() || app.awaited.take().is_some() {
        return Err(format!("`{line}` needs to know what: write it behind"));
    }
    Ok(())
}

/// Writes what a line asked for to its file. A script has no clipboard.
fn send_out(app: &mut App, screen: &Terminal<TestBackend>) -> Result<(), String> {
    let Some(outgoing) = app.outgoing.take() else { return Ok(()) };
    match outgoing.to {
        Destination::Clipboard => {
            Err("a script has no clipboard: write FILE writes the screen to a file".to_string())
        }
        Destination::File(path) => {
            let text = app.excerpt(outgoing.excerpt, &text(screen.backend().buffer()));
            write_new(&path, &text).map_err(|error| format!("writing {} failed: {error}", path.display()))
        }
    }
}

/// Brings memory to the row under the cursor, and draws a frame, which tells the viewer how large its panes are.
fn settle(app: &mut App, screen: &mut Terminal<TestBackend>) -> Result<(), String> {
    if app.is_far() {
        app.run_here(&app.errand(Aim::Travel))?;
    }
    if let Some(errand) = app.picture_due() {
        app.run_here(&errand)?;
    }
    let drawn: Result<_, Infallible> = screen.draw(|frame| {
        app.look(frame.area());
        render::draw(frame, &app.areas, &app.view(), app.theme);
    });
    let Ok(_) = drawn;
    Ok(())
}

/// Source lines are read on another thread, and what a script prints must not depend on who is faster.
fn wait_for_lines(app: &App) {
    while app.outline.is_loading() {
        std::thread::sleep(PAUSE);
    }
}

/// A screen as lines of text, without blanks at their ends.
pub(crate) fn text(buffer: &Buffer) -> String {
    let width = usize::from(buffer.area.width).max(1);
    let mut text = String::new();
    for row in buffer.content().chunks(width) {
        let mut line = String::new();
        let mut column = 0;
        while let Some(cell) = row.get(column) {
            line.push_str(cell.symbol());
            // A wide character covers the cells behind it.
            column += cell.symbol().width().max(1);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
