//! The recorder's side of the shared memory.

use super::{LENGTH, NUMBER_AT, SLOTS, word};
use crate::instrument::{CURSOR_AT, KEPT_AT, MARK_AT, RECORDS_AT};
use crate::protocol::Passed;
use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use std::fs::File;
use std::io::{self, Write};
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;

/// The recorder's handle on the memory that it shares with one child.
#[derive(Clone)]
pub(crate) struct SharedBuffer(Arc<Shared>);

struct Shared {
    memory: File,
    /// An `eventfd` semaphore: how many slots the child may go on to.
    free: File,
}

/// The child's ends, which the next process that is started inherits. They are closed here when dropped.
pub(crate) struct Inherited {
    memory: OwnedFd,
    free: OwnedFd,
}

impl Inherited {
    /// The numbers of the memory's descriptor and of the semaphore's.
    pub(crate) fn numbers(&self) -> [RawFd; 2] {
        [self.memory.as_raw_fd(), self.free.as_raw_fd()]
    }

    /// The descriptors themselves, for an engine in this very process.
    #[cfg(test)]
    pub(super) fn into_parts(self) -> (OwnedFd, OwnedFd) {
        (self.memory, self.free)
    }
}

impl SharedBuffer {
    pub(crate) fn new() -> io::Result<SharedBuffer> {
        let memory = memfd_create("forkpoint-buffer", MemfdFlags::CLOEXEC)?;
        ftruncate(&memory, (SLOTS * LENGTH) as u64)?;
        let others = SLOTS as u32 - 1;
        let free = eventfd(others, EventfdFlags::SEMAPHORE | EventfdFlags::CLOEXEC)?;
        Ok(SharedBuffer(Arc::new(Shared { memory: memory.into(), free: free.into() })))
    }

    /// The memory's descriptor and the semaphore's, for a process that runs.
    pub(crate) fn descriptors(&self) -> [BorrowedFd<'_>; 2] {
        [self.0.memory.as_fd(), self.0.free.as_fd()]
    }

    /// Lets the next process that is started inherit it.
    pub(crate) fn inheritable(&self) -> io::Result<Inherited> {
        let theirs = |file: &File| {
            let theirs = file.as_fd().try_clone_to_owned()?;
            rustix::io::fcntl_setfd(&theirs, rustix::io::FdFlags::empty())?;
            io::Result::Ok(theirs)
        };
        Ok(Inherited { memory: theirs(&self.0.memory)?, free: theirs(&self.0.free)? })
    }

