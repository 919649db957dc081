//! `forkpoint dump`: the events of a trace, one a line.

use crate::Answer;
use crate::args::DumpArgs;
use crate::open;
use crate::output::json_line;
use anyhow::{Result, bail};
use forkpoint_replay::{Symbols, describe, place_of, printable};
use forkpoint_traces::{Event, FuncIndex, Position, TraceReader};
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use std::io::{self, BufWriter, Write};

/// Runs the command.
pub fn run(args: &DumpArgs) -> Result<Answer> {
    let mut trace = open::reader(&args.file)?;
    let symbols = Symbols::new(trace.module().to_vec());
    let functions = match &args.func {
        Some(name) => Some(find_functions(name, &trace, &symbols)?),
        None => None,
    };
    let sites = trace.sites().clone();
    let from = args.from.unwrap_or(0);
    let to = args.to.unwrap_or(u64::MAX).min(trace.events());
    let wanted = |event: &Event| {
        let function = place_of(event, &sites).map(|(function, _)| function);
        functions.as_ref().is_none_or(|wanted| function.is_some_and(|function| wanted.contains(&function)))
            && (args.kind.is_empty() || args.kind.iter().any(|kind| kind == event.kind()))
            && args.addr.is_none_or(|(start, end)| {
                event
                    .written()
                    .is_some_and(|(_, address, length)| address < end && address.saturating_add(length) > start)
            })
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let mut names = HashMap::new();
    if from < to {
        for chunk in trace.chunk_of(Position(from))?..trace.chunks().len() {
            let first = trace.chunks()[chunk].first.0;
            if first >= to {
                break;
            }
            let mut events = Vec::new();
            let mut position = first;
            trace.read_chunk(chunk, |raw| {
                if (from..to).contains(&position) {
                    events.push((position, raw.site, raw.operands, raw.blob.to_vec()));
                }
                position += 1;
                Ok::<(), forkpoint_traces::TraceError>(())
            })?;
            for (position, site, operands, blob) in events {
                let raw = forkpoint_traces::RawEvent { site, operands, blob: &blob };
                let event = trace.event(&raw)?;
                if wanted(&event) {
                    if args.json {
                        write_json(&mut out, position, &event, &trace)?;
                    } else {
                        write_line(&mut out, position, &event, &trace, &symbols, &mut names)?;
                    }
                }
            }
        }
    }
    out.flush()?;
    if let Some(why) = trace.incomplete() {
        eprintln!("note: this trace is incomplete: {why}");
    }
    Ok(Answer::Yes)
}

/// A line of `--json`.
#[derive(Serialize)]
struct Line {
    position: u64,
    kind: &'static str,
    event: String,
    memory: Option<u32>,
    address: Option<u64>,
    width: Option<u64>,
    bytes: Option<String>,
    function: Option<u32>,
    offset: Option<u32>,
}

fn write_json(out: &mut impl Write, position: u64, event: &Event, trace: &TraceReader) -> Result<()> {
    let place = place_of(event, trace.sites());
    let written = event.written();
    let line = Line {
        position,
        kind: event.kind(),
        event: describe(event, trace.sites()),
        memory: written.map(|(memory, ..)| memory.0),
        address: written.map(|(_, address, _)| address),
        width: written.map(|(.., length)| length),
        bytes: event.bytes().map(hex),
        function: place.map(|(function, _)| function.0),
        offset: place.map(|(_, offset)| offset.0),
    };
    // As an error of the system: a reader that has gone is known by it.
    out.write_all(json_line(&line).map_err(io::Error::from)?.as_bytes())?;
    writeln!(out)?;
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

/// As `describe_with_place` has it. `names` keeps what is looked up and demangled, which takes longer than all
/// else here: once per function in place of once per event.
fn write_line(
    out: &mut impl Write,
    position: u64,
    event: &Event,
    trace: &TraceReader,
    symbols: &Symbols,
    names: &mut HashMap<FuncIndex, String>,
) -> Result<()> {
    write!(out, "{:>10}  {}", Position(position).to_string(), describe(event, trace.sites()))?;
    if let Some((function, offset)) = place_of(event, trace.sites()) {
        let name = names.entry(function).or_insert_with(|| symbols.function_name(function));
        write!(out, "  in {name} at {offset}")?;
    }
    writeln!(out)?;
    Ok(())
}

/// Functions with this index or name.
fn find_functions(name: &str, trace: &TraceReader, symbols: &Symbols) -> Result<HashSet<FuncIndex>> {
    let recorded: HashSet<FuncIndex> = trace.sites().iter().map(|(_, site)| site.func).collect();
    let bare = name.trim_start_matches('$');
    let found: HashSet<FuncIndex> = match bare.parse::<u32>() {
        Ok(index) => recorded.iter().copied().filter(|func| func.0 == index).collect(),
        Err(_) => recorded
            .iter()
            .copied()
            .filter(|func| symbols.function_name(*func).trim_start_matches('$') == bare)
            .collect(),
    };
    if found.is_empty() {
        bail!("no function `{}` with a memory-changing instruction in this trace", printable(name));
    }
    Ok(found)
}
