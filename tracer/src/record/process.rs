//! The child process: started, read from, and ended when it must.

mod last_words;

use super::{Request, Stdio, bundled};
use crate::error::RecordError;
use crate::job::{ARGUMENT, Job, Task};
use crate::protocol::{Frame, Order, read_frame, write_order};
use crate::shared::SharedBuffer;
use crate::spec::EngineSpec;
use last_words::{LastWords, quoted};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Frames that may wait between the socket and the encoder: what keeps memory use constant.
const QUEUE: usize = 8;

/// How long a child that was asked to stop may take.
const GRACE: Duration = Duration::from_secs(2);

/// How long a child may leave an order unread that fills its socket.
const DEAF: Duration = Duration::from_secs(10);

/// How often time limit and interrupt are looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Why a run has to end before it ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stopped {
    TimedOut,
    Interrupted,
    OutOfMemory,
}

/// Limits and interrupt of a recording, over all its processes.
pub(super) struct Limits {
    deadline: Option<Instant>,
    /// Most bytes of memory that a process may hold.
    max_memory: Option<u64>,
    interrupt: Arc<AtomicBool>,
}

impl Limits {
    pub(super) fn new(timeout: Option<Duration>, max_memory: Option<u64>, interrupt: Arc<AtomicBool>) -> Limits {
        Limits { deadline: timeout.and_then(|timeout| Instant::now().checked_add(timeout)), max_memory, interrupt }
    }

    /// Whether the process `id` has to end.
    fn stopped(&self, id: u32) -> Option<Stopped> {
        if self.interrupt.load(Ordering::Relaxed) {
            return Some(Stopped::Interrupted);
        }
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Some(Stopped::TimedOut);
        }
        self.max_memory.is_some_and(|most| resident(id) > most).then_some(Stopped::OutOfMemory)
    }
}

/// Bytes of memory that a process holds; 0 when it is gone. What engines reserve and do not touch is not part of it.
fn resident(id: u32) -> u64 {
    let sizes = std::fs::read_to_string(format!("/proc/{id}/statm")).unwrap_or_default();
    let pages = sizes.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0).saturating_mul(rustix::param::page_size() as u64)
}

/// A child process and its frames. Dropping it kills the process.
pub(super) struct Child {
    process: std::process::Child,
    /// Whether the process leads a group of its own.
    grouped: bool,
    /// Whether it was waited for, so that its number may be somebody else's.
    reaped: bool,
    socket: UnixStream,
    frames: Receiver<io::Result<Frame>>,
    last_words: Option<LastWords>,
    buffer: SharedBuffer,
}

/// How a child ended.
pub(super) struct ProcessEnd {
    status: ExitStatus,
    /// Set when it closed its socket and had to be ended.
    idle: bool,
    last_words: String,
    /// Set when it was ended from outside.
    pub(super) stopped: Option<Stopped>,
    /// What it may have left behind.
    pub(super) buffer: SharedBuffer,
}

impl ProcessEnd {
    /// The signal that ended it, if it was not ours.
    pub(super) fn signal(&self) -> Option<i32> {
        if self.idle { None } else { self.status.signal() }
    }

    /// What it wrote to its standard error last, unescaped; `None` when that was nothing.
    pub(super) fn last_words(&self) -> Option<String> {
        (!self.last_words.is_empty()).then(|| self.last_words.clone())
    }

    /// How it ended, for people.
    pub(super) fn words(&self) -> String {
        let how = match self.idle {
            true => "it closed its socket and did not end".to_string(),
            false => self.status.to_string(),
        };
        match quoted(&self.last_words).as_str() {
            "" => how,
            words => format!("{how}; it wrote: {words}"),
        }
    }
}

