//! Pages whose modules are recorded in a browser, also in their workers, and run again under other engines.

mod common;

use common::apps::{dump, replays, replays_under};
use common::external::{CHROMIUM, FIREFOX, Need, external_tests, javascript, node};
use common::{Ran, folder_with, repository, run};
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

external_tests! {
    [Need::Node, CHROMIUM, Need::Program("openssl", "version")] => a_page_under_https_is_recorded;
    [Need::Node, CHROMIUM] => a_page_is_recorded_in_a_browser,
        sockets_reach_what_is_allowed_and_frames_are_not_recorded,
        workers_of_a_page_are_recorded,
        a_worker_that_never_ends_is_stopped,
        a_hostile_page_is_bounded;
    [Need::Node, FIREFOX] => a_page_is_recorded_in_firefox, a_page_that_firefox_cannot_end_is_cut_off;
    [Need::Node, Need::Packages, CHROMIUM] => sqlite_in_a_page_runs_everywhere, sqlite_in_its_worker_runs_everywhere;
}

/// Shows a page, `page.html` of the folder, in a browser and records its module.
fn browse(folder: &Path, more: &[&str]) -> Ran {
    let mut command = vec!["record", "--browser", "page.html", "-o", "app.fpt"];
    command.extend(more);
    run(folder, &command)
}

fn page(module: &str, script: &str) -> TempDir {
    let binary = wat::parse_str(module).expect("a module");
    let html = format!("<!doctype html><p id=said></p><script type=module>{script}</script>");
    folder_with(&[("app.wasm", &binary), ("page.html", html.as_bytes())])
}

/// The demo's host writes through an array that it keeps, throws, and calls back, as in Node; what it prints is not compared.
fn a_page_is_recorded_in_a_browser() {
    let folder = page(
        r#"(module
          (import "env" "f" (func $f (param i32) (result i32)))
          (memory (export "memory") 1 4)
          (func (export "run") (param i32) (result i32)
            (i32.store (i32.const 8) (local.get 0))
            (i32.add (i32.load (i32.const 100)) (call $f (local.get 0)))))"#,
        r#"let bytes;
        const f = (value) => {
          bytes[200] = value;
          if (value === 2) exports.memory.grow(1);
          return value === 0 ? 0 : exports.run(value - 1);
        };
        const { instance, module } = await WebAssembly.instantiateStreaming(fetch("app.wasm"), { env: { f } });
        const { exports } = instance;
        bytes = new Uint8Array(exports.memory.buffer);
        bytes[100] = 7;
        said.textContent = exports.run(4) + " " + (instance instanceof WebAssembly.Instance);
        fetch("http://127.0.0.1:8099/elsewhere").catch(() => { window.done = said.textContent === "35 true"; });"#,
    );
    let recorded = browse(folder.path(), &["--until", "window.done"]);
    assert!(recorded.code == 0 && !recorded.stderr.contains("--until"), "{recorded:?}");
    // No other server is reached, not even on this machine.
    assert!(recorded.stderr.contains("to \"127.0.0.1:8099\" were refused"), "{recorded:?}");
    let dumped = dump(folder.path());
    for step in
        ["call run(4)", "host calls run(0)", "host grows by 1 -> 1 (now 2 pages)", "host write [0x00000064; 1] <- 07"]
    {
        assert!(dumped.contains(step), "no {step:?} in\n{dumped}");
    }
    replays(folder.path());
}

const IN_FIREFOX: [&str; 2] = ["--firefox", "firefox-esr"];

