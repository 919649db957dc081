//! Which bytes of guest memory a WASI call reads and writes, from its signature and its arguments.
//!
//! Addresses and lengths come from the guest: what extends beyond memory is cut off.

use super::WasiSetup;
use forkpoint_traces::WasmValue;
use forkpoint_traces::wasi::{Role, Signature};
use std::ops::Range;

/// Most (address, length) pairs or subscriptions of one call that are followed: as many as libraries allow (IOV_MAX).
pub(crate) const MOST: u64 = 1024;

/// Most bytes that are read for one call.
pub(crate) const MOST_BYTES: u64 = 64 << 20;

/// Size of an (address, length) pair, of a subscription and of an event of `poll_oneoff`.
const PAIR: u64 = 8;
const SUBSCRIPTION: u64 = 48;
const EVENT: u64 = 32;

/// The arguments as unsigned numbers.
pub(crate) fn unsigned(arguments: &[WasmValue]) -> Vec<u64> {
    let number = |value: &WasmValue| match value {
        WasmValue::I32(value) => u64::from(*value as u32),
        WasmValue::I64(value) => *value as u64,
        _ => 0,
    };
    arguments.iter().map(number).collect()
}

fn argument(arguments: &[u64], at: usize) -> u64 {
    arguments.get(at).copied().unwrap_or(0)
}

/// Address and length of what a call reads directly: paths, and the pairs that point to buffers.
pub(crate) fn first_reads(signature: Signature, arguments: &[u64]) -> Vec<(u64, u64)> {
    let read = |(at, &(_, role)): (usize, &(&str, Role))| {
        let (address, count) = (argument(arguments, at), argument(arguments, at + 1));
        match role {
            Role::Text => Some((address, count)),
            Role::Gather => Some((address, PAIR * count.min(MOST))),
            Role::Subscriptions => Some((address, SUBSCRIPTION * argument(arguments, at + 2).min(MOST))),
            _ => None,
        }
    };
    capped(signature.iter().enumerate().filter_map(read).collect())
}

/// Address and length of the buffers that those pairs point to.
pub(crate) fn second_reads(signature: Signature, first: &[Vec<u8>]) -> Vec<(u64, u64)> {
    let reading = signature
        .iter()
        .map(|(_, role)| role)
        .filter(|role| matches!(role, Role::Text | Role::Gather | Role::Subscriptions));
    let gathered = reading.zip(first).filter(|(role, _)| **role == Role::Gather);
    capped(gathered.flat_map(|(_, bytes)| pairs(bytes)).collect())
}

/// Ranges of [`MOST_BYTES`] in all: the rest is ignored.
pub(crate) fn capped(mut ranges: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    let mut left = MOST_BYTES;
    for (_, length) in &mut ranges {
        *length = (*length).min(left);
        left -= *length;
    }
    ranges
}

fn pairs(bytes: &[u8]) -> Vec<(u64, u64)> {
    let word = |bytes: &[u8]| bytes.first_chunk().map_or(0, |word| u64::from(u32::from_le_bytes(*word)));
    bytes.chunks_exact(PAIR as usize).map(|pair| (word(pair), word(&pair[4..]))).collect()
}

/// The part of `address` and `length` that is inside a memory of `size` bytes.
pub(crate) fn clamp((address, length): (u64, u64), size: usize) -> Range<usize> {
    let size = size as u64;
    address.min(size) as usize..address.saturating_add(length).min(size) as usize
}

/// Most bytes that one call may write and that are examined: what replay does for one call.
pub(crate) const MOST_WRITABLE: u64 = 256 << 20;

/// Bytes that a call may write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Writable {
    pub(crate) address: u64,
    pub(crate) length: u64,
    /// The argument whose result is the number of bytes written to this and other ranges of the same argument, and
    /// the size of one of its units in bytes; `None`: all of them.
    count: Option<(usize, u64)>,
    /// The argument that it belongs to.
    argument: usize,
}

/// Address and length of the pairs that point to buffers which a call fills.
pub(crate) fn scattered(signature: Signature, arguments: &[u64]) -> Option<(u64, u64)> {
    let at = signature.iter().position(|(_, role)| *role == Role::Scatter)?;
    Some((argument(arguments, at), PAIR * argument(arguments, at + 1).min(MOST)))
}

/// What a call with these arguments may write, at most [`MOST_WRITABLE`] bytes in all; `pairs` is memory's contents
/// at [`scattered`].
pub(crate) fn writable(signature: Signature, arguments: &[u64], pairs: &[u8], setup: &WasiSetup) -> Vec<Writable> {
    let mut found = Vec::new();
    let mut left = MOST_WRITABLE;
    for (at, &(_, role)) in signature.iter().enumerate() {
        let (address, next) = (argument(arguments, at), argument(arguments, at + 1));
        let result = (at + 1..signature.len()).find(|at| matches!(signature[*at].1, Role::Out(4)));
        let counted = |unit| result.map(|result| (result, unit));
        let (ranges, count) = match role {
            Role::Out(length) => (vec![(address, length)], None),
            Role::Fill => (vec![(address, next)], None),
            Role::Counted => (vec![(address, next)], counted(1)),
            Role::Events => (vec![(address, EVENT * next.min(MOST))], counted(EVENT)),
            Role::Scatter => (self::pairs(pairs), counted(1)),
            Role::Strings => (strings(signature, address, next, setup), None),
            _ => continue,
        };
        for (address, length) in ranges {
            // A result is small, and determines how much of a buffer counts.
            let length = if matches!(role, Role::Out(_)) { length } else { length.min(left) };
            left = left.saturating_sub(length);
            if length > 0 {
                found.push(Writable { address, length, count, argument: at });
            }
        }
    }
    found
}

