//! Which release a library is: the interface `wasm.h` does not tell.

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
