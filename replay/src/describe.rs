//! Events as one line of text, the same in `dump`, in reports and on the screen.

mod host;

use crate::symbols::{Symbols, printable};
use forkpoint_traces::{
    CodeOffset, Event, FuncIndex, GlobalState, HostEvent, MemoryIndex, MemoryState, Milestone, Observation, SiteTable,
};
use std::fmt::Write;

/// Most bytes of a long write that a line shows.
const SHOWN_BYTES: usize = 16;

/// Most pages that a memory with 32-bit addresses has. What an engine answers beyond is its word, and no size that is
/// known.
const MOST_PAGES: u64 = 1 << 16;

/// Most globals and tables that a line shows.
const SHOWN_GLOBALS: usize = 8;

/// The instruction that an event stands at; for a trap, the one that trapped; for a host call, the one that calls.
pub fn place_of(event: &Event, sites: &SiteTable) -> Option<(FuncIndex, CodeOffset)> {
    match event {
        Event::Milestone(Milestone::Trapped { func, offset, .. }) => Some(((*func)?, (*offset)?)),
        Event::Host(HostEvent::Call(call)) => call.caller.and_then(|place| Some((place.func, place.offset?))),
        event => sites.get(event.site()?).map(|site| (site.func, site.offset)),
    }
}

/// [`describe`], and where in the module.
pub fn describe_with_place(event: &Event, sites: &SiteTable, symbols: &Symbols) -> String {
    let line = describe(event, sites);
    if let Some((func, offset)) = place_of(event, sites) {
        return format!("{line}  in {} at {offset}", symbols.function_name(func));
    }
    match event {
        Event::Milestone(Milestone::Trapped { trap, func: Some(func), offset: None }) => {
            format!("trap: {trap}  in {}", symbols.function_name(*func))
        }
        _ => line,
    }
}

/// One line for an event: mnemonic, address, value, without its place ([`place_of`]). Contains no control character, whatever the trace holds.
pub fn describe(event: &Event, sites: &SiteTable) -> String {
    let op = event.op(sites).map_or("?", |op| op.mnemonic());
    match event {
        Event::Store { memory, address, value, .. } => {
            format!("{op} {}[{address:#010x}] <- {}", memory_name(*memory), hex_bytes(value.bytes()))
        }
        Event::Grow { memory, delta, result, .. } => {
            let answer = result.map_or("refused (-1)".to_string(), |before| match before.saturating_add(*delta) {
                now if now <= MOST_PAGES => format!("{before} (now {now} pages)"),
                _ => format!("{before}, says the engine"),
            });
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
            format!("{op} {}[{address:#010x}; {length}] <- data {segment}[{source:#x}]", memory_name(*memory))
        }
        Event::Drop { segment, .. } => format!("{op} {segment}"),
        Event::Host(step) => host::describe(step),
        Event::StrayBytes { memory, address, bytes } => {
            format!("stray bytes {}[{address:#010x}; {}] = {}", memory_name(*memory), bytes.len(), hex_bytes(bytes))
        }
        Event::Observed { memory, address, by, bytes } => format!(
            "memory holds {}[{address:#010x}; {}] = {} ({})",
            memory_name(*memory),
            bytes.len(),
            hex_bytes(bytes),
            match by {
                Observation::ReadBack => "read back after the store",
                Observation::Checkpoint => "seen at a checkpoint",
                Observation::Watch => "seen after the event before",
            }
        ),
        Event::FoundSize { memory, pages } if *pages > MOST_PAGES => {
            format!("the engine says that {} has {pages} pages", memory_subject(*memory))
        }
        Event::FoundSize { memory, pages } => format!("{} has {pages} pages", memory_subject(*memory)),
        Event::FoundOutside { memory, address } => {
            format!("the event before lies outside of memory: {}[{address:#010x}]", memory_name(*memory))
        }
        Event::Milestone(milestone) => describe_milestone(milestone),
    }
}

fn describe_milestone(milestone: &Milestone) -> String {
    match milestone {
        Milestone::Accepted { stage } => format!("accepted at {stage}"),
        Milestone::Memory { memory, pages, page_size } => {
            let unit = if *page_size == 65536 { String::new() } else { format!(" of {page_size} bytes") };
            format!("memory {}: {pages} pages{unit}", memory.0)
        }
        Milestone::DataInit { segment, memory, address, length } => {
            format!("data {segment} -> {}[{address:#010x}; {length}]", memory_name(*memory))
        }
        Milestone::Invoke { function, arguments } => {
            format!("call {}({})", printable(function), printable(&arguments.join(", ")))
        }
        Milestone::Returned { results } if results.is_empty() => "return".to_string(),
        Milestone::Returned { results } => format!("return {}", printable(&results.join(", "))),
        Milestone::Trapped { trap, func: Some(_), offset: Some(_) } => format!("trap: {trap}"),
        // Less than a place.
        Milestone::Trapped { trap, func, offset } => {
            let mut text = format!("trap: {trap}");
            if let Some(func) = func {
                let _ = write!(text, " in func[{}]", func.0);
            }
            if let Some(offset) = offset {
                let _ = write!(text, " at {offset}");
            }
            text
        }
        Milestone::Exited { code } => format!("exit with code {code}"),
        Milestone::End { outcome, memories, globals, tables } => {
            let mut text = format!("end: {outcome}");
            let mut list = |name: &str, items: Vec<String>| {
                if !items.is_empty() {
                    let _ = write!(text, "; {name} {}", items.join(", "));
                }
            };
            // The digest's first digits are enough to see that two differ.
            let memory = |memory: &MemoryState| format!("{} ({:08x})", memory.pages, memory.digest >> 32);
            list("memory pages (digest)", memories.iter().map(memory).collect());
            let global = |global: &GlobalState| format!("{}={}", global.index, printable(&global.value));
            list("globals", globals.iter().take(SHOWN_GLOBALS).map(global).collect());
            list("table sizes", tables.iter().take(SHOWN_GLOBALS).map(u64::to_string).collect());
            text
        }
    }
}

/// Bytes in hexadecimal, the first sixteen of them.
pub fn hex_bytes(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().min(SHOWN_BYTES) * 3);
    for (i, byte) in bytes.iter().take(SHOWN_BYTES).enumerate() {
        let _ = write!(text, "{}{byte:02x}", if i == 0 { "" } else { " " });
    }
    if bytes.len() > SHOWN_BYTES {
        text.push_str(" ..");
    }
    text
}

/// The same as the subject of a sentence.
fn memory_subject(memory: MemoryIndex) -> String {
    if memory.0 == 0 { "memory".to_string() } else { format!("memory {}", memory.0) }
}

/// Memory 0, nearly always the only one, is left unsaid.
fn memory_name(memory: MemoryIndex) -> String {
    if memory.0 == 0 { String::new() } else { format!("memory {} ", memory.0) }
}
