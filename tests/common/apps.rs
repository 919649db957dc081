//! Programs that live in JavaScript: recorded in Node, and run again under other engines.

use super::external::node;
use super::{Ran, folder_with, run};
use forkpoint_traces::{EngineWords, HostEvent, RawEvent, SiteId, TraceError, TraceReader, TraceWriter};
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// Engines that run such a recording.
pub const ENGINES: &[&str] = &["wasmtime:jit", "wasmtime:winch-jit", "wasmi", "node"];

/// A folder with `app.wasm` and `app.mjs`.
pub fn app(module: &str, script: &str) -> TempDir {
    let binary = wat::parse_str(module).expect("a module");
    folder_with(&[("app.wasm", &binary), ("app.mjs", script.as_bytes())])
}

/// The start of a script that has the module's bytes.
pub const BYTES: &str =
    r#"import fs from "fs"; const bytes = fs.readFileSync(new URL("./app.wasm", import.meta.url));"#;

pub fn record(folder: &TempDir, more: &[&str], arguments: &[&str]) -> Ran {
    let node = format!("--node={}", node());
    let mut command = vec!["record", &node, "-o", "app.fpt"];
    command.extend(more);
    command.extend(["--", "app.mjs"]);
    command.extend(arguments);
    run(folder.path(), &command)
}

pub fn plain(folder: &Path, arguments: &[&str]) -> String {
    let output =
        Command::new(node()).arg("app.mjs").args(arguments).current_dir(folder).output().expect("node starts");
    String::from_utf8(output.stdout).expect("text")
}

pub fn engine(name: &str) -> String {
    if name == "node" { format!("node,program={}", node()) } else { name.to_string() }
}

/// Checks that a recording is sound, and that it runs event for event under other engines.
pub fn replays(folder: &Path) {
    replays_under(folder, ENGINES);
}

/// The same for some engines only.
pub fn replays_under(folder: &Path, engines: &[&str]) {
    let verified = run(folder, &["info", "--verify", "app.fpt"]);
    assert_eq!(verified.code, 0, "{verified:?}");
    for name in engines {
        let replayed = run(folder, &["replay", "app.fpt", "--engine", &engine(name)]);
        assert!(replayed.code == 0 && replayed.stdout.starts_with("The runs agree on all"), "{name}: {replayed:?}");
    }
}

pub fn dump(folder: &Path) -> String {
    let dumped = run(folder, &["dump", "app.fpt"]);
    assert_eq!(dumped.code, 0, "{dumped:?}");
    dumped.stdout
}
/// Changes each step of the host log in several ways: no replay may fail in another way than by saying so.
/// Returns how many were refused or found to differ.
pub fn changed_logs(folder: &Path) -> i32 {
    let mut trace = TraceReader::open(&folder.join("app.fpt")).expect("a trace");
    let mut events = Vec::new();
    for chunk in 0..trace.chunks().len() {
        let mut keep = |event: RawEvent| {
            events.push((event.site, event.operands, event.blob.to_vec()));
            Ok::<(), TraceError>(())
        };
        trace.read_chunk(chunk, &mut keep).expect("a chunk");
    }
    let host: Vec<usize> = (0..events.len()).filter(|at| events[*at].0 == SiteId::HOST).collect();
    let mut refused = 0;
    for (number, &at) in host.iter().enumerate().step_by(2) {
        let mut changed = events.clone();
        match number % 4 {
            0 => drop(changed.remove(at)),
            _ => changed.insert(at, events[at].clone()),
        }
        let path = folder.join("changed.fpt");
        let mut writer = TraceWriter::create(
            &path,
            trace.header(),
            trace.module().clone(),
            trace.sites().iter().map(|(_, site)| site.clone()).collect(),
            trace.data().to_vec(),
        )
        .expect("a file");
        let written = changed
            .iter()
            .try_for_each(|(site, operands, blob)| writer.push(&RawEvent { site: *site, operands: *operands, blob }));
        if written.is_err() || writer.finish(EngineWords::default()).is_err() {
            continue;
        }
        for engine in ["wasmtime:jit", "wasmi"] {
            let ran = run(folder, &["replay", "changed.fpt", "--engine", engine]);
            let what = HostEvent::decode(&events[at].2);
            assert!((0..=2).contains(&ran.code) && !ran.stderr.contains("panicked"), "{number} {what:?}: {ran:?}");
            refused += i32::from(ran.code > 0);
        }
    }
    refused
}
