//! Combining the results of a sweep's shards.

use super::row::ModuleRow;
use super::store::{Options, Store, read_options, read_rows};
use crate::error::CompareError;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The rows of several folders, merged by module. If the folder `out` is given, they and their examples are stored
/// there.
///
/// # Errors
/// When a folder holds no sweep or one with other options, and when a file cannot be read or written.
pub fn merge(folders: &[PathBuf], out: Option<&Path>) -> Result<Vec<ModuleRow>, CompareError> {
    let mut asked: Option<(Options, &Path)> = None;
    let mut rows: BTreeMap<String, ModuleRow> = BTreeMap::new();
    for folder in folders {
        let Some(options) = read_options(folder)? else { return Err(CompareError::NoSweep(folder.clone())) };
        match &asked {
            Some((first, whose)) if *first != options => {
                return Err(CompareError::UnlikeSweeps(whose.to_path_buf(), folder.clone()));
            }
            _ => asked = Some((options, folder)),
        }
        read_rows(&Store::rows(folder), &mut |row| {
            rows.insert(row.module.clone(), row);
        })?;
    }
    if let (Some(out), Some((options, _))) = (out, asked) {
        let mut store = Store::open_as(out, options)?;
        for row in rows.values() {
            if !store.has(&row.module) {
                store.add(row)?;
            }
        }
        for folder in folders {
            store.take_examples(folder)?;
        }
    }
    Ok(rows.into_values().collect())
}
