//! Making a pack: excerpts of both traces, checked to show what the traces show, and the archive.

use super::contents::Contents;
use super::error::PackError;
use super::{MODULE, MODULES, README, TRACES, readme};
use crate::builds::{BuildsReport, are_builds};
use crate::nan::NanBits;
use crate::report::Report;
use crate::side::Side;
use crate::signature::Likeness;
use crate::timeline::Timeline;
use forkpoint_traces::{
    DigestOf, EngineWords, Excerpt, ExcerptModule, Header, MemoryIndex, PAGE, Position, Source, TraceError,
    TraceReader,
};
use std::fs::{self, File};
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::{NamedTempFile, TempDir};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Events after the divergence that a window holds: at first as many as are searched for where the runs agree again by
/// whatever way, and if that is not enough, as many as for runs on the same way.
const AFTER: [u64; 2] = [(1 << 14) + 64, (1 << 20) + 64];

/// Events held around each one that the report names.
const AROUND: u64 = 8;

/// How a pack is made.
#[derive(Debug, Clone)]
pub struct PackSettings {
    /// Whether it holds the traces as they are, however long, and not windows of them.
    pub whole: bool,
    /// Most bytes that it may have.
    pub limit: u64,
    /// Events that the report shows before and after the divergence.
    pub context: u64,
    /// What the report does about events that differ in NaN bits only.
    pub nan_bits: NanBits,
    /// Changes what the pack says about how the runs were made. Its report and contents say the same, then.
    pub edit: Option<fn(&mut Header, &mut EngineWords)>,
}

impl Default for PackSettings {
    /// A window, 25 MiB: what bug trackers take.
    fn default() -> PackSettings {
        PackSettings { whole: false, limit: 25 << 20, context: 3, nan_bits: NanBits::default(), edit: None }
    }
}

/// What the traces of a pack show.
pub(super) enum Shown {
    /// Of one module.
    Runs(Box<Report>),
    /// Of two builds.
    Builds(Box<BuildsReport>),
}

/// A pack that is ready to be written.
pub struct Packing {
    /// What the traces show, and so does the pack.
    pub(super) shown: Shown,
    /// What it holds of its user's.
    pub contents: Contents,
    module: Arc<[u8]>,
    is_program: bool,
    whole: bool,
    limit: u64,
    /// Holds the two traces.
    folder: TempDir,
    /// Events that each of them holds.
    held: [u64; 2],
}

impl Packing {
    /// Prepares a pack of two traces. Those of two builds are packed as they are, since what builds do is compared from the
    /// beginning on.
    ///
    /// # Errors
    /// When the traces cannot be compared, or an excerpt of them does not show the same.
    pub fn prepare(sides: &mut [Timeline; 2], settings: &PackSettings) -> Result<Packing, PackError> {
        let [lhs, rhs] = sides;
        let builds = are_builds(lhs, rhs);
        let shown = match builds {
            true => Shown::Builds(Box::new(BuildsReport::new(lhs, rhs, settings.context, settings.nan_bits)?)),
            false => Shown::Runs(Box::new(Report::new(lhs, rhs, settings.context, settings.nan_bits)?)),
        };
        let folder = tempfile::tempdir().map_err(PackError::io("creating a temporary folder"))?;
        let traces = [lhs.trace(), rhs.trace()];
        let (module, is_program) = (Arc::clone(lhs.trace().module()), lhs.trace().header().program.is_some());
        let mut packing = Packing {
            shown,
            contents: Contents::of(traces)?,
            module,
            is_program,
            // What an excerpt holds is whole, and these traces are not.
            whole: settings.whole || builds || traces.iter().any(|trace| !trace.is_complete()),
            limit: if settings.whole { u64::MAX } else { settings.limit },
            folder,
            held: [lhs.len(), rhs.len()],
        };
        if let (Shown::Runs(report), false) = (&packing.shown, packing.whole) {
            let report = report.clone();
            packing.excerpt(sides, &report, settings)?;
        } else {
            for (timeline, path) in sides.iter().zip(packing.traces()) {
                let copying = || format!("copying a trace to {}", path.display());
                let mut copy = File::create(&path).map_err(PackError::io(copying()))?;
                timeline.trace().source().copy_to(&mut copy).map_err(PackError::io(copying()))?;
            }
        }
        let [lhs, _] = sides;
        let window = match &packing.shown {
            Shown::Runs(report) => report.position,
            Shown::Builds(_) => None,
        };
        let window = window.unwrap_or(Position(lhs.len()));
        lhs.seek(Position(window.0.min(lhs.len())))?;
        packing.contents.memory = bytes_of(lhs);
        Ok(packing)
    }

