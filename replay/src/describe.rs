//! Events as one line of text, the same in `dump`, in reports and on the screen.

mod directive;
mod host;
mod store;
mod values;

pub(crate) use directive::words as directive_words;
pub use store::StoreText;

use crate::symbols::{Item, Symbols, Variable, printable};
use crate::typed::TypedValue;
use forkpoint_traces::{
    CodeOffset, Event, FuncIndex, GlobalState, Hex, HostEvent, MemoryIndex, MemoryState, Milestone, Observation,
    SiteTable,
};
use std::fmt::Write;
use values::values;

/// Most globals and tables that a line shows.
const SHOWN_GLOBALS: usize = 8;

/// The instruction of an event; for a trap, the one that trapped; for a host call, the one that calls.
pub fn place_of(event: &Event, sites: &SiteTable) -> Option<(FuncIndex, CodeOffset)> {
    match event {
        Event::Milestone(Milestone::Trapped { func, offset, .. }) => Some(((*func)?, (*offset)?)),
        Event::Host(HostEvent::Call(call)) => call.caller.and_then(|place| Some((place.func, place.offset?))),
        event => sites.get(event.site()?).map(|site| (site.func, site.offset)),
    }
}

/// The variable that an event writes, or part of: [`Symbols::written`].
///
/// ```
/// use forkpoint_replay::{Timeline, variable_of};
/// use forkpoint_traces::Position;
///
/// let mut timeline = Timeline::open("../traces/samples/orbit-jit.fpt".as_ref())?;
/// let event = timeline.event(Position(12))?;
/// // This module has no debug information.
/// assert_eq!(variable_of(&event, timeline.trace().sites(), timeline.symbols()), None);
/// # Ok::<(), forkpoint_replay::ReplayError>(())
/// ```
pub fn variable_of(event: &Event, sites: &SiteTable, symbols: &Symbols) -> Option<Variable> {
    let (memory, address, length) = event.written()?;
    let bytes = address..address.saturating_add(length);
    match event.site().and_then(|site| sites.get(site)) {
        Some(site) => symbols.written(site.offset, memory, &bytes),
        None => symbols.variable(memory, &bytes),
    }
}

/// [`describe`], followed by the place in the module.
pub fn describe_with_place(event: &Event, sites: &SiteTable, symbols: &Symbols) -> String {
    let line = describe(event, sites, symbols);
    if let Some((func, offset)) = place_of(event, sites) {
        return format!("{line}  in {} at {}", symbols.function_name(func), symbols.own_offset(offset));
    }
    match event {
        Event::Milestone(Milestone::Trapped { trap, func: Some(func), offset: None }) => {
            format!("trap: {trap}  in {}", symbols.function_name(*func))
        }
        _ => line,
    }
}

/// One line for an event: mnemonic, address, bytes and what they mean, without its place ([`place_of`]). Contains no
/// control character, whatever the trace holds.
pub fn describe(event: &Event, sites: &SiteTable, symbols: &Symbols) -> String {
    let mut line = describe_without_value(event, sites, symbols);
    if let Some(value) = TypedValue::of(event, sites, symbols) {
        let _ = write!(line, " = {value}");
    }
    line
}

/// [`describe`] with bytes only, for narrow columns.
pub fn describe_without_value(event: &Event, sites: &SiteTable, symbols: &Symbols) -> String {
    let op = event.op(sites).map_or("?", |op| op.mnemonic());
    let memory_name = |memory| memory_name(memory, symbols);
    match event {
        Event::Store { memory, address, value, .. } => {
            format!("{op} {}[{address:#010x}] <- {:#}", memory_name(*memory), Hex(value.bytes()))
        }
        Event::Grow { memory, delta, result, .. } => {
            let refused = || "refused (-1)".to_string();
            let answer = result.map_or_else(refused, |before| grown(*memory, before, *delta, symbols));
            format!("{op} {}by {delta} -> {answer}", memory_name(*memory))
        }
        Event::Fill { memory, address, byte, length, .. } => {
            format!("{op} {}[{address:#010x}; {length}] <- {byte:02x}", memory_name(*memory))
        }
        Event::Copy { memory, address, source_memory, source, length, .. } => format!(
            "{op} {}[{address:#010x}; {length}] <- {}[{source:#010x}]",
            memory_name(*memory),
            memory_name(*source_memory)
        ),
        Event::Init { memory, address, segment, source, length, .. } => {
            let segment = symbols.item(Item::Data, segment.0);
            format!("{op} {}[{address:#010x}; {length}] <- {segment}[{source:#x}]", memory_name(*memory))
        }
        Event::Drop { segment, .. } => format!("{op} {}", symbols.item_label(Item::Data, segment.0)),
        Event::Host(step) => host::describe(step, symbols),
        Event::StrayBytes { memory, address, bytes } => {
            format!("stray bytes {}[{address:#010x}; {}] = {:#}", memory_name(*memory), bytes.len(), Hex(bytes))
        }
        Event::Observed { memory, address, by, bytes } => format!(
            "memory holds {}[{address:#010x}; {}] = {:#} ({})",
            memory_name(*memory),
            bytes.len(),
            Hex(bytes),
            match by {
                Observation::ReadBack => "read back after the store",
                Observation::Checkpoint => "seen at a checkpoint",
                Observation::Watch => "seen after the event before",
            }
        ),
        Event::FoundSize { memory, pages } => {
            format!("{} has {}", memory_subject(*memory, symbols), symbols.pages(*memory, *pages))
        }
        Event::FoundOutside { memory, address } => {
            format!("the event before lies outside of memory: {}[{address:#010x}]", memory_name(*memory))
        }
        Event::Milestone(milestone) => describe_milestone(milestone, symbols),
    }
}

