//! What strangers may send to the recorder, as plain functions of bytes: for the targets in `fuzz/`, and for the smoke
//! tests below. Whatever the bytes are, each of them ends, with an error or without, and neither panics nor takes memory
//! without bound.

use super::pump::Pump;
use super::{Checkpoint, HostSource, Imports, Invocation, Program, Request};
use crate::engine::EngineSpec;
use crate::features::FeatureSwitches;
use crate::host::stub::Stub;
use crate::protocol::{read_frame, read_order};
use crate::values::parse_value;
use forkpoint_traces::{RawEvent, TraceError, TraceReader};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;
use wasmparser::ValType;

/// A module with memories, data, globals, a table, stores of several kinds and a start function.
fn module() -> Vec<u8> {
    use wasm_encoder::{
        CodeSection, ConstExpr, DataSection, ExportKind, ExportSection, Function, FunctionSection, GlobalSection,
        GlobalType, MemArg, MemorySection, MemoryType, Module, StartSection, TypeSection, ValType,
    };
    let mut types = TypeSection::new();
    types.ty().function([], []);
    types.ty().function([ValType::I32], [ValType::I32]);
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
    exports.export("run", ExportKind::Func, 1).export("memory", ExportKind::Memory, 0);
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
    module.section(&types).section(&functions).section(&memories).section(&globals).section(&exports);
    module.section(&StartSection { function_index: 0 }).section(&code).section(&data);
    module.finish()
}

fn program() -> &'static Program {
    static PROGRAM: OnceLock<Program> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let call = Invocation { function: "run".to_string(), arguments: vec!["64".to_string()] };
        Program::new("fuzz.wasm", module(), &[call], &Imports::default()).expect("a module of our own")
    })
}

