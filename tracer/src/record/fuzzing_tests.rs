//! Streams of frames, orders and notations by chance, and those that once were taken wrongly.
//!
//! `FORKPOINT_FRAMES=1000000 cargo test --workspace --lib fuzzing` runs this many instead of a few.

use super::*;
use crate::host::WasiSetup;
use crate::host::answer::{Host, HostSpec};
use crate::host::function::{HostFunction, Provider};
use crate::protocol::HostEnd;
use crate::protocol::{
    Answer, FrameWriter, Growth, Hello, HostWrite, Message, NativeFrame, Order, PageDigest, ReadRange, ShownPage,
    TrapFrame, write_order,
};
use crate::protocol::{Spares, VERSION};
use crate::record::conduct::FrameCheck;
use crate::record::header;
use crate::values::WasmValue;
use forkpoint_traces::{
    EngineInfo, EngineWords, FuncIndex, HostCall, HostEvent, HostOutcome, Import, MemoryIndex, Milestone, Stage,
    TraceWriter, TrapKind,
};

/// An engine that has its own host.
fn engine() -> EngineInfo {
    EngineInfo { settings: vec![(header::HOST.to_string(), "by chance".to_string())], ..EngineInfo::default() }
}

/// Steps of a host call that the runner's own host answers: `fd_read` of a few buffers anywhere, or with some step left out.
fn host_call(out: &mut FrameWriter<Vec<u8>>, random: &mut fastrand::Rng) -> std::io::Result<()> {
    let arguments = [1, place(random), random.u64(..4), place(random)];
    let arguments = arguments.map(|argument| WasmValue::I32(argument as u32 as i32)).to_vec();
    out.message(&Message::HostCall { function: u32::from(random.u8(..50) == 0), arguments })?;
    let end = match random.u8(..6) {
        0 => HostEnd::Trapped("\x1b".to_string()),
        1 => HostEnd::Exited(1),
        2 => HostEnd::Returned(vec![WasmValue::I64(0)]),
        3 => HostEnd::Returned(vec![WasmValue::I32(8)]),
        _ => HostEnd::Returned(vec![WasmValue::I32(0)]),
    };
    // Pairs that lead to buffers; what is in these and the result before; the answer; what is there then.
    for step in 0..4 {
        if random.u8(..20) == 0 {
            continue;
        }
        if step == 2 {
            out.message(&Message::HostAnswered(end.clone()))?;
            continue;
        }
        for range in 0..random.u32(..5) {
            let pair = [place(random) as u32, random.u32(..12)].map(u32::to_le_bytes).concat();
            out.guest(range, if step == 0 { &pair } else { &pair[..4] })?;
        }
        out.message(&Message::HostReadEnd)?;
    }
    Ok(())
}

