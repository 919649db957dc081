//! Traces made by hand or at random, and a second model of memory to judge the first by. The tests of
//! `forkpoint-replay` use this file too.

#![allow(dead_code, reason = "each test program uses a part")]
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use forkpoint_traces::{
    Action, Argument, Call, CodeOffset, DataIndex, Directive, EngineInfo, EngineWords, Event, Expected, FuncIndex,
    GlobalIndex, Header, HostCall, HostEvent, HostInfo, HostOutcome, Image, Import, InstanceInfo, Limits,
    MemoryIndex, MemoryOp, MemoryState, Milestone, ModuleInfo, ModulePart, NativeFunction, NativePoint, Outcome,
    Pattern, ProgramInfo, RawEvent, RecorderInfo, Shape, Site, SiteId, TraceError, TraceReader, TraceWriter,
    WasmValue,
};
use std::ops::Range;
use std::path::Path;

/// Bytes in a WebAssembly page.
pub const WASM_PAGE: u64 = 65536;

/// Memory and source (memory or data segment) of the sites of one instruction, in this order in the table.
const VARIANTS: [(u32, u32); 3] = [(0, 0), (1, 0), (0, 1)];

/// Data segments, as ranges of [`module`].
pub const DATA: [Range<u32>; 2] = [12..52, 52..60];

/// A module: the preamble and a custom section, in which the data segments' bytes are.
pub fn module() -> Vec<u8> {
    let mut module = b"\0asm\x01\0\0\0\x00\x32\x01d".to_vec();
    module.extend((0..48).map(|i| 0xa0 ^ i));
    module
}

/// Three sites for each instruction, as [`VARIANTS`] says.
pub fn sites() -> Vec<Site> {
    let site = |(i, (op, (memory, source))): (usize, (&MemoryOp, (u32, u32)))| Site {
        func: FuncIndex(i as u32 / 8),
        offset: CodeOffset(100 + 3 * i as u32),
        op: *op,
        memory: MemoryIndex(memory),
        static_offset: 0,
        source,
    };
    let all = MemoryOp::ALL.iter().flat_map(|op| VARIANTS.map(|variant| (op, variant)));
    all.enumerate().map(site).collect()
}

/// The site of an instruction by its place in [`VARIANTS`].
pub fn site(op: MemoryOp, variant: u32) -> SiteId {
    let index = MemoryOp::ALL.iter().position(|other| *other == op).unwrap() as u32;
    SiteId(SiteId::FIRST.0 + index * VARIANTS.len() as u32 + variant)
}

/// Whether a site is that of a store, which has an address and a value.
pub fn is_store(site: SiteId) -> bool {
    matches!(sites()[(site.0 - SiteId::FIRST.0) as usize].op.shape(), Shape::Store { .. })
}

/// An event to be written, or as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Raw { site: SiteId, operands: [u64; 3], blob: Vec<u8> },
    Milestone(Milestone),
}

/// `op`, of the first variant, with its operands.
pub fn step(op: MemoryOp, operands: [u64; 3]) -> Step {
    Step::Raw { site: site(op, 0), operands, blob: Vec::new() }
}

/// An `i32.store` to memory 0.
pub fn store(address: u64, value: u32) -> Step {
    step(MemoryOp::I32Store, [address, value.into(), 0])
}

/// Bytes that the host wrote to memory 0.
pub fn host_write(address: u64, bytes: &[u8]) -> Step {
    host(&HostEvent::Write { memory: MemoryIndex(0), address, bytes: bytes.to_vec() })
}

/// A step of a host call.
pub fn host(event: &HostEvent) -> Step {
    Step::Raw { site: SiteId::HOST, operands: [0; 3], blob: event.encode() }
}

fn import() -> Import {
    Import { module: "wasi_snapshot_preview1".to_string(), name: "fd_read".to_string() }
}

/// A host call with one argument.
pub fn host_call(argument: i32) -> Step {
    host(&HostEvent::Call(HostCall {
        function: FuncIndex(0),
        import: import(),
        arguments: vec![WasmValue::I32(argument)],
        reads: Vec::new(),
        caller: None,
    }))
}

/// Its end.
pub fn host_return(result: i32) -> Step {
    host(&HostEvent::Return { import: import(), outcome: HostOutcome::Returned(vec![WasmValue::I32(result)]) })
}

/// Declares memories 0 and 1 with this many pages.
pub fn memories(pages: [u64; 2]) -> Vec<Step> {
    let memory = |index: u32| Milestone::Memory {
        memory: MemoryIndex(index),
        pages: pages[index as usize],
        page_size: WASM_PAGE as u32,
    };
    vec![Step::Milestone(memory(0)), Step::Milestone(memory(1))]
}

