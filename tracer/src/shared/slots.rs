//! The engine's side of the shared memory.

use super::{LENGTH, NUMBER_AT, SHORT, SLOTS, append, clear, records, room, set_mark, set_word, word};
use crate::instrument::{CURSOR_AT, HOOK_SIZE, MARK_AT, RECORDS_AT};
use crate::protocol::{FrameWriter, Passed};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};

/// The slots, one of which is being filled: by the guest, whose buffer it is, or by the host, for calls of the hook.
pub(crate) struct Slots {
    /// All of them.
    start: *mut u8,
    memory: OwnedFd,
    /// Counts the slots that the recorder has read; one is taken off it for each that is gone on to.
    free: OwnedFd,
    /// The one that is being filled.
    slot: usize,
    /// Number of blocks that were passed on or sent.
    sent: u32,
    /// The guest's buffer, if the slot is mapped there, too.
    guest: Option<*mut u8>,
}

// SAFETY: the mappings belong to the process, not to a thread, and are only reached through `&mut self`.
unsafe impl Send for Slots {}

impl Slots {
    /// Maps the slots. `memory` and `free` are the descriptors that the recorder left for this process.
    pub(crate) fn new(memory: OwnedFd, free: OwnedFd) -> io::Result<Slots> {
        let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
        // SAFETY: a new mapping at an address of the system's choice.
        let start = unsafe { mmap(std::ptr::null_mut(), SLOTS * LENGTH, protection, flags, memory.as_fd(), 0)? };
        let mut slots = Slots { start: start.cast(), memory, free, slot: 0, sent: 0, guest: None };
        set_word(slots.bytes(), NUMBER_AT, 1);
        Ok(slots)
    }

    /// Puts the slots under the guest's buffer, which is empty. If that does not consist of whole pages, it stays as it is,
    /// its blocks go through the socket, and its contents are lost in a crash.
    ///
    /// # Safety
    /// The `length` bytes at `start` must be the guest's buffer: readable and writable memory that nobody holds a
    /// reference to, and that the engine neither moves nor grows nor frees while `self` is used.
    pub(crate) unsafe fn put_under(&mut self, start: *mut u8, length: usize) -> io::Result<()> {
        if length != LENGTH || !start.addr().is_multiple_of(rustix::param::page_size()) {
            return Ok(());
        }
        self.guest = Some(start);
        self.map_guest()
    }

    /// Maps the slot that is being filled under the guest's buffer.
    fn map_guest(&self) -> io::Result<()> {
        let Some(start) = self.guest else { return Ok(()) };
        // Populated: the guest is about to write all of it.
        let flags = MapFlags::SHARED | MapFlags::FIXED | MapFlags::POPULATE;
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        let offset = (self.slot * LENGTH) as u64;
        // SAFETY: `put_under`'s caller vouches for the whole range. It is replaced by as many bytes with the same
        // protection, which hold what the guest expects there: an empty buffer.
        unsafe { mmap(start.cast(), LENGTH, protection, flags, self.memory.as_fd(), offset)? };
        Ok(())
    }

