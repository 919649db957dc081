//! Lists of places, watches, events passed over, bytes searched for, and what leaves the viewer.

use super::fake::{DIVERGENCE, Fake};
use super::smoke::PANELS;
use super::{act, ask, draw, viewer, viewer_of};
use crate::Opened;
use crate::action::{Action, Excerpt, PromptKind};
use crate::app::App;
use crate::calls::LoadService;
use crate::focus::Pane;
use crate::outgoing::Destination;
use crate::panel::PanelKind;
use crate::traces::Direction::{Backward, Forward};
use forkpoint_replay::{LoadSource, Side, SourceFiles, Timeline};
use forkpoint_traces::{Loads, Position};
use insta::assert_snapshot;
use std::sync::Arc;

fn shown(app: &mut App) -> String {
    draw(app, 100, 40).to_string()
}

/// Both samples of a module.
fn samples_of(module: &str) -> App {
    let open = |name: &str| {
        let path = format!("../traces/samples/{name}");
        Opened { name: name.to_string(), timeline: Timeline::open(path.as_ref()).expect("a sample") }
    };
    let [lhs, rhs] = ["jit", "portable"].map(|side| open(&format!("{module}-{side}.fpt")));
    let mut app = viewer_of(lhs, Some(rhs), None).expect("a pair");
    while app.outline.is_loading() {
        std::thread::yield_now();
    }
    draw(&mut app, 100, 40);
    app
}

fn samples() -> App {
    samples_of("orbit")
}

/// A pair in which a list has much to show.
fn telling(kind: PanelKind) -> App {
    match kind {
        PanelKind::Why => {
            let mut app = samples_of("checksum");
            ask(&mut app, PromptKind::Position, "190");
            draw(&mut app, 100, 40);
            ask(&mut app, PromptKind::Address, "460");
            app
        }
        PanelKind::Source => {
            let mut app = samples_of("checksum");
            app.sources = SourceFiles::new(["../examples".as_ref()]).expect("a folder");
            app
        }
        _ => {
            let mut app = viewer(Fake::pair(), None);
            act(&mut app, &[Action::Mark('a'), Action::Step, Action::Mark('b')]);
            ask(&mut app, PromptKind::Watch, "addr == 0xa400 && value == 7");
            app
        }
    }
}

#[test]
fn every_list_at_every_size() {
    for (width, height) in [(80, 24), (120, 40), (200, 60)] {
        for kind in PANELS {
            let mut app = telling(kind);
            app.panel = None;
            act(&mut app, &[Action::Panel(kind)]);
            let name = format!("{}_{width}x{height}", kind.word().replace(' ', "_"));
            assert_snapshot!(name, draw(&mut app, width, height));
        }
    }
}

#[test]
fn a_line_leads_to_its_event_and_a_list_closes_again() {
    let mut app = viewer(Fake::pair(), Some(3));
    act(&mut app, &[Action::Panel(PanelKind::Divergences)]);
    assert_eq!(app.focus.pane, Pane::Panel);
    let lines = app.panel.as_ref().map_or(0, |panel| panel.lines.len());
    assert!(lines > 1, "the divergence, and the events that one side lacks");
    act(&mut app, &[Action::Choose]);
    assert_eq!(app.row, DIVERGENCE);
    act(&mut app, &[Action::Line(Forward), Action::Choose]);
    assert!(app.row > DIVERGENCE);
    act(&mut app, &[Action::Jump(Backward), Action::Jump(Backward)]);
    assert_eq!(app.row, 3, "lists lead by jumps, from which there is a way back");
    act(&mut app, &[Action::Panel(PanelKind::Divergences)]);
    assert!(app.panel.is_none() && app.focus.pane == Pane::Events);
}

#[test]
fn a_single_trace_has_no_differences_to_list() {
    let mut app = viewer(Fake::single(), None);
    for kind in [PanelKind::Divergences, PanelKind::Why] {
        act(&mut app, &[Action::Panel(kind)]);
        assert!(
            app.panel.is_none() && app.message.as_ref().is_some_and(|message| message.contains("one trace alone"))
        );
    }
}

