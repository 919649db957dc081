//! The loop: read what was typed, change the state, draw.
//!
//! Everything waiting is taken in before a frame is drawn, so a held key that steps faster than memory can be
//! replayed skips positions instead of queueing them. A job runs between two frames; while it does, another thread draws
//! how far it is, and the traces ask [`is_stop_wanted`] now and then whether to give up.

use crate::action::Action;
use crate::app::App;
use crate::jobs::Job;
use crate::keys::{Key, action_of};
use crate::progress::Progress;
use crate::render::Still;
use crate::source::Direction;
use crate::terminal::{Screen, is_ours};
use crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEventKind};
use ratatui::layout::Rect;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;
use tui_input::backend::crossterm::to_input_request;

/// How often the progress of a job is drawn.
const REDRAW: Duration = Duration::from_millis(100);

/// Runs the viewer until the user leaves.
pub(crate) fn run(app: &mut App, screen: &mut Screen) -> io::Result<()> {
    let progress = Arc::clone(&app.progress);
    // Only during a job may reading stop early: a frame needs what it reads.
    app.source.set_progress(Arc::new(move |position| progress.at(position) && is_stop_wanted()));
    let size = screen.terminal.size()?;
    let mut still = app.blank(Rect { x: 0, y: 0, width: size.width, height: size.height });
    while !app.is_done() && is_ours() {
        if app.is_far() {
            work(app, screen, &mut still, &Job::Travel)?;
        }
        screen.terminal.draw(|frame| still = app.render(frame))?;
        // The first read waits, the others take what is there.
        let mut job = take_in(app, event::read()?);
        while job.is_none() && !app.is_done() && event::poll(Duration::ZERO)? {
            job = take_in(app, event::read()?);
        }
        if let Some(job) = job {
            work(app, screen, &mut still, &job)?;
        }
    }
    Ok(())
}

/// Does a job, and draws how far it is: the last frame, with another status.
fn work(app: &mut App, screen: &mut Screen, still: &mut Still, job: &Job) -> io::Result<()> {
    let progress = Arc::clone(&app.progress);
    app.begin(job);
    let mut draw = move |line: Option<String>| match line {
        Some(line) => screen.terminal.draw(|frame| still.draw(frame, line)).map(drop),
        None => Ok(()),
    };
    draw(progress.first_line())?;
    std::thread::scope(|scope| {
        let (done, until_done) = channel::<()>();
        let progress: &Progress = &progress;
        let drawing = scope.spawn(move || -> io::Result<()> {
            // The channel closes when the job is done, or has panicked.
            while until_done.recv_timeout(REDRAW) == Err(RecvTimeoutError::Timeout) && is_ours() {
                draw(progress.line())?;
            }
            Ok(())
        });
        app.perform(job);
        drop(done);
        drawing.join().unwrap_or(Ok(()))
    })
}

fn take_in(app: &mut App, event: Event) -> Option<Job> {
    app.update(translate(app, &event)?)
}

/// What an event of the terminal asks for.
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
    if app.prompt.is_none() {
        return action_of(Key::of(key), app.focus.pane);
    }
    match key.code {
        KeyCode::Enter => Some(Action::Submit),
        KeyCode::Esc => Some(Action::Close),
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Some(Action::Close),
        _ => to_input_request(event).map(Action::Edit),
    }
}

/// Whether the user wants a job to stop. What else was typed meanwhile is dropped.
fn is_stop_wanted() -> bool {
    while let Ok(true) = event::poll(Duration::ZERO) {
        match event::read() {
            Ok(Event::Key(key)) if key.kind != KeyEventKind::Release => {
                let ctrl_c = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
                if ctrl_c || matches!(key.code, KeyCode::Esc | KeyCode::Char('q')) {
                    return true;
                }
            }
            Ok(_) => {}
            // A terminal that is gone answers nothing any more.
            Err(_) => return true,
        }
    }
    false
}
