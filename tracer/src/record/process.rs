//! The child process: started, read from, and ended when it must.

use super::{Request, Stdio};
use crate::child::{ARGUMENT, Job};
use crate::engine::EngineSpec;
use crate::error::RecordError;
use crate::protocol::{Frame, Order, read_frame, write_order};
use crate::shared::SharedBuffer;
use std::io::{self, BufReader};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// Frames that may wait between the socket and the encoder: what keeps memory use constant.
const QUEUE: usize = 8;

/// How long a child that was asked to stop may take.
const GRACE: Duration = Duration::from_secs(2);

/// How often time limit and interrupt are looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Why a run has to end before it ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stopped {
    TimedOut,
    Interrupted,
}

/// Time limit and interrupt of a recording, over all its processes.
pub(super) struct Watch {
    deadline: Option<Instant>,
    interrupt: Arc<AtomicBool>,
}

impl Watch {
    pub(super) fn new(timeout: Option<Duration>, interrupt: Arc<AtomicBool>) -> Watch {
        Watch { deadline: timeout.and_then(|timeout| Instant::now().checked_add(timeout)), interrupt }
    }

    fn stopped(&self) -> Option<Stopped> {
        if self.interrupt.load(Ordering::Relaxed) {
            return Some(Stopped::Interrupted);
        }
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline).then_some(Stopped::TimedOut)
    }
}

/// A child process and its frames. Dropping it kills the process.
pub(super) struct Child {
    process: std::process::Child,
    socket: UnixStream,
    frames: Receiver<io::Result<Frame>>,
    buffer: SharedBuffer,
}

/// How a child ended.
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    /// Set when it was ended from outside.
    pub(super) stopped: Option<Stopped>,
    /// What it may have left behind.
    pub(super) buffer: SharedBuffer,
}

impl Child {
    /// Starts a child for `job`; `folder` is for its files.
    pub(super) fn spawn(request: &Request, job: &Job, folder: &Path, stdin: &Stdio) -> Result<Child, RecordError> {
        let path = folder.join("job.json");
        let json = serde_json::to_vec(job).map_err(|error| RecordError::io("writing the job")(error.into()))?;
        std::fs::write(&path, json).map_err(RecordError::io("writing the job"))?;
        let (socket, theirs) = UnixStream::pair().map_err(RecordError::io("creating a socket"))?;
        let buffer = SharedBuffer::new().map_err(RecordError::io("creating a buffer"))?;
        let (their_buffer, number) = buffer.inheritable().map_err(RecordError::io("passing a buffer on"))?;
        // The child inherits these two descriptors; all others are closed on exec.
        rustix::io::fcntl_setfd(&theirs, rustix::io::FdFlags::empty())
            .map_err(|error| RecordError::io("passing a socket on")(error.into()))?;
        let mut command = program(request);
        command.arg(ARGUMENT).arg(&path).arg(theirs.as_raw_fd().to_string()).arg(number.to_string());
        command.stdin(stdin.open("standard input")?);
        command.stdout(request.output_streams.open("standard output")?);
        command.stderr(request.output_streams.open("standard error")?);
        let process =
            command.spawn().map_err(RecordError::io(format!("starting the engine's process {}", request.engine)))?;
        drop((theirs, their_buffer));
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
        Ok(Child { process, socket, frames, buffer })
    }

    /// Hands every frame to `sink` until the child ends, is stopped by `watch`, or `sink` fails.
    pub(super) fn run(
        mut self,
        watch: &Watch,
        mut sink: impl FnMut(Frame, &mut UnixStream) -> Result<(), RecordError>,
    ) -> Result<Ended, RecordError> {
        let mut stopped = None;
        let mut patience = None;
        loop {
            if stopped.is_none() {
                stopped = watch.stopped();
                if stopped.is_some() {
                    // It ends at its next flush or host call and sends what it has; if it has none, it is killed.
                    let _ = write_order(&Order::Stop, &mut self.socket);
                    patience = Instant::now().checked_add(GRACE);
                }
            } else if patience.is_some_and(|patience| Instant::now() >= patience) {
                let _ = self.process.kill();
            }
            match self.frames.recv_timeout(LOOK) {
                Ok(Ok(frame)) => sink(frame, &mut self.socket)?,
                Ok(Err(error)) if matches!(error.kind(), io::ErrorKind::InvalidData) => {
                    return Err(RecordError::Protocol(error.to_string()));
                }
                // Cut off in the middle of a frame, as when the engine crashes: the exit status tells.
                Ok(Err(_)) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        let status = self.process.wait().map_err(RecordError::io("waiting for the engine's process"))?;
        Ok(Ended { status, stopped, buffer: self.buffer.clone() })
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Harmless when it has ended and was waited for.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The program that is the engine's process.
fn program(request: &Request) -> Command {
    match &request.engine {
        EngineSpec::Runner { command } => {
            let mut words = command.split_whitespace();
            let mut program = Command::new(words.next().unwrap_or_default());
            program.args(words);
            program
        }
        _ => Command::new(&request.executable),
    }
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
}
