//! What JavaScript gives a module at its instantiation besides functions and memories: values of globals, and sizes of tables.
//!
//! In a recording these are the first steps of the host: it sets each imported global, and grows each imported table that is
//! larger than the module asks for.

use crate::error::RecordError;
use crate::host::function::ResultType;
use crate::instrument::{Given, Reach};
use forkpoint_traces::{GlobalIndex, HostEvent, TableIndex, TraceReader, WasmValue};

/// Most elements of a table: the limit of the interface of JavaScript.
const MOST_ELEMENTS: u64 = 10_000_000;

/// Reads it from a recording.
pub(super) fn read(trace: &TraceReader, reach: &Reach) -> Result<Given, RecordError> {
    let mut given = Given { tables: reach.imported_tables.clone(), ..Given::default() };
    if reach.imported_globals.is_empty() && reach.imported_tables.is_empty() {
        return Ok(given);
    }
    let mut log = trace.host_log()?;
    while let Some(event) = log.next_event()? {
        match event {
            HostEvent::Enter { .. } | HostEvent::Call(_) => break,
            HostEvent::SetGlobal { global, value } => {
                if let Some(ty) = reach.imported_globals.get(&global.0)
                    && !given.globals.contains_key(&global.0)
                {
                    if !ResultType::from(*ty).fits(&value) {
                        return Err(damaged(&format!("imported global {} has another type than {value}", global.0)));
                    }
                    given.globals.insert(global.0, value);
                }
            }
            HostEvent::GrowTable { table, delta, before } => {
                if let Some(size) = given.tables.get_mut(&table.0) {
                    *size = grown(*size, delta, before)?;
                }
            }
            _ => {}
        }
    }
    match reach.imported_globals.keys().find(|global| !given.globals.contains_key(global)) {
        Some(global) => Err(damaged(&format!("it does not say what imported global {global} was at first"))),
        None => Ok(given),
    }
}

/// Checks what the process of a program in JavaScript says of a module that it instantiates.
pub(in crate::record) fn said(
    globals: Vec<WasmValue>,
    tables: Vec<u64>,
    reach: &Reach,
) -> Result<Given, RecordError> {
    let wrong = |what: &str| RecordError::Protocol(format!("what a module is given: {what}"));
    if globals.len() != reach.imported_globals.len() || tables.len() != reach.imported_tables.len() {
        return Err(wrong("other globals or tables than it imports"));
    }
    let mut given = Given::default();
    for ((global, ty), value) in reach.imported_globals.iter().zip(globals) {
        if !ResultType::from(*ty).fits(&value) {
            return Err(wrong("a global of another type"));
        }
        given.globals.insert(*global, value);
    }
    for ((table, least), size) in reach.imported_tables.iter().zip(tables) {
        if size < *least || size > MOST_ELEMENTS {
            return Err(wrong("a table of another size"));
        }
        given.tables.insert(*table, size);
    }
    Ok(given)
}

/// The same as steps of the host.
pub(in crate::record) fn steps(given: &Given, reach: &Reach) -> Vec<HostEvent> {
    let global = |(global, value): (&u32, &WasmValue)| {
        let (global, value) = (GlobalIndex(*global), value.clone());
        HostEvent::SetGlobal { global, value }
    };
    let table = |(table, size): (&u32, &u64)| {
        let before = *reach.imported_tables.get(table)?;
        let delta = size.checked_sub(before).filter(|delta| *delta > 0)?;
        Some(HostEvent::GrowTable { table: TableIndex(*table), delta, before })
    };
    given.globals.iter().map(global).chain(given.tables.iter().filter_map(table)).collect()
}

/// The error for a recording that cannot be run again.
pub(super) fn damaged(what: &str) -> RecordError {
    RecordError::HostLog { what: format!("the recording cannot be replayed: {what}") }
}

fn grown(size: u64, delta: u64, before: u64) -> Result<u64, RecordError> {
    let after = size.checked_add(delta).filter(|after| before == size && *after <= MOST_ELEMENTS);
    after
        .ok_or_else(|| damaged(&format!("an imported table of {size} elements cannot grow from {before} by {delta}")))
}
