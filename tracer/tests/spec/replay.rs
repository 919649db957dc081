//! The memories of all rewritten instances of a store, rebuilt from their events.
//!
//! Instances share memories, so there is one model per memory of the engine, whoever imports it. Events are collected
//! while a step of the script runs and applied after it.

use super::handle::Handle;
use forkpoint_tracer::instrument::{
    Address, BUFFER_EXPORT, CURSOR_AT, DataKind, Instrumented, RECORDS_AT, RecordDecoder, RecordSink,
};
use forkpoint_traces::{Shape, SiteId};
use std::rc::Rc;
use wasmtime::{Extern, Global, Instance, Memory, Store, Val};

/// What one instance did to memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    pub instance: usize,
    pub site: SiteId,
    pub operands: [u64; 3],
}

/// The memory it models: each has its own mapping, even an empty one.
fn start(handle: &Handle, store: &Store<Replay>) -> *const u8 {
    handle.bytes(store).as_ptr()
}

struct Model {
    handle: Handle,
    bytes: Vec<u8>,
    /// Written since the last check.
    written: bool,
}

/// A rewritten instance, or the rest of one that could not be made.
struct Recorder {
    rewritten: Rc<Instrumented>,
    original: Rc<[u8]>,
    decoder: RecordDecoder,
    /// Its memories' models; an instance that was not made has those of its imports only.
    memories: Vec<usize>,
    /// Where its inline records are.
    buffer: Option<Memory>,
}

/// All models of a store, and the events of the current step.
#[derive(Default)]
pub struct Replay {
    models: Vec<Model>,
    instances: Vec<Recorder>,
    events: Vec<Event>,
    read_backs: usize,
}

struct Sink<'r> {
    instance: usize,
    events: &'r mut Vec<Event>,
    read_backs: &'r mut usize,
}

impl RecordSink for Sink<'_> {
    fn event(&mut self, site: SiteId, operands: [u64; 3]) {
        self.events.push(Event { instance: self.instance, site, operands });
    }

    fn read_back(&mut self, _: SiteId, _: u64, _: [u64; 2]) {
        *self.read_backs += 1;
    }
}

impl Replay {
    /// Announces an instance; its recorder's import refers to it by the number.
    pub fn announce(&mut self, rewritten: Rc<Instrumented>, original: Rc<[u8]>) -> usize {
        let decoder = rewritten.decoder();
        self.instances.push(Recorder { rewritten, original, decoder, memories: Vec::new(), buffer: None });
        self.instances.len() - 1
    }

    /// Takes inline records.
    pub fn block(&mut self, instance: usize, block: &[u8]) {
        let Replay { instances, events, read_backs, .. } = self;
        let mut sink = Sink { instance, events, read_backs };
        instances[instance].decoder.decode_block(block, &mut sink).expect("a legal block");
    }

    /// Takes a call of the hook.
    pub fn hook(&mut self, instance: usize, site: u32, operands: [u64; 3]) {
        let Replay { instances, events, read_backs, .. } = self;
        let mut sink = Sink { instance, events, read_backs };
        instances[instance].decoder.decode_hook(site, operands, &mut sink).expect("a legal call");
    }

    /// The memories' models of an instance.
    pub fn models(&self, instance: usize) -> &[usize] {
        &self.instances[instance].memories
    }
}

/// The model of a memory; a new one starts with the engine's present contents.
fn model(store: &mut Store<Replay>, handle: &Handle) -> usize {
    let wanted = start(handle, store);
    if let Some(known) = store.data().models.iter().position(|model| start(&model.handle, store) == wanted) {
        return known;
    }
    let bytes = handle.bytes(store).to_vec();
    let models = &mut store.data_mut().models;
    models.push(Model { handle: handle.clone(), bytes, written: true });
    models.len() - 1
}

/// Notes the memories that an instance imports, before it is made and its data segments change them.
pub fn imports(store: &mut Store<Replay>, instance: usize, imports: &[Extern]) {
    let handles: Vec<Handle> = imports.iter().filter_map(Handle::of).collect();
    let memories = handles.iter().map(|handle| model(store, handle)).collect();
    store.data_mut().instances[instance].memories = memories;
}

/// Notes the memories that an instance defines: their data segments have been copied, its start function has not
/// run.
pub fn defined(store: &mut Store<Replay>, id: usize, instance: &Instance) {
    let rewritten = store.data().instances[id].rewritten.clone();
    for (index, memory) in rewritten.memories.iter().enumerate() {
        let export = instance.get_export(&mut *store, &memory.export).expect("all memories are exported");
        let handle = Handle::of(&export).expect("it is a memory");
        let model = model(store, &handle);
        let memories = &mut store.data_mut().instances[id].memories;
        match memories.get(index) {
            Some(imported) => assert_eq!(*imported, model, "the exported memory is the imported one"),
            None => memories.push(model),
        }
    }
    let buffer = instance.get_memory(&mut *store, BUFFER_EXPORT);
    store.data_mut().instances[id].buffer = buffer;
}

