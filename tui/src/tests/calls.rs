//! The call stack, the calls around the event, and steps by them.

use super::fake::{EVENTS, Fake};
use super::{act, draw, viewer};
use crate::action::{Action, CallMove};
use crate::app::App;
use crate::calls::CallService;
use crate::focus::Pane;
use crate::panel::PanelKind;
use crate::traces::Direction::{Backward, Forward};
use forkpoint_replay::CallSource;
use forkpoint_replay::{CallWindow, Side};
use forkpoint_traces::{CallStep, CallSteps, CodeOffset, FarStep, FuncIndex, Place, Position, WasmValue};
use insta::assert_snapshot;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many events a window of [`Told`] tells on each side.
const NEAR: u64 = 60;

/// Tells of a function that calls another one for each ten events, which calls a third for five of them.
pub(super) struct Told {
    pub(super) asked: AtomicU64,
    near: u64,
    refuses: bool,
    stops: bool,
    stops_far: bool,
}

impl Default for Told {
    fn default() -> Told {
        Told::near(NEAR)
    }
}

impl Told {
    fn near(near: u64) -> Told {
        Told { asked: AtomicU64::new(0), near, refuses: false, stops: false, stops_far: false }
    }
}

impl CallSource for Told {
    fn far_step(
        &self,
        _: Side,
        from: Position,
        step: FarStep,
        reached: &dyn Fn(Position) -> bool,
    ) -> Result<Option<Option<Position>>, String> {
        reached(from);
        Ok(match (self.stops_far, step) {
            (true, _) => None,
            (_, FarStep::Out) => Some(None),
            (_, FarStep::Over) => Some(Some(Position(EVENTS - 1))),
            (_, FarStep::OverBack) => Some(Some(Position(1))),
        })
    }

    fn calls(
        &self,
        _: Side,
        around: Position,
        reached: &dyn Fn(Position) -> bool,
    ) -> Result<Option<CallWindow>, String> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        reached(around);
        if self.refuses {
            return Err("run again under wasmi\x1b[2J, it does something else from #7 on".to_string());
        }
        if self.stops {
            return Ok(None);
        }
        let covers = Position(around.0.saturating_sub(self.near))..Position((around.0 + self.near).min(EVENTS + 10));
        let enter = |func: u32, depth: u32, offset: u32| CallStep::Enter {
            func: FuncIndex(func),
            depth,
            caller: Some(Place { func: FuncIndex(func.saturating_sub(1)), offset: Some(CodeOffset(offset)) }),
        };
        let mut steps = Vec::new();
        for at in (0..covers.end.0).step_by(10) {
            steps.push((at, enter(3, 1, 0x80)));
            steps.push((at, CallStep::Argument(WasmValue::I32(at as i32))));
            steps.push((at + 3, enter(4, 2, 0x1b2)));
            steps.push((at + 3, CallStep::Argument(WasmValue::F64(0.5f64.to_bits()))));
            steps.push((at + 8, CallStep::Leave { depth: 2 }));
            steps.push((at + 9, CallStep::Result(WasmValue::I64(-7))));
            steps.push((at + 9, CallStep::Leave { depth: 1 }));
        }
        let steps = steps.into_iter().filter(|(at, _)| (covers.start.0..covers.end.0).contains(at));
        let mut active = vec![(Position(0), enter(2, 0, 0)), (Position(0), CallStep::Argument(WasmValue::I32(400)))];
        let (tens, within) = (covers.start.0 / 10 * 10, covers.start.0 % 10);
        active.extend((1..9).contains(&within).then(|| (Position(tens), enter(3, 1, 0x80))));
        active.extend((4..8).contains(&within).then(|| (Position(tens + 3), enter(4, 2, 0x1b2))));
        Ok(Some(CallWindow::new(CallSteps {
            active,
            steps: steps.map(|(at, step)| (Position(at), step)).collect(),
            covers,
            ..CallSteps::default()
        })))
    }
}

fn asking(fake: Fake, start: u64, told: Told) -> (App, Arc<Told>) {
    let mut app = viewer(fake, Some(start));
    let told = Arc::new(told);
    app.calls.service = Some(CallService(Arc::clone(&told) as Arc<dyn CallSource>));
    (app, told)
}

fn lines(app: &App) -> Vec<&str> {
    app.panel.as_ref().map_or(Vec::new(), |panel| panel.lines.iter().map(|line| line.text.as_str()).collect())
}

#[test]
fn the_pane_at_every_size() {
    for (width, height) in [(80, 24), (120, 40), (200, 60)] {
        let (mut app, _) = asking(Fake::pair(), 125, Told::default());
        act(&mut app, &[Action::Panel(PanelKind::Calls)]);
        assert_snapshot!(format!("calls_known_{width}x{height}"), draw(&mut app, width, height));
    }
}

