//! The child process: started, read from, and ended when it must.

mod last_words;
mod limits;
mod start;

pub(super) use limits::{Limits, Stopped};

use crate::error::RecordError;
use crate::protocol::{Frame, Order, write_order};
use crate::shared::SharedBuffer;
use last_words::{LastWords, quoted};
use limits::Patience;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::cell::Cell;
use std::io;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// How often time limit and interrupt are looked at.
const LOOK: Duration = Duration::from_millis(20);

/// A child process and its frames. Dropping it kills the process.
pub(super) struct Child {
    process: std::process::Child,
    /// Whether the process leads its own group.
    grouped: bool,
    /// Whether it is a program of the user's, which takes no orders during its run.
    deaf: bool,
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
    /// The buffer, which may hold records that it did not send.
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

    /// With which code it ended by itself.
    pub(super) fn code(&self) -> Option<i32> {
        self.status.code()
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
                if stopped == Some(Stopped::OutOfMemory) || self.deaf && stopped == Some(Stopped::TimedOut) {
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
                // Cut off in the middle of a frame, as when the engine crashes: the exit status shows it.
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

impl Drop for Child {
    fn drop(&mut self) {
        // Harmless when it has ended and was waited for.
        self.kill();
        let _ = self.process.wait();
        // Another process may hold the other end: this ends the thread that reads.
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}
