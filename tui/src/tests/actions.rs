//! What actions do to the state.

use super::fake::{DIVERGENCE, EVENTS, EXTRA, Fake};
use super::{act, app_of, ask, draw, viewer};
use crate::action::{Action, ByteMove, PromptKind};
use crate::app::App;
use crate::errand::Aim;
use crate::event_loop::translate;
use crate::focus::{Focus, Pane};
use crate::keys::{self, BINDINGS};
use crate::theme::Theme;
use crate::traces::Direction::{Backward, Forward};
use crate::traces::{Query, moment};
use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use forkpoint_replay::Side;
use forkpoint_traces::{MemoryIndex, Position};
use ratatui::style::{Color, Modifier};

const ROWS: u64 = EVENTS + EXTRA;

#[test]
fn starts_at_the_divergence_unless_asked_otherwise() {
    assert_eq!(viewer(Fake::pair(), None).row, DIVERGENCE);
    assert_eq!(viewer(Fake::pair(), Some(7)).row, 7);
    assert_eq!(viewer(Fake::pair(), Some(u64::MAX)).row, ROWS - 1);
    assert_eq!(viewer(Fake::single(), None).row, 0);
}

#[test]
fn steps_and_pages_stop_at_both_ends() {
    let mut app = viewer(Fake::pair(), Some(0));
    act(&mut app, &[Action::StepBack]);
    assert_eq!(app.row, 0);
    act(&mut app, &[Action::Step, Action::Step]);
    assert_eq!(app.row, 2);
    act(&mut app, &[Action::PageDown]);
    assert_eq!((app.row, app.top), (9, 7));
    act(&mut app, &[Action::Last, Action::Step, Action::PageDown]);
    assert_eq!(app.row, ROWS - 1);
    act(&mut app, &[Action::First]);
    assert_eq!((app.row, app.top), (0, 0));
}

#[test]
fn a_side_without_an_event_waits() {
    let app = viewer(Fake::pair(), None);
    let after = |side, row| moment(&*app.outline, side, row).0;
    assert_eq!(after(Side::Lhs, DIVERGENCE), DIVERGENCE + 1);
    for row in DIVERGENCE + 1..=DIVERGENCE + EXTRA {
        assert_eq!(after(Side::Lhs, row), DIVERGENCE + 1);
        assert_eq!(after(Side::Rhs, row), row + 1);
    }
    assert_eq!(after(Side::Lhs, DIVERGENCE + EXTRA + 1), DIVERGENCE + 2);
    assert_eq!(after(Side::Lhs, u64::MAX - 1), EVENTS);
}

#[test]
fn memory_follows_writes_until_pinned() {
    let mut app = viewer(Fake::pair(), Some(10));
    assert_eq!(app.address, 0xa400 + 40);
    act(&mut app, &[Action::Step]);
    assert_eq!(app.address, 0xa400 + 44);
    act(&mut app, &[Action::Byte(ByteMove::Right), Action::Step]);
    assert_eq!((app.address, app.follow), (0xa400 + 45, false));
    act(&mut app, &[Action::Follow]);
    assert_eq!(app.address, 0xa400 + 48);
    ask(&mut app, PromptKind::Address, "0x10");
    assert_eq!((app.address, app.follow), (16, false));
    ask(&mut app, PromptKind::Address, "20000");
    assert!(app.message.as_ref().is_some_and(|message| message.contains("past the end")), "{:?}", app.message);
    assert!(app.prompt.is_some(), "the prompt stays open");
    act(&mut app, &[Action::Close, Action::Divergence]);
    assert_eq!((app.row, app.follow), (DIVERGENCE, true));
}

#[test]
fn writers_of_a_byte_chain() {
    let mut app = viewer(Fake::pair(), Some(300));
    ask(&mut app, PromptKind::Address, "a404");
    act(&mut app, &[Action::Writer(Backward)]);
    // 97 and 193 and 289 write it, shifted by the gap; no others do.
    assert_eq!(app.row, 289 + EXTRA);
    act(&mut app, &[Action::Writer(Backward), Action::Writer(Backward)]);
    assert_eq!(app.row, 97);
    act(&mut app, &[Action::Writer(Backward)]);
    assert_eq!(app.row, 97);
    assert_eq!(app.message.as_deref(), Some("no earlier event writes byte 0xa404 of memory 0 in lhs"));
    act(&mut app, &[Action::Writer(Forward)]);
    assert_eq!((app.row, app.address), (193 + EXTRA, 0xa404));
}

