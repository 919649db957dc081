//! What forkpoint costs on whole programs, as ratios to the plain run: a pass by digests, a full recording, a comparison.
//!
//! `cargo bench --profile dev --bench programs [-- GUEST...]`: the sieve, flite and CPython as in the bench `recording`, or
//! modules that run without arguments and imports, by their paths. All ways take turns, and the fastest round of each counts.
//! CPU times are those of all processes, compiling included; other times run from instantiation to the end of the last call. A
//! comparison (Wasmtime JIT and AOT, guard included) finds its code compiled, and counts from start to answer.

use forkpoint_compare::{Comparison, Kept, Settings};
use forkpoint_tracer::instrument::{Commit, Options};
use forkpoint_tracer::{
    Checkpoint, CodeCache, EngineSpec, Imports, Invocation, Keep, Program, Recorded, Request, WasiSetup, child,
};
use std::path::Path;
use std::time::Instant;

/// Rounds of each guest.
const ROUNDS: usize = 3;

/// What CPython runs: a dictionary.
const SCRIPT: &str = "d = {}\nfor i in range(150000):\n  d[i % 997] = d.get(i % 997, 0) + i\nprint(sum(d.values()))";

/// A guest: its name, module, calls and what it is given.
struct Guest {
    name: String,
    module: Vec<u8>,
    calls: Vec<Invocation>,
    arguments: Vec<String>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.get(1).is_some_and(|first| first == child::ARGUMENT) {
        child::main(&arguments[2..]).expect("the engine's process");
        return;
    }
    let mut asked: Vec<&str> =
        arguments[1..].iter().map(String::as_str).filter(|name| !name.starts_with('-')).collect();
    if asked.is_empty() {
        asked = vec!["sieve", "flite", "python"];
    }
    println!(
        "| program | events | plain | digests | full recording | bytes/event | comparison | of the two plain runs | of its CPU |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for name in asked {
        match guest(name) {
            Some(guest) => measure(guest),
            None => println!("{name} skipped: run benches/fetch-workloads.sh first"),
        }
    }
}

fn guest(name: &str) -> Option<Guest> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let words = |words: &[&str]| words.iter().map(ToString::to_string).collect();
    let fetched = |file: &str| std::fs::read(root.join("target/workloads").join(file)).ok();
    let (module, calls, arguments) = match name {
        "sieve" => {
            let call = Invocation { function: "run".to_string(), arguments: vec!["40".to_string()] };
            (wat::parse_file(root.join("benches/sieve.wat")).ok()?, vec![call], Vec::new())
        }
        "flite" => {
            let text = "Where two runs of one program part, and why. ".repeat(8);
            (fetched("flite.wasm")?, Vec::new(), words(&["flite.wasm", "-voice", "slt", "-t", &text, "o.wav"]))
        }
        "python" => (fetched("python.wasm")?, Vec::new(), words(&["python.wasm", "-S", "-c", SCRIPT])),
        path => (std::fs::read(path).ok()?, Vec::new(), words(&[path])),
    };
    let name = Path::new(name).file_stem()?.to_string_lossy().into_owned();
    Some(Guest { name, module, calls, arguments })
}

fn measure(guest: Guest) {
    let Guest { name, module, calls, arguments } = guest;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let program = Program::new(&name, module, &calls, &Imports::default()).expect("the guest is recordable");
    let wasi = WasiSetup {
        arguments,
        directories: vec![(folder.path().to_path_buf(), ".".to_string())],
        deterministic: true,
        ..WasiSetup::default()
    };
    let request = Request::new(EngineSpec::default(), folder.path().join("lhs.fpt")).expect("this program");
    let request = Request { wasi, cache: Some(CodeCache::in_folder(folder.path().join("cache"))), ..request };
    let by_digests = Request {
        keep: Keep::Digests,
        checkpoint: Checkpoint::End,
        options: Options { commit: Commit::AtCalls, ..Options::default() },
        ..request.clone()
    };
    let aot = Request {
        engine: "wasmtime:aot".parse().expect("an engine"),
        output: folder.path().join("rhs.fpt"),
        ..request.clone()
    };
    let settings = Settings { keep: Kept::Nothing, ..Settings::default() };
    let mut comparison = Comparison::new(&program, [request.clone(), aot]);
    comparison.settings = settings;
    let record = |request: &Request| program.record(request, &mut |_, _| {}).expect("the recording");
    let (mut plain, mut digests, mut full, mut compared) =
        ([f64::INFINITY; 2], [f64::INFINITY; 2], f64::INFINITY, [f64::INFINITY; 2]);
    let mut last: Option<Recorded> = None;
    for _ in 0..ROUNDS {
        let started = cpu();
        plain[0] = plain[0].min(program.run_plain(&request).expect("the plain run").running.as_secs_f64());
        plain[1] = plain[1].min(cpu() - started);
        let started = cpu();
        digests[0] = digests[0].min(record(&by_digests).running.as_secs_f64());
        digests[1] = digests[1].min(cpu() - started);
        let recorded = record(&request);
        full = full.min(recorded.running.as_secs_f64());
        last = Some(recorded);
        let (begun, started) = (Instant::now(), cpu());
        let answer = comparison.run().expect("both engines run");
        compared[0] = compared[0].min(begun.elapsed().as_secs_f64());
        compared[1] = compared[1].min(cpu() - started);
        assert_eq!(answer.report.agree, Some(true), "{}", answer.report);
    }
    let events = last.map_or(0, |recorded| recorded.events);
    let bytes = forkpoint_traces::TraceReader::open(&request.output).expect("the trace").event_bytes();
    println!(
        "| {name} | {:.1} M | {:.3} s | {:.2}x | {:.1}x | {:.3} | {:.2} s | {:.2}x | {:.2}x |",
        events as f64 / 1e6,
        plain[0],
        digests[0] / plain[0],
        full / plain[0],
        bytes as f64 / events.max(1) as f64,
        compared[0],
        compared[0] / (2.0 * plain[0]),
        compared[1] / (2.0 * plain[1]),
    );
}

/// CPU seconds of this process and those that it has waited for.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ').skip(11).take(4);
    // Linux counts in hundredths of a second.
    fields.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}
