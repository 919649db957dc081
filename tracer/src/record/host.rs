//! The recorder's side of host calls: answers from a host log or by a stub, and what of it goes into the trace.
//!
//! One conversation for every engine: the child names function and arguments; the recorder asks for the bytes that
//! the call depends on, at most twice (the pairs of a vectored write, then its buffers), and answers.

use super::program::{HostFunction, Provider};
use crate::error::RecordError;
use crate::host::NO_THREAD;
use crate::host::ask::HostEnd;
use crate::host::ranges::{first_reads, second_reads, unsigned};
use crate::protocol::{Answer, Order};
use crate::values::WasmValue;
use forkpoint_traces::wasi::{self, Signature};
use forkpoint_traces::{FuncIndex, HostCall, HostEvent, HostLog, HostOutcome, HostRead, MemoryIndex, TraceReader};
use std::io::Write;
use std::path::Path;

/// Answers the host calls of one run.
pub(super) struct Host<'a> {
    functions: &'a [HostFunction],
    /// The memory that WASI reads and writes.
    memory: u32,
    log: Option<HostLog>,
    /// Whether what the guest prints goes to our own output.
    echo: bool,
    pending: Option<Pending>,
}

/// A call whose bytes are on their way.
struct Pending {
    function: u32,
    arguments: Vec<WasmValue>,
    signature: Signature,
    /// Address and bytes of the first reads, once the second are asked for.
    first: Vec<(u64, Vec<u8>)>,
    /// Addresses of the reads that are coming in, and their bytes.
    coming: Vec<(u64, Vec<u8>)>,
    second: bool,
}

/// What is to be told to the child and written to the trace.
pub(super) struct Reply {
    pub(super) order: Order,
    pub(super) events: Vec<HostEvent>,
    /// Why there is no answer: the run went another way than the recorded one.
    pub(super) unanswered: Option<String>,
}

impl Reply {
    fn order(order: Order) -> Reply {
        Reply { order, events: Vec::new(), unanswered: None }
    }
}

