//! One trace, with the memory it makes at any position.
//!
//! A [`Timeline`] is at a position; its memory is the state before the event there. Moving forward applies events;
//! moving back reverts them from an undo log of the last few thousand; a longer move restores the nearest
//! keyframe and replays from it. Only one decoded chunk is in memory at a time.

mod appearance;
mod each;
mod equality;
mod matching;
mod nearest;
mod search;
mod stop;
mod undo;
mod waypoints;
mod writers;

use crate::error::ReplayError;
use crate::symbols::{SourceMap, Symbols};
pub use appearance::Appearance;
pub(crate) use each::Flow;
use forkpoint_traces::{
    Event, Excerpt, Finished, Image, Position, RawEvent, Scanner, SiteId, TraceError, TraceReader,
};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use undo::{Undo, UndoLog};
use waypoints::Waypoints;
pub(crate) use writers::{LastWriters, Writer};

/// How many events before the one that was sought can be taken back one by one; for more, memory is restored again.
/// Noting how takes several times as long as the event itself.
const LOOK_BACK: u64 = 4096;

#[derive(Debug, Clone)]
struct Stored {
    site: SiteId,
    operands: [u64; 3],
    blob: (u32, u32),
}

/// A decoded chunk.
#[derive(Default)]
struct Chunk {
    number: usize,
    first: u64,
    events: Vec<Stored>,
    blobs: Vec<u8>,
}

impl Chunk {
    fn get(&self, position: Position) -> Option<RawEvent<'_>> {
        let stored = self.events.get(usize::try_from(position.0.checked_sub(self.first)?).ok()?)?;
        let (start, end) = stored.blob;
        Some(RawEvent {
            site: stored.site,
            operands: stored.operands,
            blob: &self.blobs[start as usize..end as usize],
        })
    }
}

/// Called with the position that long work has reached; returns whether to give up.
type Progress = Box<dyn Fn(Position) -> bool + Send>;

/// One trace and its memory at a position.
pub struct Timeline {
    trace: TraceReader,
    chunk: Option<Chunk>,
    image: Image,
    position: Position,
    /// How to revert the events before `position`.
    undo: UndoLog,
    waypoints: Waypoints,
    scanner: Option<Scanner>,
    progress: Option<Progress>,
    symbols: OnceLock<Arc<Symbols>>,
}

impl Timeline {
    /// Opens a trace, at its beginning.
    pub fn open(path: &Path) -> Result<Timeline, ReplayError> {
        Ok(Timeline::new(TraceReader::open(path)?))
    }

    /// A timeline over an open trace.
    pub fn new(trace: TraceReader) -> Timeline {
        let image = trace.empty_image();
        Timeline {
            trace,
            chunk: None,
            image,
            position: Position(0),
            undo: UndoLog::default(),
            waypoints: Waypoints::new(),
            scanner: None,
            progress: None,
            symbols: OnceLock::new(),
        }
    }

    /// The trace.
    pub fn trace(&self) -> &TraceReader {
        &self.trace
    }

    /// Names, source lines and text of its module, parsed only once and on demand.
    pub fn symbols(&self) -> &Arc<Symbols> {
        self.symbols.get_or_init(|| Arc::new(Symbols::of(&self.trace)))
    }

    /// Takes source lines from this map.
    #[must_use]
    pub fn with_source_map(mut self, map: Option<&Arc<SourceMap>>) -> Timeline {
        if let Some(map) = map {
            self.symbols = OnceLock::from(Arc::new(Symbols::of(&self.trace).with_source_map(map)));
        }
        self
    }

    /// Takes over the symbols of another timeline of the same module, so that one comparison parses them once.
    pub fn share_symbols(&mut self, other: &Timeline) {
        let (own, other_header) = (self.trace.header(), other.trace.header());
        if own.module.hash == other_header.module.hash && own.program == other_header.program {
            self.symbols = OnceLock::from(Arc::clone(other.symbols()));
        }
    }

