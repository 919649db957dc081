//! A module without what its tools left in it: names, debug information, paths.

use wasmparser::{Parser, Payload};

/// The same module, byte for byte at the same places, but with custom sections of which nothing is left but their lengths.
/// What cannot be parsed stays.
pub(super) fn without_custom_sections(module: &[u8]) -> Vec<u8> {
    let mut blank = module.to_vec();
    for payload in Parser::new(0).parse_all(module).map_while(Result::ok) {
        if let Payload::CustomSection(section) = payload {
            let name_ends = section.data_offset();
            let name = name_ends.saturating_sub(section.name().len())..name_ends;
            // A name must be text.
            for (range, byte) in [(name, b'x'), (section.data_offset()..section.range().end, 0)] {
                if let Some(bytes) = blank.get_mut(range) {
                    bytes.fill(byte);
                }
            }
        }
    }
    blank
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_custom_sections_change() {
        let text = r#"(module $secret (memory 1) (func $secret (export "run") (nop)) (@custom "secret" "secret"))"#;
        let module = wat::parse_str(text).expect("a module");
        let blank = without_custom_sections(&module);
        assert!(!blank.windows(6).any(|bytes| bytes == b"secret"), "{blank:?}");
        wasmparser::validate(&blank).expect("still a module");
        assert_eq!(blank.len(), module.len());
        assert!(blank.windows(3).any(|bytes| bytes == b"run"));
    }
}
