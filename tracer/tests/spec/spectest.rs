//! The module `spectest` that scripts import from.

use super::replay::Replay;
use std::collections::HashMap;
use wasmtime::{
    Engine, Extern, Func, FuncType, Global, GlobalType, Memory, MemoryType, Mutability, Ref, RefType, SharedMemory,
    Store, Table, TableType, Val, ValType,
};

/// All exports of `spectest`, as in the suite's reference interpreter.
pub fn exports(engine: &Engine, store: &mut Store<Replay>) -> HashMap<String, Extern> {
    let mut exports: HashMap<String, Extern> = HashMap::new();
    let prints: [(&str, &[ValType]); 7] = [
        ("print", &[]),
        ("print_i32", &[ValType::I32]),
        ("print_i64", &[ValType::I64]),
        ("print_f32", &[ValType::F32]),
        ("print_f64", &[ValType::F64]),
        ("print_i32_f32", &[ValType::I32, ValType::F32]),
        ("print_f64_f64", &[ValType::F64, ValType::F64]),
    ];
    for (name, parameters) in prints {
        let ty = FuncType::new(engine, parameters.iter().cloned(), []);
        exports.insert(name.to_string(), Func::new(&mut *store, ty, |_, _, _| Ok(())).into());
    }
    let globals = [
        ("global_i32", ValType::I32, Val::I32(666)),
        ("global_i64", ValType::I64, Val::I64(666)),
        ("global_f32", ValType::F32, Val::F32(666.6f32.to_bits())),
        ("global_f64", ValType::F64, Val::F64(666.6f64.to_bits())),
    ];
    for (name, ty, value) in globals {
        let ty = GlobalType::new(ty, Mutability::Const);
        let global = Global::new(&mut *store, ty, value).expect("value and type agree");
        exports.insert(name.to_string(), global.into());
    }
    for (name, ty) in [
        ("table", TableType::new(RefType::FUNCREF, 10, Some(20))),
        ("table64", TableType::new64(RefType::FUNCREF, 10, Some(20))),
    ] {
        let table = Table::new(&mut *store, ty, Ref::Func(None)).expect("a small table");
        exports.insert(name.to_string(), table.into());
    }
    let memory = Memory::new(store, MemoryType::new(1, Some(2))).expect("a small memory");
    exports.insert("memory".to_string(), memory.into());
    let shared = SharedMemory::new(engine, MemoryType::shared(1, 2)).expect("a small memory");
    exports.insert("shared_memory".to_string(), shared.into());
    exports
}
