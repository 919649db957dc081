//! Answers to host calls, from a host log, by a stub or by the engine's own host, and their record in the trace.
//!
//! One conversation for every engine: the caller names function and arguments; [`Host`] asks for the bytes that the
//! call depends on, at most twice (the pairs of a vectored write, then its buffers), and answers. If the engine's own
//! host is live, it is called first, and [`LiveCall`] looks at what it wrote. Engines of this program hold the
//! conversation in their own process ([`crate::engine`]), where a call costs no round trip; runners hold it with the
//! recorder.

mod javascript;
mod logged;
mod moved;

pub(crate) use javascript::{GuestFunction, GuestFunctions, Settled};

use crate::error::RecordError;
use crate::host::function::{HostFunction, Provider};
use crate::host::live::{LiveCall, Step};
use crate::host::ranges::{MOST, capped, first_reads, scattered, second_reads, unsigned};
use crate::host::{NO_THREAD, WasiSetup};
use crate::protocol::HostEnd;
use crate::protocol::{Answer, HostWrite, Order, ReadRange};
use crate::values::WasmValue;
use forkpoint_traces::wasi::{self, Signature};
use forkpoint_traces::{FuncIndex, HostCall, HostEvent, HostLog, HostRead, MemoryIndex, printable_output};
use serde::{Deserialize, Serialize};
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;

use javascript::Story;

/// What answers the host calls of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct HostSpec {
    pub(crate) functions: Vec<HostFunction>,
    /// The memory that WASI reads and writes, if there is one.
    pub(crate) memory: Option<u32>,
    /// What the engine's own host gives the guest.
    pub(crate) wasi: WasiSetup,
    /// The trace that everything is answered from, if there is one.
    pub(crate) log: Option<PathBuf>,
    /// Whether another build of the program made it, so that its calls are found by what they mean.
    #[serde(default)]
    pub(crate) other_build: bool,
    /// Whether the guest's output is printed although its calls are answered from a log.
    pub(crate) echo: bool,
    /// For a program that lives in JavaScript: the functions that it can call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) guests: Option<GuestFunctions>,
    /// And what the module imports no longer, as it was given.
    #[serde(default)]
    pub(crate) settled: Settled,
}

/// Answers the host calls of one run.
pub(crate) struct Host {
    functions: Vec<HostFunction>,
    memory: Option<MemoryIndex>,
    wasi: Arc<WasiSetup>,
    log: Option<HostLog>,
    other_build: bool,
    /// The log's next step, if it was read ahead.
    ahead: Option<HostEvent>,
    echo: bool,
    pending: Option<Pending>,
    /// The call that the engine's own host is answering.
    calling: Option<Box<LiveCall>>,
    guests: Option<GuestFunctions>,
    settled: Settled,
    story: Story,
}

/// A call whose bytes are on their way.
struct Pending {
    talk: Talk,
    /// Addresses of the reads in progress, and their bytes.
    coming: Vec<(u64, Vec<u8>)>,
    /// The number of requested bytes that have not come.
    room: u64,
}

/// The purpose of a call's bytes.
enum Talk {
    /// To look for the call in the log.
    Asked(Asked),
    /// To record what the engine's own host does.
    Live(Box<LiveCall>),
}

/// A call that the engine does not answer.
struct Asked {
    function: u32,
    arguments: Vec<WasmValue>,
    signature: Signature,
    /// Where the pairs lie that point to buffers to be filled, if they are needed to answer: the last of the first reads.
    pairs: Option<(u64, u64)>,
    /// Address and bytes of the first reads, once the second ones are requested.
    first: Option<Vec<(u64, Vec<u8>)>>,
}

/// What to send to the child and to write to the trace.
pub(crate) struct Reply {
    pub(crate) order: Order,
    pub(crate) events: Vec<HostEvent>,
    /// Why there is no answer: the run differs from the recorded one.
    pub(crate) unanswered: Option<String>,
}

impl Reply {
    /// The run ends here, and why.
    pub(crate) fn stop(why: String) -> Reply {
        let order = Order::Answer(Answer::only(HostEnd::Stopped));
        Reply { order, events: Vec::new(), unanswered: Some(why) }
    }

    fn order(order: Order) -> Reply {
        Reply { order, events: Vec::new(), unanswered: None }
    }
}

