//! The rewritten modules of a program. Each is made once, and kept while there is room: a comparison runs the same one several
//! times, and rewriting a large module takes seconds.

use super::files::SharedFiles;
use crate::error::RecordError;
use crate::instrument::{Instrumented, Options};
use std::ops::Deref;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Most bytes that are kept besides the module used last: ten ways to record a small program, or two for one of 50 MiB.
const MOST_KEPT: usize = 256 << 20;

/// A rewritten module, and what its runs share.
pub(super) struct Rewritten {
    module: Instrumented,
    hash: OnceLock<String>,
    pub(super) files: SharedFiles,
}

impl Rewritten {
    pub(super) fn new(module: Instrumented) -> Rewritten {
        Rewritten { module, hash: OnceLock::new(), files: SharedFiles::default() }
    }

    /// BLAKE3 of the binary in hexadecimal.
    pub(super) fn hash(&self) -> String {
        self.hash.get_or_init(|| blake3::hash(&self.module.module).to_hex().to_string()).clone()
    }
}

impl Deref for Rewritten {
    type Target = Instrumented;

    fn deref(&self) -> &Instrumented {
        &self.module
    }
}

/// Rewritten modules by what was asked for.
#[derive(Default)]
pub(super) struct Rewritings(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    /// The one used last comes last. Without options, only exports were added.
    modules: Vec<(Option<Options>, Arc<Rewritten>)>,
    /// How many were made.
    made: usize,
}

impl Rewritings {
    /// The module rewritten as `options` say, by `make` where it is not there.
    pub(super) fn get(
        &self,
        options: Option<&Options>,
        make: impl FnOnce() -> Result<Instrumented, RecordError>,
    ) -> Result<Arc<Rewritten>, RecordError> {
        // Held while the module is made, so that the work is done once.
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.modules.iter().position(|(made, _)| made.as_ref() == options);
        let entry = match found {
            Some(at) => kept.modules.remove(at),
            None => {
                let module = make()?;
                kept.made += 1;
                (options.cloned(), Arc::new(Rewritten::new(module)))
            }
        };
        let module = Arc::clone(&entry.1);
        kept.modules.push(entry);
        kept.make_room();
        Ok(module)
    }

    /// How often a module was rewritten.
    pub(super) fn made(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).made
    }
}

impl Kept {
    /// Drops what was not used for longest.
    fn make_room(&mut self) {
        let mut room = MOST_KEPT;
        let used = self.modules.len().saturating_sub(1);
        let fit = |(_, module): &&(Option<Options>, Arc<Rewritten>)| match room.checked_sub(module.size()) {
            Some(left) => {
                room = left;
                true
            }
            None => false,
        };
        let fit = self.modules[..used].iter().rev().take_while(fit).count();
        self.modules.drain(..used - fit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instrument::{Scope, untouched};

    fn get(rewritings: &Rewritings, options: Option<&Options>, bytes: usize) {
        let make = || Ok(Instrumented { module: vec![0; bytes], ..untouched(&[]) });
        rewritings.get(options, make).expect("a module");
    }

    #[test]
    fn what_was_used_last_is_kept_and_what_does_not_fit_is_dropped() {
        let rewritings = Rewritings::default();
        let inline = Options::default();
        let narrow =
            Options { scope: Scope { functions: Some(Default::default()), ..Scope::default() }, ..inline.clone() };
        for _ in 0..2 {
            for options in [None, Some(&inline), Some(&narrow)] {
                get(&rewritings, options, 1 << 20);
            }
        }
        assert_eq!(rewritings.made(), 3);
        let other = Options { read_back: true, ..inline.clone() };
        get(&rewritings, Some(&other), MOST_KEPT);
        get(&rewritings, Some(&other), MOST_KEPT);
        assert_eq!(rewritings.made(), 4, "what is too large is kept while it is used");
        get(&rewritings, Some(&inline), 1 << 20);
        get(&rewritings, Some(&other), MOST_KEPT);
        assert_eq!(rewritings.made(), 4, "both were used last");
        get(&rewritings, None, 1 << 20);
        assert_eq!(rewritings.made(), 5, "and there was no room for a third");
    }
}
