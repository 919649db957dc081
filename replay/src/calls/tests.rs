use super::*;
use forkpoint_traces::CodeOffset;

const fn enter(func: u32, depth: u32) -> CallStep {
    CallStep::Enter { func: FuncIndex(func), depth, caller: None }
}

/// Steps of `0(1(2) 1(2 tail-calls 3))`, with events in between.
fn told() -> CallSteps {
    let value = |value| CallStep::Result(WasmValue::I32(value));
    let leave = |depth| CallStep::Leave { depth };
    let steps = vec![
        (1, enter(0, 0)),
        (1, CallStep::Argument(WasmValue::I32(7))),
        (1, CallStep::FrameBase(64)),
        (3, enter(1, 1)),
        (4, enter(2, 2)),
        (4, CallStep::FrameBase(48)),
        (6, value(5)),
        (6, leave(2)),
        (8, value(6)),
        (8, leave(1)),
        (9, enter(1, 1)),
        (9, enter(2, 2)),
        (10, leave(2)),
        (10, enter(3, 2)),
        (12, leave(2)),
        (12, leave(1)),
        (14, value(9)),
        (14, leave(0)),
    ];
    let steps = steps.into_iter().map(|(at, step)| (Position(at), step)).collect();
    CallSteps { steps, covers: Position(0)..Position(16), whole: true, ..CallSteps::default() }
}

fn functions(window: &CallWindow, at: u64) -> Vec<u32> {
    window.stack(Position(at)).expect("inside").iter().map(|activation| activation.func.0).collect()
}

#[test]
fn stacks_are_those_of_the_events() {
    let window = CallWindow::new(told());
    let expected: [(u64, &[u32]); 10] = [
        (0, &[]),
        (1, &[0]),
        (2, &[0]),
        (3, &[0, 1]),
        (5, &[0, 1, 2]),
        (7, &[0, 1]),
        (8, &[0]),
        (9, &[0, 1, 2]),
        (11, &[0, 1, 3]),
        (15, &[]),
    ];
    for (at, functions_there) in expected {
        assert_eq!(functions(&window, at), functions_there, "#{at}");
        assert_eq!(window.depth(Position(at)), Some(functions_there.len() as u64));
    }
    assert_eq!(window.stack(Position(16)), None);
    let stack = window.stack(Position(5)).expect("inside");
    assert_eq!(stack[0].arguments, [WasmValue::I32(7)]);
    assert_eq!(stack.iter().map(|one| one.frame_base).collect::<Vec<_>>(), [Some(64), None, Some(48)]);
    assert_eq!(stack.iter().map(|one| one.left.map(|at| at.0)).collect::<Vec<_>>(), [Some(14), Some(8), Some(6)]);
    assert_eq!(stack[2].results, [WasmValue::I32(5)]);
    // What calls in its place has no result.
    let replaced = window.stack(Position(9)).expect("inside");
    assert_eq!((replaced[2].results.as_slice(), replaced[2].left), (&[][..], Some(Position(10))));
}

/// Steps over and out, both ways, against what a look at each event says.
#[test]
fn steps_over_and_out_agree_with_the_stacks() {
    let window = CallWindow::new(told());
    let ids = |at: u64| -> Vec<usize> {
        window.stack(Position(at)).expect("inside").iter().map(|activation| activation.id).collect()
    };
    for at in 0..16 {
        let here = ids(at);
        let over = |other: &u64| here.starts_with(&ids(*other));
        assert_eq!(window.step_over(Position(at)).map(|at| at.0), (at + 1..16).find(over), "over from #{at}");
        assert_eq!(window.step_over_back(Position(at)).map(|at| at.0), (0..at).rev().find(over), "back from #{at}");
        let out = |other: &u64| here.last().is_some_and(|innermost| !ids(*other).contains(innermost));
        assert_eq!(window.step_out(Position(at)).map(|at| at.0), (at + 1..16).find(out), "out from #{at}");
        assert_eq!(window.step_out_back(Position(at)).map(|at| at.0), (0..at).rev().find(out), "out back #{at}");
    }
}

