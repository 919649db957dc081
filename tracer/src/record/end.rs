//! What can be seen of a run from outside when it is over, and where two runs differ in it.

use super::{CallResult, Recorded};
use crate::values::WasmValue;
use forkpoint_traces::{GlobalState, MemoryDigest, MemoryState, Outcome, PAGE};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

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
    /// Every 4 KiB page that is not all zero, by number.
    pub written: BTreeMap<u64, Vec<u8>>,
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
        memory: u32,
        /// In the left run.
        lhs: u64,
        /// In the right run.
        rhs: u64,
    },
    /// A stretch of bytes.
    Bytes {
        /// Which memory.
        memory: u32,
        /// The first byte.
        address: u64,
        /// The bytes in the left run.
        lhs: Vec<u8>,
        /// The bytes in the right run.
        rhs: Vec<u8>,
    },
    /// The value of a mutable global.
    Global {
        /// Its index.
        index: u32,
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

/// Most stretches of bytes that are told one by one, and most bytes of each.
const MOST_STRETCHES: usize = 16;
const LONGEST: usize = 64;

/// Most bytes of a stretch that a line shows.
const SHOWN: usize = 16;

/// So many equal bytes in a row end a stretch.
const GAP: usize = 8;

/// A global's value with its type in front.
pub(super) fn typed(value: &WasmValue) -> String {
    let ty = match value {
        WasmValue::I32(_) => "i32:",
        WasmValue::I64(_) => "i64:",
        WasmValue::F32(_) => "f32:",
        WasmValue::F64(_) => "f64:",
        _ => "",
    };
    format!("{ty}{value}")
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
        let mut digest = MemoryDigest::default();
        self.written.iter().for_each(|(page, bytes)| digest.update(page * PAGE, bytes));
        MemoryState { pages: self.pages, digest: digest.finish() }
    }

    fn page(&self, number: u64) -> [u8; PAGE as usize] {
        let mut whole = [0; PAGE as usize];
        if let Some(page) = self.written.get(&number) {
            let length = page.len().min(whole.len());
            whole[..length].copy_from_slice(&page[..length]);
        }
        whole
    }
}

impl EndState {
    /// Whether a recording of the same run left the same behind: outcome, results, memories, globals, tables.
    pub fn is_that_of(&self, recorded: &Recorded) -> bool {
        let calls = |calls: &[CallResult]| {
            calls.iter().filter(|call| call.function != "(start)").cloned().collect::<Vec<_>>()
        };
        self.outcome == recorded.outcome
            && calls(&self.calls) == calls(&recorded.calls)
            && self.memories.iter().map(EndMemory::state).eq(recorded.memories.iter().cloned())
            && self.globals == recorded.globals
            && self.tables == recorded.tables
    }

    /// Everything in which two runs differ, what matters most first.
    pub fn differences(&self, rhs: &EndState) -> Vec<EndDifference> {
        let lhs = self;
        let mut found = Vec::new();
        if lhs.outcome != rhs.outcome {
            found.push(EndDifference::Outcome { lhs: lhs.outcome.clone(), rhs: rhs.outcome.clone() });
        }
        for (left, right) in lhs.calls.iter().zip(&rhs.calls) {
            if left.result != right.result {
                let function = left.function.clone();
                found.push(EndDifference::Call { function, lhs: results(left), rhs: results(right) });
            }
        }
        for (memory, (left, right)) in lhs.memories.iter().zip(&rhs.memories).enumerate() {
            let memory = memory as u32;
            if left.pages != right.pages {
                found.push(EndDifference::MemorySize { memory, lhs: left.pages, rhs: right.pages });
            }
            bytes(memory, left, right, &mut found);
        }
        for (left, right) in lhs.globals.iter().zip(&rhs.globals) {
            if left != right {
                let (lhs, rhs) = (left.value.clone(), right.value.clone());
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

fn bytes(memory: u32, lhs: &EndMemory, rhs: &EndMemory, found: &mut Vec<EndDifference>) {
    let numbers: BTreeSet<u64> = lhs.written.keys().chain(rhs.written.keys()).copied().collect();
    let mut stretches = 0;
    for number in numbers {
        let (left, right) = (lhs.page(number), rhs.page(number));
        let mut at = 0;
        while let Some(start) = (at..left.len()).find(|at| left[*at] != right[*at]) {
            let mut end = start + 1;
            while end < left.len().min(start + LONGEST) {
                // Words of which only some bytes differ are one stretch.
                let ahead = end..left.len().min(end + GAP);
                let Some(next) = ahead.clone().find(|at| left[*at] != right[*at]) else { break };
                end = (next + 1).min(start + LONGEST);
            }
            let address = number * PAGE + start as u64;
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

impl EndDifference {
    /// The difference in one line, with names for the two runs.
    pub fn words(&self, [left, right]: [&str; 2]) -> String {
        let hex = |bytes: &[u8]| {
            let shown = bytes.iter().take(SHOWN).map(|byte| format!("{byte:02x}"));
            let rest = (bytes.len() > SHOWN).then(|| "..".to_string());
            shown.chain(rest).collect::<Vec<_>>().join(" ")
        };
        match self {
            EndDifference::Outcome { lhs, rhs } => format!("outcome: {left} {lhs}, {right} {rhs}"),
            EndDifference::Call { function, lhs, rhs } => {
                format!("{}: {left} {lhs}, {right} {rhs}", function.escape_debug())
            }
            EndDifference::MemorySize { memory, lhs, rhs } => {
                format!("memory {memory}: {left} {lhs} pages, {right} {rhs} pages")
            }
            EndDifference::Bytes { memory, address, lhs, rhs } => {
                format!("memory {memory} at {address:#x}: {left} {}, {right} {}", hex(lhs), hex(rhs))
            }
            EndDifference::Global { index, lhs, rhs } => format!("global {index}: {left} {lhs}, {right} {rhs}"),
            EndDifference::TableSize { table, lhs, rhs } => {
                format!("table {table}: {left} {lhs} elements, {right} {rhs} elements")
            }
        }
    }
}

impl fmt::Display for EndDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words(["lhs", "rhs"]))
    }
}