    /// The trace, for reads that need its decoder.
    pub fn trace_mut(&mut self) -> &mut TraceReader {
        &mut self.trace
    }

    /// Writes an excerpt of the trace: [`TraceReader::excerpt`].
    ///
    /// # Errors
    /// As there, and [`ReplayError::Cancelled`].
    pub fn excerpt(&mut self, excerpt: Excerpt, output: &Path) -> Result<Finished, ReplayError> {
        let progress = &self.progress;
        let mut goes_on = |position| !progress.as_ref().is_some_and(|stopped| stopped(position));
        self.trace.excerpt(excerpt, output, &mut goes_on)?.ok_or(ReplayError::Cancelled)
    }

    /// Sets what is called now and then during long work, at least once a chunk, with the position reached; if it
    /// returns `true`, the work gives up with [`ReplayError::Cancelled`].
    pub fn set_progress(&mut self, progress: impl Fn(Position) -> bool + Send + 'static) {
        self.progress = Some(Box::new(progress));
    }

    pub(crate) fn come_to(&self, position: Position) -> Result<(), ReplayError> {
        if self.progress.as_ref().is_some_and(|stopped| stopped(position)) {
            return Err(ReplayError::Cancelled);
        }
        Ok(())
    }

    /// Number of events.
    pub fn len(&self) -> u64 {
        self.trace.events()
    }

    /// Whether the trace has no event at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The current position.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Memory before the event at [`Timeline::position`].
    pub fn memory(&self) -> &Image {
        &self.image
    }

    /// The event at a position.
    ///
    /// # Errors
    /// When there is none or its chunk is damaged.
    pub fn event(&mut self, position: Position) -> Result<Event, ReplayError> {
        self.load(position)?;
        let chunk = self.chunk.as_ref().expect("just loaded");
        let raw = chunk.get(position).expect("the chunk was chosen by position");
        Ok(Event::read(&raw, self.trace.sites())?)
    }

    /// The site number of the event at a position, without decoding the rest.
    pub(crate) fn site(&mut self, position: Position) -> Result<SiteId, ReplayError> {
        self.load(position)?;
        let chunk = self.chunk.as_ref().expect("just loaded");
        Ok(chunk.get(position).expect("the chunk was chosen by position").site)
    }

    /// Whether the chunk that was read last holds the event at a position, which takes no search.
    pub(crate) fn is_loaded(&self, position: Position) -> bool {
        let within =
            |chunk: &Chunk| position.0.checked_sub(chunk.first).is_some_and(|at| at < chunk.events.len() as u64);
        self.chunk.as_ref().is_some_and(within)
    }

    /// Whether the trace leaves out the event at a position.
    pub(crate) fn leaves_out(&self, position: Position) -> bool {
        !self.is_loaded(position) && self.trace.gap(position).is_some()
    }

    fn load(&mut self, position: Position) -> Result<(), ReplayError> {
        if self.is_loaded(position) {
            return Ok(());
        }
        let number = self.trace.chunk_of(position)?;
        if self.chunk.as_ref().is_some_and(|chunk| chunk.number == number) {
            return Ok(());
        }
        self.come_to(position)?;
        // Reuse the allocation; a damaged chunk must not leave a half-filled one.
        let mut chunk = self.chunk.take().unwrap_or_default();
        chunk.events.clear();
        chunk.blobs.clear();
        chunk.number = number;
        chunk.first = self.trace.chunks()[number].first.0;
        self.trace.read_chunk(number, |event| {
            let start = chunk.blobs.len() as u32;
            chunk.blobs.extend_from_slice(event.blob);
            chunk.events.push(Stored {
                site: event.site,
                operands: event.operands,
                blob: (start, chunk.blobs.len() as u32),
            });
            Ok::<(), TraceError>(())
        })?;
        self.chunk = Some(chunk);
        Ok(())
    }

