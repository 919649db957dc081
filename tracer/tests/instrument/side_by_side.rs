//! A module under the engine, original and rewritten, compiled in different ways: the same calls, the same outcomes,
//! the same raw records.

use crate::engines::Mode;
use crate::handle::Handle;
use crate::lab::{Events, Recorded};
use crate::support;
use forkpoint_tracer::instrument::{Digester, MemoryDecl, Options, RunDigest, START_EXPORT};
use wasmtime::{Engine, Error, Global, Instance, Module, Store, Val};

/// What a call left, as far as the original shows it.
#[derive(Debug, PartialEq)]
struct Seen {
    outcome: Result<Vec<String>, String>,
    globals: Vec<String>,
}

fn seen<T: 'static>(
    store: &mut Store<T>,
    instance: &Instance,
    names: &[String],
    outcome: Result<Vec<Val>, Error>,
) -> Seen {
    let text = |val: &Val| match val {
        // References have no identity across stores.
        Val::I32(_) | Val::I64(_) | Val::F32(_) | Val::F64(_) | Val::V128(_) => format!("{val:?}"),
        _ => "reference".to_string(),
    };
    let globals: Vec<Global> =
        names.iter().map(|name| instance.get_global(&mut *store, name).expect("exported")).collect();
    Seen {
        outcome: outcome
            .map(|values| values.iter().map(text).collect())
            .map_err(|error| format!("{:?}", error.downcast_ref::<wasmtime::Trap>())),
        globals: globals.iter().map(|global| text(&global.get(&mut *store))).collect(),
    }
}

/// What happened in the calls.
#[derive(Default)]
pub struct Happened {
    pub calls: usize,
    pub traps: usize,
    pub events: Events,
    /// Digests of the events, one for every three, if the module was rewritten for nothing but events.
    pub digest: Option<RunDigest>,
    /// Memories of the module.
    pub memories: Vec<MemoryDecl>,
    /// The rewritten module was made, and its calls are comparable.
    pub instantiated: bool,
}

/// Calls every function of `original`, original and rewritten. The rewritten module is compiled by `engine` directly,
/// through bytes, and likewise by `other`, another engine. Results, traps, globals and memories must be the
/// original's, replayed memories the engine's, and all raw records equal.
pub fn compare(engine: &Engine, other: &Engine, original: &[u8], mode: &Mode) -> Happened {
    let rewritten = support::rewrite(original, &mode.options);
    let module = Module::new(engine, original).expect("a valid module compiles");
    let jit = Module::new(engine, &rewritten.module).expect("the rewritten module compiles");
    let aot = reload(engine, &jit);
    let other_jit = Module::new(other, &rewritten.module).expect("the rewritten module compiles");
    let other_aot = reload(other, &other_jit);
    let start = |module: &Module| {
        let mut recorded = Recorded::of(module, original.to_vec(), rewritten.clone())?;
        let Options { style, commit, .. } = mode.options;
        if mode.options == (Options { style, commit, ..Options::default() }) {
            recorded.digest_every(3);
        }
        if rewritten.has_start {
            recorded.call(START_EXPORT, &[]).0?;
        }
        Ok::<Recorded, Error>(recorded)
    };
    let mut store = Store::new(engine, ());
    let instance = Instance::new(&mut store, &module, &[]);
    let recorded: Vec<_> = [&jit, &aot, &other_jit, &other_aot].into_iter().map(start).collect();
    let Ok(instance) = instance else {
        assert!(recorded.iter().all(Result::is_err), "the original is not instantiated: {:?}", instance.err());
        return Happened::default();
    };
    let mut recorded: Vec<Recorded> =
        recorded.into_iter().map(|recorded| recorded.expect("the original is instantiated")).collect();

    let mut happened = Happened { instantiated: true, memories: rewritten.memories.clone(), ..Happened::default() };
    let globals: Vec<String> =
        module.exports().filter(|e| e.ty().global().is_some()).map(|e| e.name().to_string()).collect();
    for export in module.exports() {
        let Some(ty) = export.ty().func().cloned() else { continue };
        let arguments: Option<Vec<Val>> = ty.params().map(|ty| Val::default_for_ty(&ty)).collect();
        let Some(arguments) = arguments else { continue };
        let function = instance.get_func(&mut store, export.name()).expect("exported");
        let mut results = vec![Val::I32(0); ty.results().len()];
        let outcome = function.call(&mut store, &arguments, &mut results).map(|()| results);
        happened.calls += 1;
        happened.traps += usize::from(outcome.is_err());
        let expected = seen(&mut store, &instance, &globals, outcome);
        for (index, recorded) in recorded.iter_mut().enumerate() {
            let (outcome, events) = recorded.call(export.name(), &arguments);
            let found = seen(&mut recorded.store, &recorded.instance, &globals, outcome);
            assert_eq!(found, expected, "{}, {}", export.name(), mode.name);
            if index == 0 {
                happened.events.extend(events);
            }
        }
        for memory in module.exports() {
            let listed = instance.get_export(&mut store, memory.name()).expect("listed");
            let Some(theirs) = Handle::of(&listed) else { continue };
            for recorded in &mut recorded {
                let listed = recorded.instance.get_export(&mut recorded.store, memory.name()).expect("exported");
                let ours = Handle::of(&listed).expect("a memory");
                assert!(
                    ours.bytes(&recorded.store) == theirs.bytes(&store),
                    "memory {} behind {}, {}",
                    memory.name(),
                    export.name(),
                    mode.name
                );
            }
        }
    }
    for others in &recorded[1..] {
        let (one, another) = (&recorded[0].store.data().raw, &others.store.data().raw);
        assert!(one == another, "raw records differ, {}: {} and {} bytes", mode.name, one.len(), another.len());
    }
    let digests = recorded.iter_mut().map(|recorded| recorded.store.data_mut().digester.take().map(Digester::finish));
    for digest in digests {
        assert!(happened.digest.is_none() || digest == happened.digest, "digests differ, {}", mode.name);
        happened.digest = digest;
    }
    happened
}

/// The module through its compiled bytes, as in ahead-of-time compilation.
fn reload(engine: &Engine, module: &Module) -> Module {
    let bytes = module.serialize().expect("compiled modules can be written");
    // SAFETY: the engine just wrote these bytes.
    unsafe { Module::deserialize(engine, &bytes) }.expect("and read")
}
