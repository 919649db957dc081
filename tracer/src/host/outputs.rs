//! Which bytes of guest memory a WASI preview 1 function may write, by its signature.
//!
//! The recorder compares just these ranges before and after a call; a host write elsewhere is found by the
//! check of the whole memory at the end. Arguments are numbered as in the function's core signature.

use super::WasiSetup;

/// WASI preview 1's module name.
pub(crate) const WASI: &str = "wasi_snapshot_preview1";

/// One range that a function may write.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Output {
    /// So many bytes at the address in an argument.
    Fixed(usize, u64),
    /// Address in one argument, length in another.
    Sized(usize, usize),
    /// An array of (address, length) pairs at one argument, so many as another says: the buffers themselves.
    Vectors(usize, usize),
    /// `poll_oneoff`'s events: 32 bytes for each subscription.
    Events(usize, usize),
    /// Pointers at one argument, strings at the other: the guest's arguments.
    Arguments(usize, usize),
    /// The same for its environment.
    Environment(usize, usize),
}

use Output::{Arguments, Environment, Events, Fixed, Sized, Vectors};

/// Every function that writes guest memory, with what it may write.
#[rustfmt::skip]
const OUTPUTS: &[(&str, &[Output])] = &[
    ("args_get",            &[Arguments(0, 1)]),
    ("args_sizes_get",      &[Fixed(0, 4), Fixed(1, 4)]),
    ("environ_get",         &[Environment(0, 1)]),
    ("environ_sizes_get",   &[Fixed(0, 4), Fixed(1, 4)]),
    ("clock_res_get",       &[Fixed(1, 8)]),
    ("clock_time_get",      &[Fixed(2, 8)]),
    ("fd_fdstat_get",       &[Fixed(1, 24)]),
    ("fd_filestat_get",     &[Fixed(1, 64)]),
    ("fd_pread",            &[Vectors(1, 2), Fixed(4, 4)]),
    ("fd_prestat_get",      &[Fixed(1, 8)]),
    ("fd_prestat_dir_name", &[Sized(1, 2)]),
    ("fd_pwrite",           &[Fixed(4, 4)]),
    ("fd_read",             &[Vectors(1, 2), Fixed(3, 4)]),
    ("fd_readdir",          &[Sized(1, 2), Fixed(4, 4)]),
    ("fd_seek",             &[Fixed(3, 8)]),
    ("fd_tell",             &[Fixed(1, 8)]),
    ("fd_write",            &[Fixed(3, 4)]),
    ("path_filestat_get",   &[Fixed(4, 64)]),
    ("path_open",           &[Fixed(8, 4)]),
    ("path_readlink",       &[Sized(3, 4), Fixed(5, 4)]),
    ("poll_oneoff",         &[Events(1, 2), Fixed(3, 4)]),
    ("random_get",          &[Sized(0, 1)]),
    ("sock_accept",         &[Fixed(2, 4)]),
    ("sock_recv",           &[Vectors(1, 2), Fixed(4, 4), Fixed(5, 2)]),
    ("sock_send",           &[Fixed(4, 4)]),
];

/// What a function may write; empty for those that write nothing.
pub(crate) fn outputs_of(function: &str) -> &'static [Output] {
    OUTPUTS.iter().find(|(name, _)| *name == function).map_or(&[], |(_, outputs)| outputs)
}

/// The ranges that a call with these arguments may write, cut to `memory`. `arguments` are the call's integer
/// arguments as unsigned numbers.
pub(crate) fn ranges(outputs: &[Output], arguments: &[u64], memory: &[u8], setup: &WasiSetup) -> Vec<(usize, usize)> {
    let mut ranges = Vec::new();
    let argument = |i: usize| arguments.get(i).copied().unwrap_or(0);
    let mut add = |address: u64, length: u64| {
        let start = address.min(memory.len() as u64) as usize;
        let end = address.saturating_add(length).min(memory.len() as u64) as usize;
        if start < end {
            ranges.push((start, end));
        }
    };
    let word = |address: u64| -> Option<u64> {
        let bytes = memory.get(usize::try_from(address).ok()?..)?.first_chunk::<4>()?;
        Some(u32::from_le_bytes(*bytes).into())
    };
    let mut strings = |pointers: u64, buffer: u64, lengths: &mut dyn Iterator<Item = usize>| {
        let (mut count, mut total) = (0, 0);
        for length in lengths {
            count += 1;
            total += length as u64 + 1;
        }
        add(pointers, 4 * count);
        add(buffer, total);
    };
    for output in outputs {
        match *output {
            Arguments(pointers, buffer) => {
                strings(argument(pointers), argument(buffer), &mut setup.arguments.iter().map(String::len))
            }
            Environment(pointers, buffer) => strings(
                argument(pointers),
                argument(buffer),
                &mut setup.environment.iter().map(|(name, value)| name.len() + 1 + value.len()),
            ),
            _ => {}
        }
    }
    for output in outputs {
        match *output {
            Fixed(address, length) => add(argument(address), length),
            Sized(address, length) => add(argument(address), argument(length)),
            Events(address, count) => add(argument(address), argument(count).saturating_mul(32)),
            Vectors(vectors, count) => {
                for i in 0..argument(count) {
                    let Some(vector) = argument(vectors).checked_add(8 * i) else { break };
                    let (Some(address), Some(length)) = (word(vector), word(vector + 4)) else { break };
                    add(address, length);
                }
            }
            Arguments(..) | Environment(..) => {}
        }
    }
    ranges
}
