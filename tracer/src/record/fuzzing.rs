//! What strangers may send to the recorder, as plain functions of bytes: for the targets in `fuzz/`, and for the smoke
//! tests below. Whatever the bytes are, each of them ends, with an error or without, and neither panics nor takes memory
//! without bound.

use super::pump::Pump;
use super::{Checkpoint, HostSource, Imports, Invocation, Keep, Program, Request};
use crate::features::FeatureSwitches;
use crate::host::stub::Stub;
use crate::protocol::{Spares, no_block, read_frame, read_order};
use crate::spec::EngineSpec;
use crate::values::parse_value;
use forkpoint_traces::{Event, Source, TraceError, TraceReader};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use wasmparser::ValType;

/// A module with a function of WASI's, memories, data, globals, a table, stores of several kinds and a start function.
fn module() -> Vec<u8> {
    use wasm_encoder::{
        CodeSection, ConstExpr, DataSection, EntityType, ExportKind, ExportSection, Function, FunctionSection,
        GlobalSection, GlobalType, ImportSection, MemArg, MemorySection, MemoryType, Module, StartSection,
        TypeSection, ValType,
    };
    let mut types = TypeSection::new();
    types.ty().function([], []);
    types.ty().function([ValType::I32], [ValType::I32]);
    types.ty().function([ValType::I32; 4], [ValType::I32]);
    let mut imports = ImportSection::new();
    imports.import(forkpoint_traces::wasi::MODULE, "fd_read", EntityType::Function(2));
    let mut functions = FunctionSection::new();
    functions.function(0).function(1);
    let mut memories = MemorySection::new();
    for minimum in [1, 2] {
        memories.memory(MemoryType {
            minimum,
            maximum: Some(8),
            memory64: false,
            shared: false,
            page_size_log2: None,
        });
    }
    let mut globals = GlobalSection::new();
    globals.global(GlobalType { val_type: ValType::I32, mutable: true, shared: false }, &ConstExpr::i32_const(5));
    let mut exports = ExportSection::new();
    exports.export("run", ExportKind::Func, 2).export("memory", ExportKind::Memory, 0);
    let place = |memory_index| MemArg { offset: 4, align: 0, memory_index };
    let mut start = Function::new([]);
    start.instructions().i32_const(0).i32_const(1).i32_store(place(0)).end();
    let mut run = Function::new([]);
    run.instructions()
        .local_get(0)
        .i64_const(7)
        .i64_store(place(1))
        .i32_const(1)
        .memory_grow(0)
        .drop()
        .i32_const(0)
        .i32_const(9)
        .local_get(0)
        .memory_fill(0)
        .local_get(0)
        .end();
    let mut code = CodeSection::new();
    code.function(&start).function(&run);
    let mut data = DataSection::new();
    data.active(0, &ConstExpr::i32_const(64), b"data".iter().copied());
    let mut module = Module::new();
    module
        .section(&types)
        .section(&imports)
        .section(&functions)
        .section(&memories)
        .section(&globals)
        .section(&exports);
    module.section(&StartSection { function_index: 1 }).section(&code).section(&data);
    module.finish()
}

fn program() -> &'static Program {
    static PROGRAM: OnceLock<Program> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let call = Invocation { function: "run".to_string(), arguments: vec!["64".to_string()] };
        Program::new("fuzz.wasm", module(), &[call], &Imports::default()).expect("a module of our own")
    })
}

/// Two modules that share a memory, calls, a module that is not valid, a segment that does not fit.
const SCRIPT: &str = r#"
    (module $a (memory (export "m") 1) (data (i32.const 8) "xy") (global (export "g") (mut i32) (i32.const 5))
        (func (export "f") (param i32) (i32.store (local.get 0) (i32.const 1)) (drop (memory.grow (i32.const 1)))))
    (register "a")
    (module $b (import "a" "m" (memory 1)) (memory 2) (func $s (i32.store (i32.const 0) (i32.const 9))) (start $s))
    (assert_return (invoke $a "f" (i32.const 1)))
    (assert_invalid (module (func (result i32))) "type mismatch")
    (assert_trap (module (import "a" "m" (memory 1)) (memory 1) (data (i32.const 1) "z") (data (i32.const -1) "z")) "out of bounds")
    (assert_return (get $a "g") (i32.const 5))"#;

fn script() -> &'static Program {
    static PROGRAM: OnceLock<Program> = OnceLock::new();
    PROGRAM.get_or_init(|| Program::script("fuzz.wast", SCRIPT).expect("a script of our own"))
}

