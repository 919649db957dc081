//! `forkpoint view` in a real terminal of 80 columns and 24 rows, provided by tmux.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;

use common::external::{TMUX, external_tests};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

external_tests! {
    [TMUX] => two_traces_side_by_side_from_start_to_quit, two_builds_have_their_own_code_side_by_side, a_signal_gives_the_terminal_back,
        a_long_search_shows_how_far_it_is_and_stops_by_esc_or_q, what_a_strangers_guest_prints_does_not_act,
        a_comparison_opens_what_it_found_and_again_later;
}

/// A separate tmux server, ended with the test.
struct Terminal {
    socket: String,
}

impl Terminal {
    fn new() -> Terminal {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let terminal = Terminal { socket: format!("forkpoint-test-{}-{number}", std::process::id()) };
        terminal.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", "-s", "t", "sh"]);
        terminal
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let output = Command::new("tmux").args(["-L", &self.socket]).args(arguments).output().unwrap();
        assert!(output.status.success(), "tmux {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn keys(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys", "-t", "t"], keys].concat());
    }

    /// Waits until the screen is as wanted, and returns it.
    fn wait(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let mut screen = String::new();
        for _ in 0..100 {
            screen = self.tmux(&["capture-pane", "-p", "-t", "t"]);
            if wanted(&screen) {
                return screen;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("the terminal does not show {what}:\n{screen}");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = Command::new("tmux").args(["-L", &self.socket, "kill-server"]).output();
    }
}

fn two_traces_side_by_side_from_start_to_quit() {
    let terminal = Terminal::new();
    let samples = common::repository("traces/samples");
    terminal.keys(&[&format!("cd '{}'; PS1='ready> '; clear", samples.display()), "Enter"]);
    terminal.wait("a prompt", |screen| screen.starts_with("ready>"));
    terminal.keys(&[&format!("'{}' view orbit-jit.fpt orbit-portable.fpt", common::FORKPOINT), "Enter"]);

    // The last line is drawn last.
    let screen =
        terminal.wait("the divergence", |screen| screen.contains("value at #12") && screen.contains("q quit"));
    assert!(screen.contains("orbit-jit.fpt | orbit-portable.fpt"), "{screen}");
    assert!(screen.contains("memory 0 @0x10 after #12"), "{screen}");
    assert!(screen.contains("f32x4.relaxed_madd"), "the text of the module:\n{screen}");
    assert!(screen.lines().count() <= 24 && screen.lines().all(|line| line.chars().count() <= 80), "{screen}");
    assert_eq!(terminal.tmux(&["display", "-p", "-t", "t", "#{alternate_on}"]).trim(), "1");

    terminal.keys(&["j"]);
    terminal.wait("the next event", |screen| screen.contains("after #13") && screen.contains("#13  lhs  step@0x8c"));
    terminal.keys(&["d"]);
    terminal.wait("the divergence again", |screen| screen.contains("after #12"));
    terminal.keys(&["?"]);
    terminal.wait("the help", |screen| screen.contains("show or hide this help"));
    terminal.keys(&["?"]);
    terminal.wait("no help", |screen| !screen.contains("show or hide this help") && screen.contains("value at #12"));

    terminal.keys(&["q"]);
    // Only the command and a new prompt are left.
    terminal.wait("the shell", |screen| screen.matches("ready>").count() == 2 && !screen.contains("value at #12"));
    let modes = terminal.tmux(&["display", "-p", "-t", "t", "#{alternate_on} #{cursor_flag} #{mouse_any_flag}"]);
    assert_eq!(modes.trim(), "0 1 0", "main screen, cursor shown, no mouse reports");
    // Raw mode is off: what is typed is echoed and Enter runs it.
    terminal.keys(&["echo code $?", "Enter"]);
    terminal.wait("the exit code", |screen| screen.contains("echo code $?") && screen.contains("\ncode 0"));
}

fn two_builds_have_their_own_code_side_by_side() {
    let build = |store: &str, helper: &str| {
        format!(
            "(module (memory 1) {helper} (func $run (export \"run\") (result i32)
               (i32.store (i32.const 0) (i32.const 1)) {store} (i32.load (i32.const 8))))"
        )
    };
    // The second build writes another value, and in between once more.
    let lhs = build("(i32.store (i32.const 8) (i32.const 5))", "");
    let rhs =
        build("(i32.store (i32.const 64) (i32.const 9)) (i32.store16 (i32.const 8) (i32.const 6))", "(func $other)");
    let folder = common::folder_with(&[("lhs.wat", lhs.as_bytes()), ("rhs.wat", rhs.as_bytes())]);
    let compared = common::run(folder.path(), &["compare", "lhs.wat", "rhs.wat", "--invoke", "run", "-o", "."]);
    assert_eq!(compared.code, 1, "{}{}", compared.stdout, compared.stderr);
    let terminal = Terminal::new();
    terminal.keys(&[&format!("cd '{}'; PS1='ready> '; clear", folder.path().display()), "Enter"]);
    terminal.wait("a prompt", |screen| screen.starts_with("ready>"));
    terminal.keys(&[&format!("'{}' view lhs.fpt rhs.fpt", common::FORKPOINT), "Enter"]);
    let screen =
        terminal.wait("the difference", |screen| screen.contains("result at #") && screen.contains("q quit"));
    assert!(
        screen.contains("lhs.wat | rhs.wat") && screen.contains("two builds: events that do the same share a row"),
        "{screen}"
    );
    // Both returns are in one row, although one build has an event more.
    assert!(screen.lines().any(|line| line.contains("return 5") && line.contains("return 6")), "{screen}");
    // The stores before it, of which the one on the right is shorter.
    terminal.keys(&["k"]);
    let screen =
        terminal.wait("both codes", |screen| screen.contains("lhs wat run") && screen.contains("rhs wat run"));
    let pair = |line: &str| line.contains("i32.store") && line.matches("i32.store").count() == 2;
    assert!(screen.lines().any(pair), "{screen}");
    terminal.keys(&["q"]);
    terminal.wait("the shell", |screen| screen.matches("ready>").count() == 2);
}