    /// Where the traces are until they are packed.
    fn traces(&self) -> [PathBuf; 2] {
        TRACES.map(|name| self.folder.path().join(name))
    }

    /// Writes excerpts that show what the traces show.
    fn excerpt(
        &mut self,
        sides: &mut [Timeline; 2],
        report: &Report,
        settings: &PackSettings,
    ) -> Result<(), PackError> {
        let paths = self.traces();
        let mut last = None;
        for after in AFTER {
            let mut excerpts = Vec::new();
            for ((timeline, path), side) in sides.iter_mut().zip(&paths).zip(Side::BOTH) {
                let held = held(timeline, report, side, after)?;
                let _ = fs::remove_file(path);
                let trace = timeline.trace();
                let (mut header, mut words) = (trace.header().clone(), trace.words().clone());
                if let Some(edit) = settings.edit {
                    edit(&mut header, &mut words);
                }
                let module = Arc::clone(trace.module());
                let (header, words) = (&header, &words);
                let excerpt = Excerpt { held: &held, header, words, module: ExcerptModule::Elsewhere, edit: None };
                let finished = timeline.excerpt(excerpt, path)?;
                let mut excerpt = TraceReader::of(Source::open(path)?, Some(module))?;
                if let Some(bytes) = finished.to_allow {
                    excerpt.allow_memory(bytes);
                }
                excerpts.push(Timeline::new(excerpt));
            }
            let [lhs, rhs] = excerpts.as_mut_slice() else { unreachable!("there are two sides") };
            let found = Report::new(lhs, rhs, settings.context, settings.nan_bits);
            self.held = [&*lhs, &*rhs].map(held_events);
            match found {
                Ok(found) if essence(&found) == essence(report) => {
                    if settings.edit.is_some() {
                        self.shown = Shown::Runs(Box::new(found));
                        self.contents = Contents::of([lhs.trace(), rhs.trace()])?;
                    }
                    return Ok(());
                }
                Ok(found) => last = Some(essence(&found)),
                Err(error) => last = Some(error.to_string()),
            }
        }
        Err(PackError::Differs { expected: essence(report), found: last.unwrap_or_default() })
    }

    /// Writes the pack. What is at `output` is replaced when it is whole. `title` names it in its page.
    ///
    /// # Errors
    /// When it cannot be written, or is larger than allowed.
    pub fn write(&self, output: &Path) -> Result<u64, PackError> {
        let writing = || PackError::io(format!("writing the pack {}", output.display()));
        let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = NamedTempFile::new_in(folder).map_err(writing())?;
        let mut archive = ZipWriter::new(file);
        let packed =
            SimpleFileOptions::default().compression_method(CompressionMethod::Deflated).compression_level(Some(9));
        let name =
            output.file_name().map_or_else(|| "the pack".to_string(), |name| name.to_string_lossy().into_owned());
        archive.start_file(README, packed)?;
        let readme = readme::page(&name, self);
        archive.write_all(readme.as_bytes()).map_err(writing())?;
        if !self.whole {
            archive.start_file(if self.is_program { MODULES } else { MODULE }, packed)?;
            archive.write_all(&self.module).map_err(writing())?;
        }
        let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        let mut sizes = [0; 2];
        for ((name, path), size) in TRACES.iter().zip(self.traces()).zip(&mut sizes) {
            let mut trace = File::open(&path).map_err(writing())?;
            *size = trace.metadata().map_err(writing())?.len();
            archive.start_file(*name, stored.large_file(*size >= u64::from(u32::MAX)))?;
            io::copy(&mut trace, &mut archive).map_err(writing())?;
        }
        let file = archive.finish()?;
        let size = file.as_file().metadata().map_err(writing())?.len();
        if size > self.limit {
            let [lhs, rhs] = sizes;
            let module = size.saturating_sub(lhs + rhs);
            return Err(PackError::TooLarge { size, limit: self.limit, module, lhs, rhs });
        }
        file.persist(output).map_err(|error| writing()(error.error))?;
        Ok(size)
    }

