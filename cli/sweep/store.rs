//! The folder that a sweep keeps: what it was asked, its rows, and examples.

use super::row::Row;
use crate::output::json_line;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// What was asked: a sweep goes on only where this is the same.
pub const OPTIONS: &str = "sweep.json";
/// One row a line, in the order in which they were done.
pub const ROWS: &str = "rows.jsonl";
/// Folders named by signatures, with the traces of an example.
const EXAMPLES: &str = "examples";

/// Most signatures of which an example is kept.
const MAX_EXAMPLES: usize = 1000;

/// Where rows go.
pub struct Store {
    folder: PathBuf,
    rows: File,
    examples: usize,
}

impl Store {
    /// Opens the folder, or makes it. Rows that are there already are given to `known`.
    ///
    /// # Errors
    /// When the folder holds a sweep that was asked for something else, or cannot be written.
    pub fn open(folder: &Path, options: &Value, known: &mut dyn FnMut(Row)) -> Result<Store> {
        fs::create_dir_all(folder.join(EXAMPLES)).with_context(|| format!("creating {}", folder.display()))?;
        let asked = folder.join(OPTIONS);
        match read_options(folder)? {
            Some(before) if before != *options => bail!(
                "{} holds a sweep with other options ({}): give it a folder of its own, or repeat those\nbefore: {before}\nnow:    {options}",
                folder.display(),
                asked.display(),
            ),
            Some(_) => {}
            None => {
                fs::write(&asked, format!("{options}\n")).with_context(|| format!("writing {}", asked.display()))?
            }
        }
        let path = folder.join(ROWS);
        let writing = || format!("writing {}", path.display());
        let mut rows = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .with_context(writing)?;
        // A sweep that was killed may have left half a line.
        let whole = read_rows(&path, &mut *known)?;
        rows.set_len(whole).with_context(writing)?;
        rows.seek(SeekFrom::End(0)).with_context(writing)?;
        let examples = fs::read_dir(folder.join(EXAMPLES)).map_or(0, Iterator::count);
        Ok(Store { folder: folder.to_path_buf(), rows, examples })
    }

    /// Adds a row.
    pub fn add(&mut self, row: &Row) -> Result<()> {
        let mut line = json_line(row)?.into_bytes();
        line.push(b'\n');
        self.rows.write_all(&line).with_context(|| format!("writing {}", self.folder.join(ROWS).display()))
    }

    /// Keeps traces as the example of a signature, where there is none yet: the reference's, and that of the first
    /// engine that differs.
    pub fn example(&mut self, signature: &str, traces: [&Path; 2]) -> Result<()> {
        let folder = self.folder.join(EXAMPLES).join(signature);
        if self.examples >= MAX_EXAMPLES || folder.exists() || !traces.iter().all(|trace| trace.exists()) {
            return Ok(());
        }
        fs::create_dir(&folder).with_context(|| format!("creating {}", folder.display()))?;
        for (trace, name) in traces.into_iter().zip(["lhs.fpt", "rhs.fpt"]) {
            fs::copy(trace, folder.join(name))
                .with_context(|| format!("keeping an example in {}", folder.display()))?;
        }
        self.examples += 1;
        Ok(())
    }

    /// Takes over the examples of another sweep's folder, but for signatures that have one.
    pub fn take_examples(&mut self, other: &Path) -> Result<()> {
        let from = other.join(EXAMPLES);
        let Ok(entries) = fs::read_dir(&from) else { return Ok(()) };
        for entry in entries {
            let entry = entry.with_context(|| format!("reading {}", from.display()))?;
            let name = entry.file_name();
            // Only what a sweep writes: a signature is a number in hexadecimal.
            let Some(name) = name.to_str().filter(|name| name.chars().all(|c| c.is_ascii_hexdigit())) else {
                continue;
            };
            let [lhs, rhs] = ["lhs.fpt", "rhs.fpt"].map(|file| entry.path().join(file));
            self.example(name, [&lhs, &rhs])?;
        }
        Ok(())
    }
}

/// What a sweep in this folder was asked; `None` where there is none.
pub fn read_options(folder: &Path) -> Result<Option<Value>> {
    let path = folder.join(OPTIONS);
    match fs::read(&path) {
        Ok(bytes) => {
            Ok(Some(serde_json::from_slice(&bytes).with_context(|| format!("{} is no JSON", path.display()))?))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
    }
}

/// Gives all whole rows of a file to `take`, one at a time, and tells where the last of them ends.
///
/// # Errors
/// When a line that is not the last is no row.
pub fn read_rows(path: &Path, take: &mut dyn FnMut(Row)) -> Result<u64> {
    let reading = || format!("reading {}", path.display());
    let mut lines = BufReader::new(File::open(path).with_context(reading)?);
    let (mut whole, mut number) = (0, 0);
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = lines.read_until(b'\n', &mut line).with_context(reading)?;
        if length == 0 || line.last() != Some(&b'\n') {
            return Ok(whole);
        }
        number += 1;
        let row = serde_json::from_slice(&line)
            .with_context(|| format!("{}, line {number}, is no row of a sweep", path.display()))?;
        take(row);
        whole += length as u64;
    }
}