impl Child {
    /// Starts a child for `job`; `folder` is for its files.
    pub(super) fn spawn(request: &Request, job: &Job, folder: &Path, stdin: &Stdio) -> Result<Child, RecordError> {
        let path = folder.join("job.json");
        let json = serde_json::to_vec(job).map_err(|error| RecordError::io("writing the job")(error.into()))?;
        std::fs::write(&path, json).map_err(RecordError::io("writing the job"))?;
        // Between here and the start of the process its ends are inheritable, and several recordings may be going on.
        static STARTING: Mutex<()> = Mutex::new(());
        let starting = STARTING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (socket, theirs) = UnixStream::pair().map_err(RecordError::io("creating a socket"))?;
        socket.set_write_timeout(Some(DEAF)).map_err(RecordError::io("the engine's socket"))?;
        let buffer = SharedBuffer::new().map_err(RecordError::io("creating a buffer"))?;
        let (their_buffer, number) = buffer.inheritable().map_err(RecordError::io("passing a buffer on"))?;
        // The child inherits these two descriptors; all others are closed on exec.
        rustix::io::fcntl_setfd(&theirs, rustix::io::FdFlags::empty())
            .map_err(|error| RecordError::io("passing a socket on")(error.into()))?;
        let mut command = program(request, folder)?;
        command.arg(ARGUMENT).arg(&path).arg(theirs.as_raw_fd().to_string()).arg(number.to_string());
        command.stdin(stdin.open("standard input")?);
        command.stdout(request.output_streams.open("standard output")?);
        // All of it comes through us: the last words of a process that dies are worth keeping.
        command.stderr(std::process::Stdio::piped());
        let shown = request.output_streams.shown("standard error")?;
        // Backtraces would push what matters out of its last words and into the engine's messages.
        command.env("RUST_BACKTRACE", "0").env("RUST_LIB_BACKTRACE", "0");
        let grouped = !request.engine.is_of_this_program();
        if grouped {
            // A runner may start other programs, which must end with it.
            command.process_group(0);
        }
        let mut process = command.spawn().map_err(|source| RecordError::NoProgram {
            engine: request.engine.to_string(),
            program: command.get_program().to_string_lossy().into_owned(),
            source,
        })?;
        drop((theirs, their_buffer));
        drop(starting);
        let live = matches!(&job.task, Task::Run(run) if run.live_host);
        let last_words = process.stderr.take().map(|stderr| LastWords::listen(stderr, shown, live));
        let reading = socket.try_clone().map_err(RecordError::io("the engine's socket"))?;
        let (sender, frames) = sync_channel(QUEUE);
        // A thread of its own: the engine goes on while events are encoded.
        std::thread::spawn(move || {
            let mut input = BufReader::with_capacity(256 << 10, reading);
            loop {
                let frame = match read_frame(&mut input) {
                    Ok(Some(frame)) => Ok(frame),
                    Ok(None) => return,
                    Err(error) => Err(error),
                };
                let last = frame.is_err();
                if sender.send(frame).is_err() || last {
                    return;
                }
            }
        });
        Ok(Child { process, grouped, reaped: false, socket, frames, last_words, buffer })
    }

    /// Hands every frame to `sink` until the child ends, is stopped by `limits`, or `sink` fails. `over` is set by
    /// `sink` with the last frame.
    pub(super) fn run(
        mut self,
        limits: &Limits,
        over: &Cell<bool>,
        mut sink: impl FnMut(Frame, &mut UnixStream) -> Result<(), RecordError>,
    ) -> Result<ProcessEnd, RecordError> {
        let mut stopped = None;
        let mut patience = Patience::default();
        let mut gone = false;
        let mut looked: Option<Instant> = None;
        loop {
            if stopped.is_none() && !gone && !over.get() && looked.is_none_or(|looked| looked.elapsed() >= LOOK) {
                looked = Some(Instant::now());
                stopped = limits.stopped(self.process.id());
                if stopped == Some(Stopped::OutOfMemory) {
                    // What it would do until it ends by itself takes more of it.
                    self.kill();
                } else if stopped.is_some() {
                    // It ends at its next flush or host call and sends what it has; if it has none, it is killed.
                    let _ = write_order(&Order::Stop, &mut self.socket);
                    patience.starts();
                }
            }
            if over.get() {
                patience.starts();
            }
            if patience.is_over() {
                self.kill();
            }
            match self.frames.recv_timeout(LOOK) {
                Ok(Ok(frame)) => sink(frame, &mut self.socket)?,
                Ok(Err(error)) if matches!(error.kind(), io::ErrorKind::InvalidData) => {
                    return Err(RecordError::Protocol(error.to_string()));
                }
                // Cut off in the middle of a frame, as when the engine crashes: the exit status tells.
                Ok(Err(_)) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    // A program that it has started may hold its socket for longer than it lives itself.
                    gone = gone || self.has_ended()?;
                    if gone {
                        patience.starts();
                        if patience.is_over() {
                            break;
                        }
                    }
                }
            }
        }
        let idle = !self.ends_by_itself()?;
        self.kill();
        let status = self.process.wait().map_err(RecordError::io("waiting for the engine's process"))?;
        self.reaped = true;
        let last_words = self.last_words.take().map_or_else(String::new, LastWords::text);
        Ok(ProcessEnd { status, idle, last_words, stopped, buffer: self.buffer.clone() })
    }

    /// Whether the process ends, now that it has nothing more to say.
    fn ends_by_itself(&mut self) -> Result<bool, RecordError> {
        let mut patience = Patience::default();
        patience.starts();
        let mut pause = Duration::from_micros(200);
        while !patience.is_over() {
            if self.has_ended()? {
                return Ok(true);
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(LOOK);
        }
        Ok(false)
    }

    /// Whether the process has ended. It is not waited for, so that its number stays its own.
    fn has_ended(&self) -> Result<bool, RecordError> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let Some(id) = self.id() else { return Ok(true) };
        let status = waitid(WaitId::Pid(id), options);
        Ok(status.map_err(|error| RecordError::io("waiting for the engine's process")(error.into()))?.is_some())
    }

    fn id(&self) -> Option<Pid> {
        i32::try_from(self.process.id()).ok().and_then(Pid::from_raw)
    }

    /// Ends the process, and what it has started. One that has ended by itself keeps its status.
    fn kill(&mut self) {
        if self.reaped {
            return;
        }
        if let (true, Some(id)) = (self.grouped, self.id()) {
            let _ = kill_process_group(id, Signal::KILL);
        }
        let _ = self.process.kill();
    }
}

