//! Opening a pack.

use super::error::PackError;
use super::{MODULE, MODULES, README, TRACES};
use forkpoint_traces::{Source, TraceReader};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use zip::{CompressionMethod, ZipArchive};

/// The first bytes of every archive whose first member is not empty.
const MAGIC: [u8; 4] = *b"PK\x03\x04";

/// Bytes that a module may claim whatever it takes in the archive, and how many times as much beyond that: as in a trace.
const FREE_MODULE: u64 = 64 << 20;
const MODULE_RATIO: u64 = 32;

/// Most bytes of the page that a pack has.
const MAX_README: u64 = 4 << 20;

/// An open pack.
pub struct Pack {
    /// The left trace.
    pub lhs: TraceReader,
    /// The right one.
    pub rhs: TraceReader,
    /// The page that says what it shows. Unescaped: escape it before printing.
    pub readme: String,
}

impl Pack {
    /// Whether a file is an archive, by its first bytes. One that cannot be read is none.
    pub fn is_one(path: &Path) -> bool {
        let mut bytes = [0; MAGIC.len()];
        // Opening a FIFO would wait for its writer.
        let is_file = path.metadata().is_ok_and(|file| file.is_file());
        is_file && File::open(path).is_ok_and(|mut file| file.read_exact(&mut bytes).is_ok()) && bytes == MAGIC
    }

    /// Opens a pack.
    ///
    /// # Errors
    /// When it cannot be read, is an archive of something else, or its traces cannot be opened.
    pub fn open(path: &Path) -> Result<Pack, PackError> {
        let file = File::open(path).map_err(PackError::io(format!("opening {}", path.display())))?;
        let source = Source::open(path)?;
        let mut archive = ZipArchive::new(file)?;
        let module: Option<Arc<[u8]>> = match [MODULE, MODULES].into_iter().find(|name| has(&archive, name)) {
            Some(name) => Some(module(&mut archive, name)?.into()),
            None => None,
        };
        let mut readme = Vec::new();
        if has(&archive, README) {
            let page = archive.by_name(README)?;
            page.take(MAX_README).read_to_end(&mut readme).map_err(PackError::io(format!("reading {README}")))?;
        }
        let [lhs, rhs] = TRACES.map(|name| trace(&mut archive, name, &source, module.clone()));
        Ok(Pack { lhs: lhs?, rhs: rhs?, readme: String::from_utf8_lossy(&readme).into_owned() })
    }
}

fn has(archive: &ZipArchive<File>, name: &str) -> bool {
    archive.index_for_name(name).is_some()
}

/// A trace, which is read where it is.
fn trace(
    archive: &mut ZipArchive<File>,
    name: &str,
    source: &Source,
    module: Option<Arc<[u8]>>,
) -> Result<TraceReader, PackError> {
    if !has(archive, name) {
        return Err(PackError::NotAPack(format!("it has no member {name}")));
    }
    let member = archive.by_name(name)?;
    let start = member.data_start().filter(|_| member.compression() == CompressionMethod::Stored);
    let range = start.and_then(|start| Some(start..start.checked_add(member.size())?));
    let range = range.filter(|range| range.end <= source.length());
    let Some(range) = range else {
        return Err(PackError::NotAPack(format!("its member {name} is not stored as it is, or is cut off")));
    };
    Ok(TraceReader::of(source.slice(range)?, module)?)
}

fn module(archive: &mut ZipArchive<File>, name: &str) -> Result<Vec<u8>, PackError> {
    let member = archive.by_name(name)?;
    let (size, stored) = (member.size(), member.compressed_size());
    if size > stored.saturating_mul(MODULE_RATIO).max(FREE_MODULE) {
        return Err(PackError::NotAPack(format!("{name} claims {size} bytes, and {stored} are stored")));
    }
    let mut bytes = Vec::new();
    member.take(size.saturating_add(1)).read_to_end(&mut bytes).map_err(PackError::io(format!("reading {name}")))?;
    if bytes.len() as u64 != size {
        return Err(PackError::NotAPack(format!("{name} claims {size} bytes and has {}", bytes.len())));
    }
    Ok(bytes)
}