/// Copies an instance's active segments into the memories that it imports, up to the first that does not fit: engines
/// keep what they copied before. Memories that it defines have them already.
pub fn active_segments(store: &mut Store<Replay>, id: usize, globals: &[Global]) {
    let values: Vec<Option<u64>> = globals
        .iter()
        .map(|global| match global.get(&mut *store) {
            Val::I32(value) => Some(u64::from(value as u32)),
            Val::I64(value) => Some(value as u64),
            _ => None,
        })
        .collect();
    let Replay { models, instances, .. } = store.data_mut();
    let Recorder { rewritten, original, memories, .. } = &instances[id];
    for segment in &rewritten.data {
        let DataKind::Active { memory, address } = &segment.kind else { continue };
        let known = |address: &Address| address.value(|global| values.get(global as usize).copied().flatten());
        let at = known(address).expect("all imported globals are known");
        let bytes = &original[segment.bytes.clone()];
        let declared = &rewritten.memories[memory.0 as usize];
        let size = match memories.get(memory.0 as usize) {
            Some(model) if declared.imported => models[*model].bytes.len() as u64,
            _ => declared.minimum.saturating_mul(u64::from(declared.page_size)),
        };
        if at.checked_add(bytes.len() as u64).is_none_or(|end| end > size) {
            return;
        }
        if declared.imported {
            let model = &mut models[memories[memory.0 as usize]];
            model.bytes[at as usize..at as usize + bytes.len()].copy_from_slice(bytes);
            model.written = true;
        }
    }
}

/// Empties all buffers and returns the events since the last time.
pub fn drain(store: &mut Store<Replay>) -> Vec<Event> {
    for id in 0..store.data().instances.len() {
        let Some(buffer) = store.data().instances[id].buffer else { continue };
        let (bytes, replay) = buffer.data_and_store_mut(&mut *store);
        let cursor = &mut bytes[CURSOR_AT..][..4];
        let length = u32::from_le_bytes(cursor.try_into().expect("4 bytes")) as usize;
        cursor.fill(0);
        if length > 0 {
            replay.block(id, &bytes[RECORDS_AT..][..length]);
        }
    }
    std::mem::take(&mut store.data_mut().events)
}

impl Replay {
    /// Applies one event.
    pub fn apply(&mut self, event: &Event) -> Result<(), String> {
        let Recorder { rewritten, original, memories, .. } = &self.instances[event.instance];
        let site = &rewritten.sites[(event.site.0 - SiteId::FIRST.0) as usize];
        let [a, b, c] = event.operands;
        let wrong = || format!("{event:?} of {site:?} does not fit into its memory");
        if site.op.shape() == Shape::Drop {
            return Ok(());
        }
        let target = memories[site.memory.0 as usize];
        let (at, length) = (a as usize, c as usize);
        let source = match site.op.shape() {
            Shape::Store { width, .. } | Shape::Rmw { width, .. } | Shape::Lane { width } => {
                let value = [b.to_le_bytes(), c.to_le_bytes()].concat();
                let (stored, above) = value.split_at(usize::from(width));
                if above.iter().any(|byte| *byte != 0) {
                    return Err(format!("{event:?} of {site:?} has more bits than it stores"));
                }
                Some(stored.to_vec())
            }
            Shape::Fill => Some(vec![b as u8; length]),
            Shape::Copy => {
                let source = &self.models[memories[site.source as usize]].bytes;
                source.get(b as usize..(b as usize).saturating_add(length)).map(<[u8]>::to_vec)
            }
            Shape::Init => {
                let segment = &original[rewritten.data[site.source as usize].bytes.clone()];
                segment.get(b as usize..(b as usize).saturating_add(length)).map(<[u8]>::to_vec)
            }
            Shape::Grow => {
                let model = &mut self.models[target].bytes;
                let page = rewritten.memories[site.memory.0 as usize].page_size as usize;
                if b != u64::MAX {
                    if model.len() != b as usize * page {
                        return Err(format!("{event:?} of {site:?}: the memory has {} bytes", model.len()));
                    }
                    model.resize(model.len() + at * page, 0);
                }
                return Ok(());
            }
            Shape::Drop => None,
        };
        let bytes = source.ok_or_else(wrong)?;
        let model = &mut self.models[target];
        let place = model.bytes.get_mut(at..at.saturating_add(bytes.len())).ok_or_else(wrong)?;
        place.copy_from_slice(&bytes);
        model.written = true;
        Ok(())
    }
}

/// Compares models with the engine's memories: those that were written, those in `live`, or `all`. Returns the first
/// difference and takes over the engine's bytes, so that it is reported once.
pub fn check(store: &mut Store<Replay>, live: &[usize], all: bool) -> Result<(), String> {
    let mut difference = Ok(());
    for index in 0..store.data().models.len() {
        let model = &store.data().models[index];
        if !(all || model.written || live.contains(&index)) {
            continue;
        }
        let real = model.handle.bytes(store);
        if real != model.bytes {
            let first = real.iter().zip(&model.bytes).position(|(real, replayed)| real != replayed);
            difference = difference.and(Err(format!(
                "memory {index}: {} bytes in the engine, {} replayed, first difference at {first:?}",
                real.len(),
                model.bytes.len()
            )));
            let real = real.to_vec();
            store.data_mut().models[index].bytes = real;
        }
        store.data_mut().models[index].written = false;
    }
    let read_backs = std::mem::take(&mut store.data_mut().read_backs);
    if read_backs > 0 {
        difference = difference.and(Err(format!("{read_backs} stores that memory does not show")));
    }
    difference
}