    /// The slot that is being filled.
    fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: mapped with this length for as long as `self` lives, and borrowed like `self`. The recorder reads it,
        // and never writes.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(self.slot * LENGTH), LENGTH) }
    }

    /// Keeps the number of the mark that the guest reached last.
    pub(crate) fn set_mark(&mut self, mark: u32) {
        set_mark(self.bytes(), mark);
    }

    /// Bytes of records in the slot.
    pub(crate) fn used(&mut self) -> usize {
        records(self.bytes()).len()
    }

    /// Appends a record; `false` if the slot is full and must be sent first.
    pub(crate) fn append(&mut self, record: &[u8]) -> bool {
        append(self.bytes(), record)
    }

    /// Appends a call of the hook, number by number. Put together elsewhere and copied, the numbers would be read back by
    /// wider loads than they were written by, and each call would wait for that: 12 % of a run with hooks.
    #[inline]
    pub(crate) fn append_call(&mut self, site: u32, operands: [u64; 3]) -> bool {
        let buffer = self.bytes();
        let Some((place, used)) = room(buffer, HOOK_SIZE) else { return false };
        let Some((head, rest)) = place.split_first_chunk_mut() else { return false };
        *head = site.to_le_bytes();
        for (place, operand) in rest.as_chunks_mut().0.iter_mut().zip(operands) {
            *place = operand.to_le_bytes();
        }
        set_word(buffer, CURSOR_AT, used);
        true
    }

    /// Passes the calls of the hook in the slot on to `to`, and empties it. Returns how many bytes they have.
    pub(crate) fn send_hooks<W: Write>(&mut self, to: Receiver<'_, W>) -> io::Result<usize> {
        let slot: *mut [u8] = self.bytes();
        // SAFETY: it is the slot's mapping, and nothing else refers to it.
        self.send(unsafe { &mut *slot }, true, true, to)
    }

    /// Passes the records in the guest's `buffer` on to `to`, and empties it. Returns how many bytes they have.
    pub(crate) fn send_guest<W: Write>(&mut self, buffer: &mut [u8], to: Receiver<'_, W>) -> io::Result<usize> {
        let shared = self.guest.is_some();
        self.send(buffer, shared, false, to)
    }

    /// In this order: whenever the process dies, the recorder gets each record once.
    fn send<W: Write>(
        &mut self,
        buffer: &mut [u8],
        shared: bool,
        hooks: bool,
        to: Receiver<'_, W>,
    ) -> io::Result<usize> {
        let records = records(buffer);
        let used = records.len();
        if used == 0 {
            return Ok(0);
        }
        match to {
            Receiver::Recorder(out) if shared && used >= SHORT && records.start == RECORDS_AT => {
                out.passed(Passed { slot: self.slot as u32, used: used as u32, hooks })?;
                self.sent = self.sent.saturating_add(1);
                let mark = word(buffer, MARK_AT);
                self.go_on(mark)?;
                return Ok(used);
            }
            Receiver::Recorder(out) => {
                let bytes = buffer.get(records).unwrap_or_default();
                if hooks {
                    out.hooks(bytes)?
                } else {
                    out.records(bytes)?
                }
                self.sent = self.sent.saturating_add(1);
            }
            Receiver::Keeper(keep) => keep(buffer.get(records).unwrap_or_default(), hooks),
        }
        clear(buffer);
        set_word(buffer, NUMBER_AT, self.sent.saturating_add(1));
        Ok(used)
    }

    /// Counts a block that somebody else sent while the slot was empty.
    pub(crate) fn count_sent(&mut self) {
        self.sent = self.sent.saturating_add(1);
        let number = self.sent.saturating_add(1);
        set_word(self.bytes(), NUMBER_AT, number);
    }

    /// Goes on to the next slot, once the recorder has read it.
    fn go_on(&mut self, mark: u32) -> io::Result<()> {
        let mut count = [0; 8];
        // Without a recorder this process ends, whatever waits here.
        rustix::io::retry_on_intr(|| rustix::io::read(&self.free, &mut count))?;
        self.slot = (self.slot + 1) % SLOTS;
        let number = self.sent.saturating_add(1);
        let slot = self.bytes();
        clear(slot);
        set_word(slot, MARK_AT, mark);
        set_word(slot, NUMBER_AT, number);
        self.map_guest()
    }
}

impl Drop for Slots {
    /// A process may have further jobs. The guest's mapping is the engine's to free.
    fn drop(&mut self) {
        // SAFETY: mapped with this length by `new`, and no reference to it outlives a borrow of `self`.
        let _ = unsafe { munmap(self.start.cast(), SLOTS * LENGTH) };
    }
}

