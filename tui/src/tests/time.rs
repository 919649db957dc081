//! Moving through time: ways back, marks, and events that have something in common.

use super::fake::{DIVERGENCE, EVENTS, EXTRA, Fake};
use super::{act, ask, draw, viewer};
use crate::action::{Action, Awaited, PromptKind};
use crate::event_loop::translate;
use crate::focus::{Focus, Pane};
use crate::traces::Alike;
use crate::traces::Direction::{Backward, Forward};
use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use forkpoint_replay::Side;

#[test]
fn jumps_can_be_taken_back_and_again() {
    let mut app = viewer(Fake::pair(), Some(10));
    act(&mut app, &[Action::Jump(Backward)]);
    assert_eq!((app.row, app.message.as_deref()), (10, Some("no jump to go back from")));
    act(&mut app, &[Action::Divergence, Action::Last]);
    ask(&mut app, PromptKind::Position, "#7");
    // Steps are no jumps.
    act(&mut app, &[Action::Step, Action::Jump(Backward)]);
    assert_eq!(app.row, EVENTS + EXTRA - 1);
    act(&mut app, &[Action::Jump(Backward)]);
    assert_eq!(app.row, DIVERGENCE);
    act(&mut app, &[Action::Jump(Backward), Action::Jump(Backward)]);
    assert_eq!(app.row, 10);
    act(&mut app, &[Action::Jump(Forward), Action::Jump(Forward)]);
    assert_eq!(app.row, EVENTS + EXTRA - 1);
    act(&mut app, &[Action::Jump(Forward)]);
    assert_eq!(app.row, 8, "where the way back began");
    act(&mut app, &[Action::Jump(Forward)]);
    assert_eq!(app.message.as_deref(), Some("no jump to go forward to"));
    // A new jump ends the way forward, and one to the same row is none.
    act(&mut app, &[Action::Jump(Backward), Action::First, Action::First, Action::Jump(Forward)]);
    assert_eq!((app.row, app.message.is_some()), (0, true));
    act(&mut app, &[Action::Jump(Backward)]);
    assert_eq!(app.row, EVENTS + EXTRA - 1);
}

#[test]
fn marks_are_letters_that_lead_back() {
    let mut app = viewer(Fake::pair(), Some(10));
    let mut press = |row: u64, keys: &[char]| {
        app.go_to(row);
        for key in keys {
            let key = Event::Key(KeyEvent::new(KeyCode::Char(*key), KeyModifiers::NONE));
            let action = translate(&app, &key).expect("the key does something");
            act(&mut app, &[action]);
        }
        (app.row, app.message.clone().unwrap_or_default())
    };
    assert_eq!(press(10, &['m', 'a']), (10, "marked a: 'a comes back here".to_string()));
    press(20, &['m', 'Q']);
    assert_eq!(press(300, &['\'', 'a']), (10, String::new()));
    assert_eq!(press(10, &['\'', 'Q']), (20, String::new()));
    assert_eq!(press(20, &['\'', '\'']), (10, String::new()), "the place before the last jump");
    assert_eq!(press(5, &['\'', 'x']), (5, "x is not marked; Qa are".to_string()));
    assert_eq!(press(5, &['m', '?']), (5, "a mark is a letter or a digit".to_string()));
    // Another key gives up.
    app.go_to(5);
    act(&mut app, &[Action::Await(Awaited::Mark)]);
    let escape = Event::Key(KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE));
    assert_eq!(translate(&app, &escape), Some(Action::Close));
    act(&mut app, &[Action::Close]);
    assert_eq!((app.awaited, app.message.as_deref()), (None, None));
    // They show where nothing more important does.
    act(&mut app, &[Action::First]);
    app.go_to(10);
    let screen = draw(&mut app, 80, 24).to_string();
    assert!(screen.contains(">a10 "), "{screen}");
}

#[test]
fn events_that_have_something_in_common() {
    let mut app = viewer(Fake::pair(), Some(10));
    let mut go = |from: u64, alike, direction| {
        app.go_to(from);
        app.message = None;
        act(&mut app, &[Action::Alike(alike, direction)]);
        (app.row, app.message.clone())
    };
    // i32.store at 3, 4 and so on; i32.store8 at each 7th; another function at each 50th.
    assert_eq!(go(13, Alike::Site, Forward), (15, None));
    assert_eq!(go(15, Alike::Site, Backward), (13, None));
    assert_eq!(go(14, Alike::Site, Forward), (21, None));
    assert_eq!(go(49, Alike::Function, Forward), (51, None));
    assert_eq!(go(50, Alike::Function, Forward), (100, None));
    assert_eq!(go(49, Alike::Kind, Forward), (50, None));
    assert_eq!(go(1, Alike::Kind, Backward), (0, None));
    assert_eq!(go(50, Alike::Page, Forward), (100, None));
    let said = |(row, message): (u64, Option<String>)| (row, message.unwrap_or_default());
    assert_eq!(said(go(1, Alike::Kind, Forward)), (1, "no later event of the same kind in lhs".to_string()));
    assert_eq!(
        said(go(50, Alike::Page, Backward)),
        (50, "no earlier event of the same page of memory in lhs".to_string())
    );
    assert_eq!(said(go(0, Alike::Page, Forward)), (0, "the event under the cursor writes no bytes".to_string()));
    assert_eq!(said(go(1, Alike::Site, Forward)), (1, "the event under the cursor is of no instruction".to_string()));
    let gap = DIVERGENCE + 1;
    let none = "no event is under the cursor on this side".to_string();
    assert_eq!(said(go(gap, Alike::Function, Forward)), (gap, none));
}

#[test]
fn a_functions_first_event() {
    let mut app = viewer(Fake::pair(), Some(300));
    for (typed, row) in [("flush", 50), ("mix", 2), ("50%", 201), ("99.99%", 401)] {
        ask(&mut app, PromptKind::Position, typed);
        assert_eq!(app.row, row, "{typed}");
    }
    app.set_focus(Focus { pane: Pane::Events, side: Side::Rhs });
    act(&mut app, &[Action::Close]);
    ask(&mut app, PromptKind::Position, "nobody");
    assert_eq!(app.message.as_deref(), Some("no function `nobody` changes memory: / searches parts of names"));
    ask(&mut app, PromptKind::Position, "12x");
    assert!(app.prompt.is_some(), "a wrong number is no function");
}
