//! Which modules a sweep runs, and how they are called.

use super::content::distinct;
use crate::error::CompareError;
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A module of the input, or a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputModule {
    /// Its name in rows: the path below the input's folder, or the path in the list.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// The calls given in the list.
    pub calls: Vec<String>,
}

/// A part of the input, for one of several machines: divided by the hash of module names, so that it does not depend
/// on the other modules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Which part, from 1.
    pub index: u64,
    /// How many parts there are.
    pub count: u64,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Shard, String> {
        let numbers = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
        match numbers {
            Some((index, count)) if (1..=count).contains(&index) => Ok(Shard { index, count }),
            _ => Err("write I/N with I from 1 to N, as in 2/4".to_string()),
        }
    }
}

/// Separates a path and each of its calls in a list.
const CALL: &str = " :: ";

/// Deepest nesting of folders that is searched.
const MAX_DEPTH: usize = 64;

/// All modules of a folder or a list that belong to the shard, by name, each once, and the number of files left out
/// as duplicates.
///
/// # Errors
/// When the folder or the list cannot be read, or has no module.
pub fn modules(input: &Path, shard: Option<Shard>) -> Result<(Vec<InputModule>, u64), CompareError> {
    let mut found = BTreeMap::new();
    if input.is_dir() {
        let root =
            fs::metadata(input).map_err(CompareError::io(format!("reading the folder {}", input.display())))?;
        folder(input, input, 0, &mut HashSet::from([(root.dev(), root.ino())]), &mut found)?;
    } else {
        list(input, &mut found)?;
    }
    if found.is_empty() {
        return Err(CompareError::NoModules(input.to_path_buf()));
    }
    // Which of several duplicates counts must not depend on the shard.
    let (mut items, mut copies) = distinct(found.into_values().collect());
    for list in [&mut items, &mut copies] {
        list.retain(|item| shard.is_none_or(|shard| belongs(&item.name, shard)));
    }
    Ok((items, copies.len() as u64))
}

/// All modules below a folder. Links are followed, but each folder and each file is taken once: a link back up, or
/// many links to one folder, cost nothing. `seen` holds those taken before.
fn folder(
    root: &Path,
    folder_path: &Path,
    depth: usize,
    seen: &mut HashSet<(u64, u64)>,
    found: &mut BTreeMap<String, InputModule>,
) -> Result<(), CompareError> {
    let paths = fs::read_dir(folder_path).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    let mut paths: Vec<PathBuf> =
        paths.map_err(CompareError::io(format!("reading the folder {}", folder_path.display())))?;
    // Files and folders come before links to them, in the same order everywhere.
    paths.sort_by_cached_key(|path| (path.is_symlink(), path.clone()));
    for path in paths {
        // A dangling link is ignored.
        let Ok(kind) = fs::metadata(&path) else { continue };
        let is_module =
            kind.is_file() && path.extension().is_some_and(|end| end == "wasm" || end == "wat" || end == "wast");
        let is_new = (is_module || kind.is_dir() && depth < MAX_DEPTH) && seen.insert((kind.dev(), kind.ino()));
        if is_new && kind.is_dir() {
            folder(root, &path, depth + 1, seen, found)?;
        } else if is_new {
            let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            found.insert(name.clone(), InputModule { name, path, calls: Vec::new() });
        }
    }
    Ok(())
}

/// One path per line, relative to the list's own folder, followed by calls; `#` begins a comment line.
fn list(file: &Path, found: &mut BTreeMap<String, InputModule>) -> Result<(), CompareError> {
    let what = format!("reading {}: neither a folder nor a list of modules", file.display());
    let text = fs::read_to_string(file).map_err(CompareError::io(what))?;
    let base = file.parent().unwrap_or(Path::new(""));
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut parts = line.split(CALL).map(str::trim);
        let path = parts.next().unwrap_or_default();
        let calls: Vec<String> = parts.map(str::to_string).collect();
        // The same module may occur several times, with different calls.
        let name = if calls.is_empty() { path.to_string() } else { format!("{path}{CALL}{}", calls.join(CALL)) };
        found.insert(name.clone(), InputModule { name, path: base.join(path), calls });
    }
    Ok(())
}

/// Whether the module is in this part: decided by its name alone, so that it does not depend on the other modules.
fn belongs(name: &str, shard: Shard) -> bool {
    let hash = blake3::hash(name.as_bytes());
    let number = hash.as_bytes().first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    number % shard.count == shard.index - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_searched_and_a_list_is_read() {
        let root = tempfile::tempdir().expect("a folder");
        for file in ["b.wasm", "a/x.wat", "a/notes.txt"] {
            fs::create_dir_all(root.path().join(file).parent().expect("a parent")).expect("a folder");
            fs::write(root.path().join(file), file).expect("a file");
        }
        std::os::unix::fs::symlink(root.path(), root.path().join("a/loop")).expect("a link");
        let names = |items: &[InputModule]| items.iter().map(|item| item.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&modules(root.path(), None).expect("items").0), ["a/x.wat", "b.wasm"]);

        let list = root.path().join("list");
        fs::write(&list, "# all\n\nb.wasm :: run 64 :: size\nb.wasm\n").expect("a file");
        let (listed, _) = modules(&list, None).expect("items");
        assert_eq!(names(&listed), ["b.wasm", "b.wasm :: run 64 :: size"]);
        assert_eq!(listed[1].calls, ["run 64", "size"]);
        assert_eq!(listed[1].path, root.path().join("b.wasm"));
        fs::write(&list, "# nothing\n").expect("a file");
        assert!(modules(&list, None).is_err() && modules(&root.path().join("none"), None).is_err());
    }

    #[test]
    fn links_are_followed_and_a_module_is_taken_once() {
        use std::os::unix::fs::symlink;
        let (root, there) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let text = "(module (memory 1))";
        fs::write(there.path().join("m.wat"), text).expect("a file");
        fs::write(there.path().join("m.wasm"), wat::parse_str(text).expect("a module")).expect("a file");
        fs::write(there.path().join("other.wat"), "(module)").expect("a file");
        for name in ["a", "b"] {
            symlink(there.path(), root.path().join(name)).expect("a link");
        }
        symlink(there.path().join("m.wasm"), root.path().join("z.wasm")).expect("a link");
        symlink("nowhere", root.path().join("dangling.wasm")).expect("a link");
        symlink(root.path(), there.path().join("up")).expect("a link");
        let (found, copies) = modules(root.path(), None).expect("items");
        let names: Vec<String> = found.into_iter().map(|item| item.name).collect();
        assert_eq!((names, copies), (vec!["a/m.wasm".to_string(), "a/other.wat".to_string()], 1));
    }

    #[test]
    fn every_module_is_in_one_shard() {
        let mut counts = [0; 3];
        for number in 0..300 {
            let name = format!("m{number}.wasm");
            let mine: Vec<u64> = (1..=3).filter(|index| belongs(&name, Shard { index: *index, count: 3 })).collect();
            assert_eq!(mine.len(), 1);
            counts[mine[0] as usize - 1] += 1;
        }
        assert!(counts.iter().all(|count| *count > 60), "{counts:?}");
    }
}
