//! What parts of memory are for: data segments, stack and heap, as far as the module tells.

use super::ModuleSymbols;
use super::items::Item;
use forkpoint_traces::DataIndex;
use std::collections::HashMap;
use std::ops::Range;
use wasmparser::{ConstExpr, DataKind, DataSectionReader, GlobalSectionReader, Operator};

/// Most segments and globals that are read.
const MAX_READ: usize = 100_000;

/// What a part of memory is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Region {
    /// An active data segment.
    Data {
        /// Which one.
        segment: DataIndex,
        /// How far behind its first byte.
        offset: u64,
    },
    /// Variables that begin as zeros: between the last segment and what the linker calls the end of data.
    Zeroed,
    /// The stack that compilers keep in memory.
    Stack,
    /// What the program manages by itself, behind stack and data.
    Heap,
}

/// The regions of a module's memories.
#[derive(Debug, Default)]
pub(super) struct Regions {
    /// Memory, bytes and number of each active segment at a constant address, by memory and address.
    segments: Vec<(u32, Range<u64>, u32)>,
    /// Of memory 0, where it is known.
    stack: Option<Range<u64>>,
    zeroed: Option<Range<u64>>,
    heap: Option<u64>,
}

impl Regions {
    pub(super) fn parse(module: &ModuleSymbols) -> Regions {
        let mut regions = Regions { segments: segments(module), ..Regions::default() };
        let globals = constants(module);
        let named = |name: &str| {
            let exported = || {
                module.items().exports.iter().find(|(key, at)| {
                    key.0 == Item::Global && module.module.get((*at).clone()) == Some(name.as_bytes())
                })
            };
            let index = module.global_named(name).or_else(|| exported().map(|(key, _)| key.1))?;
            globals.get(&index).copied()
        };
        let data = regions.segments.iter().filter(|(memory, ..)| *memory == 0).map(|(_, bytes, _)| bytes.clone());
        let (mut data_start, mut data_end) = (u64::MAX, 0);
        for bytes in data {
            (data_start, data_end) = (data_start.min(bytes.start), data_end.max(bytes.end));
        }
        let end = named("__data_end");
        if let Some(end) = end.filter(|end| *end > data_end) {
            regions.zeroed = Some(data_end..end);
        }
        let heap = named("__heap_base");
        if let Some(top) = named("__stack_pointer") {
            if top <= data_start {
                // The stack lies below all data.
                regions.stack = Some(0..top);
                regions.heap = heap.or(end);
            } else {
                // Above data it begins where data end, which the last segment alone does not show.
                regions.stack = end.map(|end| end..top).filter(|stack| !stack.is_empty());
                regions.heap = Some(heap.unwrap_or(top));
            }
        } else {
            regions.heap = heap;
        }
        regions
    }

    /// What a byte is for.
    pub(super) fn at(&self, memory: u32, address: u64) -> Option<Region> {
        let after = self.segments.partition_point(|(owner, bytes, _)| (*owner, bytes.start) <= (memory, address));
        // Segments may overlap; the one that begins last is meant.
        let last = after.checked_sub(1).map(|last| &self.segments[last]);
        if let Some((owner, bytes, segment)) = last
            && *owner == memory
            && bytes.contains(&address)
        {
            return Some(Region::Data { segment: DataIndex(*segment), offset: address - bytes.start });
        }
        if memory != 0 {
            return None;
        }
        let within = |bytes: &Option<Range<u64>>| bytes.as_ref().is_some_and(|bytes| bytes.contains(&address));
        if within(&self.zeroed) {
            Some(Region::Zeroed)
        } else if within(&self.stack) {
            Some(Region::Stack)
        } else {
            self.heap.filter(|heap| address >= *heap).map(|_| Region::Heap)
        }
    }
}

fn segments(module: &ModuleSymbols) -> Vec<(u32, Range<u64>, u32)> {
    let reader = module.layout.data(&module.module).and_then(|reader| DataSectionReader::new(reader).ok());
    let mut segments = Vec::new();
    for (number, data) in (0u32..).zip(reader.into_iter().flatten().map_while(Result::ok).take(MAX_READ)) {
        if let DataKind::Active { memory_index, offset_expr } = data.kind
            && let Some(start) = constant(&offset_expr)
        {
            segments.push((memory_index, start..start.saturating_add(data.data.len() as u64), number));
        }
    }
    segments.sort_by_key(|(memory, bytes, _)| (*memory, bytes.start));
    segments
}

/// The values that globals of the module begin with, where these are numbers.
fn constants(module: &ModuleSymbols) -> HashMap<u32, u64> {
    let reader = module.layout.globals(&module.module).and_then(|reader| GlobalSectionReader::new(reader).ok());
    let globals = reader.into_iter().flatten().map_while(Result::ok).take(MAX_READ);
    let first = module.items().imported(Item::Global);
    (first..).zip(globals).filter_map(|(index, global)| Some((index, constant(&global.init_expr)?))).collect()
}

fn constant(expression: &ConstExpr<'_>) -> Option<u64> {
    match expression.get_operators_reader().read().ok()? {
        Operator::I32Const { value } => Some(u64::from(value as u32)),
        Operator::I64Const { value } => Some(value as u64),
        _ => None,
    }
}
