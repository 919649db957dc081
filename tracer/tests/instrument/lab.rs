//! A rewritten module under Wasmtime, and the replay of what it records.

use crate::engines::engine;
use crate::handle::Handle;
use crate::support;
use forkpoint_tracer::instrument::{
    BUFFER_EXPORT, CURSOR_AT, Digester, FLUSH_IMPORT, HOOK_IMPORT, IMPORT_MODULE, Instrumented, Options, RECORDS_AT,
    RecordDecoder, RecordSink,
};
use forkpoint_traces::{MemoryOp, Shape, Site, SiteId};
use wasmtime::{Caller, Engine, Error, Instance, Linker, Module, Store, Val};

/// Decoded events: the site, and the operands.
pub type Events = Vec<(Site, [u64; 3])>;

type Event = (SiteId, [u64; 3]);

/// The state of the host functions.
pub struct Host {
    decoder: RecordDecoder,
    pub seen: Sink,
    /// Everything that the module passed on, byte by byte.
    pub raw: Vec<u8>,
    /// Digests the same, if that is wanted.
    pub digester: Option<Digester>,
    pub flushes: usize,
}

#[derive(Default)]
pub struct Sink {
    events: Vec<Event>,
    pub read_backs: usize,
    /// The last mark that the run reached, by a hook.
    pub mark: u32,
    /// Marks and values of notes.
    pub notes: Vec<(u32, [u64; 2])>,
    /// Marks of calls of imported functions.
    pub callers: Vec<u32>,
}

impl RecordSink for Sink {
    fn event(&mut self, site: SiteId, operands: [u64; 3]) {
        self.events.push((site, operands));
    }

    fn read_back(&mut self, _: SiteId, _: u64, _: [u64; 2]) {
        self.read_backs += 1;
    }

    fn caller(&mut self, mark: u32) {
        self.callers.push(mark);
    }

    fn mark(&mut self, mark: u32) {
        self.mark = mark;
    }

    fn note(&mut self, mark: u32, words: [u64; 2]) {
        self.notes.push((mark, words));
    }
}

impl Host {
    fn take(&mut self, block: &[u8]) {
        let Host { decoder, seen, raw, digester, .. } = self;
        raw.extend_from_slice(block);
        decoder.decode_block(block, seen).expect("a legal block");
        if let Some(digester) = digester {
            decoder.digest_block(block, digester, &mut Sink::default()).expect("a legal block");
        }
    }
}

/// A rewritten module between calls, and its replay.
pub struct Recorded {
    pub original: Vec<u8>,
    pub rewritten: Instrumented,
    pub store: Store<Host>,
    pub instance: Instance,
    pub images: Vec<Vec<u8>>,
}

impl Recorded {
    pub fn new(engine: &Engine, original: Vec<u8>, rewritten: Instrumented) -> Result<Recorded, Error> {
        let module = Module::new(engine, &rewritten.module)?;
        Recorded::of(&module, original, rewritten)
    }

