//! What host functions share in every engine: where events go, when memory is looked at, who answers.

mod digests;
mod host_calls;

pub(crate) use host_calls::HostTurn;

use crate::host::answer::Host;
use crate::host::embed::HostFunctions;
use crate::instrument::{Covered, MARK_HOOK};
use crate::job::{Checkpoints, Run};
use crate::link::{Control, Out, Socket};
use crate::memories::View;
use crate::observe::{self, Watcher};
use crate::protocol::{HostEnd, Message};
use crate::shared::{self, Receiver, Slots};
use digests::Digests;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What an engine does after an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Goes on.
    GoOn,
    /// Shows the memories to [`Session::look`] first.
    Look,
    /// Ends the run with a trap.
    Stop,
}

/// The run must end: the engine leaves the guest by any trap. The session knows why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Halt;

impl std::fmt::Display for Halt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the recorder ends the run")
    }
}

impl std::error::Error for Halt {}

/// The child's half of a recording. An engine keeps it where its host functions find it.
pub(crate) struct Session {
    pub(crate) out: Out,
    control: Control,
    /// Where records are until they are sent: calls of the hook always, those of the guest if its buffer shares them.
    slots: Slots,
    checkpoints: Checkpoints,
    /// The mark that the guest reached last in this call; 0 for none.
    mark: u32,
    /// Whether the mark in the guest's buffer is from an earlier call.
    stale: bool,
    /// Bytes of records sent since the last checkpoint.
    unchecked: u64,
    watcher: Option<Watcher>,
    /// Where the records are digested in this process.
    digests: Option<Digests>,
    /// Answers host calls here; without it the recorder is asked.
    host: Option<Host>,
    /// Why the guest was left, if a host function did it.
    end: Option<HostEnd>,
    /// An error of the socket: the recorder is gone.
    failed: Option<io::Error>,
}

impl Session {
    /// `folder` is that of the job's files.
    pub(crate) fn new(out: Out, control: Control, slots: Slots, run: &Run, folder: &Path) -> io::Result<Session> {
        let host = run.answers.as_ref().map(Host::open).transpose().map_err(io::Error::other)?;
        let digests = run.digests.as_ref().map(|file| Digests::open(&folder.join(file))).transpose()?;
        Ok(Session {
            out,
            control,
            slots,
            checkpoints: run.checkpoints,
            mark: 0,
            stale: false,
            unchecked: 0,
            watcher: None,
            digests,
            host,
            end: None,
            failed: None,
        })
    }

    /// Puts shared memory under the guest's buffer.
    ///
    /// # Safety
    /// That of [`Slots::put_under`].
    pub(crate) unsafe fn share_buffer(&mut self, start: *mut u8, length: usize) -> io::Result<()> {
        if self.digests.is_some() {
            // Its records stay in this process.
            return Ok(());
        }
        // SAFETY: the caller's.
        unsafe { self.slots.put_under(start, length) }
    }

    /// Watches bytes from now on.
    pub(super) fn watch(&mut self, watcher: Watcher) {
        self.watcher = Some(watcher);
    }

    /// Takes an event that the hook reports. Its instruction has run.
    #[inline]
    pub(crate) fn event(&mut self, site: u32, operands: [u64; 3]) -> Next {
        if site == MARK_HOOK {
            // No event: of all marks only the last one counts.
            self.mark = operands[0] as u32;
            self.slots.set_mark(self.mark);
            return if self.stops() { Next::Stop } else { Next::GoOn };
        }
        if !self.slots.append_call(site, operands) {
            if let Err(error) = self.drain() {
                return self.fail(error);
            }
            self.slots.append_call(site, operands);
            if self.stops() {
                return Next::Stop;
            }
        }
        if self.watcher.is_some() || self.is_due() { Next::Look } else { Next::GoOn }
    }