#[test]
fn searches_and_mismatches() {
    let mut app = viewer(Fake::pair(), Some(0));
    ask(&mut app, PromptKind::Search, "Flush");
    assert_eq!((app.row, app.memory), (50, MemoryIndex(1)));
    act(&mut app, &[Action::Match(Forward)]);
    assert_eq!(app.row, 100);
    act(&mut app, &[Action::Match(Backward), Action::Match(Backward)]);
    assert_eq!(app.row, 50);
    assert_eq!(app.message.as_deref(), Some("no earlier `flush` in lhs: n looks on"));
    act(&mut app, &[Action::Close]);
    assert_eq!(app.query, Some(Query::Text("flush".to_string())), "the message was closed first");
    act(&mut app, &[Action::Close, Action::Match(Forward)]);
    assert_eq!((app.query.is_none(), app.row), (true, DIVERGENCE));
    act(&mut app, &[Action::Match(Forward); 4]);
    assert_eq!(app.row, DIVERGENCE + EXTRA);
    assert_eq!(app.message.as_deref(), Some("no later mismatch"));
    act(&mut app, &[Action::Match(Backward)]);
    assert_eq!(app.row, DIVERGENCE + EXTRA - 1);
    // A hit on the right side that the left one does not have.
    app.set_focus(Focus { pane: Pane::Events, side: Side::Rhs });
    app.memory = MemoryIndex(0);
    ask(&mut app, PromptKind::Search, "@a4f0");
    assert_eq!(moment(&*app.outline, Side::Rhs, app.row), Position(app.row + 1));
}

#[test]
fn a_stopped_search_changes_nothing() {
    let mut app = viewer(Fake::stopped(), None);
    ask(&mut app, PromptKind::Search, "flush");
    assert_eq!((app.row, app.headway.line()), (DIVERGENCE, None));
    assert_eq!(app.message.as_deref(), Some("search stopped"));
}

#[test]
fn a_stopped_journey_ends_where_memory_was_shown_last() {
    let mut app = viewer(Fake::pair(), Some(20));
    assert_eq!(app.settled, 20);
    app.traces = Some(Box::new(Fake::stopped_once()));
    app.go_to(300);
    app.run_here(&app.errand(Aim::Travel)).expect("it is stopped, and does not fail");
    assert_eq!((app.row, app.settled, app.headway.line()), (20, 20, None));
    assert_eq!(app.message.as_deref(), Some("stopped, and gone back"));
    app.go_to(300);
    app.run_here(&app.errand(Aim::Travel)).expect("memory at the end");
    assert_eq!((app.row, app.settled), (300, 300));
    assert_eq!(
        app.traces.as_ref().map(|traces| traces.position(Side::Lhs)),
        Some(moment(&*app.outline, Side::Lhs, 300))
    );
}

#[test]
fn one_trace_says_what_it_cannot_do() {
    let mut app = viewer(Fake::single(), Some(5));
    for action in [Action::Divergence, Action::Match(Forward)] {
        act(&mut app, &[action]);
        assert_eq!(app.row, 5);
        assert!(app.message.is_some());
    }
    act(&mut app, &[Action::OtherSide]);
    assert_eq!(app.focus.side, Side::Lhs);
}

#[test]
fn tab_goes_round() {
    for (fake, panes) in [(Fake::pair(), 7), (Fake::single(), 4)] {
        let mut app = viewer(fake, None);
        let start = app.focus;
        let mut seen = Vec::new();
        for _ in 0..panes {
            seen.push(app.focus);
            act(&mut app, &[Action::Focus(Forward)]);
        }
        assert_eq!(app.focus, start);
        for focus in seen.iter().rev() {
            act(&mut app, &[Action::Focus(Backward)]);
            // The text format is one pane for both sides and keeps the side from which it is reached.
            assert_eq!((app.focus.pane, app.focus.pane == Pane::Wat || app.focus == *focus), (focus.pane, true));
        }
    }
}

#[test]
fn mouse_selects_events_bytes_and_panes() {
    let mut app = viewer(Fake::pair(), Some(0));
    let list = app.areas.events[1];
    act(&mut app, &[Action::Click(list.x + 5, list.y + 4)]);
    assert_eq!((app.focus, app.row), (Focus { pane: Pane::Events, side: Side::Rhs }, 3));
    let memory = app.areas.memory[0];
    let shape = app.hex_shape(39);
    let before = app.hex_start();
    act(&mut app, &[Action::Click(memory.x + shape.column(5) + 1, memory.y + 2)]);
    assert_eq!((app.focus.pane, app.focus.side), (Pane::Memory, Side::Lhs));
    assert_eq!(app.address, before + 8 + 5);
    act(&mut app, &[Action::Wheel(list.x, list.y, Forward)]);
    assert_eq!(app.row, 6);
    act(&mut app, &[Action::Wheel(memory.x, memory.y, Forward)]);
    assert_eq!(app.address, before + 8 + 5 + 24);
    let wat = app.areas.wat[0];
    act(&mut app, &[Action::Click(wat.x + 3, wat.y + 1)]);
    assert_eq!(app.focus.pane, Pane::Wat);
    // The title and the key line are not panes.
    let focus = app.focus;
    act(&mut app, &[Action::Click(3, 0), Action::Click(3, 23), Action::Click(500, 500)]);
    assert_eq!(app.focus, focus);
}

