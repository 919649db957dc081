//! Which parts of a memory exist, by the system's page tables.
//!
//! A page of a private anonymous mapping that was never written and never read is not in the page tables, and zero.
//! So a memory of four gigabytes of which a module touches three pages is checked in milliseconds, whereas reading
//! all of it takes seconds and fills the page tables. Pages of files that are not there yet (copy-on-write images of
//! data segments) hold what the file holds: they count as there. Format: the kernel's documentation of
//! `/proc/PID/maps` and `/proc/PID/pagemap`.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// Smaller memories are read completely, which is faster than asking.
const SMALL: usize = 1 << 20;

/// Entries of the page map that are read at a time.
const ENTRIES: usize = 1 << 14;

/// Bytes of an entry.
const ENTRY: usize = 8;

/// The page is in memory, or in swap space.
const THERE: u64 = 1 << 63 | 1 << 62;

/// The parts of `bytes` that may hold something other than zero, ascending and separate. All of them if the system
/// does not say.
pub(crate) fn populated(bytes: &[u8]) -> Vec<Range<usize>> {
    let whole = 0..bytes.len();
    if bytes.len() < SMALL {
        return vec![whole];
    }
    let start = bytes.as_ptr() as usize;
    let Some(end) = start.checked_add(bytes.len()) else { return vec![whole] };
    match parts(start..end) {
        Ok(parts) => parts.into_iter().map(|part| part.start - start..part.end - start).collect(),
        // Without the files of `/proc` every page is read.
        Err(_) => vec![whole],
    }
}

/// The same by addresses in this process.
fn parts(asked: Range<usize>) -> io::Result<Vec<Range<usize>>> {
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    let page_map = File::open("/proc/self/pagemap")?;
    // A system that hides its page tables must not make a memory look empty: this very stack frame is there.
    let witness = 1u8;
    let here = std::hint::black_box(&raw const witness) as usize;
    let mut seen = Vec::new();
    there(&page_map, here..here + 1, &mut seen)?;
    if seen.is_empty() {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let mut found = Vec::new();
    let mut at = asked.start;
    for mapping in maps.lines().filter_map(Mapping::parse) {
        let part = mapping.addresses.start.max(at)..mapping.addresses.end.min(asked.end);
        if part.is_empty() {
            continue;
        }
        // Ranges outside all mappings count as populated.
        push(&mut found, at..part.start);
        at = part.end;
        match mapping.anonymous {
            true => there(&page_map, part, &mut found)?,
            false => push(&mut found, part),
        }
    }
    push(&mut found, at..asked.end);
    Ok(found)
}

/// One line of `/proc/PID/maps`.
struct Mapping {
    addresses: Range<usize>,
    /// Whether an absent page is zero.
    anonymous: bool,
}

impl Mapping {
    /// `start-end permissions offset device inode [path]`.
    fn parse(line: &str) -> Option<Mapping> {
        let mut words = line.split_ascii_whitespace();
        let (start, end) = words.next()?.split_once('-')?;
        let address = |text| usize::from_str_radix(text, 16).ok();
        let private = words.next()?.ends_with('p');
        let inode = words.nth(2)?;
        Some(Mapping { addresses: address(start)?..address(end)?, anonymous: private && inode == "0" })
    }
}

/// Adds the present pages of an anonymous mapping.
fn there(page_map: &File, part: Range<usize>, found: &mut Vec<Range<usize>>) -> io::Result<()> {
    let size = rustix::param::page_size();
    let (mut page, last) = (part.start / size, (part.end - 1) / size);
    let mut entries = vec![0; ENTRIES * ENTRY];
    while page <= last {
        let count = ENTRIES.min(last - page + 1);
        let entries = &mut entries[..count * ENTRY];
        page_map.read_exact_at(entries, (page * ENTRY) as u64)?;
        for (number, entry) in entries.chunks_exact(ENTRY).enumerate() {
            let entry = entry.first_chunk().map_or(u64::MAX, |entry| u64::from_ne_bytes(*entry));
            if entry & THERE != 0 {
                let start = (page + number) * size;
                push(found, start.max(part.start)..(start + size).min(part.end));
            }
        }
        page += count;
    }
    Ok(())
}

/// Adds a part, merged with the previous one if adjacent.
fn push(found: &mut Vec<Range<usize>>, part: Range<usize>) {
    match found.last_mut() {
        _ if part.is_empty() => {}
        Some(last) if last.end == part.start => last.end = part.end,
        _ => found.push(part),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: usize = 64 << 20;

    /// Whether a part covers the byte at `at`.
    fn covers(parts: &[Range<usize>], at: usize) -> bool {
        parts.iter().any(|part| part.contains(&at))
    }

    #[test]
    fn a_fresh_allocation_is_not_there_but_for_what_was_written() {
        let mut bytes = vec![0u8; SIZE];
        bytes[5 << 20] = 1;
        bytes[SIZE - 1] = 2;
        let parts = populated(&bytes);
        assert!(covers(&parts, 5 << 20) && covers(&parts, SIZE - 1), "{parts:?}");
        // Huge pages may bring two megabytes for a byte.
        assert!(!covers(&parts, 30 << 20), "{parts:?}");
        assert!(parts.iter().map(Range::len).sum::<usize>() < SIZE / 2, "{parts:?}");
    }

    #[test]
    fn a_part_of_an_allocation_has_its_own_offsets() {
        let mut bytes = vec![0u8; SIZE];
        bytes[40 << 20] = 1;
        let parts = populated(&bytes[(10 << 20) + 1..]);
        assert!(covers(&parts, (30 << 20) - 1), "{parts:?}");
        assert!(parts.iter().all(|part| part.end < SIZE - (10 << 20)), "{parts:?}");
    }

    #[test]
    fn a_private_mapping_of_a_file_is_there_before_it_is_touched() {
        let file = tempfile::tempfile().expect("the file system");
        file.set_len(SIZE as u64).expect("the file system");
        file.write_all_at(b"x", 50 << 20).expect("the file system");
        use rustix::mm::{MapFlags, ProtFlags};
        let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
        // SAFETY: a new mapping at an address of the system's choice; nobody else writes the file.
        let start = unsafe { rustix::mm::mmap(std::ptr::null_mut(), SIZE, protection, flags, &file, 0) };
        let start = start.expect("a mapping");
        // SAFETY: the mapping has this many bytes, is readable, and lives until it is unmapped below.
        let bytes = unsafe { std::slice::from_raw_parts(start.cast::<u8>(), SIZE) };
        assert!(covers(&populated(bytes), 50 << 20));
        // SAFETY: as mapped above; the slice is no longer used.
        unsafe { rustix::mm::munmap(start, SIZE) }.expect("unmapping");
    }

    #[test]
    fn lines_of_maps_are_understood() {
        let anonymous = |line| Mapping::parse(line).map(|mapping| (mapping.addresses, mapping.anonymous));
        assert_eq!(anonymous("7f00-8f00 rw-p 00000000 00:00 0 "), Some((0x7f00..0x8f00, true)));
        assert_eq!(
            anonymous("7f00-8f00 rw-p 00000000 00:00 0                          [heap]"),
            Some((0x7f00..0x8f00, true))
        );
        assert_eq!(anonymous("7f00-8f00 rw-s 00000000 00:01 1024 /memfd:x (deleted)"), Some((0x7f00..0x8f00, false)));
        assert_eq!(anonymous("7f00-8f00 r--p 00000000 08:01 7 /lib/x"), Some((0x7f00..0x8f00, false)));
        assert_eq!(anonymous("nonsense"), None);
    }
}