    /// Copies the records of a block that was passed on into `records`, which is empty, and frees its slot. They are copied
    /// because the process may write to the slot at any time, if its engine is broken or a stranger's.
    ///
    /// # Errors
    /// [`InvalidData`](io::ErrorKind::InvalidData) if there is no such slot, or a slot is smaller.
    pub(crate) fn take(&self, passed: Passed, records: &mut Vec<u8>) -> io::Result<()> {
        let (slot, used) = (passed.slot as usize, passed.used as usize);
        if slot >= SLOTS || used > LENGTH - RECORDS_AT {
            let what = format!("a block of {used} bytes in slot {slot}: there are {SLOTS} slots of {LENGTH} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        self.read(slot, RECORDS_AT, used, records)?;
        if records.len() < used {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a block in memory that was cut"));
        }
        (&self.0.free).write_all(&1_u64.to_ne_bytes())
    }

    /// Appends `length` bytes of a slot to `bytes`, or as many as there are: the process could make the file shorter.
    fn read(&self, slot: usize, at: usize, length: usize, bytes: &mut Vec<u8>) -> io::Result<()> {
        let start = bytes.len();
        bytes.reserve(length);
        let offset = (slot * LENGTH + at) as u64;
        let mut read = 0;
        while read < length {
            let room = &mut bytes.spare_capacity_mut()[..length - read];
            let (filled, _) = rustix::io::pread(&self.0.memory, room, offset + read as u64)?;
            let more = filled.len();
            if more == 0 {
                break;
            }
            read += more;
            // SAFETY: `pread` has filled so many bytes beyond the length.
            unsafe { bytes.set_len(start + read) };
        }
        Ok(())
    }

    /// The heads of all slots, by the number of the block that each holds.
    fn heads(&self) -> io::Result<Vec<Head>> {
        let mut heads = Vec::new();
        for slot in 0..SLOTS {
            let mut head = Vec::new();
            self.read(slot, 0, RECORDS_AT, &mut head)?;
            let [number, cursor, kept, mark] = [NUMBER_AT, CURSOR_AT, KEPT_AT, MARK_AT].map(|at| word(&head, at));
            heads.push(Head { slot, number, records: kept..cursor, mark });
        }
        heads.sort_by_key(|head| head.number);
        Ok(heads)
    }

    /// The number of the mark that the guest reached last, as a dead process left it; 0 for none.
    pub(crate) fn mark(&self) -> io::Result<u32> {
        Ok(self.heads()?.last().map_or(0, |head| head.mark))
    }

    /// The records that a dead process left behind, if the recorder has received `received` blocks from it.
    pub(crate) fn unsent(&self, received: u32) -> io::Result<Vec<u8>> {
        let mut records = Vec::new();
        // Runners write a number only while they send what they have.
        let lost = |head: &Head| head.number == 0 || head.number > received;
        for Head { slot, records: lost, .. } in self.heads()?.into_iter().filter(lost) {
            let [start, end] = [lost.start, lost.end].map(|at| (RECORDS_AT + at as usize).min(LENGTH));
            self.read(slot, start, end.saturating_sub(start), &mut records)?;
        }
        Ok(records)
    }
}

/// What a slot begins with.
struct Head {
    slot: usize,
    number: u32,
    /// Where its records are, counted from the first place for one; what a dead process says.
    records: Range<u32>,
    mark: u32,
}

/// The recorder's counter of blocks, in step with [`Slots`](super::Slots)'s.
pub(crate) fn count_block(received: &mut u32) {
    *received = received.saturating_add(1);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt;

    fn left(shared: &SharedBuffer, slot: usize, [cursor, number]: [u32; 2], records: &[u8]) {
        let mut head = cursor.to_le_bytes().to_vec();
        head.extend_from_slice(&number.to_le_bytes());
        head.resize(RECORDS_AT, 0);
        head.extend_from_slice(records);
        shared.0.memory.write_all_at(&head, (slot * LENGTH) as u64).expect("memory");
    }

    /// What the recorder sees of a process that dies at each of these moments.
    #[test]
    fn each_record_is_taken_once_whenever_the_process_dies() {
        let shared = SharedBuffer::new().expect("a memory file");
        let unsent = |received| shared.unsent(received).expect("memory");
        left(&shared, 0, [3, 1], b"old");
        assert_eq!(unsent(0), b"old", "block 1 did not arrive, if it was sent");
        assert_eq!(unsent(1), b"", "block 1 arrived, and no other was begun");
        left(&shared, 1, [0, 0], b"");
        assert_eq!(unsent(1), b"", "the next slot is empty and has no number yet");
        left(&shared, 1, [7, 0], b"records");
        assert_eq!(unsent(1), b"records", "a runner, which sends nothing at this moment");
        left(&shared, 1, [7, 2], b"records");
        assert_eq!(unsent(1), b"records", "block 2 was begun, or did not arrive whole");
        assert_eq!(unsent(0), b"oldrecords", "neither arrived");
        left(&shared, 1, [u32::MAX, 2], b"");
        assert_eq!(unsent(1).len(), LENGTH - RECORDS_AT, "a cursor that the guest cannot have set");
        ftruncate(&shared.0.memory, 2).expect("memory");
        assert_eq!(unsent(0), b"", "a file that was cut");
    }

    #[test]
    fn a_block_that_no_slot_can_hold_is_refused() {
        let shared = SharedBuffer::new().expect("a memory file");
        let take = |slot, used| shared.take(Passed { slot, used, hooks: false }, &mut Vec::new()).is_ok();
        assert!(take(0, 8) && take(SLOTS as u32 - 1, (LENGTH - RECORDS_AT) as u32));
        assert!(!take(SLOTS as u32, 8) && !take(0, LENGTH as u32) && !take(u32::MAX, u32::MAX));
        ftruncate(&shared.0.memory, LENGTH as u64).expect("memory");
        assert!(!take(1, 8), "a file that was cut");
    }
}
