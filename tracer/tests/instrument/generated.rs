//! Generated modules, rewritten in every way and run side by side with themselves.
//!
//! `FORKPOINT_GENERATED` gives their number, or a range of seeds as in `100..200`. The message of a failure names the
//! seed.

use crate::engines::{Mode, config, engine, modes};
use crate::generate::generate;
use crate::side_by_side::compare;
use forkpoint_tracer::instrument::{Commit, Options, Style};
use forkpoint_traces::{MemoryOp, Shape};
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use wasmtime::{Engine, OptLevel};

/// What the modules did.
#[derive(Default)]
struct Counts {
    modules: usize,
    /// As the generator made them, with arbitrary addresses.
    raw: usize,
    instantiated: usize,
    /// Those that recorded an event.
    writing: usize,
    calls: usize,
    traps: usize,
    /// Those whose digests were compared.
    digested: usize,
    /// Those among them that were also committed at calls only.
    kept: usize,
    ops: HashMap<MemoryOp, usize>,
    /// Events by the kind of their memory.
    memories: BTreeMap<&'static str, usize>,
}

impl Counts {
    fn events(&self) -> usize {
        self.ops.values().sum()
    }

    fn add(&mut self, other: Counts) {
        self.modules += other.modules;
        self.raw += other.raw;
        self.instantiated += other.instantiated;
        self.writing += other.writing;
        self.calls += other.calls;
        self.digested += other.digested;
        self.kept += other.kept;
        self.traps += other.traps;
        for (op, count) in other.ops {
            *self.ops.entry(op).or_default() += count;
        }
        for (what, count) in other.memories {
            *self.memories.entry(what).or_default() += count;
        }
    }

    fn print(&self) {
        println!(
            "{} modules ({} with arbitrary addresses, {} digested, {} of them committed at calls), {} instantiated, {} with events; {} calls, {} traps, {} events",
            self.modules,
            self.raw,
            self.digested,
            self.kept,
            self.instantiated,
            self.writing,
            self.calls,
            self.traps,
            self.events()
        );
        println!("{:?}", self.memories);
        for op in MemoryOp::ALL {
            println!("{:>10} {}", self.ops.get(op).copied().unwrap_or(0), op.mnemonic());
        }
    }
}

/// Names the seed when a test fails.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("FORKPOINT_GENERATED={}..{}", self.0, self.0 + 1);
        }
    }
}

fn run(seed: u64, engine: &Engine, other: &Engine, counts: &mut Counts) {
    let Some(generated) = generate(seed) else { return };
    let _seed = Seed(seed);
    let modes = modes();
    // Not the seed itself, whose low bits determine the module's kind.
    let mut mode = &modes[(seed / 16) as usize % modes.len()];
    if mode.options.canonical_nans && leaves_nans_open(&generated.module) {
        mode = &modes[0];
    }
    let happened = compare(engine, other, &generated.module, mode);
    if let Some(digest) = &happened.digest {
        // Whatever the way to record, the digests are the same, and cover every event.
        let other_way = if mode.options.style == Style::Hooks { "inline" } else { "hooks" };
        let other_way = modes.iter().find(|mode| mode.name == other_way).expect("one of the modes");
        let again = compare(engine, other, &generated.module, other_way).digest;
        assert_eq!(again.as_ref(), Some(digest), "{} and {}", mode.name, other_way.name);
        // A trap takes records along that were not committed.
        if happened.traps == 0 {
            let options = Options { commit: Commit::AtCalls, ..Options::default() };
            let kept = Mode { name: "inline, committed at calls", options };
            let again = compare(engine, other, &generated.module, &kept).digest;
            assert_eq!(again.as_ref(), Some(digest), "{} and {}", mode.name, kept.name);
            counts.kept += 1;
        }
        assert!(!digest.outside, "a store outside of memory traps");
        assert!(digest.events >= happened.events.len() as u64, "{digest:?}");
        counts.digested += 1;
    }
    counts.modules += 1;
    counts.raw += usize::from(generated.raw);
    counts.instantiated += usize::from(happened.instantiated);
    counts.writing += usize::from(!happened.events.is_empty());
    counts.calls += happened.calls;
    counts.traps += happened.traps;
    let declared = happened.memories;
    for (site, _) in &happened.events {
        *counts.ops.entry(site.op).or_default() += 1;
        let Some(memory) = declared.get(site.memory.0 as usize).filter(|_| site.op.shape() != Shape::Drop) else {
            continue;
        };
        let special = [
            (memory.memory64, "64-bit"),
            (memory.shared, "shared"),
            (memory.page_size == 1, "pages of one byte"),
            (site.memory.0 > 0, "second or third memory"),
        ];
        for (_, what) in special.iter().filter(|(is, _)| *is) {
            *counts.memories.entry(what).or_default() += 1;
        }
    }
}

