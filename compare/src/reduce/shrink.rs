//! Makes a module smaller, step by step, as long as it diverges in the same way.
//!
//! Every step tries the largest pieces first: many functions at once, then half as many; the longest run of statements, then its
//! halves. What is left when nothing more can go is small in each of these ways.

use super::body::{self, Code, Expression, Splice, spliced, zero};
use super::error::EditError;
use super::judge::{Candidate, Halt, Judge};
use super::parts::Parts;
use super::prune::{Memories, Stubs, pruned};
use super::sections::{Sections, body_ranges, encoded, with_bodies};
use super::{constants, inline, locals};
use std::collections::BTreeMap;
use std::ops::Range;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{DataSection, ExportSection, Instruction, MemorySection, SectionId};
use wasmparser::DataKind;

/// Code of more bytes is not taken apart expression by expression before the rest of the module has been.
const LARGE: usize = 64 << 10;

/// Shrinks until nothing more can go.
///
/// # Errors
/// When it is halted; `best` is the smallest so far.
pub(super) fn shrink(judge: &mut Judge<'_>, best: &mut Candidate) -> Result<(), Halt> {
    loop {
        let before = (best.module.len(), weight(best));
        whole_functions(judge, best)?;
        exports(judge, best)?;
        unreferenced(judge, best)?;
        data(judge, best, &[4096, 256, 16, 1])?;
        memory(judge, best)?;
        code(judge, best)?;
        tidy(judge, best)?;
        if (best.module.len(), weight(best)) >= before {
            return Ok(());
        }
    }
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
fn pieces<T: Clone>(
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

/// Bytes of a data segment that stay together.
#[derive(Clone)]
struct Piece {
    segment: usize,
    range: Range<usize>,
}

/// Takes out data, in pieces of these sizes.
pub(super) fn data(judge: &mut Judge<'_>, best: &mut Candidate, units: &[usize]) -> Result<(), Halt> {
    judge.phase = "data";
    for unit in units.iter().copied() {
        let Ok(parts) = Parts::of(&best.module) else { return Ok(()) };
        let total: usize = parts.data.iter().map(|data| data.data.len()).sum();
        // Small ones only where there are few.
        if total / unit > 4096 {
            continue;
        }
        let mut left = Vec::new();
        for (segment, data) in parts.data.iter().enumerate() {
            let starts = (0..data.data.len()).step_by(unit);
            let pieces = starts.map(|start| Piece { segment, range: start..data.data.len().min(start + unit) });
            left.extend(pieces.filter(|piece| data.data[piece.range.clone()].iter().any(|byte| *byte != 0)));
        }
        pieces(judge, best, left, |best, gone| zeroed(best, gone).ok())?;
    }
    if let Ok(candidate) = trimmed(best) {
        judge.accept(best, candidate)?;
    }
    Ok(())
}

/// Makes memories as small as the data in them lets them be.
fn memory(judge: &mut Judge<'_>, best: &mut Candidate) -> Result<(), Halt> {
    judge.phase = "memory";
    let Ok(parts) = Parts::of(&best.module) else { return Ok(()) };
    let imported = parts.imported(|ty| matches!(ty, wasmparser::TypeRef::Memory(_)));
    let mut least = vec![0; parts.memories.len()];
    for data in parts.data.iter().filter(|data| !data.data.is_empty()) {
        let DataKind::Active { memory_index, offset_expr } = &data.kind else { continue };
        let number = memory_index.checked_sub(imported).map_or(usize::MAX, |number| number as usize);
        if let (Some((start, _)), Some(least)) = (address(offset_expr), least.get_mut(number)) {
            *least = start.saturating_add(data.data.len() as u64).max(*least);
        }
    }
    let declared = parts.memories.clone();
    for more in [0, 1, 16] {
        let mut memories = MemorySection::new();
        for (memory, least) in declared.iter().zip(&least) {
            let pages = least.div_ceil(1 << memory.page_size_log2.unwrap_or(16)) + more;
            let smaller = wasmparser::MemoryType { initial: memory.initial.min(pages), ..*memory };
            let Ok(ty) = RoundtripReencoder.memory_type(smaller) else { return Ok(()) };
            memories.memory(ty);
        }
        let Ok(mut sections) = Sections::of(&best.module) else { return Ok(()) };
        sections.set(&memories);
        if declared.is_empty() || judge.accept(best, best.with(sections.to_module()))? {
            break;
        }
    }
    Ok(())
}

/// The candidate with zeros instead of some of its data.
fn zeroed(best: &Candidate, gone: &[Piece]) -> Result<Candidate, EditError> {
    with_data(best, |segment, data| {
        let mut bytes = data.to_vec();
        for piece in gone.iter().filter(|piece| piece.segment == segment) {
            bytes[piece.range.clone()].fill(0);
        }
        // No other piece of a segment of zeros is left.
        if bytes.iter().all(|byte| *byte == 0) {
            bytes.clear();
        }
        vec![(0, bytes)]
    })
}

/// The candidate without zeros at the ends of its data, and without long stretches of them.
fn trimmed(best: &Candidate) -> Result<Candidate, EditError> {
    with_data(best, |_, data| {
        let mut stretches: Vec<(usize, Vec<u8>)> = Vec::new();
        for (at, byte) in data.iter().enumerate().filter(|(_, byte)| **byte != 0) {
            match stretches.last_mut() {
                Some((start, stretch)) if at - *start < stretch.len() + 8 => {
                    stretch.resize(at - *start, 0);
                    stretch.push(*byte);
                }
                _ => stretches.push((at, vec![*byte])),
            }
        }
        stretches
    })
}

/// The candidate with other bytes in its active data segments: `make` gives them by the distance from the segment's start. Passive
/// segments keep their length.
fn with_data(best: &Candidate, make: impl Fn(usize, &[u8]) -> Vec<(usize, Vec<u8>)>) -> Result<Candidate, EditError> {
    let parts = Parts::of(&best.module)?;
    let mut data = DataSection::new();
    let mut more = Vec::new();
    for (number, segment) in parts.data.iter().enumerate() {
        let DataKind::Active { memory_index, offset_expr } = &segment.kind else {
            RoundtripReencoder.parse_data(&mut data, segment.clone())?;
            continue;
        };
        let Some((start, wide)) = address(offset_expr) else {
            RoundtripReencoder.parse_data(&mut data, segment.clone())?;
            continue;
        };
        let offset = |distance: usize| {
            let address = start.wrapping_add(distance as u64);
            match wide {
                true => wasm_encoder::ConstExpr::i64_const(address as i64),
                false => wasm_encoder::ConstExpr::i32_const(address as u32 as i32),
            }
        };
        let mut stretches = make(number, segment.data).into_iter();
        let (distance, bytes) = stretches.next().unwrap_or((0, Vec::new()));
        data.active(*memory_index, &offset(distance), bytes);
        more.extend(stretches.map(|(distance, bytes)| (*memory_index, offset(distance), bytes)));
    }
    // Behind all others, whose indices stay.
    for (memory, offset, bytes) in more {
        data.active(memory, &offset, bytes);
    }
    let mut sections = Sections::of(&best.module)?;
    if parts.counts_data {
        sections.set(&wasm_encoder::DataCountSection { count: data.len() });
    }
    sections.set(&data);
    Ok(best.with(sections.to_module()))
}

/// The constant of an offset, and whether it has 64 bits.
fn address(offset: &wasmparser::ConstExpr<'_>) -> Option<(u64, bool)> {
    match offset.get_operators_reader().read().ok()? {
        wasmparser::Operator::I32Const { value } => Some((u64::from(value as u32), false)),
        wasmparser::Operator::I64Const { value } => Some((value as u64, true)),
        _ => None,
    }
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

/// One function that is being shrunk.
struct Shrinking<'s, 'a> {
    judge: &'s mut Judge<'a>,
    best: &'s mut Candidate,
    number: u32,
}

impl Shrinking<'_, '_> {
    fn code(&self) -> Code {
        body::code(&self.best.module, self.number).unwrap_or_default()
    }

    fn bytes(&self) -> Vec<u8> {
        let range = body_ranges(&self.best.module).ok().and_then(|ranges| ranges.get(self.number as usize).cloned());
        range.map_or(Vec::new(), |range| self.best.module[range].to_vec())
    }

    /// Tries the function with some of its bytes replaced.
    fn with(&mut self, splices: &[Splice]) -> Result<bool, Halt> {
        let bodies = BTreeMap::from([(self.number, spliced(&self.bytes(), splices))]);
        let Ok(module) = with_bodies(&self.best.module, &bodies) else { return Ok(false) };
        self.judge.accept(self.best, self.best.with(module))
    }

    /// Takes out code that cannot be reached.
    fn dead(&mut self) -> Result<(), Halt> {
        self.judge.phase = "code";
        let dead: Vec<Splice> = self.code().dead.into_iter().map(|range| (range, Vec::new())).collect();
        if !dead.is_empty() {
            self.with(&dead)?;
        }
        Ok(())
    }

    /// Takes out statements: runs of them, from long to short, block by block.
    fn statements(&mut self) -> Result<(), Halt> {
        self.judge.phase = "statements";
        let mut block = 0;
        loop {
            let blocks = self.code().statements();
            let Some(statements) = blocks.get(block) else { return Ok(()) };
            let mut size = statements.len();
            let mut statements = statements.clone();
            while size > 0 && !statements.is_empty() {
                let mut at = statements.len();
                while at > 0 {
                    let start = at.saturating_sub(size);
                    let gone: Vec<Splice> =
                        statements[start..at].iter().map(|range| (range.clone(), Vec::new())).collect();
                    if self.with(&gone)? {
                        // What lies before them is where it was.
                        let length: usize = gone.iter().map(|(range, _)| range.len()).sum();
                        statements.drain(start..at);
                        for range in &mut statements[start..] {
                            *range = range.start - length..range.end - length;
                        }
                    }
                    at = start;
                }
                size /= 2;
            }
            block += 1;
        }
    }

    /// Replaces expressions by the values that they had last.
    fn values(&mut self) -> Result<(), Halt> {
        self.judge.phase = "values";
        let known = constants::last_values(self.judge, self.best, self.number);
        self.replace_each(|expression, _| {
            let value = known.get(&expression.bytes).cloned()?;
            (value.len() < expression.bytes.len()).then_some(value)
        })
    }

    /// Replaces expressions by zeros, by their operands, or by nothing.
    fn expressions(&mut self) -> Result<(), Halt> {
        self.judge.phase = "expressions";
        self.replace_each(|expression, _| {
            let zeros = expression.results.iter().map(|ty| zero(*ty)).collect::<Option<Vec<_>>>()?.concat();
            (zeros.len() < expression.bytes.len()).then_some(zeros)
        })?;
        for operand in 0..3 {
            self.replace_each(|expression, body| {
                match (&expression.results[..], expression.operands.get(operand)) {
                    ([result], Some((range, ty))) if result == ty => Some(body[range.clone()].to_vec()),
                    ([], Some((range, _))) => {
                        let mut kept = body[range.clone()].to_vec();
                        kept.extend_from_slice(&encoded(&Instruction::Drop));
                        (kept.len() < expression.bytes.len()).then_some(kept)
                    }
                    _ => None,
                }
            })?;
        }
        Ok(())
    }

    /// Tries a replacement for each expression, the longest first, and never for a part of one that was replaced.
    fn replace_each(&mut self, replacement: impl Fn(&Expression, &[u8]) -> Option<Vec<u8>>) -> Result<(), Halt> {
        let mut expressions = self.code().expressions;
        expressions.sort_by_key(|expression| std::cmp::Reverse(expression.bytes.len()));
        let mut body = self.bytes();
        // By where they were; what was replaced moves what follows it.
        let mut moved: Vec<(Range<usize>, isize)> = Vec::new();
        for expression in expressions {
            let inside =
                |range: &Range<usize>| range.start <= expression.bytes.start && expression.bytes.end <= range.end;
            let outside =
                |range: &Range<usize>| expression.bytes.start <= range.start && range.end <= expression.bytes.end;
            if moved.iter().any(|(range, _)| inside(range) || outside(range)) {
                continue;
            }
            let shift: isize =
                moved.iter().filter(|(range, _)| range.end <= expression.bytes.start).map(|(_, shift)| shift).sum();
            let place = |range: &Range<usize>| {
                range.start.saturating_add_signed(shift)..range.end.saturating_add_signed(shift)
            };
            let now = Expression {
                bytes: place(&expression.bytes),
                own: place(&expression.own),
                operands: expression.operands.iter().map(|(range, ty)| (place(range), *ty)).collect(),
                ..expression.clone()
            };
            // Known values are looked up by where the expression was.
            let key = Expression { operands: now.operands.clone(), ..expression.clone() };
            let Some(bytes) = replacement(&key, &body).filter(|bytes| bytes[..] != body[now.bytes.clone()]) else {
                continue;
            };
            let difference = bytes.len() as isize - now.bytes.len() as isize;
            if self.with(&[(now.bytes, bytes)])? {
                body = self.bytes();
                moved.push((expression.bytes, difference));
            }
        }
        Ok(())
    }

    /// Takes blocks apart.
    fn unwrap(&mut self) -> Result<(), Halt> {
        self.judge.phase = "blocks";
        let mut from = 0;
        loop {
            let unwrappings = self.code().unwrappings;
            let Some(splices) = unwrappings.get(from) else { return Ok(()) };
            if !self.with(splices)? {
                from += 1;
            }
        }
    }

    /// Makes constants 0.
    fn constants(&mut self) -> Result<(), Halt> {
        self.judge.phase = "constants";
        let mut from = 0;
        loop {
            let constants = self.code().constants;
            let Some((range, ty)) = constants.get(from).cloned() else { return Ok(()) };
            let gone = match zero(ty) {
                Some(zero) => self.with(&[(range, zero)])?,
                None => false,
            };
            from += usize::from(!gone);
        }
    }
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