#[test]
fn every_key_of_the_table_is_reachable_and_helped() {
    let app = viewer(Fake::pair(), None);
    assert_eq!(press(&app, KeyCode::Char('j')), Some(Action::Step));
    assert_eq!(press(&app, KeyCode::Char('G')), Some(Action::Last));
    assert_eq!(press(&app, KeyCode::Down), Some(Action::Step));
    assert_eq!(press(&app, KeyCode::Char('ß')), None);
    let help = crate::keys_help();
    for binding in BINDINGS {
        assert!(help.contains(binding.help), "{}", binding.help);
    }
    assert!(keys::hints().count() >= 8);
}

#[test]
fn arrows_depend_on_the_focus() {
    let mut app = viewer(Fake::pair(), None);
    app.set_focus(Focus { pane: Pane::Memory, side: Side::Lhs });
    assert_eq!(press(&app, KeyCode::Down), Some(Action::Byte(ByteMove::Down)));
    assert_eq!(press(&app, KeyCode::Char('j')), Some(Action::Step));
    app.set_focus(Focus { pane: Pane::Native, side: Side::Rhs });
    assert_eq!(press(&app, KeyCode::Up), Some(Action::Scroll(Backward)));
}

#[test]
fn code_scrolls_where_the_focus_is_and_stops_at_its_ends() {
    let mut app = viewer(Fake::pair(), None);
    app.set_focus(Focus { pane: Pane::Wat, side: Side::Lhs });
    act(&mut app, &[Action::Scroll(Forward); 100]);
    let end = app.scroll;
    assert!((1..100).contains(&end), "{end}");
    act(&mut app, &[Action::Scroll(Backward)]);
    assert_eq!(app.scroll, end - 1);
    act(&mut app, &[Action::Step]);
    assert_eq!(app.scroll, 0, "a step shows its site");
}

#[test]
fn keys_are_text_while_a_prompt_is_open() {
    let mut app = viewer(Fake::pair(), None);
    for (key, row) in [(KeyCode::Char(':'), DIVERGENCE), (KeyCode::Char('4'), DIVERGENCE), (KeyCode::Enter, 4)] {
        let action = press(&app, key).expect("the key does something");
        act(&mut app, &[action]);
        assert_eq!(app.row, row);
    }
    act(&mut app, &[Action::Prompt(PromptKind::Search)]);
    assert!(matches!(press(&app, KeyCode::Char('q')), Some(Action::Edit(_))));
    assert_eq!(press(&app, KeyCode::Esc), Some(Action::Close));
}

#[test]
fn control_characters_never_reach_the_screen() {
    let mut app = viewer(Fake::prefixed("\x1b[31m\u{9b}2J\r\n\u{7}"), None);
    for pane in [Pane::Wat, Pane::Native] {
        app.set_focus(Focus { pane, side: Side::Lhs });
        let screen = draw(&mut app, 100, 30);
        let bad = screen.buffer().content().iter().find(|cell| cell.symbol().contains(char::is_control));
        assert!(bad.is_none(), "{bad:?}");
    }
}

#[test]
fn without_colour_there_is_none() {
    let mut app = app_of(Fake::pair(), Theme::new(false), None);
    let screen = draw(&mut app, 160, 50);
    assert!(screen.buffer().content().iter().all(|cell| (cell.fg, cell.bg) == (Color::Reset, Color::Reset)));
    let marked = |modifier| screen.buffer().content().iter().any(|cell| cell.modifier.contains(modifier));
    assert!(marked(Modifier::UNDERLINED) && marked(Modifier::REVERSED) && marked(Modifier::DIM));
}

#[test]
fn the_open_help_takes_the_keys_that_move() {
    let mut app = viewer(Fake::pair(), None);
    act(&mut app, &[Action::Help, Action::Step, Action::Step, Action::StepBack]);
    assert_eq!((app.help, app.row), (Some(1), DIVERGENCE));
    act(&mut app, &[Action::PageDown; 9]);
    let last = app.help;
    act(&mut app, &[Action::Step]);
    assert_eq!(app.help, last, "scrolling stops at the end");
    act(&mut app, &[Action::Quit]);
    assert_eq!((app.help, app.is_done()), (None, false));
    act(&mut app, &[Action::Quit]);
    assert!(app.is_done());
}

fn press(app: &App, code: KeyCode) -> Option<Action> {
    translate(app, &Event::Key(KeyEvent::new(code, KeyModifiers::NONE)))
}