/// A call of the export `run`.
pub fn invoke() -> Step {
    Step::Milestone(Milestone::Invoke { function: "run".to_string(), arguments: Vec::new() })
}

/// The end of a run, without what its memories held.
pub fn end(outcome: Outcome) -> Step {
    Step::Milestone(Milestone::End { outcome, memories: Vec::new(), globals: Vec::new(), tables: Vec::new() })
}

/// A header that promises chunks of this many events.
pub fn header(chunk_events: u32) -> Header {
    Header {
        forkpoint: "0.1.0".to_string(),
        engine: EngineInfo {
            name: "none".to_string(),
            target: "x86_64-unknown-linux-gnu".to_string(),
            ..EngineInfo::default()
        },
        module: ModuleInfo::of("test.wasm", &module()),
        host: HostInfo::default(),
        steps: Vec::new(),
        limits: Limits::default(),
        features: forkpoint_traces::Features::default(),
        specification: forkpoint_traces::Specification::default(),
        recorder: RecorderInfo::default(),
        command: Vec::new(),
        chunk_events,
        program: None,
        javascript: None,
    }
}

/// A program whose two memories belong to two instances, with a directive of each kind.
pub fn program() -> ProgramInfo {
    let part = |start, length, first_function| ModulePart {
        start: CodeOffset(start),
        length,
        first_function: FuncIndex(first_function),
        first_data: DataIndex(0),
    };
    let instance = |name: &str, module, memory| InstanceInfo {
        name: name.to_string(),
        module,
        imports: vec![None],
        memories: vec![MemoryIndex(memory)],
        tables: vec![memory],
        first_global: GlobalIndex(memory),
    };
    let length = module().len() as u32;
    let value = WasmValue::F32(0x7fc0_0000);
    let call = Call { function: "f\u{1b}".to_string(), arguments: vec![Argument::Value(value.clone())] };
    let results = Expected::Results(vec![vec![Pattern::exactly(value)]]);
    let get = Action::Get { instance: 1, global: "g".to_string() };
    let directives = [
        (Action::Instantiate { instance: 0 }, Expected::Success),
        (Action::Instantiate { instance: 1 }, Expected::Trap),
        (Action::Check { module: 1 }, Expected::Invalid),
        (Action::Call { instance: 0, call }, results),
        (get, Expected::Success),
    ];
    let directive = |(line, (action, expected))| Directive { line, action, expected };
    ProgramInfo {
        modules: vec![part(0, 8, 0), part(8, length - 8, 1000)],
        instances: vec![instance("a", 0, 0), instance("b\u{1b}", 1, 1)],
        directives: (0..).zip(directives).map(directive).collect(),
        texts: 1,
    }
}

/// Native code: one `ret`.
pub fn native(func: u32) -> NativeFunction {
    let points = vec![NativePoint { offset: 0, site: Some(CodeOffset(100)), recorder: false }];
    NativeFunction { func: FuncIndex(func), start: 0x40, code: vec![0xc3], points }
}

/// A writer with the module, sites and data of this file.
pub fn create(path: &Path, chunk_events: u32) -> TraceWriter {
    TraceWriter::create(path, &header(chunk_events), module().into(), sites(), DATA.to_vec()).unwrap()
}

/// Writes one event.
pub fn push(writer: &mut TraceWriter, step: &Step) -> Result<(), TraceError> {
    match step {
        Step::Raw { site, operands, blob } => writer.push(&RawEvent { site: *site, operands: *operands, blob }),
        Step::Milestone(milestone) => writer.milestone(milestone),
    }
}

/// Writes a closed trace.
pub fn write(path: &Path, chunk_events: u32, steps: &[Step]) {
    let mut writer = create(path, chunk_events);
    for step in steps {
        push(&mut writer, step).unwrap();
    }
    writer.finish(EngineWords { message: Some("the engine's words".to_string()), ..EngineWords::default() }).unwrap();
}

/// Every event of a trace, or those before the first damage.
pub fn read(trace: &mut TraceReader) -> (Vec<Step>, Result<(), TraceError>) {
    let mut steps = Vec::new();
    for chunk in 0..trace.chunks().len() {
        let sites = trace.sites().clone();
        let read = trace.read_chunk(chunk, |event| {
            steps.push(match event.site {
                SiteId::MILESTONE => match Event::read(&event, &sites)? {
                    Event::Milestone(milestone) => Step::Milestone(milestone),
                    other => panic!("{other:?} at the site of milestones"),
                },
                site => Step::Raw { site, operands: event.operands, blob: event.blob.to_vec() },
            });
            Ok::<(), TraceError>(())
        });
        if let Err(error) = read {
            return (steps, Err(error));
        }
    }
    (steps, Ok(()))
}