    /// Instantiates the compiled form of a rewritten module.
    pub fn of(module: &Module, original: Vec<u8>, rewritten: Instrumented) -> Result<Recorded, Error> {
        let engine = module.engine();
        let host =
            Host { decoder: rewritten.decoder(), seen: Sink::default(), raw: Vec::new(), digester: None, flushes: 0 };
        let mut store = Store::new(engine, host);
        let mut linker = Linker::new(engine);
        linker.func_wrap(IMPORT_MODULE, FLUSH_IMPORT, |mut caller: Caller<'_, Host>, length: i32| {
            let buffer = caller.get_export(BUFFER_EXPORT).and_then(|e| e.into_memory()).expect("exported");
            let (bytes, host) = buffer.data_and_store_mut(&mut caller);
            host.take(&bytes[RECORDS_AT..][..length as usize]);
            host.flushes += 1;
        })?;
        linker.func_wrap(
            IMPORT_MODULE,
            HOOK_IMPORT,
            |mut caller: Caller<'_, Host>, site: u32, a: u64, b: u64, c: u64| {
                let Host { decoder, seen, raw, digester, .. } = caller.data_mut();
                let start = raw.len();
                raw.extend(site.to_le_bytes());
                raw.extend([a, b, c].iter().flat_map(|operand| operand.to_le_bytes()));
                if let Some(digester) = digester {
                    decoder.digest_hooks(&raw[start..], digester, &mut Sink::default()).expect("a legal call");
                }
                decoder.decode_hook(site, [a, b, c], seen).expect("a legal call");
            },
        )?;
        linker.func_wrap("env", "id", |x: i32| x)?;
        let instance = linker.instantiate(&mut store, module)?;
        let mut recorded = Recorded { original, rewritten, store, instance, images: Vec::new() };
        recorded.images = recorded.memories();
        Ok(recorded)
    }

    pub fn from_text(text: &str) -> Recorded {
        Recorded::with(text, &Options::default())
    }

    pub fn with(text: &str, options: &Options) -> Recorded {
        let original = wat::parse_str(text).expect("the test's text is well formed");
        let rewritten = support::rewrite(&original, options);
        Recorded::new(&engine(), original, rewritten).expect("it instantiates")
    }

    pub fn memories(&mut self) -> Vec<Vec<u8>> {
        let handles: Vec<Handle> = (0..self.rewritten.memories.len()).map(|index| self.memory(index)).collect();
        handles.iter().map(|handle| handle.bytes(&self.store).to_vec()).collect()
    }

    fn memory(&mut self, index: usize) -> Handle {
        let name = &self.rewritten.memories[index].export;
        let export = self.instance.get_export(&mut self.store, name).expect("exported");
        Handle::of(&export).expect("a memory")
    }

    /// Digests events from here on, with a digest for every `stretch` of them.
    pub fn digest_every(&mut self, stretch: u64) {
        let mut digester = Digester::every(stretch);
        digester.set_sizes(self.images.iter().map(|image| image.len() as u64));
        self.store.data_mut().digester = Some(digester);
    }

    /// Calls an export.
    pub fn call_unchecked(&mut self, name: &str, arguments: &[Val]) -> (Result<Vec<Val>, Error>, Events) {
        let function = self.instance.get_func(&mut self.store, name).expect("exported");
        let mut results = vec![Val::I32(0); function.ty(&self.store).results().len()];
        let outcome = function.call(&mut self.store, arguments, &mut results).map(|()| results);
        if let Some(buffer) = self.instance.get_memory(&mut self.store, BUFFER_EXPORT) {
            let (bytes, host) = buffer.data_and_store_mut(&mut self.store);
            let cursor = &mut bytes[CURSOR_AT..][..4];
            let length = u32::from_le_bytes(cursor.try_into().expect("4 bytes")) as usize;
            cursor.fill(0);
            host.take(&bytes[RECORDS_AT..][..length]);
        }
        assert_eq!(self.store.data().seen.read_backs, 0, "the engine stores what it says");
        let events = std::mem::take(&mut self.store.data_mut().seen.events);
        let events: Vec<(Site, [u64; 3])> = events
            .into_iter()
            .map(|(site, operands)| (self.rewritten.sites[(site.0 - SiteId::FIRST.0) as usize].clone(), operands))
            .collect();
        (outcome, events)
    }

    /// Calls an export and replays what it recorded.
    pub fn call(&mut self, name: &str, arguments: &[Val]) -> (Result<Vec<Val>, Error>, Events) {
        let (outcome, events) = self.call_unchecked(name, arguments);
        for (site, operands) in &events {
            self.apply(site, *operands);
        }
        for index in 0..self.images.len() {
            let handle = self.memory(index);
            let (engine, replay) = (handle.bytes(&self.store), &self.images[index]);
            assert_eq!(engine.len(), replay.len(), "size of memory {index}");
            if engine != replay {
                let differ = engine.iter().zip(replay).position(|(a, b)| a != b);
                panic!("first byte of memory {index} that replay has wrong: {differ:?}");
            }
        }
        (outcome, events)
    }

    fn apply(&mut self, site: &Site, [a, b, c]: [u64; 3]) {
        let memory = site.memory.0 as usize;
        let at = a as usize;
        match site.op.shape() {
            Shape::Store { width, .. } | Shape::Rmw { width, .. } | Shape::Lane { width } => {
                let value = [b.to_le_bytes(), c.to_le_bytes()].concat();
                let width = usize::from(width);
                assert!(value[width..].iter().all(|byte| *byte == 0), "zero-extended");
                self.images[memory][at..at + width].copy_from_slice(&value[..width]);
            }
            Shape::Grow if b == u64::MAX => {}
            Shape::Grow => {
                let image = &mut self.images[memory];
                let page = self.rewritten.memories[memory].page_size as usize;
                assert_eq!(image.len(), b as usize * page);
                image.resize(image.len() + at * page, 0);
            }
            Shape::Fill => self.images[memory][at..at + c as usize].fill(b as u8),
            Shape::Copy => {
                let bytes = self.images[site.source as usize][b as usize..(b + c) as usize].to_vec();
                self.images[memory][at..at + bytes.len()].copy_from_slice(&bytes);
            }
            Shape::Init => {
                let segment = &self.original[self.rewritten.data[site.source as usize].bytes.clone()];
                let bytes = &segment[b as usize..(b + c) as usize];
                self.images[memory][at..at + bytes.len()].copy_from_slice(bytes);
            }
            Shape::Drop => {}
        }
    }
}

/// Operators and operands of events.
pub fn short(events: &[(Site, [u64; 3])]) -> Vec<(MemoryOp, [u64; 3])> {
    events.iter().map(|(site, operands)| (site.op, *operands)).collect()
}