#[test]
fn watches_stop_both_ways_and_show_what_memory_holds() {
    let mut app = samples();
    ask(&mut app, PromptKind::Watch, "addr in 0x10..0x14 && kind == store");
    ask(&mut app, PromptKind::Watch, "kind == nonsense");
    assert!(app.message.as_ref().is_some_and(|message| message.contains("no kind of event at column 9")));
    act(&mut app, &[Action::Close, Action::First, Action::Run(Forward), Action::Run(Forward)]);
    assert_eq!(app.row, 9);
    assert!(shown(&mut app).contains("lhs f1 d4 a3 bc  rhs f1 d4 a3 bc"), "{}", shown(&mut app));
    act(&mut app, &[Action::Run(Backward)]);
    assert_eq!(app.row, 6);
    act(&mut app, &[Action::Run(Backward), Action::Run(Backward)]);
    assert!(
        app.message.as_ref().is_some_and(|message| message.contains("no earlier event in lhs that a watch stops at"))
    );
    act(&mut app, &[Action::Unwatch, Action::Run(Forward)]);
    assert!(app.message.as_ref().is_some_and(|message| message.contains("nothing to stop at")));
}

#[test]
fn mismatches_pass_over_what_is_ignored() {
    let mut app = samples();
    act(&mut app, &[Action::First, Action::Match(Forward)]);
    assert_eq!(app.row, 12);
    ask(&mut app, PromptKind::Ignore, "pos == 12");
    act(&mut app, &[Action::First, Action::Match(Forward)]);
    assert!(app.row > 12, "{}", app.row);
    assert!(shown(&mut app).contains("value at #12 (mismatches passed over)"));
    act(&mut app, &[Action::Panel(PanelKind::Divergences), Action::Choose]);
    assert!(shown(&mut app).contains("besides pos == 12"));
    act(&mut app, &[Action::IgnoreNothing, Action::First, Action::Match(Forward)]);
    assert_eq!(app.row, 12);
}

#[test]
fn expressions_and_bytes_are_searched_for() {
    let mut app = samples();
    ask(&mut app, PromptKind::Search, "site == 0x75 && pos > 100");
    assert_eq!(app.row, 102);
    act(&mut app, &[Action::Match(Backward)]);
    assert!(
        app.message.as_ref().is_some_and(|message| message.contains("no earlier site == 0x75 && pos > 100 in lhs"))
    );
    ask(&mut app, PromptKind::Appearance, "f1d4a3");
    assert_eq!((app.row, app.address), (9, 0x10));
    ask(&mut app, PromptKind::Bytes, "b9 9f 3d");
    assert_eq!(app.address, 0x15);
    ask(&mut app, PromptKind::Bytes, "\"nowhere\"");
    assert!(app.message.as_ref().is_some_and(|message| message.contains("stand nowhere in memory 0 here")));
}

#[test]
fn a_difference_is_explained_at_the_cursor() {
    let mut app = samples();
    act(&mut app, &[Action::Panel(PanelKind::Why)]);
    let screen = shown(&mut app);
    assert!(screen.contains("16 bytes at 0x10: asked about"), "{screen}");
    assert!(screen.contains("the first divergence: before it the runs are equal"), "{screen}");
    ask(&mut app, PromptKind::Address, "40");
    act(&mut app, &[Action::Panel(PanelKind::Why)]);
    assert!(app.message.as_ref().is_some_and(|message| message.contains("equal on both sides")), "{:?}", app.message);
}

/// Tells of no loads, or says why not, or is stopped.
struct Loading(Result<Option<Loads>, String>);

impl LoadSource for Loading {
    fn loads(&self, _: Side, before: Position, reached: &dyn Fn(Position) -> bool) -> Result<Option<Loads>, String> {
        reached(before);
        self.0.clone()
    }
}

/// The list of why a value differs, in a viewer that can ask for loads.
fn explaining(told: Result<Option<Loads>, String>) -> App {
    let mut app = telling(PanelKind::Why);
    app.loads = Some(LoadService(Arc::new(Loading(told))));
    act(&mut app, &[Action::Panel(PanelKind::Why)]);
    app
}

#[test]
fn the_list_of_why_offers_to_ask_for_loads() {
    for (width, height) in [(80, 24), (120, 40), (200, 60)] {
        let mut app = explaining(Ok(Some(Loads { loads: Vec::new(), from: Position(0) })));
        // To the last line, which asks.
        act(&mut app, &[Action::Line(Forward); 100]);
        assert_snapshot!(format!("why_offers_{width}x{height}"), draw(&mut app, width, height));
        act(&mut app, &[Action::Choose]);
        assert_snapshot!(format!("why_by_loads_{width}x{height}"), draw(&mut app, width, height));
    }
}