/// A message that a runner may send, with numbers by chance.
fn message(random: &mut fastrand::Rng) -> Message {
    let number = |random: &mut fastrand::Rng| match random.u8(..4) {
        0 => random.u64(..4),
        1 => random.u64(..1 << 20),
        2 => u64::MAX - random.u64(..4),
        _ => random.u64(..),
    };
    match random.u8(..17) {
        0 => Message::Hello(Hello::of(engine())),
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
        Message::Hello(Hello::of(engine())),
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

/// A number near a border of a memory of a page, or any.
fn place(random: &mut fastrand::Rng) -> u64 {
    match random.u8(..4) {
        0 => random.u64(..65_600),
        1 => 65_536 - random.u64(..12),
        2 => u64::MAX >> random.u32(..64),
        _ => random.u64(..),
    }
}

/// What may come during calls, in the order in which it may come: events with any operands, checkpoints that show
/// memories of any size and contents, ends and beginnings of calls, and the end.
fn round(out: &mut FrameWriter<Vec<u8>>, random: &mut fastrand::Rng, calls: &mut u32) -> std::io::Result<()> {
    match random.u8(..9) {
        8 => host_call(out, random),
        0 | 1 => {
            let pages = match random.u8(..4) {
                0 => place(random),
                _ => 1 + random.u64(..8),
            };
            out.message(&Message::Checkpoint { pages: vec![pages, 2][..random.usize(..3)].to_vec() })?;
            for _ in 0..random.usize(..3) {
                let page = random.u64(..40);
                out.digests(random.u32(..2), &[PageDigest { page, digest: random.u64(..3) }])?;
            }
            out.message(&Message::CheckpointEnd)?;
            for _ in 0..random.usize(..3) {
                out.image(random.u32(..2), 4096 * random.u64(..16), &vec![random.u8(..3); 4096])?;
            }
            out.message(&Message::CheckpointDone)
        }
        2 if *calls < 2 => {
            out.message(&Message::Returned(Vec::new()))?;
            *calls += 1;
            if *calls == 1 { out.message(&Message::Call(Some(0))) } else { Ok(()) }
        }
        _ => {
            // The sites of the module, and once in a while none of them.
            let site = forkpoint_traces::SiteId::FIRST.0 + random.u32(..4) + u32::from(random.u8(..50) == 0);
            let mut call = site.to_le_bytes().to_vec();
            // No fill of gigabytes: what a guest does costs what it costs.
            for most in [u64::MAX, 1 << 20, 1 << 20] {
                call.extend_from_slice(&(place(random) % most).to_le_bytes());
            }
            out.hooks(&call)
        }
    }
}

fn stream(random: &mut fastrand::Rng) -> Vec<u8> {
    let mut out = FrameWriter(Vec::new());
    if random.u8(..4) > 0 {
        beginning(&mut out);
    }
    if random.u8(..3) > 0 {
        let mut calls = 0;
        for _ in 0..random.usize(..30) {
            round(&mut out, random, &mut calls).expect("memory");
        }
        for memory in 0..2 {
            let pages = if random.u8(..4) == 0 { place(random) } else { 2 };
            out.message(&Message::Image { memory, pages }).expect("memory");
            out.image(memory, 4096 * random.u64(..16), &vec![random.u8(..3); 5000]).expect("memory");
            out.message(&Message::ImageEnd).expect("memory");
        }
        if random.bool() {
            return out.0;
        }
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
            6 => out.native(&NativeFrame { function: random.u32(..4), start: 0, points: vec![(9, 9)], code: bytes }),
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
    assert!(sense > 100, "hardly anything was tried: {sense}");
    let mut sound = FrameWriter(Vec::new());
    beginning(&mut sound);
    assert!(frames(&sound.0), "what is sound is taken");
}

/// What a process sends that runs the script as it should, one directive after the other; `spoil` may change each message
/// or send something else instead.
fn script_stream(spoil: &mut dyn FnMut(&mut FrameWriter<Vec<u8>>, Message)) -> Vec<u8> {
    let mut engine = engine();
    engine.settings.push(("programs".to_string(), "yes".to_string()));
    let mut out = FrameWriter(Vec::new());
    out.message(&Message::Hello(Hello::of(engine))).expect("memory");
    let shown = |memory, pages| vec![Message::Image { memory, pages }, Message::ImageEnd];
    let returned = || Message::Returned(Vec::new());
    let trapped = Message::Trapped {
        trap: TrapKind::MemoryOutOfBounds,
        message: String::new(),
        frames: vec![TrapFrame { function: 1, offset: Some(40), instance: Some(1), name: None }],
    };
    let directives = [
        shown(0, 1).into_iter().chain([Message::Instantiated]).collect(),
        shown(1, 2).into_iter().chain([Message::Instantiated, Message::Call(None), returned()]).collect(),
        vec![Message::Call(Some(0)), returned()],
        vec![Message::Refused { stage: Stage::Validate, message: "\u{1b}".to_string() }],
        vec![trapped],
        vec![Message::Returned(vec![WasmValue::I32(5)])],
    ];
    for (number, messages) in directives.into_iter().enumerate() {
        spoil(&mut out, Message::Directive(number as u32));
        messages.into_iter().for_each(|message| spoil(&mut out, message));
        spoil(&mut out, Message::DirectiveEnd);
    }
    for (memory, pages) in [(0, 1), (1, 2), (2, 0)] {
        shown(memory, pages).into_iter().for_each(|message| spoil(&mut out, message));
    }
    spoil(&mut out, Message::State { globals: vec![WasmValue::I32(5)], tables: Vec::new() });
    out.0
}

#[test]
fn frames_of_a_script_are_taken_or_refused() {
    let sound = script_stream(&mut |out, message| out.message(&message).expect("memory"));
    assert!(script_frames(&sound), "what is sound is taken");
    // Each message left out, sent twice, or followed by something else; at most a few of them at once.
    let mut sense = 0;
    for seed in 0..count(600) {
        let mut random = fastrand::Rng::with_seed(seed);
        let often = random.u8(2..40);
        let mut calls = 0;
        let mut bytes = script_stream(&mut |out, sent| {
            if random.u8(..often) == 0 {
                match random.u8(..5) {
                    0 => return,
                    1 => out.message(&sent).expect("memory"),
                    2 => out.message(&message(&mut random)).expect("memory"),
                    3 => out.message(&Message::Directive(random.u32(..8))).expect("memory"),
                    _ => round(out, &mut random, &mut calls).expect("memory"),
                }
            }
            out.message(&sent).expect("memory");
        });
        if random.u8(..3) == 0 {
            let at = random.usize(..bytes.len());
            bytes[at] = random.u8(..);
        }
        sense += usize::from(script_frames(&bytes));
    }
    assert!(sense > 20, "hardly anything was tried: {sense}");
}

/// Whether what `send` adds to a sound beginning is taken.
fn taken(send: impl FnOnce(&mut FrameWriter<Vec<u8>>)) -> bool {
    let mut out = FrameWriter(Vec::new());
    send(&mut out);
    frames(&out.0)
}

#[test]
fn memory_that_is_no_image_is_not_held() {
    // The bytes that a checkpoint shows are not bounded, so none may come while images are held.
    let early = |announced: bool| {
        taken(|out| {
            out.message(&Message::Hello(Hello::of(engine()))).expect("memory");
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
    let hello = Message::Hello(Hello::of(engine()));
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
fn what_a_recorded_call_does_to_memory_has_a_bound() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("t.fpt");
    let import = Import { module: "env".to_string(), name: "fill".to_string() };
    let (parameters, results) = (Vec::new(), Vec::new());
    let function = HostFunction { import: import.clone(), parameters, results, provider: Provider::Nobody };
    let wasi = WasiSetup::default();
    let spec = HostSpec {
        functions: vec![function],
        memory: Some(0),
        wasi,
        log: Some(path.clone()),
        other_build: false,
        echo: false,
        guests: None,
        settled: Default::default(),
    };
    let answered = |mebibytes: u64| {
        let engine = EngineSpec::Runner { command: "fuzz".to_string() };
        let request = Request::new(engine, path.clone()).expect("a request");
        let header = header::of(program(), &request, EngineInfo::default(), 1 << 17);
        let mut writer =
            TraceWriter::create(&path, &header, module().into(), Vec::new(), Vec::new()).expect("a trace");
        let memory = MemoryIndex(0);
        writer.milestone(&Milestone::Memory { memory, pages: 1, page_size: 65536 }).expect("a memory");
        let call = HostCall {
            function: FuncIndex(0),
            import: import.clone(),
            arguments: Vec::new(),
            reads: Vec::new(),
            caller: None,
        };
        writer.host(&HostEvent::Call(call)).expect("a call");
        let write = HostEvent::Write { memory, address: 0, bytes: vec![0; 1 << 16] };
        (0..16 * mebibytes).for_each(|_| writer.host(&write).expect("a write"));
        let outcome = HostOutcome::Returned(Vec::new());
        writer.host(&HostEvent::Return { import: import.clone(), outcome }).expect("a return");
        let length = writer.finish(EngineWords::default()).expect("the end").length;
        assert!(length < 1 << 20, "hardly anything on disk: {length}");
        Host::open(&spec).expect("a log").call(0, Vec::new())
    };
    assert!(answered(8).is_ok_and(|reply| reply.unanswered.is_none() && reply.events.len() == 130));
    let refused = answered(256).map(|_| ()).expect_err("too much").to_string();
    assert!(refused.contains("env.fill") && refused.contains("256 MiB"), "{refused}");
}

/// Orders as a recorder sends them, with numbers by chance, and then a byte that is another one.
fn ordered(random: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..random.usize(1..4) {
        let memory = MemoryIndex(random.u32(..3));
        let order = match random.u8(..6) {
            0 => Order::Stop,
            1 => Order::CallHost,
            2 => Order::Show((0..random.u64(..4)).map(|page| ShownPage { memory, page }).collect()),
            3 => Order::Read(vec![ReadRange { memory, address: place(random), length: place(random) }]),
            4 => Order::Answer(Answer::only(HostEnd::Returned(vec![WasmValue::F64(random.u64(..))]))),
            _ => {
                let write =
                    HostWrite { memory, address: place(random), bytes: vec![random.u8(..); random.usize(1..40)] };
                let grows = vec![Growth { memory, pages: place(random) }];
                Order::Answer(Answer { grows, writes: vec![write], end: HostEnd::Trapped("\x1b".to_string()) })
            }
        };
        write_order(&order, &mut bytes).expect("memory");
    }
    if random.bool() {
        let at = random.usize(..bytes.len());
        bytes[at] = random.u8(..);
    }
    bytes
}

#[test]
fn orders_of_any_kind_are_taken_or_refused() {
    let sense = (0..count(20_000)).filter(|seed| orders(&ordered(&mut fastrand::Rng::with_seed(*seed)))).count();
    assert!(sense > 100, "hardly anything was tried: {sense}");
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

#[test]
fn a_host_of_the_runners_own_answers_when_it_is_asked() {
    let call = |out: &mut FrameWriter<Vec<u8>>| {
        beginning(out);
        // One buffer of two bytes at 64, and the result at 128.
        let arguments = [1, 16, 1, 128].map(WasmValue::I32).to_vec();
        out.message(&Message::HostCall { function: 0, arguments }).expect("memory");
        out.guest(0, &[64, 0, 0, 0, 2, 0, 0, 0]).expect("memory");
        out.message(&Message::HostReadEnd).expect("memory");
        out.guest(0, &[0; 2]).expect("memory");
        out.guest(1, &[0; 4]).expect("memory");
        out.message(&Message::HostReadEnd).expect("memory");
    };
    let end = |values: &[WasmValue]| Message::HostAnswered(HostEnd::Returned(values.to_vec()));
    let after = |out: &mut FrameWriter<Vec<u8>>| {
        out.guest(0, &[7; 2]).expect("memory");
        out.guest(1, &[2, 0, 0, 0]).expect("memory");
        out.message(&Message::HostReadEnd).expect("memory");
    };
    let taken_with = |message: Message, then: bool| {
        taken(|out| {
            call(out);
            out.message(&message).expect("memory");
            if then {
                after(out);
            }
        })
    };
    assert!(taken_with(end(&[WasmValue::I32(0)]), true));
    assert!(!taken_with(end(&[WasmValue::I64(0)]), true), "another type");
    assert!(!taken_with(Message::HostAnswered(HostEnd::Stopped), true), "not the host's to say");
    assert!(!taken_with(Message::HostReadEnd, false), "nothing was to be read");
    let again = Message::HostCall { function: 0, arguments: Vec::new() };
    assert!(!taken_with(again, false), "a call inside of a call");
    let twice = |out: &mut FrameWriter<Vec<u8>>| {
        call(out);
        out.message(&end(&[WasmValue::I32(0)])).expect("memory");
        out.message(&end(&[WasmValue::I32(0)])).expect("memory");
    };
    assert!(!taken(twice));
    // More than was asked for.
    assert!(!taken(|out| {
        call(out);
        out.message(&end(&[WasmValue::I32(0)])).expect("memory");
        out.guest(0, &[7; 7]).expect("memory");
    }));
    // An engine without a host is not recorded with it.
    assert!(!taken(|out| out.message(&Message::Hello(Hello::of(EngineInfo::default()))).expect("memory")));
}

#[test]
fn another_version_of_the_protocol_is_named_with_ours() {
    let refused = |json: &str| {
        let mut bytes = vec![b'J'];
        bytes.extend_from_slice(&(json.len() as u32).to_le_bytes());
        bytes.extend_from_slice(json.as_bytes());
        let frame = read_frame(&mut bytes.as_slice(), &Spares::new(), no_block).expect("a frame").expect("one");
        let mut conduct = FrameCheck::new(&program().exposed().expect("a module of our own"), false);
        conduct.see(&frame).expect_err("another version").to_string()
    };
    let fields = r#""spec":"","name":"","version":"","mode":"","compiler":"","opt_level":"","target":"","cpu_features":[],"settings":[]"#;
    for (hello, theirs) in [(format!("{{{fields}}}"), 1), (format!(r#"{{"protocol":3,{fields}}}"#), 3)] {
        let words = refused(&format!(r#"{{"Hello":{hello}}}"#));
        let expected = format!("version {theirs} of the runner protocol, this forkpoint speaks version {VERSION}");
        assert!(words.contains(&expected) && words.contains("docs/runner-protocol.md"), "{words}");
    }
}