impl<'a> Host<'a> {
    /// The host of a run; with the trace at `log`, everything is answered from there.
    pub(super) fn new(
        functions: &'a [HostFunction],
        memory: Option<u32>,
        log: Option<&Path>,
        echo: bool,
    ) -> Result<Host<'a>, RecordError> {
        let log = log.map(|path| TraceReader::open(path)?.host_log()).transpose()?;
        Ok(Host { functions, memory: memory.unwrap_or(0), log, echo, pending: None })
    }

    /// The guest calls function `function`.
    pub(super) fn call(&mut self, function: u32, arguments: Vec<WasmValue>) -> Result<Reply, RecordError> {
        let Some(HostFunction { import, .. }) = self.functions.get(function as usize) else {
            return Err(RecordError::Protocol(format!("a call of imported function {function}, which there is not")));
        };
        let signature = match import.module == wasi::MODULE {
            true => wasi::signature(&import.name).filter(|signature| signature.len() == arguments.len()),
            false => None,
        };
        let signature = signature.unwrap_or_default();
        let reads = first_reads(signature, &unsigned(&arguments));
        let mut pending =
            Pending { function, arguments, signature, first: Vec::new(), coming: Vec::new(), second: false };
        if reads.is_empty() {
            return self.answer(pending);
        }
        let order = self.read(&mut pending, reads);
        self.pending = Some(pending);
        Ok(Reply::order(order))
    }

    fn read(&self, pending: &mut Pending, reads: Vec<(u64, u64)>) -> Order {
        pending.coming = reads.iter().map(|(address, _)| (*address, Vec::new())).collect();
        Order::Read(reads.into_iter().map(|(address, length)| (self.memory, address, length)).collect())
    }

    /// Bytes of read number `read` that was asked for.
    pub(super) fn bytes(&mut self, read: u32, bytes: &[u8]) {
        let place = self.pending.as_mut().and_then(|pending| pending.coming.get_mut(read as usize));
        if let Some((_, known)) = place {
            known.extend_from_slice(bytes);
        }
    }

    /// All bytes that were asked for are there.
    pub(super) fn read_end(&mut self) -> Result<Reply, RecordError> {
        let Some(mut pending) = self.pending.take() else {
            return Err(RecordError::Protocol("the end of reads that nobody asked for".to_string()));
        };
        if !pending.second {
            pending.second = true;
            let bytes: Vec<Vec<u8>> = pending.coming.iter().map(|(_, bytes)| bytes.clone()).collect();
            let reads = second_reads(pending.signature, &bytes);
            if !reads.is_empty() {
                pending.first = std::mem::take(&mut pending.coming);
                let order = self.read(&mut pending, reads);
                self.pending = Some(pending);
                return Ok(Reply::order(order));
            }
        }
        self.answer(pending)
    }

    fn answer(&mut self, pending: Pending) -> Result<Reply, RecordError> {
        let Pending { function, arguments, first, coming, .. } = pending;
        let HostFunction { import, provider, .. } = &self.functions[function as usize];
        let memory = MemoryIndex(self.memory);
        if self.echo && self.log.is_some() && import.module == wasi::MODULE && import.name == "fd_write" {
            echo(&arguments, &coming);
        }
        let reads = first.iter().chain(&coming).map(|(address, bytes)| HostRead::of(memory, *address, bytes));
        let call =
            HostCall { function: FuncIndex(function), import: import.clone(), arguments, reads: reads.collect() };
        if self.log.is_some() {
            return self.logged(call);
        }
        let end = match provider {
            Provider::Stub(end) => end.clone(),
            Provider::NoThreads => HostEnd::Returned(vec![WasmValue::I32(NO_THREAD)]),
            Provider::Engine | Provider::Nobody => {
                return Err(RecordError::Protocol(format!(
                    "a call of {import}, which the engine has to answer itself"
                )));
            }
        };
        let events =
            vec![HostEvent::Call(call), HostEvent::Return { import: import.clone(), outcome: outcome(&end) }];
        let order = Order::Answer(Answer { grows: Vec::new(), writes: Vec::new(), end });
        Ok(Reply { order, events, unanswered: None })
    }

    fn logged(&mut self, call: HostCall) -> Result<Reply, RecordError> {
        let Some(log) = &mut self.log else { return Err(RecordError::Protocol("no host log".to_string())) };
        let why = match log.next_event()? {
            Some(HostEvent::Call(logged)) if logged == call => None,
            Some(HostEvent::Call(logged)) => Some(format!("the recording has a call of {} there", logged.import)),
            Some(_) => return Err(damaged("a step of a call without its call")),
            None => Some("the recording has no further host call".to_string()),
        };
        if let Some(why) = why {
            let why = format!("the guest called {} where {why}", call.import);
            let end = HostEnd::Stopped;
            let order = Order::Answer(Answer { grows: Vec::new(), writes: Vec::new(), end });
            return Ok(Reply { order, events: vec![HostEvent::Call(call)], unanswered: Some(why) });
        }
        let mut answer = Answer { grows: Vec::new(), writes: Vec::new(), end: HostEnd::Stopped };
        let function = call.function.0 as usize;
        let mut events = vec![HostEvent::Call(call)];
        loop {
            let event = log.next_event()?;
            match &event {
                Some(HostEvent::Write { memory, address, bytes }) => {
                    answer.writes.push((memory.0, *address, bytes.clone()));
                }
                Some(HostEvent::Grow { memory, delta, .. }) => answer.grows.push((memory.0, *delta)),
                Some(HostEvent::Return { outcome, .. }) => {
                    answer.end = match outcome {
                        HostOutcome::Returned(values) if !self.functions[function].returns(values) => {
                            return Err(damaged("results that are not of the function's type"));
                        }
                        HostOutcome::Returned(values) => HostEnd::Returned(values.clone()),
                        HostOutcome::Trapped(message) => HostEnd::Trapped(message.clone()),
                        HostOutcome::Exited(code) => HostEnd::Exited(*code),
                    };
                    events.extend(event);
                    return Ok(Reply { order: Order::Answer(answer), events, unanswered: None });
                }
                Some(HostEvent::Call(_)) => {
                    return Err(damaged("a call inside of a call: the host called back, which cannot be replayed"));
                }
                // The recording ends inside of the call: its engine crashed there, or ran out of time.
                None => {
                    let why = "the recording ends inside of this host call".to_string();
                    return Ok(Reply { order: Order::Answer(answer), events, unanswered: Some(why) });
                }
            }
            events.extend(event);
        }
    }
}

fn outcome(end: &HostEnd) -> HostOutcome {
    match end {
        HostEnd::Returned(values) => HostOutcome::Returned(values.clone()),
        HostEnd::Trapped(message) => HostOutcome::Trapped(message.clone()),
        HostEnd::Exited(code) => HostOutcome::Exited(*code),
        HostEnd::Stopped => HostOutcome::Trapped("the recorder stopped the run".to_string()),
    }
}

fn damaged(what: &str) -> RecordError {
    RecordError::HostLog { what: what.to_string() }
}

/// Prints what the guest prints. Nobody who listens is no reason to end a run.
fn echo(arguments: &[WasmValue], buffers: &[(u64, Vec<u8>)]) {
    for (_, bytes) in buffers {
        let _ = match arguments.first() {
            Some(WasmValue::I32(1)) => std::io::stdout().write_all(bytes).and_then(|()| std::io::stdout().flush()),
            Some(WasmValue::I32(2)) => std::io::stderr().write_all(bytes),
            _ => Ok(()),
        };
    }
}
