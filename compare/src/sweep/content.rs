//! The same module under several names: custom sections make no difference to engines.

use super::input::InputModule;
use crate::files::{is_script, read_module, read_script};
use std::collections::HashSet;

/// Custom sections that influence compilation.
const HINTS: &str = "metadata.code.";

/// Separates modules that were not seen before from those that equal an earlier one with the same calls. A module
/// that cannot be read counts as different, and its row says why.
pub(super) fn distinct(items: Vec<InputModule>) -> (Vec<InputModule>, Vec<InputModule>) {
    let mut seen = HashSet::new();
    let read = |item: &InputModule| match is_script(&item.path) && item.calls.is_empty() {
        // Two scripts are one if their texts are.
        true => read_script(&item.path).map(String::into_bytes),
        false => read_module(&item.path),
    };
    items.into_iter().partition(|item| match read(item) {
        Ok(module) => seen.insert((content(&module), item.calls.clone())),
        Err(_) => true,
    })
}

/// A hash of what engines see of a module.
fn content(module: &[u8]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    match sections(module) {
        Some(sections) => sections.into_iter().for_each(|section| {
            hasher.update(section);
        }),
        None => {
            hasher.update(module);
        }
    }
    hasher.finalize()
}

/// The header and the relevant sections of a module; `None` if it does not have this form.
fn sections(module: &[u8]) -> Option<Vec<&[u8]>> {
    let (head, mut rest) = module.split_at_checked(8)?;
    let mut kept = vec![head];
    while let Some((id, body)) = rest.split_first() {
        let (length, contents) = number(body)?;
        let (contents, next) = contents.split_at_checked(length)?;
        let counts = *id != 0 || {
            let (length, name) = number(contents)?;
            name.get(..length)?.starts_with(HINTS.as_bytes())
        };
        if counts {
            kept.push(&rest[..rest.len() - next.len()]);
        }
        rest = next;
    }
    Some(kept)
}

/// A LEB128 number of 32 bits, and what follows it.
fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0u64;
    for (i, byte) in bytes.iter().take(5).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Some((usize::try_from(value).ok()?, &bytes[i + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn names_make_no_module_another() {
        let folder = tempfile::tempdir().expect("a folder");
        let module = |text: &str| wat::parse_str(text).expect("a module");
        let named = module(r#"(module $m (memory $x 1) (func $f))"#);
        let hinted = module(r#"(module (memory 1) (func) (@custom "metadata.code.branch_hint" "\00"))"#);
        let files: [(&str, &[u8]); 9] = [
            ("a.wasm", &named),
            ("b.wat", b"(module (memory 1) (func))"),
            ("c.wasm", &module("(module (memory 2) (func))")),
            ("d.wasm", &hinted),
            ("e.wasm", b"junk"),
            ("f.wasm", b"junk"),
            ("g.wasm", b"\0asm\x01\0\0\0\x00\xff\xff\xff\xff\xff"),
            ("h.wasm", b"\0asm\x01\0\0\0\x00\x05\x09"),
            ("i.wasm", &named),
        ];
        let mut items = Vec::new();
        for (name, bytes) in files {
            let path = folder.path().join(name);
            fs::write(&path, bytes).expect("a file");
            items.push(InputModule { name: name.to_string(), path: path.clone(), calls: Vec::new() });
            if name == "i.wasm" {
                items.push(InputModule { name: format!("{name} called"), path, calls: vec!["f".to_string()] });
            }
        }
        let names = |items: Vec<InputModule>| items.into_iter().map(|item| item.name).collect::<Vec<_>>();
        let (kept, copies) = distinct(items);
        assert_eq!(
            names(kept),
            ["a.wasm", "c.wasm", "d.wasm", "e.wasm", "f.wasm", "g.wasm", "h.wasm", "i.wasm called"]
        );
        assert_eq!(names(copies), ["b.wat", "i.wasm"]);
    }
}
