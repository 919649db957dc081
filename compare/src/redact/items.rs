//! What a host gave its guest, by where it came from.

use super::Choice;
use super::bytes::Strength;
use forkpoint_traces::wasi::{self, Role, Signature};
use forkpoint_traces::{Header, HostCall, HostEvent, Step, TraceError, TraceReader, WasmValue};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

/// Something that a guest was given.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Item {
    /// One of its arguments, from 0, which is the program's name.
    Argument(usize),
    /// A variable of its environment, from 0.
    Variable(usize),
    /// Bytes that were put into memory for calls.
    Put,
    /// What it read from the descriptor of this number; 0 is standard input.
    Descriptor(i32),
    /// Names of files and folders.
    Names,
    /// Random numbers.
    Random,
    /// What another import wrote into memory.
    Import(String),
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Item::Argument(number) => write!(f, "argument {number}"),
            Item::Variable(number) => write!(f, "variable {number} of the environment"),
            Item::Put => f.write_str("bytes put into memory for calls"),
            Item::Descriptor(0) => f.write_str("standard input"),
            Item::Descriptor(number) => write!(f, "contents read from descriptor {number}"),
            Item::Names => f.write_str("names of files and folders"),
            Item::Random => f.write_str("random numbers"),
            Item::Import(import) => write!(f, "what {import} wrote"),
        }
    }
}

/// Length of the head of an entry that `fd_readdir` writes, and where in it the length of the name is: dirent of the
/// WASI preview 1 specification.
const ENTRY: usize = 24;
const ENTRY_NAME: usize = 16;

/// The items of a recording, and how many bytes each has.
pub(super) fn found(trace: &TraceReader) -> Result<BTreeMap<Item, u64>, TraceError> {
    let mut items = BTreeMap::new();
    let mut log = trace.host_log()?;
    let mut call = None;
    while let Some(event) = log.next_event()? {
        match event {
            HostEvent::Call(called) => call = Some(called),
            HostEvent::Write { address, bytes, .. } => {
                for (item, range) in call.iter().flat_map(|call| given(call, address, &bytes)) {
                    *items.entry(item).or_default() += range.len() as u64;
                }
            }
            _ => {}
        }
    }
    let put: u64 = trace.header().steps.iter().map(|step| put(step).map_or(0, |bytes| bytes.len() as u64)).sum();
    if put > 0 {
        items.insert(Item::Put, put);
    }
    Ok(items)
}

fn put(step: &Step) -> Option<&[u8]> {
    match step {
        Step::Put(put) => Some(&put.bytes),
        Step::Call(_) => None,
    }
}

/// What is in the bytes that a call wrote at `address`: pointers and lengths are nothing that was given.
fn given(call: &HostCall, address: u64, bytes: &[u8]) -> Vec<(Item, Range<usize>)> {
    let all = |item: Item| vec![(item, 0..bytes.len())];
    let signature = if call.import.module == wasi::MODULE { wasi::signature(&call.import.name) } else { None };
    let Some(signature) = signature else { return all(Item::Import(call.import.to_string())) };
    let argument = |at: usize| match call.arguments.get(at) {
        Some(WasmValue::I32(value)) => Some(u64::from(*value as u32)),
        _ => None,
    };
    if is_result(signature, &argument, address) {
        return Vec::new();
    }
    match (call.import.name.as_str(), call.arguments.as_slice()) {
        ("args_get", _) => strings(argument(0), argument(1), address, bytes, Item::Argument),
        ("environ_get", _) => strings(argument(0), argument(1), address, bytes, Item::Variable),
        ("fd_read" | "fd_pread" | "sock_recv", [WasmValue::I32(number), ..]) => all(Item::Descriptor(*number)),
        ("fd_prestat_dir_name" | "path_readlink", _) => all(Item::Names),
        ("fd_readdir", _) => names(bytes).into_iter().map(|range| (Item::Names, range)).collect(),
        ("random_get", _) => all(Item::Random),
        // Times, sizes and states: numbers that say little.
        _ => Vec::new(),
    }
}

/// The strings in bytes written at `address`, whose pointers lie at `pointers` and which lie at `strings`.
fn strings(
    pointers: Option<u64>,
    strings: Option<u64>,
    address: u64,
    bytes: &[u8],
    item: fn(usize) -> Item,
) -> Vec<(Item, Range<usize>)> {
    let (Some(pointers), Some(strings)) = (pointers, strings) else { return Vec::new() };
    let end = address.saturating_add(bytes.len() as u64);
    let text = if pointers < strings { strings.max(address)..end } else { address..end.min(pointers) };
    let [start, end] = [text.start, text.end].map(|at| at.saturating_sub(address).min(bytes.len() as u64) as usize);
    let (mut found, mut at) = (Vec::new(), start);
    for string in bytes.get(start..end).unwrap_or_default().split(|byte| *byte == 0) {
        if !string.is_empty() {
            found.push((at..at + string.len(), found.len()));
        }
        at += string.len() + 1;
    }
    found.into_iter().map(|(range, number)| (item(number), range)).collect()
}