/// What takes records out of a slot.
pub(crate) enum Receiver<'a, W: Write> {
    /// The recorder.
    Recorder(&'a mut FrameWriter<W>),
    /// This process keeps them for a while, and then sends them. The flag says whether they are calls of the hook.
    Keeper(&'a mut dyn FnMut(&[u8], bool)),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instrument::BUFFER_LIMIT;
    use crate::protocol::{Frame, Spares, read_frame};
    use crate::shared::{SharedBuffer, count_block};

    fn both() -> (SharedBuffer, Slots) {
        let shared = SharedBuffer::new().expect("memory");
        let (memory, free) = shared.inheritable().expect("descriptors").into_parts();
        (shared, Slots::new(memory, free).expect("memory"))
    }

    fn received(frames: &[u8], shared: &SharedBuffer) -> Vec<Vec<u8>> {
        let (mut input, spares) = (frames, Spares::new());
        let frames = std::iter::from_fn(|| {
            read_frame(&mut input, &spares, |passed, records| shared.take(passed, records)).expect("a frame")
        });
        let blocks = frames.map(|frame| match frame {
            Frame::Records(block) | Frame::Hooks(block) => block.to_vec(),
            _ => panic!("another frame"),
        });
        blocks.collect()
    }

    #[test]
    fn blocks_arrive_in_order_by_either_way_and_nothing_is_left() {
        let (shared, mut slots) = both();
        let mut blocks = 0;
        for (round, length) in
            [3, SHORT, 5, BUFFER_LIMIT as usize, SHORT - 1, SHORT, SHORT, SHORT].into_iter().enumerate()
        {
            let (record, mut frames) = (vec![round as u8; length], FrameWriter(Vec::new()));
            assert!(slots.append(&record));
            assert_eq!(shared.unsent(blocks).expect("memory"), record, "round {round}: if the process died now");
            slots.send_hooks(Receiver::Recorder(&mut frames)).expect("memory");
            assert_eq!(slots.used(), 0);
            slots.send_hooks(Receiver::Recorder(&mut frames)).expect("memory");
            assert_eq!(received(&frames.0, &shared), [record], "round {round}");
            count_block(&mut blocks);
            assert_eq!(shared.unsent(blocks).expect("memory"), b"", "round {round}");
        }
    }

    #[test]
    fn the_mark_stays_when_the_slot_changes() {
        let (shared, mut slots) = both();
        slots.set_mark(7);
        assert!(slots.append(&[1; SHORT]));
        slots.send_hooks(Receiver::Recorder(&mut FrameWriter(Vec::new()))).expect("memory");
        assert_eq!(shared.mark().expect("memory"), 7);
    }

    #[test]
    fn the_guest_s_buffer_is_the_slot() {
        let (shared, mut slots) = both();
        let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
        // SAFETY: a new mapping, which plays the guest's buffer; the slice of it is only used between changes of slots.
        let start = unsafe { rustix::mm::mmap_anonymous(std::ptr::null_mut(), LENGTH, protection, flags) };
        let start = start.expect("memory").cast::<u8>();
        // SAFETY: it belongs to this test and stays.
        unsafe { slots.put_under(start, LENGTH).expect("memory") };
        for round in 0..2 * SLOTS as u8 {
            // SAFETY: as above.
            let guest = unsafe { std::slice::from_raw_parts_mut(start, LENGTH) };
            assert!(append(guest, &[round; 2 * SHORT]));
            let mut frames = FrameWriter(Vec::new());
            slots.send_guest(guest, Receiver::Recorder(&mut frames)).expect("memory");
            assert_eq!(received(&frames.0, &shared), [vec![round; 2 * SHORT]], "round {round}");
        }
    }

    #[test]
    fn a_buffer_of_the_guest_s_own_goes_through_the_socket() {
        let (shared, mut slots) = both();
        let mut guest = vec![0; LENGTH];
        assert!(append(&mut guest, &[5; 2 * SHORT]));
        let mut frames = FrameWriter(Vec::new());
        slots.send_guest(&mut guest, Receiver::Recorder(&mut frames)).expect("memory");
        assert_eq!(frames.0[0], b'R');
        assert_eq!(received(&frames.0, &shared), [vec![5; 2 * SHORT]]);
        assert_eq!(word(&guest, CURSOR_AT), 0);
    }
}