#[test]
fn loads_that_are_not_known_are_a_note() {
    let mut app = explaining(Err("run again, it does something else\x1b[2J".to_string()));
    act(&mut app, &[Action::WhyByLoads]);
    let screen = shown(&mut app);
    assert!(
        screen.contains("by stores alone") && screen.contains("lhs: run again, it does something else"),
        "{screen}"
    );
    assert!(!screen.contains('\x1b'));
    let mut app = explaining(Ok(None));
    act(&mut app, &[Action::WhyByLoads]);
    assert_eq!(app.message.as_deref(), Some("stopped"));
    // Nothing can run again here.
    app.loads = None;
    act(&mut app, &[Action::WhyByLoads]);
    assert_eq!(app.message.as_deref(), Some(crate::more_events::NO_RERUNS));
}

#[test]
fn source_is_read_from_allowed_folders_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let text: String = (1..40).map(|line| format!("line {line};\tend \u{1b}[2J\n")).collect();
    std::fs::write(folder.path().join("mix.c"), text).expect("a file");
    let mut app = viewer(Fake::pair(), Some(2));
    act(&mut app, &[Action::Panel(PanelKind::Source)]);
    assert!(shown(&mut app).contains("/build/mix.c is not read: allow its folder with --source DIR"));
    app.sources = SourceFiles::new([folder.path()]).expect("a folder");
    let screen = shown(&mut app);
    assert!(
        screen.contains("source  mix mix.c:14") && screen.contains(">14  line 14;    end \\u{1b}[2J"),
        "{screen}"
    );
    assert_eq!(app.focus.pane, Pane::Events, "the events are walked through, and the source follows");
}

#[test]
fn panes_grow_and_shrink() {
    let mut app = samples();
    let before = app.areas;
    act(&mut app, &[Action::Resize(Forward), Action::Resize(Forward)]);
    draw(&mut app, 100, 40);
    assert_eq!(app.areas.events[0].height, before.events[0].height + 2);
    assert_eq!(app.areas.memory[0].height, before.memory[0].height - 2);
    for _ in 0..300 {
        act(&mut app, &[Action::Resize(Backward)]);
    }
    draw(&mut app, 100, 40);
    assert!(app.areas.events[0].height >= 2);
}

#[test]
fn what_leaves_is_text_without_control_characters() {
    let mut app = samples();
    act(&mut app, &[Action::Copy(Excerpt::Events)]);
    let outgoing = app.outgoing.take().expect("it waits for the next frame");
    assert_eq!((outgoing.excerpt, outgoing.to), (Excerpt::Events, Destination::Clipboard));
    let text = app.excerpt(Excerpt::Events, "");
    assert!(text.contains("       #12  v128.store [0x00000010] <- 2b ba f5 bc"), "{text}");
    assert!(text.contains("  in step at 0x75\n") && !text.contains('\u{1b}'), "{text}");
}

#[test]
fn marks_watches_and_layout_outlive_a_session() {
    let mut app = samples();
    act(&mut app, &[Action::Mark('a'), Action::Resize(Forward)]);
    ask(&mut app, PromptKind::Watch, "addr == 0x10 && value > 1");
    ask(&mut app, PromptKind::Ignore, "pos == 12");
    let kept = app.kept();
    assert_eq!(kept, "mark a 12\nwatch addr == 0x10 && value > 1\nignore pos == 12\nsizes 0 0 -1 0\n");
    let mut again = samples();
    again.take_kept(&kept);
    assert_eq!(again.kept(), kept);
    assert_eq!(again.jumps.marked('a'), Some(12));
    let mut wrong = samples();
    wrong.take_kept("mark a 99999\nmark \u{1b} 1\nsizes 1\nwatch kind\nfly\nmark b 3\n");
    assert_eq!(wrong.kept(), "mark b 3\n");
    assert!(wrong.message.as_ref().is_some_and(|message| message.starts_with("5 lines")), "{:?}", wrong.message);
}

#[test]
fn themes_have_names() {
    let mut app = viewer(Fake::pair(), None);
    ask(&mut app, PromptKind::Theme, "pink");
    assert!(app.message.as_ref().is_some_and(|message| message.contains("expected dark, light, safe or none")));
    act(&mut app, &[Action::Close]);
    ask(&mut app, PromptKind::Theme, "safe");
    assert!(app.prompt.is_none());
}
