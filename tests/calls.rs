//! `forkpoint calls`: which functions were active at an event, by a rerun.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;

use forkpoint_compare::{CompareError, calls_around, far_step};
use forkpoint_replay::{CallWindow, Timeline};
use forkpoint_tracer::{EngineSpec, HostSource, Imports, Program, Request};
use forkpoint_traces::{Event, FarStep, MemoryIndex, Position};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;

/// A function calls itself so many times, and the innermost one stores.
const DEEP: &str = r#"(module (memory 1)
  (func $down (param $left i32) (result i32)
    (if (i32.eqz (local.get $left)) (then (i32.store (i32.const 0) (i32.const 1)) (return (i32.const 0))))
    (i32.add (call $down (i32.sub (local.get $left) (i32.const 1))) (i32.const 1)))
  (func (export "run") (param i32) (result i32) (call $down (local.get 0))))"#;

/// Functions that call each other at random and keep their own stack in memory: its depth at 0, a number for each of them from 16
/// on. What they store at 8 tells a value of their own.
fn random_calls() -> String {
    let function = |number: u32| {
        format!(
            r#"(func $f{number} (type $called) (local $i i32)
              (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
              (i32.store (i32.add (i32.const 16) (i32.mul (i32.load (i32.const 0)) (i32.const 4))) (i32.const {number}))
              (block $done (loop $again
                (br_if $done (i32.eqz (global.get $left)))
                (br_if $done (i32.ge_u (i32.load (i32.const 0)) (i32.const 60)))
                (global.set $left (i32.sub (global.get $left) (i32.const 1)))
                (drop (call_indirect (type $called) (local.get $i) (i32.rem_u (call $next) (i32.const 3))))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (i32.store (i32.const 8) (local.get $i))
                (br_if $again (i32.rem_u (call $next) (i32.const 7)))))
              (i32.store (i32.const 0) (i32.sub (i32.load (i32.const 0)) (i32.const 1)))
              (local.get 0))"#
        )
    };
    let functions: String = (0..3).map(function).collect();
    format!(
        r#"(module (memory 1)
          (type $called (func (param i32) (result i32)))
          (table funcref (elem $f0 $f1 $f2))
          (global $seed (mut i32) (i32.const 99))
          (global $left (mut i32) (i32.const 0))
          {functions}
          (func $next (result i32)
            (global.set $seed (i32.add (i32.mul (global.get $seed) (i32.const 1103515245)) (i32.const 12345)))
            (i32.shr_u (global.get $seed) (i32.const 16)))
          (func (export "run") (param i32)
            (global.set $left (local.get 0))
            (loop $again (drop (call $f0 (i32.const 77))) (br_if $again (global.get $left)))))"#
    )
}

/// Records a module, and prepares its rerun under another engine.
fn recorded(folder: &Path, text: &str, call: &str, engines: [&str; 2]) -> (Timeline, Program, Request) {
    let program =
        Program::new("guest.wat", wat::parse_str(text).unwrap(), &[call.parse().unwrap()], &Imports::default())
            .unwrap();
    let [first, again] = engines.map(|engine| engine.parse::<EngineSpec>().unwrap());
    let file = folder.join("recording.fpt");
    let request = Request { executable: common::FORKPOINT.into(), ..Request::new(first, file.clone()).unwrap() };
    program.record(&request, &mut |_, _| {}).unwrap();
    let recording = Timeline::open(&file).unwrap();
    let program = Program::recorded(recording.trace()).unwrap();
    let request = Request { engine: again, output: folder.join("again.fpt"), host: HostSource::Log(file), ..request };
    (recording, program, request)
}

/// The functions on the guest's own stack before the event at a position.
fn own_stack(recording: &mut Timeline, at: Position) -> Vec<u32> {
    recording.seek(at).unwrap();
    let word = |address: u64| {
        let mut bytes = [0; 4];
        recording.memory().read(MemoryIndex(0), address, &mut bytes);
        u32::from_le_bytes(bytes)
    };
    (1..=u64::from(word(0))).map(|depth| word(16 + depth * 4)).collect()
}

