//! Answers for another build of the program: what the host wrote goes where this build's call wants it.
//!
//! A recorded write lies at an address that the recorded call named. The call of the other build means the same, but may
//! name another: by the meaning of WASI's arguments each write finds its argument, and so its new place. Calls of functions
//! of which nothing is known are the same to the last argument, so their answers stay where they are.

use crate::protocol::HostWrite;
use forkpoint_traces::wasi::Role;
use forkpoint_traces::{HostCall, HostRead, MemoryIndex, POLL_EVENT, SUBSCRIPTION, USER_DATA};

/// Size of an (address, length) pair.
const PAIR: usize = 8;

/// One call as the recording has it and as this build makes it.
pub(super) struct Moved<'a> {
    pub(super) recorded: &'a HostCall,
    pub(super) call: &'a HostCall,
    /// The pairs that point to buffers which this build's call wants filled.
    pub(super) pairs: &'a [u8],
    /// The memory that WASI writes in this build.
    pub(super) memory: Option<MemoryIndex>,
}

impl Moved<'_> {
    /// The recorded writes, in order, as this build needs them.
    ///
    /// # Errors
    /// When a write cannot be given a place: why.
    pub(super) fn writes(&self, recorded: &[HostWrite]) -> Result<Vec<HostWrite>, String> {
        let Some(signature) = self.recorded.signature() else { return Ok(recorded.to_vec()) };
        let mut moved = Vec::with_capacity(recorded.len());
        let mut buffers = Buffers::new(self.pairs);
        let Some(memory) = self.memory.or_else(|| recorded.first().map(|write| write.memory)) else {
            return Ok(moved);
        };
        for HostWrite { address, bytes, .. } in recorded {
            let Some((argument, from)) = self.recorded.written_argument(*address) else {
                if self.recorded.scattered().is_none() {
                    return Err("the recorded host wrote where none of the call's arguments points".to_string());
                }
                buffers.fill(memory, bytes, &mut moved)?;
                continue;
            };
            let bytes = match signature[argument].1 {
                Role::Strings => self.pointers(argument + 1, bytes),
                Role::Events if from == 0 => self.events(bytes),
                _ => bytes.clone(),
            };
            let address = self.call.argument(argument).saturating_add(from);
            moved.push(HostWrite { memory, address, bytes });
        }
        Ok(moved)
    }

    /// Pointers to strings, which now lie where argument `strings` says.
    fn pointers(&self, strings: usize, recorded: &[u8]) -> Vec<u8> {
        let [before, now] = [self.recorded, self.call].map(|call| call.argument(strings) as u32);
        let pointer = |word: &[u8; 4]| u32::from_le_bytes(*word).wrapping_sub(before).wrapping_add(now).to_le_bytes();
        let (words, rest) = recorded.as_chunks::<4>();
        words.iter().flat_map(pointer).chain(rest.iter().copied()).collect()
    }

    /// Events of `poll_oneoff`, each with the number that this build gave its subscription.
    fn events(&self, recorded: &[u8]) -> Vec<u8> {
        let subscriptions = |call: &HostCall| call.reads.first().map(|read: &HostRead| read.start.clone());
        let [before, now] = [self.recorded, self.call].map(|call| subscriptions(call).unwrap_or_default());
        let mut events = recorded.to_vec();
        for event in events.chunks_exact_mut(POLL_EVENT) {
            // Of two subscriptions with one number, the kind of event tells which is meant.
            let of_event =
                |(before, _): &(&[u8], &[u8])| before[..USER_DATA] == event[..USER_DATA] && before[8] == event[10];
            let mut pairs = before.chunks_exact(SUBSCRIPTION).zip(now.chunks_exact(SUBSCRIPTION));
            if let Some((_, now)) = pairs.find(of_event) {
                event[..USER_DATA].copy_from_slice(&now[..USER_DATA]);
            }
        }
        events
    }
}

/// The buffers of a call that scatters what it reads, filled in order.
struct Buffers<'a> {
    pairs: &'a [[u8; PAIR]],
    /// How much of the first one is full.
    full: u64,
}