/// Writes an order that the engine's process waits for.
pub(super) fn answer(order: &Order, socket: &mut UnixStream) -> Result<(), RecordError> {
    match write_order(order, socket) {
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
            Err(RecordError::Protocol("it does not read the answers that it asks for".to_string()))
        }
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
            let what = format!("the host log of the recording cannot be replayed: {error}");
            Err(RecordError::HostLog { what })
        }
        // A process that is dead gets no answer, and its end is seen by itself.
        Ok(()) | Err(_) => Ok(()),
    }
}

/// How long a process may still take, once there is nothing to wait for.
#[derive(Default)]
struct Patience(Option<Instant>);

impl Patience {
    /// From now on, if not since before.
    fn starts(&mut self) {
        self.0 = self.0.or_else(|| Instant::now().checked_add(GRACE));
    }

    fn is_over(&self) -> bool {
        self.0.is_some_and(|end| Instant::now() >= end)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Harmless when it has ended and was waited for.
        self.kill();
        let _ = self.process.wait();
        // Whoever else holds the other end: nobody reads here any more, and the thread that does ends.
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

/// The program that is the engine's process.
fn program(request: &Request, folder: &Path) -> Result<Command, RecordError> {
    Ok(match &request.engine {
        EngineSpec::Runner { command } => {
            let words = shell_words::split(command).map_err(|error| RecordError::NoProgram {
                engine: request.engine.to_string(),
                program: command.clone(),
                source: io::Error::new(io::ErrorKind::InvalidInput, error),
            })?;
            let mut words = words.into_iter();
            let mut program = Command::new(words.next().unwrap_or_default());
            program.args(words);
            program
        }
        EngineSpec::Bundled(spec) => {
            bundled::command(spec, folder).map_err(RecordError::io("writing the runner's files"))?
        }
        _ => Command::new(&request.executable),
    })
}

impl Stdio {
    fn open(&self, what: &str) -> Result<std::process::Stdio, RecordError> {
        Ok(match self {
            Stdio::Inherit => std::process::Stdio::inherit(),
            Stdio::Null => std::process::Stdio::null(),
            Stdio::Stderr => io::stderr().into(),
            Stdio::File(file) => {
                use std::io::Seek;
                let mut file = file.try_clone().map_err(RecordError::io(what))?;
                file.rewind().map_err(RecordError::io(what))?;
                file.into()
            }
        })
    }

    /// Where a copy of what is written goes, if it is shown to anybody.
    fn shown(&self, what: &str) -> Result<Option<File>, RecordError> {
        Ok(match self {
            Stdio::Inherit | Stdio::Stderr => {
                let ours = io::stderr().as_fd().try_clone_to_owned().map_err(RecordError::io(what))?;
                Some(ours.into())
            }
            Stdio::Null => None,
            Stdio::File(file) => Some(file.try_clone().map_err(RecordError::io(what))?),
        })
    }
}
