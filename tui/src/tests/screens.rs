//! Whole screens as snapshots. Styles do not show in them; everything that matters is a character too.

use super::fake::{EVENTS, Fake};
use super::{act, ask, draw, viewer};
use crate::action::{Action, PromptKind};
use crate::app::App;
use crate::errand::Ending;
use crate::focus::{Focus, Pane};
use crate::traces::Direction;
use forkpoint_replay::Side;
use forkpoint_traces::Position;
use tui_input::InputRequest;

fn focus(app: &mut App, pane: Pane, side: Side) {
    app.set_focus(Focus { pane, side });
}

macro_rules! screen {
    ($name:literal, $app:expr, $width:literal x $height:literal) => {
        insta::assert_snapshot!($name, draw(&mut $app, $width, $height))
    };
}

#[test]
fn start() {
    let mut app = viewer(Fake::pair(), Some(0));
    screen!("start_80x24", app, 80 x 24);
    screen!("start_160x50", app, 160 x 50);
}

#[test]
fn divergence() {
    let mut app = viewer(Fake::pair(), None);
    screen!("divergence_80x24", app, 80 x 24);
    screen!("divergence_160x50", app, 160 x 50);
    screen!("divergence_40x20", app, 40 x 20);
}

#[test]
fn native_code_on_a_narrow_screen() {
    let mut app = viewer(Fake::pair(), None);
    focus(&mut app, Pane::Native, Side::Rhs);
    screen!("native_80x24", app, 80 x 24);
}

#[test]
fn gap_and_resync() {
    let mut app = viewer(Fake::pair(), None);
    act(&mut app, &[Action::Step, Action::Step]);
    screen!("gap_80x24", app, 80 x 24);
    act(&mut app, &[Action::Step, Action::Step, Action::Step]);
    screen!("after_resync_80x24", app, 80 x 24);
    screen!("after_resync_160x50", app, 160 x 50);
}

#[test]
fn last_event() {
    let mut app = viewer(Fake::pair(), None);
    act(&mut app, &[Action::Last]);
    screen!("last_80x24", app, 80 x 24);
}

#[test]
fn help() {
    let mut app = viewer(Fake::pair(), None);
    act(&mut app, &[Action::Help]);
    screen!("help_80x24", app, 80 x 24);
    screen!("help_160x50", app, 160 x 50);
    act(&mut app, &[Action::PageDown, Action::PageDown]);
    screen!("help_end_80x24", app, 80 x 24);
}

#[test]
fn prompts() {
    let mut app = viewer(Fake::pair(), None);
    ask(&mut app, PromptKind::Position, "12x");
    screen!("prompt_wrong_80x24", app, 80 x 24);
    act(&mut app, &[Action::Close, Action::Close, Action::Prompt(PromptKind::Search)]);
    screen!("prompt_search_80x24", app, 80 x 24);
}

#[test]
fn search_miss_and_searching() {
    let mut app = viewer(Fake::pair(), None);
    ask(&mut app, PromptKind::Search, "v128.store");
    screen!("search_miss_80x24", app, 80 x 24);
    let errand = app.update(Action::Match(Direction::Backward)).expect("a search is an errand");
    let traces = app.begin(&errand).expect("the traces are here");
    app.headway.stand_still();
    screen!("searching_80x24", app, 80 x 24);
    app.headway.at(Position(100));
    app.headway.at(Position(37));
    screen!("searching_on_80x24", app, 80 x 24);
    // What is not read yet stays empty.
    screen!("searching_100x28", app, 100 x 28);
    app.finish(&errand, traces, Ending::Stopped);
    screen!("search_stopped_80x24", app, 80 x 24);
}

#[test]
fn names_of_wide_and_zero_width_characters() {
    let mut app = viewer(Fake::prefixed("表示e\u{301}\u{1100}\u{1161}\u{11a8}"), None);
    screen!("wide_80x24", app, 80 x 24);
    screen!("wide_130x30", app, 130 x 30);
    act(&mut app, &[Action::Prompt(PromptKind::Search)]);
    for c in "漢字".chars() {
        act(&mut app, &[Action::Edit(InputRequest::InsertChar(c))]);
    }
    screen!("wide_prompt_40x20", app, 40 x 20);
}

#[test]
fn memory_pinned_and_other_memory() {
    let mut app = viewer(Fake::pair(), None);
    focus(&mut app, Pane::Memory, Side::Rhs);
    ask(&mut app, PromptKind::Address, "a4e8");
    act(&mut app, &[Action::Step]);
    screen!("pinned_80x24", app, 80 x 24);
    act(&mut app, &[Action::Memory(Direction::Forward)]);
    screen!("memory_1_80x24", app, 80 x 24);
    act(&mut app, &[Action::Zoom]);
    screen!("memory_zoom_80x24", app, 80 x 24);
}

#[test]
fn single_trace() {
    let mut app = viewer(Fake::single(), None);
    screen!("single_start_80x24", app, 80 x 24);
    ask(&mut app, PromptKind::Position, &format!("#{}", EVENTS / 2));
    screen!("single_80x24", app, 80 x 24);
    screen!("single_160x50", app, 160 x 50);
}

#[test]
fn tiny_terminal() {
    let mut app = viewer(Fake::pair(), None);
    screen!("tiny_30x10", app, 30 x 10);
}