/// Memory as the specification has it: plain bytes, written without regard to speed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plain(pub Vec<Vec<u8>>);

impl Plain {
    /// Applies an event that cannot fail.
    pub fn apply(&mut self, step: &Step) {
        let (id, [first, second, third], blob) = match step {
            Step::Milestone(Milestone::Memory { pages, page_size, .. }) => {
                self.0.push(vec![0; (*pages * u64::from(*page_size)) as usize]);
                return;
            }
            Step::Milestone(Milestone::DataInit { segment, memory, address, length }) => {
                let bytes = data(segment.0, 0, *length);
                return self.put(memory.0, *address, &bytes);
            }
            Step::Milestone(_) => return,
            Step::Raw { site, operands, blob } => (*site, *operands, blob),
        };
        if id == SiteId::HOST {
            match HostEvent::decode(blob).unwrap() {
                HostEvent::Write { memory, address, bytes } => self.put(memory.0, address, &bytes),
                HostEvent::Grow { memory, delta, .. } => {
                    let size = self.0[memory.0 as usize].len() + (delta * WASM_PAGE) as usize;
                    self.0[memory.0 as usize].resize(size, 0);
                }
                _ => {}
            }
            return;
        }
        if !id.is_instruction() {
            return self.put(first as u32, second, blob);
        }
        let Site { op, memory, source, .. } = sites()[(id.0 - SiteId::FIRST.0) as usize];
        match op.shape() {
            Shape::Store { width, .. } | Shape::Rmw { width, .. } | Shape::Lane { width } => {
                let value = u128::from(second) | u128::from(third) << 64;
                self.put(memory.0, first, &value.to_le_bytes()[..usize::from(width)]);
            }
            Shape::Grow if second == u64::MAX => {}
            Shape::Grow => {
                assert_eq!(second * WASM_PAGE, self.0[memory.0 as usize].len() as u64);
                self.0[memory.0 as usize].resize(((first + second) * WASM_PAGE) as usize, 0);
            }
            Shape::Fill => self.put(memory.0, first, &vec![second as u8; third as usize]),
            Shape::Copy => {
                let bytes = self.0[source as usize][second as usize..][..third as usize].to_vec();
                self.put(memory.0, first, &bytes);
            }
            Shape::Init => self.put(memory.0, first, &data(source, second, third)),
            Shape::Drop => {}
        }
    }

    fn put(&mut self, memory: u32, address: u64, bytes: &[u8]) {
        self.0[memory as usize][address as usize..][..bytes.len()].copy_from_slice(bytes);
    }

    /// Where the two models differ.
    pub fn difference(&self, image: &Image) -> Option<String> {
        if image.memories() as usize != self.0.len() {
            return Some(format!("{} memories, expected {}", image.memories(), self.0.len()));
        }
        for (index, expected) in self.0.iter().enumerate() {
            let memory = MemoryIndex(index as u32);
            let size = image.size(memory).unwrap().bytes();
            if size != expected.len() as u64 {
                return Some(format!("memory {index} has {size:#x} bytes, expected {:#x}", expected.len()));
            }
            let mut found = vec![0; expected.len()];
            image.read(memory, 0, &mut found);
            if let Some(at) = (0..found.len()).find(|at| found[*at] != expected[*at]) {
                let (found, expected) = (found[at], expected[at]);
                return Some(format!("memory {index} at {at:#x} holds {found:#04x}, expected {expected:#04x}"));
            }
        }
        None
    }

    /// What an End milestone says about these memories.
    pub fn states(&self) -> Vec<MemoryState> {
        let state = |bytes: &Vec<u8>| {
            let mut digest = forkpoint_traces::MemoryDigest::default();
            digest.update(0, bytes);
            MemoryState { pages: bytes.len() as u64 / WASM_PAGE, digest: digest.finish() }
        };
        self.0.iter().map(state).collect()
    }
}

fn data(segment: u32, start: u64, length: u64) -> Vec<u8> {
    let Range { start: from, end } = DATA[segment as usize].clone();
    module()[from as usize..end as usize][start as usize..][..length as usize].to_vec()
}

