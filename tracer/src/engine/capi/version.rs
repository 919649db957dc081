//! The release of a library, which the interface `wasm.h` does not give.

/// The version in a serialized module of Wasmtime. Up to 1.0 it follows a word: its length, and the version in ASCII.
/// Later it is in a section, with a zero before the length; some releases give only the major number.
pub(super) fn of_serialized(code: &[u8]) -> Option<String> {
    let (word, section) = (b"\0wasmtime-aot", b".wasmtime.engine");
    let told = if let Some(at) = find(code, word) {
        version_at(code, at + word.len())
    } else {
        find(code, section)?;
        // The section's contents come before the table of names, at a place that only an ELF reader would know: they
        // are recognised by their form. Short ones occur by chance.
        let zeros = code.iter().enumerate().filter(|(_, byte)| **byte == 0);
        zeros.filter_map(|(at, _)| version_at(code, at + 1)).max_by_key(|text| text.len())
    };
    told.map(str::to_string)
}

fn find(code: &[u8], text: &[u8]) -> Option<usize> {
    code.windows(text.len()).position(|window| window == text)
}

/// Digits with dots in between, after their length.
fn version_at(code: &[u8], start: usize) -> Option<&str> {
    let length = usize::from(*code.get(start)?);
    let text = std::str::from_utf8(code.get(start + 1..)?.get(..length)?).ok()?;
    let part = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    ((1..=12).contains(&length) && text.split('.').all(part)).then_some(text)
}

/// The release that `told` means, which may be only a major number: the one version with it among the texts in the
/// library's own file. If there are several or none, the result says so.
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
    use super::{in_full, of_serialized};

    #[test]
    fn each_form_of_a_serialized_module_tells_the_version() {
        let of = |code: &[u8]| of_serialized(code);
        assert_eq!(of(b"\0\x010\0wasmtime-aot\x060.30.0\x18\0\0").as_deref(), Some("0.30.0"));
        assert_eq!(of(b"\0\x0148\0\x0248\0\x0219 \0\x0617.0.0..\0.wasmtime.engine\0").as_deref(), Some("17.0.0"));
        assert_eq!(of(b"\0\x0617.0.0"), None);
        assert_eq!(of(b"\0wasmtime-aot\x06......"), None);
        assert_eq!(of(b"\0wasmtime-aot\x06"), None);
    }

    #[test]
    fn the_patch_level_is_what_the_file_says_once() {
        let of = |library: &[u8]| in_full("38".to_string(), library);
        assert_eq!(in_full("17.0.0".to_string(), b""), "17.0.0");
        assert_eq!(of(b"bounds38.0.1WASMTIME 0.38.0 138.0.2 38.1 38.0.1"), "38.0.1");
        assert_eq!(of(b"38.0.1 38.0.2"), "38 (patch level unknown: its file names several)");
        assert_eq!(of(b"38.38.38.38 38.0"), "38 (patch level unknown: its file names none)");
    }
}
