//! Compiles a module, or finds the code that an earlier run kept.

use super::{MAX_WASM_STACK, VERSION, describe};
use crate::cache::{KeptCode, ModuleCache};
use crate::job::Job;
use crate::spec::WasmtimeSpec;
use std::cell::OnceCell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use wasmtime::{Engine, Module};

/// Where code is kept, and the settings that decide what code comes out.
pub(super) struct Compiled {
    cache: Option<ModuleCache>,
    settings: [String; 4],
    /// What was kept, once it was looked for.
    kept: OnceCell<Option<KeptCode>>,
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
        Compiled { cache: job.cache.clone(), settings, kept: OnceCell::new() }
    }

    fn settings(&self) -> [&str; 4] {
        self.settings.each_ref().map(String::as_str)
    }

    /// The code that an earlier run kept. Then it has validated the original module, too, under the same settings.
    pub(super) fn kept(&self) -> Option<&KeptCode> {
        self.kept.get_or_init(|| self.cache.as_ref()?.get(&self.settings())).as_ref()
    }

    /// Compiles the job's module to a file.
    pub(super) fn ahead(&self, engine: &Engine, module: &Path, output: &Path) -> wasmtime::Result<()> {
        if let Some(kept) = self.kept() {
            return Ok(kept.place(output)?);
        }
        let code = engine.precompile_module(&std::fs::read(module)?)?;
        if let Some(cache) = &self.cache {
            cache.put(&self.settings(), &code);
        }
        Ok(std::fs::write(output, code)?)
    }

    /// The job's module, ready to run.
    pub(super) fn module(&self, engine: &Engine, module: &Path) -> wasmtime::Result<Module> {
        match self.kept().and_then(|kept| load(engine, kept)) {
            Some(module) => Ok(module),
            None => self.compile(engine, &std::fs::read(module)?, self.cache.as_ref()),
        }
    }

    /// One module of several, ready to run.
    pub(super) fn one_of_several(&self, engine: &Engine, module: &[u8]) -> wasmtime::Result<Module> {
        let cache = self.cache.as_ref().and_then(|cache| cache.of(module));
        let kept = cache.as_ref().and_then(|cache| cache.get(&self.settings()));
        match kept.and_then(|kept| load(engine, &kept)) {
            Some(module) => Ok(module),
            None => self.compile(engine, module, cache.as_ref()),
        }
    }

    fn compile(&self, engine: &Engine, module: &[u8], cache: Option<&ModuleCache>) -> wasmtime::Result<Module> {
        let compiled = Module::new(engine, module)?;
        if let Some(cache) = cache
            && let Ok(code) = compiled.serialize()
        {
            cache.put(&self.settings(), &code);
        }
        Ok(compiled)
    }
}

/// The module of code that was kept, if the engine takes it.
fn load(engine: &Engine, kept: &KeptCode) -> Option<Module> {
    // SAFETY: the code was made by `Module::serialize` of this version with these settings, in a process of this
    // user: the cache gives nothing that others can have written, nothing that has another checksum, and nobody
    // writes to its files once they have their names.
    unsafe { Module::deserialize_open_file(engine, kept.file().ok()?) }.ok()
}
