//! A runner for wasmi 0.43.1: the interpreter that executes `v128.store32_lane` with a large offset as
//! `v128.store8_lane`.

use runner_protocol::{
    About, Call, Ended, Engine, Guest, HOOK_MODULE, HOOK_NAME, Halt, Memories, Recorder, Rejected, Trap,
};
use runner_protocol::{Value, serve};
use std::process::ExitCode;
use wasmi::core::{F32, F64, TrapCode, V128, ValType};
use wasmi::{
    Caller, Config, Error, Extern, ExternRef, ExternType, FuncRef, Instance, Linker, Memory, Module, Store, Val,
};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match serve(&arguments, || Ok(Wasmi::new())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("wasmi-0-43: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The engine with every proposal that it has.
struct Wasmi(wasmi::Engine);

impl Wasmi {
    fn new() -> Wasmi {
        let mut config = Config::default();
        config.wasm_multi_memory(true).wasm_memory64(true).wasm_custom_page_sizes(true);
        config.wasm_simd(true).wasm_wide_arithmetic(true).wasm_tail_call(true).wasm_extended_const(true);
        Wasmi(wasmi::Engine::new(&config))
    }
}

impl Engine for Wasmi {
    type Guest = Running;

    fn about(&self) -> About {
        About {
            name: "wasmi",
            version: "0.43.1",
            mode: "interpreter",
            compiler: "wasmi",
            opt_level: "none",
            target: "wasmi".to_string(),
            settings: Vec::new(),
        }
    }

    fn instantiate(&self, module: &[u8], recorder: &Recorder) -> Result<Running, Rejected> {
        let module = Module::new(&self.0, module).map_err(Rejected::at("compile"))?;
        let mut store = Store::new(&self.0, ());
        let instance = link(&module, &mut store, recorder).map_err(Rejected::at("instantiate"))?;
        Ok(Running { store, instance })
    }
}

/// Gives the module its imports. Unknown ones are left out, and the linker reports them.
fn link(module: &Module, store: &mut Store<()>, recorder: &Recorder) -> Result<Instance, Error> {
    let mut linker = Linker::new(store.engine());
    let hooked = recorder.clone();
    let hook = move |caller: Caller<'_, ()>, site: i32, first: i64, second: i64, third: i64| {
        let memory = hooked.watched().and_then(|name| caller.get_export(&name)?.into_memory());
        let told = hooked.hook(site, [first, second, third]).and_then(|()| match memory {
            Some(memory) => hooked.look(memory.data(&caller)),
            None => Ok(()),
        });
        told.map_err(stop)
    };
    linker.func_wrap(HOOK_MODULE, HOOK_NAME, hook)?;
    let mut functions = 0..;
    for import in module.imports() {
        match import.ty() {
            ExternType::Memory(ty) => {
                let memory = Memory::new(&mut *store, *ty)?;
                linker.define(import.module(), import.name(), memory)?;
            }
            ExternType::Func(ty) if import.module() != HOOK_MODULE => {
                let (recorder, number) = (recorder.clone(), functions.next().unwrap_or(u32::MAX));
                // A module may import a function twice: the first wrapper serves both.
                let answer = move |mut caller: Caller<'_, ()>, arguments: &[Val], results: &mut [Val]| {
                    let arguments: Vec<Value> = arguments.iter().map(from_engine).collect();
                    let values = recorder.host_call(number, &arguments, &mut Exports(&mut caller)).map_err(stop)?;
                    for (result, value) in results.iter_mut().zip(&values) {
                        *result = to_engine(value, result.ty());
                    }
                    let memory = recorder.watched().and_then(|name| caller.get_export(&name)?.into_memory());
                    memory.map_or(Ok(()), |memory| recorder.look(memory.data(&caller))).map_err(stop)
                };
                let _ = linker.func_new(import.module(), import.name(), ty.clone(), answer);
            }
            _ => {}
        }
    }
    // The recorder took the start function out of the module.
    linker.instantiate(&mut *store, module)?.start(store)
}

