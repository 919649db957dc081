//! How long a key takes until the frame that answers it is whole, on traces that `FORKPOINT_LATENCY` names, one or two.

use super::{draw, viewer_of};
use crate::Opened;
use crate::action::{Action, PromptKind};
use crate::app::App;
use crate::errand::Aim;
use crate::panel::PanelKind;
use crate::traces::Alike;
use crate::traces::Direction::{Backward, Forward};
use forkpoint_replay::Timeline;
use std::time::Instant;
use tui_input::InputRequest;

/// Everything between a key and its frame: the action, its errand, memory at the new place, and the frame.
fn answer(app: &mut App, act: impl FnOnce(&mut App)) -> f64 {
    let begun = Instant::now();
    act(app);
    if app.is_far() {
        app.run_here(&app.errand(Aim::Travel)).expect("a whole trace");
    }
    draw(app, 120, 40);
    begun.elapsed().as_secs_f64() * 1e3
}

fn ask(app: &mut App, kind: PromptKind, text: &str) {
    app.dispatch(Action::Prompt(kind));
    text.chars().for_each(|c| app.dispatch(Action::Edit(InputRequest::InsertChar(c))));
    app.dispatch(Action::Submit);
}

#[test]
#[ignore = "needs traces: FORKPOINT_LATENCY='lhs.fpt rhs.fpt' cargo test --workspace --lib -- --ignored --nocapture latency"]
fn latency_from_key_to_frame() {
    let named = std::env::var("FORKPOINT_LATENCY").expect("FORKPOINT_LATENCY names one trace or two");
    let mut paths = named.split_whitespace();
    let mut open = || {
        paths
            .next()
            .map(|path| Opened { name: path.to_string(), timeline: Timeline::open(path.as_ref()).expect("a trace") })
    };
    let (lhs, rhs) = (open().expect("a trace"), open());
    let begun = Instant::now();
    let mut app = viewer_of(lhs, rhs, None).expect("they belong together");
    draw(&mut app, 120, 40);
    println!("| first screen | {:.0} |", begun.elapsed().as_secs_f64() * 1e3);
    while app.outline.is_loading() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    println!("| debug information, on its own thread | {:.0} |", begun.elapsed().as_secs_f64() * 1e3);
    let rows = app.outline.rows();
    let report = |what: &str, mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        println!("| {what} | {:.1} | {:.1} |", times[times.len() / 2], times[times.len() - 1]);
    };
    let rounds = 50;
    let mut random = super::smoke::Random(3);
    // Each question from another place in the run.
    let mut places = || (0..rounds).map(|_| random.below(rows)).collect::<Vec<_>>();
    let mut each = |app: &mut App, action: Action| -> Vec<f64> {
        let mut times = Vec::new();
        for row in places() {
            answer(app, |app| app.go_to(row));
            times.push(answer(app, |app| app.dispatch(action)));
        }
        times
    };
    report("step", each(&mut app, Action::Step));
    report("back", each(&mut app, Action::StepBack));
    report("next event of the same instruction", each(&mut app, Action::Alike(Alike::Site, Forward)));
    report("next event of the same function", each(&mut app, Action::Alike(Alike::Function, Forward)));
    report("next event of the same page", each(&mut app, Action::Alike(Alike::Page, Forward)));
    report("last writer of the byte under the cursor", each(&mut app, Action::Writer(Backward)));
    report("next writer", each(&mut app, Action::Writer(Forward)));
    app.query = None;
    report("next mismatch", each(&mut app, Action::Match(Forward)));
    report("first divergence", each(&mut app, Action::Divergence));
    let mut times = Vec::new();
    let mut random = super::smoke::Random(9);
    for _ in 0..rounds {
        let percent = random.below(100);
        times.push(answer(&mut app, |app| ask(app, PromptKind::Position, &format!("{percent}%"))));
    }
    report("go to a fraction", times);
    let searches = [
        (
            "an expression that the site table excludes",
            PromptKind::Search,
            "op == i8x16.add || func == no_such_function",
        ),
        (
            "an expression without a hit: addresses",
            PromptKind::Search,
            "addr in 0xfff0..0xfff1 && value == 123456789",
        ),
        ("an expression without a hit: all values", PromptKind::Search, "value == 0x1234567890abcdef"),
        ("a text without a hit", PromptKind::Search, "no such text"),
        ("bytes that never stand in memory", PromptKind::Appearance, "\"no such bytes, surely\""),
    ];
    for (what, kind, text) in searches {
        app.go_to(0);
        draw(&mut app, 120, 40);
        report(what, vec![answer(&mut app, |app| ask(app, kind, text))]);
        app.dispatch(Action::Close);
    }
    if app.outline.is_pair() {
        report(
            "list of divergences",
            vec![answer(&mut app, |app| app.dispatch(Action::Panel(PanelKind::Divergences)))],
        );
    }
    report("list of host calls", vec![answer(&mut app, |app| app.dispatch(Action::Panel(PanelKind::HostCalls)))]);
}
