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

/// The release that is meant by `told`, which may be a major number only: the one version with it among the texts of the
/// library's own file. Where there are several or none, that is said.
pub(super) fn in_full(told: String, library: &[u8]) -> String {
    if told.contains('.') {
        return told;
    }
    let start = format!("{told}.").into_bytes();
    let mut found: Vec<&[u8]> = Vec::new();
    for (at, _) in library.windows(start.len()).enumerate().filter(|(_, text)| *text == start) {
        let before = at.checked_sub(1).and_then(|before| library.get(before));
        let rest = &library[at..];
        let number = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
        let length = rest.iter().take(16).take_while(|byte| number(byte)).count();
        let version = &rest[..length];
        let parts: Vec<&[u8]> = version.split(|byte| *byte == b'.').collect();
        let whole = parts.len() == 3 && parts.iter().all(|part| (1..=3).contains(&part.len()));
        if whole && !before.is_some_and(number) && !found.contains(&version) {
            found.push(version);
        }
    }
    match found.as_slice() {
        [version] => String::from_utf8_lossy(version).into_owned(),
        [] => format!("{told} (patch level unknown: its file names none)"),
        _ => format!("{told} (patch level unknown: its file names several)"),
    }
}

#[cfg(test)]
mod tests {
    use super::in_full;

    #[test]
    fn the_patch_level_is_what_the_file_says_once() {
        let of = |library: &[u8]| in_full("38".to_string(), library);
        assert_eq!(in_full("17.0.0".to_string(), b""), "17.0.0");
        assert_eq!(of(b"bounds38.0.1WASMTIME 0.38.0 138.0.2 38.1 38.0.1"), "38.0.1");
        assert_eq!(of(b"38.0.1 38.0.2"), "38 (patch level unknown: its file names several)");
        assert_eq!(of(b"38.38.38.38 38.0"), "38 (patch level unknown: its file names none)");
    }
}
