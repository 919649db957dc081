//! Makes a module smaller, step by step, as long as it diverges in the same way.
//!
//! Every step tries the largest pieces first: many functions at once, then half as many; the longest run of statements, then its
//! halves. What is left when nothing more can go is small in each of these ways.

mod function;

use super::body;
use super::candidate::Candidate;
use super::judge::{Halt, Judge};
use super::parts::Parts;
use super::prune::{Memories, Stubs, pruned};
use super::sections::{Sections, body_ranges, encoded, with_bodies};
use super::{data, inline, locals};
use function::Shrinking;
use std::collections::BTreeMap;
use std::ops::Range;
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
        unreferenced(judge, best)?;
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

/// Replaces the bodies of functions that are not needed: by a trap, or if they are called by zeros for their results.
fn whole_functions(judge: &mut Judge<'_>, best: &mut Candidate) -> Result<(), Halt> {
    judge.phase = "functions";
    let larger = |best: &Candidate, least: &dyn Fn(u32) -> usize| -> Vec<u32> {
        let ranges = body_ranges(&best.module).unwrap_or_default();
        (0..).zip(&ranges).filter(|(number, range)| range.len() > least(*number)).map(|(number, _)| number).collect()
    };
    let left = larger(best, &|_| trap().len());
    pieces(judge, best, left, |best, functions: &[u32]| with_traps(best, functions))?;
    let zeros = returns(&best.module);
    let left = larger(best, &|number| zeros.get(&number).map_or(usize::MAX, Vec::len));
    pieces(judge, best, left, |best, functions: &[u32]| {
        let bodies = functions.iter().filter_map(|number| Some((*number, zeros.get(number)?.clone()))).collect();
        Some(best.with(with_bodies(&best.module, &bodies).ok()?))
    })
}

/// Bodies that return zeros at once, for the functions that can.
fn returns(module: &[u8]) -> BTreeMap<u32, Vec<u8>> {
    let Ok(parts) = Parts::of(module) else { return BTreeMap::new() };
    let body = |ty: u32| {
        let results = parts.func_type(ty)?.results().iter();
        let zeros = results.map(|ty| body::zero(*ty)).collect::<Option<Vec<_>>>()?.concat();
        Some([&[0][..], &zeros, &encoded(&Instruction::End)].concat())
    };
    (0..).zip(&parts.functions).filter_map(|(number, ty)| Some((number, body(*ty)?))).collect()
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

/// Bytes of pieces that go first, in all functions: a function in which little can go must not keep much in others waiting.
const COARSE: [usize; 3] = [2048, 256, 32];

/// Takes functions apart, the largest pieces first.
fn code(judge: &mut Judge<'_>, best: &mut Candidate) -> Result<(), Halt> {
    let Ok(ranges) = body_ranges(&best.module) else { return Ok(()) };
    let mut numbers: Vec<u32> = (0..ranges.len() as u32).collect();
    let length = |number: u32| ranges.get(number as usize).map_or(0, Range::len);
    numbers.sort_by_key(|number| std::cmp::Reverse(length(*number)));
    for least in COARSE {
        for number in numbers.iter().copied().filter(|number| length(*number) > least) {
            let mut function = Shrinking { judge, best, number, least };
            function.statements()?;
            function.zeros()?;
        }
    }
    for number in numbers {
        let mut function = Shrinking { judge, best, number, least: 0 };
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
