//! A DWARF reader over the shared bytes of the module that counts what is read and stops at a limit.
//!
//! Debug information can refer to the same bytes over and over (a million functions with one list of a million
//! ranges fit in a few megabytes), so that parsing it takes time and memory without bound. Everything that
//! `gimli` and `addr2line` do is driven by reads, so a limit on reads bounds both. Sharing the bytes also saves
//! a copy of the sections.

use gimli::{Error, LittleEndian, Reader, ReaderOffsetId, Result};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The bytes of a module and how much of them may still be read.
#[derive(Debug)]
pub(super) struct Supply {
    module: Arc<[u8]>,
    left: AtomicU64,
}

impl Supply {
    pub(super) fn new(module: Arc<[u8]>) -> Arc<Supply> {
        Arc::new(Supply { module, left: AtomicU64::new(0) })
    }

    /// Allows `units` of reading from now on. One unit is one read, or 16 bytes of text.
    pub(super) fn refill(&self, units: u64) {
        self.left.store(units, Ordering::Relaxed);
    }

    /// Whether the limit was reached since the last [`Supply::refill`].
    pub(super) fn is_exhausted(&self) -> bool {
        self.left.load(Ordering::Relaxed) == 0
    }

    /// Not one atomic operation: readers are used by one thread at a time, and a plain subtraction is faster.
    fn take(&self, units: u64) -> bool {
        let left = self.left.load(Ordering::Relaxed).saturating_sub(units);
        self.left.store(left, Ordering::Relaxed);
        left > 0
    }
}

/// A piece of the module's bytes.
#[derive(Debug, Clone)]
pub(super) struct MeteredReader {
    supply: Arc<Supply>,
    start: usize,
    end: usize,
}

impl MeteredReader {
    /// Reads `range` of the module.
    pub(super) fn new(supply: &Arc<Supply>, range: Range<usize>) -> MeteredReader {
        debug_assert!(range.start <= range.end && range.end <= supply.module.len());
        MeteredReader { supply: supply.clone(), start: range.start, end: range.end }
    }

    fn bytes(&self) -> &[u8] {
        &self.supply.module[self.start..self.end]
    }

    fn eof(&self) -> Error {
        Error::UnexpectedEof(self.offset_id())
    }

    fn check(&self, len: usize) -> Result<()> {
        if len <= self.end - self.start { Ok(()) } else { Err(self.eof()) }
    }

    fn charge(&self, bytes: usize) -> Result<()> {
        if self.supply.take(1 + bytes as u64 / 16) { Ok(()) } else { Err(self.eof()) }
    }
}

impl Reader for MeteredReader {
    type Endian = LittleEndian;
    type Offset = usize;

    fn endian(&self) -> LittleEndian {
        LittleEndian
    }

    fn len(&self) -> usize {
        self.end - self.start
    }

    fn empty(&mut self) {
        self.end = self.start;
    }

    fn truncate(&mut self, len: usize) -> Result<()> {
        self.check(len)?;
        self.end = self.start + len;
        Ok(())
    }

    fn offset_from(&self, base: &Self) -> usize {
        self.start - base.start
    }

    fn offset_id(&self) -> ReaderOffsetId {
        ReaderOffsetId(self.start as u64)
    }

    fn lookup_offset_id(&self, id: ReaderOffsetId) -> Option<usize> {
        let at = usize::try_from(id.0).ok()?;
        (self.start..=self.end).contains(&at).then(|| at - self.start)
    }

    fn find(&self, byte: u8) -> Result<usize> {
        let found = self.bytes().iter().position(|&b| b == byte);
        self.charge(found.unwrap_or(self.len()))?;
        found.ok_or_else(|| self.eof())
    }

    fn skip(&mut self, len: usize) -> Result<()> {
        self.check(len)?;
        self.start += len;
        Ok(())
    }

    fn split(&mut self, len: usize) -> Result<Self> {
        self.charge(0)?;
        let mut head = self.clone();
        head.truncate(len)?;
        self.start += len;
        Ok(head)
    }

    fn to_slice(&self) -> Result<Cow<'_, [u8]>> {
        self.charge(self.len())?;
        Ok(Cow::Borrowed(self.bytes()))
    }

    fn to_string(&self) -> Result<Cow<'_, str>> {
        self.charge(self.len())?;
        str::from_utf8(self.bytes()).map(Cow::Borrowed).map_err(|_| Error::BadUtf8)
    }

    fn to_string_lossy(&self) -> Result<Cow<'_, str>> {
        self.charge(self.len())?;
        Ok(String::from_utf8_lossy(self.bytes()))
    }

    fn read_slice(&mut self, buf: &mut [u8]) -> Result<()> {
        self.charge(0)?;
        self.check(buf.len())?;
        buf.copy_from_slice(&self.bytes()[..buf.len()]);
        self.start += buf.len();
        Ok(())
    }
}
