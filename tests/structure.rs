//! The structure of the workspace, read from its own sources: no circle of imports among the files of a crate, no
//! dependency that the table in ARCHITECTURE.md does not have, no two public types of one name, no `pub use x::*`.
//!
//! `cargo test --test structure -- --nocapture` shows every circle with the imports that tie it. Known violations are
//! listed here, so the test fails on new ones and on entries that are no longer true.

#[path = "structure/circles.rs"]
mod circles;
mod common;
#[path = "structure/imports.rs"]
mod imports;
#[path = "structure/names.rs"]
mod names;
#[path = "structure/resolve.rs"]
mod resolve;
#[path = "structure/self_tests.rs"]
mod self_tests;
#[path = "structure/sources.rs"]
mod sources;
#[path = "structure/table.rs"]
mod table;

use sources::Crate;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use table::Row;

/// Remaining circles of more than two files: the crate, and the files of each. The list should become empty.
const KNOWN_CIRCLES: &[(&str, &[usize])] = &[];

/// Names that more than one public type has.
const KNOWN_HOMONYMS: &[&str] = &[];

/// Files that re-export everything in a module.
const KNOWN_GLOBS: &[&str] = &[];

fn text_of(path: impl AsRef<Path>) -> String {
    let path = common::repository("").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn rows() -> Vec<Row> {
    let rows = table::rows(&text_of("ARCHITECTURE.md"));
    assert!(rows.len() > 3, "the table of crates in ARCHITECTURE.md: {rows:?}");
    rows
}

/// The sources of each crate, with paths relative to the repository's root.
fn crates() -> Vec<(String, Crate)> {
    let folder = common::repository("");
    let read = |path: &Path| fs::read_to_string(folder.join(path)).ok();
    rows().into_iter().map(|row| (row.name, Crate::read(&row.root, &read))).collect()
}

#[test]
fn no_crate_has_a_circle_of_imports() {
    let mut wrong = Vec::new();
    for (name, sources) in crates() {
        let imports = imports::imports(&sources);
        let circles = circles::circles(&imports);
        for circle in &circles {
            println!("{name}: a circle of {} files\n{}", circle.len(), circles::describe(circle, &imports));
        }
        let known = KNOWN_CIRCLES.iter().find(|(krate, _)| *krate == name).map_or(&[][..], |(_, sizes)| sizes);
        let sizes: Vec<usize> = circles.iter().map(BTreeSet::len).collect();
        // A circle that is cut into smaller ones is better than before.
        let grown = sizes.first() > known.first() || sizes.iter().sum::<usize>() > known.iter().sum();
        if grown || sizes.len() < known.len() {
            wrong.push(format!("{name}: circles of {sizes:?} files, known are {known:?}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{}\nWhat is printed above ties them; KNOWN_CIRCLES lists the known ones.",
        wrong.join("\n")
    );
}

#[test]
fn crates_depend_on_each_other_as_the_table_says() {
    let rows = rows();
    let mut wrong: Vec<String> = Vec::new();
    for row in &rows {
        wrong.extend(row.differences(&table::dependencies(&text_of(table::manifest(&row.root)))));
    }
    for (member, root) in table::members(&text_of("Cargo.toml")) {
        if !rows.iter().any(|row| row.root == root) {
            wrong.push(format!("the table has no row for {member}"));
        }
    }
    assert!(wrong.is_empty(), "ARCHITECTURE.md and the manifests differ:\n{}", wrong.join("\n"));
}

#[test]
fn no_two_public_types_have_one_name() {
    let crates = crates();
    let mut files: BTreeMap<String, Vec<&Path>> = BTreeMap::new();
    for (name, file) in crates.iter().flat_map(|(_, sources)| names::public_types(sources)) {
        files.entry(name).or_default().push(file);
    }
    assert!(files.len() > 100, "{files:?}");
    files.retain(|_, files| files.len() > 1);
    for (name, files) in &files {
        println!("{name}: {files:?}");
    }
    let found: BTreeSet<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(found, KNOWN_HOMONYMS.iter().copied().collect(), "names of more than one type, and the known ones");
}

#[test]
fn nothing_is_reexported_wholesale() {
    let crates = crates();
    let found: BTreeSet<String> = crates
        .iter()
        .flat_map(|(_, sources)| names::glob_reexports(sources))
        .map(|(file, path)| format!("{}: {path}", file.display()))
        .collect();
    let known: BTreeSet<String> = KNOWN_GLOBS.iter().map(|known| known.to_string()).collect();
    assert_eq!(found, known, "re-exports of everything, and the known ones");
}
