//! Tests of the whole viewer: what it looks like (`screens.rs`), what it does (`actions.rs`), how it moves through time (`time.rs`,
//! `overview.rs`),
//! what its command line and scripts do (`commands.rs`, `scripts.rs`), that it does not panic
//! (`smoke.rs`, `every_key.rs`), how fast it answers (`latency.rs`), whatever the trace (`hostile.rs`), what addresses are called (`names.rs`), what lists show and where they lead (`panels.rs`), calls and steps by them (`calls.rs`), that real traces are read right (`real.rs`), and
//! that keys are answered during slow work (`errands.rs`).

mod actions;
mod calls;
mod commands;
mod errands;
mod every_key;
mod fake;
mod hostile;
mod latency;
mod names;
mod overview;
mod panels;
mod real;
mod screens;
mod scripts;
mod smoke;
mod time;

use crate::action::{Action, PromptKind};
use crate::app::App;
use crate::render;
use crate::theme::Theme;
use crate::timelines::Timelines;
use crate::{Opened, TuiError};
use fake::Fake;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use std::sync::Arc;
use tui_input::InputRequest;

/// A viewer on a screen of 80x24, drawn once: from the first frame the viewer knows how large its panes are.
fn viewer(fake: Fake, start: Option<u64>) -> App {
    let mut app = app_of(fake, Theme::new(true), start);
    draw(&mut app, 80, 24);
    app
}

/// A viewer that has not been drawn yet.
fn app_of(fake: Fake, theme: Theme, start: Option<u64>) -> App {
    App::new(Arc::new(fake.clone()), Box::new(fake), theme, start)
}

/// A viewer of real traces.
fn viewer_of(lhs: Opened, rhs: Option<Opened>, start: Option<u64>) -> Result<App, TuiError> {
    let (outline, timelines) = Timelines::open(lhs, rhs)?;
    Ok(App::new(outline, Box::new(timelines), Theme::new(true), start))
}

/// Draws a frame and returns what is on the screen.
fn draw(app: &mut App, width: u16, height: u16) -> TestBackend {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a test terminal");
    let frame = |frame: &mut ratatui::Frame| {
        app.look(frame.area());
        render::draw(frame, &app.areas, &app.view(), app.theme);
    };
    terminal.draw(frame).expect("drawing on a test terminal");
    terminal.backend().clone()
}

/// Performs one action after another, with a frame in between as on a real terminal.
fn act(app: &mut App, actions: &[Action]) {
    for action in actions {
        app.dispatch(*action);
        draw(app, 80, 24);
    }
}

/// Opens a prompt, types and confirms.
fn ask(app: &mut App, kind: PromptKind, text: &str) {
    app.dispatch(Action::Prompt(kind));
    for c in text.chars() {
        app.dispatch(Action::Edit(InputRequest::InsertChar(c)));
    }
    app.dispatch(Action::Submit);
    draw(app, 80, 24);
}
