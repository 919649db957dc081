//! Hostile text on the terminal: whatever a module, a file name, an argument, a runner or a trace is called or says,
//! nothing that any command prints acts on a terminal. Each command is driven with all of it at once.

mod common;

use common::external::{PYTHON, external_tests};
use forkpoint_replay::is_active;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

external_tests! {
    [] => every_command_with_hostile_names, wrong_arguments_are_quoted_harmlessly, hints_can_be_pasted;
    [PYTHON] => a_runner_says_what_it_likes;
}

/// Sets the window's title, clears the screen, C1, DEL, a carriage return, text that runs backwards.
const HOSTILE: &str = "\x1b]0;owned\x07\x1b[2J\u{9b}31m\x7f\r\u{202e}\u{2066}x";

/// The same as the text format writes it in a string.
fn escaped() -> String {
    HOSTILE.bytes().map(|byte| format!("\\{byte:02x}")).collect()
}

/// A module with hostile names for itself and everything it calls, which diverges between engines and traps at the
/// end.
fn module_text() -> String {
    let evil = escaped();
    format!(
        r#"(module
             (import "{evil}" "{evil}" (func $i (param i32)))
             (memory (export "m{evil}") 1) (memory (export "{evil}") 1) (table (export "t{evil}") 1 funcref)
             (global (export "g{evil}") (mut f32) (f32.const 0))
             (data (memory 1) (i32.const 0) "{evil}")
             (func (export "run{evil}") (param i32) (result i32)
               (call $i (i32.const 1))
               (v128.store (i32.const 16) (f32x4.relaxed_madd
                 (v128.const f32x4 1.0000001 1.0000001 1.0000001 1.0000001)
                 (v128.const f32x4 1.0000001 1.0000001 1.0000001 1.0000001)
                 (v128.const f32x4 -1.0000002 -1.0000002 -1.0000002 -1.0000002)))
               (i32.store 1 (i32.const 8) (memory.grow 1 (i32.const 1)))
               (i32.div_s (i32.const 1) (local.get 0))))"#
    )
}

/// A folder whose files have hostile names, one of which is not UTF-8.
struct Folder {
    folder: TempDir,
    module: PathBuf,
    traces: [PathBuf; 2],
}

impl Folder {
    fn new() -> Folder {
        let folder = tempfile::tempdir().expect("a folder");
        let module = folder.path().join(format!("{HOSTILE}.wat"));
        fs::write(&module, module_text()).expect("a file");
        let bytes = [HOSTILE.as_bytes(), b"\xff\xfe.fpt"].concat();
        let traces = [folder.path().join(format!("{HOSTILE}.fpt")), folder.path().join(OsString::from_vec(bytes))];
        Folder { folder, module, traces }
    }

    /// Runs a command, and checks that nothing it prints acts on a terminal.
    fn run(&self, arguments: &[&std::ffi::OsStr]) -> (i32, String) {
        let output = Command::new(common::FORKPOINT)
            .current_dir(self.folder.path())
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .expect("forkpoint starts");
        let both = [output.stdout, output.stderr].map(|text| String::from_utf8(text).expect("UTF-8"));
        for text in &both {
            let acting: Vec<char> = text.chars().filter(|c| *c != '\n' && is_active(*c)).collect();
            assert!(acting.is_empty(), "{arguments:?} prints {acting:?}:\n{text:?}");
        }
        (output.status.code().unwrap_or(-1), both.concat())
    }
}

/// Words and paths as arguments.
macro_rules! arguments {
    ($($word:expr),* $(,)?) => { &[$(std::ffi::OsStr::new($word)),*] };
}

/// The call and the import's answer, in the notation of the command line.
fn call() -> [String; 4] {
    let call = shell_words::join([format!("run{HOSTILE}"), "0".to_string()]);
    ["--invoke".to_string(), call, "--import".to_string(), format!("{HOSTILE}.{HOSTILE}=")]
}

