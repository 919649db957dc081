//! `forkpoint dap`: what an editor is told, and what it can do with it.

mod common;

use common::external::{Need, external_tests, javascript, node};
use common::{FORKPOINT, folder_with, repository, run};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

external_tests! {
    [] => an_editor_starts_at_the_first_divergence,
        time_runs_both_ways,
        breakpoints_stop_where_they_say,
        bytes_are_watched_in_both_runs,
        requests_that_make_no_sense_are_answered,
        launches_that_cannot_be_are_explained,
        a_single_trace_is_one_thread,
        callers_are_told_if_the_user_wants_them;
    [Need::Clang] => source_lines_are_shown_where_they_are_allowed;
    [Need::Node, Need::Packages] => the_client_of_vs_code_gets_along;
}

/// An adapter in conversation.
struct Editor {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    seq: i64,
    /// Events that came before the answer that was waited for.
    events: Vec<Value>,
}

impl Editor {
    fn start(folder: &Path) -> Editor {
        let mut command = Command::new(FORKPOINT);
        command.arg("dap").current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("forkpoint starts");
        let (to, from) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
        Editor { child, to, from: BufReader::new(from), seq: 0, events: Vec::new() }
    }

    /// At the place where a launch begins.
    fn launched(folder: &Path, launch: Value) -> Editor {
        let mut editor = Editor::start(folder);
        assert_eq!(editor.ask("initialize", json!({ "adapterID": "forkpoint" }))["supportsStepBack"], true);
        editor.ask("launch", launch);
        editor.event("initialized");
        editor.ask("setExceptionBreakpoints", json!({ "filters": ["divergence", "trap"] }));
        editor.ask("configurationDone", json!({}));
        editor
    }