#[test]
fn a_window_begins_with_what_is_active() {
    let CallSteps { steps, .. } = told();
    let active = steps[..6].iter().filter(|(_, step)| !matches!(step, CallStep::Result(_))).cloned().collect();
    let told =
        CallSteps { active, steps: steps[6..].to_vec(), covers: Position(5)..Position(16), ..CallSteps::default() };
    let window = CallWindow::new(told);
    assert_eq!(functions(&window, 5), [0, 1, 2]);
    assert_eq!(window.stack(Position(4)), None);
    assert_eq!(window.step_over(Position(5)), Some(Position(6)));
    assert_eq!(window.step_over_back(Position(5)), None);
    assert_eq!(window.step_out_back(Position(5)), Some(Position(3)));
    let (tree, innermost) = window.tree(Position(7), 2).expect("inside");
    assert_eq!(tree.iter().map(|one| one.func.0).collect::<Vec<_>>(), [0, 1, 1, 2]);
    assert_eq!(innermost, Some(1));
}

#[test]
fn an_exception_ends_what_is_above_its_handler() {
    let steps = [
        (0, enter(0, 0)),
        (1, enter(1, 1)),
        (2, enter(2, 2)),
        (3, CallStep::Back { depth: 0 }),
        (5, CallStep::Leave { depth: 0 }),
    ];
    let steps = steps.into_iter().map(|(at, step)| (Position(at), step)).collect();
    let window =
        CallWindow::new(CallSteps { steps, covers: Position(0)..Position(6), whole: true, ..CallSteps::default() });
    assert_eq!([1, 2, 3, 4, 5].map(|at| functions(&window, at).len()), [2, 3, 1, 1, 0]);
    assert_eq!(window.stack(Position(2)).expect("inside")[1].left, Some(Position(3)));
}

#[test]
fn of_a_deep_stack_both_ends_are_shown() {
    let steps: Vec<_> = (0..100_000).map(|depth| (Position(depth), enter(depth as u32, depth as u32))).collect();
    let told = CallSteps { steps, covers: Position(0)..Position(100_001), whole: true, ..CallSteps::default() };
    let window = CallWindow::new(told);
    let (ends, missing) = window.ends_of_stack(Position(99_999), 2).expect("inside");
    assert_eq!(ends.iter().map(|one| one.func.0).collect::<Vec<_>>(), [0, 1, 99_998, 99_999]);
    assert_eq!(missing, 99_996);
}

#[test]
fn what_was_too_deep_to_be_known_counts() {
    let steps = vec![(Position(7), CallStep::Leave { depth: 3 }), (Position(9), CallStep::Leave { depth: 1 })];
    let active = vec![(Position(1), enter(0, 0)), (Position(2), enter(1, 1))];
    let told = CallSteps { active, unknown: 3, steps, covers: Position(5)..Position(20), whole: false };
    let window = CallWindow::new(told);
    assert_eq!([5, 7, 9].map(|at| window.depth(Position(at))), [Some(5), Some(3), Some(1)]);
    assert_eq!(window.ends_of_stack(Position(5), 8).map(|(stack, missing)| (stack.len(), missing)), Some((2, 3)));
    assert_eq!(window.step_out(Position(5)), None);
}

/// 0 calls 1, which 2 replaces, which 3 replaces.
#[test]
fn what_replaces_another_knows_the_call_that_began_it() {
    let place = |func: u32, offset: u32| Some(Place { func: FuncIndex(func), offset: Some(CodeOffset(offset)) });
    let by = |func: u32, depth: u32, caller| CallStep::Enter { func: FuncIndex(func), depth, caller };
    let leave = || CallStep::Leave { depth: 1 };
    let steps = [enter(0, 0), by(1, 1, place(0, 5)), leave(), by(2, 1, place(1, 6)), leave(), by(3, 1, place(2, 7))];
    let after = [leave(), by(3, 1, place(0, 9))];
    let steps = steps.into_iter().map(|step| (Position(1), step));
    let steps = steps.chain(after.into_iter().map(|step| (Position(2), step))).collect();
    let window =
        CallWindow::new(CallSteps { steps, covers: Position(0)..Position(4), whole: true, ..CallSteps::default() });
    let inner = |at| window.stack(Position(at)).expect("inside").pop().expect("active");
    assert_eq!((inner(1).caller, inner(1).first_call), (place(2, 7), place(0, 5)));
    // A call of its own, at the same place and depth.
    assert_eq!((inner(2).caller, inner(2).first_call), (place(0, 9), None));
}
