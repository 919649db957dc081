//! Sound traces to change: with every kind of event, in chunks of any size, with native code, and the committed
//! samples.

use super::support;
use forkpoint_traces::{EngineWords, Milestone, Outcome, Stage, TraceReader, TraceWriter, WasmValue};
use std::fs;
use std::path::Path;

/// Short ones, written to `folder` in passing.
pub fn short(folder: &Path) -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = ["orbit-jit.fpt", "orbit-portable.fpt"]
        .map(|name| fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../traces/samples").join(name)).unwrap())
        .into();
    for (seed, chunk_events) in [(1, 4), (2, 64), (3, 1000)] {
        let path = folder.join("seed.fpt");
        let mut writer = support::create(&path, chunk_events);
        (0..3).for_each(|func| writer.native(&support::native(func)).unwrap());
        let (mut steps, _) = support::random_run(seed, 120);
        let end = steps.pop().unwrap();
        steps.extend([support::invoke(), support::host_call(1), support::host_return(0), end]);
        steps.iter().for_each(|step| support::push(&mut writer, step).unwrap());
        writer.finish(EngineWords::default()).unwrap();
        seeds.push(fs::read(&path).unwrap());
    }
    seeds.push(program(folder));
    seeds
}

/// One of a program of two instances, with a directive of each kind.
fn program(folder: &Path) -> Vec<u8> {
    let path = folder.join("seed.fpt");
    let mut header = support::header(64);
    header.program = Some(support::program());
    let data = support::DATA.to_vec();
    let mut writer = TraceWriter::create(&path, &header, support::module().into(), support::sites(), data).unwrap();
    let milestone = |milestone| support::Step::Milestone(milestone);
    let mut steps = support::memories([1, 1]).to_vec();
    for number in 0..support::program().directives.len() as u32 {
        steps.push(milestone(Milestone::Directive { number }));
        steps.extend([support::invoke(), support::store(u64::from(number), 7)]);
        steps.push(milestone(Milestone::Returned { results: vec![WasmValue::Reference("extern 5".to_string())] }));
        steps.push(milestone(Milestone::Refused { stage: Stage::Compile }));
        steps.push(milestone(Milestone::Judged { passed: number % 2 == 0 }));
    }
    steps.push(support::end(Outcome::Finished));
    steps.iter().for_each(|step| support::push(&mut writer, step).unwrap());
    writer.finish(EngineWords::default()).unwrap();
    fs::read(&path).unwrap()
}

/// One with keyframes, which takes a million events.
pub fn long(folder: &Path) -> Vec<u8> {
    let path = folder.join("seed.fpt");
    let mut writer = support::create(&path, 1 << 17);
    support::memories([2, 1]).iter().for_each(|step| support::push(&mut writer, step).unwrap());
    support::push(&mut writer, &support::host_write(100, &[1; 5000])).unwrap();
    support::push(&mut writer, &support::invoke()).unwrap();
    for i in 0..1_600_000u64 {
        support::push(&mut writer, &support::store(i * 4 % 131_000, (i * i) as u32)).unwrap();
    }
    support::push(&mut writer, &support::end(Outcome::Finished)).unwrap();
    writer.finish(EngineWords::default()).unwrap();
    let bytes = fs::read(&path).unwrap();
    assert!(TraceReader::open(&path).unwrap().keyframes() > 0);
    bytes
}
