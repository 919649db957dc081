//! Records a guest that calls the embedder's host functions, and runs the recording again under another engine.
//!
//! `cargo run --example embedder`
//!
//! The host functions run in the engine's process, which is this program again: that is why `main` begins with
//! `child::main_with`. Replaying a recording needs none of them: it holds their answers.

use forkpoint_replay::{NanBits, Report, Timeline};
use forkpoint_tracer::{
    EngineSpec, HostError, HostFunctions, HostSource, Imports, Invocation, Program, Request, WasmValue, child,
};
use std::error::Error;
use std::sync::atomic::{AtomicI32, Ordering};

const GUEST: &str = r#"(module
  (import "sensor" "measure" (func $measure (param i32 i32) (result i32)))
  (import "sensor" "report" (func $report (param i32 i32)))
  (import "sensor" "scramble" (func $scramble))
  (memory (export "memory") 1)
  (data (i32.const 32) "warm")
  (func (export "run") (param $times i32) (result i32) (local $sum i32)
    (loop $again
      (drop (call $measure (i32.const 0) (i32.const 4)))
      (local.set $sum (i32.add (local.get $sum) (i32.load (i32.const 0))))
      (i32.store (i32.const 16) (local.get $sum))
      (br_if $again (local.tee $times (i32.sub (local.get $times) (i32.const 1)))))
    (call $report (i32.const 32) (i32.const 4))
    (call $scramble)
    (i32.load (i32.const 16))))"#;

/// What the guest can call. Every answer depends on the world, here on the number of earlier calls.
fn sensor() -> HostFunctions {
    let asked = AtomicI32::new(20);
    let mut functions = HostFunctions::new();
    functions
        // Writes a number of this many bytes to an address; returns how many.
        .define("sensor", "measure", move |memory, arguments| {
            let [WasmValue::I32(address), WasmValue::I32(length)] = arguments else {
                return Err(HostError::Trap("measure takes an address and a length".to_string()));
            };
            let value = asked.fetch_add(1, Ordering::Relaxed).to_le_bytes();
            let length = (*length as u32 as usize).min(value.len());
            memory.write(u64::from(*address as u32), &value[..length])?;
            Ok(vec![WasmValue::I32(length as i32)])
        })
        // Reads a text: a run that reports a different one diverges here.
        .define("sensor", "report", |memory, arguments| {
            let [WasmValue::I32(address), WasmValue::I32(length)] = arguments else {
                return Err(HostError::Trap("report takes an address and a length".to_string()));
            };
            let text = memory.read(u64::from(*address as u32), u64::from(*length as u32))?;
            println!("the guest reports: {}", String::from_utf8_lossy(text));
            Ok(Vec::new())
        })
        // Writes anywhere in memory: comparing all of it finds what changed.
        .define("sensor", "scramble", |memory, _| {
            memory.bytes_mut()[100..200].fill(7);
            Ok(Vec::new())
        });
    functions
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.get(1).is_some_and(|first| first == child::ARGUMENT) {
        return Ok(child::main_with(&arguments[2..], sensor())?);
    }
    let folder = tempfile::tempdir()?;
    let hosted = sensor().imports();
    let imports = Imports { hosted: &hosted, ..Imports::default() };
    let call = Invocation { function: "run".to_string(), arguments: vec!["3".to_string()] };
    let program = Program::new("guest.wat", wat::parse_str(GUEST)?, &[call], &imports)?;

    let recording = folder.path().join("guest.fpt");
    let request = Request::new(EngineSpec::default(), recording.clone())?;
    let request = Request { output_streams: forkpoint_tracer::Stdio::Inherit, ..request };
    let recorded = program.record(&request, &mut |_, _| {})?;
    println!("recorded {} events: {}", recorded.events, recorded.outcome);

    let again = folder.path().join("again.fpt");
    let log = HostSource::Log(recording.clone());
    let request = Request { engine: "wasmi".parse()?, output: again.clone(), host: log, ..request };
    program.record(&request, &mut |_, _| {})?;
    let (mut lhs, mut rhs) = (Timeline::open(&recording)?, Timeline::open(&again)?);
    print!("{}", Report::new(&mut lhs, &mut rhs, 3, NanBits::default())?);
    Ok(())
}
