//! Runs commands: each in a process group of its own, with what it prints bounded and read as it comes.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process_group, set_parent_process_death_signal};
use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// How often it is looked whether the run is to end.
const LOOK: Duration = Duration::from_millis(20);
/// How long what was printed may take to arrive once a command has ended: what it has started may hold its output.
const PATIENCE: Duration = Duration::from_millis(300);
/// Bytes of what a command writes to standard error that are kept.
const KEPT: usize = 16 << 10;

/// How a command ended.
#[derive(Debug, Clone)]
pub(crate) struct Ended {
    pub(crate) status: Status,
    /// The end of what it wrote to standard error.
    pub(crate) stderr: Vec<u8>,
}

/// A command's exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Code(i32),
    Signal(i32),
    /// It was ended: the run was to end, or no more was wanted of it.
    Killed,
    /// It took longer than it may.
    Late,
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Status::Code(code) => write!(f, "exit status {code}"),
            Status::Signal(signal) => write!(f, "signal {signal}"),
            Status::Killed => f.write_str("it was ended"),
            Status::Late => f.write_str("it took too long"),
        }
    }
}

/// Whether to go on with a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Go {
    On,
    End,
}

/// A command that runs. Dropping it ends it, and what it has started.
struct Group(Child);

impl Group {
    fn kill(&mut self) {
        if let Some(id) = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(id, Signal::KILL);
        }
        let _ = self.0.kill();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
        let _ = self.0.wait();
    }
}

/// Runs one command. `sink` gets what it prints; `stop` says whether it is to end; `limit` is the time it has.
///
/// # Errors
/// When it cannot be started, and those of `sink`.
pub(crate) fn run(
    words: &[OsString],
    limit: Option<Duration>,
    stop: &dyn Fn() -> bool,
    sink: &mut dyn FnMut(&[u8]) -> io::Result<Go>,
) -> io::Result<Ended> {
    let (program, arguments) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let die = || Ok(set_parent_process_death_signal(Some(Signal::KILL))?);
    // SAFETY: between fork and exec only a system call is made, which allocates nothing and takes no lock.
    unsafe { command.pre_exec(die) };
    let begun = Instant::now();
    let mut group = Group(command.spawn()?);
    let mut stdout = group.0.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let stderr = group.0.stderr.take().map(listen);
    let mut piece = vec![0; 256 << 10];
    let late = || limit.is_some_and(|limit| begun.elapsed() > limit);
    let mut killed = None;
    let (mut open, mut gone): (bool, Option<(ExitStatus, Instant)>) = (true, None);
    let status = loop {
        if killed.is_none() && (stop() || late()) {
            killed = Some(if late() { Status::Late } else { Status::Killed });
            group.kill();
        }
        if gone.is_none() {
            gone = group.0.try_wait()?.map(|status| (status, Instant::now()));
        }
        if let Some((status, at)) = gone
            && (!open || killed.is_some() || at.elapsed() > PATIENCE)
        {
            break status;
        }
        if !open {
            std::thread::sleep(Duration::from_millis(1));
            continue;
        }
        let mut polled = [PollFd::new(&stdout, PollFlags::IN)];
        let timeout = Timespec { tv_sec: 0, tv_nsec: LOOK.as_nanos() as i64 };
        match poll(&mut polled, Some(&timeout)) {
            Ok(0) => continue,
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        match stdout.read(&mut piece) {
            Ok(0) => open = false,
            Ok(_) if killed.is_some() => {}
            Ok(read) => {
                if sink(&piece[..read])? == Go::End {
                    killed = Some(Status::Killed);
                    group.kill();
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => open = false,
        }
    };
    group.kill();
    let status = killed.unwrap_or_else(|| match (status.code(), status.signal()) {
        (Some(code), _) => Status::Code(code),
        (_, signal) => Status::Signal(signal.unwrap_or_default()),
    });
    let stderr = stderr.and_then(|words| words.recv_timeout(PATIENCE).ok()).unwrap_or_default();
    Ok(Ended { status, stderr: stderr.into() })
}

/// Reads everything, so that the command never waits for us, and keeps the last of it.
fn listen(mut stderr: std::process::ChildStderr) -> Receiver<VecDeque<u8>> {
    let (sender, words) = channel();
    std::thread::spawn(move || {
        let mut kept = VecDeque::new();
        let mut piece = [0; 16 << 10];
        while let Ok(read @ 1..) = stderr.read(&mut piece) {
            kept.extend(&piece[..read]);
            kept.drain(..kept.len().saturating_sub(KEPT));
        }
        let _ = sender.send(kept);
    });
    words
}

/// Leaves what an engine said last where the recorder looks for it.
pub(super) fn last_words(said: &str) {
    // The recorder may be gone, and then nobody reads it.
    let _ = writeln!(io::stderr(), "{said}");
}

/// Ends this process by a signal, as the engine ended, and without a file of its memory.
pub(super) fn die_by(signal: i32) {
    use rustix::process::{Resource, Rlimit, getpid, kill_process, setrlimit};
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    // A handler of the runtime's may take the first one.
    for _ in 0..3 {
        if let Some(signal) = Signal::from_named_raw(signal) {
            let _ = kill_process(getpid(), signal);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