    fn message(&mut self) -> Option<Value> {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if self.from.read_line(&mut line).expect("a pipe") == 0 {
                return None;
            }
            match line.trim_end().split_once(": ") {
                Some(("Content-Length", text)) => length = text.parse().expect("a length"),
                _ => break,
            }
        }
        let mut bytes = vec![0; length];
        self.from.read_exact(&mut bytes).expect("a whole message");
        Some(serde_json::from_slice(&bytes).expect("JSON"))
    }

    fn answer(&mut self, command: &str, arguments: Value) -> Value {
        self.seq += 1;
        let text =
            json!({ "seq": self.seq, "type": "request", "command": command, "arguments": arguments }).to_string();
        write!(self.to, "Content-Length: {}\r\n\r\n{text}", text.len()).expect("a pipe");
        self.to.flush().expect("a pipe");
        loop {
            let message = self.message().unwrap_or_else(|| panic!("no answer to {text}"));
            if message["type"] == "response" && message["request_seq"] == self.seq {
                return message;
            }
            self.events.push(message);
        }
    }

    /// The body of an answer, which must be a good one.
    fn ask(&mut self, command: &str, arguments: Value) -> Value {
        let mut answer = self.answer(command, arguments);
        assert_eq!(answer["success"], true, "{answer:#}");
        answer["body"].take()
    }

    /// The body of the next event of this name.
    fn event(&mut self, name: &str) -> Value {
        loop {
            let message = match self.events.is_empty() {
                true => self.message().unwrap_or_else(|| panic!("no event {name}")),
                false => self.events.remove(0),
            };
            if message["event"] == name {
                return message["body"].clone();
            }
        }
    }

    /// Goes somewhere: why it stopped, and the top of the stack of the left run.
    fn go(&mut self, command: &str) -> (Value, Value) {
        self.ask(command, json!({ "threadId": 1 }));
        let stopped = self.event("stopped");
        let stack = self.ask("stackTrace", json!({ "threadId": 1 }));
        (stopped, stack["stackFrames"][0].clone())
    }

    /// A variable of the first scope of a thread.
    fn variable(&mut self, thread: i64, name: &str) -> String {
        let scopes = self.ask("scopes", json!({ "frameId": thread * 1000 }));
        let reference = &scopes["scopes"][0]["variablesReference"];
        let variables = self.ask("variables", json!({ "variablesReference": reference }));
        let all = variables["variables"].as_array().expect("variables");
        let found = all.iter().find(|variable| variable["name"] == name);
        found.map_or(String::new(), |found| found["value"].as_str().unwrap_or_default().to_string())
    }

    fn position(&mut self) -> u64 {
        let position = self.variable(1, "position");
        position.trim_start_matches('#').parse().unwrap_or_else(|_| panic!("a position: {position}"))
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn samples() -> Value {
    let sample = |name: &str| repository("traces/samples").join(name);
    json!({ "lhs": sample("orbit-jit.fpt"), "rhs": sample("orbit-portable.fpt") })
}

fn an_editor_starts_at_the_first_divergence() {
    let mut editor = Editor::launched(&repository(""), samples());
    let stopped = editor.event("stopped");
    assert_eq!(stopped["reason"], "exception");
    assert!(
        stopped["text"].as_str().is_some_and(|text| text.starts_with("the first divergence: value")),
        "{stopped}"
    );
    let threads = editor.ask("threads", json!({}));
    assert_eq!(threads["threads"][1]["name"], "rhs: orbit-portable.fpt");
    assert_eq!(editor.position(), 12);
    for (thread, other) in [(1, "rhs"), (2, "lhs")] {
        assert!(editor.variable(thread, "event").starts_with("v128.store [0x00000010] <- 2"));
        assert!(editor.variable(thread, other).starts_with("#12 v128.store"), "the other run's event");
    }
    // The frame is the function's text, which the editor asks for.
    let stack = editor.ask("stackTrace", json!({ "threadId": 2 }));
    let frame = &stack["stackFrames"][0];
    let source = editor.ask("source", json!({ "source": frame["source"], "sourceReference": 0 }));
    let line = source["content"].as_str().and_then(|text| text.lines().nth(frame["line"].as_u64()? as usize - 1));
    assert_eq!((frame["name"].as_str(), line.map(str::trim)), (Some("step"), Some("v128.store")));
    // Memory before the event, in both.
    for side in ["lhs", "rhs"] {
        let memory = editor.ask("readMemory", json!({ "memoryReference": format!("{side}:0:0x10"), "count": 4 }));
        assert_eq!((&memory["data"], &memory["unreadableBytes"]), (&json!("8dSjvA=="), &json!(0)));
    }
    let outside = editor.ask("readMemory", json!({ "memoryReference": "lhs:0:0xfff0", "count": 32 }));
    assert_eq!(outside["unreadableBytes"], 16);
    let code = editor.ask(
        "disassemble",
        json!({ "memoryReference": frame["instructionPointerReference"], "instructionOffset": -200, "instructionCount": 300 }),
    );
    let code = code["instructions"].as_array().expect("instructions");
    assert_eq!((code.len(), &code[200]["instruction"]), (300, &json!("v128.store")));
}

fn time_runs_both_ways() {
    let mut editor = Editor::launched(&repository(""), samples());
    editor.event("stopped");
    editor.go("stepIn");
    assert_eq!(editor.position(), 13);
    editor.go("stepBack");
    editor.go("stepBack");
    assert_eq!(editor.position(), 11);
    let (stopped, _) = editor.go("continue");
    assert_eq!((stopped["reason"].as_str(), editor.position()), (Some("exception"), 12));
    let (stopped, _) = editor.go("reverseContinue");
    assert_eq!((&stopped["text"], editor.position()), (&json!("the beginning of the recording"), 0));
    // From the console.
    let went = editor.ask("evaluate", json!({ "expression": "divergence", "context": "repl" }));
    assert_eq!((&went["result"], &editor.event("stopped")["reason"]), (&json!("#12"), &json!("goto")));
    let value = editor.ask("evaluate", json!({ "expression": "f32(0x10)", "context": "watch" }));
    assert_eq!((&value["result"], &value["type"]), (&json!("f32 -0.019999"), &json!("f32")));
    let writer = editor.ask("evaluate", json!({ "expression": "writer(0x10)", "context": "watch" }));
    assert!(writer["result"].as_str().is_some_and(|text| text.starts_with("#9 v128.store")), "{writer}");
    editor.ask("evaluate", json!({ "expression": "#5", "context": "repl" }));
    assert_eq!(editor.position(), 5);
}

fn breakpoints_stop_where_they_say() {
    let mut editor = Editor::launched(&repository(""), samples());
    editor.event("stopped");
    editor.ask("setExceptionBreakpoints", json!({ "filters": [] }));
    let answer =
        editor.ask("setFunctionBreakpoints", json!({ "breakpoints": [{ "name": "step" }, { "name": "nobody" }] }));
    assert_eq!(
        (&answer["breakpoints"][0]["verified"], &answer["breakpoints"][1]["verified"]),
        (&json!(true), &json!(false))
    );
    let (stopped, frame) = editor.go("continue");
    assert_eq!(
        (stopped["reason"].as_str(), frame["name"].as_str(), editor.position()),
        (Some("breakpoint"), Some("step"), 13)
    );
    editor.ask("setFunctionBreakpoints", json!({ "breakpoints": [] }));
    let ip = frame["instructionPointerReference"].clone();
    let answer = editor.ask("setInstructionBreakpoints", json!({ "breakpoints": [{ "instructionReference": ip }] }));
    assert_eq!(answer["breakpoints"][0]["verified"], true, "{answer}");
    let (_, again) = editor.go("continue");
    assert_eq!((&again["instructionPointerReference"], editor.position()), (&ip, 16));
    editor.ask("setInstructionBreakpoints", json!({ "breakpoints": [] }));
    // A line of the function's text.
    let lines = json!({ "source": frame["source"], "breakpoints": [{ "line": frame["line"] }, { "line": 1 }] });
    let answer = editor.ask("setBreakpoints", lines);
    assert_eq!(
        (&answer["breakpoints"][0]["verified"], &answer["breakpoints"][1]["verified"]),
        (&json!(true), &json!(false))
    );
    editor.go("reverseContinue");
    assert_eq!(editor.position(), 13);
}

fn bytes_are_watched_in_both_runs() {
    let mut editor = Editor::launched(&repository(""), samples());
    editor.event("stopped");
    editor.ask("setExceptionBreakpoints", json!({ "filters": [] }));
    let scopes = editor.ask("scopes", json!({ "frameId": 1000 }));
    let variables = &scopes["scopes"][0]["variablesReference"];
    let info = editor.ask("dataBreakpointInfo", json!({ "variablesReference": variables, "name": "stored" }));
    assert_eq!(info["dataId"], "lhs:0:0x10:16", "{info}");
    editor.ask("setDataBreakpoints", json!({ "breakpoints": [{ "dataId": info["dataId"], "accessType": "write" }] }));
    let (stopped, _) = editor.go("continue");
    assert_eq!((stopped["reason"].as_str(), editor.position()), (Some("data breakpoint"), 15));
    editor.go("reverseContinue");
    editor.go("reverseContinue");
    assert_eq!(editor.position(), 9);
    let info = editor.ask("dataBreakpointInfo", json!({ "variablesReference": variables, "name": "event" }));
    assert_eq!(info["dataId"], Value::Null);
}

fn requests_that_make_no_sense_are_answered() {
    let mut editor = Editor::launched(&repository(""), samples());
    let commands = [
        "stackTrace",
        "scopes",
        "variables",
        "readMemory",
        "disassemble",
        "evaluate",
        "source",
        "setBreakpoints",
        "setFunctionBreakpoints",
        "setInstructionBreakpoints",
        "setDataBreakpoints",
        "dataBreakpointInfo",
        "next",
        "stepBack",
        "stepOut",
        "continue",
        "reverseContinue",
        "pause",
        "cancel",
        "threads",
        "frobnicate",
        "launch",
    ];
    let names = [
        "threadId",
        "frameId",
        "variablesReference",
        "memoryReference",
        "instructionOffset",
        "instructionCount",
        "count",
        "offset",
        "expression",
        "context",
        "source",
        "sourceReference",
        "breakpoints",
        "name",
        "asAddress",
        "bytes",
        "startFrame",
        "levels",
        "granularity",
        "line",
        "dataId",
        "instructionReference",
        "lhs",
        "filters",
    ];
    let mut random = fastrand::Rng::with_seed(11);
    for _ in 0..3000 {
        let mut arguments = json!({});
        for _ in 0..random.usize(..6) {
            let value = match random.u32(..12) {
                0 => json!(random.i64(..)),
                1 => json!(random.i64(-3..2100)),
                2 => Value::Null,
                3 => json!("lhs:0:0xffffffffffffffff"),
                4 => json!("0x75"),
                5 => {
                    json!([{ "line": random.i64(..), "name": "step", "instructionReference": "0x75", "dataId": "rhs:0:0x10:4" }])
                }
                6 => json!({ "sourceReference": random.i64(-2..5), "path": "../etc" }),
                7 => json!("bytes(0, 0xffffffffffffffff)"),
                8 => json!("f64(0xfffffffffffffff9)"),
                9 => json!(true),
                10 => json!("\u{202e}\u{1b}[31m"),
                _ => json!("instruction"),
            };
            arguments[*random.choice(&names).expect("names")] = value;
        }
        let command = random.choice(&commands).expect("commands");
        let answer = editor.answer(command, arguments);
        if answer["success"] == false {
            let why = answer["message"].as_str().unwrap_or_default();
            assert!(!why.is_empty() && !why.contains(['\u{1b}', '\u{202e}']), "{answer}");
        }
    }
    editor.ask("disconnect", json!({}));
    assert!(editor.child.wait().expect("it ends").success());
}

fn launches_that_cannot_be_are_explained() {
    let folder = folder_with(&[("empty.fpt", b"")]);
    let mut editor = Editor::start(folder.path());
    for (launch, expected) in [
        (json!({ "lhs": "missing.fpt" }), "missing.fpt"),
        (json!({ "lhs": "empty.fpt" }), "empty.fpt"),
        (json!({ "lhs": 7 }), "the launch configuration is wrong"),
        (json!({ "lhs": repository("traces/samples/orbit-jit.fpt"), "at": 100_000 }), "past the end"),
    ] {
        let answer = editor.answer("launch", launch);
        let why = answer["message"].as_str().unwrap_or_default();
        assert!(answer["success"] == false && why.contains(expected), "{answer}");
    }
    let answer = editor.answer("stackTrace", json!({ "threadId": 1 }));
    assert_eq!(answer["message"], "no traces are open: a launch comes first");
    // What is no message ends the adapter, with a reason.
    let mut child = Command::new(FORKPOINT);
    let mut child = child.arg("dap").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("forkpoint starts");
    child.stdin.take().expect("a pipe").write_all(b"hello\r\n\r\n").expect("a pipe");
    let output = child.wait_with_output().expect("it ends");
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && words.contains("no message of the Debug Adapter Protocol"), "{words}");
}

