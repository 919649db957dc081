//! A module of forwarders, so that the recorder can sit between a guest and its host functions.
//!
//! A host function such as WASI's looks for the memory of *the instance that calls it*. Called from the host itself,
//! it would find none. The trampoline imports the guest's memory and every host function and exports both again: to
//! the host function, a call through it looks like a call from the guest.

use crate::host::function::{HostFunction, ResultType};
use wasm_encoder::{
    CodeSection, EntityType, ExportKind, ExportSection, Function, FunctionSection, ImportSection, MemoryType, Module,
    TypeSection, ValType,
};

/// Field name of the memory, in and out: where WASI looks for it.
pub(crate) const MEMORY: &str = "memory";

/// Properties by which a memory matches an import, besides its size.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MemoryKind {
    pub(crate) memory64: bool,
    pub(crate) shared: bool,
    pub(crate) page_size_log2: u8,
}

impl MemoryKind {
    /// The kind that WASI preview 1 sees.
    pub(crate) const PLAIN: MemoryKind = MemoryKind { memory64: false, shared: false, page_size_log2: 16 };
}

/// A host function behind the trampoline.
pub(crate) struct Forwarded {
    /// Its name in the module `from`.
    pub(crate) name: String,
    pub(crate) parameters: Vec<ValType>,
    pub(crate) results: Vec<ValType>,
}

impl Forwarded {
    /// A function of WASI. It has only integers: with any other type it does not match, and the trampoline is not
    /// instantiated.
    pub(crate) fn wasi(function: &HostFunction) -> Forwarded {
        let types = |types: &[ResultType]| {
            let ty = |ty: &ResultType| match ty {
                ResultType::I64 => ValType::I64,
                _ => ValType::I32,
            };
            types.iter().map(ty).collect()
        };
        let (parameters, results) = (types(&function.parameters), types(&function.results));
        Forwarded { name: function.import.name.clone(), parameters, results }
    }
}

/// Builds the trampoline for host functions imported from module `from`; each is exported under its number in
/// decimal. `memory` gives the kind of the memory to pass on, if any, and its module.
pub(crate) fn build(from: &str, functions: &[Forwarded], memory: Option<(&str, MemoryKind)>) -> Vec<u8> {
    let mut types = TypeSection::new();
    let mut imports = ImportSection::new();
    let mut declared = FunctionSection::new();
    let mut exports = ExportSection::new();
    let mut code = CodeSection::new();
    if let Some((guest, MemoryKind { memory64, shared, page_size_log2 })) = memory {
        // A memory of any size matches an import that requires none; a shared one must have a maximum.
        let ty = MemoryType {
            minimum: 0,
            maximum: shared.then_some(1 << 16),
            memory64,
            shared,
            page_size_log2: (page_size_log2 != 16).then_some(page_size_log2.into()),
        };
        imports.import(guest, MEMORY, EntityType::Memory(ty));
        exports.export(MEMORY, ExportKind::Memory, 0);
    }
    for (i, Forwarded { name, parameters, results }) in functions.iter().enumerate() {
        let i = i as u32;
        types.ty().function(parameters.iter().copied(), results.iter().copied());
        imports.import(from, name, EntityType::Function(i));
        declared.function(i);
        exports.export(&i.to_string(), ExportKind::Func, functions.len() as u32 + i);
        let mut body = Function::new([]);
        for parameter in 0..parameters.len() as u32 {
            body.instructions().local_get(parameter);
        }
        body.instructions().call(i).end();
        code.function(&body);
    }
    let mut module = Module::new();
    module.section(&types).section(&imports).section(&declared).section(&exports).section(&code);
    module.finish()
}
