//! Which functions of two builds are one.

use super::functions::{FunctionMatch, Functions};
use crate::side::Side;
use crate::timeline::Timeline;
use forkpoint_traces::{FuncIndex, MemoryIndex};
use std::collections::HashMap;

/// How far below its beginning the stack is looked for.
const STACK: u64 = 1 << 16;

/// The functions of both builds.
pub(super) struct Pairing {
    functions: [Functions; 2],
    /// By the side whose it is and its index: the function of the other build.
    known: HashMap<(Side, FuncIndex), Option<(FuncIndex, FunctionMatch)>>,
}

impl Pairing {
    pub(super) fn of(lhs: &Timeline, rhs: &Timeline) -> Pairing {
        let functions = [lhs, rhs].map(|timeline| Functions::of(timeline.trace().module()));
        Pairing { functions, known: HashMap::new() }
    }

    /// Names and indices of the globals that both export.
    pub(super) fn globals(&self) -> Vec<(String, [u32; 2])> {
        let [lhs, rhs] = &self.functions;
        let both =
            lhs.globals.iter().filter_map(|(name, left)| Some((name.clone(), [*left, *rhs.globals.get(name)?])));
        let mut both: Vec<_> = both.collect();
        both.sort();
        both
    }

    /// Which function of the other build is `func` of `side`'s, and how it was found.
    pub(super) fn counterpart(&mut self, side: Side, func: FuncIndex) -> Option<(FuncIndex, FunctionMatch)> {
        let Pairing { functions: [lhs, rhs], known } = self;
        *known.entry((side, func)).or_insert_with(|| match side {
            Side::Lhs => lhs.counterpart(func, rhs),
            Side::Rhs => rhs.counterpart(func, lhs),
        })
    }

    /// Whether a function of each build are one.
    pub(super) fn is_one(&mut self, [left, right]: [FuncIndex; 2]) -> bool {
        self.counterpart(Side::Lhs, left).is_some_and(|(found, _)| found == right)
    }

    /// Whether an address lies where compiled C or Rust keeps its stack.
    pub(super) fn is_on_stack(&self, memory: MemoryIndex, address: u64) -> bool {
        let mut begins = self.functions.iter().filter_map(|functions| functions.stack);
        memory == MemoryIndex(0) && begins.any(|top| address < top && top - address <= STACK)
    }
}
