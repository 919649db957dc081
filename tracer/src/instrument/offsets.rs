//! From offsets in the rewritten module back to the original one.
//!
//! Engines report traps, and native code is attributed, by offsets in the module that the engine was given. People
//! only ever see offsets of the module they wrote, so every such number goes through [`OffsetMap`].

use forkpoint_traces::{CodeOffset, FuncIndex};

/// Top bit of a stretch's original offset, set for the recorder's code. Modules stay below 1 GiB, so the bit is free,
/// and a stretch takes 8 bytes: CPython has a million of them.
const RECORDER: u32 = 1 << 31;
/// Original offset of code that belongs to no original function.
const NOWHERE: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
struct Stretch {
    /// First byte, relative to the contents of the rewritten code section.
    rewritten: u32,
    /// The original's first byte (verbatim code), or the single byte that all of it belongs to (recorder's code).
    original: u32,
}

impl Stretch {
    fn is_recorder(self) -> bool {
        self.original & RECORDER != 0
    }

    fn original(self) -> u32 {
        self.original & !RECORDER
    }
}

/// Where an offset in the rewritten module comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapped {
    /// The byte in the original module; for recorder's code, the instruction it was added for.
    pub offset: CodeOffset,
    /// Whether it is the recorder's code and not the module's own.
    pub recorder: bool,
}

/// Rewritten to original, for code offsets and function indices.
#[derive(Debug, Clone, Default)]
pub struct OffsetMap {
    stretches: Vec<Stretch>,
    /// Where the contents of the rewritten code section start.
    base: u32,
    /// Length of these contents.
    length: u32,
    /// Function imports of the original.
    imported: u32,
    /// All functions of the original.
    functions: u32,
    /// Whether function indices shifted at all.
    shifted: bool,
}

impl OffsetMap {
    /// Its memory use in bytes.
    pub(super) fn size(&self) -> usize {
        size_of_val(self.stretches.as_slice())
    }

    pub(super) fn new(imported: u32, functions: u32, shifted: bool) -> OffsetMap {
        OffsetMap { imported, functions, shifted, ..OffsetMap::default() }
    }

    /// The code at `rewritten` (until the next stretch) is the original's from `original` on.
    pub(super) fn verbatim(&mut self, rewritten: u32, original: u32) {
        let goes_on = self.stretches.last().is_some_and(|last| {
            !last.is_recorder() && last.original.wrapping_sub(last.rewritten) == original.wrapping_sub(rewritten)
        });
        if !goes_on {
            self.push(Stretch { rewritten, original });
        }
    }

    /// The code at `rewritten` (until the next stretch) was added for the original's byte at `original`.
    pub(super) fn recorder(&mut self, rewritten: u32, original: u32) {
        let stretch = Stretch { rewritten, original: original | RECORDER };
        if self.stretches.last().is_none_or(|last| last.original != stretch.original) {
            self.push(stretch);
        }
    }

    /// The code at `rewritten` (until the next stretch) belongs to no original function.
    pub(super) fn nowhere(&mut self, rewritten: u32) {
        self.push(Stretch { rewritten, original: NOWHERE });
    }

    /// An empty stretch gives way to the one that starts at the same byte.
    fn push(&mut self, stretch: Stretch) {
        while self.stretches.last().is_some_and(|last| last.rewritten == stretch.rewritten) {
            self.stretches.pop();
        }
        self.stretches.push(stretch);
    }

    pub(super) fn finish(&mut self, base: u32, length: u32) {
        self.base = base;
        self.length = length;
        self.stretches.shrink_to_fit();
    }

    /// The code has moved by this many bytes, since more or less precedes it. What was added after it belongs to no function
    /// of the original.
    pub(super) fn move_by(&mut self, bytes: i64) {
        self.base = u32::try_from(i64::from(self.base).saturating_add(bytes)).unwrap_or(u32::MAX);
    }

    /// The origin of the byte at `rewritten`, counted from the start of the rewritten file. `None` outside the code
    /// section and in the recorder's helper function.
    pub fn original(&self, rewritten: u32) -> Option<Mapped> {
        let relative = rewritten.checked_sub(self.base).filter(|relative| *relative < self.length)?;
        let at = self.stretches.partition_point(|stretch| stretch.rewritten <= relative);
        let stretch = *self.stretches.get(at.checked_sub(1)?)?;
        if stretch.original == NOWHERE {
            return None;
        }
        let recorder = stretch.is_recorder();
        let distance = if recorder { 0 } else { relative - stretch.rewritten };
        Some(Mapped { offset: CodeOffset(stretch.original().checked_add(distance)?), recorder })
    }

    /// The position of the original's byte at `original` in the rewritten file. `None` outside function bodies and in
    /// the few rewritten bytes (the indices after `call`).
    pub fn rewritten(&self, original: CodeOffset) -> Option<u32> {
        let at = self.stretches.partition_point(|stretch| stretch.original() <= original.0);
        // Recorder's code after an instruction has that instruction's offset: step back over it.
        let at = self.stretches[..at].iter().rposition(|stretch| !stretch.is_recorder())?;
        let stretch = self.stretches[at];
        let relative = stretch.rewritten.checked_add(original.0 - stretch.original)?;
        let end = self.stretches.get(at + 1).map_or(self.length, |next| next.rewritten);
        (relative < end).then_some(self.base.checked_add(relative)?)
    }

    /// The original index of a function of the rewritten module; `None` for the two the recorder added.
    pub fn function(&self, rewritten: u32) -> Option<FuncIndex> {
        let original = match rewritten {
            _ if !self.shifted => rewritten,
            index if index < self.imported => index,
            index if index == self.imported => return None,
            index => index - 1,
        };
        (original < self.functions).then_some(FuncIndex(original))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map() -> OffsetMap {
        let mut map = OffsetMap::new(2, 4, true);
        map.verbatim(0, 100);
        map.recorder(10, 110);
        map.recorder(12, 110);
        map.verbatim(20, 110);
        map.recorder(23, 110);
        map.verbatim(30, 113);
        map.verbatim(34, 117);
        map.nowhere(40);
        map.finish(1000, 50);
        map
    }

    #[test]
    fn offsets_go_there_and_back() {
        let map = map();
        let at = |offset, recorder| Some(Mapped { offset: CodeOffset(offset), recorder });
        assert_eq!(map.original(999), None);
        assert_eq!(map.original(1000), at(100, false));
        assert_eq!(map.original(1015), at(110, true));
        assert_eq!(map.original(1022), at(112, false));
        assert_eq!(map.original(1029), at(110, true));
        assert_eq!(map.original(1035), at(118, false));
        assert_eq!(map.original(1045), None);
        assert_eq!(map.original(1050), None);
        for (original, rewritten) in [(100, 1000), (109, 1009), (110, 1020), (112, 1022), (113, 1030), (122, 1039)] {
            assert_eq!(map.rewritten(CodeOffset(original)), Some(rewritten), "{original}");
        }
        assert_eq!(map.rewritten(CodeOffset(99)), None);
        assert_eq!(map.rewritten(CodeOffset(123)), None);
        assert_eq!(map.stretches.len(), 6);
    }

    #[test]
    fn function_indices_go_back() {
        let map = map();
        let original: Vec<_> = (0..7).map(|index| map.function(index).map(|f| f.0)).collect();
        assert_eq!(original, [Some(0), Some(1), None, Some(2), Some(3), None, None]);
        let same = OffsetMap::new(2, 4, false);
        assert_eq!(same.function(3), Some(FuncIndex(3)));
        assert_eq!(same.function(4), None);
    }
}