/// With traps, of which Firefox has words of its own, and the recorded kinds are those of other engines.
fn a_page_is_recorded_in_firefox() {
    let folder = page(
        r#"(module
          (import "env" "f" (func $f (param i32) (result i32)))
          (type $none (func)) (type $other (func (param i64)))
          (memory (export "memory") 1 4) (table 3 funcref) (elem (i32.const 0) $f)
          (func (export "run") (param i32) (result i32)
            (i32.store (i32.const 8) (local.get 0))
            (i32.add (i32.load8_u (i32.const 100)) (call $f (local.get 0))))
          (func (export "load") (drop (i32.load (i32.const -8))))
          (func (export "null") (call_indirect (type $none) (i32.const 1)))
          (func (export "type") (call_indirect (type $none) (i32.const 0)))
          (func (export "table") (call_indirect (type $none) (i32.const 7)))
          (func (export "zero") (drop (i32.div_u (i32.const 1) (i32.const 0))))
          (func (export "nan") (drop (i32.trunc_f32_s (f32.const nan))))
          (func (export "large") (drop (i32.trunc_f32_s (f32.const 1e30))))
          (func (export "stop") unreachable))"#,
        r#"let bytes;
        const f = (value) => {
          bytes[200] = value;
          return value === 0 ? 0 : exports.run(value - 1);
        };
        const { instance } = await WebAssembly.instantiateStreaming(fetch("app.wasm"), { env: { f } });
        const { exports } = instance;
        bytes = new Uint8Array(exports.memory.buffer);
        bytes[100] = 7;
        said.textContent = exports.run(4);
        for (const name of ["load", "null", "type", "table", "zero", "nan", "large", "stop"]) {
          try { exports[name](); } catch (error) { said.textContent += error instanceof WebAssembly.RuntimeError; }
        }
        fetch("http://127.0.0.1:8099/elsewhere").catch(() => { window.done = said.textContent === "35" + "true".repeat(8); });"#,
    );
    let recorded =
        browse(folder.path(), &[&IN_FIREFOX[..], &["--until", "window.done", "--screenshot", "page.png"]].concat());
    assert!(recorded.code == 0 && !recorded.stderr.contains("--until"), "{recorded:?}");
    assert!(recorded.stderr.contains("to \"127.0.0.1:8099\" were refused"), "{recorded:?}");
    assert!(fs::read(folder.path().join("page.png")).expect("a picture").starts_with(b"\x89PNG"));
    let dumped = dump(folder.path());
    for step in ["call run(4)", "host calls run(0)", "host write [0x00000064; 1] <- 07", "end: finished"] {
        assert!(dumped.contains(step), "no {step:?} in\n{dumped}");
    }
    let info = run(folder.path(), &["info", "app.fpt"]);
    assert!(info.stdout.contains("firefox") && info.stdout.contains("spidermonkey"), "{info:?}");
    replays_under(folder.path(), &["wasmtime:jit", "wasmi"]);
}

fn a_page_that_firefox_cannot_end_is_cut_off() {
    let folder = page(
        STORES,
        r#"const { instance } = await WebAssembly.instantiateStreaming(fetch("app.wasm"));
        for (;;) instance.exports.run(3);"#,
    );
    let ran = browse(folder.path(), &[&IN_FIREFOX[..], &["--seconds", "2"]].concat());
    let dumped = dump(folder.path());
    assert!(dumped.contains("call run(3)") && dumped.contains("end: interrupted"), "{ran:?}");
    let verified = run(folder.path(), &["info", "--verify", "app.fpt"]);
    assert_eq!(verified.code, 0, "{verified:?}");
}

/// A server of `page.html`, `app.wasm` and a socket that says "hi", under https if it has a key, and its address.
struct Server(Child, String);