/// `compare --view` shows the viewer and prints nothing; `view` alone opens the same traces later.
fn a_comparison_opens_what_it_found_and_again_later() {
    let orbit = std::fs::read(common::repository("examples/orbit.wat")).unwrap();
    let folder = common::folder_with(&[("orbit.wat", &orbit)]);
    std::fs::create_dir_all(folder.path().join("config/forkpoint")).unwrap();
    std::fs::write(folder.path().join("config/forkpoint/keys"), "F5 calls").unwrap();
    let path = folder.path().display();
    let terminal = Terminal::new();
    terminal.keys(&[
        &format!("cd '{path}'; export XDG_CONFIG_HOME='{path}/config' FORKPOINT_CACHE=cache PS1='ready> '; clear"),
        "Enter",
    ]);
    terminal.wait("a prompt", |screen| screen.starts_with("ready>"));
    let forkpoint = common::FORKPOINT;
    let engines = "--lhs wasmtime:aot,target=portable --rhs wasmtime:pulley";
    terminal.keys(&[&format!("'{forkpoint}' view"), "Enter"]);
    terminal.wait("that nothing is kept", |screen| screen.contains("no comparison is kept in"));
    terminal.keys(&["clear", "Enter"]);
    terminal.keys(&[&format!("'{forkpoint}' compare orbit.wat --invoke 'run 100' {engines} --view"), "Enter"]);
    let found = |screen: &str| screen.contains("value at #12") && screen.contains("q quit");
    let screen = terminal.wait("the divergence", found);
    assert!(screen.contains("memory 0 @0x10 after #12"), "{screen}");
    // A key of the user's, and an engine that only the comparison was told of.
    terminal.keys(&["F5"]);
    terminal.wait("the calls", |screen| screen.contains("step(history = i32 96)"));
    terminal.keys(&["F5", "m", "b"]);
    terminal.keys(&[":theme safe", "Enter"]);
    terminal.keys(&["q"]);
    let screen = terminal.wait("the shell", |screen| screen.matches("ready>").count() == 2 && !found(screen));
    assert!(!screen.contains("diverge"), "only the viewer was shown:\n{screen}");
    terminal.keys(&["echo code $?", "Enter"]);
    terminal.wait("the exit code", |screen| screen.contains("\ncode 1"));

    terminal.keys(&["clear", "Enter"]);
    terminal.keys(&[&format!("'{forkpoint}' view"), "Enter"]);
    let screen =
        terminal.wait("the same again", |screen| screen.contains("value at #12") && screen.contains("q quit"));
    assert!(
        screen.contains("the last comparison, ") && screen.contains(" ago: forkpoint compare orbit.wat"),
        "{screen}"
    );
    assert_eq!(std::fs::read_to_string(folder.path().join("cache/views/theme")).unwrap(), "theme safe\n");
    terminal.keys(&["g", "'", "b"]);
    terminal.wait("the marked event", |screen| screen.contains("after #12"));
    terminal.keys(&["j"]);
    terminal.wait("the next event", |screen| screen.contains("after #13") && !screen.contains("the last comparison"));
    terminal.keys(&["q"]);
    terminal.wait("the shell", |screen| screen.contains("ready>") && !screen.contains("value at"));
}

