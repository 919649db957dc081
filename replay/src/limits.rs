//! What engines do with a limit on a memory's pages, judged by the sizes of their memories.

use crate::error::ReplayError;
use crate::symbols::Item;
use crate::timeline::Timeline;
use crate::verdict::Verdict;
use forkpoint_traces::{Event, MemoryIndex, Milestone, Outcome, Position};
use serde::Serialize;
use std::fmt;
use wasmparser::{MemoryType, Parser, Payload, TypeRef};

/// A limit on the size of memories, and what the engine did with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PageLimit {
    /// Most pages that a memory should have, as the recorder set it in the engine.
    pub pages: u64,
    /// The name of the memory that shows it, if it has one.
    pub memory_name: Option<String>,
    /// What the engine did.
    #[serde(flatten)]
    pub conduct: Conduct,
}

/// What an engine does with a limit. Sizes are in pages of 64 KiB, whatever the memory's page size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "did", rename_all = "lowercase")]
pub enum Conduct {
    /// No memory was larger, and none had to be.
    Kept,
    /// It rejected the module, one of whose memories starts with more.
    Refused {
        /// Which memory.
        memory: MemoryIndex,
        /// How many pages it starts with.
        declared: u64,
    },
    /// A memory started with less than the module declares.
    Clamped {
        /// Which memory.
        memory: MemoryIndex,
        /// How many pages it should start with.
        declared: u64,
        /// How many it had.
        found: u64,
    },
    /// A memory had more.
    Ignored {
        /// Which memory.
        memory: MemoryIndex,
        /// How many it had.
        found: u64,
    },
}

impl Conduct {
    /// The memory that shows it.
    fn memory(self) -> Option<MemoryIndex> {
        match self {
            Conduct::Kept => None,
            Conduct::Refused { memory, .. } | Conduct::Clamped { memory, .. } | Conduct::Ignored { memory, .. } => {
                Some(memory)
            }
        }
    }
}

/// Bytes in a page of the limit.
const LIMIT_PAGE: u64 = 1 << 16;

/// Most events at the front of a trace that are searched for the sizes of memories.
const FRONT: u64 = 1 << 12;

impl PageLimit {
    /// The limit of a run and what the engine did with it; `None` where there was none.
    ///
    /// # Errors
    /// When the trace is damaged where its memories' sizes are.
    pub fn of(timeline: &mut Timeline) -> Result<Option<PageLimit>, ReplayError> {
        let Some(pages) = timeline.trace().header().limits.memory_pages else { return Ok(None) };
        if timeline.trace().header().program.is_some() {
            // What each of its modules declares is not looked up.
            return Ok(None);
        }
        let declared = declared(timeline.trace().module());
        let mut found = Vec::new();
        for position in (0..timeline.len().min(FRONT)).map(Position) {
            match timeline.event(position)? {
                Event::Milestone(Milestone::Memory { pages, page_size, .. }) => {
                    found.push(in_pages(pages, page_size))
                }
                Event::Milestone(Milestone::Accepted { .. }) => {}
                _ => break,
            }
        }
        let last = timeline.len().checked_sub(1).map(Position);
        let (mut outcome, mut ends) = (None, Vec::new());
        if let Some(Event::Milestone(Milestone::End { outcome: how, memories, .. })) =
            last.map(|last| timeline.event(last)).transpose()?
        {
            let sizes = memories.iter().zip(&declared);
            ends = sizes.map(|(memory, (_, page_size))| in_pages(memory.pages, *page_size)).collect();
            outcome = Some(how);
        }
        let first = |test: &dyn Fn(usize) -> Option<Conduct>| (0..declared.len()).find_map(test);
        let largest = |memory: usize| found.get(memory).copied().max(ends.get(memory).copied());
        let ignored = first(&|memory| {
            let found = largest(memory).filter(|found| *found > pages)?;
            Some(Conduct::Ignored { memory: MemoryIndex(memory as u32), found })
        });
        let clamped = first(&|memory| {
            let (declared, found) = (declared[memory].0, *found.get(memory)?);
            (found < declared).then_some(Conduct::Clamped { memory: MemoryIndex(memory as u32), declared, found })
        });
        let refused = first(&|memory| {
            let declared = declared[memory].0;
            let refused = declared > pages && matches!(outcome, Some(Outcome::Rejected { .. }));
            refused.then_some(Conduct::Refused { memory: MemoryIndex(memory as u32), declared })
        });
        let conduct = ignored.or(clamped).or(refused).unwrap_or(Conduct::Kept);
        let memory_name = conduct.memory().and_then(|memory| timeline.symbols().item_name(Item::Memory, memory.0));
        Ok(Some(PageLimit { pages, memory_name, conduct }))
    }
}

