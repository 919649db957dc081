//! `forkpoint dump`: the events of a trace, one per line.

use crate::answer::Answer;
use crate::args::DumpArgs;
use crate::files;
use crate::output::{Lines, tell};
use crate::progress;
use anyhow::{Result, bail};
use forkpoint_compare::json_line;
use forkpoint_replay::{Item, Symbols, TypedValue, describe, place_of, printable};
use forkpoint_traces::{CodeOffset, Event, FuncIndex, Hex, MemoryIndex, Position, SiteTable, TraceReader};
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Runs the command.
pub fn run(args: &DumpArgs) -> Result<Answer> {
    let mut trace = files::reader(&args.file)?;
    let symbols = Symbols::new(Arc::clone(trace.module()));
    let functions = match &args.func {
        Some(name) => Some(find_functions(name, &trace, &symbols)?),
        None => None,
    };
    let sites = trace.sites().clone();
    let from = args.from.unwrap_or_default();
    let end = Position(trace.events());
    if let Some(to) = args.to.filter(|to| from >= *to) {
        bail!("--from {from} is not before --to {to}: --to is one past the last event");
    }
    if args.from.is_some() && from >= end {
        bail!("--from {from} is past the end: this trace has {} events", trace.events());
    }
    if args.to.is_some_and(|to| to > end) {
        tell(&format!("note: this trace ends before --to: it has {} events", trace.events()));
    }
    let to = args.to.unwrap_or(end).min(end);
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
    // On a terminal, the events themselves show progress.
    let shown = progress::show(io::stdout().is_terminal());
    let done = progress::events("dump", to.0.saturating_sub(from.0));
    let mut out = Lines::new();
    let mut places = Places { symbols, functions: HashMap::new(), instructions: HashMap::new() };
    if from < to {
        for chunk in trace.chunk_of(from)?..trace.chunks().len() {
            let first = trace.chunks()[chunk].first;
            if first >= to {
                break;
            }
            let mut next = first;
            trace.read_chunk(chunk, |raw| {
                let position = next;
                next = next.next();
                if !(from..to).contains(&position) {
                    return Ok(());
                }
                done.fetch_add(1, Ordering::Relaxed);
                let event = Event::read(&raw, &sites)?;
                match (wanted(&event), args.json) {
                    (false, _) => Ok(()),
                    (true, true) => write_json(&mut out, position, &event, &sites, &mut places),
                    (true, false) => write_line(&mut out, position, &event, &sites, &mut places),
                }
            })?;
        }
    }
    out.finish()?;
    drop(shown);
    if let Some(why) = trace.incomplete() {
        tell(&format!("note: this trace is incomplete: {}", printable(why)));
    }
    Ok(Answer::Yes)
}

/// A line of `--json`.
#[derive(Serialize)]
struct Line<'a> {
    position: Position,
    kind: &'static str,
    event: String,
    memory: Option<MemoryIndex>,
    memory_name: Option<String>,
    address: Option<u64>,
    width: Option<u64>,
    bytes: Option<Hex<&'a [u8]>>,
    /// The stored bytes as a value, typed by the instruction that stores them.
    value: Option<TypedValue>,
    function: Option<FuncIndex>,
    /// The function's name.
    name: Option<String>,
    offset: Option<CodeOffset>,
    /// The instruction in the text format.
    instruction: Option<String>,
    file: Option<String>,
    line: Option<u32>,
}

fn write_json(
    out: &mut Lines,
    position: Position,
    event: &Event,
    sites: &SiteTable,
    places: &mut Places,
) -> Result<()> {
    let place = place_of(event, sites);
    let instruction = place.map(|(_, offset)| places.instruction(offset).clone());
    let written = event.written();
    let line = Line {
        position,
        kind: event.kind(),
        event: describe(event, sites, &places.symbols),
        memory: written.map(|(memory, ..)| memory),
        memory_name: written.and_then(|(memory, ..)| places.symbols.item_name(Item::Memory, memory.0)),
        address: written.map(|(_, address, _)| address),
        width: written.map(|(.., length)| length),
        bytes: event.bytes().map(Hex),
        value: TypedValue::of(event, sites, &places.symbols),
        function: place.map(|(function, _)| function),
        name: place.map(|(function, _)| places.function(function).to_string()),
        offset: place.map(|(_, offset)| offset),
        instruction: instruction.as_ref().map(|at| at.text.clone()),
        file: instruction.as_ref().and_then(|at| at.source.as_ref().map(|(file, _)| file.clone())),
        line: instruction.as_ref().and_then(|at| at.source.as_ref().and_then(|(_, line)| *line)),
    };
    // As an I/O error, by which a closed output is recognised.
    out.line(&json_line(&line).map_err(io::Error::from)?)?;
    Ok(())
}

/// The text of `describe_with_place`, and the source line if the module has one.
fn write_line(
    out: &mut Lines,
    position: Position,
    event: &Event,
    sites: &SiteTable,
    places: &mut Places,
) -> Result<()> {
    let event_line = describe(event, sites, &places.symbols);
    let mut line = format!("{:>10}  {event_line}", position.to_string());
    if let Some((function, offset)) = place_of(event, sites) {
        line.push_str(&format!("  in {} at {offset}", places.function(function)));
        if let Some((file, number)) = &places.instruction(offset).source {
            line.push_str(&format!("  {}", printable(file)));
            line.extend(number.map(|number| format!(":{number}")));
        }
    }
    out.line(&line)?;
    Ok(())
}

/// Results of earlier look-ups, the slowest part of this command: one look-up per place, not one per event.
struct Places {
    symbols: Symbols,
    functions: HashMap<FuncIndex, String>,
    instructions: HashMap<CodeOffset, Instruction>,
}

/// An instruction in the text format, and the file and line it comes from.
#[derive(Clone)]
struct Instruction {
    text: String,
    source: Option<(String, Option<u32>)>,
}

impl Places {
    fn function(&mut self, function: FuncIndex) -> &str {
        self.functions.entry(function).or_insert_with(|| self.symbols.function_name(function))
    }

    fn instruction(&mut self, offset: CodeOffset) -> &Instruction {
        self.instructions.entry(offset).or_insert_with(|| {
            let frame = self.symbols.source(offset).into_iter().next();
            Instruction {
                text: self.symbols.instruction(offset).unwrap_or_default(),
                source: frame.and_then(|frame| Some((frame.file?, frame.line))),
            }
        })
    }
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