/// A random run from `seed`: two memories, every instruction, host writes, milestones, zeros where nothing was yet,
/// and now and then a loop that a predictor foresees. Returns its events and its last memory.
pub fn random_run(seed: u64, events: usize) -> (Vec<Step>, Plain) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut steps = memories([random.u64(1..4), random.u64(0..3)]);
    let mut plain = Plain::default();
    steps.iter().for_each(|step| plain.apply(step));
    while steps.len() < events {
        let op = MemoryOp::ALL[random.usize(..MemoryOp::ALL.len())];
        let repeat = if random.u8(..8) == 0 { random.usize(2..40) } else { 1 };
        let variant = random.u32(..3);
        let (memory, source) = VARIANTS[variant as usize];
        let stride = random.u64(..9);
        let (start, value) = (random.u64(..), random_value(&mut random));
        for i in 0..repeat as u64 {
            let sizes = [plain.0[0].len() as u64, plain.0[1].len() as u64];
            let size = sizes[memory as usize];
            // Most addresses are near the borders of pages, where things go wrong.
            let near =
                |size: u64| (start % (size / 4096 + 1) * 4096 + (start >> 32) % 24 + i * stride).saturating_sub(12);
            let operands = match op.shape() {
                Shape::Store { width, .. } | Shape::Rmw { width, .. } | Shape::Lane { width } => {
                    let mask = if width >= 8 { u64::MAX } else { (1 << (8 * width)) - 1 };
                    let high = if width == 16 { value.rotate_left(9) } else { 0 };
                    [near(size), value.wrapping_add(i) & mask, high]
                }
                Shape::Grow if size >= 6 * WASM_PAGE => [random.u64(1..9), u64::MAX, 0],
                Shape::Grow => [random.u64(..2), size / WASM_PAGE, 0],
                Shape::Fill => [near(size), value & 0xff, random_length(&mut random)],
                Shape::Copy => [near(size), near(sizes[source as usize]) ^ (start >> 60), random_length(&mut random)],
                Shape::Init => [near(size), start % 4, start >> 8 & 3],
                Shape::Drop => [0; 3],
            };
            let mut around = None;
            let step = match random.u8(..40) {
                0 => {
                    let bytes = (0..random.usize(..70)).map(|_| random.u8(..3)).collect();
                    let address = near(size);
                    let memory = MemoryIndex(memory);
                    around = Some((host_call(random.i32(..)), host_return(0)));
                    if size < 6 * WASM_PAGE && random.u8(..4) == 0 {
                        host(&HostEvent::Grow { memory, delta: 1, before: size / WASM_PAGE })
                    } else {
                        host(&HostEvent::Write { memory, address, bytes })
                    }
                }
                3 => {
                    let operands = [memory.into(), near(size), 0];
                    Step::Raw { site: SiteId::STRAY_BYTES, operands, blob: vec![random.u8(..3); random.usize(..70)] }
                }
                1 => {
                    let segment = DataIndex(random.u32(..2));
                    let (memory, length) = (MemoryIndex(memory), random.u64(..8));
                    Step::Milestone(Milestone::DataInit { segment, memory, address: near(size), length })
                }
                2 => invoke(),
                _ => Step::Raw { site: site(op, variant), operands, blob: Vec::new() },
            };
            if fits(&step, &plain) {
                plain.apply(&step);
                match around {
                    Some((call, end)) => steps.extend([call, step, end]),
                    None => steps.push(step),
                }
            }
        }
    }
    let memories = plain.states();
    steps.push(Step::Milestone(Milestone::End {
        outcome: Outcome::Finished,
        memories,
        globals: Vec::new(),
        tables: Vec::new(),
    }));
    (steps, plain)
}

fn random_value(random: &mut fastrand::Rng) -> u64 {
    if random.bool() { 0 } else { random.u64(..) >> random.u32(..64) }
}

fn random_length(random: &mut fastrand::Rng) -> u64 {
    if random.u8(..6) == 0 { random.u64(..3 * WASM_PAGE) } else { random.u64(..40) }
}

/// Whether an event writes inside of memory, as an engine would ensure.
fn fits(step: &Step, plain: &Plain) -> bool {
    let inside = |memory: u32, address: u64, length: u64| address + length <= plain.0[memory as usize].len() as u64;
    match step {
        Step::Milestone(Milestone::DataInit { memory, address, length, .. }) => inside(memory.0, *address, *length),
        Step::Milestone(_) => true,
        Step::Raw { site: SiteId::HOST, blob, .. } => match HostEvent::decode(blob).unwrap() {
            HostEvent::Write { memory, address, bytes } => inside(memory.0, address, bytes.len() as u64),
            _ => true,
        },
        Step::Raw { site, operands: [first, second, _], blob } if !site.is_instruction() => {
            inside(*first as u32, *second, blob.len() as u64)
        }
        Step::Raw { site, operands: [first, second, third], .. } => {
            let Site { op, memory, source, .. } = sites()[(site.0 - SiteId::FIRST.0) as usize];
            match op.shape() {
                Shape::Store { width, .. } | Shape::Rmw { width, .. } | Shape::Lane { width } => {
                    inside(memory.0, *first, width.into())
                }
                Shape::Fill | Shape::Init => inside(memory.0, *first, *third),
                Shape::Copy => inside(memory.0, *first, *third) && inside(source, *second, *third),
                Shape::Grow | Shape::Drop => true,
            }
        }
    }
}
