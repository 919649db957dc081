//! Reading the events of a chunk: as they are stored, into memory, or only what they wrote.

use super::TraceReader;
use crate::block::{self, Tag};
use crate::chunk::{ChunkColumns, Sink, Store};
use crate::error::TraceError;
use crate::event::Event;
use crate::ids::{MemoryIndex, Position, SiteId};
use crate::image::{CorruptEvent, Image};
use crate::index::ChunkEntry;
use crate::predict::Predictor;
use crate::raw::RawEvent;
use crate::site::SiteTable;

impl TraceReader {
    /// Calls `sink` for every event of a chunk in order, until it returns an error.
    ///
    /// # Errors
    /// Those of `sink`, and when the chunk is damaged.
    pub fn read_chunk<E: From<TraceError>>(
        &mut self,
        chunk: usize,
        sink: impl FnMut(RawEvent) -> Result<(), E>,
    ) -> Result<(), E> {
        let columns = self.columns(chunk, ChunkColumns::new)?;
        columns.decode(
            self.sites.layouts(),
            &mut self.predictor,
            &mut Raw::<_, _, true>(sink, std::marker::PhantomData),
        )
    }

    /// Applies every event of a chunk to `image`, and counts those that it applied in `position`.
    ///
    /// # Errors
    /// When the chunk is damaged; those of `impossible`, of an event that cannot be applied.
    pub fn replay_chunk<E: From<TraceError>>(
        &mut self,
        chunk: usize,
        image: &mut Image,
        position: &mut Position,
        impossible: impl FnMut(Position, CorruptEvent) -> E,
    ) -> Result<(), E> {
        let columns = self.columns(chunk, ChunkColumns::new)?;
        let mut sink = Replay { image, position, impossible };
        columns.decode(self.sites.layouts(), &mut self.predictor, &mut sink)
    }

    /// Applies the events before `until`, which is in the first chunk or behind it, to memory before the first event.
    pub(super) fn replay_first(&self, until: Position, image: &mut Image) -> Result<(), TraceError> {
        if until == Position(0) {
            return Ok(());
        }
        let columns = self.columns(0, ChunkColumns::new)?;
        let mut position = Position(0);
        let impossible = |position, error| Stop::Failed(TraceError::corrupt(0, format!("event {position}: {error}")));
        let replay = Replay { image, position: &mut position, impossible };
        match columns.decode(self.sites.layouts(), &mut self.scanner().0, &mut Before { replay, until }) {
            Ok(()) | Err(Stop::Reached) => Ok(()),
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    /// Calls `sink` for every event of a chunk that wrote memory, in order and until it returns an error: with its
    /// position, the memory, the first address and the number of bytes. Several times as fast as [`TraceReader::read_chunk`]
    /// where values are not foreseen.
    ///
    /// # Errors
    /// Those of `sink`, and when the chunk is damaged where addresses are.
    pub fn read_writes<E: From<TraceError>>(
        &self,
        scanner: &mut Scanner,
        chunk: usize,
        sink: impl FnMut(Position, MemoryIndex, u64, u64) -> Result<(), E>,
    ) -> Result<(), E> {
        let columns = self.columns(chunk, ChunkColumns::without_values)?;
        let next = self.index.chunks[chunk].first;
        let mut sink = Writes { sites: &self.sites, next, sink, error: std::marker::PhantomData };
        columns.decode(self.sites.layouts(), &mut scanner.0, &mut sink)
    }

    /// What [`TraceReader::read_writes`] needs besides the trace, one for each thread that reads.
    pub fn scanner(&self) -> Scanner {
        Scanner(Predictor::new(self.sites.layouts()))
    }

    /// [`TraceReader::read_chunk`] where the values of instructions do not matter: they are 0.
    ///
    /// # Errors
    /// Those of `sink`, and when the chunk is damaged elsewhere than in its values.
    pub fn read_without_values<E: From<TraceError>>(
        &mut self,
        chunk: usize,
        sink: impl FnMut(RawEvent) -> Result<(), E>,
    ) -> Result<(), E> {
        let columns = self.columns(chunk, ChunkColumns::without_values)?;
        let mut sink = Raw::<_, _, false>(sink, std::marker::PhantomData);
        columns.decode(self.sites.layouts(), &mut self.predictor, &mut sink)
    }

    /// [`TraceReader::read_chunk`], or [`TraceReader::read_without_values`], with a decoder of the caller's: so several threads can read.
    ///
    /// # Errors
    /// As there.
    pub fn scan_chunk<E: From<TraceError>>(
        &self,
        scanner: &mut Scanner,
        chunk: usize,
        values: bool,
        sink: impl FnMut(RawEvent) -> Result<(), E>,
    ) -> Result<(), E> {
        let layouts = self.sites.layouts();
        if values {
            let columns = self.columns(chunk, ChunkColumns::new)?;
            return columns.decode(layouts, &mut scanner.0, &mut Raw::<_, _, true>(sink, std::marker::PhantomData));
        }
        let columns = self.columns(chunk, ChunkColumns::without_values)?;
        columns.decode(layouts, &mut scanner.0, &mut Raw::<_, _, false>(sink, std::marker::PhantomData))
    }

    /// The columns of a chunk, which must be the one that the index promises.
    fn columns(
        &self,
        chunk: usize,
        decompress: impl FnOnce(&[u8], u64) -> Result<ChunkColumns, TraceError>,
    ) -> Result<ChunkColumns, TraceError> {
        let Some(entry) = self.index.chunks.get(chunk) else {
            return Err(TraceError::OutOfRange { asked: Position(u64::MAX), events: self.events() });
        };
        let head = self.block_at(entry.offset, Tag::Chunk)?;
        let columns = decompress(&block::read(&self.file, &head)?, entry.offset)?;
        let ChunkEntry { first, count, digest, .. } = entry;
        if (columns.head.first, columns.head.count, columns.head.digest) != (first.0, *count, *digest) {
            return Err(TraceError::corrupt(entry.offset, "a chunk is not the one that the index promises"));
        }
        Ok(columns)
    }
}

/// The state of a decoder, for the trace that made it.
pub struct Scanner(Predictor);

/// Events as they are stored.
struct Raw<F, E, const VALUES: bool>(F, std::marker::PhantomData<E>);

impl<E: From<TraceError>, F: FnMut(RawEvent) -> Result<(), E>, const VALUES: bool> Sink for Raw<F, E, VALUES> {
    type Error = E;

    const VALUES: bool = VALUES;

    #[inline]
    fn store(&mut self, site: SiteId, store: Store) -> Result<(), E> {
        (self.0)(RawEvent::instruction(site, [store.address, store.value, 0]))
    }

    #[inline]
    fn event(&mut self, event: RawEvent) -> Result<(), E> {
        (self.0)(event)
    }
}

/// Applies events to memory.
struct Replay<'a, F> {
    image: &'a mut Image,
    position: &'a mut Position,
    impossible: F,
}

impl<E: From<TraceError>, F: FnMut(Position, CorruptEvent) -> E> Replay<'_, F> {
    #[inline]
    fn applied(&mut self, result: Result<(), CorruptEvent>) -> Result<(), E> {
        result.map_err(|error| (self.impossible)(*self.position, error))?;
        self.position.0 += 1;
        Ok(())
    }
}