/// The same for a process that runs a program of several modules.
pub fn script_frames(bytes: &[u8]) -> bool {
    taken_by(script(), bytes, Keep::Full)
}

/// Takes `bytes` for what an engine's process sends while it is recorded; true where all of it made sense. Whatever it
/// was, what is in the trace can be read. The same frames are digested, too.
pub fn frames(bytes: &[u8]) -> bool {
    taken_by(program(), bytes, Keep::Digests);
    taken_by(program(), bytes, Keep::Full)
}

fn taken_by(program: &Program, bytes: &[u8], keep: Keep) -> bool {
    let Ok(folder) = tempfile::tempdir() else { return false };
    let engine = EngineSpec::Runner { command: "fuzz".to_string() };
    let Ok(mut request) = Request::new(engine, folder.path().join("t.fpt")) else { return false };
    (request.host, request.keep) = (HostSource::Live, keep);
    let Ok(rewritten) = program.rewritten_as(&program.options(&request)) else { return false };
    let Ok((mut socket, other)) = UnixStream::pair() else { return false };
    // The answers are not read: what does not fit is an error, as with a process that does not read them.
    if socket.set_nonblocking(true).is_err() {
        return false;
    }
    let mut progress = |_: u64, _: u64| {};
    let Ok(mut pump) = Pump::new(program, &rewritten, &request, &request.output, &mut progress) else { return false };
    let mut input = bytes;
    let sense = loop {
        match read_frame(&mut input, &Spares::new(), no_block) {
            Ok(Some(frame)) => {
                if pump.frame(frame, &mut socket).is_err() {
                    break false;
                }
            }
            Ok(None) => break true,
            Err(_) => break false,
        }
    };
    drop(other);
    // Without sense, the recorder drops the writer: an incomplete trace.
    let complete = sense && pump.finish(Duration::ZERO).is_ok();
    read_back(&request.output, complete);
    sense
}

/// Replays the trace that the recorder wrote, if it wrote one.
fn read_back(path: &Path, complete: bool) {
    if !path.exists() {
        return;
    }
    // Digests come without a module.
    let opened = Source::open(path).and_then(|file| TraceReader::of(file, Some(Arc::clone(program().original()))));
    let mut trace = opened.expect("what was written is read");
    assert!(!complete || trace.is_complete(), "{:?}", trace.incomplete());
    trace.check_blocks().expect("blocks as they were written");
    trace.allow_memory(u64::MAX);
    let mut image = trace.empty_image();
    let sites = trace.sites().clone();
    for chunk in 0..trace.chunks().len() {
        let replayed = trace.read_chunk(chunk, |event| {
            Event::read(&event, &sites).expect("an event that was recorded");
            image.apply(&event).expect("what was recorded is replayed");
            Ok::<(), TraceError>(())
        });
        replayed.expect("a chunk as it was written");
    }
}

/// Takes `bytes` for orders that a recorder sends.
pub fn orders(bytes: &[u8]) -> bool {
    let mut input = bytes;
    while !input.is_empty() {
        if read_order(&mut input).is_err() {
            return false;
        }
    }
    true
}

/// Takes `text` for each of the notations of the command line. What an engine is called is what it is read as again.
pub fn notations(text: &str) {
    if let Ok(spec) = text.parse::<EngineSpec>() {
        let written = spec.to_string();
        let again = written.parse::<EngineSpec>().map(|spec| spec.to_string());
        assert_eq!(again.as_deref().ok(), Some(written.as_str()), "of {text:?}");
    }
    let _ = text.parse::<FeatureSwitches>();
    let _ = text.parse::<Checkpoint>();
    let _ = text.parse::<Stub>();
    for ty in [ValType::I32, ValType::I64, ValType::F32, ValType::F64, ValType::V128] {
        if let Ok(value) = parse_value(text, ty) {
            let written = value.to_string();
            let again = parse_value(&written, ty);
            assert_eq!(again.ok(), Some(value), "{text:?} is written {written:?}");
        }
    }
    if let Ok(call) = text.parse::<Invocation>() {
        assert_eq!(call.to_string().parse(), Ok(call), "{text:?}");
    }
    let call = Invocation { function: "run".to_string(), arguments: vec![text.to_string()] };
    let _ = Program::new("fuzz.wasm", module(), &[call], &Imports::default());
}

#[cfg(test)]
#[path = "fuzzing_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "document_tests.rs"]
mod document;
