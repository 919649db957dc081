//! The table of crates in ARCHITECTURE.md, and the crates' manifests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Crates that run modules or parse them.
const ENGINES: [&str; 4] = ["libloading", "wasmi", "wasmtime", "wasmtime-wasi"];
const PARSERS: [&str; 5] = ["wasm-encoder", "wasmparser", "wasmprinter", "wast", "wat"];

/// A row of the table.
#[derive(Debug)]
pub struct Row {
    pub name: String,
    /// The crate's root file, relative to the repository's root.
    pub root: PathBuf,
    /// The crates that the row allows.
    pub allowed: BTreeSet<String>,
    engine: bool,
    parser: bool,
}

impl Row {
    /// Dependencies in the manifest that the row does not allow, and the reverse.
    pub fn differences(&self, dependencies: &BTreeSet<String>) -> Vec<String> {
        let ours: BTreeSet<String> =
            dependencies.iter().filter_map(|name| name.strip_prefix("forkpoint-").map(str::to_string)).collect();
        let mut wrong: Vec<String> = Vec::new();
        for name in ours.difference(&self.allowed) {
            wrong.push(format!("{} depends on {name}, and the table does not allow it", self.name));
        }
        for name in self.allowed.difference(&ours) {
            wrong.push(format!("the table lets {} depend on {name}, and it does not", self.name));
        }
        let mut refuse = |names: &[&str], what: &str| {
            for name in names.iter().filter(|name| dependencies.contains(**name)) {
                wrong.push(format!("{} depends on {name}, and the table wants no {what} there", self.name));
            }
        };
        if !self.engine {
            refuse(&ENGINES, "engine");
        }
        if !self.parser {
            refuse(&PARSERS, "parser");
        }
        wrong
    }
}

/// The rows of the table of crates, which is the first table of a document.
pub fn rows(document: &str) -> Vec<Row> {
    let lines = document.lines().skip_while(|line| !line.starts_with("| --- "));
    let cells = lines
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.split('|').skip(1).map(|cell| cell.trim().to_string()).collect::<Vec<String>>());
    let mut rows: Vec<Row> = cells.map(|cells| row(&cells)).collect();
    let all: BTreeSet<String> = rows.iter().map(|row| row.name.clone()).collect();
    for row in rows.iter_mut().filter(|row| row.allowed.contains("all of them")) {
        row.allowed = all.iter().filter(|name| **name != row.name).cloned().collect();
    }
    rows
}

fn row(cells: &[String]) -> Row {
    let [link, _, depends, ..] = cells else { panic!("a row has three cells: {cells:?}") };
    let (name, rest) = link.strip_prefix('[').and_then(|link| link.split_once("](")).expect("a link to the crate");
    let (root, _) = rest.split_once(')').expect("a link to the crate");
    let allowed = match depends.as_str() {
        "all of them" => [depends.clone()].into(),
        depends => depends.split('`').skip(1).step_by(2).map(str::to_string).collect(),
    };
    Row {
        name: name.to_string(),
        root: PathBuf::from(root),
        allowed,
        engine: depends.contains("the only one that links an engine"),
        parser: !depends.contains("no wasm parser"),
    }
}

/// The manifest of a crate whose root file is `root`.
pub fn manifest(root: &Path) -> PathBuf {
    let source = root.parent().expect("a source lies in a folder");
    // The command's sources are in `cli`, its manifest at the root.
    match source.strip_prefix("cli") {
        Ok(_) => PathBuf::from("Cargo.toml"),
        Err(_) => source.with_file_name("Cargo.toml"),
    }
}

/// The names under `[dependencies]`, and under `[target.*.dependencies]`.
pub fn dependencies(manifest: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut inside = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line == "[dependencies]" || line.starts_with("[target.") && line.ends_with(".dependencies]");
        } else if inside && line.starts_with(|first: char| first.is_ascii_alphanumeric()) {
            names.extend(line.split(['.', ' ', '=']).next().map(str::to_string));
        }
    }
    names
}

/// The members of the workspace.
pub fn members(manifest: &str) -> BTreeMap<String, PathBuf> {
    let line = manifest.lines().find(|line| line.starts_with("members = ")).expect("the workspace has members");
    line.split('"').skip(1).step_by(2).map(|name| (name.to_string(), Path::new(name).join("src/lib.rs"))).collect()
}