/// [`Halt`] as an error of wasmi's host functions.
#[derive(Debug)]
struct Stop(Halt);

fn stop(halt: Halt) -> Error {
    Error::host(Stop(halt))
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl wasmi::core::HostError for Stop {}

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
}

impl Running {
    fn try_call(&mut self, call: &Call) -> Result<Vec<Value>, Error> {
        let missing = || Error::new(format!("no function is exported as `{}`", call.function));
        let function = self.instance.get_func(&self.store, &call.function).ok_or_else(missing)?;
        let ty = function.ty(&self.store);
        let arguments: Vec<Val> =
            call.arguments.iter().zip(ty.params()).map(|(value, ty)| to_engine(value, *ty)).collect();
        let mut results = vec![Val::I32(0); ty.results().len()];
        function.call(&mut self.store, &arguments, &mut results)?;
        Ok(results.iter().map(from_engine).collect())
    }
}

impl Guest for Running {
    fn call(&mut self, call: &Call) -> Ended {
        match self.try_call(call) {
            Ok(values) => Ended::Returned(values),
            Err(error) => {
                if let Some(Stop(halt)) = error.downcast_ref::<Stop>() {
                    return halt.into();
                }
                let kind = error.as_trap_code().map_or("HostError", trap_name);
                // The interpreter does not report the place.
                Ended::Trapped(Trap { kind, message: error.to_string(), frames: Vec::new() })
            }
        }
    }

    fn memory(&self, name: &str) -> Option<(u64, &[u8])> {
        let memory = self.instance.get_memory(&self.store, name)?;
        Some((memory.size(&self.store), memory.data(&self.store)))
    }

    fn global(&mut self, name: &str) -> Option<Value> {
        Some(from_engine(&self.instance.get_global(&self.store, name)?.get(&self.store)))
    }

    fn table(&mut self, name: &str) -> Option<u64> {
        match self.instance.get_export(&self.store, name)? {
            Extern::Table(table) => Some(table.size(&self.store)),
            _ => None,
        }
    }
}

fn to_engine(value: &Value, ty: ValType) -> Val {
    match value {
        Value::I32(value) => Val::I32(*value),
        Value::I64(value) => Val::I64(*value),
        Value::F32(bits) => Val::F32(F32::from_bits(*bits)),
        Value::F64(bits) => Val::F64(F64::from_bits(*bits)),
        Value::V128(bytes) => Val::V128(V128::from(u128::from_le_bytes(*bytes))),
        Value::Reference { .. } => match ty {
            ValType::ExternRef => Val::ExternRef(ExternRef::null()),
            _ => Val::FuncRef(FuncRef::null()),
        },
    }
}

fn from_engine(value: &Val) -> Value {
    match value {
        Val::I32(value) => Value::I32(*value),
        Val::I64(value) => Value::I64(*value),
        Val::F32(value) => Value::F32(value.to_bits()),
        Val::F64(value) => Value::F64(value.to_bits()),
        Val::V128(value) => Value::V128(value.as_u128().to_le_bytes()),
        Val::FuncRef(reference) => Value::Reference { null: reference.is_null() },
        Val::ExternRef(reference) => Value::Reference { null: reference.is_null() },
    }
}

/// A trap by its name in the protocol.
fn trap_name(trap: TrapCode) -> &'static str {
    match trap {
        TrapCode::UnreachableCodeReached => "Unreachable",
        TrapCode::MemoryOutOfBounds => "MemoryOutOfBounds",
        TrapCode::TableOutOfBounds => "TableOutOfBounds",
        TrapCode::IndirectCallToNull => "UndefinedElement",
        TrapCode::BadSignature => "IndirectCallType",
        TrapCode::IntegerOverflow => "IntegerOverflow",
        TrapCode::IntegerDivisionByZero => "IntegerDivideByZero",
        TrapCode::BadConversionToInteger => "InvalidConversion",
        TrapCode::StackOverflow => "StackOverflow",
        _ => "Other",
    }
}
