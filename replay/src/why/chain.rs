//! The answer: chains of links, what speaks for each, and where a chain ends.

use forkpoint_traces::{CodeOffset, FuncIndex, MemoryIndex, Position};
use serde::Serialize;
use std::fmt;
use std::ops::Range;

/// Most sources of one link.
pub(super) const MOST_SOURCES: usize = 3;

/// What speaks for it that a difference came from some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// It is what was asked about.
    Asked,
    /// They were copied: certain.
    Copied,
    /// Both values were loaded from there, and then stored: as good as certain.
    Loaded,
    /// They differed when they were loaded from there, before the values were stored: probably computed from them.
    LoadedBefore,
    /// The two values that differ stood there when they were stored: probable.
    SameValues,
    /// The same bytes differed before, and were written again: probable where a value is updated.
    Updated,
    /// They differed then, and were written last of what did: possible.
    Recent,
}

impl Evidence {
    /// How long a link of this evidence makes a chain.
    pub(super) fn length(self) -> u32 {
        match self {
            Evidence::Asked | Evidence::Copied | Evidence::Loaded => 1,
            Evidence::SameValues | Evidence::LoadedBefore => 2,
            Evidence::Updated => 3,
            Evidence::Recent => 8,
        }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Evidence::Asked => "asked about",
            Evidence::Copied => "copied from there",
            Evidence::Loaded => "loaded from there as they were stored",
            Evidence::LoadedBefore => "differed when loaded before: probably computed from it",
            Evidence::SameValues => "both values stood there: probably loaded",
            Evidence::Updated => "differed before it was written again: probably updated",
            Evidence::Recent => "differed then, and was written last: possibly loaded",
        })
    }
}

/// One link: bytes that differed, and the events that wrote them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainLink {
    /// The memory.
    pub memory: MemoryIndex,
    /// The bytes.
    pub bytes: Range<u64>,
    /// The last event that wrote any of them, on the left and on the right; `None` if there is none.
    pub writers: [Option<Position>; 2],
    /// What speaks for it that the link before came from here.
    pub evidence: Evidence,
    /// Where they were loaded, if that is known.
    pub loaded: Option<LoadPlace>,
}

/// A load of both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadPlace {
    /// The function.
    pub func: FuncIndex,
    /// The instruction.
    pub offset: CodeOffset,
    /// The event that came next on the left and on the right.
    pub before: [Position; 2],
}

/// Where a chain ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChainEnd {
    /// At the first divergence: before it the runs are equal.
    FirstDivergence,
    /// Memory was equal when the values were stored: the engines computed them differently, or they came by locals, globals or
    /// the operand stack, which a trace does not have.
    EqualMemory,
    /// Before the values were stored, no load gave different ones, as far back as loads are known.
    EqualLoads,
    /// Memory was equal when the two values were loaded from it: an engine loads wrongly.
    WrongLoad,
    /// Different instructions wrote the bytes, or only one side did: the runs had taken different paths.
    OtherPath,
    /// The host wrote them.
    Host,
    /// No event wrote them.
    NotWritten,
    /// Who wrote them is among the events that a trace leaves out.
    LeftOut,
}

impl fmt::Display for ChainEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ChainEnd::FirstDivergence => "the first divergence: before it the runs are equal",
            ChainEnd::EqualMemory => {
                "all memory was equal then: the engines computed it differently, or it came by locals, globals or the operand stack, which stores do not show"
            }
            ChainEnd::EqualLoads => {
                "the loads before it gave the same values on both sides: the engines computed it differently, or it came by locals, globals or the operand stack from further back"
            }
            ChainEnd::WrongLoad => "memory was equal there, and the loads gave different values: one engine loads wrongly",
            ChainEnd::OtherPath => "the runs had taken different paths: what decided that, stores do not show",
            ChainEnd::Host => "the host wrote it",
            ChainEnd::NotWritten => "no event wrote it",
            ChainEnd::LeftOut => "the writer is among the events that the trace leaves out",
        })
    }
}

/// A way that a difference may have come, backward in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// The links, the bytes that were asked about first.
    pub links: Vec<ChainLink>,
    /// What is before the last one.
    pub end: ChainEnd,
}

/// Why bytes differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// The chains that were found: those that reach the first divergence, then others; of each, the best first.
    pub chains: Vec<Chain>,
    /// Whether there were more links than are looked at.
    pub cut_short: bool,
}
