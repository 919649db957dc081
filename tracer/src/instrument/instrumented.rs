//! A rewritten module, with what is needed to understand its records.

use super::declared::{DataSegment, GlobalDecl, MemoryDecl};
use super::decode::RecordDecoder;
use super::error::InstrumentError;
use super::mark::Mark;
use super::offsets::OffsetMap;
use super::raw::Segment;
use super::settle::{self, Given};
use super::steps::{self, Reach};
use forkpoint_traces::{Site, Step};
use std::collections::BTreeSet;

/// A rewritten module and what is needed to understand its records.
#[derive(Debug, Clone)]
pub struct Instrumented {
    /// The rewritten binary.
    pub module: Vec<u8>,
    /// Every memory-changing instruction that can run, in the order of the code. A site's number is
    /// [`SiteId::FIRST`](forkpoint_traces::SiteId::FIRST) plus its index.
    pub sites: Vec<Site>,
    /// The segments, numbered from [`FIRST_SEGMENT`](super::FIRST_SEGMENT).
    pub segments: Vec<Segment>,
    /// Places that the code names without an event, numbered from 1.
    pub marks: Vec<Mark>,
    /// From the rewritten module's offsets and function indices to the original's.
    pub offsets: OffsetMap,
    /// Memories of the original module, imports first.
    pub memories: Vec<MemoryDecl>,
    /// Mutable numeric globals of the original module.
    pub globals: Vec<GlobalDecl>,
    /// Names under which the rewritten module exports the original's tables, imports first.
    pub tables: Vec<String>,
    /// Data segments of the original module.
    pub data: Vec<DataSegment>,
    /// Whether the host has to call [`START_EXPORT`](super::START_EXPORT) after instantiation.
    pub has_start: bool,
    /// Whether recorder's code was added: the module has a memory, or something else is asked of it.
    pub records: bool,
    /// Whether the module needs the stack switching proposal, which some engine settings do not support.
    pub stack_switching: bool,
    /// Of a program of several modules: the modules of its instances, each in its own numbers. All else is in those of the
    /// program, and there is no binary for it.
    pub parts: Vec<Instrumented>,
}

impl Instrumented {
    /// The mark with this number.
    pub fn mark(&self, number: u32) -> Option<&Mark> {
        self.marks.get(number.checked_sub(1)? as usize)
    }

    /// The same module with a function for each step of `steps` whose number is in `added`, exported under
    /// [`step_export`](super::step_export): it does what the step asks for, and keeps what other steps need.
    ///
    /// # Errors
    /// When a step calls something that the module does not export, or the module grows beyond what engines accept.
    pub(crate) fn with_steps(
        mut self,
        steps: &[Step],
        added: &BTreeSet<u32>,
    ) -> Result<Instrumented, InstrumentError> {
        let (module, moved) = steps::add(&self.module, steps, added)?;
        self.offsets.move_by(moved.into());
        Ok(Instrumented { module, ..self })
    }

    /// The same module with what a replay of JavaScript's side needs of it.
    ///
    /// # Errors
    /// When it grows beyond what engines accept.
    pub(crate) fn with_reach(mut self, reach: &Reach) -> Result<Instrumented, InstrumentError> {
        let (module, moved) = reach.add(&self.module)?;
        self.offsets.move_by(moved.into());
        Ok(Instrumented { module, ..self })
    }

    /// The same module, which defines what it would import but functions and memories, as JavaScript gave it.
    ///
    /// # Errors
    /// When the value of a global is not known.
    pub(crate) fn settled(mut self, given: &Given) -> Result<Instrumented, InstrumentError> {
        let (module, moved) = settle::settle(&self.module, given)?;
        self.offsets.move_by(moved);
        Ok(Instrumented { module, ..self })
    }

    /// Approximate memory use in bytes.
    pub(crate) fn size(&self) -> usize {
        self.module.len()
            + size_of_val(self.sites.as_slice())
            + size_of_val(self.segments.as_slice())
            + size_of_val(self.marks.as_slice())
            + self.offsets.size()
            + self.parts.iter().map(Instrumented::size).sum::<usize>()
    }

    /// A decoder for this module's raw records.
    pub fn decoder(&self) -> RecordDecoder {
        RecordDecoder::new(&self.sites, &self.segments, &self.memories)
    }
}
