//! Scripts and programs of several modules: from text or files to numbered modules, instances and directives.
//!
//! What imports what is known before anything runs, since names are: `read.rs` reads the directives of a `.wast` script,
//! and `builder.rs` resolves names and counts functions, memories and the like through the whole program, as a trace does
//! ([`ProgramInfo`]). Engines decide about everything else.

mod builder;
mod error;
mod interface;
mod linked;
mod read;
mod spectest;
mod values;

pub use error::ScriptError;

use crate::instrument::{InstrumentError, Original};
use builder::Builder;
use forkpoint_traces::{DataIndex, ProgramInfo};
use std::sync::Arc;

/// A program of several modules, numbered through.
#[derive(Debug)]
pub(crate) struct Script {
    /// What its numbers mean, and what is done.
    pub(crate) info: ProgramInfo,
    /// All modules, one after the other.
    pub(crate) modules: Arc<[u8]>,
    /// Its instances, in the order of `info`.
    pub(crate) units: Vec<Unit>,
}

/// An instance of a program.
#[derive(Debug)]
pub(crate) struct Unit {
    /// Its module, ready to be rewritten; or why it cannot be, so that engines only validate and compile it.
    pub(crate) original: Result<Original, InstrumentError>,
    /// The number of its first own memory, and how many it has.
    pub(crate) own_memories: (u32, u32),
    /// The number of its first own table, and how many it has.
    pub(crate) own_tables: (u32, u32),
    /// The names of its imports, in order.
    pub(crate) imports: Vec<(String, String)>,
    /// How many globals it imports.
    pub(crate) imported_globals: u32,
    /// The values of its globals, zero-extended, where they are integers that never change.
    pub(crate) constants: Vec<Option<u64>>,
    /// Number of the first data segment.
    pub(crate) first_data: DataIndex,
}

impl Script {
    /// Reads a `.wast` script.
    ///
    /// # Errors
    /// When the text is not a script, or needs more than can be recorded.
    pub(crate) fn read(text: &str) -> Result<Script, ScriptError> {
        let buffer = read::lex(text)?;
        let directives = read::parse(text, &buffer)?;
        let mut builder = Builder::default();
        // Names may be written by their bytes, so the binaries are asked.
        let needs = |name: &str| directives.iter().any(|(_, directive)| directive.mentions(name));
        if needs(spectest::NAME) {
            builder.spectest(&spectest::text(needs))?;
        }
        for (line, directive) in directives {
            builder.directive(line, directive)?;
        }
        Ok(builder.finish())
    }

    /// The script of a recording, to run it again.
    ///
    /// # Errors
    /// When the recording contradicts itself.
    pub(crate) fn recorded(info: &ProgramInfo, modules: &Arc<[u8]>) -> Result<Script, ScriptError> {
        Builder::recorded(info, modules)
    }

    /// The bytes of a module.
    pub(crate) fn module(&self, number: u32) -> &[u8] {
        let Some(part) = self.info.modules.get(number as usize) else { return &[] };
        let start = part.start.0 as usize;
        self.modules.get(start..start + part.length as usize).unwrap_or_default()
    }
}
