//! What is added to a module, by index: the import, the buffer and the functions that emitted code refers to.

use super::{CURSOR_AT, KEPT_AT, RECORDS_AT};
use std::convert::Infallible;
use wasm_encoder::MemArg;
use wasm_encoder::reencode::{self, Reencode};

/// Indices that emitted code refers to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Machinery {
    /// The imported function: flush, or the hook.
    pub(super) import: u32,
    /// What inline records need in addition.
    pub(super) inline: Option<Inline>,
    /// The function that writes a note, if notes are inline records.
    pub(super) note: Option<u32>,
    /// The global that counts events, if each is a call of the hook and places are requested.
    pub(super) count: Option<u32>,
    /// The global that says how deep the next function is and which call it comes from, if the active functions are
    /// requested.
    pub(super) called: Option<u32>,
}

impl Machinery {
    /// How many globals are added.
    pub(super) fn globals(self) -> usize {
        self.count.iter().chain(&self.called).count()
    }
}

/// Indices of what inline records need.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inline {
    pub(super) helper: u32,
    pub(super) buffer: u32,
}

impl Inline {
    /// The address `at` bytes after the cursor. Alignment 1: records have no padding.
    pub(super) fn record_at(self, at: u32) -> MemArg {
        MemArg { offset: RECORDS_AT as u64 + u64::from(at), align: 0, memory_index: self.buffer }
    }

    /// How many bytes of the buffer the host keeps.
    pub(super) fn kept(self) -> MemArg {
        MemArg { offset: KEPT_AT as u64, align: 2, memory_index: self.buffer }
    }

    /// The cursor itself, at address 0.
    pub(super) fn cursor(self) -> MemArg {
        MemArg { offset: CURSOR_AT as u64, align: 2, memory_index: self.buffer }
    }
}

impl Machinery {
    /// A function's index in the rewritten module: the recorder's import follows the other imports.
    pub(super) fn renumber(self, function: u32) -> u32 {
        // Only names of functions that do not exist could overflow.
        if function < self.import { function } else { function.saturating_add(1) }
    }
}

/// Renumbers function indices in what [`Reencode`] copies.
pub(super) struct Renumber(pub(super) Machinery);

impl Reencode for Renumber {
    type Error = Infallible;

    fn function_index(&mut self, function: u32) -> Result<u32, reencode::Error> {
        Ok(self.0.renumber(function))
    }
}