    /// Goes to a position from 0 to [`Timeline::len`].
    ///
    /// # Errors
    /// When it lies past the end or among events that the trace leaves out, a chunk is damaged, or an event contradicts
    /// earlier ones.
    pub fn seek(&mut self, to: Position) -> Result<(), ReplayError> {
        if to.0 > self.len() {
            return Err(TraceError::OutOfRange { asked: to, events: self.len() }.into());
        }
        // Before the first event that is left out, memory is known.
        if let Some(gap) = self.trace.gap(to).filter(|gap| gap.start < to) {
            return Err(TraceError::LeftOut { asked: to, gap }.into());
        }
        while to < self.position {
            match self.undo.pop() {
                None | Some(Undo::Replay) => {
                    self.restore(to)?;
                    break;
                }
                Some(Undo::Nothing) => {}
                Some(Undo::Bytes(memory, address, bytes)) => {
                    self.image
                        .write(memory, address, &bytes)
                        .map_err(|source| ReplayError::Event { position: self.position, source })?;
                }
                Some(Undo::Pages(memory, pages)) => self.image.set_pages(memory, pages),
            }
            self.position.0 -= 1;
        }
        // After events that are left out, there is a keyframe.
        let over_gap = self.trace.held_until(self.position) < to;
        if over_gap || to.0 - self.position.0 > 2 * u64::from(self.trace.header().chunk_events) {
            self.restore_if_nearer(to)?;
        }
        // Whole chunks are replayed as they are decoded, without a copy and without an undo log.
        while self.position < to {
            let number = self.trace.chunk_of(self.position)?;
            let entry = &self.trace.chunks()[number];
            if entry.first == self.position && entry.end() < to {
                self.replay_chunk(number)?;
                self.keep_waypoint();
            } else if entry.end() < to {
                self.replay_within(entry.end())?;
            } else {
                self.replay_within(Position(to.0.saturating_sub(LOOK_BACK)))?;
                self.forward()?;
            }
        }
        Ok(())
    }

    /// Replays events of one chunk without an undo log, up to `to`.
    fn replay_within(&mut self, to: Position) -> Result<(), ReplayError> {
        if self.position >= to {
            return Ok(());
        }
        self.load(self.position)?;
        self.undo.clear();
        let chunk = self.chunk.as_ref().expect("just loaded");
        while self.position < to {
            let raw = chunk.get(self.position).expect("the caller chose a place in the chunk");
            let position = self.position;
            self.image.apply(&raw).map_err(|source| ReplayError::Event { position, source })?;
            self.position = position.next();
        }
        Ok(())
    }

    fn replay_chunk(&mut self, number: usize) -> Result<(), ReplayError> {
        self.come_to(self.position)?;
        self.undo.clear();
        let impossible = |position, source| ReplayError::Event { position, source };
        self.trace.replay_chunk(number, &mut self.image, &mut self.position, impossible)
    }

    fn restore_if_nearer(&mut self, to: Position) -> Result<(), ReplayError> {
        if self.restorable_before(to) > self.position {
            self.restore(to)?;
        }
        Ok(())
    }

    fn restore(&mut self, to: Position) -> Result<(), ReplayError> {
        self.undo.clear();
        // Until this succeeds the memory belongs to no position: if it fails, go back to the beginning.
        self.position = Position(0);
        match self.restore_image(to) {
            Ok(position) => {
                self.position = position;
                Ok(())
            }
            Err(error) => {
                self.image.clear();
                Err(error)
            }
        }
    }

    /// Applies the event at the position and notes how to revert it.
    fn forward(&mut self) -> Result<(), ReplayError> {
        let position = self.position;
        self.load(position)?;
        let chunk = self.chunk.as_ref().expect("just loaded");
        if position.0 == chunk.first || self.undo.is_full() {
            self.undo.clear();
        }
        let raw = chunk.get(position).expect("the chunk was chosen by position");
        let undo = Undo::of(&Event::read(&raw, self.trace.sites())?, &self.image);
        self.image.apply(&raw).map_err(|source| ReplayError::Event { position, source })?;
        self.undo.push(undo);
        self.position = position.next();
        Ok(())
    }
}
