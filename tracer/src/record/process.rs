//! The child process: started, read from, and ended when it must.

mod handle;
mod last_words;
mod limits;
mod start;

pub(super) use handle::Handle;
pub(super) use limits::{Limits, Stopped};

use crate::error::RecordError;
use crate::protocol::{Frame, Order, write_order};
use crate::record::workers::Workers;
use crate::shared::SharedBuffer;
use crate::spec::EngineSpec;
use handle::Afterwards;
use last_words::quoted;
use limits::Patience;
use std::cell::Cell;
use std::io;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// How often time limit and interrupt are looked at.
const LOOK: Duration = Duration::from_millis(20);

/// A child process and its frames. Dropping it kills the process.
pub(super) struct Child {
    /// `None` once it was waited for.
    handle: Option<Handle>,
    /// Who keeps the process for further runs of this engine.
    keeper: Option<(Arc<Workers>, EngineSpec)>,
    /// Whether it is a program of the user's, which takes no orders during its run.
    deaf: bool,
    socket: UnixStream,
    frames: Receiver<io::Result<Frame>>,
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
    /// Whether the process has had another job before.
    pub(super) fn is_reused(&self) -> bool {
        self.handle.as_ref().is_some_and(|handle| handle.jobs() > 1)
    }

    /// Hands every frame to `sink` until the child ends, is stopped by `limits`, or `sink` fails. `over` is set by
    /// `sink` with the last frame.
    pub(super) fn run(
        mut self,
        limits: &Limits,
        over: &Cell<bool>,
        mut sink: impl FnMut(Frame, &mut UnixStream) -> Result<(), RecordError>,
    ) -> Result<ProcessEnd, RecordError> {
        let Some(mut handle) = self.handle.take() else {
            return Err(RecordError::Protocol("no process".to_string()));
        };
        let mut stopped = None;
        let mut patience = Patience::default();
        let mut gone = false;
        let mut looked: Option<Instant> = None;
        loop {
            if stopped.is_none() && !gone && !over.get() && looked.is_none_or(|looked| looked.elapsed() >= LOOK) {
                looked = Some(Instant::now());
                stopped = limits.stopped(handle.number());
                if stopped == Some(Stopped::OutOfMemory) || self.deaf && stopped == Some(Stopped::TimedOut) {
                    // What it would do until it ends by itself takes more of it.
                    handle.kill();
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
                handle.kill();
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
                    gone = gone || handle.has_ended()?;
                    if gone {
                        patience.starts();
                        if patience.is_over() {
                            break;
                        }
                    }
                }
            }
        }
        let afterwards = handle.afterwards()?;
        let buffer = self.buffer.clone();
        if let (Afterwards::Waits, None, true, Some((workers, engine))) =
            (&afterwards, stopped, over.get(), &self.keeper)
        {
            workers.keep(engine, handle);
            let status = ExitStatus::from_raw(0);
            return Ok(ProcessEnd { status, idle: false, last_words: String::new(), stopped, buffer });
        }
        let idle = !matches!(afterwards, Afterwards::Ends);
        let (status, last_words) = handle.end().map_err(RecordError::io("waiting for the engine's process"))?;
        Ok(ProcessEnd { status, idle, last_words, stopped, buffer })
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
        // Another process may hold the other end: this ends the thread that reads.
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}
