//! A host log, encoded for a module that answers host calls by itself.
//!
//! An entry of it is eight numbers of 32 bits: its size, the imported function, the length of its arguments
//! ([`ANY`] where they do not matter), where the reads are, how many, whether the call ends the run, how many steps there
//! are, and where the results are. Then come the arguments (16 bytes each), the reads (memory and length: u32, address
//! u64), the steps (kind and memory: u32, address or pages u64, length u64, bytes), and the results. Places count from the
//! entry's first byte. A size of 0 ends the log.

use super::values::bytes;
use crate::instrument::error::{InstrumentError, limit};
use crate::values::WasmValue;
use forkpoint_traces::{HostCall, HostEvent, HostOutcome};
use std::collections::BTreeMap;

/// Bytes of an entry's numbers.
pub(super) const ENTRY: u32 = 32;
/// The length of arguments that do not matter.
pub(super) const ANY: u32 = u32::MAX;
/// Most bytes of a host log: what fits into a memory, with room for the rest.
const MOST_LOG: u64 = 1 << 30;
/// A step that writes, and one that grows a memory.
pub(super) const WRITE: u32 = 0;
pub(super) const GROW: u32 = 1;

/// What answers host calls.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// The calls of a host log, in order.
    pub(super) calls: Vec<Entry>,
    /// The answer to every call of a function, where it is always the same.
    pub(super) fixed: BTreeMap<u32, Entry>,
    size: u64,
}

/// A call and its answer.
#[derive(Debug, Default)]
pub(super) struct Entry {
    pub(super) function: u32,
    arguments: Option<Vec<u8>>,
    reads: Vec<(u32, u64, u64)>,
    pub(super) steps: Vec<Step>,
    /// Whether it ends the run.
    pub(super) ends: bool,
    /// With which exit code.
    exit: Option<i32>,
    pub(super) results: Vec<WasmValue>,
}

/// What a host does to memory.
#[derive(Debug)]
pub(super) enum Step {
    Write { memory: u32, address: u64, bytes: Vec<u8> },
    Grow { memory: u32, delta: u64 },
}

/// An encoded host log, and where the answers are that are always the same.
pub(super) struct Encoded {
    pub(super) log: Vec<u8>,
    pub(super) fixed: BTreeMap<u32, u32>,
}

fn values(values: &[WasmValue]) -> Vec<u8> {
    values.iter().flat_map(bytes).collect()
}

impl Answers {
    /// Encodes the calls of a host log.
    ///
    /// # Errors
    /// When it cannot be read, or is larger than a module can hold.
    pub(crate) fn logged<E: From<InstrumentError>>(
        mut next: impl FnMut() -> Result<Option<HostEvent>, E>,
    ) -> Result<Answers, E> {
        let mut answers = Answers::default();
        let mut entry = Entry::default();
        while let Some(event) = next()? {
            match event {
                HostEvent::Call(HostCall { function, arguments, reads, .. }) => {
                    let read = |read: &forkpoint_traces::HostRead| (read.memory.0, read.address, read.length);
                    let reads = reads.iter().map(read).collect();
                    entry = Entry {
                        function: function.0,
                        arguments: Some(values(&arguments)),
                        reads,
                        ..Entry::default()
                    };
                }
                HostEvent::Write { memory, address, bytes } => {
                    answers.size += bytes.len() as u64;
                    entry.steps.push(Step::Write { memory: memory.0, address, bytes });
                }
                // A program that lives in JavaScript is refused before.
                HostEvent::Enter { .. }
                | HostEvent::Leave { .. }
                | HostEvent::SetGlobal { .. }
                | HostEvent::SetElement { .. }
                | HostEvent::GrowTable { .. }
                | HostEvent::SetReference { .. }
                | HostEvent::SetFunction { .. } => {}
                HostEvent::Grow { memory, delta, .. } => entry.steps.push(Step::Grow { memory: memory.0, delta }),
                HostEvent::Return { outcome, .. } => {
                    answers.calls.push(Entry::ending(std::mem::take(&mut entry), &outcome));
                    answers.size += 128;
                    limit("bytes of host log", answers.size, MOST_LOG)?;
                }
            }
        }
        Ok(answers)
    }

    /// Answers that are always the same, by function.
    pub(crate) fn fixed<'a>(outcomes: impl Iterator<Item = (u32, &'a HostOutcome)>) -> Answers {
        let mut answers = Answers::default();
        for (function, outcome) in outcomes {
            let entry = Entry { function, ..Entry::default() };
            answers.fixed.insert(function, Entry::ending(entry, outcome));
        }
        answers
    }

    /// The exit code with which a host call ends the run, if the last one does.
    pub(crate) fn exit(&self) -> Option<i32> {
        let fixed = || self.fixed.values().find_map(|entry| entry.exit);
        self.calls.last().and_then(|entry| entry.exit).or_else(fixed)
    }

    /// All of it.
    pub(super) fn encoded(&self) -> Encoded {
        let mut encoded = Encoded { log: Vec::new(), fixed: BTreeMap::new() };
        self.calls.iter().for_each(|entry| encoded.push(entry));
        // What is always the same is jumped to, and follows the end of what is not.
        encoded.log.extend([0; 8]);
        for (function, entry) in &self.fixed {
            encoded.fixed.insert(*function, encoded.log.len() as u32);
            encoded.push(entry);
        }
        encoded.log.extend([0; 8]);
        encoded
    }

    /// Pages of the buffer memory that hold it.
    pub(super) fn pages(&self) -> u64 {
        (self.encoded().log.len() as u64).div_ceil(1 << 16)
    }
}

impl Encoded {
    fn push(&mut self, entry: &Entry) {
        let arguments = entry.arguments.as_deref().unwrap_or_default();
        let mut body = arguments.to_vec();
        for (memory, address, length) in &entry.reads {
            body.extend_from_slice(&memory.to_le_bytes());
            body.extend_from_slice(&u32::try_from(*length).unwrap_or(u32::MAX).to_le_bytes());
            body.extend_from_slice(&address.to_le_bytes());
        }
        for step in &entry.steps {
            let (kind, memory, at, bytes) = match step {
                Step::Write { memory, address, bytes } => (WRITE, memory, address, bytes.as_slice()),
                Step::Grow { memory, delta } => (GROW, memory, delta, &[][..]),
            };
            body.extend_from_slice(&kind.to_le_bytes());
            body.extend_from_slice(&memory.to_le_bytes());
            body.extend_from_slice(&at.to_le_bytes());
            body.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
            body.extend_from_slice(bytes);
            body.resize(body.len().next_multiple_of(8), 0);
        }
        let results = ENTRY + body.len() as u32;
        body.extend(values(&entry.results));
        let length = entry.arguments.as_ref().map_or(ANY, |arguments| arguments.len() as u32);
        let numbers = [
            ENTRY + body.len() as u32,
            entry.function,
            length,
            ENTRY + arguments.len() as u32,
            entry.reads.len() as u32,
            u32::from(entry.ends),
            entry.steps.len() as u32,
            results,
        ];
        numbers.iter().for_each(|number| self.log.extend_from_slice(&number.to_le_bytes()));
        self.log.extend_from_slice(&body);
    }
}

impl Entry {
    fn ending(self, outcome: &HostOutcome) -> Entry {
        match outcome {
            HostOutcome::Returned(results) => Entry { results: results.clone(), ..self },
            HostOutcome::Trapped(_) => Entry { ends: true, ..self },
            HostOutcome::Exited(code) => Entry { ends: true, exit: Some(*code), ..self },
        }
    }
}
