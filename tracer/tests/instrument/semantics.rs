//! Under Wasmtime: the rewritten module does what the original does, and what its records say is what happened.
//!
//! The oracle is replay: memories as they are after instantiation, changed by the decoded events alone, must
//! equal the engine's memories at the end, byte for byte.

use crate::property::{config, entropy};
use crate::support;
use arbitrary::Unstructured;
use forkpoint_tracer::instrument::{
    BUFFER_EXPORT, BUFFER_LIMIT, CURSOR_AT, FLUSH_IMPORT, IMPORT_MODULE, Instrumented, RECORDS_AT, RecordDecoder,
    START_EXPORT,
};
use forkpoint_traces::{MemoryOp, Shape, Site, SiteId};
use std::collections::HashSet;
use wasmtime::{Caller, Config, Engine, Error, Instance, Linker, Module, Store, Val};

/// Decoded events: where, and the operands.
type Events = Vec<(Site, [u64; 3])>;

const PAGE: usize = 1 << 16;

type Event = (SiteId, [u64; 3]);

/// What the host functions see.
struct Host {
    decoder: RecordDecoder,
    events: Vec<Event>,
    flushes: usize,
}

impl Host {
    fn take(&mut self, block: &[u8]) {
        let Host { decoder, events, .. } = self;
        decoder.decode_block(block, &mut |site, operands| events.push((site, operands))).expect("a legal block");
    }
}

fn engine() -> Engine {
    let mut config = Config::new();
    config
        .wasm_multi_memory(true)
        .wasm_memory64(true)
        .wasm_tail_call(true)
        .wasm_function_references(true)
        .wasm_gc(true)
        .wasm_exceptions(true)
        .wasm_relaxed_simd(true)
        .memory_reservation(1 << 20)
        .memory_guard_size(1 << 16);
    Engine::new(&config).expect("a valid configuration")
}

/// A rewritten module between calls, and its replay.
struct Recorded {
    original: Vec<u8>,
    rewritten: Instrumented,
    store: Store<Host>,
    instance: Instance,
    images: Vec<Vec<u8>>,
}

