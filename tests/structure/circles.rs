//! Circles of imports: files each of which imports from the next, and the last from the first.
//!
//! Two files may need each other, like a module and its child. A parent that needs two children, and declares what
//! both need, forms a circle of three: what they share belongs in its own file.

use super::imports::Imports;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The files of each circle of more than two, the largest circle first.
pub fn circles(imports: &Imports) -> Vec<BTreeSet<PathBuf>> {
    let reached: BTreeMap<&Path, BTreeSet<&Path>> =
        imports.keys().map(|file| (file.as_path(), reach(imports, file))).collect();
    let mut circles: BTreeSet<BTreeSet<PathBuf>> = BTreeSet::new();
    for (file, others) in &reached {
        let circle: BTreeSet<PathBuf> = others
            .iter()
            .filter(|other| reached.get(*other).is_some_and(|back| back.contains(file)))
            .map(|other| other.to_path_buf())
            .collect();
        if circle.len() > 2 {
            circles.insert(circle);
        }
    }
    let mut circles: Vec<_> = circles.into_iter().collect();
    circles.sort_by_key(|circle| std::cmp::Reverse(circle.len()));
    circles
}

/// All files that a file imports from, directly or through others.
fn reach<'a>(imports: &'a Imports, from: &Path) -> BTreeSet<&'a Path> {
    let mut reached = BTreeSet::new();
    let mut waiting: Vec<&Path> = vec![from];
    while let Some(file) = waiting.pop() {
        for next in imports.get(file).into_iter().flat_map(BTreeMap::keys) {
            if reached.insert(next.as_path()) {
                waiting.push(next);
            }
        }
    }
    reached
}

/// A circle in words: its files, and what each imports from which other.
pub fn describe(circle: &BTreeSet<PathBuf>, imports: &Imports) -> String {
    let mut text = String::new();
    for (file, from) in imports.iter().filter(|(file, _)| circle.contains(*file)) {
        for (other, names) in from.iter().filter(|(other, _)| circle.contains(*other)) {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let _ = writeln!(text, "  {} -> {}: {}", file.display(), other.display(), names.join(", "));
        }
    }
    text
}
