//! How often a program's module is validated and rewritten: for a large one each time takes seconds.

use forkpoint_tracer::{EngineSpec, HostSource, Imports, Invocation, Program, Request, Work};
use std::path::Path;

const MODULE: &str = r#"(module
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "run")
    (drop (call $clock (i32.const 0) (i64.const 1) (i32.const 8)))
    (i32.store (i32.const 0) (i32.const 1))))"#;

fn program(module: &str) -> Program {
    let module = wat::parse_str(module).expect("a module");
    let run = Invocation { function: "run".to_string(), arguments: Vec::new() };
    Program::new("t.wat", module, &[run], &Imports::default()).expect("a program")
}

fn request(engine: &str, output: &Path, host: HostSource) -> Request {
    let engine: EngineSpec = engine.parse().expect("an engine");
    let request = Request::new(engine, output.to_path_buf()).expect("a request");
    Request { executable: env!("CARGO_BIN_EXE_forkpoint").into(), host, ..request }
}

/// The runs of a comparison: both sides recorded, the second with the first one's host log, and both without
/// recording.
#[test]
fn a_comparison_validates_once_and_rewrites_once_in_each_way() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = program(MODULE);
    assert_eq!(program.work(), Work { validations: 1, rewrites: 0 });
    let first = folder.path().join("lhs.fpt");
    for (engine, host) in [
        ("wasmtime", HostSource::Live),
        ("wasmtime:jit,opt=none", HostSource::Log(first.clone())),
        // Another way to record: by hooks.
        ("wasmi", HostSource::Log(first.clone())),
    ] {
        let output = match &host {
            HostSource::Live => first.clone(),
            HostSource::Log(_) | HostSource::LogOfOtherBuild(_) => {
                folder.path().join(format!("{}.fpt", engine.replace([':', ','], "-")))
            }
        };
        let request = request(engine, &output, host);
        program.record(&request, &mut |_, _| {}).expect("a recording");
        program.run_plain(&request).expect("a run");
        let rewrites = if engine == "wasmi" { 3 } else { 2 };
        assert_eq!(program.work(), Work { validations: 1, rewrites }, "{engine}");
    }
}

/// The specification's answer about a proposal beyond it takes several questions, and each is asked once.
#[test]
fn a_module_beyond_the_specification_is_not_validated_for_each_recording() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = program(r#"(module (memory 1 1 shared) (func (export "run")))"#);
    let record = |name: &str| {
        let request = request("wasmtime", &folder.path().join(name), HostSource::Live);
        program.record(&request, &mut |_, _| {}).expect("a recording");
        program.work().validations
    };
    assert_eq!(record("first.fpt"), record("second.fpt"));
}
