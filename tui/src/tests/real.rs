//! Real traces, written and read back: [`Timelines`] agree with what was written.

use super::{act, ask, draw, viewer_of};
use crate::action::{Action, PromptKind};
use crate::timelines::Timelines;
use crate::traces::{Direction, Outline, Traces};
use crate::{Opened, TuiError};
use forkpoint_replay::{Side, Timeline};
use forkpoint_traces::{
    CodeOffset, EngineInfo, EngineWords, FuncIndex, Header, HostInfo, Limits, MemoryIndex, MemoryOp, Milestone,
    ModuleInfo, NativeFunction, NativePoint, Outcome, Position, RawEvent, Site, SiteId, TraceWriter, WasmValue,
};
use std::path::Path;

const MODULE: &str = r#"
    (module
        (memory 1)
        (func $fill_it (export "run") (param i32)
            (i32.store (local.get 0) (i32.const 7))
            (i32.store8 offset=4 (local.get 0) (i32.const 9))))
"#;

/// Events before the stores: the memory and the call.
const HEAD: u64 = 2;
/// Stores in each trace: many chunks.
const STORES: u64 = 1000;

/// A header with a hostile engine name, and few events in a chunk.
pub(super) fn header(module: &[u8]) -> Header {
    Header {
        forkpoint: "test".to_string(),
        engine: EngineInfo {
            spec: "wasmtime:jit\x1b[2J".to_string(),
            target: "x86_64-unknown-linux-gnu".to_string(),
            ..EngineInfo::default()
        },
        module: ModuleInfo::of("fill.wasm", module),
        host: HostInfo::default(),
        steps: Vec::new(),
        limits: Limits::default(),
        features: forkpoint_traces::Features::default(),
        specification: forkpoint_traces::Specification::default(),
        recorder: forkpoint_traces::RecorderInfo::default(),
        command: Vec::new(),
        chunk_events: 64,
        program: None,
        javascript: None,
    }
}

/// Writes a trace whose store number `wrong` has a different value.
pub(super) fn write(path: &Path, wrong: Option<u64>) {
    let module = wat::parse_str(MODULE).expect("the module is right");
    let offset_of = |opcode: &[u8]| {
        let at = module.windows(opcode.len()).position(|window| window == opcode).expect("the store is there");
        CodeOffset(at as u32)
    };
    // The opcodes with alignment and offset.
    let (word, byte) = (offset_of(&[0x36, 2, 0]), offset_of(&[0x3a, 0, 4]));
    let site = |op, offset, static_offset| Site {
        func: FuncIndex(0),
        offset,
        op,
        memory: MemoryIndex(0),
        static_offset,
        source: 0,
    };
    let sites = vec![site(MemoryOp::I32Store, word, 0), site(MemoryOp::I32Store8, byte, 4)];
    let mut writer = TraceWriter::create(path, &header(&module), module.into(), sites, Vec::new()).expect("a trace");
    let native = NativeFunction {
        func: FuncIndex(0),
        start: 0x40,
        // mov dword ptr [rax], ecx; add r8, 12; ret
        code: vec![0x89, 0x08, 0x49, 0x83, 0xc0, 0x0c, 0xc3],
        points: vec![
            NativePoint { offset: 0, site: Some(word), recorder: false },
            NativePoint { offset: 2, site: Some(word), recorder: true },
            NativePoint { offset: 6, site: None, recorder: false },
        ],
    };
    writer.native(&native).expect("native code");
    let milestone = |writer: &mut TraceWriter, milestone| writer.milestone(&milestone).expect("a milestone");
    milestone(&mut writer, Milestone::Memory { memory: MemoryIndex(0), pages: 1, page_size: 65536 });
    milestone(&mut writer, Milestone::Invoke { function: "run".to_string(), arguments: vec![WasmValue::I32(0)] });
    for i in 0..STORES {
        let value = if wrong == Some(i) { 0xbad } else { i };
        let (number, address) = (i as u32 % 2, 8 * (i % 100));
        let operands = [address, if number == 0 { value } else { value & 0xff }, 0];
        let event = RawEvent { site: SiteId(SiteId::FIRST.0 + number), operands, blob: &[] };
        writer.push(&event).expect("a store");
    }
    milestone(
        &mut writer,
        Milestone::End { outcome: Outcome::Finished, memories: Vec::new(), globals: Vec::new(), tables: Vec::new() },
    );
    writer.finish(EngineWords::default()).expect("the end");
}

fn open(folder: &Path, name: &str, wrong: Option<u64>) -> Opened {
    let path = folder.join(name);
    write(&path, wrong);
    Opened { name: name.to_string(), timeline: Timeline::open(&path).expect("the trace just written") }
}

/// Two traces, of which the right one's store number `wrong` has a different value.
fn pair(wrong: Option<u64>) -> (tempfile::TempDir, Opened, Opened) {
    let folder = tempfile::tempdir().expect("a folder");
    let (lhs, rhs) = (open(folder.path(), "a.fpt", None), open(folder.path(), "b.fpt", wrong));
    (folder, lhs, rhs)
}

