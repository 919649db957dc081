//! Compiles a module, or finds the code that an earlier run kept.

use super::{MAX_WASM_STACK, VERSION, describe};
use crate::cache::{CodeCache, Key};
use crate::job::Job;
use crate::spec::WasmtimeSpec;
use std::hash::{DefaultHasher, Hash, Hasher};
use wasmtime::{Engine, Module};

/// Where code is kept, and the settings that decide what code comes out.
pub(super) struct Compiled {
    cache: Option<CodeCache>,
    settings: [String; 4],
}

impl Compiled {
    pub(super) fn new(spec: &WasmtimeSpec, job: &Job, engine: &Engine) -> Compiled {
        let mut own = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut own);
        // What the engine says of itself, what it was asked for, and all else that `configure` looks at.
        let asked = format!("{spec:?} {:?} {}", job.features, job.stack_switching);
        let settings = [
            VERSION.to_string(),
            format!("{:016x}", own.finish()),
            format!("{:?}", describe(spec, MAX_WASM_STACK)),
            asked,
        ];
        Compiled { cache: job.cache.clone(), settings }
    }

    fn key(&self, module: &[u8]) -> Option<(&CodeCache, Key)> {
        let settings = self.settings.each_ref().map(String::as_str);
        Some((self.cache.as_ref()?, Key::new(module, &settings)?))
    }

    /// The code of a module for a file.
    pub(super) fn code(
        &self,
        module: &[u8],
        compile: impl FnOnce() -> wasmtime::Result<Vec<u8>>,
    ) -> wasmtime::Result<Vec<u8>> {
        let Some((cache, key)) = self.key(module) else { return compile() };
        if let Some(code) = cache.get(&key) {
            return Ok(code);
        }
        let code = compile()?;
        cache.put(&key, &code);
        Ok(code)
    }

    /// A module that is ready to run.
    pub(super) fn module(&self, engine: &Engine, module: &[u8]) -> wasmtime::Result<Module> {
        let Some((cache, key)) = self.key(module) else { return Module::new(engine, module) };
        if let Some(code) = cache.get(&key) {
            // SAFETY: the code was made by `Module::serialize` of this version with these settings, in a process of this
            // user: the cache gives nothing that others can have written, and nothing that has another checksum.
            if let Ok(module) = unsafe { Module::deserialize(engine, &code) } {
                return Ok(module);
            }
        }
        let compiled = Module::new(engine, module)?;
        if let Ok(code) = compiled.serialize() {
            cache.put(&key, &code);
        }
        Ok(compiled)
    }
}