impl Server {
    fn of(folder: &Path) -> Server {
        let script = r#"const fs = require("fs"), crypto = require("crypto");
            const tls = fs.existsSync("key.pem") && { key: fs.readFileSync("key.pem"), cert: fs.readFileSync("cert.pem") };
            const types = { html: "text/html", wasm: "application/wasm" };
            const serve = ({ url }, response) => {
              const name = url.slice(1).replace(/[^a-z.]/g, "") || "page.html";
              if (!fs.existsSync(name)) return response.writeHead(404).end();
              const policy = "default-src 'self' 'unsafe-inline' 'wasm-unsafe-eval'";
              response.writeHead(200, { "Content-Type": types[name.split(".")[1]], "Content-Security-Policy": policy });
              response.end(fs.readFileSync(name));
            };
            const server = tls ? require("https").createServer(tls, serve) : require("http").createServer(serve);
            server.on("upgrade", ({ headers }, socket) => {
              const key = headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
              const accept = crypto.createHash("sha1").update(key).digest("base64");
              socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
              socket.write(Buffer.from([0x81, 2, 0x68, 0x69]));
            });
            server.listen(0, "127.0.0.1", () => console.log(server.address().port));"#;
        let mut command = Command::new(node());
        command.args(["-e", script]).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut server = command.spawn().expect("node starts");
        let mut line = String::new();
        let said = server.stdout.take().expect("its output");
        BufReader::new(said).read_line(&mut line).expect("its port");
        let scheme = if folder.join("key.pem").exists() { "https" } else { "http" };
        Server(server, format!("{scheme}://127.0.0.1:{}", line.trim()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a page does with the module of these tests.
const STORES: &str =
    r#"(module (memory 1) (func (export "run") (param i32) (i32.store (i32.const 8) (local.get 0))))"#;

/// A page with a policy for its content, whose certificate the browser is told to accept: else it shows nothing.
fn a_page_under_https_is_recorded() {
    let folder = page(
        STORES,
        r#"const { instance } = await WebAssembly.instantiateStreaming(fetch("app.wasm"));
        instance.exports.run(7);
        window.done = location.protocol;"#,
    );
    let mut openssl = Command::new("openssl");
    openssl.args(
        "req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=127.0.0.1".split(' '),
    );
    assert!(openssl.current_dir(folder.path()).output().expect("openssl starts").status.success());
    let server = Server::of(folder.path());
    let show = |more: &[&str]| {
        let command = ["record", "--browser", &server.1, "--until", "window.done === 'https:'", "-o", "app.fpt"];
        run(folder.path(), &[&command[..], more].concat())
    };
    let refused = show(&[]);
    assert!(refused.code == 2 && refused.stderr.contains("net::ERR_CERT_AUTHORITY_INVALID"), "{refused:?}");
    let wrapper = folder.path().join("chromium.sh");
    fs::write(&wrapper, "#!/bin/sh\nexec chromium --ignore-certificate-errors \"$@\"\n").expect("a script");
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).expect("permissions");
    let recorded = show(&["--chromium", "./chromium.sh"]);
    assert!(recorded.code == 0 && !recorded.stderr.contains("--until"), "{recorded:?}");
    assert!(dump(folder.path()).contains("call run(7)"));
    replays(folder.path());
}

fn sockets_reach_what_is_allowed_and_frames_are_not_recorded() {
    let server_folder = page(STORES, "");
    let server = Server::of(server_folder.path());
    let script = format!(
        r#"const {{ instance }} = await WebAssembly.instantiateStreaming(fetch("app.wasm"));
        const socket = new WebSocket("{}/");
        socket.onmessage = ({{ data }}) => {{ instance.exports.run(40 + data.length); window.done = true; }};
        socket.onerror = () => {{ instance.exports.run(5); window.done = true; }};"#,
        server.1.replace("http", "ws")
    );
    let folder = page(STORES, &script);
    let refused = browse(folder.path(), &["--until", "window.done"]);
    assert!(refused.code == 0 && refused.stderr.contains("were refused: --allow-origin allows them"), "{refused:?}");
    assert!(dump(folder.path()).contains("call run(5)"));
    let allowed = browse(folder.path(), &["--until", "window.done", "--allow-origin", &server.1]);
    assert!(allowed.code == 0 && !allowed.stderr.contains("refused"), "{allowed:?}");
    assert!(dump(folder.path()).contains("call run(42)"));

    let framed = r#"const { instance } = await WebAssembly.instantiateStreaming(fetch("app.wasm"));
        instance.exports.run(9);
        parent.postMessage("ran", "*");"#;
    let frame = page(STORES, framed);
    fs::rename(frame.path().join("page.html"), frame.path().join("frame.html")).expect("a frame");
    let outer =
        "<!doctype html><iframe src=frame.html></iframe><script>onmessage = () => { window.done = 1; };</script>";
    fs::write(frame.path().join("page.html"), outer).expect("a page");
    let ran = browse(frame.path(), &["--until", "window.done"]);
    assert!(ran.code == 2 && ran.stderr.contains("modules in frames are not recorded"), "{ran:?}");
    assert!(!ran.stderr.contains("--until"), "the frame ran as ever: {ran:?}");
}

/// A page whose worker says "ready", runs the module with each number that it gets, and says what comes out.
fn page_with_worker(worker: &str, how: &str, then: &str) -> TempDir {
    let script = format!(
        r#"const {{ instance }} = await WebAssembly.instantiateStreaming(fetch("{{place}}app.wasm"));
        const {{ exports }} = instance;
        onmessage = ({{ data }}) => {{
          new Uint8Array(exports.memory.buffer)[100] = 7;
          postMessage(exports.run(data));
          {how}
        }};
        postMessage("ready");"#
    );
    let page = format!(
        r#"const script = {};
        const place = new URL(".", location).href;
        const worker = {worker};
        worker.onmessage = ({{ data }}) => {{
          if (data === "ready") return worker.postMessage(5);
          {then}
          window.done = data === 12;
        }};"#,
        serde_json::Value::from(script.as_str())
    );
    let module = r#"(module (memory (export "memory") 1) (func (export "run") (param i32) (result i32)
        (i32.store (i32.const 8) (local.get 0)) (i32.add (local.get 0) (i32.load8_u (i32.const 100)))))"#;
    let folder = self::page(module, &page);
    fs::write(folder.path().join("worker.mjs"), script.replace("{place}", "")).expect("a script");
    folder
}

/// From a file and from an address that the page makes, up to the page's end, the worker's and the one that the page gives it.
fn workers_of_a_page_are_recorded() {
    let file = r#"new Worker("worker.mjs", { type: "module" })"#;
    let made = r#"new Worker(
          URL.createObjectURL(new Blob([script.replace("{place}", place)], { type: "text/javascript" })), { type: "module" })"#;
    for (worker, how, then, end) in [
        (file, "", "", "finished"),
        (made, "", "", "finished"),
        (file, "close();", "", "finished"),
        (file, "", "worker.terminate();", "interrupted"),
    ] {
        let folder = page_with_worker(worker, how, then);
        let recorded = browse(folder.path(), &["--until", "window.done"]);
        assert!(recorded.code == 0 && !recorded.stderr.contains("--until"), "{worker} {how}{then}: {recorded:?}");
        assert!(recorded.stderr.contains("a worker of the program ran the recorded module"), "{recorded:?}");
        let dumped = dump(folder.path());
        let end = format!("end: {end}");
        for step in ["host write [0x00000064; 1] <- 07", "call run(5)", "run -> 12 to the host", &end] {
            assert!(dumped.contains(step), "{worker} {how}{then}: no {step:?} in\n{dumped}");
        }
        if end == "end: finished" {
            replays_under(folder.path(), &["wasmtime:jit", "wasmi"]);
        }
    }
}