/// Whether a result of fixed size lies at `address`.
fn is_result(signature: Signature, argument: &impl Fn(usize) -> Option<u64>, address: u64) -> bool {
    let mut arguments = signature.iter().enumerate();
    arguments.any(|(at, (_, role))| matches!(role, Role::Out(_)) && argument(at) == Some(address))
}

/// Where the names are in the entries of a folder.
fn names(entries: &[u8]) -> Vec<Range<usize>> {
    let (mut names, mut at) = (Vec::new(), 0usize);
    while let Some(length) = entries.get(at + ENTRY_NAME..at + ENTRY_NAME + 4) {
        let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]) as usize;
        let start = at + ENTRY;
        let end = start.saturating_add(length).min(entries.len());
        if start >= end {
            break;
        }
        names.push(start..end);
        at = end;
    }
    names
}

/// Changes a recording's header and host log.
pub(super) struct Editor<'a> {
    choice: &'a Choice,
    call: Option<HostCall>,
}

impl Editor<'_> {
    pub(super) fn new(choice: &Choice) -> Editor<'_> {
        Editor { choice, call: None }
    }

    fn strength(&self, item: &Item) -> Option<Strength> {
        self.choice.get(item).copied()
    }

    /// Replaces what the header says of what the guest was given.
    pub(super) fn header(&self, header: &mut Header) {
        for (number, argument) in header.host.arguments.iter_mut().enumerate() {
            if let Some(strength) = self.strength(&Item::Argument(number)) {
                *argument = strength.text(argument);
            }
        }
        for (number, (name, value)) in header.host.environment.iter_mut().enumerate() {
            if let Some(strength) = self.strength(&Item::Variable(number)) {
                (*name, *value) = (strength.text(name), strength.text(value));
            }
        }
        if let Some(strength) = self.strength(&Item::Put) {
            for step in &mut header.steps {
                if let Step::Put(put) = step {
                    strength.replace(&mut put.bytes);
                }
            }
        }
    }

    /// Replaces what a step of a host call gave the guest. What the guest passed follows from that, so it is not
    /// expected any more.
    pub(super) fn event(&mut self, event: &mut HostEvent) {
        match event {
            HostEvent::Call(call) => {
                self.call = Some(call.clone());
                call.reads.clear();
            }
            HostEvent::Write { address, bytes, .. } => {
                let given = self.call.as_ref().map(|call| given(call, *address, bytes));
                for (item, range) in given.unwrap_or_default() {
                    if let Some(strength) = self.strength(&item) {
                        strength.replace(&mut bytes[range]);
                    }
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use forkpoint_traces::{FuncIndex, Import};

    fn call(name: &str, arguments: &[i32]) -> HostCall {
        HostCall {
            function: FuncIndex(0),
            import: Import { module: wasi::MODULE.to_string(), name: name.to_string() },
            arguments: arguments.iter().map(|value| WasmValue::I32(*value)).collect(),
            reads: Vec::new(),
            caller: None,
        }
    }

    #[test]
    fn pointers_lengths_and_numbers_are_not_what_was_given() {
        let arguments = [(Item::Argument(0), 0..3), (Item::Argument(1), 4..6)];
        assert_eq!(given(&call("args_get", &[16, 64]), 64, b"app\0-v\0"), arguments);
        assert_eq!(given(&call("args_get", &[16, 64]), 16, &[64, 0, 0, 0]), []);
        assert_eq!(given(&call("environ_get", &[64, 16]), 64, &[16, 0, 0, 0]), []);
        assert_eq!(given(&call("environ_get", &[64, 16]), 16, b"A=1\0"), [(Item::Variable(0), 0..3)]);
        assert_eq!(given(&call("fd_read", &[3, 8, 1, 32]), 32, &[5, 0, 0, 0]), []);
        assert_eq!(given(&call("fd_read", &[3, 8, 1, 32]), 100, b"text"), [(Item::Descriptor(3), 0..4)]);
        assert_eq!(given(&call("clock_time_get", &[0, 0, 0, 8]), 8, &[0; 8]), []);
    }

    #[test]
    fn names_in_a_folder_are_found_between_numbers() {
        let entry = |name: &[u8]| {
            let mut entry = vec![1; ENTRY];
            entry[ENTRY_NAME..ENTRY_NAME + 4].copy_from_slice(&(name.len() as u32).to_le_bytes());
            entry.extend_from_slice(name);
            entry
        };
        let entries = [entry(b"secret"), entry(b"x.txt")].concat();
        assert_eq!(names(&entries), [24..30, 54..59]);
        // The last one may be cut off.
        assert_eq!(names(&entries[..56]), [24..30, 54..56]);
        assert_eq!(names(&entries[..50]), names(&entries[..30]));
        assert_eq!(names(&[0; 24]), []);
    }
}