/// Takes `bytes` for what an engine's process sends while it is recorded; true where all of it made sense. Whatever it
/// was, what is in the trace can be read.
pub fn frames(bytes: &[u8]) -> bool {
    let program = program();
    let Ok(folder) = tempfile::tempdir() else { return false };
    let engine = EngineSpec::Runner { command: "fuzz".to_string() };
    let Ok(mut request) = Request::new(engine, folder.path().join("t.fpt")) else { return false };
    request.host = HostSource::Live;
    let Ok(rewritten) = program.rewritten_as(&request.effective_options()) else { return false };
    let Ok((mut socket, other)) = UnixStream::pair() else { return false };
    // Nobody reads the answers: what does not fit is an error, as with a process that is deaf.
    if socket.set_nonblocking(true).is_err() {
        return false;
    }
    let mut progress = |_: u64, _: u64| {};
    let Ok(mut pump) = Pump::new(program, &rewritten, &request, &request.output, &mut progress) else { return false };
    let mut input = bytes;
    let sense = loop {
        match read_frame(&mut input) {
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

/// Replays a trace that the recorder wrote, if it came to write one.
fn read_back(path: &Path, complete: bool) {
    if !path.exists() {
        return;
    }
    let mut trace = TraceReader::open(path).expect("what was written is read");
    assert!(!complete || trace.is_complete(), "{:?}", trace.incomplete());
    trace.check_blocks().expect("blocks as they were written");
    trace.allow_memory(u64::MAX);
    let mut image = trace.empty_image();
    let mut blobs = Vec::new();
    for chunk in 0..trace.chunks().len() {
        let replayed = trace.read_chunk(chunk, |event| {
            blobs.push((event.site, event.operands, event.blob.to_vec()));
            image.apply(&event).expect("what was recorded is replayed");
            Ok::<(), TraceError>(())
        });
        replayed.expect("a chunk as it was written");
    }
    for (site, operands, blob) in &blobs {
        trace.event(&RawEvent { site: *site, operands: *operands, blob }).expect("an event that was recorded");
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
    let call = Invocation { function: "run".to_string(), arguments: vec![text.to_string()] };
    let _ = Program::new("fuzz.wasm", module(), &[call], &Imports::default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{FrameWriter, Message, NativeFrame, PageDigest};
    use crate::values::WasmValue;
    use forkpoint_traces::{EngineInfo, Stage, TrapKind};

    /// A message that a runner may send, with numbers by chance.
    fn message(random: &mut fastrand::Rng) -> Message {
        let number = |random: &mut fastrand::Rng| match random.u8(..4) {
            0 => random.u64(..4),
            1 => random.u64(..1 << 20),
            2 => u64::MAX - random.u64(..4),
            _ => random.u64(..),
        };
        match random.u8(..17) {
            0 => Message::Hello(EngineInfo::default()),
            1 => Message::Accepted([Stage::Validate, Stage::Compile, Stage::Instantiate][random.usize(..3)]),
            2 => Message::Rejected {
                stage: [Stage::Validate, Stage::Compile, Stage::Instantiate][random.usize(..3)],
                message: "no".repeat(random.usize(..50)),
                offset: Some(number(random)),
                code: None,
            },
            3 | 4 => Message::Image { memory: number(random) as u32 % 3, pages: number(random) },
            5 | 6 => Message::ImageEnd,
            7 => Message::Instantiated,
            8 => Message::Watching,
            9 => Message::Call(random.bool().then(|| number(random) as u32 % 2)),
            10 => Message::Returned(Vec::new()),
            11 => Message::Trapped { trap: TrapKind::Unreachable, message: "\x1b".to_string(), frames: Vec::new() },
            12 => Message::Exited(1),
            13 => Message::Checkpoint { pages: (0..random.usize(..4)).map(|_| number(random)).collect() },
            14 => random.choice([Message::CheckpointEnd, Message::CheckpointDone]).expect("two"),
            15 => Message::State { globals: Vec::new(), tables: vec![number(random)] },
            _ => Message::HostCall { function: number(random) as u32, arguments: Vec::new() },
        }
    }

    /// What a runner sends that does as it should, up to the calls.
    fn beginning(out: &mut FrameWriter<Vec<u8>>) {
        let messages = [
            Message::Hello(EngineInfo::default()),
            Message::Accepted(Stage::Compile),
            Message::Image { memory: 0, pages: 1 },
            Message::ImageEnd,
            Message::Image { memory: 1, pages: 2 },
            Message::ImageEnd,
            Message::Instantiated,
            Message::Call(None),
        ];
        messages.iter().for_each(|message| out.message(message).expect("memory"));
    }

    fn stream(random: &mut fastrand::Rng) -> Vec<u8> {
        let mut out = FrameWriter(Vec::new());
        if random.u8(..4) > 0 {
            beginning(&mut out);
        }
        for _ in 0..random.usize(..12) {
            let bytes: Vec<u8> = (0..random.usize(..120)).map(|_| random.u8(..4)).collect();
            let sent = match random.u8(..10) {
                0 => out.hooks(&bytes),
                1 => {
                    let site = 8u32.to_le_bytes();
                    out.hooks(&[&site[..], &[random.u8(..); 24]].concat())
                }
                2 => out.records(&bytes),
                3 => out.image(random.u32(..3), 4096 * random.u64(..40), &bytes),
                4 => out.watched(0, random.u64(..), &bytes),
                5 => out.digests(random.u32(..3), &[PageDigest { page: random.u64(..), digest: random.u64(..) }]),
                6 => out.native(&NativeFrame {
                    function: random.u32(..4),
                    start: 0,
                    points: vec![(9, 9)],
                    code: bytes,
                }),
                7 => out.guest(random.u32(..3), &bytes),
                _ => out.message(&message(random)),
            };
            sent.expect("memory");
        }
        let mut bytes = out.0;
        if random.u8(..3) == 0 && !bytes.is_empty() {
            let at = random.usize(..bytes.len());
            bytes[at] = random.u8(..);
        }
        bytes
    }

    /// The numbers of inputs to try.
    fn count(few: u64) -> u64 {
        std::env::var("FORKPOINT_FRAMES").ok().and_then(|count| count.parse().ok()).unwrap_or(few)
    }

    #[test]
    fn frames_of_any_kind_are_taken_or_refused() {
        let sense = (0..count(1500)).filter(|seed| frames(&stream(&mut fastrand::Rng::with_seed(*seed)))).count();
        assert!(sense > 10, "hardly anything was tried: {sense}");
        let mut sound = FrameWriter(Vec::new());
        beginning(&mut sound);
        assert!(frames(&sound.0), "what is sound is taken");
    }

    /// Whether what `send` adds to a sound beginning is taken.
    fn taken(send: impl FnOnce(&mut FrameWriter<Vec<u8>>)) -> bool {
        let mut out = FrameWriter(Vec::new());
        send(&mut out);
        frames(&out.0)
    }

    #[test]
    fn memory_that_is_no_image_is_not_held() {
        // A checkpoint has no bound of its own for what it shows, so it may not come while images are held.
        let early = |announced: bool| {
            taken(|out| {
                out.message(&Message::Hello(EngineInfo::default())).expect("memory");
                out.message(&Message::Image { memory: 0, pages: 1 }).expect("memory");
                if announced {
                    out.message(&Message::Checkpoint { pages: Vec::new() }).expect("memory");
                }
                out.image(0, 0, &[1; 64]).expect("memory");
            })
        };
        assert!(early(false));
        assert!(!early(true));
        let late = |announced: bool| {
            taken(|out| {
                beginning(out);
                out.message(&Message::Returned(Vec::new())).expect("memory");
                out.message(&Message::Image { memory: 0, pages: 1 }).expect("memory");
                if announced {
                    out.message(&Message::Checkpoint { pages: Vec::new() }).expect("memory");
                }
            })
        };
        assert!(late(false));
        assert!(!late(true));
    }

    #[test]
    fn frames_have_their_time() {
        let native = NativeFrame { function: 4, start: 0, points: Vec::new(), code: vec![0xc3] };
        let rejected =
            || Message::Rejected { stage: Stage::Instantiate, message: "no".to_string(), offset: None, code: None };
        let hello = Message::Hello(EngineInfo::default());
        assert!(taken(|out| {
            out.message(&hello).expect("memory");
            out.native(&native).expect("memory");
            out.message(&rejected()).expect("memory");
        }));
        assert!(!taken(|out| {
            beginning(out);
            out.native(&native).expect("memory");
        }));
        assert!(!taken(|out| {
            beginning(out);
            out.message(&rejected()).expect("memory");
        }));
        assert!(!taken(|out| {
            out.message(&hello).expect("memory");
            out.message(&rejected()).expect("memory");
            out.message(&Message::Accepted(Stage::Compile)).expect("memory");
        }));
        assert!(!taken(|out| {
            out.message(&hello).expect("memory");
            out.records(&[]).expect("memory");
        }));
    }

    #[test]
    fn references_are_words() {
        let returned = |text: &str| {
            taken(|out| {
                beginning(out);
                out.message(&Message::Returned(vec![WasmValue::Reference(text.to_string())])).expect("memory");
            })
        };
        assert!(returned("null") && returned("a value of unknown kind"));
        for text in ["\x1b[2J", "\u{202e}", &"x".repeat(65)] {
            assert!(!returned(text), "{text:?}");
        }
    }

    #[test]
    fn orders_of_any_kind_are_taken_or_refused() {
        for seed in 0..count(20_000) {
            let mut random = fastrand::Rng::with_seed(seed);
            let bytes: Vec<u8> = (0..random.usize(..60)).map(|_| random.u8(..6)).collect();
            orders(&bytes);
        }
    }

    #[test]
    fn notations_of_any_kind_are_read_or_refused() {
        const WORDS: &[&str] = &[
            "wasmtime",
            ":",
            "jit",
            "aot",
            "winch-jit",
            "pulley",
            ",",
            "=",
            "target",
            "portable",
            "cpu",
            "+",
            "-",
            "fma",
            "opt",
            "none",
            "speed",
            "capi",
            "lib",
            "/x y",
            "wasmedge",
            "interpreter",
            "wasmi",
            "node",
            "liftoff",
            "python",
            "runner",
            "program",
            "wasm",
            "gc",
            "tail-call",
            "every=",
            "calls",
            "end",
            "0x",
            "7",
            "nan",
            "inf",
            "1e9",
            "i32x4",
            "env",
            ".",
            "*",
            "trap",
            "pooling",
            "on",
            "memory-guard",
            "\u{202e}",
            " ",
            "18446744073709551616",
            ";",
            "'",
        ];
        for seed in 0..count(20_000) / 4 {
            let mut random = fastrand::Rng::with_seed(seed);
            let text: String = (0..random.usize(1..9)).map(|_| WORDS[random.usize(..WORDS.len())]).collect();
            notations(&text);
        }
    }
}