#[test]
fn stacks_are_those_that_the_guest_keeps() {
    for engine in ["wasmtime:jit", "wasmi"] {
        let folder = tempfile::tempdir().unwrap();
        let (mut recording, program, request) =
            recorded(folder.path(), &random_calls(), "run 60000", ["wasmtime:jit", engine]);
        // So many calls that the first ones are no longer among what is kept around the middle.
        let middle = Position(recording.len() / 2);
        let window = calls_around(&mut recording, &program, &request, middle).unwrap();
        let covers = window.covers();
        assert!(covers.start > Position(1000) && covers.contains(&middle), "{engine}: {covers:?}");
        assert!(covers.end.0 < recording.len(), "{engine}: {covers:?}");
        let (mut checked, mut deepest) = (0, 0);
        let sites = Arc::clone(recording.trace().sites());
        let near = (covers.start.0..covers.end.0).step_by(211).chain(middle.0 - 50..middle.0 + 50);
        for at in near.map(Position) {
            // Between the two stores with which a function begins, the guest's stack is being changed.
            let written = recording.event(at).unwrap().written();
            let Some((_, 8, _)) = written else { continue };
            let own = own_stack(&mut recording, at);
            let stack = window.stack(at).unwrap();
            assert_eq!(stack[1..].iter().map(|one| one.func.0).collect::<Vec<_>>(), own, "{engine}: at {at}");
            // What is stored counts the calls that the innermost function has made, and the last one got the number before.
            let Event::Store { .. } = recording.event(at).unwrap() else { panic!("not a store at {at}") };
            let inner = stack.last().unwrap();
            assert!(inner.entered < at && inner.left.is_none_or(|left| left > at), "{engine}: {at} {inner:?}");
            assert_eq!(forkpoint_replay::place_of(&recording.event(at).unwrap(), &sites).unwrap().0, inner.func);
            (checked, deepest) = (checked + 1, deepest.max(own.len()));
        }
        assert!(checked > 50 && deepest > 20, "{engine}: {checked} stacks of up to {deepest}");
        steps_agree(&window, middle);
    }
}

/// A recording, its program, and how to run it again.
type Again = (Timeline, Program, Request);

fn far((recording, program, request): &mut Again, from: Position, step: FarStep) -> Option<Position> {
    far_step(recording, program, request, from, step).unwrap()
}

/// The active functions at an event, and where each began.
fn stack_at((recording, program, request): &mut Again, at: Position) -> Vec<(u32, Position)> {
    let window = calls_around(recording, program, request, at).unwrap();
    window.stack(at).unwrap().iter().map(|one| (one.func.0, one.entered)).collect()
}

#[test]
fn far_steps_lead_where_the_calls_there_say() {
    for engine in ["wasmtime:jit", "wasmi"] {
        let folder = tempfile::tempdir().unwrap();
        let mut again = recorded(folder.path(), &random_calls(), "run 60000", ["wasmtime:jit", engine]);
        let middle = Position(again.0.len() / 2);
        let window = calls_around(&mut again.0, &again.1, &again.2, middle).unwrap();
        for from in [middle, Position(middle.0 + 7), Position(middle.0 + 30)] {
            let near = [window.step_over(from), window.step_over_back(from), window.step_out(from)];
            assert!(near.iter().all(Option::is_some), "{engine}: {near:?} from {from}");
            let steps = [FarStep::Over, FarStep::OverBack, FarStep::Out].map(|step| far(&mut again, from, step));
            assert_eq!(steps, near, "{engine}: from {from}");
        }
        // Out of all functions: sooner or later beyond what is known around the middle.
        let (mut at, mut beyond) = (middle, 0);
        while let Some(found) = far(&mut again, at, FarStep::Out) {
            assert!(found > at);
            if !window.covers().contains(&found) {
                beyond += 1;
                let (before, after) = (stack_at(&mut again, at), stack_at(&mut again, found));
                let inner = before.last().unwrap();
                assert!(!after.contains(inner), "{engine}: out of {at}");
                assert_eq!(stack_at(&mut again, Position(found.0 - 1)).get(before.len() - 1), Some(inner));
                assert!(far(&mut again, found, FarStep::OverBack) < Some(at), "{engine}: back from {found}");
                assert!(far(&mut again, at, FarStep::Over) <= Some(found), "{engine}: over from {at}");
            }
            at = found;
        }
        assert!(beyond > 0, "{engine}: {at} is still among {:?}", window.covers());
        // No function is left to step out of, and nothing comes before the first event.
        assert_eq!(far(&mut again, Position(0), FarStep::Out), None);
        assert_eq!(far(&mut again, Position(0), FarStep::OverBack), None);
    }
}