/// Whether a difference is about a limit that both runs have, so that the engines treat it differently.
pub(crate) fn explains(verdict: Verdict, events: Option<(&Event, &Event)>, sides: [&Timeline; 2]) -> bool {
    let [Some(limit), Some(other)] = sides.map(|side| side.trace().header().limits.memory_pages) else {
        return false;
    };
    if limit != other {
        // The user asked for that difference.
        return false;
    }
    let declared = declared(sides[0].trace().module());
    match (verdict, events) {
        (Verdict::Validation | Verdict::Compilation | Verdict::Instantiation | Verdict::InitialSize, _) => {
            declared.iter().any(|(pages, _)| *pages > limit)
        }
        (Verdict::Grow, Some((Event::Grow { memory, delta, result, .. }, Event::Grow { result: theirs, .. }))) => {
            let page_size = declared.get(memory.0 as usize).map_or(LIMIT_PAGE as u32, |(_, page_size)| *page_size);
            result.or(*theirs).is_some_and(|before| in_pages(before.saturating_add(*delta), page_size) > limit)
        }
        _ => false,
    }
}

/// A size in pages of the limit, rounded up.
fn in_pages(pages: u64, page_size: u32) -> u64 {
    u64::try_from((u128::from(pages) * u128::from(page_size)).div_ceil(u128::from(LIMIT_PAGE))).unwrap_or(u64::MAX)
}

/// The initial sizes of the module's memories, in pages of the limit, each with its bytes per page.
fn declared(module: &[u8]) -> Vec<(u64, u32)> {
    let mut memories = Vec::new();
    let mut add = |memory: MemoryType| {
        let page_size = 1u32.checked_shl(memory.page_size_log2.unwrap_or(16)).unwrap_or(LIMIT_PAGE as u32);
        memories.push((in_pages(memory.initial, page_size), page_size));
    };
    // The recorder made sure that the module is valid; a stranger's trace may hold anything.
    for payload in Parser::new(0).parse_all(module).map_while(Result::ok) {
        match payload {
            Payload::ImportSection(section) => {
                for import in section.into_imports().map_while(Result::ok) {
                    if let TypeRef::Memory(memory) = import.ty {
                        add(memory);
                    }
                }
            }
            Payload::MemorySection(section) => section.into_iter().map_while(Result::ok).for_each(&mut add),
            Payload::CodeSectionStart { .. } => break,
            _ => {}
        }
    }
    memories
}

impl fmt::Display for PageLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "limit of {} pages ", self.pages)?;
        let memory = |MemoryIndex(number)| match &self.memory_name {
            Some(name) => format!("memory {name}"),
            None => format!("memory {number}"),
        };
        match self.conduct {
            Conduct::Kept => f.write_str("kept"),
            Conduct::Refused { memory: number, declared } => {
                write!(f, "refused: {} starts with {declared}", memory(number))
            }
            Conduct::Clamped { memory: number, declared, found } => {
                write!(f, "clamped: {} starts with {found}, the module says {declared}", memory(number))
            }
            Conduct::Ignored { memory: number, found } => write!(f, "ignored: {} has {found}", memory(number)),
        }
    }
}