#[test]
fn calls_are_asked_for_once_and_lead_to_where_they_began() {
    let (mut app, told) = asking(Fake::single(), 105, Told::default());
    act(&mut app, &[Action::Panel(PanelKind::Calls)]);
    assert_eq!((told.asked.load(Ordering::Relaxed), app.focus.pane), (1, Pane::Panel));
    let shown = lines(&app);
    assert!(shown[0].contains("f64 0.5") && shown[0].contains("since #103"), "{shown:?}");
    assert!(shown[1].contains("i32 100") && shown[1].contains("at 0x1b2"), "{shown:?}");
    assert!(shown.iter().any(|line| line.starts_with('*') && line.contains("#103")), "{shown:?}");
    assert!(shown.iter().any(|line| line.contains("-> i64 -7  until #119")), "{shown:?}");
    act(&mut app, &[Action::Line(Forward), Action::Choose]);
    assert_eq!(app.row, 100);
    // Steps inside of what is known ask for nothing, and the pane goes along.
    act(&mut app, &[Action::Step, Action::Step]);
    assert!(lines(&app)[0].contains("i32 100"));
    assert_eq!(told.asked.load(Ordering::Relaxed), 1);
    // Far away it is not known, until asked for.
    act(&mut app, &[Action::Last]);
    assert!(lines(&app)[0].contains("not known yet"), "{:?}", lines(&app));
    act(&mut app, &[Action::Choose]);
    assert_eq!(told.asked.load(Ordering::Relaxed), 2);
    assert!(lines(&app).len() > 3);
    act(&mut app, &[Action::Panel(PanelKind::Calls)]);
    assert!(app.panel.is_none());
}

#[test]
fn steps_go_over_calls_and_out_of_functions() {
    let (mut app, told) = asking(Fake::single(), 102, Told::default());
    let call = |step, direction| Action::Call(step, direction);
    let steps = [
        // What function 4 does is passed over, and so is what function 3 calls next.
        (call(CallMove::Over, Forward), 108),
        (call(CallMove::Over, Forward), 109),
        (call(CallMove::Over, Backward), 99),
        (Action::Step, 100),
        (call(CallMove::Over, Forward), 101),
        (call(CallMove::Out, Forward), 109),
        (Action::StepBack, 108),
        (Action::StepBack, 107),
        (call(CallMove::Out, Forward), 108),
        (call(CallMove::Out, Backward), 99),
    ];
    for (action, row) in steps {
        act(&mut app, &[action]);
        assert_eq!((app.row, app.message.as_deref()), (row, None), "{action:?}");
    }
    assert_eq!(told.asked.load(Ordering::Relaxed), 1);
    // The outermost function does not return, as another run shows.
    act(&mut app, &[call(CallMove::Out, Forward)]);
    assert_eq!((app.row, app.message.as_deref()), (99, Some("there is no such event up to the end")));
    assert_eq!(told.asked.load(Ordering::Relaxed), 1);
}

#[test]
fn steps_lead_beyond_what_is_known() {
    let call = |direction| Action::Call(CallMove::Over, direction);
    // What is known ends in the midst of calls, or begins there.
    let steps = [(Told::near(6), 102, Forward, EVENTS - 1), (Told::near(3), 108, Backward, 1)];
    for (told, from, direction, row) in steps {
        let (mut app, _) = asking(Fake::single(), from, told);
        act(&mut app, &[call(direction)]);
        assert_eq!((app.row, app.message.as_deref()), (row, None), "from {from}");
    }
    let stops = Told { stops_far: true, ..Told::near(6) };
    let (mut app, _) = asking(Fake::single(), 102, stops);
    act(&mut app, &[call(Forward)]);
    assert_eq!((app.row, app.message.as_deref()), (102, Some("stopped")));
    assert!(app.window_here().is_some(), "the calls are known all the same");
}

#[test]
fn the_pane_says_why_there_are_none() {
    let mut app = viewer(Fake::single(), Some(5));
    act(&mut app, &[Action::Panel(PanelKind::Calls)]);
    assert_eq!(lines(&app), ["a trace has no calls, and nothing here can run the recording again for them"]);
    act(&mut app, &[Action::Call(CallMove::Over, Forward)]);
    assert_eq!(app.message.as_deref(), Some("nothing here can run the recording again"));

    let (mut app, _) = asking(Fake::single(), 5, Told { refuses: true, ..Told::default() });
    act(&mut app, &[Action::Panel(PanelKind::Calls)]);
    assert_eq!(lines(&app), ["run again under wasmi\\u{1b}[2J, it does something else from #7 on"]);

    let (mut app, _) = asking(Fake::single(), 5, Told { stops: true, ..Told::default() });
    act(&mut app, &[Action::Call(CallMove::Out, Forward)]);
    assert_eq!((app.row, app.message.as_deref()), (5, Some("stopped")));
}
