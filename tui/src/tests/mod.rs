//! Tests of the whole viewer: what it looks like (`screens.rs`), what it does (`actions.rs`), that nothing makes
//! it panic (`smoke.rs`, `every_key.rs`), nor any trace (`hostile.rs`), and that real traces are read right (`real.rs`).

mod actions;
mod every_key;
mod fake;
mod hostile;
mod real;
mod screens;
mod smoke;

use crate::action::{Action, PromptKind};
use crate::app::App;
use crate::render::Still;
use crate::theme::Theme;
use fake::Fake;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use tui_input::InputRequest;

/// A viewer on a screen of 80x24, drawn once: the first frame tells the viewer how large its panes are.
fn viewer(fake: Fake, start: Option<u64>) -> App {
    let mut app = App::new(Box::new(fake), Theme::new(true), start);
    draw(&mut app, 80, 24);
    app
}

/// Draws a frame and returns what is on the screen.
fn draw(app: &mut App, width: u16, height: u16) -> TestBackend {
    render(app, width, height).0
}

/// The same, with what is drawn while a job is under way.
fn render(app: &mut App, width: u16, height: u16) -> (TestBackend, Still) {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a test terminal");
    let mut still = None;
    terminal.draw(|frame| still = Some(app.render(frame))).expect("drawing on a test terminal");
    (terminal.backend().clone(), still.expect("a frame was drawn"))
}

/// Does one thing after another, with a frame in between as on a real terminal.
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
