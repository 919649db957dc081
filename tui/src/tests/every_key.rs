//! Every key of the table, in every pane, where traces are smallest and at both ends of longer ones: no panic, and a
//! cursor that stays inside.

use super::fake::Fake;
use super::real::{header, write};
use super::{app_of, draw, viewer_of};
use crate::Opened;
use crate::app::App;
use crate::event_loop::translate;
use crate::focus::{Focus, Pane};
use crate::keys::BINDINGS;
use crate::panel::{Panel, PanelKind};
use crate::theme::Theme;
use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use forkpoint_replay::{Side, Timeline};
use forkpoint_traces::{EngineWords, MemoryIndex, Milestone, Outcome, TraceWriter};
use std::path::Path;

/// Everything that a terminal can send: all keys of the table, the wheel both ways, a click.
fn inputs() -> Vec<Event> {
    let keys = BINDINGS.iter().flat_map(|binding| binding.events()).map(Event::Key);
    let mouse = [MouseEventKind::ScrollDown, MouseEventKind::ScrollUp, MouseEventKind::Down(MouseButton::Left)];
    // Over the panes of events, of memory, and of code.
    let pointer = mouse.into_iter().flat_map(|kind| {
        [(5, 3), (5, 12), (5, 20), (60, 12)]
            .map(|(column, row)| Event::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }))
    });
    keys.chain(pointer).collect()
}

const PANES: [Pane; 6] = [Pane::Events, Pane::Memory, Pane::Wat, Pane::Native, Pane::Timeline, Pane::Panel];

/// Presses every input from a row, on a screen of this size.
fn press_all(app: &mut App, at: u64, size: (u16, u16)) {
    app.go_to(u64::MAX);
    draw(app, size.0, size.1);
    app.set_address(u64::MAX);
    // A cursor far up in memory as it is at the end, and one at its start.
    let addresses = [app.address, 0];
    for pane in PANES {
        for address in addresses {
            for input in inputs() {
                app.help = None;
                app.prompt = None;
                app.awaited = None;
                app.set_focus(Focus { pane, side: Side::Lhs });
                app.timeline = pane == Pane::Timeline;
                app.panel = (pane == Pane::Panel).then(|| Panel::new(PanelKind::Marks, String::new(), Vec::new()));
                if let Some(errand) = app.picture_due() {
                    let _ = app.run_here(&errand);
                }
                app.go_to(at);
                app.follow = false;
                draw(app, size.0, size.1);
                app.address = address;
                if let Some(action) = translate(app, &input) {
                    app.dispatch(action);
                }
                draw(app, size.0, size.1);
                let rows = app.outline.rows();
                assert!(app.row < rows.max(1), "row {} of {rows} after {input:?} at {at}", app.row);
            }
        }
    }
}

/// The first two and the last two rows.
fn ends(rows: u64) -> Vec<u64> {
    let mut ends = vec![0, 1, rows.saturating_sub(2), rows.saturating_sub(1)];
    ends.retain(|row| *row < rows.max(1));
    ends.dedup();
    ends
}

fn press_everywhere(mut app: App) {
    for at in ends(app.outline.rows()) {
        for size in [(80, 24), (20, 5)] {
            press_all(&mut app, at, size);
        }
    }
}

/// A trace of exactly these milestones.
fn trace(path: &Path, milestones: &[Milestone]) -> Opened {
    let mut writer =
        TraceWriter::create(path, &header(&[]), Vec::new().into(), Vec::new(), Vec::new()).expect("a trace");
    milestones.iter().for_each(|milestone| writer.milestone(milestone).expect("a milestone"));
    writer.finish(EngineWords::default()).expect("the end");
    Opened { name: "a.fpt".to_string(), timeline: Timeline::open(path).expect("the trace just written") }
}

fn invoke() -> Milestone {
    Milestone::Invoke { function: "run".to_string(), arguments: Vec::new() }
}

fn end() -> Milestone {
    Milestone::End { outcome: Outcome::Finished, memories: Vec::new(), globals: Vec::new(), tables: Vec::new() }
}

fn memory(pages: u64) -> Milestone {
    Milestone::Memory { memory: MemoryIndex(0), pages, page_size: 65536 }
}

#[test]
fn in_the_smallest_traces() {
    let folder = tempfile::tempdir().expect("a folder");
    let traces: [&[Milestone]; 6] =
        [&[], &[invoke()], &[invoke(), end()], &[memory(0), end()], &[invoke(), memory(1)], &[memory(1)]];
    for (number, milestones) in traces.into_iter().enumerate() {
        let path = |side: &str| folder.path().join(format!("{number}-{side}.fpt"));
        let (lhs, rhs) = (trace(&path("lhs"), milestones), trace(&path("rhs"), milestones));
        let rhs = number.is_multiple_of(2).then_some(rhs);
        press_everywhere(viewer_of(lhs, rhs, None).expect("traces of one module"));
    }
    // One side without an event.
    let (lhs, rhs) = (folder.path().join("none.fpt"), folder.path().join("some.fpt"));
    let pair = viewer_of(trace(&lhs, &[]), Some(trace(&rhs, &[memory(2), end()])), None);
    press_everywhere(pair.expect("two traces of one module"));
}

#[test]
fn at_both_ends_of_longer_traces() {
    let folder = tempfile::tempdir().expect("a folder");
    let open = |name: &str, wrong| {
        let path = folder.path().join(name);
        write(&path, wrong);
        Opened { name: name.to_string(), timeline: Timeline::open(&path).expect("the trace just written") }
    };
    let pair = viewer_of(open("a.fpt", None), Some(open("b.fpt", Some(500))), None);
    press_everywhere(pair.expect("two traces of one module"));
    press_everywhere(app_of(Fake::stopped(), Theme::new(true), None));
}

#[test]
fn a_page_on_before_memory_exists() {
    let folder = tempfile::tempdir().expect("a folder");
    for key in [KeyCode::PageDown, KeyCode::PageUp] {
        let run = trace(&folder.path().join("a.fpt"), &[invoke(), memory(1)]);
        let mut app = viewer_of(run, None, Some(1)).expect("one trace");
        draw(&mut app, 80, 24);
        app.set_address(u64::MAX);
        assert_eq!(app.address, 65535);
        app.set_focus(Focus { pane: Pane::Memory, side: Side::Lhs });
        app.go_to(0);
        draw(&mut app, 80, 24);
        let action = translate(&app, &Event::Key(KeyEvent::new(key, KeyModifiers::NONE)));
        app.dispatch(action.expect("a key of the table"));
        assert_eq!(app.address, 0);
        draw(&mut app, 80, 24);
    }
}