impl Recorded {
    fn new(engine: &Engine, original: Vec<u8>, rewritten: Instrumented) -> Result<Recorded, Error> {
        let module = Module::new(engine, &rewritten.module)?;
        let host = Host { decoder: rewritten.decoder(), events: Vec::new(), flushes: 0 };
        let mut store = Store::new(engine, host);
        let mut linker = Linker::new(engine);
        linker.func_wrap(IMPORT_MODULE, FLUSH_IMPORT, |mut caller: Caller<'_, Host>, length: i32| {
            let buffer = caller.get_export(BUFFER_EXPORT).and_then(|e| e.into_memory()).expect("exported");
            let (bytes, host) = buffer.data_and_store_mut(&mut caller);
            assert!(length as u32 > BUFFER_LIMIT);
            host.take(&bytes[RECORDS_AT..][..length as usize]);
            host.flushes += 1;
        })?;
        linker.func_wrap("env", "id", |x: i32| x)?;
        let instance = linker.instantiate(&mut store, &module)?;
        let mut recorded = Recorded { original, rewritten, store, instance, images: Vec::new() };
        recorded.images = recorded.memories();
        Ok(recorded)
    }

    fn from_text(text: &str) -> Recorded {
        let (original, rewritten) = support::rewrite_text(text);
        Recorded::new(&engine(), original, rewritten).expect("it instantiates")
    }

    fn memories(&mut self) -> Vec<Vec<u8>> {
        let names: Vec<String> = self.rewritten.memories.iter().map(|memory| memory.export.clone()).collect();
        names
            .iter()
            .map(|name| {
                let memory = self.instance.get_memory(&mut self.store, name).expect("exported");
                memory.data(&self.store).to_vec()
            })
            .collect()
    }

    /// Calls an export and replays what it recorded.
    fn call(&mut self, name: &str, arguments: &[Val]) -> (Result<Vec<Val>, Error>, Events) {
        let function = self.instance.get_func(&mut self.store, name).expect("exported");
        let mut results = vec![Val::I32(0); function.ty(&self.store).results().len()];
        let outcome = function.call(&mut self.store, arguments, &mut results).map(|()| results);
        if self.rewritten.records {
            let buffer = self.instance.get_memory(&mut self.store, BUFFER_EXPORT).expect("exported");
            let (bytes, host) = buffer.data_and_store_mut(&mut self.store);
            let cursor = &mut bytes[CURSOR_AT..][..4];
            let length = u32::from_le_bytes(cursor.try_into().expect("4 bytes")) as usize;
            cursor.fill(0);
            host.take(&bytes[RECORDS_AT..][..length]);
        }
        let events = std::mem::take(&mut self.store.data_mut().events);
        let events: Vec<(Site, [u64; 3])> = events
            .into_iter()
            .map(|(site, operands)| (self.rewritten.sites[(site.0 - SiteId::FIRST.0) as usize].clone(), operands))
            .collect();
        for (site, operands) in &events {
            self.apply(site, *operands);
        }
        let memories = self.memories();
        for (index, (engine, replay)) in memories.iter().zip(&self.images).enumerate() {
            assert_eq!(engine.len(), replay.len(), "size of memory {index}");
            let differ = engine.iter().zip(replay).position(|(a, b)| a != b);
            assert_eq!(differ, None, "first byte of memory {index} that replay has wrong");
        }
        (outcome, events)
    }

    fn apply(&mut self, site: &Site, [a, b, c]: [u64; 3]) {
        let memory = site.memory.0 as usize;
        let at = a as usize;
        match site.op.shape() {
            Shape::Store { width, .. } | Shape::Lane { width } => {
                let value = [b.to_le_bytes(), c.to_le_bytes()].concat();
                let width = usize::from(width);
                assert!(value[width..].iter().all(|byte| *byte == 0), "zero-extended");
                self.images[memory][at..at + width].copy_from_slice(&value[..width]);
            }
            Shape::Grow if b == u64::MAX => {}
            Shape::Grow => {
                let image = &mut self.images[memory];
                assert_eq!(image.len(), b as usize * PAGE);
                image.resize(image.len() + at * PAGE, 0);
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
fn short(events: &[(Site, [u64; 3])]) -> Vec<(MemoryOp, [u64; 3])> {
    events.iter().map(|(site, operands)| (site.op, *operands)).collect()
}

#[test]
fn every_memory_operator_is_recorded_and_replays() {
    for (address, memory) in [("i32", "1 3"), ("i64", "i64 1 3")] {
        let bulk = if address == "i32" { "i32" } else { "i64" };
        let v = "(v128.const i8x16 0x80 1 2 3 4 5 6 7 8 9 10 11 12 13 14 0xff)";
        let mut recorded = Recorded::from_text(&format!(
            r#"(module (memory {memory}) (data $d "segment")
                (func (export "run") (result {address})
                    (i32.store offset=1 ({address}.const 16) (i32.const -2))
                    (i64.store ({address}.const 24) (i64.const -3))
                    (f32.store ({address}.const 32) (f32.const nan:0x200001))
                    (f64.store ({address}.const 40) (f64.const -nan:0x4000000000001))
                    (i32.store8 ({address}.const 48) (i32.const -2))
                    (i32.store16 ({address}.const 50) (i32.const -2))
                    (i64.store8 ({address}.const 52) (i64.const -2))
                    (i64.store16 ({address}.const 54) (i64.const -2))
                    (i64.store32 ({address}.const 56) (i64.const -2))
                    (v128.store ({address}.const 64) {v})
                    (v128.store8_lane 0 ({address}.const 80) {v})
                    (v128.store16_lane 7 ({address}.const 82) {v})
                    (v128.store32_lane 3 ({address}.const 84) {v})
                    (v128.store64_lane 1 ({address}.const 88) {v})
                    (drop (memory.grow ({address}.const 1)))
                    (memory.fill ({address}.const 100) (i32.const 0x1ab) ({bulk}.const 5))
                    (memory.copy ({address}.const 200) ({address}.const 16) ({bulk}.const 64))
                    (memory.init $d ({address}.const 300) (i32.const 2) (i32.const 3))
                    (data.drop $d)
                    (memory.grow ({address}.const 2))))"#
        ));
        let (results, events) = recorded.call("run", &[]);
        let results = results.expect("no trap");
        match address {
            "i32" => assert_eq!(results[0].unwrap_i32(), -1),
            _ => assert_eq!(results[0].unwrap_i64(), -1),
        }
        let (low, high) = (0x0706_0504_0302_0180, 0xff0e_0d0c_0b0a_0908);
        assert_eq!(
            short(&events),
            [
                (MemoryOp::I32Store, [17, 0xffff_fffe, 0]),
                (MemoryOp::I64Store, [24, u64::MAX - 2, 0]),
                (MemoryOp::F32Store, [32, 0x7fa0_0001, 0]),
                (MemoryOp::F64Store, [40, 0xfff4_0000_0000_0001, 0]),
                (MemoryOp::I32Store8, [48, 0xfe, 0]),
                (MemoryOp::I32Store16, [50, 0xfffe, 0]),
                (MemoryOp::I64Store8, [52, 0xfe, 0]),
                (MemoryOp::I64Store16, [54, 0xfffe, 0]),
                (MemoryOp::I64Store32, [56, 0xffff_fffe, 0]),
                (MemoryOp::V128Store, [64, low, high]),
                (MemoryOp::V128Store8Lane, [80, 0x80, 0]),
                (MemoryOp::V128Store16Lane, [82, 0xff0e, 0]),
                (MemoryOp::V128Store32Lane, [84, 0xff0e_0d0c, 0]),
                (MemoryOp::V128Store64Lane, [88, high, 0]),
                (MemoryOp::MemoryGrow, [1, 1, 0]),
                (MemoryOp::MemoryFill, [100, 0xab, 5]),
                (MemoryOp::MemoryCopy, [200, 16, 64]),
                (MemoryOp::MemoryInit, [300, 2, 3]),
                (MemoryOp::DataDrop, [0, 0, 0]),
                (MemoryOp::MemoryGrow, [2, u64::MAX, 0]),
            ]
        );
        let seen: HashSet<MemoryOp> = events.iter().map(|(site, _)| site.op).collect();
        assert_eq!(seen.len(), MemoryOp::ALL.len(), "every operator is in this test");
    }
}

#[test]
fn a_trap_leaves_exactly_the_committed_stores() {
    let mut recorded = Recorded::from_text(
        r#"(module (memory 1)
            (func (export "run") (param i32)
                (i32.store (i32.const 0) (i32.const 1))
                (i32.store (i32.const 8) (i32.div_s (i32.const 10) (local.get 0)))
                (i32.store (i32.const 65533) (i32.const 3))
                (i32.store (i32.const 16) (i32.const 4)))
            (func (export "first") (i32.store (i32.const 65533) (i32.const 3))))"#,
    );
    let (outcome, events) = recorded.call("run", &[Val::I32(0)]);
    assert!(outcome.is_err());
    assert_eq!(short(&events), [(MemoryOp::I32Store, [0, 1, 0])]);
    let (outcome, events) = recorded.call("run", &[Val::I32(5)]);
    assert!(outcome.is_err());
    assert_eq!(short(&events), [(MemoryOp::I32Store, [0, 1, 0]), (MemoryOp::I32Store, [8, 2, 0])]);
    let (outcome, events) = recorded.call("first", &[]);
    assert!(outcome.is_err() && events.is_empty());
}

#[test]
fn full_buffers_are_flushed() {
    let mut recorded = Recorded::from_text(
        r#"(module (memory 2)
            (func (export "run") (param $n i32)
                (loop $l
                    (i32.store8 (i32.and (local.get $n) (i32.const 0xffff)) (local.get $n))
                    (i64.store (i32.const 0x10000) (i64.extend_i32_u (local.get $n)))
                    (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))"#,
    );
    let (outcome, events) = recorded.call("run", &[Val::I32(300_000)]);
    outcome.expect("no trap");
    assert_eq!(events.len(), 600_000);
    // 4 bytes of segment number, 5 and 12 of payloads.
    assert_eq!(recorded.store.data().flushes, 300_000 * 21 / (BUFFER_LIMIT as usize + 21));
    for (pair, n) in events.chunks(2).zip((1..=300_000u64).rev()) {
        assert_eq!(pair[0].1, [n & 0xffff, n & 0xff, 0]);
        assert_eq!(pair[1].1, [0x10000, n, 0]);
    }
}

#[test]
fn memories_of_both_widths_copy_into_each_other() {
    let mut recorded = Recorded::from_text(
        r#"(module (memory $a 1) (memory $b i64 1) (memory $c i64 1) (data (memory $a) (i32.const 5) "hello")
            (func (export "run")
                (memory.copy $b $a (i64.const 1) (i32.const 5) (i32.const 5))
                (memory.copy $c $b (i64.const 2) (i64.const 1) (i64.const 5))
                (memory.copy $a $c (i32.const 100) (i64.const 2) (i32.const 5))
                (i32.store16 $c offset=3 (i64.const 4) (i32.const 7))))"#,
    );
    let (outcome, events) = recorded.call("run", &[]);
    outcome.expect("no trap");
    let memories: Vec<u32> = events.iter().map(|(site, _)| site.memory.0).collect();
    assert_eq!(memories, [1, 2, 0, 2]);
    assert_eq!(&recorded.memories()[0][100..105], b"hello");
}

#[test]
fn the_start_function_is_the_hosts_to_call() {
    let mut recorded =
        Recorded::from_text(r#"(module (memory 1) (func $s (i32.store (i32.const 4) (i32.const 9))) (start $s))"#);
    assert!(recorded.images[0].iter().all(|byte| *byte == 0), "it has not run");
    let (outcome, events) = recorded.call(START_EXPORT, &[]);
    outcome.expect("no trap");
    assert_eq!(short(&events), [(MemoryOp::I32Store, [4, 9, 0])]);
}

#[test]
fn function_indices_are_renumbered_everywhere() {
    let mut recorded = Recorded::from_text(
        r#"(module
            (import "env" "id" (func $id (param i32) (result i32)))
            (type $t (func (param i32) (result i32)))
            (memory 1)
            (table $t0 4 funcref)
            (table $init 1 (ref null $t) (ref.func $three))
            (elem (table $t0) (i32.const 0) func $id $one)
            (elem (table $t0) (i32.const 2) funcref (ref.func $two) (ref.null func))
            (elem declare func $two)
            (global $g (ref $t) (ref.func $one))
            (func $one (type $t) (i32.add (local.get 0) (i32.const 1)))
            (func $two (type $t) (i32.add (local.get 0) (i32.const 20)))
            (func $three (type $t) (return_call $id (i32.add (local.get 0) (i32.const 300))))
            (func (export "run") (result i32)
                (i32.store (i32.const 0) (call $one (i32.const 0)))
                (i32.store (i32.const 4) (call_indirect $t0 (type $t) (i32.const 0) (i32.const 0)))
                (i32.store (i32.const 8) (call_indirect $t0 (type $t) (i32.const 0) (i32.const 1)))
                (i32.store (i32.const 12) (call_indirect $t0 (type $t) (i32.const 0) (i32.const 2)))
                (i32.store (i32.const 16) (call_ref $t (i32.const 0) (global.get $g)))
                (i32.store (i32.const 20) (call_ref $t (i32.const 0) (ref.func $two)))
                (i32.store (i32.const 24) (call_indirect $init (type $t) (i32.const 0) (i32.const 0)))
                (call $id (i32.const 77)))
            (export "one" (func $one)) (export "id" (func $id)))"#,
    );
    let (results, events) = recorded.call("run", &[]);
    assert_eq!(results.expect("no trap")[0].unwrap_i32(), 77);
    let values: Vec<u64> = events.iter().map(|(_, operands)| operands[1]).collect();
    assert_eq!(values, [1, 0, 1, 20, 1, 20, 300]);
    for (name, result) in [("one", 6), ("id", 5)] {
        let (results, _) = recorded.call(name, &[Val::I32(5)]);
        assert_eq!(results.expect("no trap")[0].unwrap_i32(), result);
    }
}

#[test]
fn exceptions_and_tail_calls_keep_records_in_order() {
    let mut recorded = Recorded::from_text(
        r#"(module (memory 1) (tag $e (param i32))
            (func $throws (param i32)
                (i32.store (i32.const 0) (local.get 0))
                (throw $e (local.get 0)))
            (func $catches (param i32) (result i32)
                (i32.store (i32.const 4) (i32.const 1))
                (block $h (result i32)
                    (try_table (catch $e $h)
                        (i32.store (i32.const 8) (i32.const 2))
                        (call $throws (local.get 0))
                        (i32.store (i32.const 12) (i32.const 3)))
                    (i32.const 0)))
            (func (export "run") (param i32) (result i32)
                (i32.store (i32.const 16) (i32.const 4))
                (return_call $catches (local.get 0))))"#,
    );
    let (results, events) = recorded.call("run", &[Val::I32(42)]);
    assert_eq!(results.expect("no trap")[0].unwrap_i32(), 42);
    let stores: Vec<(u64, u64)> = events.iter().map(|(_, operands)| (operands[0], operands[1])).collect();
    assert_eq!(stores, [(16, 4), (4, 1), (8, 2), (0, 42)]);
}