    /// Events that the left trace holds, and the right one.
    pub fn held_events(&self) -> [u64; 2] {
        self.held
    }

    /// Whether the traces are in it as they are.
    pub fn is_whole(&self) -> bool {
        self.whole
    }
}

/// The events of a trace that its excerpt holds, but for the first one and the last.
fn held(timeline: &Timeline, report: &Report, side: Side, after: u64) -> Result<Vec<Range<Position>>, PackError> {
    let named = [&report.culprit, &report.during].into_iter().flatten().filter(|named| named.side == side);
    let resync = report.resync.map(|resync| *side.of([&resync[0], &resync[1]]));
    let nan = report.nan_bits.as_ref().map(|nan| nan.first);
    let mut held: Vec<Range<Position>> = named
        .map(|named| named.event.position)
        .chain(resync)
        .chain(nan)
        .map(|Position(at)| Position(at.saturating_sub(AROUND))..Position(at.saturating_add(AROUND)))
        .collect();
    let last = timeline.len().saturating_sub(1);
    let at = report.position.map_or(last, |position| position.0.min(last));
    if !timeline.is_empty() {
        let first =
            stretch_start(timeline.trace(), Position(at))?.min(at.saturating_sub(report.context.len() as u64));
        held.push(Position(first)..Position(at.saturating_add(after)));
    }
    Ok(held)
}

/// What a report must say in the same words of an excerpt.
fn essence(report: &Report) -> String {
    let Report { agree, verdict, position, site, resync, culprit, during, .. } = report;
    let likeness = Likeness::of(report).unwrap_or_default();
    let word = verdict.map_or("none", |verdict| verdict.word());
    let site = site.as_ref().map(ToString::to_string).unwrap_or_default();
    let at = |named: &Option<crate::report::CulpritReport>| named.as_ref().map(|named| named.event.position);
    format!(
        "agree {agree:?}, verdict {word}, at {position:?}, {site}, {likeness}, resync {resync:?}, {:?}, {:?}",
        at(culprit),
        at(during)
    )
}

/// Where the stretch begins that has a digest and holds the event at `position`: the digests of those before are equal.
fn stretch_start(trace: &TraceReader, position: Position) -> Result<u64, TraceError> {
    if let Some(digests) = trace.digests(DigestOf::Records) {
        let stretch = digests.ends.partition_point(|end| *end <= position);
        return Ok(stretch.checked_sub(1).and_then(|before| digests.ends.get(before)).map_or(0, |end| end.0));
    }
    let chunk = trace.chunk_of(position)?;
    Ok(trace.chunks()[chunk].first.0)
}

fn held_events(timeline: &Timeline) -> u64 {
    let all = Position(0)..Position(timeline.len());
    timeline.trace().held(all).iter().map(|held| held.end.0 - held.start.0).sum()
}

/// Bytes of all pages of memory that exist at a timeline's position.
fn bytes_of(timeline: &Timeline) -> u64 {
    let memory = timeline.memory();
    let pages = |index| memory.pages_in(MemoryIndex(index), 0..u64::MAX).count() as u64;
    (0..memory.memories()).map(pages).sum::<u64>() * PAGE
}
