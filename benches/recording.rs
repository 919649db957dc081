//! Recording against the plain run, same process set-up: slowdown, bytes per event, events per second.
//!
//! `cargo bench --profile dev --bench recording` (the engine is optimised in the dev profile too). The sieve needs
//! nothing; flite is measured when `benches/fetch-workloads.sh` has fetched it. Ratios are taken pair by pair
//! within one run, since machines drift; the median is printed.

use forkpoint_tracer::instrument::{Options, Style};
use forkpoint_tracer::{Checkpoint, EngineSpec, Invocation, Program, Request, Stdio, WasiSetup, child};
use forkpoint_traces::Outcome;
use std::path::Path;

const ROUNDS: usize = 3;

/// A way to record: its name, how the module is rewritten, when memory is compared.
type Way = (&'static str, fn() -> Options, Checkpoint);

/// The ways to record that are measured.
const WAYS: &[Way] = &[
    ("default", Options::default, Checkpoint::Every(16 << 20)),
    ("no checkpoints", Options::default, Checkpoint::End),
    ("every=1000000", Options::default, Checkpoint::Every(1_000_000)),
    ("calls", Options::default, Checkpoint::Calls),
    ("read-back", || Options { read_back: true, ..Options::default() }, Checkpoint::Every(16 << 20)),
    ("hooks", || Options { style: Style::Hooks, ..Options::default() }, Checkpoint::Every(16 << 20)),
];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.get(1).is_some_and(|first| first == child::ARGUMENT) {
        child::main(&arguments[2..]).expect("the engine's process");
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    println!(
        "{:<8} {:<14} {:>12} {:>9} {:>9} {:>9} {:>12} {:>13} {:>9}",
        "guest", "way", "events", "plain s", "rec. s", "slowdown", "events/s", "bytes/event", "peak MiB"
    );
    let sieve = wat::parse_file(root.join("benches/sieve.wat")).expect("the sieve");
    let calls = [Invocation { function: "run".to_string(), arguments: vec!["10".to_string()] }];
    let program = Program::new("sieve", sieve, &calls).expect("the sieve is recordable");
    for way in WAYS {
        measure("sieve", &program, request(folder.path(), WasiSetup::default()), way);
    }
    let flite = root.join("target/workloads/flite.wasm");
    match std::fs::read(&flite) {
        Ok(module) => {
            let program = Program::new("flite.wasm", module, &[]).expect("flite is recordable");
            let wasi = WasiSetup {
                arguments: ["flite.wasm", "-voice", "slt", "-t", "Hello", "o.wav"].map(str::to_string).to_vec(),
                directories: vec![(folder.path().to_path_buf(), ".".to_string())],
                ..WasiSetup::default()
            };
            for way in WAYS {
                measure("flite", &program, request(folder.path(), wasi.clone()), way);
            }
        }
        Err(_) => println!("flite    skipped: run benches/fetch-workloads.sh first"),
    }
}

fn request(folder: &Path, wasi: WasiSetup) -> Request {
    Request {
        engine: EngineSpec::default(),
        wasi,
        output: folder.join("bench.fpt"),
        memory_page_limit: None,
        timeout: None,
        stdin: Stdio::Null,
        output_streams: Stdio::Null,
        executable: std::env::current_exe().expect("this program"),
        command: Vec::new(),
        interrupt: Default::default(),
        native_limit: 0,
        options: Default::default(),
        checkpoint: Default::default(),
        watch: None,
    }
}

fn measure(name: &str, program: &Program, mut request: Request, (way, options, checkpoint): &Way) {
    (request.options, request.checkpoint) = (options(), *checkpoint);
    let request = &request;
    let mut rounds = Vec::new();
    let mut events = 0;
    for _ in 0..ROUNDS {
        let plain = program.run_plain(request).expect("the plain run");
        assert!(
            plain.end.outcome == Outcome::Finished || matches!(plain.end.outcome, Outcome::Exited { .. }),
            "the plain run did not finish"
        );
        let recorded = program.record(request, &mut |_, _| {}).expect("the recording");
        events = recorded.events;
        rounds.push((plain.running.as_secs_f64(), recorded.running.as_secs_f64()));
    }
    let median = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let plain = median(rounds.iter().map(|round| round.0).collect());
    let recorded = median(rounds.iter().map(|round| round.1).collect());
    let slowdown = median(rounds.iter().map(|round| round.1 / round.0).collect());
    let chunks = event_bytes(&request.output);
    println!(
        "{name:<8} {way:<14} {events:>12} {plain:>9.3} {recorded:>9.3} {slowdown:>8.1}x {:>12.0} {:>13.3} {:>9}",
        events as f64 / recorded,
        chunks as f64 / events as f64,
        peak_mib()
    );
}

/// Bytes of the trace that grow with the run: all but module and sites.
fn event_bytes(trace: &Path) -> u64 {
    let reader = forkpoint_traces::TraceReader::open(trace).expect("the trace just written");
    reader.event_bytes()
}

/// Peak memory of this process, the recorder, as Linux has it.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
}
