//! An engine's process, whatever it is told and however often.

use super::last_words::LastWords;
use super::limits::Patience;
use crate::error::RecordError;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::process::ExitStatus;
use std::time::Duration;

/// Longest pause between two looks at whether it has ended.
const PAUSE: Duration = Duration::from_millis(20);

/// An engine's process. Dropping it kills it.
#[derive(Debug)]
pub(in crate::record) struct Handle {
    pub(super) process: std::process::Child,
    /// Whether the process leads its own group.
    pub(super) grouped: bool,
    /// Whether it was waited for, so that its number may be somebody else's.
    pub(super) reaped: bool,
    pub(super) last_words: Option<LastWords>,
    /// By which it gets further jobs, if it does more than one.
    pub(super) control: Option<UnixStream>,
    /// How many jobs it has had.
    pub(super) jobs: u32,
}

/// What a process does after its last frame.
pub(super) enum Afterwards {
    /// It ends.
    Ends,
    /// It waits for its next job.
    Waits,
    /// Neither, for as long as anybody would wait.
    Idles,
}

impl Handle {
    pub(super) fn new(process: std::process::Child, grouped: bool, last_words: Option<LastWords>) -> Handle {
        Handle { process, grouped, reaped: false, last_words, control: None, jobs: 0 }
    }

    /// How many jobs it has had.
    pub(in crate::record) fn jobs(&self) -> u32 {
        self.jobs
    }

    /// Its number.
    pub(super) fn number(&self) -> u32 {
        self.process.id()
    }

    fn id(&self) -> Option<Pid> {
        i32::try_from(self.process.id()).ok().and_then(Pid::from_raw)
    }

    /// Waits for what it does, now that it has nothing more to say about its job.
    pub(super) fn afterwards(&mut self) -> Result<Afterwards, RecordError> {
        let mut patience = Patience::default();
        patience.starts();
        let mut pause = Duration::from_micros(200);
        while !patience.is_over() {
            if let Some(control) = &mut self.control {
                // A process that dies closes it, too.
                let pause = Some(pause.max(PAUSE));
                control.set_read_timeout(pause).map_err(RecordError::io("the engine's process"))?;
                if matches!(control.read(&mut [0]), Ok(1)) {
                    return Ok(Afterwards::Waits);
                }
            }
            if self.has_ended()? {
                return Ok(Afterwards::Ends);
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(PAUSE);
        }
        Ok(Afterwards::Idles)
    }

    /// Whether the process has ended. It is not waited for, so that its number stays its own.
    pub(super) fn has_ended(&self) -> Result<bool, RecordError> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let Some(id) = self.id() else { return Ok(true) };
        let status = waitid(WaitId::Pid(id), options);
        Ok(status.map_err(|error| RecordError::io("waiting for the engine's process")(error.into()))?.is_some())
    }

    /// Ends the process, and what it has started. One that has ended by itself keeps its status.
    pub(super) fn kill(&mut self) {
        if self.reaped {
            return;
        }
        if let (true, Some(id)) = (self.grouped, self.id()) {
            let _ = kill_process_group(id, Signal::KILL);
        }
        let _ = self.process.kill();
    }

    /// Ends it and waits for it. Returns how it ended, and what it wrote to standard error last.
    pub(super) fn end(mut self) -> io::Result<(ExitStatus, String)> {
        self.kill();
        let status = self.process.wait()?;
        self.reaped = true;
        Ok((status, self.last_words.take().map_or_else(String::new, LastWords::text)))
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // Harmless when it has ended and was waited for.
        self.kill();
        let _ = self.process.wait();
    }
}
