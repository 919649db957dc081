//! The loop: read input, change the state, draw.
//!
//! All waiting input is read before a frame is drawn, so a held key that steps faster than memory can be replayed
//! skips positions instead of queueing them. Slow work runs on the worker (`worker.rs`): until it comes back, frames
//! show its progress, and keys are answered as far as they need no trace.

use crate::action::{Action, Awaited, PromptKind};
use crate::app::App;
use crate::errand::{Aim, Errand};
use crate::keys::Key;
use crate::outgoing::{self, Destination, Outgoing};
use crate::render;
use crate::script;
use crate::traces::Direction;
use crate::worker::Worker;
use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEventKind};
use forkpoint_replay::printable;
use ratatui::Frame;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tui_input::backend::crossterm::to_input_request;

/// How often a frame is drawn while an errand is running.
const REDRAW: Duration = Duration::from_millis(100);

/// How long a key may wait while an errand is running.
const TICK: Duration = Duration::from_millis(20);

/// Where frames go and events come from.
pub(crate) trait Console {
    /// Draws a frame.
    fn draw(&mut self, compose: &mut dyn FnMut(&mut Frame)) -> io::Result<()>;
    /// The next event, if one comes within this time. Without a time it waits for one.
    fn next(&mut self, wait: Option<Duration>) -> io::Result<Option<Event>>;
    /// Puts a text on the clipboard.
    fn copy(&mut self, text: &str) -> io::Result<()>;
}

/// Runs the viewer until the user leaves.
pub(crate) fn run(app: &mut App, console: &mut dyn Console) -> io::Result<()> {
    let mut worker = Worker::start(Arc::clone(&app.headway))?;
    // What fails is not retried before the next input.
    let mut travelled = false;
    while !app.is_done() {
        if let Some(errand) = app.due.take() {
            send(app, &mut worker, errand);
        } else if !travelled && app.is_far() {
            travelled = true;
            send(app, &mut worker, app.errand(Aim::Travel));
        } else if let Some(errand) = app.picture_due() {
            send(app, &mut worker, errand);
        }
        // Asked before the frame: what arrives while it is drawn needs another one.
        let wait = app.outline.is_loading().then_some(REDRAW);
        let outgoing = app.outgoing.take();
        let mut taken = None;
        console.draw(&mut |frame| {
            app.look(frame.area());
            render::draw(frame, &app.areas, &app.view(), app.theme);
            if let Some(outgoing) = &outgoing {
                taken = Some(app.excerpt(outgoing.excerpt, &script::text(frame.buffer_mut())));
            }
        })?;
        if let (Some(outgoing), Some(text)) = (outgoing, taken) {
            app.message = Some(send_out(&outgoing, &text, console)?);
            continue;
        }
        if app.is_away() {
            attend(app, console, &mut worker)?;
        } else {
            travelled &= !take_in_all(app, console, &mut worker, wait)?;
        }
    }
    Ok(())
}

/// Sends an excerpt where it goes, and says what became of it.
fn send_out(outgoing: &Outgoing, text: &str, console: &mut dyn Console) -> io::Result<String> {
    let lines = text.lines().count();
    match &outgoing.to {
        Destination::Clipboard => {
            console.copy(text)?;
            Ok(format!("{lines} lines sent to the terminal's clipboard (OSC 52)"))
        }
        Destination::File(path) => Ok(match outgoing::write_new(path, text) {
            Ok(()) => format!("{lines} lines written to {}", printable(&path.display().to_string())),
            Err(error) => format!("writing {} failed: {error}", printable(&path.display().to_string())),
        }),
    }
}

/// Reads the input, and waits for it, without `wait` as long as it takes. Returns whether there was any.
fn take_in_all(
    app: &mut App,
    console: &mut dyn Console,
    worker: &mut Worker,
    wait: Option<Duration>,
) -> io::Result<bool> {
    let mut event = console.next(wait)?;
    let any = event.is_some();
    while let Some(typed) = event {
        if let Some(errand) = take_in(app, &typed) {
            send(app, worker, errand);
            break;
        }
        if app.is_done() {
            break;
        }
        event = console.next(Some(Duration::ZERO))?;
    }
    Ok(any)
}

/// Waits for the worker until a frame is due, and answers keys meanwhile.
fn attend(app: &mut App, console: &mut dyn Console, worker: &mut Worker) -> io::Result<()> {
    let due = Instant::now() + REDRAW;
    while Instant::now() < due {
        if let Some((errand, traces, ending)) = worker.wait(TICK) {
            app.finish(&errand, traces, ending);
            return Ok(());
        }
        let mut any = false;
        while !app.is_done()
            && let Some(typed) = console.next(Some(Duration::ZERO))?
        {
            any = true;
            take_in(app, &typed);
        }
        if any {
            return Ok(());
        }
    }
    Ok(())
}

fn send(app: &mut App, worker: &mut Worker, errand: Errand) {
    if let Some(traces) = app.begin(&errand) {
        worker.send(errand, Arc::clone(&app.outline), traces);
    }
}

fn take_in(app: &mut App, event: &Event) -> Option<Errand> {
    app.update(translate(app, event)?)
}

/// The action for an event of the terminal.
pub(crate) fn translate(app: &App, event: &Event) -> Option<Action> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => translate_key(app, key, event),
        Event::Mouse(mouse) => match mouse.kind {
            MouseEventKind::Down(MouseButton::Left) => Some(Action::Click(mouse.column, mouse.row)),
            MouseEventKind::ScrollDown => Some(Action::Wheel(mouse.column, mouse.row, Direction::Forward)),
            MouseEventKind::ScrollUp => Some(Action::Wheel(mouse.column, mouse.row, Direction::Backward)),
            _ => None,
        },
        // A new size needs a new frame, which follows anyway.
        _ => None,
    }
}

fn translate_key(app: &App, key: &KeyEvent, event: &Event) -> Option<Action> {
    if let Some(awaited) = app.awaited {
        return Some(match (key.code, awaited) {
            (KeyCode::Char(letter), Awaited::Mark) if Key::of(key).is_plain() => Action::Mark(letter),
            (KeyCode::Char(letter), Awaited::ToMark) if Key::of(key).is_plain() => Action::ToMark(letter),
            _ => Action::Close,
        });
    }
    let Some(prompt) = &app.prompt else { return app.keymap.action_of(Key::of(key), app.focus.pane) };
    match key.code {
        KeyCode::Up => Some(Action::Recall(Direction::Backward)),
        KeyCode::Down => Some(Action::Recall(Direction::Forward)),
        KeyCode::Tab if prompt.kind == PromptKind::Command => Some(Action::Complete),
        KeyCode::Enter => Some(Action::Submit),
        KeyCode::Esc => Some(Action::Close),
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Some(Action::Close),
        _ => to_input_request(event).map(Action::Edit),
    }
}
