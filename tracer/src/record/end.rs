//! What can be seen of a run from outside when it is over, and where two runs differ in it.

use super::{CallResult, Recorded};
use crate::error::RecordError;
use forkpoint_traces::{GlobalIndex, GlobalState, MemoryDigest, MemoryIndex, MemoryState, Outcome, PAGE};
use std::collections::{BTreeMap, BTreeSet};
use xxhash_rust::xxh3::xxh3_64;

/// What a run left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndState {
    /// How the run ended.
    pub outcome: Outcome,
    /// The engine's words about the end, where it had any.
    pub message: Option<String>,
    /// What became of the calls, the start function's included.
    pub calls: Vec<CallResult>,
    /// All memories.
    pub memories: Vec<EndMemory>,
    /// All mutable globals of numeric type.
    pub globals: Vec<GlobalState>,
    /// Sizes of all tables in elements.
    pub tables: Vec<u64>,
}

/// A memory when the run is over.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EndMemory {
    /// Size in pages.
    pub pages: u64,
    /// XXH3-64 over its pages that are not all zero, as in [`MemoryState`].
    pub digest: u64,
    /// Every 4 KiB page that is not all zero, by number.
    pub written: BTreeMap<u64, EndPage>,
}

/// A page of a memory when the run is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndPage {
    /// Its bytes.
    Bytes(Box<[u8]>),
    /// XXH3-64 of them: after a run that leaves very much, not all bytes are kept.
    Digest(u64),
}

impl EndPage {
    fn digest(&self) -> u64 {
        match self {
            EndPage::Bytes(bytes) => xxh3_64(bytes),
            EndPage::Digest(digest) => *digest,
        }
    }

    fn bytes(&self) -> Option<&[u8]> {
        match self {
            EndPage::Bytes(bytes) => Some(bytes),
            EndPage::Digest(_) => None,
        }
    }
}

/// Most bytes of pages that are kept of all memories together.
const MOST_KEPT: u64 = 64 << 20;

/// Memories of the end of a run as they come in, page by page.
#[derive(Default)]
pub(super) struct EndMemories {
    memories: Vec<EndMemory>,
    digest: MemoryDigest,
    /// The first page that may come next.
    next: u64,
    kept: u64,
}

impl EndMemories {
    /// Begins another memory, of this size in its own pages.
    pub(super) fn begin(&mut self, pages: u64) {
        self.memories.push(EndMemory { pages, digest: MemoryDigest::default().finish(), written: BTreeMap::new() });
        (self.digest, self.next) = (MemoryDigest::default(), 0);
    }

    /// A page of it that is not all zero, at a number above the last one's.
    pub(super) fn page(&mut self, number: u64, bytes: &[u8]) -> Result<(), RecordError> {
        let Some(memory) = self.memories.last_mut().filter(|_| number >= self.next) else {
            return Err(RecordError::Protocol(format!("page {number} of a memory out of order")));
        };
        self.next = number.saturating_add(1);
        self.digest.update(number.saturating_mul(PAGE), bytes);
        memory.digest = self.digest.finish();
        let page = match self.kept < MOST_KEPT {
            true => EndPage::Bytes(bytes.into()),
            false => EndPage::Digest(xxh3_64(bytes)),
        };
        self.kept += bytes.len() as u64;
        memory.written.insert(number, page);
        Ok(())
    }

    /// Forgets what came so far.
    pub(super) fn clear(&mut self) {
        *self = EndMemories::default();
    }

    /// All of them.
    pub(super) fn finish(self) -> Vec<EndMemory> {
        self.memories
    }
}

/// One thing in which two end states differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndDifference {
    /// How the runs ended.
    Outcome {
        /// The left run.
        lhs: Outcome,
        /// The right run.
        rhs: Outcome,
    },
    /// What a call gave back.
    Call {
        /// The function called.
        function: String,
        /// Results or trap in the left run.
        lhs: String,
        /// Results or trap in the right run.
        rhs: String,
    },
    /// The size of a memory in pages.
    MemorySize {
        /// Which memory.
        memory: MemoryIndex,
        /// In the left run.
        lhs: u64,
        /// In the right run.
        rhs: u64,
    },
    /// A stretch of bytes.
    Bytes {
        /// Which memory.
        memory: MemoryIndex,
        /// The first byte.
        address: u64,
        /// The bytes in the left run.
        lhs: Vec<u8>,
        /// The bytes in the right run.
        rhs: Vec<u8>,
    },
    /// A page whose bytes are not kept.
    Page {
        /// Which memory.
        memory: MemoryIndex,
        /// Its first byte.
        address: u64,
    },
    /// The value of a mutable global.
    Global {
        /// Its index.
        index: GlobalIndex,
        /// In the left run.
        lhs: String,
        /// In the right run.
        rhs: String,
    },
    /// The size of a table in elements.
    TableSize {
        /// Its index.
        table: u32,
        /// In the left run.
        lhs: u64,
        /// In the right run.
        rhs: u64,
    },
}

/// Most stretches of bytes that are listed one by one, and most bytes of each.
const MOST_STRETCHES: usize = 16;
const LONGEST: usize = 64;