impl<E: From<TraceError>, F: FnMut(Position, CorruptEvent) -> E> Sink for Replay<'_, F> {
    type Error = E;

    #[inline]
    fn store(&mut self, _: SiteId, store: Store) -> Result<(), E> {
        let applied = self.image.store(store.memory, store.address, store.value, store.width);
        self.applied(applied)
    }

    fn event(&mut self, event: RawEvent) -> Result<(), E> {
        let applied = self.image.apply(&event);
        self.applied(applied)
    }
}

/// Applies events before a position.
struct Before<'a, F> {
    replay: Replay<'a, F>,
    until: Position,
}

/// Why no more events are applied.
enum Stop {
    Reached,
    Failed(TraceError),
}

impl From<TraceError> for Stop {
    fn from(error: TraceError) -> Stop {
        Stop::Failed(error)
    }
}

impl<F> Before<'_, F> {
    fn check(&self) -> Result<(), Stop> {
        if *self.replay.position < self.until { Ok(()) } else { Err(Stop::Reached) }
    }
}

impl<F: FnMut(Position, CorruptEvent) -> Stop> Sink for Before<'_, F> {
    type Error = Stop;

    fn store(&mut self, site: SiteId, store: Store) -> Result<(), Stop> {
        self.check()?;
        self.replay.store(site, store)
    }

    fn event(&mut self, event: RawEvent) -> Result<(), Stop> {
        self.check()?;
        self.replay.event(event)
    }
}

/// What events wrote.
struct Writes<'a, F, E> {
    sites: &'a SiteTable,
    next: Position,
    sink: F,
    error: std::marker::PhantomData<E>,
}

impl<E: From<TraceError>, F: FnMut(Position, MemoryIndex, u64, u64) -> Result<(), E>> Sink for Writes<'_, F, E> {
    type Error = E;

    const VALUES: bool = false;

    #[inline]
    fn store(&mut self, _: SiteId, store: Store) -> Result<(), E> {
        let position = self.next;
        self.next = position.next();
        (self.sink)(position, MemoryIndex(store.memory), store.address, store.width.into())
    }

    fn event(&mut self, event: RawEvent) -> Result<(), E> {
        let position = self.next;
        self.next = position.next();
        let written = match event.stored(self.sites) {
            Some((site, address, width)) => Some((site.memory, address, width)),
            None => Event::read(&event, self.sites)?.written(),
        };
        written.map_or(Ok(()), |(memory, address, length)| (self.sink)(position, memory, address, length))
    }
}
