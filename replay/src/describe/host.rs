//! Host calls in their own words: `fd_write(fd=1, iovs="checksum = 61D8")`.

use super::values::values;
use super::{grown, memory_name};
use crate::symbols::Item;
use crate::symbols::{Symbols, printable};
use forkpoint_traces::wasi::{self, Role};
use forkpoint_traces::{GuestOutcome, Hex, HostCall, HostEvent, HostOutcome, HostRead, Import, ValueType, WasmValue};

/// Most characters of a text that a line shows.
const SHOWN_TEXT: usize = 60;

/// One line for a step of a host call.
pub(super) fn describe(step: &HostEvent, symbols: &Symbols) -> String {
    let memory_name = |memory| memory_name(memory, symbols);
    match step {
        HostEvent::Call(call) => describe_call(call),
        HostEvent::Write { memory, address, bytes } => {
            format!("host write {}[{address:#010x}; {}] <- {:#}", memory_name(*memory), bytes.len(), Hex(bytes))
        }
        HostEvent::Grow { memory, delta, before } => {
            format!("host grows {}by {delta} -> {}", memory_name(*memory), grown(*memory, *before, *delta, symbols))
        }
        HostEvent::Return { import, outcome } => {
            let name = name(import);
            match outcome {
                HostOutcome::Returned(results) => format!("{name} -> {}", results_of(import, results)),
                HostOutcome::Trapped(message) => format!("{name} traps: {}", printable(message)),
                HostOutcome::Exited(code) => format!("{name} ends the guest with code {code}"),
            }
        }
        HostEvent::Enter { function, arguments } => {
            format!("host calls {}({})", symbols.function_name(*function), values(arguments))
        }
        HostEvent::Leave { function, outcome } => {
            let name = symbols.function_name(*function);
            match outcome {
                GuestOutcome::Returned(results) if results.is_empty() => format!("{name} returns to the host"),
                GuestOutcome::Returned(results) => format!("{name} -> {} to the host", values(results)),
                GuestOutcome::Trapped(trap) => format!("{name} is left by {trap}"),
            }
        }
        HostEvent::SetGlobal { global, value } => {
            format!("host sets {} <- {}", symbols.item(Item::Global, global.0), printable(&value.to_string()))
        }
        HostEvent::SetElement { table, index, function } => {
            let value = function.map_or_else(|| "null".to_string(), |function| symbols.function_name(function));
            format!("host sets {}[{index}] <- {value}", symbols.item(Item::Table, table.0))
        }
        HostEvent::SetReference { table, index, value } => {
            let value = printable(&value.to_string());
            format!("host sets {}[{index}] <- {value}", symbols.item(Item::Table, table.0))
        }
        HostEvent::SetFunction { table, index, function, parameters, results } => {
            let types = |types: &[ValueType]| types.iter().map(|ty| ty.to_string()).collect::<Vec<_>>().join(" ");
            let (parameters, results) = (types(parameters), types(results));
            let table = symbols.item(Item::Table, table.0);
            format!("host sets {table}[{index}] <- its function {} ({parameters}) -> ({results})", function.0)
        }
        HostEvent::GrowTable { table, delta, before } => {
            let size = before.saturating_add(*delta);
            format!("host grows {} by {delta} -> {size} elements", symbols.item(Item::Table, table.0))
        }
    }
}

/// WASI's functions go by their name, others by module and name.
fn name(import: &Import) -> String {
    if import.module == wasi::MODULE { printable(&import.name) } else { printable(&import.to_string()) }
}

fn results_of(import: &Import, results: &[WasmValue]) -> String {
    match results {
        [] => "returns".to_string(),
        [WasmValue::I32(number)] if import.module == wasi::MODULE => match wasi::errno(*number) {
            Some(word) => word.to_string(),
            None => format!("error {number}"),
        },
        results => values(results),
    }
}

fn describe_call(call: &HostCall) -> String {
    let signature = match call.import.module == wasi::MODULE {
        true => wasi::signature(&call.import.name),
        false => None,
    };
    let arguments: Vec<String> = match signature.filter(|signature| signature.len() == call.arguments.len()) {
        Some(signature) => {
            let before = std::iter::once(Role::Number).chain(signature.iter().map(|(_, role)| *role));
            let arguments = signature.iter().zip(before).zip(&call.arguments);
            arguments
                .filter_map(|((&(name, role), before), value)| match (before, role) {
                    // The size of the guest's buffer is worth knowing, as its contents are not shown.
                    (Role::Fill | Role::Counted, Role::Length) => Some(format!("{name}={value}")),
                    _ => in_words(name, role, value, &call.reads),
                })
                .collect()
        }
        None => call.arguments.iter().map(|value| printable(&value.to_string())).collect(),
    };
    let reading = match (signature, call.reads.as_slice()) {
        (None, [_, ..]) => format!(" reading {}", text(&call.reads.iter().collect::<Vec<_>>())),
        _ => String::new(),
    };
    format!("{}({}){reading}", name(&call.import), arguments.join(", "))
}

