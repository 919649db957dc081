//! A WASI call that an engine's own host answers, as steps that do not depend on the engine: what is read before and
//! after the call, and the resulting events.
//!
//! The party that makes the call (the linked Wasmtime, another engine of this process, the recorder for a runner)
//! does what each [`Step`] says and reports back to the [`LiveCall`], until it is [`Step::Done`].

use crate::host::WasiSetup;
use crate::host::fixed;
use crate::host::ranges::{Writable, first_reads, scattered, second_reads, unsigned, writable, written};
use crate::protocol::HostEnd;
use crate::values::WasmValue;
use forkpoint_traces::wasi::Signature;
use forkpoint_traces::{FuncIndex, HostCall, HostEvent, HostRead, MemoryIndex};
use std::sync::Arc;

/// What comes next.
pub(crate) enum Step {
    /// Pass [`LiveCall::bytes`] the contents of memory at these addresses and lengths; parts outside memory are left
    /// out.
    Read(Vec<(u64, u64)>),
    /// The call is an event now. Let the host answer, and pass [`LiveCall::answered`] how that ended.
    Call(HostEvent),
    /// The call is over.
    Done {
        /// Address and bytes to write to memory over what the host wrote.
        fixes: Vec<(u64, Vec<u8>)>,
        /// The host's writes, fixes included, and the return.
        events: Vec<HostEvent>,
        end: HostEnd,
    },
}

/// A call that is going on.
pub(crate) struct LiveCall {
    call: HostCall,
    signature: Signature,
    arguments: Vec<u64>,
    /// The memory that WASI sees; without one, nothing is looked at.
    memory: Option<MemoryIndex>,
    setup: Arc<WasiSetup>,
    /// Which bytes come next.
    coming: Coming,
    /// The buffers behind the first reads.
    second: Vec<(u64, u64)>,
    writable: Vec<Writable>,
    before: Vec<Vec<u8>>,
    end: Option<HostEnd>,
}

/// The requested bytes.
enum Coming {
    /// Paths, and pairs that point to buffers.
    First(Vec<(u64, u64)>),
    /// Buffers, and what may be written.
    Second,
    /// What may have been written.
    After,
}

impl LiveCall {
    /// The guest makes `call`; its reads are determined next.
    pub(crate) fn begin(
        call: HostCall,
        signature: Signature,
        memory: Option<MemoryIndex>,
        setup: Arc<WasiSetup>,
    ) -> (LiveCall, Step) {
        let arguments = unsigned(&call.arguments);
        let first = memory.map_or(Vec::new(), |_| first_reads(signature, &arguments));
        let pairs = scattered(signature, &arguments).filter(|_| memory.is_some());
        let asked: Vec<(u64, u64)> = first.iter().copied().chain(pairs).collect();
        let mut live = LiveCall {
            call,
            signature,
            arguments,
            memory,
            setup,
            coming: Coming::First(first),
            second: Vec::new(),
            writable: Vec::new(),
            before: Vec::new(),
            end: None,
        };
        let step = if asked.is_empty() { live.bytes(Vec::new()) } else { Step::Read(asked) };
        (live, step)
    }

    /// The called function.
    pub(crate) fn function(&self) -> FuncIndex {
        self.call.function
    }

    /// Takes the bytes that the last [`Step::Read`] asked for, in its order.
    pub(crate) fn bytes(&mut self, mut bytes: Vec<Vec<u8>>) -> Step {
        match std::mem::replace(&mut self.coming, Coming::Second) {
            Coming::First(first) => {
                let pairs = bytes.split_off(first.len().min(bytes.len()));
                self.second = second_reads(self.signature, &bytes);
                self.read(&first, &bytes);
                if self.memory.is_some() {
                    let pairs = pairs.first().map_or(&[][..], Vec::as_slice);
                    self.writable = writable(self.signature, &self.arguments, pairs, &self.setup);
                }
                let writable = self.writable.iter().map(|range| (range.address, range.length));
                let asked: Vec<(u64, u64)> = self.second.iter().copied().chain(writable).collect();
                if asked.is_empty() { self.bytes(Vec::new()) } else { Step::Read(asked) }
            }
            Coming::Second => {
                self.before = bytes.split_off(self.second.len().min(bytes.len()));
                let second = std::mem::take(&mut self.second);
                self.read(&second, &bytes);
                self.coming = Coming::After;
                Step::Call(HostEvent::Call(self.call.clone()))
            }
            Coming::After => self.done(bytes),
        }
    }

