//! Memory around what the two events wrote: before, and after each of them.

use crate::error::ReplayError;
use crate::report::Report;
use crate::timeline::Timeline;
use forkpoint_traces::{MemoryIndex, Position};
use serde::Serialize;

/// Bytes in a row, and rows before and after the one of the address.
const ROW: u64 = 16;
const BEFORE: u64 = 2;
const ROWS: u64 = 8;

/// A stretch of memory.
#[derive(Serialize)]
pub(super) struct Block {
    title: String,
    rows: Vec<MemoryRow>,
}

#[derive(Serialize)]
struct MemoryRow {
    address: String,
    before: Vec<Byte>,
    lhs: Vec<Byte>,
    rhs: Vec<Byte>,
}

/// A byte, and whether an event wrote another one there, and whether the sides hold different ones.
#[derive(Serialize)]
struct Byte {
    text: String,
    changed: bool,
    differs: bool,
}

/// Memory around the places that a report names.
pub(super) fn around(lhs: &mut Timeline, rhs: &mut Timeline, report: &Report) -> Result<Vec<Block>, ReplayError> {
    let Some(position) = report.position else { return Ok(Vec::new()) };
    let first = report.memory.zip(report.address);
    let second = report.elsewhere.as_ref().map(|place| (place.memory, place.address));
    let mut blocks = Vec::new();
    for (memory, address) in first.into_iter().chain(second) {
        let start = (address / ROW).saturating_sub(BEFORE) * ROW;
        let before = read(lhs, position, memory, start)?;
        let left = read(lhs, Position(position.next().0.min(lhs.len())), memory, start)?;
        let right = read(rhs, Position(position.next().0.min(rhs.len())), memory, start)?;
        let rows = (0..ROWS).map(|row| row_of(row, start, [&before, &left, &right]));
        let name = match (memory, &report.memory_name) {
            (MemoryIndex(0), _) => "memory".to_string(),
            (_, Some(name)) => format!("memory {name}"),
            (MemoryIndex(index), None) => format!("memory {index}"),
        };
        let rows = rows.filter(|row| !row.before.is_empty()).collect();
        blocks.push(Block { title: format!("{name} around {address:#x}"), rows });
    }
    Ok(blocks)
}

/// The bytes that are inside of memory.
fn read(
    timeline: &mut Timeline,
    position: Position,
    memory: MemoryIndex,
    start: u64,
) -> Result<Vec<u8>, ReplayError> {
    timeline.seek(position)?;
    let mut bytes = vec![0; (ROW * ROWS) as usize];
    let inside = timeline.memory().read(memory, start, &mut bytes);
    bytes.truncate(inside);
    Ok(bytes)
}

fn row_of(row: u64, start: u64, [before, left, right]: [&Vec<u8>; 3]) -> MemoryRow {
    let range = (row * ROW) as usize..((row + 1) * ROW) as usize;
    let bytes = |of: &Vec<u8>, is_after: bool| {
        let shown = range.clone().filter_map(|at| Some((at, *of.get(at)?)));
        let byte = |(at, byte): (usize, u8)| Byte {
            text: format!("{byte:02x}"),
            changed: is_after && before.get(at) != Some(&byte),
            differs: is_after && left.get(at) != right.get(at),
        };
        shown.map(byte).collect()
    };
    let address = format!("{:08x}", start.saturating_add(row * ROW));
    MemoryRow { address, before: bytes(before, false), lhs: bytes(left, true), rhs: bytes(right, true) }
}