fn describe_milestone(milestone: &Milestone, symbols: &Symbols) -> String {
    match milestone {
        Milestone::Accepted { stage } => format!("accepted at {stage}"),
        Milestone::Memory { memory, pages, page_size } => {
            let unit = if *page_size == 65536 { String::new() } else { format!(" of {page_size} bytes") };
            let doubt = symbols.doubt(*memory, *pages);
            format!("{}: {pages} pages{unit}{doubt}", symbols.item(Item::Memory, memory.0))
        }
        Milestone::DataInit { segment, memory, address, length } => {
            let segment = symbols.item(Item::Data, segment.0);
            format!("{segment} -> {}[{address:#010x}; {length}]", memory_name(*memory, symbols))
        }
        Milestone::Invoke { function, arguments } => {
            // A function that has no other name than the one that is added for its calls.
            let number = function.strip_prefix("forkpoint:function.").and_then(|number| number.parse().ok());
            let name = number.map_or_else(|| printable(function), |number| symbols.function_name(FuncIndex(number)));
            format!("call {name}({})", values(arguments))
        }
        Milestone::Returned { results } if results.is_empty() => "return".to_string(),
        Milestone::Returned { results } => format!("return {}", values(results)),
        Milestone::Trapped { trap, func: Some(_), offset: Some(_) } => format!("trap: {trap}"),
        // Less than a whole place.
        Milestone::Trapped { trap, func, offset } => {
            let mut text = format!("trap: {trap}");
            if let Some(func) = func {
                let _ = write!(text, " in {}", symbols.function_name(*func));
            }
            if let Some(offset) = offset {
                let _ = write!(text, " at {offset}");
            }
            text
        }
        Milestone::Exited { code } => format!("exit with code {code}"),
        Milestone::Directive { number } => directive::describe(*number, symbols),
        Milestone::Refused { stage } => format!("refused at {stage}"),
        Milestone::Judged { passed: true } => "passed".to_string(),
        Milestone::Judged { passed: false } => "failed".to_string(),
        Milestone::End { outcome, memories, globals, tables } => {
            let mut text = format!("end: {outcome}");
            // All of them are listed in order, so none needs a number.
            let named = |item, index| symbols.item_name(item, index).map_or(String::new(), |name| format!("{name}="));
            let mut list = |name: &str, items: Vec<String>| {
                if !items.is_empty() {
                    let _ = write!(text, "; {name} {}", items.join(", "));
                }
            };
            // The digest's first digits are enough to see that two differ.
            let memory = |(index, memory): (u32, &MemoryState)| {
                let (pages, doubt) = (memory.pages, symbols.doubt(MemoryIndex(index), memory.pages));
                format!("{}{pages}{doubt} ({:08x})", named(Item::Memory, index), memory.digest >> 32)
            };
            list("memory pages (digest)", (0..).zip(memories).map(memory).collect());
            let global = |global: &GlobalState| {
                format!(
                    "{}={}",
                    symbols.item_label(Item::Global, global.index.0),
                    printable(&format!("{:#}", global.value))
                )
            };
            list("globals", globals.iter().take(SHOWN_GLOBALS).map(global).collect());
            let table = |(index, size): (u32, &u64)| format!("{}{size}", named(Item::Table, index));
            list("table sizes", (0..).zip(tables).take(SHOWN_GLOBALS).map(table).collect());
            text
        }
    }
}

/// The sizes before and after a memory grew. A size that no memory can have is only an engine's claim, and the real
/// one is unknown.
fn grown(memory: MemoryIndex, before: u64, delta: u64, symbols: &Symbols) -> String {
    match before.checked_add(delta).filter(|now| *now <= symbols.most_pages(memory)) {
        Some(now) => format!("{before} (now {now} pages)"),
        None => format!("{before}, says the engine"),
    }
}

/// A memory as the subject of a sentence.
fn memory_subject(memory: MemoryIndex, symbols: &Symbols) -> String {
    if is_the_only_one(memory, symbols) { "memory".to_string() } else { symbols.item(Item::Memory, memory.0) }
}

/// Memory 0 of a single module, nearly always the only one.
fn is_the_only_one(memory: MemoryIndex, symbols: &Symbols) -> bool {
    memory.0 == 0 && symbols.program().is_none()
}

/// Memory 0, nearly always the only one, is left out.
fn memory_name(memory: MemoryIndex, symbols: &Symbols) -> String {
    if is_the_only_one(memory, symbols) {
        String::new()
    } else {
        format!("{} ", symbols.item(Item::Memory, memory.0))
    }
}
