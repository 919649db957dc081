//! The guest's memory during a host call: what a host function reads and writes there is noted for the recording.
//!
//! A function that asks for the bytes themselves gets them, but pays for a comparison of the whole memory.

use super::touched::Touched;
use crate::host::ranges::{MOST, MOST_BYTES};
use forkpoint_traces::{HostEvent, HostRead, MemoryIndex, PAGE};
use std::ops::Range;

/// Most steps of one host call: the same as in an answer to a runner.
const MOST_STEPS: usize = 1 << 16;

/// Most bytes of adjacent writes that are joined into one.
const JOINED: usize = 32 << 10;

/// An access outside the guest's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{length} bytes at {address:#x} lie outside of the guest's memory of {size:#x} bytes")]
pub struct OutOfBounds {
    address: u64,
    length: u64,
    size: u64,
}

/// A guest's memory, as an engine lends it during a host call.
pub(crate) trait LentMemory {
    /// Its bytes.
    fn bytes(&self) -> &[u8];

    /// The same, mutable.
    fn bytes_mut(&mut self) -> &mut [u8];

    /// Size in pages.
    fn pages(&self) -> u64;

    /// Grows it by this many pages; `false` if the engine refuses.
    fn grow(&mut self, delta: u64) -> bool;
}

/// The memory of a guest that exports none.
pub(crate) struct NoMemory;

impl LentMemory for NoMemory {
    fn bytes(&self) -> &[u8] {
        &[]
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut []
    }

    fn pages(&self) -> u64 {
        0
    }

    fn grow(&mut self, _: u64) -> bool {
        false
    }
}

/// The guest's memory during a host call: the one that it exports as `memory`.
pub struct HostMemory<'a> {
    lent: &'a mut dyn LentMemory,
    index: MemoryIndex,
    /// Size in bytes when the call began: everything beyond came from the host.
    given: u64,
    /// Each range that was read, with its bytes.
    reads: Vec<(u64, Vec<u8>)>,
    /// Bytes of the noted reads so far.
    read: u64,
    /// What need not be noted again: read before, or written by this call.
    known: Touched,
    steps: Vec<HostEvent>,
    /// Whether there were more steps than a host call may have.
    too_many: bool,
    /// The contents of memory when its bytes were lent.
    before: Option<Vec<u8>>,
}

impl<'a> HostMemory<'a> {
    pub(crate) fn new(index: u32, lent: &'a mut dyn LentMemory) -> HostMemory<'a> {
        let given = lent.bytes().len() as u64;
        HostMemory {
            lent,
            index: MemoryIndex(index),
            given,
            reads: Vec::new(),
            read: 0,
            known: Touched::default(),
            steps: Vec::new(),
            too_many: false,
            before: None,
        }
    }

    /// Size in bytes.
    pub fn size(&self) -> u64 {
        self.lent.bytes().len() as u64
    }

    /// Size in pages.
    pub fn pages(&self) -> u64 {
        self.lent.pages()
    }

    fn range(&self, address: u64, length: u64) -> Result<Range<usize>, OutOfBounds> {
        let size = self.size();
        match address.checked_add(length) {
            Some(end) if end <= size => Ok(address as usize..end as usize),
            _ => Err(OutOfBounds { address, length, size }),
        }
    }

    /// Reads bytes. A later run with other bytes there diverges at this call. If a call reads more than 64 MiB, or
    /// more than 1,024 separate ranges, the rest is not compared.
    ///
    /// # Errors
    /// When they are outside memory.
    pub fn read(&mut self, address: u64, length: u64) -> Result<&[u8], OutOfBounds> {
        let range = self.range(address, length)?;
        if self.before.is_none() {
            // Bytes that this call wrote, or added by growing, are not the guest's.
            for part in self.known.add(address..address.saturating_add(length).min(self.given)) {
                self.note(part);
            }
        }
        Ok(&self.lent.bytes()[range])
    }

    fn note(&mut self, part: Range<u64>) {
        let end = part.end.min(part.start.saturating_add(MOST_BYTES - self.read));
        let bytes = &self.lent.bytes()[part.start as usize..end as usize];
        let full = self.reads.len() as u64 == MOST;
        match self.reads.last_mut() {
            Some((start, last)) if *start + last.len() as u64 == part.start => last.extend_from_slice(bytes),
            _ if bytes.is_empty() || full => return,
            _ => self.reads.push((part.start, bytes.to_vec())),
        }
        self.read += end - part.start;
    }

    /// Writes bytes.
    ///
    /// # Errors
    /// When they do not fit into memory; then nothing is written.
    pub fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), OutOfBounds> {
        let range = self.range(address, bytes.len() as u64)?;
        self.lent.bytes_mut()[range].copy_from_slice(bytes);
        self.known.add(address..address + bytes.len() as u64);
        if let Some(HostEvent::Write { address: start, bytes: last, .. }) = self.steps.last_mut()
            && *start + last.len() as u64 == address
            && last.len() + bytes.len() <= JOINED
        {
            last.extend_from_slice(bytes);
            return Ok(());
        }
        self.step(HostEvent::Write { memory: self.index, address, bytes: bytes.to_vec() });
        Ok(())
    }

    /// Grows memory by this many pages; returns the previous size in pages, or `None` if the engine refuses.
    pub fn grow(&mut self, delta: u64) -> Option<u64> {
        let before = self.lent.pages();
        if !self.lent.grow(delta) {
            return None;
        }
        self.step(HostEvent::Grow { memory: self.index, delta, before });
        Some(before)
    }