/// Steps over and out lead where a look at each event says.
fn steps_agree(window: &CallWindow, middle: Position) {
    for at in (middle.0..middle.0 + 40).map(Position) {
        let here = window.stack(at).unwrap();
        let among = |other: u64| {
            let there = window.stack(Position(other)).unwrap();
            there.len() <= here.len() && there.iter().zip(&here).all(|(one, other)| one.is(other))
        };
        let over = (at.0 + 1..window.covers().end.0).take(3000).find(|other| among(*other));
        let found = window.step_over(at).map(|at| at.0);
        assert!(over.is_none() || over == found, "over from {at}: {over:?} {found:?}");
        let out = window.step_out(at).unwrap();
        assert!(!window.stack(out).unwrap().iter().any(|one| one.is(here.last().unwrap())), "out of {at}");
        assert!(window.stack(Position(out.0 - 1)).unwrap().iter().any(|one| one.is(here.last().unwrap())));
    }
}

#[test]
fn a_rerun_that_does_something_else_tells_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (mut recording, program, request) = recorded(folder.path(), DEEP, "run 3", ["wasmtime:jit", "wasmi"]);
    let other =
        Program::new("guest.wat", wat::parse_str(DEEP).unwrap(), &["run 4".parse().unwrap()], &Imports::default())
            .unwrap();
    let at = Position(recording.len() - 2);
    match calls_around(&mut recording, &other, &request, at) {
        Err(CompareError::NoCalls { why }) => assert!(why.contains("does something else from #4"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(calls_around(&mut recording, &program, &request, at).unwrap().depth(at), Some(0));
}

#[test]
fn deep_recursion_is_followed_and_shown_from_both_ends() {
    let folder = tempfile::tempdir().unwrap();
    for (engine, depth) in [("wasmtime:jit", 8000), ("wasmi", 900)] {
        let (mut recording, program, request) =
            recorded(folder.path(), DEEP, &format!("run {depth}"), [engine, engine]);
        let at = (0..recording.len()).map(Position).find(|at| recording.event(*at).unwrap().written().is_some());
        let at = at.unwrap();
        let window = calls_around(&mut recording, &program, &request, at).unwrap();
        assert_eq!(window.depth(at), Some(depth + 2));
        let stack = forkpoint_replay::CallStack::new(&window, &mut recording, at).unwrap().unwrap();
        assert_eq!((stack.frames.len(), stack.left_out()), (64, depth + 2 - 64));
        assert_eq!(stack.lines().len(), 65);
        assert_eq!(
            (stack.frames[0].call().as_str(), stack.frames[63].call().as_str()),
            ("down(left = i32 0)", &*format!("run(i32 {depth})"))
        );
    }
}

#[test]
fn an_exhausted_stack_may_have_been_deeper() {
    let folder = common::folder_with(&[("deep.wat", DEEP.as_bytes())]);
    for engine in ["wasmtime:jit", "wasmi"] {
        let arguments = ["record", "deep.wat", "--engine", engine, "--invoke", "run 10000000", "-o", "t.fpt"];
        common::run(folder.path(), &arguments);
        let ran = common::run(folder.path(), &["calls", "t.fpt"]);
        assert_eq!(ran.code, 0, "{engine}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.contains("the recorded run was as deep or deeper"), "{engine}: {}", ran.stdout);
        assert!(ran.stdout.contains(" more activations\n") && ran.stdout.lines().count() < 80, "{engine}");
    }
}

#[test]
fn the_command_shows_both_sides_where_they_differ() {
    let text = r#"(module
      (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
      (memory (export "memory") 1)
      (func $even (param $seed i32) (i32.store (i32.const 64) (local.get $seed)))
      (func $odd (param $seed i32) (i32.store (i32.const 64) (local.get $seed)))
      (func $choose (param $seed i32)
        (if (i32.and (local.get $seed) (i32.const 1)) (then (call $odd (local.get $seed))) (else (call $even (local.get $seed)))))
      (func (export "_start")
        (drop (call $random (i32.const 16) (i32.const 4)))
        (call $choose (i32.and (i32.load (i32.const 16)) (i32.const 0xff)))))"#;
    let folder = common::folder_with(&[("random.wat", text.as_bytes())]);
    for name in ["a.fpt", "b.fpt"] {
        let ran = common::run(folder.path(), &["record", "random.wat", "-o", name]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }
    // They part at what the host gives them, where both are in `_start`.
    let ran = common::run(folder.path(), &["calls", "a.fpt", "b.fpt"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("rhs has the same call stack."), "{}", ran.stdout);
    let last = common::run(folder.path(), &["calls", "a.fpt", "--json"]);
    let report: Value = serde_json::from_str(&last.stdout).unwrap();
    let stack = &report["lhs"]["stack"];
    assert_eq!(stack["depth"], 3);
    assert_eq!(stack["frames"][1]["name"], "choose");
    assert_eq!(stack["frames"][1]["at"]["instruction"].as_str().unwrap().split(' ').next(), Some("call"));
    assert_eq!(stack["frames"][0]["arguments"][0]["name"], "seed");
    let at = stack["event"]["position"].to_string();
    let ran = common::run(folder.path(), &["calls", "a.fpt", "b.fpt", "--at", &at, "--json"]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let argument = |side: &str| report[side]["stack"]["frames"][0]["arguments"][0]["value"].clone();
    let alike = argument("lhs") == argument("rhs");
    assert_eq!((ran.code, report["alike"].as_bool()), (i32::from(!alike), Some(alike)), "{}", ran.stdout);
    // The other run's recording, answered by an engine that does not repeat it, tells nothing; the left one still does.
    let ran = common::run(folder.path(), &["calls", "a.fpt", "b.fpt", "--at", "9999"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("is past the end"), "{}", ran.stderr);
}

#[test]
fn names_cannot_act_on_the_terminal() {
    let text = r#"(module (memory 1)
      (func $"evil\1b[2J\u{202e}" (param $"\07bell" i32) (i32.store (i32.const 0) (local.get 0)))
      (func (export "run") (call 0 (i32.const 3))))"#;
    let folder = common::folder_with(&[("evil.wat", text.as_bytes())]);
    common::run(folder.path(), &["record", "evil.wat", "--invoke", "run", "-o", "t.fpt"]);
    for arguments in [&["calls", "t.fpt"][..], &["calls", "t.fpt", "--json"]] {
        let ran = common::run(folder.path(), arguments);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.contains("evil") && ran.stdout.contains("bell"), "{}", ran.stdout);
        let acts = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(!ran.stdout.contains(acts), "{:?}", ran.stdout);
    }
}

#[test]
fn what_cannot_be_told_is_said() {
    let script = r#"(module $a (memory 1) (func (export "f") (i32.store (i32.const 0) (i32.const 1))))
      (invoke "f")"#;
    let folder = common::folder_with(&[("two.wast", script.as_bytes()), ("deep.wat", DEEP.as_bytes())]);
    common::run(folder.path(), &["record", "two.wast", "-o", "script.fpt"]);
    common::run(folder.path(), &["record", "deep.wat", "--invoke", "run 2", "-o", "deep.fpt"]);
    let ran = common::run(folder.path(), &["calls", "script.fpt"]);
    assert_eq!(ran.code, 2, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("a program of several modules"), "{}", ran.stdout);
    let ran = common::run(folder.path(), &["calls", "deep.fpt", "--rhs-engine", "wasmi"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("--rhs-engine is for two traces"), "{}", ran.stderr);
    let ran = common::run(folder.path(), &["calls", "deep.fpt", "deep.fpt"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("the two traces agree: name the event by --at"), "{}", ran.stderr);
}