/// A search through forty million events takes seconds on any machine.
fn a_long_search_shows_how_far_it_is_and_stops_by_esc_or_q() {
    let module = br#"(module (memory $heap 16) (func (export "run") (param $n i32) (local $i i32)
        (loop $again
          (i32.store (i32.and (i32.mul (local.get $i) (i32.const 4)) (i32.const 0xffffc)) (local.get $i))
          (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))))"#;
    let folder = common::folder_with(&[("long.wat", module)]);
    let recorded = common::run(folder.path(), &["record", "long.wat", "--invoke", "run 600000000", "-o", "long.fpt"]);
    assert_eq!(recorded.code, 0, "{}", recorded.stderr);
    let terminal = Terminal::new();
    terminal.keys(&[&format!("cd '{}'; '{}' view long.fpt", folder.path().display(), common::FORKPOINT), "Enter"]);
    terminal.wait("the trace", |screen| screen.contains("long.fpt") && screen.contains("q quit"));

    let progress = |screen: &str| {
        let line = screen.lines().find(|line| line.contains("Esc stops"))?;
        line.contains(" %  #").then(|| line.trim().to_string())
    };
    terminal.keys(&["/nothing", "Enter"]);
    let first = progress(&terminal.wait("how far it is", |screen| progress(screen).is_some())).unwrap();
    assert!(first.contains(" s  next `nothing`"), "{first}");
    // It continues, and the rest of the screen stays.
    let screen = terminal.wait("that it goes on", |screen| progress(screen).is_some_and(|line| line != first));
    assert!(screen.contains("600000007 events") && screen.contains("q quit"), "{screen}");
    terminal.keys(&["Escape"]);
    terminal.wait("that it is stopped", |screen| screen.contains("search stopped"));
    // The viewer has not moved, and takes keys again.
    terminal.keys(&["j"]);
    terminal.wait("the next event", |screen| screen.contains("#1  accepted at compile"));
    // During another search the screen is resized, and q quits at once.
    terminal.keys(&["n"]);
    terminal.wait("how far it is", |screen| progress(screen).is_some());
    terminal.tmux(&["resize-window", "-t", "t", "-x", "100", "-y", "30"]);
    terminal.wait("the new size", |screen| {
        progress(screen).is_some() && screen.lines().count() == 30 && screen.contains("q quit  : command")
    });
    terminal.keys(&["q"]);
    terminal.wait("the shell", |screen| !screen.contains("600000007 events"));
}

/// A recording replays what its guest printed, which may be hostile.
fn what_a_strangers_guest_prints_does_not_act() {
    let module = br#"(module
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1) (data (i32.const 64) "\1b]0;owned\07\1b[2Jhello\0a") (data (i32.const 0) "\40\00\00\00\14\00\00\00")
        (func (export "_start") (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 32)))))"#;
    let folder = common::folder_with(&[("evil.wat", module)]);
    // When not on a terminal, it is the guest's own output, byte for byte.
    let recorded = common::run(folder.path(), &["record", "evil.wat"]);
    assert!(recorded.code == 0 && recorded.stdout.contains("\x1b]0;owned"), "{recorded:?}");
    let terminal = Terminal::new();
    terminal.keys(&[
        &format!("cd '{}'; '{}' replay evil.fpt --echo", folder.path().display(), common::FORKPOINT),
        "Enter",
    ]);
    let screen = terminal.wait("the end", |screen| screen.contains("The runs agree"));
    assert!(screen.contains("\\u{1b}]0;owned\\u{7}\\u{1b}[2Jhello"), "{screen}");
    assert!(!terminal.tmux(&["display", "-p", "-t", "t", "#{pane_title}"]).contains("owned"));
}

fn a_signal_gives_the_terminal_back() {
    let terminal = Terminal::new();
    let samples = common::repository("traces/samples");
    terminal.keys(&[&format!("cd '{}'; PS1='ready> '; clear", samples.display()), "Enter"]);
    terminal.wait("a prompt", |screen| screen.starts_with("ready>"));
    for (signal, code) in [("TERM", "143"), ("HUP", "129")] {
        terminal.keys(&["clear", "Enter"]);
        terminal.keys(&[&format!("'{}' view orbit-jit.fpt", common::FORKPOINT), "Enter"]);
        terminal.wait("the viewer", |screen| screen.contains("memory 0") && screen.contains("q quit"));
        let shell = terminal.tmux(&["display", "-p", "-t", "t", "#{pane_pid}"]);
        let viewers = common::children(shell.trim().parse().unwrap());
        assert_eq!(viewers.len(), 1, "{viewers:?}");
        assert!(Command::new("kill").args([&format!("-{signal}"), &viewers[0]]).status().unwrap().success());
        terminal.wait("the shell", |screen| screen.contains("ready>") && !screen.contains("memory 0"));
        let modes = terminal.tmux(&["display", "-p", "-t", "t", "#{alternate_on} #{cursor_flag} #{mouse_any_flag}"]);
        assert_eq!(modes.trim(), "0 1 0", "main screen, cursor shown, no mouse reports");
        terminal.keys(&["echo code $?; stty -a | grep -ow -e -echo -e -icanon; echo none", "Enter"]);
        // This shows whether raw mode is off: `stty` prints a minus before what is off.
        let screen = terminal.wait("the exit code", |screen| screen.contains("\nnone"));
        assert!(screen.contains(&format!("\ncode {code}\nnone")), "{signal}:\n{screen}");
        assert!(screen.contains("echo code $?"), "what is typed is echoed:\n{screen}");
    }
}