impl Host {
    /// Opens the sources that `spec` names.
    pub(crate) fn open(spec: &HostSpec) -> Result<Host, RecordError> {
        let log = spec.log.as_ref().map(|path| HostLog::open(path)).transpose()?;
        Ok(Host {
            functions: spec.functions.clone(),
            memory: spec.memory.map(MemoryIndex),
            wasi: Arc::new(spec.wasi.clone()),
            log,
            other_build: spec.other_build,
            ahead: None,
            echo: spec.echo,
            pending: None,
            calling: None,
            guests: spec.guests.clone(),
            settled: spec.settled.clone(),
            story: Story::default(),
        })
    }

    /// The guest calls function `function`.
    pub(crate) fn call(&mut self, function: u32, arguments: Vec<WasmValue>) -> Result<Reply, RecordError> {
        let Some(called) = self.functions.get(function as usize) else {
            return Err(RecordError::Protocol(format!(
                "a call of imported function {function}, which does not exist"
            )));
        };
        if self.pending.is_some() || self.calling.is_some() {
            return Err(RecordError::Protocol(format!("a call of {} inside another host call", called.import)));
        }
        if self.guests.is_some() {
            let import = called.import.clone();
            return self.called(HostCall {
                function: FuncIndex(function),
                import,
                arguments,
                reads: Vec::new(),
                caller: None,
            });
        }
        let signature = called.signature().filter(|signature| signature.len() == arguments.len());
        if self.log.is_none() && called.needs_wasi() {
            let import = called.import.clone();
            let call = HostCall { function: FuncIndex(function), import, arguments, reads: Vec::new(), caller: None };
            let wasi = Arc::clone(&self.wasi);
            let (live, step) = LiveCall::begin(call, signature.unwrap_or_default(), self.memory, wasi);
            return Ok(self.step(Box::new(live), step));
        }
        let mut reads = match (signature.unwrap_or_default(), self.memory) {
            // Only the recording knows what the call depends on.
            ([], _) => self.logged_reads(function)?,
            (_, None) => Vec::new(),
            (signature, Some(_)) => first_reads(signature, &unsigned(&arguments)),
        };
        let signature = signature.unwrap_or_default();
        // The recorded buffers may lie elsewhere.
        let pairs = scattered(signature, &unsigned(&arguments)).filter(|_| self.other_build && self.memory.is_some());
        reads.extend(pairs);
        let asked = Asked { function, arguments, signature, pairs, first: None };
        if reads.is_empty() {
            return self.answer(asked, Vec::new());
        }
        Ok(self.read(Talk::Asked(asked), reads))
    }

    /// What the recorded call read, if it is a call of the same function.
    fn logged_reads(&mut self, function: u32) -> Result<Vec<(u64, u64)>, RecordError> {
        let Some(log) = &mut self.log else { return Ok(Vec::new()) };
        if self.ahead.is_none() {
            self.ahead = log.next_event()?;
        }
        Ok(match &self.ahead {
            Some(HostEvent::Call(call)) if self.is_call_of(call, function) => {
                // A stranger's recording may not read more than other calls.
                capped(call.reads.iter().map(|read| (read.address, read.length)).take(MOST as usize).collect())
            }
            _ => Vec::new(),
        })
    }

    /// Whether a recorded call is one of this function. Another build may number its functions differently.
    fn is_call_of(&self, recorded: &HostCall, function: u32) -> bool {
        let called = self.functions.get(function as usize);
        match self.other_build {
            true => called.is_some_and(|called| called.import == recorded.import),
            false => recorded.function.0 == function,
        }
    }

    /// Asks for bytes.
    fn read(&mut self, talk: Talk, reads: Vec<(u64, u64)>) -> Reply {
        let coming = reads.iter().map(|(address, _)| (*address, Vec::new())).collect();
        let room = reads.iter().fold(0, |sum: u64, (_, length)| sum.saturating_add(*length));
        self.pending = Some(Pending { talk, coming, room });
        let memory = self.memory.unwrap_or(MemoryIndex(0));
        let range = |(address, length)| ReadRange { memory, address, length };
        Reply::order(Order::Read(reads.into_iter().map(range).collect()))
    }

    /// Continues with a call that the engine's own host answers.
    fn step(&mut self, live: Box<LiveCall>, step: Step) -> Reply {
        match step {
            Step::Read(reads) => self.read(Talk::Live(live), reads),
            Step::Call(event) => {
                self.calling = Some(live);
                Reply { order: Order::CallHost, events: vec![event], unanswered: None }
            }
            Step::Done { fixes, events, end } => {
                let memory = self.memory.unwrap_or(MemoryIndex(0));
                let write = |(address, bytes)| HostWrite { memory, address, bytes };
                let writes = fixes.into_iter().map(write).collect();
                Reply { order: Order::Answer(Answer { grows: Vec::new(), writes, end }), events, unanswered: None }
            }
        }
    }

