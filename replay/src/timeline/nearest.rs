//! Searching chunks for the nearest one that has what is sought, on all processors if it takes long.

use super::Timeline;
use crate::error::ReplayError;
use forkpoint_traces::{ChunkEntry, Position, Scanner, TraceError, TraceReader};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Builder};

/// Chunks that are searched alone first: nearly all answers are there.
const ALONE: usize = 8;

/// Most threads that search.
const THREADS: usize = 4;

/// The answer of a search that goes on.
type Answer = Result<Position, TraceError>;

impl Timeline {
    /// What `search` finds in the first of these chunks that has anything; those that `may` not have it are skipped. A
    /// damaged chunk before it is an error, one after it is not seen.
    pub(super) fn nearest(
        &mut self,
        chunks: &[usize],
        may: impl Fn(&ChunkEntry) -> bool + Sync,
        search: impl Fn(&TraceReader, &mut Scanner, usize) -> Result<Option<Position>, TraceError> + Sync,
    ) -> Result<Option<Position>, ReplayError> {
        let mut scanner = self.scanner.take().unwrap_or_else(|| self.trace.scanner());
        let search = |trace: &TraceReader, scanner: &mut Scanner, chunk: usize| match may(&trace.chunks()[chunk]) {
            true => search(trace, scanner, chunk),
            false => Ok(None),
        };
        let mut rest = chunks;
        let mut left = ALONE;
        let mut found = Ok(None);
        while let (Some((&chunk, later)), Ok(None), 1..) = (rest.split_first(), &found, left) {
            rest = later;
            let entry = &self.trace.chunks()[chunk];
            left -= usize::from(may(entry));
            found = self.come_to(entry.first).and_then(|()| Ok(search(&self.trace, &mut scanner, chunk)?));
        }
        if matches!(found, Ok(None)) && !rest.is_empty() {
            found = self.search_on_all(rest, &mut scanner, &search);
        }
        self.scanner = Some(scanner);
        found
    }

    fn search_on_all(
        &self,
        rest: &[usize],
        scanner: &mut Scanner,
        search: &(impl Fn(&TraceReader, &mut Scanner, usize) -> Result<Option<Position>, TraceError> + Sync),
    ) -> Result<Option<Position>, ReplayError> {
        let (trace, at) = (&self.trace, |chunk: usize| self.trace.chunks()[chunk].first);
        // Chunks are given out in order, so whoever has an answer has it before all that are not given out yet.
        let (next, end) = (AtomicUsize::new(0), AtomicUsize::new(rest.len()));
        let take = || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|i| *i < end.load(Ordering::Relaxed));
        let look = |scanner: &mut Scanner, i: usize| -> Option<(usize, Answer)> {
            let answer = search(trace, scanner, rest[i]).transpose()?;
            end.fetch_min(i, Ordering::Relaxed);
            Some((i, answer))
        };
        let alone = || {
            let mut scanner = trace.scanner();
            std::iter::from_fn(take).find_map(|i| look(&mut scanner, i))
        };
        let threads = thread::available_parallelism().map_or(1, usize::from).min(THREADS);
        let answers = thread::scope(|scope| {
            // Where the system has no thread to give, this one searches alone.
            let others = (1..threads).filter_map(|_| Builder::new().spawn_scoped(scope, alone).ok());
            let others: Vec<_> = others.collect();
            let mut answer = Ok(None);
            while let Some(i) = take() {
                answer = self.come_to(at(rest[i])).map(|()| look(scanner, i));
                match answer {
                    Ok(None) => {}
                    Ok(Some(_)) => break,
                    Err(_) => {
                        end.store(0, Ordering::Relaxed);
                        break;
                    }
                }
            }
            let joined =
                others.into_iter().map(|other| other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            let joined: Vec<_> = joined.flatten().collect();
            answer.map(|own| own.into_iter().chain(joined))
        })?;
        match answers.min_by_key(|(i, _)| *i) {
            Some((_, answer)) => Ok(Some(answer?)),
            None => Ok(None),
        }
    }
}
