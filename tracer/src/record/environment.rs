//! What a machine did not give: address space, memory, open files. An engine that could not have it says so at whatever
//! stage it was, and that is nothing about the engine.
//!
//! Words alone prove nothing, since an engine may ask for nonsense: a limit of this process, which its children inherit,
//! or a reservation of the same size must bear them out.

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use rustix::process::{Resource, getrlimit};

/// What engines say, in lower case, when memory is refused to them.
const MEMORY: &[&str] = &[
    "os error 12",
    "cannot allocate memory",
    "cannot allocate wasm memory",
    "out of memory",
    "memory allocation of",
    "mmap failed",
];

/// The same of files and of room for them. These are the system's own words and need no proof.
const FILES: &[(&str, &str)] = &[
    ("os error 23", "the machine has too many open files"),
    ("os error 24", "raise the limit of open files (ulimit -n)"),
    ("os error 28", "make room on the device"),
];

/// Address space that engines reserve for a memory when they do not say how much: that of V8 with its guards, and more.
const USUAL: u64 = 16 << 30;

/// What no engine asks for in its right mind.
const NONSENSE: u64 = 1 << 40;

/// A limit of address space that no engine reaches with a few memories.
const AMPLE: u64 = 128 << 30;

/// What this machine lacks according to an engine's `words`, and what to do about it; `None` when it is not that.
pub(super) fn lacks(words: &str) -> Option<String> {
    let words = words.to_lowercase();
    if let Some((_, what)) = FILES.iter().find(|(phrase, _)| words.contains(phrase)) {
        return Some((*what).to_string());
    }
    if !MEMORY.iter().any(|phrase| words.contains(phrase)) {
        return None;
    }
    let wanted = bytes_in(&words).unwrap_or(USUAL);
    if wanted > NONSENSE {
        return None;
    }
    if let Some(limit) = address_space() {
        return Some(format!("a process may have {limit} bytes of address space here: raise that (ulimit -v)"));
    }
    let refused = !can_reserve(wanted);
    refused.then(|| format!("{wanted} bytes of address space cannot be had here: raise what limits it"))
}

/// How many bytes of address space a process may have, which children inherit; `None` where an engine cannot come near it.
pub(super) fn address_space() -> Option<u64> {
    getrlimit(Resource::As).current.filter(|limit| *limit < AMPLE)
}

/// Whether this process can reserve this many bytes, as an engine does.
fn can_reserve(length: u64) -> bool {
    let Ok(length) = usize::try_from(length.max(1)) else { return false };
    let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
    // SAFETY: a new mapping at an address of the system's choice, given back before anybody can have seen it.
    unsafe {
        let Ok(start) = mmap_anonymous(std::ptr::null_mut(), length, ProtFlags::empty(), flags) else { return false };
        munmap(start, length).is_ok()
    }
}

/// The number before the word `bytes`, decimal or hexadecimal.
fn bytes_in(words: &str) -> Option<u64> {
    let before = words[..words.find(" bytes")?].rsplit(|c: char| !c.is_ascii_alphanumeric()).next()?;
    match before.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => before.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_from_the_words() {
        assert_eq!(bytes_in("mmap failed to reserve 0x104000000 bytes: cannot"), Some(0x1_0400_0000));
        assert_eq!(bytes_in("memory allocation of 4096 bytes failed"), Some(4096));
        assert_eq!(bytes_in("out of memory"), None);
        assert_eq!(bytes_in("\u{130} bytes"), None);
    }

    #[test]
    fn words_alone_prove_nothing() {
        assert!(can_reserve(1 << 20) && !can_reserve(u64::MAX));
        assert_eq!(lacks("unknown import"), None);
        // A size that no machine has is the engine's own idea.
        assert_eq!(lacks("mmap failed to reserve 0x7fffffffffffffff bytes: os error 12"), None);
        assert!(
            lacks("reading module.wasm: Too many open files (os error 24)")
                .is_some_and(|what| what.contains("ulimit -n"))
        );
    }
}