/// What a call left behind, as far as the original shows it.
#[derive(Debug, PartialEq)]
struct Seen {
    outcome: Result<Vec<String>, String>,
    globals: Vec<String>,
}

fn seen<T>(
    store: &mut Store<T>,
    outcome: Result<Vec<Val>, Error>,
    globals: impl Iterator<Item = wasmtime::Global>,
) -> Seen {
    let text = |val: &Val| match val {
        // References have no identity across stores.
        Val::I32(_) | Val::I64(_) | Val::F32(_) | Val::F64(_) | Val::V128(_) => format!("{val:?}"),
        _ => "reference".to_string(),
    };
    Seen {
        outcome: outcome
            .map(|values| values.iter().map(text).collect())
            .map_err(|error| format!("{:?}", error.downcast_ref::<wasmtime::Trap>())),
        globals: globals.map(|global| text(&global.get(&mut *store))).collect(),
    }
}

/// Runs a generated module and its rewritten form side by side. Counts calls and events.
fn compare(engine: &Engine, original: Vec<u8>) -> (usize, usize) {
    let rewritten = support::rewrite(&original);
    let module = Module::new(engine, &original).expect("a valid module compiles");
    let mut store = Store::new(engine, ());
    let mut recorded = Recorded::new(engine, original, rewritten);
    if recorded.as_ref().is_ok_and(|recorded| recorded.rewritten.has_start) {
        let started = recorded.as_mut().expect("just asked").call(START_EXPORT, &[]).0;
        if let Err(error) = started {
            recorded = Err(error);
        }
    }
    let instance = Instance::new(&mut store, &module, &[]);
    let (instance, mut recorded) = match (instance, recorded) {
        (Ok(instance), Ok(recorded)) => (instance, recorded),
        (Err(_), Err(_)) => return (0, 0),
        (instance, recorded) => panic!("original {:?}, rewritten {:?}", instance.err(), recorded.err()),
    };

    let (mut calls, mut events) = (0, 0);
    let global_names: Vec<String> =
        module.exports().filter(|e| e.ty().global().is_some()).map(|e| e.name().to_string()).collect();
    for export in module.exports() {
        let Some(ty) = export.ty().func().cloned() else { continue };
        let arguments: Option<Vec<Val>> = ty.params().map(|ty| Val::default_for_ty(&ty)).collect();
        let Some(arguments) = arguments else { continue };
        let function = instance.get_func(&mut store, export.name()).expect("exported");
        let mut results = vec![Val::I32(0); ty.results().len()];
        let outcome = function.call(&mut store, &arguments, &mut results).map(|()| results);
        let globals: Vec<_> =
            global_names.iter().map(|name| instance.get_global(&mut store, name).expect("exported")).collect();
        let expected = seen(&mut store, outcome, globals.into_iter());

        let (outcome, happened) = recorded.call(export.name(), &arguments);
        calls += 1;
        events += happened.len();
        let globals: Vec<_> = global_names
            .iter()
            .map(|name| recorded.instance.get_global(&mut recorded.store, name).expect("exported"))
            .collect();
        assert_eq!(seen(&mut recorded.store, outcome, globals.into_iter()), expected, "{}", export.name());
        let memories = recorded.memories();
        for export in module.exports() {
            let Some(memory) = instance.get_memory(&mut store, export.name()) else { continue };
            let theirs = recorded.instance.get_memory(&mut recorded.store, export.name()).expect("exported");
            assert!(memory.data(&store) == theirs.data(&recorded.store), "memory {}", export.name());
        }
        assert_eq!(memories.len(), recorded.images.len());
    }
    (calls, events)
}

#[test]
fn generated_modules_behave_as_before_and_replay() {
    let engine = engine();
    let (mut calls, mut events) = (0, 0);
    for seed in 1000..1040 {
        let bytes = entropy(seed, 8192);
        let Ok(mut module) = wasm_smith::Module::new(config(seed), &mut Unstructured::new(&bytes)) else { continue };
        module.ensure_termination(500).expect("the generator wrote all bodies");
        let (c, e) = compare(&engine, module.to_bytes());
        calls += c;
        events += e;
    }
    println!("{calls} calls, {events} events");
    assert!(calls > 30 && events > 50, "{calls} calls, {events} events");
}
