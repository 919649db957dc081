//! What a recording leaves out is recorded when the viewer asks for it, by another run that must be the same.

mod common;

use common::{Ran, folder_with, run};
use std::path::Path;

/// A first store, many others, one on whose bits two engines part, and as many others again.
const MODULE: &[u8] = br#"(module
    (memory (export "memory") 4)
    (func $spin (param $n i32) (local $i i32)
      (loop $again
        (i32.store (i32.and (i32.mul (local.get $i) (i32.const 4)) (i32.const 0xfffc)) (i32.mul (local.get $i) (i32.const 7)))
        (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n)))))
    (func $part (param $a f32)
      (v128.store (i32.const 0x10000)
        (f32x4.relaxed_madd (f32x4.splat (local.get $a)) (f32x4.splat (local.get $a)) (f32x4.splat (f32.const -0.01)))))
    (func (export "run") (param $n i32)
      (i32.store (i32.const 0x20000) (i32.const 42))
      (call $spin (local.get $n)) (call $part (f32.const 0.1)) (call $spin (local.get $n))))"#;

/// Both sides in `kept`, as the command is told.
fn compare(folder: &Path, kept: &str) {
    let engines = ["--lhs", "wasmtime:aot,target=portable", "--rhs", "wasmtime:pulley"];
    let asked = ["compare", "m.wat", "--invoke", "run 1500000", "--keep", kept, "-o", kept];
    let ran = run(folder, &[&asked[..], &engines].concat());
    assert_eq!(ran.code, 1, "{ran:?}");
}

/// The screen after these commands.
fn view(folder: &Path, commands: &[&str], arguments: &[&str]) -> Ran {
    let script: String = commands.iter().chain(&["print"]).map(|command| format!("{command}\n")).collect();
    std::fs::write(folder.join("script.txt"), script).expect("a script");
    run(folder, &[&["view", "--script", "script.txt"], arguments].concat())
}

#[test]
fn events_that_a_window_or_a_pack_leaves_out_are_those_of_a_whole_trace() {
    let folder = folder_with(&[("m.wat", MODULE)]);
    let here = folder.path();
    ["window", "full"].iter().for_each(|kept| compare(here, kept));
    let pack = run(here, &["pack", "full/lhs.fpt", "full/rhs.fpt", "-o", "pack.zip"]);
    assert_eq!(pack.code, 0, "{pack:?}");
    // The last one shows a writer that only another run knows.
    let walks: [&[&str]; 5] = [
        &["go #700000", "page-down"],
        &["go #5"],
        &["go #2900000", "other-side", "back"],
        &["go #700000", "mark a", "divergence", "to-mark a", "jump-back", "step 3"],
        &["address 20000", "last-writer"],
    ];
    for commands in walks {
        let whole = view(here, commands, &["full/lhs.fpt", "full/rhs.fpt"]);
        let window = view(here, commands, &["window/lhs.fpt", "window/rhs.fpt"]);
        assert!(window.code == 0 && !window.stdout.contains("left out"), "{commands:?}: {}", window.stdout);
        assert_eq!(window.stdout, whole.stdout, "{commands:?}");
        let pack = view(here, commands, &["pack.zip"]);
        let lines = |screen: &str| screen.lines().skip(1).map(str::to_string).collect::<Vec<_>>();
        assert_eq!(lines(&pack.stdout), lines(&whole.stdout), "{commands:?}");
    }
    // Where it is asked for at the row, both ends of what is left out come.
    let screen = view(here, &["go #5", "record", "go #1223338"], &["window/lhs.fpt", "window/rhs.fpt"]);
    assert!(screen.stdout.contains("1223338 i32.store"), "{}", screen.stdout);
    let one = view(here, &["go #700000"], &["window/rhs.fpt"]);
    assert!(one.stdout.contains("> 700000 i32.store [0x0000b968] <- 76 c4 4a 00"), "{}", one.stdout);
}

#[test]
fn another_run_that_is_not_the_same_tells_nothing() {
    let folder = folder_with(&[("m.wat", MODULE)]);
    compare(folder.path(), "window");
    let traces = ["window/lhs.fpt", "window/rhs.fpt", "--engine", "wasmtime:pulley", "--size", "160x30"];
    // Found at the event itself, or by digests alone.
    for (commands, from) in [
        (&["go #700000"][..], "from #1500006 on"),
        (&["go #1400000", "address 20000", "last-writer"], "from #1310725 or a later event on"),
    ] {
        let screen = view(folder.path(), commands, &traces).stdout;
        let said = format!("run again under wasmtime:pulley, it does something else {from}");
        assert!(screen.contains(&said), "{screen}");
    }
    let screen = view(folder.path(), &["go #700000"], &traces).stdout;
    assert!(screen.contains("events up to #") && screen.contains("are left out"), "{screen}");
    let screen = view(folder.path(), &["divergence", "record"], &traces).stdout;
    assert!(screen.contains("no events are left out here"), "{screen}");
}

#[test]
fn searches_say_which_events_they_did_not_look_at() {
    let folder = folder_with(&[("m.wat", MODULE)]);
    compare(folder.path(), "window");
    let traces = ["window/lhs.fpt", "window/rhs.fpt", "--size", "200x30"];
    for commands in [
        &["first", "search op == v128.store"][..],
        &["first", "search op == v128.load"],
        &["divergence", "search i32.store8", "previous"],
        &["first", "appearance \"nowhere\""],
    ] {
        let screen = view(folder.path(), commands, &traces).stdout;
        assert!(screen.contains("not looked at: #"), "{commands:?}: {screen}");
        assert!(screen.contains("R on their row, or going to one of them, runs it again"), "{commands:?}: {screen}");
    }
}