fn a_worker_that_never_ends_is_stopped() {
    let folder = page_with_worker(r#"new Worker("worker.mjs", { type: "module" })"#, "for (;;) exports.run(2);", "");
    let ran = browse(folder.path(), &["--until", "window.done"]);
    assert!(ran.stderr.contains("the worker does not come to an end, and is stopped"), "{ran:?}");
    let dumped = dump(folder.path());
    assert!(dumped.contains("call run(2)") && dumped.contains("end: interrupted"), "what was recorded is kept");
}

/// Its own worker, from its package, which a page talks to by messages.
fn sqlite_in_its_worker_runs_everywhere() {
    let html = fs::read(repository("tests/javascript/worker.html")).expect("a page");
    let read = |name: &str| fs::read(javascript().join("sql.js/dist").join(name)).expect("sql.js");
    let (script, module) = (read("worker.sql-wasm.js"), read("sql-wasm.wasm"));
    let folder = folder_with(&[("page.html", &html), ("worker.sql-wasm.js", &script), ("sql-wasm.wasm", &module)]);
    let recorded = browse(folder.path(), &["--until", "window.done"]);
    assert!(recorded.code == 0 && !recorded.stderr.contains("--until"), "{recorded:?}");
    assert!(recorded.stderr.contains("a worker of the program ran the recorded module"), "{recorded:?}");
    replays(folder.path());
}

/// Pages that put something else in WebAssembly's place, or never come to an end.
fn a_hostile_page_is_bounded() {
    let module = r#"(module (memory 1) (func (export "run") (result i32) (i32.store (i32.const 0) (i32.const 1)) (i32.const 1)))"#;
    let replaced = page(module, "window.WebAssembly = { instantiate() {} }; WebAssembly.instantiate();");
    let ran = browse(replaced.path(), &["--seconds", "1"]);
    assert!(ran.code == 2 && ran.stderr.contains("itself instantiated no WebAssembly module"), "{ran:?}");
    let endless = page(
        module,
        r#"const { instance } = await WebAssembly.instantiateStreaming(fetch("app.wasm"));
        for (;;) instance.exports.run();"#,
    );
    let ran = browse(endless.path(), &["--seconds", "2"]);
    assert!(ran.stderr.contains("does not come to an end, and is stopped"), "{ran:?}");
    assert!(dump(endless.path()).contains("call run()"), "what was recorded is kept");
}

fn sqlite_in_a_page_runs_everywhere() {
    let html = fs::read(repository("tests/javascript/page.html")).expect("a page");
    let read = |name: &str| fs::read(javascript().join("sql.js/dist").join(name)).expect("sql.js");
    let (script, module) = (read("sql-wasm.js"), read("sql-wasm.wasm"));
    let folder = folder_with(&[("page.html", &html), ("sql-wasm.js", &script), ("sql-wasm.wasm", &module)]);
    let recorded = browse(folder.path(), &["--until", "window.done", "--screenshot", "page.png"]);
    assert!(recorded.code == 0 && !recorded.stderr.contains("--until"), "{recorded:?}");
    assert!(fs::read(folder.path().join("page.png")).expect("a picture").starts_with(b"\x89PNG"));
    replays(folder.path());
}