fn every_command_with_hostile_names() {
    let folder = Folder::new();
    let [lhs, rhs] = &folder.traces;
    let [invoke, called, import, answered] = &call();
    let module = &folder.module;
    for (trace, engine) in [(lhs, "wasmtime:jit"), (rhs, "wasmi")] {
        let (code, text) = folder
            .run(arguments!["record", module, "-o", trace, "--engine", engine, invoke, called, import, answered]);
        assert_eq!(code, 0, "{text}");
        assert!(trace.is_file() && text.contains("\\u{1b}]0;owned\\u{7}"), "{text}");
    }
    let (code, text) = folder.run(arguments!["compare", module, "--rhs", "wasmi", invoke, called, import, answered]);
    assert!([0, 1].contains(&code) && text.contains("\\u{202e}"), "{code} {text}");
    let engines = ["compare", "--engines", "wasmtime:jit;wasmi;wasmtime:jit,cpu=nonsense"];
    folder
        .run(arguments![engines[0], module, engines[1], engines[2], "-o", HOSTILE, invoke, called, import, answered]);
    for json in [&[][..], &["--json"]] {
        for command in [
            &arguments!["info", lhs][..],
            arguments!["info", "--verify", rhs],
            arguments!["dump", lhs],
            arguments!["diff", lhs, rhs],
            arguments!["replay", lhs, "--engine", "wasmi"],
            arguments!["replay", rhs],
            arguments!["record", module, "-o", "again.fpt", invoke, called, import, answered],
            arguments!["compare", module, "--rhs", "wasmi", invoke, called, import, answered],
            // Things that go wrong and quote their input.
            arguments!["dump", lhs, "--func", HOSTILE],
            arguments!["diff", lhs, module],
            arguments!["info", "no such\x1b[2J.fpt"],
            arguments!["record", module, invoke, HOSTILE],
            arguments!["record", "no\u{202e}file.wat"],
            arguments!["compare", module, invoke, called, "--import", "x.y=0"],
            arguments!["replay", lhs, "-o", lhs],
            arguments!["sweep", ".", "--engines", "wasmtime:jit;wasmi", import, answered],
            arguments!["sweep", HOSTILE, "--engines", "wasmtime:jit;wasmi"],
        ] {
            let whole: Vec<&std::ffi::OsStr> =
                command.iter().copied().chain(json.iter().map(std::ffi::OsStr::new)).collect();
            let (_, text) = folder.run(&whole);
            assert!(!text.contains("panicked"), "{whole:?}: {text}");
            assert!(!text.is_empty(), "{whole:?} says nothing");
        }
    }
    // A file that is not a module, and an invalid module.
    fs::write(module, format!("{HOSTILE}(module")).expect("a file");
    assert_eq!(folder.run(arguments!["record", module]).0, 2);
    fs::write(module, format!(r#"(module (export "{}" (func 7)))"#, escaped())).expect("a file");
    assert_eq!(folder.run(arguments!["record", module]).0, 2);
}

fn wrong_arguments_are_quoted_harmlessly() {
    let folder = Folder::new();
    let not_utf8 = OsString::from_vec(b"--\xff\x1b[2J".to_vec());
    for (command, quoted) in [
        (&arguments![HOSTILE][..], true),
        (arguments!["record", "--engine", HOSTILE, "x.wat"], true),
        (arguments!["compare", "--engines", HOSTILE, "x.wat"], true),
        (arguments!["dump", "--from", HOSTILE, "x.fpt"], true),
        (arguments!["dump", "--kind", HOSTILE, "x.fpt"], true),
        (arguments!["info", "x.fpt", HOSTILE], true),
        (arguments!["--color", HOSTILE], true),
        (arguments!["completions", HOSTILE], true),
        (arguments!["info", &not_utf8], false),
        (arguments!["runner-check", "--\x1b[2J"], false),
    ] {
        let (code, text) = folder.run(command);
        assert!(code != 0, "{command:?}: {text}");
        assert!(!quoted || text.contains("\\u{1b}]0;owned\\u{7}"), "{command:?}: {text}");
    }
}

/// A command that a report suggests names these files in a way that a shell parses back.
fn hints_can_be_pasted() {
    let folder = Folder::new();
    let [lhs, rhs] = &folder.traces;
    let samples = ["orbit-jit.fpt", "orbit-portable.fpt"].map(|name| common::repository("traces/samples").join(name));
    fs::copy(&samples[0], lhs).and_then(|_| fs::copy(&samples[1], rhs)).expect("the samples");
    let (code, text) = folder.run(arguments!["diff", lhs, rhs]);
    assert_eq!(code, 1, "{text}");
    let line = |start: &str| text.lines().find_map(|line| line.strip_prefix(start)).expect("a line").to_string();
    for (words, count) in [(line("look at it: forkpoint view "), 2), (line("command: forkpoint "), 3)] {
        let script = format!("printf '%s\\0' {words}");
        let read = Command::new("bash").args(["-c", &script]).output().expect("bash").stdout;
        let words: Vec<&[u8]> = read.strip_suffix(b"\0").expect("words").split(|byte| *byte == 0).collect();
        let paths: Vec<PathBuf> = words[count - 2..]
            .iter()
            .map(|word| Path::new(&OsString::from_vec(word.to_vec())).to_path_buf())
            .collect();
        assert_eq!(&paths, &[lhs.clone(), rhs.clone()]);
    }
}

fn a_runner_says_what_it_likes() {
    let folder = Folder::new();
    let runner = format!("runner:python3 {} hostile", common::repository_text("tests/runners/scripted.py"));
    let store = |address: u32| format!("(i32.store (i32.const {address}) (i32.const 3))");
    let stores = [0, 4, 64].map(store).concat();
    let text = format!(r#"(module (memory (export "memory") 1) (func (export "run") {stores}))"#);
    fs::write(&folder.module, text).expect("a file");
    let module = &folder.module;
    for command in [
        &arguments!["record", module, "--engine", &runner, "-o", &folder.traces[0], "--invoke", "run"][..],
        arguments!["compare", module, "--rhs", &runner, "--invoke", "run"],
        arguments!["compare", module, "--engines", "wasmi;wasmtime:jit", "--engines", &runner, "--invoke", "run"],
        arguments!["info", &folder.traces[0]],
        arguments!["dump", &folder.traces[0]],
        arguments!["engines", &runner],
        arguments!["info", &folder.traces[0], "--json"],
        arguments!["engines", &runner, "--json"],
    ] {
        let (_, text) = folder.run(command);
        // Events hold none of the engine's messages.
        assert!(text.contains("owned") || command[0] == "dump", "{command:?}: {text}");
    }
}
