//! Source files: those of the program, as far as the user allows, and the text of functions, which the adapter writes.

use forkpoint_replay::Symbols;
use forkpoint_traces::{CodeOffset, FuncIndex};
use serde_json::{Value, json};
use std::path::{Component, Path, PathBuf};

/// The file that a compiler calls `name`, if one of the allowed folders has it: its path below the folder is that name, or the end
/// of it.
pub(crate) fn allowed(folders: &[PathBuf], name: &str) -> Option<PathBuf> {
    let parts: Vec<_> = Path::new(name).components().filter(|part| matches!(part, Component::Normal(_))).collect();
    if Path::new(name).components().any(|part| part == Component::ParentDir) {
        return None;
    }
    folders.iter().find_map(|folder| {
        let folder = folder.canonicalize().ok()?;
        (0..parts.len()).find_map(|first| {
            let path = folder.join(parts[first..].iter().collect::<PathBuf>()).canonicalize().ok()?;
            (path.starts_with(&folder) && path.is_file()).then_some(path)
        })
    })
}

/// The text of a function as a source; editors ask for it by its number.
pub(crate) fn of_function(symbols: &Symbols, func: FuncIndex) -> Value {
    let name = format!("{}.wat", symbols.function_name(func).replace(['/', '\\'], "_"));
    json!({ "name": name, "sourceReference": u64::from(func.0) + 1 })
}

/// The function whose text has this number.
pub(crate) fn function_of(reference: u64) -> Option<FuncIndex> {
    Some(FuncIndex(u32::try_from(reference.checked_sub(1)?).ok()?))
}

/// The text of a function.
pub(crate) fn text(symbols: &Symbols, func: FuncIndex) -> Option<String> {
    let wat = symbols.wat(func)?;
    Some(wat.lines.iter().fold(String::new(), |text, line| text + &line.text + "\n"))
}

/// The line of a function's text, from 1, that has the instruction at an offset.
pub(crate) fn line_of(symbols: &Symbols, func: FuncIndex, offset: CodeOffset) -> Option<u64> {
    let wat = symbols.wat(func)?;
    let line = wat.lines.iter().position(|line| line.offset == Some(offset))?;
    Some(line as u64 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn only_files_in_allowed_folders_are_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let inside = folder.path().join("project");
        fs::create_dir_all(inside.join("src")).expect("folders");
        fs::write(inside.join("src/main.c"), "").expect("a file");
        fs::write(folder.path().join("secret.c"), "").expect("a file");
        std::os::unix::fs::symlink(folder.path().join("secret.c"), inside.join("link.c")).expect("a link");
        let folders = [inside.clone()];
        let found = |name: &str| allowed(&folders, name).is_some();
        assert!(found("src/main.c") && found("/build/somewhere/src/main.c") && !found("main.c"));
        assert!(!found("../secret.c") && !found("link.c") && !found("/etc/passwd") && !found("src"));
        assert!(allowed(&[], "src/main.c").is_none());
    }
}