    fn step(&mut self, step: HostEvent) {
        match self.steps.len() < MOST_STEPS {
            true => self.steps.push(step),
            false => self.too_many = true,
        }
    }

    /// All bytes, for any use. Changes are found by comparing the whole memory, which costs a copy of it and a
    /// comparison; reads are not known, so later runs are not compared with them.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        if self.before.is_none() {
            self.before = Some(self.lent.bytes().to_vec());
        }
        self.lent.bytes_mut()
    }

    /// The reads, and all changes to memory, in order.
    ///
    /// # Errors
    /// When they exceed the limits of a host call.
    pub(crate) fn finish(self) -> Result<(Vec<HostRead>, Vec<HostEvent>), String> {
        if self.too_many {
            return Err(format!(
                "a host call made more than {MOST_STEPS} writes that are apart from each other; write longer stretches"
            ));
        }
        let mut events = self.steps;
        if let Some(mut before) = self.before {
            let now = self.lent.bytes();
            // Growing adds zeros.
            before.resize(now.len(), 0);
            let pages = before.chunks(PAGE as usize).zip(now.chunks(PAGE as usize)).enumerate();
            for (number, (old, new)) in pages.filter(|(_, (old, new))| old != new) {
                let differs = |(old, new): (&u8, &u8)| old != new;
                let first = old.iter().zip(new).position(differs).unwrap_or(0);
                let last = old.iter().zip(new).rposition(differs).unwrap_or(first);
                let address = number as u64 * PAGE + first as u64;
                events.push(HostEvent::Write { memory: self.index, address, bytes: new[first..=last].to_vec() });
            }
        }
        let reads = self.reads.iter().map(|(address, bytes)| HostRead::of(self.index, *address, bytes)).collect();
        Ok((reads, events))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A memory of 16-byte pages, at most four.
    struct Small(Vec<u8>);

    impl LentMemory for Small {
        fn bytes(&self) -> &[u8] {
            &self.0
        }

        fn bytes_mut(&mut self) -> &mut [u8] {
            &mut self.0
        }

        fn pages(&self) -> u64 {
            self.0.len() as u64 / 16
        }

        fn grow(&mut self, delta: u64) -> bool {
            let fits = self.pages() + delta <= 4;
            if fits {
                self.0.resize(self.0.len() + 16 * delta as usize, 0);
            }
            fits
        }
    }

    fn written(events: &[HostEvent]) -> Vec<(u64, Vec<u8>)> {
        let write = |event: &HostEvent| match event {
            HostEvent::Write { address, bytes, .. } => (*address, bytes.clone()),
            other => panic!("{other:?}"),
        };
        events.iter().map(write).collect()
    }

    #[test]
    fn reads_and_writes_are_noted() {
        let mut lent = Small(vec![7; 64]);
        let mut memory = HostMemory::new(0, &mut lent);
        assert_eq!(memory.read(4, 2), Ok(&[7, 7][..]));
        memory.write(60, b"abcd").expect("inside");
        assert_eq!(memory.read(62, 2), Ok(&b"cd"[..]));
        assert!(memory.read(63, 2).is_err() && memory.write(u64::MAX, b"a").is_err() && memory.read(65, 0).is_err());
        let (reads, events) = memory.finish().expect("few steps");
        assert_eq!(reads, [HostRead::of(MemoryIndex(0), 4, &[7, 7])]);
        assert_eq!(written(&events), [(60, b"abcd".to_vec())]);
    }

    #[test]
    fn a_read_is_what_the_guest_gave_and_nothing_else() {
        let mut lent = Small((0..32).collect());
        let mut memory = HostMemory::new(0, &mut lent);
        memory.write(4, b"x").expect("inside");
        assert_eq!((memory.grow(1), memory.grow(2)), (Some(2), None));
        // Around the byte that it wrote, and up to the old end of memory.
        assert_eq!(memory.read(2, 46).map(<[u8]>::len), Ok(46));
        // Adjacent bytes are one read.
        (0..4).for_each(|at| assert!(memory.read(at, 1).is_ok()));
        let (reads, events) = memory.finish().expect("few steps");
        let read = |address, bytes: &[u8]| HostRead::of(MemoryIndex(0), address, bytes);
        let rest: Vec<u8> = (5..32).collect();
        assert_eq!(reads, [read(2, &[2, 3]), read(5, &rest), read(0, &[0, 1])]);
        assert!(matches!(events[1], HostEvent::Grow { delta: 1, before: 2, .. }), "{events:?}");
    }

    #[test]
    fn writes_are_joined_and_bounded() {
        let mut lent = Small(vec![0; 64]);
        let mut memory = HostMemory::new(0, &mut lent);
        (0..64).for_each(|at| memory.write(at, &[at as u8]).expect("inside"));
        let (_, events) = memory.finish().expect("one step");
        assert_eq!(written(&events), [(0, (0..64).collect())]);
        let mut memory = HostMemory::new(0, &mut lent);
        (0..=MOST_STEPS).for_each(|at| memory.write(at as u64 % 2 * 8, b"x").expect("inside"));
        assert!(memory.finish().is_err());
    }

    #[test]
    fn what_changes_behind_the_recorders_back_is_found() {
        let mut lent = Small(vec![0; 3 * PAGE as usize]);
        let mut memory = HostMemory::new(0, &mut lent);
        memory.write(1, b"x").expect("inside");
        let all = memory.bytes_mut();
        all[5000] = 1;
        all[5002] = 2;
        all[12287] = 3;
        let (_, events) = memory.finish().expect("few steps");
        assert_eq!(written(&events), [(1, b"x".to_vec()), (5000, vec![1, 0, 2]), (12287, vec![3])]);
    }
}