    /// The engine's own host has answered.
    pub(crate) fn answered(&mut self, end: HostEnd) -> Result<Reply, RecordError> {
        let Some(mut live) = self.calling.take() else {
            return Err(RecordError::Protocol("the answer of a host that was not asked".to_string()));
        };
        let function = self.functions.get(live.function().0 as usize);
        match &end {
            HostEnd::Returned(values) if !function.is_some_and(|function| function.returns(values)) => {
                return Err(RecordError::Protocol(
                    "results of a host that are not of the function's type".to_string(),
                ));
            }
            HostEnd::Stopped => return Err(RecordError::Protocol("a host that stops the run".to_string())),
            _ => {}
        }
        let step = live.answered(end);
        Ok(self.step(live, step))
    }

    /// Bytes of requested read number `read`.
    pub(crate) fn bytes(&mut self, read: u32, bytes: &[u8]) -> Result<(), RecordError> {
        let unasked = || RecordError::Protocol("more bytes of memory than a host call asked for".to_string());
        let pending = self.pending.as_mut().ok_or_else(unasked)?;
        pending.room = pending.room.checked_sub(bytes.len() as u64).ok_or_else(unasked)?;
        if let Some((_, known)) = pending.coming.get_mut(read as usize) {
            known.extend_from_slice(bytes);
        }
        Ok(())
    }

    /// All requested bytes are there.
    pub(crate) fn read_end(&mut self) -> Result<Reply, RecordError> {
        let Some(Pending { talk, coming, .. }) = self.pending.take() else {
            return Err(RecordError::Protocol("the end of reads that were not requested".to_string()));
        };
        let mut asked = match talk {
            Talk::Asked(asked) => asked,
            Talk::Live(mut live) => {
                let step = live.bytes(coming.into_iter().map(|(_, bytes)| bytes).collect());
                return Ok(self.step(live, step));
            }
        };
        if asked.first.is_none() {
            let bytes: Vec<Vec<u8>> = coming.iter().map(|(_, bytes)| bytes.clone()).collect();
            let reads = second_reads(asked.signature, &bytes);
            if !reads.is_empty() {
                asked.first = Some(coming);
                return Ok(self.read(Talk::Asked(asked), reads));
            }
        }
        self.answer(asked, coming)
    }

    fn answer(&mut self, asked: Asked, mut coming: Vec<(u64, Vec<u8>)>) -> Result<Reply, RecordError> {
        let Asked { function, arguments, pairs, mut first, .. } = asked;
        // A call depends on where it wants its results, but only its answer has to know.
        let pairs = pairs.and_then(|_| first.as_mut().unwrap_or(&mut coming).pop()).map(|(_, pairs)| pairs);
        let HostFunction { import, provider, .. } = &self.functions[function as usize];
        let memory = self.memory.unwrap_or(MemoryIndex(0));
        if self.echo && self.log.is_some() && import.module == wasi::MODULE && import.name == "fd_write" {
            echo(&arguments, &coming);
        }
        let reads =
            first.iter().flatten().chain(&coming).map(|(address, bytes)| HostRead::of(memory, *address, bytes));
        let reads = reads.collect();
        let call = HostCall { function: FuncIndex(function), import: import.clone(), arguments, reads, caller: None };
        if self.log.is_some() {
            return self.logged(call, &pairs.unwrap_or_default());
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
            vec![HostEvent::Call(call), HostEvent::Return { import: import.clone(), outcome: end.outcome() }];
        Ok(Reply { order: Order::Answer(Answer::only(end)), events, unanswered: None })
    }
}

/// Prints the guest's output. A closed output does not end a run. The guest may be hostile, so nothing it prints acts
/// on a terminal.
fn echo(arguments: &[WasmValue], buffers: &[(u64, Vec<u8>)]) {
    let bytes: Vec<u8> = buffers.iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect();
    let shown = |is_terminal: bool| if is_terminal { printable_output(&bytes).into_bytes() } else { bytes.clone() };
    let (mut out, mut err) = (std::io::stdout(), std::io::stderr());
    let _ = match arguments.first() {
        Some(WasmValue::I32(1)) => out.write_all(&shown(out.is_terminal())).and_then(|()| out.flush()),
        Some(WasmValue::I32(2)) => err.write_all(&shown(err.is_terminal())),
        _ => Ok(()),
    };
}