/// So many equal bytes in a row end a stretch.
const GAP: usize = 8;

/// Whether two engines may both have answered a call correctly.
fn same_result(lhs: &CallResult, rhs: &CallResult) -> bool {
    match (&lhs.result, &rhs.result) {
        (Err(lhs), Err(rhs)) => lhs.may_be(*rhs),
        (lhs, rhs) => lhs == rhs,
    }
}

fn results(call: &CallResult) -> String {
    match &call.result {
        Ok(values) if values.is_empty() => "returned".to_string(),
        Ok(values) => values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        Err(trap) => format!("trap: {trap}"),
    }
}

impl EndMemory {
    fn state(&self) -> MemoryState {
        MemoryState { pages: self.pages, digest: self.digest }
    }

    /// The bytes of a page; `None` where they are not kept.
    fn page(&self, number: u64) -> Option<[u8; PAGE as usize]> {
        let mut whole = [0; PAGE as usize];
        if let Some(page) = self.written.get(&number) {
            let bytes = page.bytes()?;
            let length = bytes.len().min(whole.len());
            whole[..length].copy_from_slice(&bytes[..length]);
        }
        Some(whole)
    }
}

impl EndState {
    /// Whether a recording of the same run left the same behind: outcome, results, memories, globals, tables.
    pub fn is_that_of(&self, recorded: &Recorded) -> bool {
        let calls = |calls: &[CallResult]| {
            calls.iter().filter(|call| call.function != "(start)").cloned().collect::<Vec<_>>()
        };
        // A command may show nothing more without recording.
        let unseen = self.memories.is_empty() && self.globals.is_empty() && self.tables.is_empty();
        let same_end = self.outcome == recorded.outcome && calls(&self.calls) == calls(&recorded.calls);
        if unseen {
            return same_end;
        }
        same_end
            && self.memories.iter().map(EndMemory::state).eq(recorded.memories.iter().cloned())
            && self.globals == recorded.globals
            && self.tables == recorded.tables
    }

    /// Everything in which two runs differ, what matters most first.
    pub fn differences(&self, rhs: &EndState) -> Vec<EndDifference> {
        let lhs = self;
        let mut found = Vec::new();
        if !lhs.outcome.may_be(&rhs.outcome) {
            found.push(EndDifference::Outcome { lhs: lhs.outcome.clone(), rhs: rhs.outcome.clone() });
        }
        for (left, right) in lhs.calls.iter().zip(&rhs.calls) {
            if !same_result(left, right) {
                let function = left.function.clone();
                found.push(EndDifference::Call { function, lhs: results(left), rhs: results(right) });
            }
        }
        for (memory, (left, right)) in lhs.memories.iter().zip(&rhs.memories).enumerate() {
            let memory = MemoryIndex(memory as u32);
            if left.pages != right.pages {
                found.push(EndDifference::MemorySize { memory, lhs: left.pages, rhs: right.pages });
            }
            bytes(memory, left, right, &mut found);
        }
        for (left, right) in lhs.globals.iter().zip(&rhs.globals) {
            if left != right {
                let [lhs, rhs] = [left, right].map(|global| format!("{:#}", global.value));
                found.push(EndDifference::Global { index: left.index, lhs, rhs });
            }
        }
        for (table, (left, right)) in lhs.tables.iter().zip(&rhs.tables).enumerate() {
            if left != right {
                found.push(EndDifference::TableSize { table: table as u32, lhs: *left, rhs: *right });
            }
        }
        found
    }
}

fn bytes(memory: MemoryIndex, lhs: &EndMemory, rhs: &EndMemory, found: &mut Vec<EndDifference>) {
    let numbers: BTreeSet<u64> = lhs.written.keys().chain(rhs.written.keys()).copied().collect();
    let mut stretches = 0;
    for number in numbers {
        let digest = |memory: &EndMemory| memory.written.get(&number).map(EndPage::digest);
        if digest(lhs) == digest(rhs) {
            continue;
        }
        let (Some(left), Some(right)) = (lhs.page(number), rhs.page(number)) else {
            found.push(EndDifference::Page { memory, address: number.saturating_mul(PAGE) });
            stretches += 1;
            if stretches == MOST_STRETCHES {
                return;
            }
            continue;
        };
        let mut at = 0;
        while let Some(start) = (at..left.len()).find(|at| left[*at] != right[*at]) {
            let mut end = start + 1;
            while end < left.len().min(start + LONGEST) {
                // Words of which only some bytes differ are one stretch.
                let ahead = end..left.len().min(end + GAP);
                let Some(next) = ahead.clone().find(|at| left[*at] != right[*at]) else { break };
                end = (next + 1).min(start + LONGEST);
            }
            let address = number.saturating_mul(PAGE).saturating_add(start as u64);
            let (lhs, rhs) = (left[start..end].to_vec(), right[start..end].to_vec());
            found.push(EndDifference::Bytes { memory, address, lhs, rhs });
            stretches += 1;
            if stretches == MOST_STRETCHES {
                return;
            }
            at = end;
        }
    }
}
