//! The folder of a sweep: its options, its rows, and examples.

use super::input::InputModule;
use super::row::ModuleRow;
use crate::error::CompareError;
use crate::json::json_line;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The options: a sweep continues only if they are the same.
const OPTIONS: &str = "sweep.json";
/// One row per line, in the order in which they were done.
const ROWS: &str = "rows.jsonl";
/// Folders named by signatures, each with the traces of an example.
const EXAMPLES: &str = "examples";

/// Most signatures with an example.
const MAX_EXAMPLES: usize = 1000;

/// The options that decide the rows of a sweep, as its folder holds them.
pub(super) type Options = Value;

/// The folder of a sweep.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    rows: File,
    /// Rows from earlier runs.
    known: BTreeMap<String, ModuleRow>,
    examples: usize,
}

impl Store {
    /// Opens or creates the folder for a sweep with these options.
    ///
    /// # Errors
    /// When the folder holds a sweep with other options, or cannot be written.
    pub fn open(folder: &Path, options: &impl Serialize) -> Result<Store, CompareError> {
        let path = folder.join(OPTIONS);
        let options = serde_json::to_value(options);
        Store::open_as(folder, options.map_err(|source| CompareError::Malformed { path, line: None, source })?)
    }

    pub(super) fn open_as(folder: &Path, options: Options) -> Result<Store, CompareError> {
        let examples = folder.join(EXAMPLES);
        fs::create_dir_all(&examples).map_err(CompareError::io(format!("creating {}", folder.display())))?;
        let asked = folder.join(OPTIONS);
        match read_options(folder)? {
            Some(before) if before != options => {
                return Err(CompareError::OtherOptions {
                    folder: folder.to_path_buf(),
                    options: asked,
                    before: before.to_string(),
                    now: options.to_string(),
                });
            }
            Some(_) => {}
            None => fs::write(&asked, format!("{options}\n")).map_err(writing(&asked))?,
        }
        let path = Store::rows(folder);
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let mut rows = options.open(&path).map_err(writing(&path))?;
        let mut known = BTreeMap::new();
        // A sweep that was killed may have left a partial line.
        let whole = read_rows(&path, &mut |row| {
            known.insert(row.module.clone(), row);
        })?;
        rows.set_len(whole).map_err(writing(&path))?;
        rows.seek(SeekFrom::End(0)).map_err(writing(&path))?;
        let examples = fs::read_dir(examples).map_or(0, Iterator::count);
        Ok(Store { folder: folder.to_path_buf(), rows, known, examples })
    }

    /// The file of a sweep's folder that holds the rows.
    pub fn rows(folder: &Path) -> PathBuf {
        folder.join(ROWS)
    }

    /// Whether the folder had a row for the module when it was opened.
    pub fn has(&self, module: &str) -> bool {
        self.known.contains_key(module)
    }

    /// Removes the rows of these modules from those that the folder had, and returns them.
    pub fn take_known(&mut self, modules: &mut Vec<InputModule>) -> Vec<ModuleRow> {
        let rows = modules.iter().filter_map(|module| self.known.get(&module.name).cloned()).collect();
        modules.retain(|module| !self.has(&module.name));
        rows
    }

    /// Adds a row.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add(&mut self, row: &ModuleRow) -> Result<(), CompareError> {
        let line = json_line(row).map_err(io::Error::from).map_err(writing(&Store::rows(&self.folder)))? + "\n";
        self.rows.write_all(line.as_bytes()).map_err(writing(&Store::rows(&self.folder)))
    }

    /// Keeps traces as the example of a signature unless there is one: the reference's, and that of the first engine
    /// that differs.
    pub(super) fn example(&mut self, signature: &str, traces: [&Path; 2]) -> Result<(), CompareError> {
        let folder = self.folder.join(EXAMPLES).join(signature);
        if self.examples >= MAX_EXAMPLES || folder.exists() || !traces.iter().all(|trace| trace.exists()) {
            return Ok(());
        }
        fs::create_dir(&folder).map_err(CompareError::io(format!("creating {}", folder.display())))?;
        for (trace, name) in traces.into_iter().zip(["lhs.fpt", "rhs.fpt"]) {
            fs::copy(trace, folder.join(name))
                .map_err(CompareError::io(format!("keeping an example in {}", folder.display())))?;
        }
        self.examples += 1;
        Ok(())
    }

    /// Takes over the examples of another sweep's folder, except for signatures that have one.
    pub(super) fn take_examples(&mut self, other: &Path) -> Result<(), CompareError> {
        let from = other.join(EXAMPLES);
        let Ok(entries) = fs::read_dir(&from) else { return Ok(()) };
        for entry in entries {
            let entry = entry.map_err(reading(&from))?;
            let name = entry.file_name();
            // Only files that a sweep writes: a signature is a hexadecimal number.
            let Some(name) = name.to_str().filter(|name| name.chars().all(|c| c.is_ascii_hexdigit())) else {
                continue;
            };
            let [lhs, rhs] = ["lhs.fpt", "rhs.fpt"].map(|file| entry.path().join(file));
            self.example(name, [&lhs, &rhs])?;
        }
        Ok(())
    }
}

/// The options of the sweep in this folder; `None` if there is none.
pub(super) fn read_options(folder: &Path) -> Result<Option<Options>, CompareError> {
    let path = folder.join(OPTIONS);
    match fs::read(&path) {
        Ok(bytes) => match serde_json::from_slice(&bytes) {
            Ok(options) => Ok(Some(options)),
            Err(source) => Err(CompareError::Malformed { path, line: None, source }),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(reading(&path)(error)),
    }
}

/// Passes all whole rows of a file to `take`, one at a time, and returns where the last one ends.
///
/// # Errors
/// When a line that is not the last is not a row.
pub(super) fn read_rows(path: &Path, take: &mut dyn FnMut(ModuleRow)) -> Result<u64, CompareError> {
    let mut lines = BufReader::new(File::open(path).map_err(reading(path))?);
    let (mut whole, mut number) = (0, 0);
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = lines.read_until(b'\n', &mut line).map_err(reading(path))?;
        if length == 0 || line.last() != Some(&b'\n') {
            return Ok(whole);
        }
        number += 1;
        match serde_json::from_slice(&line) {
            Ok(row) => take(row),
            Err(source) => {
                return Err(CompareError::Malformed { path: path.to_path_buf(), line: Some(number), source });
            }
        }
        whole += length as u64;
    }
}

fn reading(path: &Path) -> impl FnOnce(io::Error) -> CompareError {
    CompareError::io(format!("reading {}", path.display()))
}

fn writing(path: &Path) -> impl FnOnce(io::Error) -> CompareError {
    CompareError::io(format!("writing {}", path.display()))
}
