//! Takes data out of a module, and makes its memories small.

use super::candidate::Candidate;
use super::error::EditError;
use super::judge::{Halt, Judge};
use super::parts::Parts;
use super::sections::Sections;
use super::shrink::pieces;
use std::ops::Range;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{DataSection, MemorySection};
use wasmparser::DataKind;

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
pub(super) fn memory(judge: &mut Judge<'_>, best: &mut Candidate) -> Result<(), Halt> {
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