    /// Notes the memory that the call reads.
    fn read(&mut self, ranges: &[(u64, u64)], bytes: &[Vec<u8>]) {
        let Some(memory) = self.memory else { return };
        let reads = ranges.iter().zip(bytes).map(|((address, _), bytes)| HostRead::of(memory, *address, bytes));
        self.call.reads.extend(reads);
    }

    /// The host has answered.
    pub(crate) fn answered(&mut self, end: HostEnd) -> Step {
        self.end = Some(end);
        if self.writable.is_empty() {
            return self.done(Vec::new());
        }
        let before = self.writable.iter().zip(&self.before);
        Step::Read(before.map(|(range, bytes)| (range.address, bytes.len() as u64)).collect())
    }

    /// Makes events of the writes: all of them if the call succeeded, and any other byte that has changed.
    fn done(&mut self, mut after: Vec<Vec<u8>>) -> Step {
        let end = self.end.take().unwrap_or(HostEnd::Stopped);
        let succeeded = matches!(&end, HostEnd::Returned(values) if matches!(values[..], [WasmValue::I32(0)]));
        let mut fixes = Vec::new();
        if succeeded && self.setup.deterministic {
            // Times of files are another path to the host's clock.
            for (range, bytes) in self.writable.iter().zip(&mut after) {
                let Some((at, times)) = fixed::file_times(&self.call.import.name, bytes.len()) else { continue };
                bytes[at..at + times.len()].copy_from_slice(&times);
                fixes.push((range.address.saturating_add(at as u64), times));
            }
        }
        let used = if succeeded { written(&self.writable, &after) } else { vec![0; after.len()] };
        let mut writes = Vec::new();
        for (((range, old), new), used) in self.writable.iter().zip(&self.before).zip(&after).zip(used) {
            writes.push((range.address, new[..used].to_vec()));
            let (old, rest) = (old.get(used..).unwrap_or_default(), &new[used..]);
            let differs = |(old, new): (&u8, &u8)| old != new;
            if let Some(first) = old.iter().zip(rest).position(differs) {
                let last = old.iter().zip(rest).rposition(differs).unwrap_or(first);
                writes.push((range.address.saturating_add((used + first) as u64), rest[first..=last].to_vec()));
            }
        }
        let memory = self.memory.unwrap_or(MemoryIndex(0));
        let writes = writes.into_iter().filter(|(_, bytes)| !bytes.is_empty());
        let writes = writes.map(|(address, bytes)| HostEvent::Write { memory, address, bytes });
        let ended = HostEvent::Return { import: self.call.import.clone(), outcome: end.outcome() };
        Step::Done { fixes, events: writes.chain([ended]).collect(), end }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use forkpoint_traces::{HostOutcome, Import, wasi};

    /// Makes a call, answered by `host`. Returns the events, and memory after them.
    fn call(
        name: &str,
        arguments: &[i32],
        memory: &mut [u8],
        setup: WasiSetup,
        host: impl Fn(&mut [u8]) -> HostEnd,
    ) -> Vec<HostEvent> {
        use crate::host::ranges::clamp;
        let call = HostCall {
            function: FuncIndex(0),
            import: Import { module: wasi::MODULE.to_string(), name: name.to_string() },
            arguments: arguments.iter().map(|argument| WasmValue::I32(*argument)).collect(),
            reads: Vec::new(),
            caller: None,
        };
        let signature = wasi::signature(name).expect("a function");
        let (mut live, mut step) = LiveCall::begin(call, signature, Some(MemoryIndex(0)), Arc::new(setup));
        let mut seen = Vec::new();
        loop {
            step = match step {
                Step::Read(ranges) => {
                    live.bytes(ranges.iter().map(|range| memory[clamp(*range, memory.len())].to_vec()).collect())
                }
                Step::Call(event) => {
                    seen.push(event);
                    live.answered(host(memory))
                }
                Step::Done { fixes, events, .. } => {
                    for (address, bytes) in fixes {
                        memory[address as usize..][..bytes.len()].copy_from_slice(&bytes);
                    }
                    seen.extend(events);
                    return seen;
                }
            };
        }
    }

    fn writes(events: &[HostEvent]) -> Vec<(u64, Vec<u8>)> {
        let write = |event: &HostEvent| match event {
            HostEvent::Write { address, bytes, .. } => Some((*address, bytes.clone())),
            _ => None,
        };
        events.iter().filter_map(write).collect()
    }

    #[test]
    fn what_a_call_says_it_wrote_and_what_else_changed_are_both_told() {
        let mut memory = vec![0; 256];
        // One buffer of 16 bytes at 64.
        memory[8..16].copy_from_slice(&[64, 0, 0, 0, 16, 0, 0, 0]);
        let events = call("fd_read", &[0, 8, 1, 32], &mut memory, WasiSetup::default(), |memory| {
            // Its result is two, the second byte is unchanged, and it writes beyond.
            memory[64] = 7;
            memory[70..72].copy_from_slice(&[5, 6]);
            memory[32] = 2;
            HostEnd::Returned(vec![WasmValue::I32(0)])
        });
        assert_eq!(writes(&events), [(64, vec![7, 0]), (70, vec![5, 6]), (32, vec![2, 0, 0, 0])]);
        assert!(matches!(&events[0], HostEvent::Call(call) if call.reads.is_empty()), "{events:?}");
        assert!(matches!(events.last(), Some(HostEvent::Return { outcome: HostOutcome::Returned(_), .. })));
    }

    #[test]
    fn a_call_that_fails_has_written_what_has_changed() {
        let mut memory = vec![1; 64];
        let events = call("clock_time_get", &[0, 0, 60], &mut memory, WasiSetup::default(), |memory| {
            memory[61] = 9;
            HostEnd::Returned(vec![WasmValue::I32(28)])
        });
        assert_eq!(writes(&events), [(61, vec![9])], "and the result sticks out of memory");
    }

    #[test]
    fn paths_and_gathered_buffers_are_read() {
        let mut memory = vec![0; 64];
        memory[8..16].copy_from_slice(&[40, 0, 0, 0, 200, 0, 0, 0]);
        memory[40..64].fill(3);
        let setup = WasiSetup::default();
        let events = call("fd_write", &[1, 8, 1, 0], &mut memory, setup, |_| HostEnd::Exited(4));
        let HostEvent::Call(call) = &events[0] else { panic!("{events:?}") };
        let reads: Vec<_> = call.reads.iter().map(|read| (read.address, read.length)).collect();
        assert_eq!(reads, [(8, 8), (40, 24)], "as far as memory has them");
        assert!(matches!(&events[1..], [HostEvent::Return { outcome: HostOutcome::Exited(4), .. }]), "{events:?}");
    }

    #[test]
    fn times_of_files_are_fixed_in_memory_and_in_the_event() {
        let mut memory = vec![0; 128];
        let setup = WasiSetup { deterministic: true, ..WasiSetup::default() };
        let events = call("fd_filestat_get", &[3, 16], &mut memory, setup, |memory| {
            memory[16..80].fill(1);
            HostEnd::Returned(vec![WasmValue::I32(0)])
        });
        let written = writes(&events);
        assert_eq!((written.len(), written[0].0), (1, 16));
        assert_eq!(written[0].1, memory[16..80]);
        assert!(memory[56..80] != [1; 24] && memory[16..56] == [1; 40], "{memory:?}");
    }
}
