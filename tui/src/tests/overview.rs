//! The timeline: when it is made, what it shows, how it moves the time.

use super::fake::{DIVERGENCE, EVENTS, EXTRA, Fake};
use super::{act, app_of, draw, viewer};
use crate::action::Action;
use crate::app::App;
use crate::focus::{Focus, Pane};
use crate::theme::Theme;
use crate::traces::Direction::{Backward, Forward};
use forkpoint_replay::Side;
use forkpoint_traces::MemoryIndex;

/// Shows the timeline, and has its picture made.
fn show(app: &mut App) {
    act(app, &[Action::Timeline]);
    make(app);
}

fn make(app: &mut App) {
    if let Some(errand) = app.picture_due() {
        app.run_here(&errand).expect("a picture");
    }
}

#[test]
fn it_shows_the_whole_run() {
    let mut app = viewer(Fake::pair(), None);
    assert!(app.picture_due().is_none(), "nobody asked for it");
    show(&mut app);
    assert_eq!(app.focus.pane, Pane::Timeline);
    insta::assert_snapshot!("timeline_80x24", draw(&mut app, 80, 24));
    act(&mut app, &[Action::Mark('a'), Action::Last]);
    insta::assert_snapshot!("timeline_last_120x40", draw(&mut app, 120, 40));
    act(&mut app, &[Action::Zoom]);
    insta::assert_snapshot!("timeline_zoom_80x24", draw(&mut app, 80, 24));
    act(&mut app, &[Action::Zoom, Action::Timeline]);
    assert_eq!((app.focus.pane, app.areas.timeline.height), (Pane::Events, 0));
}

#[test]
fn events_that_are_left_out_show() {
    let mut app = viewer(Fake::with_gap(200, 300), None);
    show(&mut app);
    insta::assert_snapshot!("timeline_gap_80x24", draw(&mut app, 80, 24));
}

#[test]
fn it_is_made_once_for_each_side_and_memory() {
    let mut app = viewer(Fake::pair(), Some(10));
    show(&mut app);
    assert!(app.picture_due().is_none());
    act(&mut app, &[Action::OtherSide]);
    assert!(app.picture_due().is_some(), "the other side");
    make(&mut app);
    app.memory = MemoryIndex(1);
    make(&mut app);
    assert_eq!(app.pictures.len(), 3);
    app.memory = MemoryIndex(7);
    make(&mut app);
    let screen = draw(&mut app, 80, 24).to_string();
    assert!(screen.contains("no event writes to this memory"), "{screen}");
}

#[test]
fn a_stopped_one_is_not_tried_again_by_itself() {
    let mut app = app_of(Fake::stopped(), Theme::new(true), None);
    draw(&mut app, 80, 24);
    show(&mut app);
    assert!(app.picture_due().is_none());
    assert_eq!(app.message.as_deref(), Some("timeline stopped"));
    let screen = draw(&mut app, 80, 24).to_string();
    assert!(screen.contains("not drawn"), "{screen}");
    act(&mut app, &[Action::Timeline, Action::Timeline]);
    assert!(app.picture_due().is_some());
}

#[test]
fn keys_and_clicks_move_the_time() {
    let mut app = viewer(Fake::pair(), None);
    show(&mut app);
    // 400 events in 73 columns.
    act(&mut app, &[Action::Time(Forward)]);
    assert_eq!(app.row, DIVERGENCE + 5 + EXTRA);
    act(&mut app, &[Action::Time(Backward), Action::Time(Backward)]);
    assert_eq!(app.row, DIVERGENCE - 5);
    act(&mut app, &[Action::PageDown]);
    assert_eq!(app.row, DIVERGENCE + 45 + EXTRA);
    for _ in 0..100 {
        act(&mut app, &[Action::Time(Forward)]);
    }
    assert_eq!(app.row, EVENTS + EXTRA - 1);
    act(&mut app, &[Action::PageUp; 20]);
    assert_eq!(app.row, 0);
    let area = app.areas.timeline;
    act(&mut app, &[Action::Click(area.x + 2, area.y + 2)]);
    assert_eq!(app.row, 0, "the margin is no time");
    act(&mut app, &[Action::Click(area.x + area.width - 2, area.y + 2)]);
    assert!(app.row > EVENTS - 10, "{}", app.row);
    act(&mut app, &[Action::Jump(Backward)]);
    assert_eq!(app.row, 0, "a click is a jump");
    app.set_focus(Focus { pane: Pane::Events, side: Side::Rhs });
    act(&mut app, &[Action::Wheel(area.x + 9, area.y + 2, Forward)]);
    assert_eq!(app.row, 5);
}
