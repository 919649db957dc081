//! The memory under the guest's buffer, shared between the engine's process and the recorder: what a process recorded
//! is not lost with it, whether it crashes, aborts or is killed.
//!
//! The rewritten module writes records and cursor as into any memory. The number of the block that is being sent
//! follows the cursor, so that the recorder knows whether it already has what it finds here. The dead process does
//! not have to do anything: a crash handler would run in a broken process.

use crate::instrument::{BUFFER_LIMIT, BUFFER_PAGES, CURSOR_AT, HOOK_SIZE, MARK_AT, RECORDS_AT};
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Length of the buffer in bytes.
const LENGTH: usize = (BUFFER_PAGES as usize) << 16;

/// Address in the buffer of the number of the block that is being sent, from 1; 0 while none is.
const SENDING_AT: usize = 4;

/// The recorder's handle on the buffer of one child.
#[derive(Clone)]
pub(crate) struct SharedBuffer(Arc<File>);

impl SharedBuffer {
    pub(crate) fn new() -> io::Result<SharedBuffer> {
        let file = memfd_create("forkpoint-buffer", MemfdFlags::CLOEXEC)?;
        ftruncate(&file, LENGTH as u64)?;
        Ok(SharedBuffer(Arc::new(file.into())))
    }

    /// Lets the next process that is started inherit it, under this number.
    pub(crate) fn inheritable(&self) -> io::Result<(File, RawFd)> {
        let theirs = self.0.try_clone()?;
        rustix::io::fcntl_setfd(theirs.as_fd(), rustix::io::FdFlags::empty())?;
        let number = theirs.as_raw_fd();
        Ok((theirs, number))
    }

    /// The number of the mark that the guest reached last, as a dead process left it; 0 for none.
    pub(crate) fn mark(&self) -> io::Result<u32> {
        let mut head = [0; RECORDS_AT];
        let mut read = 0;
        while read < head.len() {
            match self.0.read_at(&mut head[read..], read as u64)? {
                0 => break,
                more => read += more,
            }
        }
        Ok(word(&head, MARK_AT))
    }

    /// The records that a dead process left behind, if the recorder has received `received` blocks from it.
    pub(crate) fn unsent(&self, received: u32) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(LENGTH);
        let mut piece = vec![0; 1 << 16];
        // The process could make the file shorter or longer; neither may make this fail.
        while bytes.len() < LENGTH {
            let read = self.0.read_at(&mut piece, bytes.len() as u64)?;
            if read == 0 {
                break;
            }
            bytes.extend_from_slice(&piece[..read]);
        }
        let (used, sending) = (word(&bytes, CURSOR_AT), word(&bytes, SENDING_AT));
        if sending != 0 && sending == received {
            return Ok(Vec::new());
        }
        let mut records = bytes.split_off(RECORDS_AT.min(bytes.len()));
        records.truncate(used as usize);
        Ok(records)
    }
}

/// Puts the memory behind `file` under the buffer. `false` if the buffer does not consist of whole pages: then
/// recording goes on with the engine's own memory, and its contents are lost only in a crash.
///
/// # Safety
/// The `length` bytes at `start` must be the guest's buffer: readable and writable memory that nobody holds a
/// reference to and that the engine neither moves nor grows.
pub(crate) unsafe fn put_under(file: BorrowedFd<'_>, start: *mut u8, length: usize) -> io::Result<bool> {
    if length != LENGTH || !start.addr().is_multiple_of(rustix::param::page_size()) {
        return Ok(false);
    }
    let flags = MapFlags::SHARED | MapFlags::FIXED;
    // SAFETY: the caller vouches for the whole range; it is replaced by as many bytes with the same protection,
    // and both are all zero, since no code of the module has run.
    unsafe { mmap(start.cast(), length, ProtFlags::READ | ProtFlags::WRITE, flags, file, 0)? };
    Ok(true)
}

/// Passes the contents of the guest's buffer to `send`, as block number `sent` + 1, and empties it.
pub(crate) fn send(buffer: &mut [u8], sent: &mut u32, send: impl FnOnce(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let used = word(buffer, CURSOR_AT) as usize;
    if used == 0 {
        return Ok(());
    }
    // After the last number comes 1: 0 has a special meaning.
    *sent = sent.checked_add(1).unwrap_or(1);
    // In this order: whenever the process dies, the recorder gets each record once.
    set_word(buffer, SENDING_AT, *sent);
    let end = buffer.len().min(RECORDS_AT + used);
    send(buffer.get(RECORDS_AT..end).unwrap_or_default())?;
    set_word(buffer, CURSOR_AT, 0);
    set_word(buffer, SENDING_AT, 0);
    Ok(())
}

/// The shared memory as the host's own buffer: hooks append to it what inline records would.
pub(crate) struct HookBuffer {
    start: *mut u8,
}

// SAFETY: the mapping belongs to the process, not to a thread, and is only reached through `&mut self`.
unsafe impl Send for HookBuffer {}

impl HookBuffer {
    /// Maps the memory behind `file`.
    pub(crate) fn new(file: BorrowedFd<'_>) -> io::Result<HookBuffer> {
        // SAFETY: a new mapping at an address of the system's choice; it is never unmapped.
        let start = unsafe {
            mmap(std::ptr::null_mut(), LENGTH, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, file, 0)?
        };
        Ok(HookBuffer { start: start.cast() })
    }

    /// All of it.
    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: mapped with this length for as long as the process lives, and borrowed like `self`. The recorder
        // reads the memory only when this process is dead.
        unsafe { std::slice::from_raw_parts_mut(self.start, LENGTH) }
    }

    /// Keeps the number of the mark that the guest reached last.
    pub(crate) fn set_mark(&mut self, mark: u32) {
        set_mark(self.bytes(), mark);
    }

    /// Bytes of records in it.
    pub(crate) fn used(&mut self) -> u64 {
        u64::from(word(self.bytes(), CURSOR_AT))
    }

    /// Appends a record; `false` if it is full and must be sent first.
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
}