/// Pointers and bytes of the guest's arguments or environment.
fn strings(signature: Signature, pointers: u64, bytes: u64, setup: &WasiSetup) -> Vec<(u64, u64)> {
    let lengths: Vec<u64> = match signature.first() {
        Some(("argv", _)) => setup.arguments.iter().map(|argument| argument.len() as u64 + 1).collect(),
        _ => setup.environment.iter().map(|(name, value)| (name.len() + value.len()) as u64 + 2).collect(),
    };
    vec![(pointers, 4 * lengths.len() as u64), (bytes, lengths.iter().sum())]
}

/// How many bytes at the start of each range a successful call has written; `after` is what it left in them, as far
/// as memory has them.
pub(crate) fn written(writable: &[Writable], after: &[Vec<u8>]) -> Vec<usize> {
    let count = |result: usize| {
        let found = writable.iter().position(|range| range.argument == result);
        let bytes = found.and_then(|at| after.get(at)?.first_chunk());
        bytes.map_or(0, |word| u64::from(u32::from_le_bytes(*word)))
    };
    let mut left: Option<(usize, u64)> = None;
    let mut used = Vec::with_capacity(writable.len());
    for (Writable { count: counted, argument, .. }, bytes) in writable.iter().zip(after) {
        let Some((result, unit)) = counted else {
            used.push(bytes.len());
            continue;
        };
        let rest = match left {
            Some((of, rest)) if of == *argument => rest,
            _ => count(*result).saturating_mul(*unit),
        };
        let here = rest.min(bytes.len() as u64);
        left = Some((*argument, rest - here));
        used.push(here as usize);
    }
    used
}

#[cfg(test)]
mod tests {
    use super::*;
    use forkpoint_traces::wasi::signature;

    fn put(memory: &mut [u8], at: usize, words: &[u32]) {
        for (i, word) in words.iter().enumerate() {
            memory[at + 4 * i..][..4].copy_from_slice(&word.to_le_bytes());
        }
    }

    #[test]
    fn buffers_of_a_write_are_found_by_their_pairs() {
        let fd_write = signature("fd_write").expect("a function");
        let first = first_reads(fd_write, &[1, 16, 2, 8]);
        assert_eq!(first, [(16, 16)]);
        let mut memory = vec![0; 64];
        put(&mut memory, 16, &[40, 5, u32::MAX, 7]);
        let second = second_reads(fd_write, &[memory[16..32].to_vec()]);
        assert_eq!(second, [(40, 5), (u32::MAX.into(), 7)]);
        assert_eq!(clamp(second[1], 64), 64..64, "outside of memory");
        assert_eq!(first_reads(fd_write, &[1, 16, u32::MAX.into(), 8]), [(16, 8 * 1024)], "hostile count");
    }

    /// What a call may write, and memory's contents there.
    fn places(memory: &[u8], name: &str, arguments: &[u64], setup: &WasiSetup) -> (Vec<Writable>, Vec<Range<usize>>) {
        let signature = signature(name).expect("a function");
        let pairs = scattered(signature, arguments).map_or(0..0, |range| clamp(range, memory.len()));
        let writable = writable(signature, arguments, &memory[pairs], setup);
        let ranges = writable.iter().map(|range| clamp((range.address, range.length), memory.len())).collect();
        (writable, ranges)
    }

    fn after(memory: &[u8], ranges: &[Range<usize>]) -> Vec<Vec<u8>> {
        ranges.iter().map(|range| memory[range.clone()].to_vec()).collect()
    }

    #[test]
    fn a_read_writes_as_many_bytes_as_it_says() {
        let mut memory = vec![0; 64];
        put(&mut memory, 0, &[32, 4, 32, 0, 60, 100]);
        let (writable, ranges) = places(&memory, "fd_read", &[0, 0, 3, 24], &WasiSetup::default());
        assert_eq!(ranges, [32..36, 60..64, 24..28], "cut at the end of memory, the empty one left out");
        put(&mut memory, 24, &[6]);
        assert_eq!(written(&writable, &after(&memory, &ranges)), [4, 2, 4]);
        put(&mut memory, 24, &[0]);
        assert_eq!(written(&writable, &after(&memory, &ranges)), [0, 0, 4]);
    }

    #[test]
    fn hostile_pairs_ask_for_no_more_than_one_call_may_write() {
        let mut memory = vec![0; 8 * 1024];
        (0..1024).for_each(|pair| put(&mut memory, 8 * pair, &[0, u32::MAX]));
        let (writable, _) = places(&memory, "fd_read", &[0, 0, u64::from(u32::MAX), 24], &WasiSetup::default());
        assert_eq!(writable.len(), 2, "one that takes all there is, and the result");
        assert_eq!(writable.iter().map(|range| range.length).sum::<u64>(), MOST_WRITABLE + 4);
    }

    #[test]
    fn events_directory_entries_and_strings() {
        let setup = WasiSetup { arguments: vec!["a".into(), "bcd".into()], ..WasiSetup::default() };
        let mut memory = vec![0; 256];
        let (poll, ranges) = places(&memory, "poll_oneoff", &[0, 64, 3, 8], &setup);
        put(&mut memory, 8, &[2]);
        assert_eq!(written(&poll, &after(&memory, &ranges)), [64, 4]);
        let (readdir, ranges) = places(&memory, "fd_readdir", &[3, 64, 100, 0, 12], &setup);
        put(&mut memory, 12, &[99]);
        assert_eq!(written(&readdir, &after(&memory, &ranges)), [99, 4]);
        let (_, ranges) = places(&memory, "args_get", &[64, 128], &setup);
        assert_eq!(ranges, [64..72, 128..134]);
    }
}
