//! Blocks of a function's code, and how to take them apart.

use super::Splice;
use crate::reduce::sections::encoded;
use std::ops::Range;
use wasm_encoder::Instruction;
use wasmparser::Operator;

/// A block that is open.
pub(super) struct Block {
    /// Where its expression begins; `None` if its operands are not the whole of theirs.
    pub start: Option<usize>,
    /// Its first instruction.
    pub opening: Range<usize>,
    /// Its `else`.
    pub middle: Option<Range<usize>>,
    pub height: usize,
    pub number: usize,
    pub is_if: bool,
    /// Whether a branch leads to it, or out of it to another.
    pub branches: bool,
}

/// Notes to which blocks an instruction branches, and out of which.
pub(super) fn note_branches(operator: &Operator<'_>, blocks: &mut [Block]) {
    let mut branch = |depth: u32| {
        let target = blocks.len().saturating_sub(1 + depth as usize);
        blocks.iter_mut().skip(target).for_each(|block| block.branches = true);
    };
    match operator {
        Operator::Br { relative_depth } | Operator::BrIf { relative_depth } => branch(*relative_depth),
        Operator::BrTable { targets } => {
            branch(targets.default());
            targets.targets().flatten().for_each(&mut branch);
        }
        Operator::BrOnNull { .. }
        | Operator::BrOnNonNull { .. }
        | Operator::BrOnCast { .. }
        | Operator::BrOnCastFail { .. }
        | Operator::Resume { .. }
        | Operator::ResumeThrow { .. } => branch(u32::MAX),
        _ => {}
    }
}

/// Ways to take a block apart that nothing branches to or out of: its contents alone, of an `if` each half.
pub(super) fn unwrappings(block: &Block, end: &Range<usize>) -> Vec<Vec<Splice>> {
    if block.branches {
        return Vec::new();
    }
    if !block.is_if {
        return vec![vec![(block.opening.clone(), Vec::new()), (end.clone(), Vec::new())]];
    }
    let drop = encoded(&Instruction::Drop);
    match &block.middle {
        None => vec![vec![(block.opening.clone(), drop), (end.clone(), Vec::new())]],
        Some(middle) => vec![
            vec![(block.opening.clone(), drop.clone()), (middle.start..end.end, Vec::new())],
            vec![(block.opening.start..middle.end, drop), (end.clone(), Vec::new())],
        ],
    }
}
