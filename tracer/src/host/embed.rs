//! Host functions of an embedder's own, recorded like WASI's.
//!
//! They run in the engine's process. What they read and write of the guest's memory goes through [`HostMemory`], so
//! that the recording knows it exactly; a function that wants the bytes themselves gets them too, and pays for a
//! comparison of the whole memory.

use crate::values::WasmValue;
use forkpoint_traces::{HostEvent, HostRead, Import, MemoryIndex, PAGE};
use std::collections::BTreeMap;
use std::ops::Range;

/// Why a host function does not return to the guest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// The guest traps, with these words.
    #[error("{0}")]
    Trap(String),
    /// The guest is over, with this exit code.
    #[error("exit code {0}")]
    Exit(i32),
}

/// What a host function is: memory and arguments in, results out.
type Function = Box<dyn Fn(&mut HostMemory<'_>, &[WasmValue]) -> Result<Vec<WasmValue>, HostError> + Send + Sync>;

/// Host functions by the names under which guests import them.
#[derive(Default)]
pub struct HostFunctions(BTreeMap<Import, Function>);

impl HostFunctions {
    /// None at all.
    pub fn new() -> HostFunctions {
        HostFunctions::default()
    }

    /// Adds a function. Its results must be of the types that the guest's import has; a trap follows otherwise.
    pub fn define(
        &mut self,
        module: &str,
        name: &str,
        function: impl Fn(&mut HostMemory<'_>, &[WasmValue]) -> Result<Vec<WasmValue>, HostError> + Send + Sync + 'static,
    ) -> &mut HostFunctions {
        let import = Import { module: module.to_string(), name: name.to_string() };
        self.0.insert(import, Box::new(function));
        self
    }

    /// The names of all of them: what [`crate::Imports::hosted`] takes.
    pub fn imports(&self) -> Vec<Import> {
        self.0.keys().cloned().collect()
    }

    pub(crate) fn get(&self, import: &Import) -> Option<&Function> {
        self.0.get(import)
    }
}

/// An access outside of the guest's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{length} bytes at {address:#x} lie outside of the guest's memory of {size:#x} bytes")]
pub struct OutOfBounds {
    address: u64,
    length: u64,
    size: u64,
}

impl From<OutOfBounds> for HostError {
    fn from(error: OutOfBounds) -> HostError {
        HostError::Trap(error.to_string())
    }
}

/// The guest's memory during a host call: the one that it exports as `memory`.
pub struct HostMemory<'a> {
    bytes: &'a mut [u8],
    index: MemoryIndex,
    reads: Vec<HostRead>,
    writes: Vec<(u64, Vec<u8>)>,
    /// Memory as it was when its bytes were handed out.
    before: Option<Vec<u8>>,
}

impl<'a> HostMemory<'a> {
    pub(crate) fn new(index: u32, bytes: &'a mut [u8]) -> HostMemory<'a> {
        HostMemory { bytes, index: MemoryIndex(index), reads: Vec::new(), writes: Vec::new(), before: None }
    }

    /// Size in bytes.
    pub fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn range(&self, address: u64, length: u64) -> Result<Range<usize>, OutOfBounds> {
        let size = self.size();
        match address.checked_add(length) {
            Some(end) if end <= size => Ok(address as usize..end as usize),
            _ => Err(OutOfBounds { address, length, size }),
        }
    }

    /// Reads bytes. A later run that holds other bytes there diverges at this call.
    ///
    /// # Errors
    /// When they lie outside of memory.
    pub fn read(&mut self, address: u64, length: u64) -> Result<&[u8], OutOfBounds> {
        let range = self.range(address, length)?;
        // What this call has written itself is nothing that the guest gave it.
        let own = self.writes.iter().any(|(at, bytes)| *at < range.end as u64 && address < at + bytes.len() as u64);
        if !own && self.before.is_none() {
            self.reads.push(HostRead::of(self.index, address, &self.bytes[range.clone()]));
        }
        Ok(&self.bytes[range])
    }

    /// Writes bytes.
    ///
    /// # Errors
    /// When they do not fit into memory; then nothing is written.
    pub fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), OutOfBounds> {
        let range = self.range(address, bytes.len() as u64)?;
        self.bytes[range].copy_from_slice(bytes);
        self.writes.push((address, bytes.to_vec()));
        Ok(())
    }

    /// All bytes, to do with as one likes. What changes is found by comparing the whole memory, which costs a copy
    /// and a comparison of it; what is read is not known, so a later run is not held against it.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        if self.before.is_none() {
            self.before = Some(self.bytes.to_vec());
        }
        self.bytes
    }

    /// What was read, and all that was written.
    pub(crate) fn finish(self) -> (Vec<HostRead>, Vec<HostEvent>) {
        let write = |(address, bytes): (u64, Vec<u8>)| HostEvent::Write { memory: self.index, address, bytes };
        let mut events: Vec<HostEvent> = self.writes.into_iter().map(write).collect();
        if let Some(before) = self.before {
            let pages = before.chunks(PAGE as usize).zip(self.bytes.chunks(PAGE as usize)).enumerate();
            for (number, (old, new)) in pages.filter(|(_, (old, new))| old != new) {
                let differs = |(old, new): (&u8, &u8)| old != new;
                let first = old.iter().zip(new).position(differs).unwrap_or(0);
                let last = old.iter().zip(new).rposition(differs).unwrap_or(first);
                let address = number as u64 * PAGE + first as u64;
                events.push(HostEvent::Write { memory: self.index, address, bytes: new[first..=last].to_vec() });
            }
        }
        (self.reads, events)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(events: &[HostEvent]) -> Vec<(u64, Vec<u8>)> {
        let write = |event: &HostEvent| match event {
            HostEvent::Write { address, bytes, .. } => (*address, bytes.clone()),
            other => panic!("{other:?}"),
        };
        events.iter().map(write).collect()
    }

    #[test]
    fn reads_and_writes_are_noted() {
        let mut bytes = vec![7; 64];
        let mut memory = HostMemory::new(0, &mut bytes);
        assert_eq!(memory.read(4, 2), Ok(&[7, 7][..]));
        memory.write(60, b"abcd").expect("inside");
        assert_eq!(memory.read(62, 2), Ok(&b"cd"[..]));
        assert!(memory.read(63, 2).is_err() && memory.write(u64::MAX, b"a").is_err() && memory.read(65, 0).is_err());
        let (reads, events) = memory.finish();
        assert_eq!(reads, [HostRead::of(MemoryIndex(0), 4, &[7, 7])]);
        assert_eq!(written(&events), [(60, b"abcd".to_vec())]);
    }

    #[test]
    fn what_changes_behind_the_recorders_back_is_found() {
        let mut bytes = vec![0; 3 * PAGE as usize];
        let mut memory = HostMemory::new(0, &mut bytes);
        memory.write(1, b"x").expect("inside");
        let all = memory.bytes_mut();
        all[5000] = 1;
        all[5002] = 2;
        all[12287] = 3;
        let (_, events) = memory.finish();
        assert_eq!(written(&events), [(1, b"x".to_vec()), (5000, vec![1, 0, 2]), (12287, vec![3])]);
    }
}
