//! Scopes and variables: the event of a thread, who wrote its bytes before, and its native code.

use crate::frames;
use crate::memory::{self, Byte};
use crate::place::{Place, thread_of};
use forkpoint_replay::{ReplayError, Side, TypedValue, describe, describe_with_place, disassemble, site_range};
use forkpoint_traces::{Event, Hex, MemoryIndex};
use serde_json::{Value, json};
use std::sync::Arc;

/// Scopes of one thread are numbered from its number times this.
const SCOPES: i64 = 1000;

/// Most bytes that are shown of a long write.
const SHOWN: u64 = 64;

/// Most lines of native code.
const LINES: usize = 200;

/// A scope of a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    Event,
    Writer,
    Native,
}

impl Scope {
    const ALL: [Scope; 3] = [Scope::Event, Scope::Writer, Scope::Native];

    fn name(self) -> &'static str {
        match self {
            Scope::Event => "Event",
            Scope::Writer => "Last writer before",
            Scope::Native => "Native code",
        }
    }
}

/// Answers `scopes`.
pub(crate) fn scopes(side: Side) -> Value {
    let scope = |(number, scope): (usize, Scope)| {
        json!({
            "name": scope.name(),
            "variablesReference": thread_of(side) * SCOPES + number as i64 + 1,
            // A search through the trace.
            "expensive": scope == Scope::Writer,
        })
    };
    json!({ "scopes": Scope::ALL.into_iter().enumerate().map(scope).collect::<Vec<_>>() })
}

/// The side and the scope of a number.
fn scope_of(place: &Place, reference: i64) -> Option<(Side, Scope)> {
    let number = usize::try_from(reference % SCOPES).ok()?.checked_sub(1)?;
    Some((place.side(reference / SCOPES)?, *Scope::ALL.get(number)?))
}

/// Answers `variables`.
pub(crate) fn variables(place: &mut Place, reference: i64) -> Result<Value, String> {
    let found = scope_of(place, reference).ok_or_else(|| format!("there are no variables {reference}"))?;
    let variables = match found {
        (side, Scope::Event) => of_event(place, side),
        (side, Scope::Writer) => of_writer(place, side),
        (side, Scope::Native) => native(place, side),
    };
    Ok(json!({ "variables": variables.map_err(|error| error.to_string())? }))
}

/// The bytes that the name of a variable of such a scope stands for.
pub(crate) fn bytes_of(place: &mut Place, reference: i64, name: &str) -> Result<Option<(Byte, u64)>, ReplayError> {
    let Some((side, Scope::Event)) = scope_of(place, reference) else { return Ok(None) };
    if !["address", "stored", "memory before"].contains(&name) {
        return Ok(None);
    }
    Ok(written(place, side)?.filter(|(_, length)| *length > 0))
}

/// The bytes that a side's event writes.
fn written(place: &mut Place, side: Side) -> Result<Option<(Byte, u64)>, ReplayError> {
    let Some((_, event)) = place.event(side)? else { return Ok(None) };
    Ok(event.written().map(|(memory, address, length)| (Byte { side, memory, address }, length)))
}

fn variable(name: &str, value: impl Into<String>) -> Value {
    json!({ "name": name, "value": value.into(), "variablesReference": 0 })
}

fn of_event(place: &mut Place, side: Side) -> Result<Vec<Value>, ReplayError> {
    let Some((position, event)) = place.event(side)? else { return Ok(Vec::new()) };
    let timeline = place.timeline(side);
    let (sites, symbols) = (Arc::clone(timeline.trace().sites()), Arc::clone(timeline.symbols()));
    let mut all =
        vec![variable("event", describe(&event, &sites, &symbols)), variable("position", position.to_string())];
    if let Some((func, offset)) = frames::instruction(place, side)? {
        let instruction = symbols.instruction(offset).unwrap_or_default();
        let own = symbols.own_offset(offset);
        all.push(variable("place", format!("{instruction} in {} at {own}", symbols.function_name(func))));
    }
    if let Some((memory, address, length)) = event.written() {
        let byte = Byte { side, memory, address };
        let mut at = variable("address", format!("{address:#x}"));
        at["memoryReference"] = byte.to_string().into();
        all.push(at);
        if let Some(value) = TypedValue::of(&event, &sites, &symbols) {
            let mut stored = variable("stored", value.to_string());
            stored["type"] = value.ty.into();
            all.push(stored);
        }
        let before = memory::bytes(place, byte, length.min(SHOWN));
        let more = if length > SHOWN { " ..." } else { "" };
        all.push(variable("memory before", format!("{:#}{more}", Hex(&before))));
    }
    if place.differs()? {
        let words = other(place, side.other())?;
        all.push(variable(side.other().word(), words));
    }
    Ok(all)
}

/// The other run's event in the row, in words.
fn other(place: &mut Place, side: Side) -> Result<String, ReplayError> {
    let Some((position, event)) = place.event(side)? else { return Ok("no event".to_string()) };
    let timeline = place.timeline(side);
    Ok(format!("{position} {}", describe_with_place(&event, timeline.trace().sites(), timeline.symbols())))
}

fn of_writer(place: &mut Place, side: Side) -> Result<Vec<Value>, ReplayError> {
    let (Some((position, _)), Some((byte, length))) = (place.event(side)?, written(place, side)?) else {
        return Ok(Vec::new());
    };
    let words = writer(place, byte, length, position)?;
    Ok(vec![variable("last writer", words)])
}

/// The last event before `position` that wrote any of these bytes, in words.
pub(crate) fn writer(
    place: &mut Place,
    byte: Byte,
    length: u64,
    position: forkpoint_traces::Position,
) -> Result<String, ReplayError> {
    let Byte { side, memory, address } = byte;
    let timeline = place.timeline(side);
    let bytes = address..address.saturating_add(length.max(1));
    let Some(found) = timeline.last_writer(memory, bytes, position)? else {
        return Ok("none: nothing has written there".to_string());
    };
    let event: Event = timeline.event(found)?;
    Ok(format!("{found} {}", describe_with_place(&event, timeline.trace().sites(), timeline.symbols())))
}

fn native(place: &mut Place, side: Side) -> Result<Vec<Value>, ReplayError> {
    let Some((func, offset)) = frames::instruction(place, side)? else { return Ok(Vec::new()) };
    let timeline = place.timeline(side);
    let target = timeline.trace().header().engine.target.clone();
    let Some(function) = timeline.trace().native_code(func)? else {
        return Ok(vec![variable("none", "the trace has no native code of this function")]);
    };
    let lines = match disassemble(&target, &function) {
        Ok(lines) => lines,
        Err(error) => return Ok(vec![variable("none", error.to_string())]),
    };
    let range = site_range(&lines, offset);
    let of_store = range.store.into_iter().flatten().map(|line| (line, ""));
    let of_recorder = range.recorder.into_iter().flatten().map(|line| (line, "  (recorder)"));
    let mut shown: Vec<(usize, &str)> = of_store.chain(of_recorder).collect();
    shown.sort_unstable();
    let line = |(number, note): (usize, &str)| {
        lines.get(number).map(|line| variable(&format!("{:#x}", line.address), format!("{}{note}", line.text)))
    };
    Ok(shown.into_iter().take(LINES).filter_map(line).collect())
}

/// A memory of a side by its number, if there is one.
pub(crate) fn has_memory(place: &mut Place, side: Side, memory: MemoryIndex) -> bool {
    place.timeline(side).memory().size(memory).is_some()
}
