//! What a redacted pack says of how its runs were made.

use forkpoint_traces::{EngineWords, Header};

/// Takes out command lines, folders of paths, and what the engine's process wrote.
pub(super) fn anonymous(header: &mut Header, words: &mut EngineWords) {
    header.command.clear();
    if let Some(javascript) = &mut header.javascript {
        javascript.command.clear();
    }
    header.engine.spec = without_folders(&header.engine.spec);
    for (_, value) in &mut header.engine.settings {
        *value = without_folders(value);
    }
    header.host.directories.clear();
    header.host.preloads.clear();
    words.last_words = None;
    words.message = words.message.as_deref().map(without_folders);
}

/// The text with the last part of each path only.
fn without_folders(text: &str) -> String {
    let mut out = String::new();
    let mut word = String::new();
    let ends = |character: char| character.is_whitespace() || "=,;:'\"()[]{}<>".contains(character);
    for character in text.chars().chain([' ']) {
        if ends(character) {
            out.push_str(word.rsplit('/').next().unwrap_or_default());
            out.push(character);
            word.clear();
        } else {
            word.push(character);
        }
    }
    out.pop();
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_part_of_a_path_stays() {
        let spec = "capi:jit,lib=/home/me/libs/libwasmtime.so,opt=none";
        assert_eq!(without_folders(spec), "capi:jit,lib=libwasmtime.so,opt=none");
        assert_eq!(without_folders("error in '/home/me/a b.c': no /x/y"), "error in 'a b.c': no y");
        assert_eq!(without_folders("wasmtime:jit"), "wasmtime:jit");
    }
}