#[test]
fn divergence_writers_and_searches() {
    let (_folder, lhs, rhs) = pair(Some(500));
    let (outline, mut source) = Timelines::open(lhs, Some(rhs)).expect("two traces of one module");
    let parting = outline.parting().cloned().expect("they differ");
    assert_eq!((parting.verdict.as_str(), parting.row, parting.resync), ("value", HEAD + 500, Some(HEAD + 501)));
    let memory = MemoryIndex(0);
    let writer = source.writer(Side::Rhs, memory, 0, Position(parting.row), Direction::Backward);
    assert_eq!(writer.expect("readable"), Some(Position(HEAD + 400)));
    let found = |source: &mut Timelines, text, at, direction| {
        source.find(Side::Lhs, text, Position(at), direction).expect("readable").map(|position| position.0)
    };
    assert_eq!(found(&mut source, "i32.store8", 10, Direction::Forward), Some(11));
    assert_eq!(found(&mut source, "fill_it", 0, Direction::Forward), Some(HEAD));
    assert_eq!(found(&mut source, "finished", 0, Direction::Forward), Some(HEAD + STORES));
    assert_eq!(found(&mut source, "invoke", 900, Direction::Backward), Some(1));
    assert_eq!(found(&mut source, "v128", 0, Direction::Forward), None);
    assert_eq!(source.mismatch(0, Direction::Forward, None).expect("readable"), Some(parting.row));
    assert_eq!(source.mismatch(parting.row, Direction::Backward, None).expect("readable"), None);
}

#[test]
fn debug_information_is_read_in_the_background() {
    let (_folder, lhs, _) = pair(None);
    let (outline, _) = Timelines::open(lhs, None).expect("a trace");
    while outline.is_loading() {
        std::thread::yield_now();
    }
    assert_eq!(outline.source_line(Side::Lhs, CodeOffset(0)), None, "the module has none");
}

#[test]
fn equal_traces_have_no_divergence() {
    let (_folder, lhs, rhs) = pair(None);
    let (outline, _) = Timelines::open(lhs, Some(rhs)).expect("two traces of one module");
    assert!(outline.parting().is_none());
    assert_eq!(outline.rows(), HEAD + STORES + 1);
}

#[test]
fn the_screen_shows_both_sides() {
    let (_folder, lhs, rhs) = pair(Some(500));
    let mut app = viewer_of(lhs, Some(rhs), None).expect("two traces of one module");
    let screen = draw(&mut app, 160, 50);
    let text = screen.to_string();
    assert!(!text.contains('\x1b'));
    for expected in [
        "value at #502",
        "i32.store [0x00000000] <- f4 01 00 00",
        "i32.store [0x00000000] <- ad 0b 00 00",
        "wat fill_it @0x",
        "mov dword ptr [rax], ecx",
        "wasmtime:jit\\u{1b}[2J",
        "0000#f4#01*00*00",
    ] {
        assert!(text.contains(expected), "{expected} is missing in\n{text}");
    }
    act(&mut app, &[Action::Writer(Direction::Backward)]);
    assert_eq!(app.row, HEAD + 400);
    ask(&mut app, PromptKind::Position, "99999");
    assert!(app.message.as_ref().is_some_and(|message| message.contains("has 1003 events")), "{:?}", app.message);
    act(&mut app, &[Action::Close, Action::Close, Action::Last]);
    assert_eq!(app.row, HEAD + STORES);
}

#[test]
fn a_trace_without_events_can_be_viewed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("empty.fpt");
    let writer = TraceWriter::create(&path, &header(&[]), Vec::new().into(), Vec::new(), Vec::new());
    writer.expect("a trace").finish(EngineWords::default()).expect("the end");
    let run = Opened { name: "empty.fpt".to_string(), timeline: Timeline::open(&path).expect("a trace") };
    let mut app = viewer_of(run, None, Some(5)).expect("one trace");
    act(&mut app, &[Action::Step, Action::Last, Action::Writer(Direction::Forward), Action::Divergence]);
    assert!(draw(&mut app, 80, 24).to_string().contains(" 0 events"));
}

#[test]
fn a_damaged_trace_says_so_and_stays_usable() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.fpt");
    write(&path, None);
    let whole = std::fs::read(&path).expect("the trace");
    let mut said = 0;
    for at in (200..whole.len()).step_by(37) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        std::fs::write(&path, bytes).expect("the damaged trace");
        let Ok(timeline) = Timeline::open(&path) else { continue };
        let run = Opened { name: "a.fpt".to_string(), timeline };
        let mut app = viewer_of(run, None, None).expect("one trace");
        for action in [Action::Step, Action::Last, Action::Writer(Direction::Backward), Action::PageUp, Action::First]
        {
            act(&mut app, &[action]);
            said += u32::from(app.message.is_some());
        }
    }
    assert!(said > 0, "some damage is in a chunk and is reported");
}

#[test]
fn output_that_is_no_terminal_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    // Tests may run on a terminal: only a refusal is checked.
    if !std::io::IsTerminal::is_terminal(&std::io::stdout()) {
        let viewer = crate::open(open(folder.path(), "a.fpt", None), None, None).expect("a trace");
        assert!(matches!(viewer.show(), Err(TuiError::NoTerminal)));
    }
}
