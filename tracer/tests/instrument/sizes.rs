//! Modules of unusual size: very many functions, a huge one, or almost nothing.

use crate::engines::engine;
use crate::lab::Recorded;
use crate::support;
use forkpoint_tracer::instrument::{InstrumentError, Instrumented, Options, START_EXPORT, instrument};
use forkpoint_traces::FuncIndex;
use std::time::{Duration, Instant};
use wasm_encoder::{
    CodeSection, ExportKind, ExportSection, Function, FunctionSection, Instruction as I, MemArg, MemorySection,
    MemoryType, Module, TypeSection, ValType,
};
use wasmparser::{Parser, Payload};
use wasmtime::{Extern, Linker, Store, Val};

/// A module with `functions` functions that store `stores` times each, and call the previous one. The last one is
/// exported as `run`.
fn many(functions: u32, stores: u32) -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function([ValType::I32], []);
    let mut declared = FunctionSection::new();
    let mut code = CodeSection::new();
    for index in 0..functions {
        declared.function(0);
        let mut body = Function::new([]);
        for store in 0..stores {
            body.instruction(&I::LocalGet(0));
            body.instruction(&I::I32Const((index ^ store) as i32));
            let offset = u64::from((index + store * 4) % 0xfff0);
            body.instruction(&I::I32Store(MemArg { offset, align: 0, memory_index: 0 }));
        }
        // Not one chain, which would not fit on the stack.
        if !index.is_multiple_of(1000) {
            body.instruction(&I::LocalGet(0)).instruction(&I::Call(index - 1));
        }
        body.instruction(&I::End);
        code.function(&body);
    }
    let mut memories = MemorySection::new();
    let ty = MemoryType { minimum: 1, maximum: None, memory64: false, shared: false, page_size_log2: None };
    memories.memory(ty);
    let mut exports = ExportSection::new();
    exports.export("run", ExportKind::Func, functions - 1);
    let mut module = Module::new();
    module.section(&types).section(&declared).section(&memories).section(&exports).section(&code);
    module.finish()
}

/// Rewrites and checks, far from slowly, even on a busy machine.
fn rewrite_in(limit: Duration, original: &[u8]) -> Instrumented {
    let begin = Instant::now();
    let rewritten = instrument(original, &Options::default()).expect("it is valid");
    let time = begin.elapsed();
    println!("{} bytes became {} in {time:.1?}", original.len(), rewritten.module.len());
    assert!(time < limit, "{time:?}");
    support::rewrite(original, &Options::default())
}

#[test]
fn a_hundred_thousand_functions() {
    let rewritten = rewrite_in(Duration::from_secs(10), &many(100_000, 1));
    assert_eq!(rewritten.sites.len(), 100_000);
    assert_eq!(rewritten.segments.len(), 100_000);
    let last = rewritten.sites.last().expect("there are sites");
    assert_eq!(last.func, FuncIndex(99_999));
}

#[test]
fn a_function_of_a_hundred_thousand_stores() {
    let rewritten = rewrite_in(Duration::from_secs(10), &many(1, 100_000));
    assert_eq!(rewritten.sites.len(), 100_000);
    // A straight line, cut where a segment is full: 32 KiB of 8 bytes each after a head of 4.
    assert_eq!(rewritten.segments.len(), 100_000_usize.div_ceil((0x8000 - 4) / 8));
}

/// Records of full segments, and of more functions than fit in a single byte of an index.
#[test]
fn large_modules_replay() {
    for (functions, stores) in [(2000, 3), (1, 20_000)] {
        let original = many(functions, stores);
        let rewritten = support::rewrite(&original, &Options::default());
        let mut recorded = Recorded::new(&engine(), original, rewritten).expect("it instantiates");
        let (outcome, events) = recorded.call("run", &[Val::I32(5)]);
        outcome.expect("no trap");
        assert_eq!(events.len() as u32, functions.min(1000) * stores);
        assert_eq!(events[0].0.func, FuncIndex(functions - 1));
    }
}

/// A function that engines accept unchanged, but not with the additions.
#[test]
fn a_function_too_large_for_the_recorder_is_refused() {
    let original = many(1, 600_000);
    let error = instrument(&original, &Options::default()).expect_err("it would be larger than engines accept");
    let InstrumentError::Limit { what, found, limit } = &error else { panic!("{error}") };
    assert_eq!(what, "bytes in a function");
    assert!(found > limit);
}

/// Names of a module's custom sections.
fn custom_sections(module: &[u8]) -> Vec<String> {
    let payloads = Parser::new(0).parse_all(module).map(|payload| payload.expect("valid"));
    payloads
        .filter_map(|payload| match payload {
            Payload::CustomSection(section) => Some(section.name().to_string()),
            _ => None,
        })
        .collect()
}

#[test]
fn a_module_without_names_gets_none() {
    let original = many(2, 1);
    assert!(custom_sections(&original).is_empty());
    let rewritten = support::rewrite(&original, &Options::default());
    assert!(custom_sections(&rewritten.module).is_empty());
}

/// Nothing is recorded, but the host must still call the start function.
#[test]
fn a_module_without_memory_runs() {
    let mut recorded = Recorded::from_text(
        r#"(module (global $g (mut i32) (i32.const 1)) (table 1 funcref)
            (func $start (global.set $g (i32.const 2))) (start $start)
            (func (export "run") (result i32) (global.get $g)))"#,
    );
    assert!(!recorded.rewritten.records && recorded.rewritten.sites.is_empty());
    for (call, expected) in [("run", Some(1)), (START_EXPORT, None), ("run", Some(2))] {
        let (results, events) = recorded.call(call, &[]);
        let results = results.expect("no trap");
        assert_eq!(results.first().map(Val::unwrap_i32), expected);
        assert!(events.is_empty());
    }
}

/// Neither code nor definitions: memories are still examined, and the module still links.
#[test]
fn a_module_of_imports_only_links() {
    let engine = engine();
    let owner = wat::parse_str(
        r#"(module (memory (export "m") 1) (table (export "t") 1 funcref) (global (export "g") (mut i64) (i64.const 7))
            (func (export "f")))"#,
    )
    .expect("well formed");
    let original = wat::parse_str(
        r#"(module (import "o" "m" (memory 1)) (import "o" "t" (table 1 funcref)) (import "o" "f" (func))
            (import "o" "g" (global (mut i64))))"#,
    )
    .expect("well formed");
    let rewritten = support::rewrite(&original, &Options::default());
    assert!(rewritten.sites.is_empty() && rewritten.memories[0].imported);

    let mut store = Store::new(&engine, ());
    let mut linker = Linker::new(&engine);
    let module = wasmtime::Module::new(&engine, owner).expect("valid");
    linker.module(&mut store, "o", &module).expect("nothing is imported");
    linker.func_wrap("forkpoint", "flush", |_: i32| {}).expect("not defined yet");
    let module = wasmtime::Module::new(&engine, &rewritten.module).expect("valid");
    let instance = linker.instantiate(&mut store, &module).expect("all imports are there");
    let names = [&rewritten.memories[0].export, &rewritten.tables[0], &rewritten.globals[0].export];
    let [memory, table, global] = names.map(|name| instance.get_export(&mut store, name).expect("exported"));
    assert!(matches!((memory, table), (Extern::Memory(_), Extern::Table(_))));
    let global = global.into_global().expect("a global");
    assert_eq!(global.get(&mut store).unwrap_i64(), 7, "it is the owner's");
}
