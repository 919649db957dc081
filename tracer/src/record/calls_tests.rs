//! Steps of calls as they are written, and of recordings.

use super::*;
use crate::instrument::Original;
use forkpoint_traces::Step;

const MODULE: &str = r#"(module (memory (export "memory") 1)
    (func (export "malloc") (param i32) (result i32) (local.get 0))
    (func (export "new") (param i32 i32) (result i32) (local.get 0))
    (func (export "room") (result i32) (i32.const 8))
    (func (export "wide") (param i32) (result i64) (i64.const 8))
    (func (export "f") (param i32)) (func (export "g") (param i32 i64) (result i64 funcref) (i64.const 1) (ref.null func))
    (func (export "h") (param i64)) (func (export "r") (param funcref)))"#;

fn interface() -> (Interface, Vec<MemoryDecl>) {
    let module: Vec<u8> = wat::parse_str(MODULE).expect("a module");
    (Interface::of(&module), Original::read(module.as_slice().into()).expect("valid").memories().to_vec())
}

fn resolved(calls: &[&str], allocator: &str) -> Result<Steps, RecordError> {
    let (interface, memories) = interface();
    let calls: Vec<Invocation> = calls.iter().map(|call| call.parse().expect(call)).collect();
    resolve(&interface, &calls, Some(&allocator.parse().expect(allocator)), &memories)
}

fn room(step: u32) -> StepResult {
    StepResult { step, result: 0 }
}

fn put(step: u32, bytes: &[u8]) -> Step {
    Step::Put(Put { room: room(step), memory: MemoryIndex(0), bytes: bytes.to_vec() })
}

fn call(function: &str, arguments: &[Argument]) -> Step {
    Step::Call(Call { function: function.to_string(), arguments: arguments.to_vec() })
}

fn number(value: i32) -> Argument {
    Argument::Value(WasmValue::I32(value))
}

#[test]
fn bytes_are_two_steps_before_their_call() {
    let steps = resolved(&[r#"g "ab" len"#, "h result"], "malloc").expect("it fits");
    let long = Argument::Value(WasmValue::I64(2));
    assert_eq!(
        steps.list,
        [
            call("malloc", &[number(3)]),
            put(0, b"ab\0"),
            call("g", &[Argument::Result(room(1)), long]),
            call("h", &[Argument::Result(room(2))]),
        ]
    );
    let names: Vec<String> = steps.jobs().into_iter().map(|job| job.function).collect();
    assert_eq!(names, ["forkpoint:step.0", "forkpoint:step.1", "forkpoint:step.2", "forkpoint:step.3"]);
    // What needs nothing and is not needed is asked of the engine as it is.
    let plain = resolved(&["f 1", "h 2"], "malloc").expect("it fits").jobs();
    assert_eq!((plain[0].function.as_str(), plain[1].arguments.len()), ("f", 1));
}

#[test]
fn allocators_are_called_as_they_are_written() {
    for (allocator, arguments) in [
        ("malloc", vec![number(2)]),
        ("malloc len", vec![number(2)]),
        ("malloc 64", vec![number(64)]),
        ("new len 1", vec![number(2), number(1)]),
        ("room", vec![]),
    ] {
        let steps = resolved(&[r#"f u"\u{e9}""#], allocator).expect(allocator);
        assert_eq!(
            steps.list[..2],
            [call(allocator.split(' ').next().expect("a name"), &arguments), put(0, b"\xe9\0")]
        );
    }
    for wrong in ["new", "wide", "room len", "f", "nobody", "malloc x"] {
        assert!(resolved(&[r#"f "a""#], wrong).is_err(), "{wrong}");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    for calls in [
        &[r#"h "a""#][..],
        &["f len"],
        &["f result"],
        &["h 1", "f result"],
        &["g 1 1", "f result"],
        &["g 1 1", "h result:1.3"],
        &["g 1 1", "r result:1.2"],
        &["g 1 1", "h result:2"],
        &["f zeros:33554433"],
        &[r#"f u"\ff""#],
        &["f @/nowhere/at/all"],
    ] {
        assert!(resolved(calls, "malloc").is_err(), "{calls:?}");
    }
}

#[test]
fn a_recording_is_not_believed() {
    let (interface, memories) = interface();
    let good = resolved(&[r#"g "ab" len"#, "h result"], "malloc").expect("it fits").list;
    assert_eq!(Steps::recorded(&interface, &memories, &good).expect("its own").list, good);
    let other = |memory| Step::Put(Put { room: room(0), memory: MemoryIndex(memory), bytes: Vec::new() });
    for wrong in [
        vec![put(0, b"a")],
        vec![call("malloc", &[Argument::Result(room(0))])],
        vec![call("malloc", &[number(1)]), put(2, b"a")],
        vec![call("malloc", &[number(1)]), other(1)],
        vec![call("wide", &[number(1)]), put(0, b"a")],
        vec![call("malloc", &[number(1)]), put(0, &vec![0; MAX_PUT as usize]), put(0, b"a")],
        vec![call("malloc", &[number(1)]), call("h", &[Argument::Result(room(0))])],
        vec![
            call("g", &[number(1), Argument::Value(WasmValue::I64(1))]),
            call("r", &[Argument::Result(StepResult { step: 0, result: 1 })]),
        ],
    ] {
        assert!(Steps::recorded(&interface, &memories, &wrong).is_err(), "{wrong:?}");
    }
}
