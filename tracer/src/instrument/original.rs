//! A module before it is rewritten: validated and scanned once, then rewritten in any number of ways.

use super::error::limit;
use super::scan::{Scan, scan};
use super::sections;
use super::{COMMON, DataSegment, InstrumentError, Instrumented, MemoryDecl, Options, features, names};
use crate::validity::{CORE, Validity};
use std::sync::Arc;

/// A valid module, from which rewritten ones are made.
#[derive(Debug)]
pub struct Original {
    validity: Arc<Validity>,
    scan: Scan,
    /// Whether it needs the stack switching proposal.
    stack_switching: bool,
}

impl Original {
    /// Reads a binary module.
    ///
    /// # Errors
    /// When it is invalid, or contains what cannot be recorded.
    pub fn read(module: Arc<[u8]>) -> Result<Original, InstrumentError> {
        Original::of(Arc::new(Validity::new(module)))
    }

    /// The same, with what is already known about the module.
    pub(crate) fn of(validity: Arc<Validity>) -> Result<Original, InstrumentError> {
        let module = validity.module();
        // Offsets are kept in 31 bits; engines accept no module of this size anyway.
        limit("bytes", module.len() as u64, 1 << 30)?;
        if wasmparser::Parser::is_component(module) {
            return Err(InstrumentError::Component);
        }
        // The specification's answer is needed later anyway, and most modules need no further proposal.
        let common = validity.with(CORE).is_ok() || validity.with(COMMON).is_ok();
        if !common {
            validity.with(features())?;
        }
        let scan = scan(module)?;
        Ok(Original { validity, scan, stack_switching: !common })
    }

    /// Rewrites it as `options` say.
    ///
    /// # Errors
    /// When it does something to memory that cannot be recorded, or grows beyond what engines accept.
    pub fn instrument(&self, options: &Options) -> Result<Instrumented, InstrumentError> {
        self.rewrite(Some(options)).map_err(|error| match error {
            InstrumentError::Instruction { instruction, func, offset, reason, .. } => {
                let name = names::of_function(self.validity.module(), func.0);
                InstrumentError::Instruction { instruction, func, name, offset, reason }
            }
            error => error,
        })
    }

    /// Adds the exports of a rewritten module, removes its start function, and leaves its code unchanged: for runs
    /// without recording whose end state is examined.
    ///
    /// # Errors
    /// When it grows beyond what engines accept.
    pub fn expose(&self) -> Result<Instrumented, InstrumentError> {
        self.rewrite(None)
    }

    fn rewrite(&self, options: Option<&Options>) -> Result<Instrumented, InstrumentError> {
        let instrumented = sections::rewrite(self.validity.module(), &self.scan, options)?;
        Ok(Instrumented { stack_switching: self.stack_switching, ..instrumented })
    }

    /// The values of its globals, zero-extended, where they are integers that never change; `imported` are those of the
    /// imported ones.
    pub(crate) fn constants(&self, imported: &[Option<u64>]) -> Vec<Option<u64>> {
        let imported = |global: u32| *imported.get(global as usize)?;
        self.scan.constants.iter().map(|value| value.as_ref()?.value(imported)).collect()
    }

    /// Whether it needs the proposal for stack switching.
    pub(crate) fn switches_stacks(&self) -> bool {
        self.stack_switching
    }

    /// Its data segments.
    pub(crate) fn data(&self) -> &[DataSegment] {
        &self.scan.data
    }

    /// Its memories, imports first.
    pub fn memories(&self) -> &[MemoryDecl] {
        &self.scan.memories
    }
}
