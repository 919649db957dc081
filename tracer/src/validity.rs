//! Under which proposals a module is valid. The validator runs once per set of proposals: validating a large module
//! takes seconds.

use std::sync::{Arc, Mutex, PoisonError};
use wasmparser::{Validator, WasmFeatures};

/// WebAssembly 3.0 without threads, which are not in its text but which wasmparser includes.
pub(crate) const CORE: WasmFeatures = WasmFeatures::WASM3.difference(WasmFeatures::THREADS);

/// Why a module is not valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Invalid {
    pub(crate) message: String,
    pub(crate) offset: usize,
    /// The proposals that it needs, if the validator knows them.
    pub(crate) missing: Option<WasmFeatures>,
}

impl From<wasmparser::Error> for Invalid {
    fn from(error: wasmparser::Error) -> Invalid {
        let (message, offset) = (error.message().to_string(), error.offset());
        Invalid { message, offset, missing: error.missing_wasm_feature() }
    }
}

/// What is known about one module.
#[derive(Debug)]
pub(crate) struct Validity {
    module: Arc<[u8]>,
    asked: Mutex<Vec<(WasmFeatures, Result<(), Invalid>)>>,
}

impl Validity {
    pub(crate) fn new(module: Arc<[u8]>) -> Validity {
        Validity { module, asked: Mutex::default() }
    }

    pub(crate) fn module(&self) -> &Arc<[u8]> {
        &self.module
    }

    /// Whether the module is valid with these proposals. A module that is valid with some is valid with more.
    pub(crate) fn with(&self, features: WasmFeatures) -> Result<(), Invalid> {
        // Held while the validator works, so that nobody does the same work meanwhile.
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.iter().any(|(with, answer)| features.contains(*with) && answer.is_ok()) {
            return Ok(());
        }
        if let Some((_, answer)) = asked.iter().find(|(with, _)| *with == features) {
            return answer.clone();
        }
        let answer = Validator::new_with_features(features).validate_all(&self.module);
        let answer = answer.map(|_| ()).map_err(Invalid::from);
        asked.push((features, answer.clone()));
        answer
    }

    /// How often the module was validated.
    pub(crate) fn count(&self) -> usize {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_validator_is_asked_once() {
        let module = wat::parse_str("(module (memory 1 1 shared))").expect("a module");
        let validity = Validity::new(module.into());
        for _ in 0..2 {
            let invalid = validity.with(CORE).expect_err("threads");
            assert!(invalid.message.contains("threads"), "{invalid:?}");
        }
        assert_eq!(validity.count(), 1);
        for _ in 0..2 {
            assert_eq!(validity.with(CORE | WasmFeatures::THREADS), Ok(()));
            assert_eq!(validity.with(WasmFeatures::WASM3 | WasmFeatures::CUSTOM_PAGE_SIZES), Ok(()));
        }
        assert_eq!(validity.count(), 2, "what is valid with some proposals is valid with more");
    }
}