/// Whether a module has an operator that can make a NaN and that the generator does not follow with a check: then its
/// own NaNs need not have the bits that the rewriter gives them.
fn leaves_nans_open(module: &[u8]) -> bool {
    use wasmparser::{Operator as O, Parser, Payload};
    let bodies = Parser::new(0).parse_all(module).filter_map(|payload| match payload.expect("a module") {
        Payload::CodeSectionEntry(body) => Some(body),
        _ => None,
    });
    let mut operators = bodies.flat_map(|body| body.get_operators_reader().expect("operators").into_iter());
    operators.any(|operator| {
        matches!(
            operator.expect("an operator"),
            O::F32DemoteF64
                | O::F64PromoteF32
                | O::F32x4DemoteF64x2Zero
                | O::F64x2PromoteLowF32x4
                | O::F32x4RelaxedMadd
                | O::F32x4RelaxedNmadd
                | O::F32x4RelaxedMin
                | O::F32x4RelaxedMax
                | O::F64x2RelaxedMadd
                | O::F64x2RelaxedNmadd
                | O::F64x2RelaxedMin
                | O::F64x2RelaxedMax
        )
    })
}

fn seeds() -> Range<u64> {
    let Ok(wanted) = std::env::var("FORKPOINT_GENERATED") else { return 0..SMOKE };
    let number = |text: &str| text.parse().expect("FORKPOINT_GENERATED is a number or seeds as in 100..200");
    match wanted.split_once("..") {
        Some((first, end)) => number(first)..number(end),
        None => 0..number(&wanted),
    }
}

/// Modules of the default run.
const SMOKE: u64 = 80;

#[test]
fn generated_modules_behave_as_before_and_replay() {
    let seeds = seeds();
    let engine = engine();
    let other = Engine::new(config().cranelift_opt_level(OptLevel::None)).expect("a valid configuration");
    let begin = Instant::now();
    let next = AtomicU64::new(seeds.start);
    let mut counts = Counts::default();
    std::thread::scope(|scope| {
        let worker = || {
            let mut counts = Counts::default();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= seeds.end {
                    return counts;
                }
                run(seed, &engine, &other, &mut counts);
            }
        };
        let workers: Vec<_> = (0..2).map(|_| scope.spawn(worker)).collect();
        for worker in workers {
            counts.add(worker.join().expect("the module above fails"));
        }
    });
    counts.print();
    println!("seeds {seeds:?} in {:.1?}", begin.elapsed());
    if seeds.end - seeds.start < SMOKE {
        return;
    }
    // A generator that makes nothing would let everything pass.
    assert!(counts.writing * 2 > counts.modules, "{} of {} modules write", counts.writing, counts.modules);
    assert!(counts.events() > 40 * counts.modules, "{} events", counts.events());
    assert!(counts.digested > 5 && counts.kept > 2, "{} modules digested, {} kept", counts.digested, counts.kept);
    assert_eq!(counts.memories.len(), 4, "every kind of memory is written: {:?}", counts.memories);
    let missing: Vec<_> = MemoryOp::ALL.iter().filter(|op| !counts.ops.contains_key(op)).collect();
    assert_eq!(missing, [] as [&MemoryOp; 0], "every instruction is seen");
}

/// A corpus to sweep: the modules that the other test runs.
#[test]
#[ignore = "writes the modules of FORKPOINT_GENERATED to the folder FORKPOINT_GENERATED_TO"]
fn generated_modules_are_written() {
    let folder = std::env::var_os("FORKPOINT_GENERATED_TO").expect("FORKPOINT_GENERATED_TO names a folder");
    let folder = std::path::Path::new(&folder);
    for seed in seeds() {
        if let Some(generated) = generate(seed) {
            std::fs::write(folder.join(format!("{seed:06}.wasm")), generated.module).expect("a file");
        }
    }
}
