//! The places that a report names: instructions, and last writers.

use super::parts::{EventReport, PlaceReport, SiteReport};
use crate::describe::{describe, place_of};
use crate::divergence::MemoryEffect;
use crate::error::ReplayError;
use crate::symbols::{Item, Symbols};
use crate::timeline::Timeline;
use forkpoint_traces::{CodeOffset, Event, FuncIndex, Hex, MemoryOp, Milestone, Position, SiteTable};

/// The event that last wrote the bytes of a place. Before the divergence both timelines have the same events.
pub(super) fn writer(
    effect: &MemoryEffect,
    timeline: &mut Timeline,
    sites: &SiteTable,
    symbols: &Symbols,
) -> Result<Option<EventReport>, ReplayError> {
    let Some(position) = effect.last_writer else { return Ok(None) };
    let event = timeline.event(position)?;
    Ok(Some(EventReport::of(position, &event, sites, symbols)))
}

impl EventReport {
    /// An event at a position.
    pub fn of(position: Position, event: &Event, sites: &SiteTable, symbols: &Symbols) -> EventReport {
        EventReport { position, event: describe(event, sites, symbols), site: site_of(event, sites, symbols) }
    }
}

/// The instruction of an event: its site, or where it trapped.
pub(super) fn site_of(event: &Event, sites: &SiteTable, symbols: &Symbols) -> Option<SiteReport> {
    let (func, offset) = match event {
        Event::Milestone(Milestone::Trapped { func, offset: Some(offset), .. }) => {
            ((*func).or_else(|| symbols.function_at(*offset))?, *offset)
        }
        event => place_of(event, sites)?,
    };
    Some(site_at(func, offset, event.op(sites).map(MemoryOp::mnemonic), symbols))
}

/// An instruction by its place; `mnemonic` is its name for a module that does not show it.
pub(super) fn site_at(func: FuncIndex, offset: CodeOffset, mnemonic: Option<&str>, symbols: &Symbols) -> SiteReport {
    let frame = symbols.source(offset).into_iter().next();
    SiteReport {
        instance: symbols.instance(func),
        function: symbols.own_index(func),
        name: symbols.function_name(func),
        offset: symbols.own_offset(offset),
        place: (func, offset),
        instruction: symbols.instruction(offset).or_else(|| mnemonic.map(ToString::to_string)).unwrap_or_default(),
        file: frame.as_ref().and_then(|frame| frame.file.clone()),
        line: frame.as_ref().and_then(|frame| frame.line),
    }
}

impl SiteReport {
    /// The instruction at `offset` in `func`.
    pub fn at(func: FuncIndex, offset: CodeOffset, symbols: &Symbols) -> SiteReport {
        site_at(func, offset, None, symbols)
    }
}

impl PlaceReport {
    pub(super) fn new(
        effect: &MemoryEffect,
        timeline: &mut Timeline,
        sites: &SiteTable,
        symbols: &Symbols,
    ) -> Result<PlaceReport, ReplayError> {
        Ok(PlaceReport {
            memory: effect.memory,
            memory_name: symbols.item_name(Item::Memory, effect.memory.0),
            address: effect.address,
            before: Hex(effect.before.clone()),
            lhs_after: Hex(effect.lhs_after.clone()),
            rhs_after: Hex(effect.rhs_after.clone()),
            last_writer: writer(effect, timeline, sites, symbols)?,
            written_before: effect.written_before,
        })
    }
}