    /// Takes the records of a module that records inline out of its buffer, and empties it.
    pub(crate) fn take_block(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        if std::mem::take(&mut self.stale) {
            shared::set_mark(buffer, 0);
        }
        self.mark = shared::mark(buffer);
        let passed = self.pass_on(|slots, to| slots.send_guest(buffer, to));
        if self.digests.is_some() {
            shared::set_limit(buffer, digests::BLOCK);
        }
        passed
    }

    /// What a module that records inline must do after [`Session::take_block`] during the run.
    pub(crate) fn after_block(&mut self, taken: io::Result<()>) -> Next {
        match taken {
            Err(error) => self.fail(error),
            Ok(()) if self.stops() => Next::Stop,
            Ok(()) if self.watcher.is_some() || self.is_due() => Next::Look,
            Ok(()) => Next::GoOn,
        }
    }

    /// Sends what the hook recorded, and what waits.
    fn drain(&mut self) -> io::Result<()> {
        self.pass_on(|slots, to| slots.send_hooks(to))?;
        match &mut self.digests {
            Some(digests) => digests.send(&mut self.out),
            None => Ok(()),
        }
    }

    /// Has records sent to who takes them.
    fn pass_on(
        &mut self,
        send: impl FnOnce(&mut Slots, Receiver<'_, Socket>) -> io::Result<usize>,
    ) -> io::Result<()> {
        let Session { slots, unchecked, watcher, digests, out, .. } = self;
        let mut taken = Ok(());
        let used = match (watcher, digests) {
            (Some(watcher), _) => send(slots, Receiver::Keeper(&mut |bytes, hooks| watcher.keep(bytes, hooks))),
            (None, Some(digests)) => {
                send(slots, Receiver::Keeper(&mut |bytes, hooks| taken = digests.take(bytes, hooks, out)))
            }
            (None, None) => send(slots, Receiver::Recorder(out)),
        }?;
        *unchecked += used as u64;
        taken
    }

    /// Says how large memories are, now that their first images are sent.
    pub(super) fn begin(&mut self, views: &[View]) -> io::Result<()> {
        self.digests.as_mut().map_or(Ok(()), |digests| digests.set_sizes(views))
    }

    /// Has the digest cover a milestone, where this process makes one. All records before have been taken.
    pub(super) fn cover(&mut self, milestone: Covered) -> io::Result<()> {
        match &mut self.digests {
            Some(digests) => digests.cover(milestone, &mut self.out),
            None => Ok(()),
        }
    }

    /// The calls are over: ends the digests, where there are any.
    pub(super) fn end_digests(&mut self) -> io::Result<()> {
        match self.digests.take() {
            Some(digests) => digests.finish(&mut self.out),
            None => Ok(()),
        }
    }

    /// Looks at the memories after the last event: at watched bytes, and at all of them if a checkpoint is due.
    ///
    /// # Errors
    /// When the run must end.
    pub(crate) fn look(&mut self, views: &[View]) -> Result<(), Halt> {
        let looked = self.glance(views).and_then(|()| if self.is_due() { self.checkpoint(views) } else { Ok(()) });
        match looked {
            Ok(()) if self.stops() => Err(Halt),
            Ok(()) => Ok(()),
            Err(error) => {
                self.fail(error);
                Err(Halt)
            }
        }
    }

    /// Sends all records so far, and the contents of watched bytes.
    pub(crate) fn glance(&mut self, views: &[View]) -> io::Result<()> {
        self.drain()?;
        let Session { watcher, out, slots, .. } = self;
        let Some(watcher) = watcher else { return Ok(()) };
        let Some(view) = views.iter().find(|view| view.memory == watcher.memory().0) else { return Ok(()) };
        if watcher.look(view.bytes, out)? {
            slots.count_sent();
        }
        Ok(())
    }

    /// The same; also sends the records that wait for watched bytes to change.
    pub(crate) fn settle(&mut self, views: &[View]) -> io::Result<()> {
        self.glance(views)?;
        let Session { watcher, out, slots, .. } = self;
        if let Some(watcher) = watcher
            && watcher.send(out)?
        {
            slots.count_sent();
        }
        Ok(())
    }

    fn is_due(&mut self) -> bool {
        matches!(self.checkpoints, Checkpoints::Bytes(bytes) if self.unchecked + self.slots.used() as u64 >= bytes)
    }

    /// Shows the recorder all memories. All records so far must have been sent.
    fn checkpoint(&mut self, views: &[View]) -> io::Result<()> {
        if !views.is_empty() {
            observe::checkpoint(views, &self.control.answers, &mut self.out)?;
        }
        self.unchecked = 0;
        Ok(())
    }

    /// A checkpoint after a trap, if the run has any.
    pub(super) fn checkpoint_at_trap(&mut self, views: &[View]) -> io::Result<()> {
        if self.checkpoints == Checkpoints::None { Ok(()) } else { self.checkpoint(views) }
    }

    /// A checkpoint where the program says so, if the run has any.
    pub(super) fn compare(&mut self, views: &[View]) -> io::Result<()> {
        self.settle(views)?;
        self.checkpoint_at_trap(views)
    }

    /// The same, but only if an event was recorded since the last one.
    pub(super) fn compare_if_recorded(&mut self, views: &[View]) -> io::Result<()> {
        if self.unchecked > 0 { self.checkpoint_at_trap(views) } else { Ok(()) }
    }

    /// A checkpoint around a host call, if the run has them. An engine that answers host calls by itself calls this
    /// before and after.
    pub(crate) fn around_call(&mut self, views: &[View]) -> io::Result<()> {
        if self.checkpoints != Checkpoints::Calls {
            return Ok(());
        }
        self.glance(views)?;
        self.checkpoint(views)
    }

    /// Puts a step of a host call, made by [`host_record`](crate::instrument::host_record), among the hook's records.
    pub(crate) fn host_record(&mut self, record: &[u8]) -> io::Result<()> {
        if self.slots.append(record) {
            return Ok(());
        }
        self.drain()?;
        match self.slots.append(record) {
            true => Ok(()),
            false => Err(io::Error::other("a host call does not fit into the buffer")),
        }
    }

    /// One of this process's own host functions is broken: the recorder ends with this message. Records in the
    /// guest's own buffer must have been taken.
    pub(crate) fn host_failed(&mut self, why: String) -> io::Result<()> {
        self.drain()?;
        self.out.message(&Message::Unanswered { why, damaged: true })?;
        self.end = Some(HostEnd::Stopped);
        Ok(())
    }

    /// This process's own host functions.
    pub(crate) fn hosted(&self) -> Arc<HostFunctions> {
        Arc::clone(&self.control.hosted)
    }

    /// Whether records stay in this process, in memory that dies with it.
    pub(crate) fn keeps_buffer(&self) -> bool {
        self.digests.is_some()
    }

    /// Whether bytes are watched.
    pub(crate) fn watches(&self) -> bool {
        self.watcher.is_some()
    }

    /// Whether the recorder wants the run to end.
    pub(crate) fn stops(&mut self) -> bool {
        let stops = self.control.stop.load(Ordering::Relaxed);
        if stops {
            self.end.get_or_insert(HostEnd::Stopped);
        }
        stops
    }

    /// The recorder is gone.
    fn fail(&mut self, error: io::Error) -> Next {
        self.end = Some(HostEnd::Stopped);
        self.failed = Some(error);
        Next::Stop
    }

    /// A call begins and has reached no mark yet. The mark in the guest's own buffer is dropped when that is taken
    /// next.
    pub(super) fn begin_call(&mut self) {
        self.mark = 0;
        self.slots.set_mark(0);
        self.stale = true;
    }

    /// The mark that the guest reached last in this call. Records in the guest's own buffer must have been taken.
    pub(super) fn mark(&self) -> Option<u32> {
        (self.mark != 0).then_some(self.mark)
    }

    /// Why a host function left the guest, if one did; an error if the recorder is gone.
    pub(super) fn take_end(&mut self) -> io::Result<Option<HostEnd>> {
        match self.failed.take() {
            Some(error) => Err(error),
            None => Ok(self.end.take()),
        }
    }
}
