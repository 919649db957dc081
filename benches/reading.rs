//! What it costs to look at a long trace: opening, comparing, memory at a position, who wrote a byte.
//!
//! `cargo bench --profile dev --bench reading [-- TRACE...]`; without a trace it records one of the sieve with 440 million
//! events. Besides each it makes one that parts from it in the last chunk. Milliseconds with the files in the system's
//! cache; of many questions the median, the 99th percentile and the slowest. `FORKPOINT_QUESTIONS` is their number.

use forkpoint_replay::{NanBits, Timeline, first_divergence};
use forkpoint_tracer::{EngineSpec, Imports, Invocation, Program, Request, child};
use forkpoint_traces::{EngineWords, MemoryIndex, Position, RawEvent, TraceError, TraceReader, TraceWriter};
use std::path::{Path, PathBuf};
use std::time::Instant;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.get(1).is_some_and(|first| first == child::ARGUMENT) {
        child::main(&arguments[2..]).expect("the engine's process");
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let asked = arguments[1..].iter().filter(|argument| !argument.starts_with('-'));
    let mut traces: Vec<PathBuf> = asked.map(PathBuf::from).collect();
    if traces.is_empty() {
        traces.push(sieve(folder.path()));
    }
    let questions = std::env::var("FORKPOINT_QUESTIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(1000);
    for path in &traces {
        measure(path, folder.path(), questions);
    }
}

fn sieve(folder: &Path) -> PathBuf {
    let module = wat::parse_file(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/sieve.wat")).expect("the sieve");
    let calls = [Invocation { function: "run".to_string(), arguments: vec!["151".to_string()] }];
    let program = Program::new("sieve", module, &calls, &Imports::default()).expect("the sieve is recordable");
    let request = Request::new(EngineSpec::default(), folder.join("sieve.fpt")).expect("this program");
    program.record(&request, &mut |_, _| {}).expect("the recording");
    request.output
}

fn measure(path: &Path, folder: &Path, questions: usize) {
    let mut timeline = open(path);
    let events = timeline.len();
    let (chunks, length) = (timeline.trace().chunks().len(), timeline.trace().file_length() >> 20);
    println!("{}: {events} events, {chunks} chunks, {length} MiB", path.display());
    let (same, other) = (folder.join("same.fpt"), folder.join("other.fpt"));
    std::fs::copy(path, &same).expect("a copy");
    parting(path, &other);
    best("open", || drop(open(path)));
    best("first divergence, equal traces", || assert!(parts(path, &same).is_none()));
    best("first divergence in the last chunk", || assert!(parts(path, &other).is_some()));
    timeline.seek(Position(events)).expect("a whole trace");
    let pages: Vec<u64> = timeline.memory().pages_in(MemoryIndex(0), 0..u64::MAX).map(|(page, _)| page).collect();
    let mut random = Random(7);
    many("memory at a random position", questions, || timeline.seek(Position(random.below(events))).map(drop));
    let memory = MemoryIndex(0);
    let mut random = Random(9);
    many("last writer of a random byte", questions, || {
        let byte = pages[random.below(pages.len() as u64) as usize] * 4096 + random.below(4096);
        timeline.last_writer(memory, byte..byte + 1, Position(random.below(events))).map(drop)
    });
    let mut random = Random(9);
    many("next writer of a random byte", questions, || {
        let byte = pages[random.below(pages.len() as u64) as usize] * 4096 + random.below(4096);
        timeline.next_writer(memory, byte..byte + 1, Position(random.below(events))).map(drop)
    });
    let mut random = Random(10);
    many("last writer of what is about to be written", questions, || {
        let position = Position(random.below(events));
        match timeline.event(position)?.written() {
            Some((memory, address, length)) => {
                timeline.last_writer(memory, address..address + length.clamp(1, 16), position).map(drop)
            }
            None => Ok(()),
        }
    });
    // As the viewer searches for a name.
    let mut seen = 0u64;
    best("a search through all events", || {
        let found = timeline.next_that(Position(0), |event| {
            seen += u64::from(event.site.is_instruction());
            Ok(false)
        });
        assert!(found.expect("a whole trace").is_none() && seen > 0);
    });
    for path in [same, other] {
        std::fs::remove_file(path).expect("it was just made");
    }
}

fn open(path: &Path) -> Timeline {
    Timeline::open(path).expect("a trace")
}

fn parts(path: &Path, other: &Path) -> Option<Position> {
    let found = first_divergence(&mut open(path), &mut open(other), NanBits::default()).expect("two whole traces");
    found.divergence.map(|divergence| divergence.position)
}

/// Writes the trace again, with another value in the last store.
fn parting(path: &Path, other: &Path) {
    let mut trace = TraceReader::open(path).expect("a trace");
    let (sites, data, chunks) = (trace.sites().clone(), trace.data().to_vec(), trace.chunks().len());
    let stores = |event: &RawEvent| sites.get(event.site).and_then(|site| site.op.shape().width()).is_some();
    let mut last = 0;
    each_event(&mut trace, chunks - 1, |position, event| {
        last = if stores(&event) { position } else { last };
        Ok(())
    });
    let table = sites.iter().map(|(_, site)| site.clone()).collect();
    let mut writer =
        TraceWriter::create(other, trace.header(), trace.module().clone(), table, data).expect("a trace");
    for chunk in 0..chunks {
        each_event(&mut trace, chunk, |position, mut event| {
            event.operands[1] ^= u64::from(position == last);
            writer.push(&event)
        });
    }
    writer.finish(EngineWords::default()).expect("a trace");
}

fn each_event(trace: &mut TraceReader, chunk: usize, mut sink: impl FnMut(u64, RawEvent) -> Result<(), TraceError>) {
    let mut position = trace.chunks()[chunk].first.0;
    let read = trace.read_chunk(chunk, |event| {
        position += 1;
        sink(position - 1, event)
    });
    read.expect("a whole trace");
}

/// The fastest of five.
fn best(what: &str, mut work: impl FnMut()) {
    let times = (0..5).map(|_| {
        let started = Instant::now();
        work();
        started.elapsed().as_secs_f64() * 1e3
    });
    println!("  {what:<44} {:>9.2} ms", times.fold(f64::INFINITY, f64::min));
}

fn many<E: std::fmt::Debug>(what: &str, questions: usize, mut ask: impl FnMut() -> Result<(), E>) {
    let mut times: Vec<f64> = (0..questions.max(1))
        .map(|_| {
            let started = Instant::now();
            ask().expect("a whole trace");
            started.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let at = |share: usize| times[(times.len() - 1) * share / 100];
    println!("  {what:<44} {:>9.2} ms median {:>9.2} ms p99 {:>9.2} ms most", at(50), at(99), at(100));
}

/// Numbers that look random: splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (number ^ (number >> 31)) % end
    }
}
