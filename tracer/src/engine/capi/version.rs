//! Which release a library is: the interface `wasm.h` does not tell.

use std::path::Path;
use xxhash_rust::xxh3::xxh3_64;

/// The version in a serialized module of Wasmtime: a zero, the length of the version, the version in ASCII. Of
/// some releases it is the major number only.
pub(super) fn of_serialized(code: &[u8]) -> Option<String> {
    let section = b".wasmtime.engine";
    // The section's contents come before the table of names, at a place that only an ELF reader would know: it is
    // recognised by what it is.
    if !code.windows(section.len()).any(|window| window == section) {
        return None;
    }
    let is_version = |bytes: &[u8]| {
        bytes.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
            && std::str::from_utf8(bytes).is_ok_and(|text| text.split('.').all(|part| !part.is_empty()))
    };
    let at = |start: usize| {
        let length = usize::from(*code.get(start + 1)?);
        let text = code.get(start + 2..)?.get(..length)?;
        (code[start] == 0 && (1..=12).contains(&length) && is_version(text)).then_some(text)
    };
    let texts = (0..code.len()).filter_map(at);
    // Chance makes short ones.
    let longest = texts.max_by_key(|text| text.len())?;
    Some(String::from_utf8_lossy(longest).into_owned())
}

/// What names a file beyond its path: its name, length and a digest.
pub(super) fn of_file(path: &Path) -> Vec<(String, String)> {
    let name = path.file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned());
    let mut known = vec![("library".to_string(), name)];
    if let Ok(bytes) = std::fs::read(path) {
        known.push(("library_bytes".to_string(), bytes.len().to_string()));
        known.push(("library_xxh3".to_string(), format!("{:016x}", xxh3_64(&bytes))));
    }
    known
}