/// An argument by its name; an argument that only points to a result is left out.
fn in_words(name: &str, role: Role, value: &WasmValue, reads: &[HostRead]) -> Option<String> {
    let address = match value {
        WasmValue::I32(value) => u64::from(*value as u32),
        WasmValue::I64(value) => *value as u64,
        _ => return Some(format!("{name}={}", printable(&value.to_string()))),
    };
    match role {
        Role::Number => Some(format!("{name}={value}")),
        Role::Text => {
            let read = reads.iter().find(|read| read.address == address)?;
            Some(format!("{name}={}", text(&[read])))
        }
        Role::Gather => {
            // The pairs themselves are the first read.
            let buffers: Vec<&HostRead> = reads.iter().skip(1).collect();
            Some(format!("{name}={}", text(&buffers)))
        }
        Role::Subscriptions => Some(format!("{name}={address:#x}")),
        Role::Length | Role::Scatter | Role::Fill | Role::Counted | Role::Out(_) | Role::Events | Role::Strings => {
            None
        }
    }
}

/// The bytes of several reads as one quoted text, followed by their number if some are not shown.
fn text(reads: &[&HostRead]) -> String {
    let length = reads.iter().fold(0u64, |sum, read| sum.saturating_add(read.length));
    let mut known = Vec::new();
    for read in reads {
        known.extend_from_slice(&read.start);
        if (read.start.len() as u64) < read.length {
            break;
        }
    }
    let shown: String = String::from_utf8_lossy(&known).chars().take(SHOWN_TEXT).collect();
    let whole = shown.len() as u64 == length;
    let escaped = printable(&shown.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"));
    if whole { format!("\"{escaped}\"") } else { format!("\"{escaped}…\" ({length} bytes)") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use forkpoint_traces::{FuncIndex, MemoryIndex};

    fn call(name: &str, arguments: &[i32], reads: Vec<HostRead>) -> String {
        let import = Import { module: wasi::MODULE.to_string(), name: name.to_string() };
        let arguments = arguments.iter().map(|value| WasmValue::I32(*value)).collect();
        let call = HostCall { function: FuncIndex(0), import, arguments, reads, caller: None };
        describe(&HostEvent::Call(call), &Symbols::new(Vec::new()))
    }

    #[test]
    fn calls_are_spelled_out() {
        let read = |address, bytes: &[u8]| HostRead::of(MemoryIndex(0), address, bytes);
        assert_eq!(
            call("fd_write", &[1, 16, 2, 8], vec![read(16, &[0; 16]), read(64, b"check\x1b[2J"), read(99, b"sum\n")]),
            "fd_write(fd=1, iovs=\"check\\u{1b}[2Jsum\\n\")"
        );
        assert_eq!(
            call("path_open", &[3, 1, 32, 1, 0, 0, 0, 0, 8], vec![read(32, b"a")]),
            "path_open(fd=3, dirflags=1, path=\"a\", oflags=0, rights_base=0, rights_inheriting=0, fdflags=0)"
        );
        assert_eq!(call("fd_read", &[0, 16, 1, 8], Vec::new()), "fd_read(fd=0)");
        assert_eq!(call("fd_write", &[1], Vec::new()), "fd_write(1)", "not the function of the specification");
        let long = call("fd_write", &[1, 16, 1, 8], vec![read(16, &[0; 8]), read(64, &[b'x'; 1000])]);
        assert!(long.ends_with("xxx…\" (1000 bytes))"), "{long}");
    }

    #[test]
    fn returns_name_the_error() {
        let import = |module: &str| Import { module: module.to_string(), name: "f".to_string() };
        let end = |module, outcome| {
            describe(&HostEvent::Return { import: import(module), outcome }, &Symbols::new(Vec::new()))
        };
        assert_eq!(end(wasi::MODULE, HostOutcome::Returned(vec![WasmValue::I32(8)])), "f -> badf");
        assert_eq!(end("env", HostOutcome::Returned(vec![WasmValue::I32(8)])), "env.f -> 8");
        assert_eq!(end("env", HostOutcome::Trapped("no\r".to_string())), "env.f traps: no\\u{d}");
        assert_eq!(end("env", HostOutcome::Exited(3)), "env.f ends the guest with code 3");
    }
}
