//! Makes a module smaller, step by step, as long as it diverges in the same way.
//!
//! Every step tries the largest pieces first: many functions at once, then half as many; the longest run of statements, then its
//! halves. What is left when nothing more can go is small in each of these ways.

mod function;

use super::body;
use super::judge::{Candidate, Halt, Judge};
use super::parts::Parts;
use super::prune::{Memories, Stubs, pruned};
use super::sections::{Sections, body_ranges, encoded, with_bodies};
use super::{data, inline, locals};
use function::Shrinking;
use std::collections::BTreeMap;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{ExportSection, Instruction, SectionId};

/// Unused locals stay in modules of more bytes: they cost little, and a module of this size is about to become much smaller.
const LARGE: usize = 64 << 10;

/// Tries every step once. Says whether the module is smaller than before.
///
/// # Errors
/// When it is halted; `best` is the smallest so far.
pub(super) fn round(judge: &mut Judge<'_>, best: &mut Candidate) -> Result<bool, Halt> {
    let before = (best.module.len(), weight(best));
    // A slice has only functions that it enters, so nearly all that it can go without is data.
    let is_slice = judge.sliced.is_some();
    if is_slice {
        data::data(judge, best, &[4096, 256])?;
    }
    whole_functions(judge, best)?;
    exports(judge, best)?;
    unreferenced(judge, best)?;
    if !is_slice {
        data::data(judge, best, &[4096, 256])?;
    }
    data::memory(judge, best)?;
    code(judge, best)?;
    tidy(judge, best)?;
    data::data(judge, best, &[16, 1])?;
    data::memory(judge, best)?;
    Ok((best.module.len(), weight(best)) < before)
}

/// What counts besides bytes: constants that are not 0.
fn weight(candidate: &Candidate) -> usize {
    let count = body_ranges(&candidate.module).map_or(0, |ranges| ranges.len() as u32);
    (0..count).map(|number| body::code(&candidate.module, number).map_or(0, |code| code.constants.len())).sum()
}

/// The body of a function that traps at once.
fn trap() -> Vec<u8> {
    let mut body = vec![0];
    body.extend_from_slice(&encoded(&Instruction::Unreachable));
    body.extend_from_slice(&encoded(&Instruction::End));
    body
}

/// Replaces the bodies of functions that are not needed.
fn whole_functions(judge: &mut Judge<'_>, best: &mut Candidate) -> Result<(), Halt> {
    judge.phase = "functions";
    let Ok(ranges) = body_ranges(&best.module) else { return Ok(()) };
    let least = trap().len();
    let left = (0..).zip(&ranges).filter(|(_, range)| range.len() > least).map(|(number, _)| number).collect();
    pieces(judge, best, left, |best, functions: &[u32]| with_traps(best, functions))
}

/// The candidate with a trap for the body of each of these functions, by their numbers among those that it defines.
pub(super) fn with_traps(candidate: &Candidate, functions: &[u32]) -> Option<Candidate> {
    let bodies = functions.iter().map(|number| (*number, trap())).collect();
    Some(candidate.with(with_bodies(&candidate.module, &bodies).ok()?))
}

/// Tries to go without pieces: all of them, halves, quarters, and in the end single ones. `without` makes a candidate that lacks
/// some of those that are left.
pub(super) fn pieces<T: Clone>(
    judge: &mut Judge<'_>,
    best: &mut Candidate,
    mut left: Vec<T>,
    without: impl Fn(&Candidate, &[T]) -> Option<Candidate>,
) -> Result<(), Halt> {
    let mut size = left.len();
    while size > 0 {
        let mut at = left.len();
        while at > 0 {
            let start = at.saturating_sub(size);
            if let Some(candidate) = without(best, &left[start..at])
                && judge.accept(best, candidate)?
            {
                left.drain(start..at);
            }
            at = start;
        }
        size /= 2;
        size = size.min(left.len());
    }
    Ok(())
}

/// Takes out exports that no call needs.
fn exports(judge: &mut Judge<'_>, best: &mut Candidate) -> Result<(), Halt> {
    judge.phase = "exports";
    let Ok(parts) = Parts::of(&best.module) else { return Ok(()) };
    let names: Vec<String> = parts.exports.iter().map(|export| export.name.to_string()).collect();
    let is_called = |name: &String| best.calls.iter().any(|call| call.function == *name) || name == "_start";
    let left: Vec<String> = names.into_iter().filter(|name| !is_called(name)).collect();
    pieces(judge, best, left, |best, gone| {
        let parts = Parts::of(&best.module).ok()?;
        let mut exports = ExportSection::new();
        for export in parts.exports.iter().filter(|export| !gone.iter().any(|name| name == export.name)) {
            RoundtripReencoder.parse_export(&mut exports, *export).ok()?;
        }
        let mut sections = Sections::of(&best.module).ok()?;
        sections.set(&exports);
        Some(best.with(sections.to_module()))
    })
}

/// Takes out what nothing refers to, the start function and custom sections.
pub(super) fn unreferenced(judge: &mut Judge<'_>, best: &mut Candidate) -> Result<(), Halt> {
    judge.phase = "unreferenced";
    if let Ok(mut sections) = Sections::of(&best.module) {
        judge.accept(best, best.with(sections.to_module()))?;
        sections.remove(SectionId::Start);
        judge.accept(best, best.with(sections.to_module()))?;
        sections.remove(SectionId::Element);
        judge.accept(best, best.with(sections.to_module()))?;
    }
    for memories in [Memories::Go, Memories::Stay] {
        if let Ok(module) = pruned(&best.module, &Stubs::new(), memories)
            && judge.accept(best, best.with(module))?
        {
            break;
        }
    }
    Ok(())
}

/// Takes functions apart, the largest first.
fn code(judge: &mut Judge<'_>, best: &mut Candidate) -> Result<(), Halt> {
    let Ok(ranges) = body_ranges(&best.module) else { return Ok(()) };
    let mut numbers: Vec<u32> = (0..ranges.len() as u32).collect();
    numbers.sort_by_key(|number| std::cmp::Reverse(ranges[*number as usize].len()));
    for number in numbers {
        let mut function = Shrinking { judge, best, number };
        function.dead()?;
        function.statements()?;
        function.values()?;
        function.expressions()?;
        function.unwrap()?;
        function.constants()?;
    }
    Ok(())
}

/// Takes out locals that are not used, and what nothing refers to.
fn tidy(judge: &mut Judge<'_>, best: &mut Candidate) -> Result<(), Halt> {
    judge.phase = "inlining";
    while let Ok(Some(module)) = inline::entry(&best.module) {
        if !judge.accept(best, best.with(module))? {
            break;
        }
        unreferenced(judge, best)?;
    }
    while let Ok(Some(module)) = inline::without_results(&best.module) {
        if !judge.accept(best, best.with(module))? {
            break;
        }
    }
    judge.phase = "locals";
    let Ok(ranges) = body_ranges(&best.module) else { return Ok(()) };
    if best.module.len() > LARGE {
        return Ok(());
    }
    let bodies: BTreeMap<u32, Vec<u8>> = (0..ranges.len() as u32)
        .filter_map(|number| Some((number, locals::compacted(&best.module, number).ok()??)))
        .collect();
    if !bodies.is_empty()
        && let Ok(module) = with_bodies(&best.module, &bodies)
    {
        judge.accept(best, best.with(module))?;
    }
    unreferenced(judge, best)
}
