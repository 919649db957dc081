//! A runner for wasmtime 43.0.0, whose Winch uses the result of `table.grow` as an in-bounds address when it is not.
//! The compiler is the runner's own argument: `--winch` or `--cranelift`.

use runner_protocol::{
    About, Call, Ended, Engine, Frame, Guest, HOOK_MODULE, HOOK_NAME, Halt, Memories, Recorder, Rejected,
};
use runner_protocol::{Trap, Value, serve};
use std::collections::HashMap;
use std::process::ExitCode;
use wasmtime::{
    Caller, Config, Error, Extern, ExternType, Instance, Linker, Memory, Module, Store, Strategy, Val, ValType,
    WasmBacktrace,
};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match serve(&arguments, || Wasmtime::new(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("wasmtime-43: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The engine with one of its compilers.
struct Wasmtime {
    engine: wasmtime::Engine,
    compiler: &'static str,
}

impl Wasmtime {
    fn new(arguments: &[String]) -> Result<Wasmtime, String> {
        let (compiler, strategy) = match arguments.first().map(String::as_str) {
            Some("--winch") => ("winch", Strategy::Winch),
            Some("--cranelift") => ("cranelift", Strategy::Cranelift),
            other => return Err(format!("expected --winch or --cranelift, found {other:?}")),
        };
        let mut config = Config::new();
        config.strategy(strategy).wasm_memory64(true).wasm_multi_memory(true);
        let engine = wasmtime::Engine::new(&config).map_err(|error| format!("{error:#}"))?;
        Ok(Wasmtime { engine, compiler })
    }
}

impl Engine for Wasmtime {
    type Guest = Running;

    fn about(&self) -> About {
        About {
            name: "wasmtime",
            version: "43.0.0",
            mode: "jit",
            compiler: self.compiler,
            opt_level: "speed",
            target: format!("{}-unknown-linux-gnu", std::env::consts::ARCH),
            settings: vec![("wasm_memory64", "true".to_string()), ("wasm_multi_memory", "true".to_string())],
        }
    }

    fn instantiate(&self, module: &[u8], recorder: &Recorder) -> Result<Running, Rejected> {
        let module = Module::new(&self.engine, module).map_err(Rejected::at("compile"))?;
        let mut store = Store::new(&self.engine, ());
        let instance = link(&module, &mut store, recorder).map_err(Rejected::at("instantiate"))?;
        Ok(Running::new(store, instance))
    }
}

/// Gives the module its imports. Unknown ones are left out, and the linker reports them.
fn link(module: &Module, store: &mut Store<()>, recorder: &Recorder) -> wasmtime::Result<Instance> {
    let mut linker = Linker::new(store.engine());
    let hooked = recorder.clone();
    let hook = move |mut caller: Caller<'_, ()>, site: i32, first: i64, second: i64, third: i64| {
        let memory = hooked.watched().and_then(|name| caller.get_export(&name)?.into_memory());
        let told = hooked.hook(site, [first, second, third]).and_then(|()| match memory {
            Some(memory) => hooked.look(memory.data(&caller)),
            None => Ok(()),
        });
        told.map_err(Error::new)
    };
    linker.func_wrap(HOOK_MODULE, HOOK_NAME, hook)?;
    let mut functions = 0..;
    for import in module.imports() {
        match import.ty() {
            ExternType::Memory(ty) => {
                let memory = Memory::new(&mut *store, ty)?;
                linker.define(&*store, import.module(), import.name(), memory)?;
            }
            ExternType::Func(ty) if import.module() != HOOK_MODULE => {
                let (recorder, number) = (recorder.clone(), functions.next().unwrap_or(u32::MAX));
                let types: Vec<ValType> = ty.results().collect();
                // A module may import a function twice: the first wrapper serves both.
                let answer = move |mut caller: Caller<'_, ()>, arguments: &[Val], results: &mut [Val]| {
                    let arguments: Vec<Value> = arguments.iter().map(from_engine).collect();
                    let values = recorder.host_call(number, &arguments, &mut Exports(&mut caller))?;
                    for ((result, value), ty) in results.iter_mut().zip(&values).zip(&types) {
                        *result = to_engine(value, ty);
                    }
                    let memory = recorder.watched().and_then(|name| caller.get_export(&name)?.into_memory());
                    memory.map_or(Ok(()), |memory| recorder.look(memory.data(&caller))).map_err(Error::new)
                };
                let _ = linker.func_new(import.module(), import.name(), ty, answer);
            }
            _ => {}
        }
    }
    linker.instantiate(store, module)
}

/// The memories of the calling guest.
struct Exports<'a, 'b>(&'a mut Caller<'b, ()>);

impl Memories for Exports<'_, '_> {
    fn bytes(&mut self, name: &str) -> Option<&mut [u8]> {
        Some(self.0.get_export(name)?.into_memory()?.data_mut(&mut *self.0))
    }

    fn grow(&mut self, name: &str, pages: u64) -> bool {
        let memory = self.0.get_export(name).and_then(Extern::into_memory);
        memory.is_some_and(|memory| memory.grow(&mut *self.0, pages).is_ok())
    }
}

/// An instance and its store.
struct Running {
    store: Store<()>,
    instance: Instance,
    memories: HashMap<String, Memory>,
}

impl Running {
    fn new(mut store: Store<()>, instance: Instance) -> Running {
        let exports = instance.exports(&mut store).map(|export| (export.name().to_string(), export.into_memory()));
        let memories = exports.filter_map(|(name, memory)| Some((name, memory?))).collect();
        Running { store, instance, memories }
    }

    fn try_call(&mut self, call: &Call) -> wasmtime::Result<Vec<Value>> {
        let missing = || Error::msg(format!("no function is exported as `{}`", call.function));
        let function = self.instance.get_func(&mut self.store, &call.function).ok_or_else(missing)?;
        let ty = function.ty(&self.store);
        let arguments: Vec<Val> =
            call.arguments.iter().zip(ty.params()).map(|(value, ty)| to_engine(value, &ty)).collect();
        let mut results = vec![Val::I32(0); ty.results().len()];
        function.call(&mut self.store, &arguments, &mut results)?;
        Ok(results.iter().map(from_engine).collect())
    }
}

impl Guest for Running {
    fn call(&mut self, call: &Call) -> Ended {
        match self.try_call(call) {
            Ok(values) => Ended::Returned(values),
            Err(error) => match error.downcast_ref::<Halt>() {
                Some(halt) => halt.into(),
                None => Ended::Trapped(trap(&error)),
            },
        }
    }

    fn memory(&self, name: &str) -> Option<(u64, &[u8])> {
        // Looking an export up changes the store.
        let memory = self.memories.get(name)?;
        Some((memory.size(&self.store), memory.data(&self.store)))
    }

    fn global(&mut self, name: &str) -> Option<Value> {
        let global = self.instance.get_global(&mut self.store, name)?;
        Some(from_engine(&global.get(&mut self.store)))
    }

    fn table(&mut self, name: &str) -> Option<u64> {
        Some(self.instance.get_table(&mut self.store, name)?.size(&self.store))
    }
}

fn to_engine(value: &Value, ty: &ValType) -> Val {
    match value {
        Value::I32(value) => Val::I32(*value),
        Value::I64(value) => Val::I64(*value),
        Value::F32(bits) => Val::F32(*bits),
        Value::F64(bits) => Val::F64(*bits),
        Value::V128(bytes) => Val::V128(u128::from_le_bytes(*bytes).into()),
        Value::Reference { .. } => match ty {
            ValType::Ref(ty) => Val::null_ref(ty.heap_type()),
            _ => Val::I32(0),
        },
    }
}

fn from_engine(value: &Val) -> Value {
    match value {
        Val::I32(value) => Value::I32(*value),
        Val::I64(value) => Value::I64(*value),
        Val::F32(bits) => Value::F32(*bits),
        Val::F64(bits) => Value::F64(*bits),
        Val::V128(value) => Value::V128(value.as_u128().to_le_bytes()),
        reference => Value::Reference { null: reference.ref_().is_some_and(|reference| reference.is_null()) },
    }
}

/// A call's error by its name in the protocol.
fn trap(error: &Error) -> Trap {
    use wasmtime::Trap as T;
    let kind = match error.downcast_ref::<T>() {
        Some(T::UnreachableCodeReached) => "Unreachable",
        Some(T::MemoryOutOfBounds) => "MemoryOutOfBounds",
        Some(T::TableOutOfBounds) => "TableOutOfBounds",
        Some(T::IndirectCallToNull) => "UndefinedElement",
        Some(T::BadSignature) => "IndirectCallType",
        Some(T::IntegerOverflow) => "IntegerOverflow",
        Some(T::IntegerDivisionByZero) => "IntegerDivideByZero",
        Some(T::BadConversionToInteger) => "InvalidConversion",
        Some(T::StackOverflow) => "StackOverflow",
        Some(T::NullReference) => "NullReference",
        Some(_) => "Other",
        None => "HostError",
    };
    let words: Vec<String> =
        error.chain().map(ToString::to_string).filter(|link| !link.starts_with("error while executing")).collect();
    let frames = error.downcast_ref::<WasmBacktrace>().map_or(&[][..], WasmBacktrace::frames);
    let frames = frames.iter().map(|frame| Frame {
        function: frame.func_index(),
        offset: frame.module_offset().and_then(|offset| offset.try_into().ok()),
    });
    Trap { kind, message: words.join(": "), frames: frames.collect() }
}
