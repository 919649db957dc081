//! `forkpoint report`: a page that needs nothing but itself, whatever the traces hold.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;

use common::external::{CHROMIUM, Tests};
use common::{folder_with, repository, run};
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Output};

fn main() -> ExitCode {
    let mut tests = Tests::default();
    tests.add("a_page_shows_what_the_report_says", &[], a_page_shows_what_the_report_says);
    tests.add("a_page_of_each_kind_of_divergence", &[], a_page_of_each_kind_of_divergence);
    tests.add("text_of_a_stranger_is_text", &[], text_of_a_stranger_is_text);
    tests.add("a_browser_shows_it_and_asks_for_nothing", &[CHROMIUM], a_browser_shows_it_and_asks_for_nothing);
    tests.run()
}

/// The page of the traces that a comparison kept.
fn page(folder: &Path, files: &[&str]) -> String {
    let ran = run(folder, &[&["report"], files, &["-o", "page.html"]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    let page = fs::read_to_string(folder.join("page.html")).unwrap();
    // It is one file, and its own policy says so.
    assert!(page.contains("default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"));
    for from_elsewhere in ["http:", "https:", "src=", "href=", "url(", "@import"] {
        assert!(!page.contains(from_elsewhere), "{from_elsewhere}: {page}");
    }
    assert_eq!(page.matches("<script").count(), 1, "{page}");
    page
}

fn samples() -> [String; 2] {
    ["orbit-jit", "orbit-portable"]
        .map(|name| repository(&format!("traces/samples/{name}.fpt")).display().to_string())
}

fn a_page_shows_what_the_report_says() {
    let folder = folder_with(&[]);
    let [lhs, rhs] = samples();
    let whole = page(folder.path(), &[&lhs, &rhs]);
    for expected in [
        "<title>value at #12: orbit.wat</title>",
        "The runs diverge at #12: the same instruction wrote another value",
        "The specification may allow this",
        // Both events, the byte that differs in memory, the instruction, the engines.
        "f32x4 -0.029995998",
        "f32x4 -0.029996 ",
        "<b>2b</b>",
        "<b>2c</b>",
        "<span class=\"here\">",
        "native code of lhs: wasmtime:jit",
        "wasmtime:aot,target=portable",
        "written pages of 4 KiB",
    ] {
        assert!(whole.contains(expected), "{expected}: {whole}");
    }
    let few = page(folder.path(), &[&lhs, &rhs, "--rows", "2"]);
    assert_eq!(few.matches("<tr tabindex").count(), 5, "two rows before the divergence, and two after it");
    // A pack gives the same page.
    assert_eq!(run(folder.path(), &["pack", &lhs, &rhs, "-o", "bug.zip"]).code, 0);
    assert_eq!(page(folder.path(), &["bug.zip"]), whole);
    let same = page(folder.path(), &[&lhs, &lhs]);
    assert!(same.contains("The runs do not diverge"), "{same}");
    let out = run(folder.path(), &["report", &lhs, &rhs, "-o", "-"]);
    assert!(out.stdout.starts_with("<!doctype html>"), "{out:?}");
}

fn compare(folder: &Path, arguments: &[&str]) -> String {
    let ran = run(folder, &[&["compare", "a.wat", "-o", "out", "--no-guard"], arguments].concat());
    assert_eq!(ran.code, 1, "{ran:?}");
    page(folder, &["out/lhs.fpt", "out/rhs.fpt"])
}

fn a_page_of_each_kind_of_divergence() {
    let grows = br#"(module (memory 1) (func (export "run")
      (i32.store (i32.const 0) (memory.grow (i32.const 9))) (i32.store (i32.const 65536) (i32.const 1))))"#;
    let folder = folder_with(&[("a.wat", grows)]);
    let arguments = ["--invoke", "run", "--rhs", "wasmi", "--rhs-memory-page-limit", "4"];
    let page = compare(folder.path(), &arguments);
    assert!(page.contains(">grow</span>") && page.contains("refused (-1)"), "{page}");
    assert!(page.contains("out of bounds memory access"), "the right side traps later: {page}");

    let needs = br#"(module (type $empty (struct)) (func (export "run") (drop (struct.new $empty))))"#;
    fs::write(folder.path().join("a.wat"), needs).unwrap();
    let page = compare(folder.path(), &["--invoke", "run", "--rhs", "wasmi"]);
    assert!(page.contains(">validation</span>"), "{page}");
}

fn text_of_a_stranger_is_text() {
    let module = br#"(module (memory 1)
        (func $"</pre><script>alert(1)</script>\u{202e}" (export "run") (result f32)
          (f32.store (i32.const 0) (f32.div (f32.load (i32.const 64)) (f32.load (i32.const 64)))) (f32.const 0)))"#;
    let name = "<img src=x onerror=alert(1)>{{ 7 * 7 }}.wat";
    let folder = folder_with(&[(name, module)]);
    let rhs = "wasmtime:jit,nan-canonicalization=on";
    let arguments = ["compare", name, "--invoke", "run", "--rhs", rhs, "--nan-bits", "stop", "-o", "out"];
    let ran = run(folder.path(), &arguments);
    assert_eq!(ran.code, 1, "{ran:?}");
    let ran = run(folder.path(), &["report", "out/lhs.fpt", "out/rhs.fpt", "--nan-bits", "stop", "-o", "page.html"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let page = fs::read_to_string(folder.path().join("page.html")).unwrap();
    assert!(!page.contains("<img") && !page.contains("</pre><script>"), "{page}");
    assert_eq!(page.matches("<script").count(), 1);
    assert!(page.contains("&lt;img src=x"), "{page}");
    assert!(page.contains("{{ 7 * 7 }}"), "text is no template: {page}");
    assert!(!page.contains('\u{202e}'), "what turns text around is shown, not done");
}

fn a_browser_shows_it_and_asks_for_nothing() {
    let folder = folder_with(&[]);
    let [lhs, rhs] = samples();
    page(folder.path(), &[&lhs, &rhs]);
    let (output, net) = browse(folder.path(), "page.html");
    let (dom, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{errors}");
    assert_eq!(dom.matches("<tr tabindex").count(), 53, "{dom}");
    assert!(!errors.contains("CONSOLE") && !errors.contains("Refused"), "{errors}");
    assert!(!net.contains(OF_A_FILE), "{net}");
    // A page that does ask for something is told from the browser's own requests.
    fs::write(folder.path().join("asks.html"), "<!doctype html><img src=\"http://127.0.0.1:9/x\">").unwrap();
    assert!(browse(folder.path(), "asks.html").1.contains(OF_A_FILE));
}

/// How the browser's log names the origin of a page from a file, where something is loaded for it.
const OF_A_FILE: &str = "\"initiator\":\"null\"";

/// Shows a page without a screen: what the browser printed, and its log of the network.
fn browse(folder: &Path, page: &str) -> (Output, String) {
    let (profile, log) = (folder.join("profile"), folder.join("net.json"));
    let mut browser = Command::new("chromium");
    browser.args(["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom"]);
    browser.arg(format!("--user-data-dir={}", profile.display())).arg(format!("--log-net-log={}", log.display()));
    let output = browser.arg(format!("file://{}", folder.join(page).display())).output().unwrap();
    let net = fs::read_to_string(log).unwrap();
    (output, net)
}
