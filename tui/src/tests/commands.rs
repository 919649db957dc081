//! The command line: names, arguments, history, completion.

use super::fake::{DIVERGENCE, Fake};
use super::{act, ask, draw, viewer};
use crate::action::{Action, PromptKind};
use crate::app::App;
use crate::commands;
use crate::event_loop::translate;
use crate::keys::BINDINGS;
use crate::traces::Direction::{Backward, Forward};
use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use tui_input::InputRequest;

fn key(app: &mut App, code: KeyCode) {
    if let Some(action) = translate(app, &Event::Key(KeyEvent::new(code, KeyModifiers::NONE))) {
        act(app, &[action]);
    }
}

fn text(app: &App) -> Option<&str> {
    app.prompt.as_ref().map(|prompt| prompt.input.value())
}

#[test]
fn every_action_has_a_name_and_no_two_share_one() {
    let names: Vec<&str> = commands::names().collect();
    assert!(names.len() > 40, "{names:?}");
    for binding in BINDINGS {
        assert!(names.contains(&binding.name) && !binding.name.contains(' '), "{}", binding.name);
        for other in BINDINGS {
            assert!(binding.name != other.name || binding.action == other.action, "{}", binding.name);
        }
    }
}

#[test]
fn lines_are_positions_or_commands() {
    let mut app = viewer(Fake::pair(), Some(0));
    for (line, row) in [
        ("divergence", DIVERGENCE),
        ("#7", 7),
        ("+3", 10),
        ("step", 11),
        (":step 20", 31),
        ("back 2", 29),
        ("  50% ", 201),
        ("go flush", 50),
        ("mark a", 50),
        ("last", 402),
        ("to-mark a", 50),
        ("div", DIVERGENCE),
        ("next-of-site", DIVERGENCE + EXTRA_ROWS),
        ("search flush", 150 + 3),
        ("previous", 100),
    ] {
        ask(&mut app, PromptKind::Command, line);
        assert_eq!((app.row, &app.prompt.is_none()), (row, &true), "{line}: {:?}", app.message);
    }
    for (line, message) in [
        ("nonsense", "`nonsense` is no command: Tab after : shows them all, and ? tells what they do"),
        ("next-of", "`next-of` may be next-of-function, next-of-kind, next-of-page, next-of-site"),
        ("step x", "`x` is not a number of events"),
        ("zoom 3", "`zoom` takes no argument, and `3` is one"),
        ("mark ab", "`ab` is not the name of a mark: expected one letter or digit"),
        ("#99999", "#99999 is past the end: lhs has 400 events"),
    ] {
        ask(&mut app, PromptKind::Command, line);
        assert_eq!(app.message.as_deref(), Some(message));
        assert_eq!(text(&app), Some(line), "the prompt stays open");
        act(&mut app, &[Action::Close]);
    }
}

/// After the divergence the left side waits for three rows.
const EXTRA_ROWS: u64 = 4;

#[test]
fn earlier_texts_come_back_by_kind() {
    let mut app = viewer(Fake::pair(), None);
    for line in ["first", "step 3", "first"] {
        ask(&mut app, PromptKind::Command, line);
    }
    ask(&mut app, PromptKind::Search, "flush");
    act(&mut app, &[Action::Prompt(PromptKind::Command)]);
    let mut texts = Vec::new();
    for code in [KeyCode::Up, KeyCode::Up, KeyCode::Up, KeyCode::Down, KeyCode::Down, KeyCode::Down] {
        key(&mut app, code);
        texts.push(text(&app).unwrap_or("closed").to_string());
    }
    assert_eq!(texts, ["first", "step 3", "step 3", "first", "", ""]);
    act(&mut app, &[Action::Close, Action::Prompt(PromptKind::Search)]);
    key(&mut app, KeyCode::Up);
    assert_eq!(text(&app), Some("flush"));
}

#[test]
fn names_are_completed_as_far_as_they_are_certain() {
    let mut app = viewer(Fake::pair(), None);
    let mut complete = |typed: &str| {
        act(&mut app, &[Action::Prompt(PromptKind::Command)]);
        for c in typed.chars() {
            act(&mut app, &[Action::Edit(InputRequest::InsertChar(c))]);
        }
        key(&mut app, KeyCode::Tab);
        (text(&app).unwrap_or("closed").to_string(), app.message.clone().unwrap_or_default())
    };
    assert_eq!(complete("div"), ("divergence ".to_string(), String::new()));
    assert_eq!(
        complete("next-o"),
        ("next-of-".to_string(), "next-of-function  next-of-kind  next-of-page  next-of-site".to_string())
    );
    assert_eq!(complete("xyz"), ("xyz".to_string(), "no command begins with `xyz`".to_string()));
    assert_eq!(complete("go ma"), ("go ma".to_string(), String::new()), "only the name");
    assert!(complete("").1.starts_with("address  all-divergences  appearance  back  "));
    // Where no command is asked for, Tab does nothing.
    act(&mut app, &[Action::Close, Action::Close, Action::Prompt(PromptKind::Search), Action::Complete]);
    assert_eq!(text(&app), Some(""));
}

#[test]
fn the_command_line_is_answered_during_a_search() {
    let mut app = viewer(Fake::pair(), None);
    let errand = app.update(Action::Match(Forward)).expect("a search is an errand");
    let traces = app.begin(&errand).expect("the traces are here");
    act(&mut app, &[Action::Recall(Backward), Action::Complete, Action::Submit]);
    assert!(app.is_away());
    app.finish(&errand, traces, crate::errand::Ending::Stopped);
    draw(&mut app, 80, 24);
}

/// The page has the list of keys that the viewer shows; `BLESS=1` writes it anew.
#[test]
fn the_documentation_lists_the_keys() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/view.md");
    let page = std::fs::read_to_string(&path).expect("docs/view.md");
    let (before, rest) = page.split_once("```text\n").expect("a list");
    let (listed, after) = rest.split_once("```").expect("its end");
    let help: String = crate::keys_help().lines().map(|line| line.trim_end().to_string() + "\n").collect();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, format!("{before}```text\n{help}```{after}")).expect("docs/view.md");
        return;
    }
    assert_eq!(listed, help);
}