impl Buffers<'_> {
    fn new(pairs: &[u8]) -> Buffers<'_> {
        Buffers { pairs: pairs.as_chunks::<PAIR>().0, full: 0 }
    }

    fn fill(&mut self, memory: MemoryIndex, mut bytes: &[u8], out: &mut Vec<HostWrite>) -> Result<(), String> {
        while !bytes.is_empty() {
            let Some((pair, rest)) = self.pairs.split_first() else {
                return Err("the recorded host read more bytes than this build has room for".to_string());
            };
            let word =
                |at: usize| u64::from(u32::from_le_bytes([pair[at], pair[at + 1], pair[at + 2], pair[at + 3]]));
            let room = word(4).saturating_sub(self.full).min(bytes.len() as u64);
            let (now, later) = bytes.split_at(room as usize);
            if room > 0 {
                out.push(HostWrite { memory, address: word(0).saturating_add(self.full), bytes: now.to_vec() });
                self.full += room;
            }
            if !later.is_empty() {
                (self.pairs, self.full) = (rest, 0);
            }
            bytes = later;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::WasmValue;
    use forkpoint_traces::{FuncIndex, Import, wasi};

    fn call(name: &str, arguments: &[i32], reads: Vec<HostRead>) -> HostCall {
        HostCall {
            function: FuncIndex(0),
            import: Import { module: wasi::MODULE.to_string(), name: name.to_string() },
            arguments: arguments.iter().map(|value| WasmValue::I32(*value)).collect(),
            reads,
            caller: None,
        }
    }

    fn moved(recorded: &HostCall, call: &HostCall, pairs: &[u8], writes: &[(u64, &[u8])]) -> Vec<(u64, Vec<u8>)> {
        let write = |(address, bytes): &(u64, &[u8])| HostWrite {
            memory: MemoryIndex(0),
            address: *address,
            bytes: bytes.to_vec(),
        };
        let writes: Vec<HostWrite> = writes.iter().map(write).collect();
        let moved =
            Moved { recorded, call, pairs, memory: Some(MemoryIndex(1)) }.writes(&writes).expect("each has a place");
        assert!(moved.iter().all(|write| write.memory == MemoryIndex(1)), "wherever the other build has its memory");
        moved.into_iter().map(|write| (write.address, write.bytes)).collect()
    }

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    #[test]
    fn results_and_buffers_go_where_the_call_wants_them() {
        let (recorded, now) = (call("fd_read", &[0, 16, 2, 32], vec![]), call("fd_read", &[0, 80, 2, 96], vec![]));
        // Buffers of other lengths get the same bytes in order.
        let pairs = words(&[200, 3, 300, 100]);
        let writes: [(u64, &[u8]); 3] = [(64, b"ab"), (128, b"cdef"), (32, &[6, 0, 0, 0])];
        let expected = [(200, b"ab".to_vec()), (202, b"c".to_vec()), (300, b"def".to_vec()), (96, vec![6, 0, 0, 0])];
        assert_eq!(moved(&recorded, &now, &pairs, &writes), expected);
        let none = Moved { recorded: &recorded, call: &now, pairs: &words(&[200, 3]), memory: None };
        let write = HostWrite { memory: MemoryIndex(0), address: 64, bytes: vec![1; 4] };
        assert!(none.writes(&[write]).is_err_and(|why| why.contains("more bytes than this build has room for")));
    }

    #[test]
    fn pointers_to_strings_follow_the_strings() {
        let (recorded, now) = (call("args_get", &[64, 128], vec![]), call("args_get", &[8, 500], vec![]));
        let pointers = words(&[128, 132]);
        let writes: [(u64, &[u8]); 2] = [(64, &pointers), (128, b"app\0x\0")];
        let expected = [(8, words(&[500, 504])), (500, b"app\0x\0".to_vec())];
        assert_eq!(moved(&recorded, &now, &[], &writes), expected);
    }

    #[test]
    fn events_name_the_subscription_of_this_build() {
        let subscription = |user: u8, tag: u8| {
            let mut bytes = [0; SUBSCRIPTION];
            (bytes[0], bytes[8]) = (user, tag);
            bytes
        };
        let poll = |users: [u8; 2]| {
            let bytes = [subscription(users[0], 0), subscription(users[1], 1)].concat();
            call("poll_oneoff", &[8, 256, 2, 512], vec![HostRead::of(MemoryIndex(0), 8, &bytes)])
        };
        let mut event = [0; POLL_EVENT];
        (event[0], event[10]) = (5, 1);
        let writes: [(u64, &[u8]); 1] = [(256, &event)];
        let events = moved(&poll([5, 5]), &poll([7, 9]), &[], &writes);
        assert_eq!((events[0].0, events[0].1[0]), (256, 9), "the one of the same kind");
    }
}