fn a_single_trace_is_one_thread() {
    let module = br#"(module (memory 1) (func (export "run")
        (i32.store (i32.const 8) (i32.const 1)) (i32.store (i32.const 12) (i32.const 2)) unreachable))"#;
    let folder = folder_with(&[("m.wat", module)]);
    run(folder.path(), &["record", "m.wat", "--invoke", "run", "-o", "m.fpt"]);
    let mut editor = Editor::launched(folder.path(), json!({ "lhs": "m.fpt" }));
    assert_eq!(editor.event("stopped")["reason"], "entry");
    assert_eq!(editor.ask("threads", json!({}))["threads"].as_array().map(Vec::len), Some(1));
    let (stopped, frame) = editor.go("continue");
    assert_eq!((&stopped["text"], frame["name"].as_str()), (&json!("lhs trapped"), Some("run")), "{stopped} {frame}");
    assert_eq!(editor.answer("stackTrace", json!({ "threadId": 2 }))["message"], "there is no thread 2");
}

fn source_lines_are_shown_where_they_are_allowed() {
    const GUEST: &[u8] = b"int total;\n__attribute__((export_name(\"run\"))) void run(int n) {\n  for (int i = 0; i < n; i++)\n    *(volatile int *)&total += i;\n}\n";
    let folder = folder_with(&[("guest.c", GUEST)]);
    let arguments = ["--target=wasm32", "-nostdlib", "-O1", "-g", "-Wl,--no-entry", "-o", "guest.wasm", "guest.c"];
    let compiled = Command::new("clang").current_dir(folder.path()).args(arguments).status().expect("clang starts");
    assert!(compiled.success());
    let ran = run(folder.path(), &["record", "guest.wasm", "--invoke", "run 3", "-o", "m.fpt"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    for allowed in [true, false] {
        let source: &[&Path] = if allowed { &[folder.path()] } else { &[] };
        let mut editor = Editor::launched(folder.path(), json!({ "lhs": "m.fpt", "source": source }));
        editor.event("stopped");
        let lines = json!({ "source": { "path": folder.path().join("guest.c") }, "breakpoints": [{ "line": 4 }, { "line": 1 }] });
        let answer = editor.ask("setBreakpoints", lines);
        let verified = [0, 1].map(|number| answer["breakpoints"][number]["verified"] == true);
        assert_eq!(verified, [allowed, false], "{answer}");
        if allowed {
            let (stopped, frame) = editor.go("continue");
            assert_eq!((stopped["reason"].as_str(), &frame["line"]), (Some("breakpoint"), &json!(4)), "{frame}");
            assert!(frame["source"]["path"].as_str().is_some_and(|path| path.ends_with("/guest.c")), "{frame}");
        } else {
            editor.ask("setFunctionBreakpoints", json!({ "breakpoints": [{ "name": "run" }] }));
            let (_, frame) = editor.go("continue");
            assert!(frame["source"]["path"].is_null() && frame["source"]["sourceReference"].is_u64(), "{frame}");
        }
    }
}

fn the_client_of_vs_code_gets_along() {
    let sample = |name: &str| repository("traces/samples").join(name);
    let output = Command::new(node())
        .arg(repository("tests/dap/client.mjs"))
        .args([javascript(), FORKPOINT.into(), sample("orbit-jit.fpt"), sample("orbit-portable.fpt")])
        .output()
        .expect("node starts");
    let printed = String::from_utf8_lossy(&output.stdout);
    let expected = "stopped: exception, the first divergence: value: the same instruction wrote another value\n\
        threads: lhs: orbit-jit.fpt, rhs: orbit-portable.fpt\n\
        stepBack: step, step\n\
        continue: exception, the runs differ\n\
        frame: step 9\n";
    assert_eq!(printed, expected, "{}", String::from_utf8_lossy(&output.stderr));
}

/// The names of the left run's frames.
fn stack(editor: &mut Editor) -> Vec<String> {
    let stack = editor.ask("stackTrace", json!({ "threadId": 1 }));
    let frames = stack["stackFrames"].as_array().expect("frames");
    frames.iter().map(|frame| frame["name"].as_str().expect("a name").to_string()).collect()
}

fn callers_are_told_if_the_user_wants_them() {
    const MODULE: &[u8] = br#"(module (memory 1)
        (func $down (param $n i32)
          (i32.store (i32.const 16) (local.get $n))
          (if (local.get $n) (then (call $down (i32.sub (local.get $n) (i32.const 1))))))
        (func (export "run") (param $n i32) (call $down (local.get $n))))"#;
    let folder = folder_with(&[("m.wat", MODULE)]);
    for (call, file) in [("run 2", "m.fpt"), ("run 99", "deep.fpt")] {
        let ran = run(folder.path(), &["record", "m.wat", "--invoke", call, "-o", file]);
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    let launch = |calls: bool, at: u64| json!({ "lhs": "m.fpt", "at": at, "calls": calls });
    let mut editor = Editor::launched(folder.path(), launch(false, 6));
    let (first, last) = (editor.ask("evaluate", json!({ "expression": "i32(0x10)" })), stack(&mut editor));
    assert_eq!((&first["result"], last), (&json!("i32 2"), vec!["down".to_string()]));
    let mut editor = Editor::launched(folder.path(), launch(true, 6));
    assert_eq!(stack(&mut editor), ["down", "down(n = i32 2)", "run(n = i32 2)"]);
    // In the text of the caller, at the call; what is known of the event is not the caller's.
    let frames = editor.ask("stackTrace", json!({ "threadId": 1 }));
    let frame = &frames["stackFrames"][1];
    let source = editor.ask("source", json!({ "source": frame["source"], "sourceReference": 0 }));
    let line = source["content"].as_str().and_then(|text| text.lines().nth(frame["line"].as_u64()? as usize - 1));
    assert_eq!(line.map(str::trim), Some("call $down"));
    assert_eq!(editor.ask("scopes", json!({ "frameId": frame["id"] }))["scopes"], json!([]));
    editor.go("stepIn");
    assert_eq!(stack(&mut editor).len(), 4);
    editor.go("reverseContinue");
    assert_eq!(stack(&mut editor).len(), 1, "no instruction, no callers");
    // Of a deep stack both ends.
    let mut editor = Editor::launched(folder.path(), json!({ "lhs": "deep.fpt", "at": 100, "calls": true }));
    let deep = stack(&mut editor);
    assert!(deep.len() < 70 && deep.iter().any(|name| name.ends_with(" more)")), "{deep:?}");
    assert_eq!(deep.last().map(String::as_str), Some("run(n = i32 99)"));

    // A recording that cannot be run again says so.
    let script = repository("tests/scripts/linked.wast");
    let ran = run(folder.path(), &["record", &script.display().to_string(), "-o", "script.fpt"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let dumped = run(folder.path(), &["dump", "script.fpt", "--json"]);
    let store = dumped.stdout.lines().position(|line| line.contains(".store")).expect("a store");
    let mut editor = Editor::launched(folder.path(), json!({ "lhs": "script.fpt", "at": store, "calls": true }));
    let told = stack(&mut editor);
    assert!(told.last().is_some_and(|name| name.starts_with("(no callers: ")), "{told:?}");
}
