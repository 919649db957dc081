//! Whether a JIT has generated native code: the C interface does not say, but this process's memory shows it.

use crate::engine::drive::Rejected;

/// What is said of a module that has none.
pub(super) const NONE: &str = "the JIT made no native code of this module: the library would silently interpret it";

/// How many bytes of this process's memory are executable and belong to no file.
///
/// # Errors
/// When the system does not list this process's mappings.
pub(super) fn unnamed_code() -> Result<u64, Rejected> {
    let maps = std::fs::read_to_string("/proc/self/maps")
        .map_err(|error| Rejected::instantiate(format!("reading /proc/self/maps: {error}")))?;
    Ok(maps.lines().filter_map(unnamed).sum())
}

/// The length of a mapping, if it is of that kind: `start-end rights offset device inode [name]`.
fn unnamed(line: &str) -> Option<u64> {
    let mut fields = line.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let executable = fields.next()?.contains('x');
    let named = fields.nth(3).is_some();
    let place = |text| u64::from_str_radix(text, 16).ok();
    (executable && !named).then_some(place(end)?.checked_sub(place(start)?)?)
}

#[cfg(test)]
mod tests {
    use super::unnamed;

    #[test]
    fn only_executable_memory_of_no_file_counts() {
        for (line, length) in [
            ("7f0000000000-7f0000003000 r-xp 00000000 00:00 0 ", Some(0x3000)),
            ("7f0000000000-7f0000003000 rwxp 00000000 00:00 0", Some(0x3000)),
            ("7f0000000000-7f0000003000 rw-p 00000000 00:00 0 ", None),
            ("7f0000000000-7f0000003000 r-xp 00001000 fe:01 1234  /usr/lib/with a space.so", None),
            ("7ffd00000000-7ffd00002000 r-xp 00000000 00:00 0  [vdso]", None),
            ("7f0000003000-7f0000000000 r-xp 00000000 00:00 0 ", None),
            ("nonsense", None),
        ] {
            assert_eq!(unnamed(line), length, "{line}");
        }
    }
}
