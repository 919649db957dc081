//! Recording against the plain run, same process set-up: what each way to record costs, and rewriting.
//!
//! `cargo bench --profile dev --bench recording [-- GUEST...]` (the engine is optimised in the dev profile too). The
//! sieve needs nothing; flite and CPython are measured when `benches/fetch-workloads.sh` has fetched them. Every round
//! runs all ways in turn, since machines drift, and the fastest round of each counts: what else runs on the machine
//! can only make it slower.

use forkpoint_tracer::instrument::{Options, Style, instrument};
use forkpoint_tracer::{Checkpoint, EngineSpec, Imports, Invocation, Program, Request, WasiSetup, child};
use forkpoint_traces::Outcome;
use std::path::Path;
use std::time::Instant;

/// A way to record: its name, how the module is rewritten, when memory is compared.
type Way = (&'static str, fn() -> Options, Checkpoint);

/// The ways to record that are measured. The others are compared with the first one.
const WAYS: &[Way] = &[
    ("default", Options::default, Checkpoint::Every(16 << 20)),
    ("checkpoint end", Options::default, Checkpoint::End),
    ("every=1000000", Options::default, Checkpoint::Every(1_000_000)),
    ("every=65536", Options::default, Checkpoint::Every(1 << 16)),
    ("calls", Options::default, Checkpoint::Calls),
    ("read-back", || Options { read_back: true, ..Options::default() }, Checkpoint::End),
    ("hooks", || Options { style: Style::Hooks, ..Options::default() }, Checkpoint::End),
];

/// What CPython runs: a dictionary, numbers and strings.
const SCRIPT: &str =
    "d = {}\nfor i in range(60000):\n  d[i % 997] = d.get(i % 997, 0) + i\nprint(sum(d.values()), len(str(d)))";

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.get(1).is_some_and(|first| first == child::ARGUMENT) {
        child::main(&arguments[2..]).expect("the engine's process");
        return;
    }
    let asked: Vec<&String> = arguments[1..].iter().filter(|argument| !argument.starts_with('-')).collect();
    let wanted = |name: &str| asked.is_empty() || asked.iter().any(|asked| *asked == name);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    if wanted("sieve") {
        let sieve = wat::parse_file(root.join("benches/sieve.wat")).expect("the sieve");
        let calls = [Invocation { function: "run".to_string(), arguments: vec!["10".to_string()] }];
        measure("sieve", 5, sieve, &calls, request(folder.path(), WasiSetup::default()));
    }
    let flite = ["flite.wasm", "-voice", "slt", "-t", "Hello", "o.wav"];
    let python = ["python.wasm", "-S", "-c", SCRIPT];
    for (name, rounds, arguments) in [("flite", 5, &flite[..]), ("python", 3, &python[..])] {
        if !wanted(name) {
            continue;
        }
        let Ok(module) = std::fs::read(root.join("target/workloads").join(arguments[0])) else {
            println!("{name} skipped: run benches/fetch-workloads.sh first");
            continue;
        };
        let wasi = WasiSetup {
            arguments: arguments.iter().map(ToString::to_string).collect(),
            directories: vec![(folder.path().to_path_buf(), ".".to_string())],
            deterministic: true,
            ..WasiSetup::default()
        };
        measure(name, rounds, module, &[], request(folder.path(), wasi));
    }
}

fn request(folder: &Path, wasi: WasiSetup) -> Request {
    let request = Request::new(EngineSpec::default(), folder.join("bench.fpt")).expect("this program");
    Request { wasi, ..request }
}

/// The best time of one way.
#[derive(Clone, Copy)]
struct Best {
    seconds: f64,
    events: u64,
    bytes: u64,
}

fn measure(name: &str, rounds: usize, module: Vec<u8>, calls: &[Invocation], mut request: Request) {
    rewriting(name, &module);
    let program = Program::new(name, module, calls, &Imports::default()).expect("the guest is recordable");
    let mut plain = f64::INFINITY;
    let mut ways = vec![Best { seconds: f64::INFINITY, events: 0, bytes: 0 }; WAYS.len()];
    for _ in 0..rounds {
        let run = program.run_plain(&request).expect("the plain run");
        let ended = matches!(run.end.outcome, Outcome::Finished | Outcome::Exited { code: 0 });
        assert!(ended, "the plain run did not finish: {}", run.end.outcome);
        plain = plain.min(run.running.as_secs_f64());
        for ((_, options, checkpoint), best) in WAYS.iter().zip(&mut ways) {
            (request.options, request.checkpoint) = (options(), *checkpoint);
            let recorded = program.record(&request, &mut |_, _| {}).expect("the recording");
            best.seconds = best.seconds.min(recorded.running.as_secs_f64());
            (best.events, best.bytes) = (recorded.events, event_bytes(&request.output));
        }
    }
    println!("{name}: plain run {plain:.3} s, {} events", ways[0].events);
    for ((way, ..), best) in WAYS.iter().zip(&ways) {
        println!(
            "  {way:<14} {:>8.3} s {:>6.1}x plain {:>6.2}x the first {:>8.1} M events/s {:>7.3} bytes/event",
            best.seconds,
            best.seconds / plain,
            best.seconds / ways[0].seconds,
            best.events as f64 / best.seconds / 1e6,
            best.bytes as f64 / best.events as f64,
        );
    }
    println!("  peak memory of this process so far {} MiB", peak_mib());
}

/// How long rewriting takes, and how much larger the module becomes.
fn rewriting(name: &str, module: &[u8]) {
    let read_back = Options { read_back: true, ..Options::default() };
    let hooks = Options { style: Style::Hooks, ..Options::default() };
    for (way, options) in [("inline", Options::default()), ("read-back", read_back), ("hooks", hooks)] {
        let mut seconds = f64::INFINITY;
        let mut length = 0;
        for _ in 0..3 {
            let started = Instant::now();
            length = instrument(module, &options).expect("the guest is recordable").module.len();
            seconds = seconds.min(started.elapsed().as_secs_f64());
        }
        println!("{name}: rewriting, {way}: {seconds:.3} s, {} -> {length} bytes", module.len());
    }
}

/// Bytes of the trace that grow with the run: all but module and sites.
fn event_bytes(trace: &Path) -> u64 {
    let reader = forkpoint_traces::TraceReader::open(trace).expect("the trace just written");
    reader.event_bytes()
}

/// Peak memory of this process, the recorder, as Linux reports it.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
}