/// Appends a record to a buffer, the guest's or the host's own; `false` if it is full and must be sent first.
pub(crate) fn append(buffer: &mut [u8], record: &[u8]) -> bool {
    let Some((place, used)) = room(buffer, record.len()) else { return false };
    place.copy_from_slice(record);
    set_word(buffer, CURSOR_AT, used);
    true
}

/// Room for a record of this length, and the cursor after it; `None` if the buffer must be sent first.
#[inline]
fn room(buffer: &mut [u8], length: usize) -> Option<(&mut [u8], u32)> {
    let used = word(buffer, CURSOR_AT) as usize;
    // The space beyond the limit is for a segment of the guest that began below it.
    if used + length > BUFFER_LIMIT as usize {
        return None;
    }
    let start = RECORDS_AT + used;
    Some((buffer.get_mut(start..start + length)?, (used + length) as u32))
}

/// The number of the mark that the guest reached last, in its own buffer.
pub(crate) fn mark(buffer: &[u8]) -> u32 {
    word(buffer, MARK_AT)
}

/// Sets that number.
pub(crate) fn set_mark(buffer: &mut [u8], mark: u32) {
    set_word(buffer, MARK_AT, mark);
}

/// The recorder's counter of blocks, in step with [`send`].
pub(crate) fn count_block(received: &mut u32) {
    *received = received.checked_add(1).unwrap_or(1);
}

fn word(buffer: &[u8], at: usize) -> u32 {
    buffer.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |word| u32::from_le_bytes(*word))
}

/// Writes a word that another process reads: the compiler neither omits nor moves the write.
fn set_word(buffer: &mut [u8], at: usize, value: u32) {
    let Some(bytes) = buffer.get_mut(at..at + 4) else { return };
    // SAFETY: any four aligned bytes are an `AtomicU32`, and ours alone while they are borrowed.
    let (_, words, _) = unsafe { bytes.align_to_mut::<AtomicU32>() };
    match words.first() {
        // Release: no write before it may come after it. Whoever looks does so when this process is dead.
        Some(word) => word.store(value.to_le(), Ordering::Release),
        // If unaligned, it is not an engine's memory, whose start is at least this aligned.
        None => bytes.copy_from_slice(&value.to_le_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::FrameWriter;

    /// What the recorder sees of a process that dies at each of these moments.
    #[test]
    fn each_record_is_taken_once_whenever_the_process_dies() {
        let shared = SharedBuffer::new().expect("a memory file");
        let left = |cursor: u32, sending: u32, received: u32| {
            let mut head = cursor.to_le_bytes().to_vec();
            head.extend_from_slice(&sending.to_le_bytes());
            head.resize(RECORDS_AT, 0);
            head.extend_from_slice(b"records");
            shared.0.write_all_at(&head, 0).expect("memory");
            shared.unsent(received).expect("memory")
        };
        assert_eq!(left(7, 0, 2), b"records", "nothing was being sent");
        assert_eq!(left(7, 3, 2), b"records", "block 3 did not arrive whole");
        assert_eq!(left(7, 3, 3), b"", "block 3 arrived, the buffer is not yet empty");
        assert_eq!(left(0, 3, 3), b"", "block 3 arrived, the buffer is empty");
        assert_eq!(left(u32::MAX, 0, 0).len(), LENGTH - RECORDS_AT, "a cursor that nobody can have set");
        ftruncate(&*shared.0, 2).expect("memory");
        assert_eq!(shared.unsent(0).expect("memory"), b"", "a file that somebody cut");
    }

    #[test]
    fn a_sent_buffer_is_empty() {
        let mut buffer = vec![0; LENGTH];
        set_word(&mut buffer, CURSOR_AT, 3);
        buffer[RECORDS_AT..][..3].copy_from_slice(b"abc");
        let (mut sent, mut out) = (u32::MAX, FrameWriter(Vec::new()));
        send(&mut buffer, &mut sent, |bytes| out.records(bytes)).expect("memory");
        send(&mut buffer, &mut sent, |bytes| out.records(bytes)).expect("memory");
        assert_eq!((out.0.as_slice(), sent), (b"R\x03\0\0\0abc".as_slice(), 1));
        assert_eq!(buffer[..RECORDS_AT], [0; RECORDS_AT]);
    }
}
