//! Comparing the engine's memory with the replayed one while a run goes on.

use crate::observe::digest;
use crate::protocol::{PageDigest, ShownPage};
use forkpoint_traces::{Image, MemoryIndex, PAGE};
use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

/// Most pages that one checkpoint asks for: what differs beyond them shows at the next one.
const MOST_PAGES: usize = 1024;

/// Events between two checkpoints by default: seldom enough to cost little, see docs/performance.md.
pub const DEFAULT_EVERY: u64 = 16 << 20;

/// When the engine's memory is compared with the replayed one, besides at the end of every call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checkpoint {
    /// At the end of the run only.
    End,
    /// Around every call of a host function, too.
    Calls,
    /// Also after about this many events.
    Every(u64),
}

impl Default for Checkpoint {
    fn default() -> Checkpoint {
        Checkpoint::Every(DEFAULT_EVERY)
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Checkpoint::End => f.write_str("end"),
            Checkpoint::Calls => f.write_str("calls"),
            Checkpoint::Every(events) => write!(f, "every={events}"),
        }
    }
}

impl FromStr for Checkpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Checkpoint, String> {
        let every = |text: &str| text.parse().ok().filter(|events| *events > 0).map(Checkpoint::Every);
        match text {
            "end" => Ok(Checkpoint::End),
            "calls" => Ok(Checkpoint::Calls),
            _ => text
                .strip_prefix("every=")
                .and_then(every)
                .ok_or_else(|| format!("`{text}` is not a known checkpoint setting: write end, calls or every=N")),
        }
    }
}

/// The digests of one checkpoint as they come in.
#[derive(Default)]
pub(super) struct Digests {
    pages: Vec<u64>,
    digests: HashMap<(MemoryIndex, u64), u64>,
}

impl Digests {
    pub(super) fn new(pages: Vec<u64>) -> Digests {
        Digests { pages, digests: HashMap::new() }
    }

    pub(super) fn add(&mut self, memory: u32, digests: &[PageDigest]) {
        self.digests.extend(digests.iter().map(|entry| ((MemoryIndex(memory), entry.page), entry.digest)));
    }

    /// Pages in which the engine's memory is not the model's, in order.
    pub(super) fn suspects(mut self, model: &Image) -> Vec<ShownPage> {
        let zero = digest(&[0; PAGE as usize]);
        let mut suspects = Vec::new();
        for memory in (0..self.pages.len() as u32).map(MemoryIndex) {
            for (number, page) in model.pages_in(memory, 0..u64::MAX) {
                let engine = self.digests.remove(&(memory, number)).unwrap_or(zero);
                if engine != digest(page) {
                    suspects.push(ShownPage { memory, page: number });
                }
            }
        }
        // What is left, the engine has and the model has not.
        let rest = self.digests.into_iter().filter(|(_, digest)| *digest != zero);
        suspects.extend(rest.map(|((memory, page), _)| ShownPage { memory, page }));
        suspects.sort_unstable();
        suspects.truncate(MOST_PAGES);
        suspects
    }
}
