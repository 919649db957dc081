//! Starts the engine's process, and the thread that reads its frames.

use super::Child;
use super::last_words::LastWords;
use crate::error::RecordError;
use crate::job::{ARGUMENT, Job, Task};
use crate::protocol::{Frame, Spares, read_frame};
use crate::record::{Request, Stdio, bundled};
use crate::shared::SharedBuffer;
use crate::spec::EngineSpec;
use std::fs::File;
use std::io::{self, BufReader};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

/// Frames that may wait between the socket and the encoder: what keeps memory use constant.
const QUEUE: usize = 8;

/// How long a child may leave an order unread that fills its socket.
const DEAF: Duration = Duration::from_secs(10);

/// Held between the moment when ends that a child inherits are made and its start, since several recordings may be going on.
static STARTING: Mutex<()> = Mutex::new(());

impl Child {
    /// Starts a child for `job`; `folder` is for its files.
    pub(in crate::record) fn spawn(
        request: &Request,
        job: &Job,
        folder: &Path,
        stdin: &Stdio,
    ) -> Result<Child, RecordError> {
        let path = folder.join("job.json");
        let json = serde_json::to_vec(job).map_err(|error| RecordError::io("writing the job")(error.into()))?;
        std::fs::write(&path, json).map_err(RecordError::io("writing the job"))?;
        let starting = STARTING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (socket, theirs) = UnixStream::pair().map_err(RecordError::io("creating a socket"))?;
        socket.set_write_timeout(Some(DEAF)).map_err(RecordError::io("the engine's socket"))?;
        let buffer = SharedBuffer::new().map_err(RecordError::io("creating a buffer"))?;
        let theirs_shared = buffer.inheritable().map_err(RecordError::io("passing a buffer on"))?;
        // The child inherits these descriptors; all others are closed on exec.
        rustix::io::fcntl_setfd(&theirs, rustix::io::FdFlags::empty())
            .map_err(|error| RecordError::io("passing a socket on")(error.into()))?;
        let mut command = program(request, folder)?;
        let ours = request.engine.is_of_this_program();
        let [memory, free] = theirs_shared.numbers();
        command.arg(ARGUMENT).arg(&path).arg(theirs.as_raw_fd().to_string()).arg(memory.to_string());
        if ours {
            command.arg(free.to_string());
        }
        command.stdin(stdin.open("standard input")?);
        command.stdout(request.output_streams.open("standard output")?);
        // All of it comes through us: the last words of a process that dies are worth keeping.
        command.stderr(std::process::Stdio::piped());
        let shown = request.output_streams.shown("standard error")?;
        // Backtraces would push what matters out of its last words and into the engine's messages.
        command.env("RUST_BACKTRACE", "0").env("RUST_LIB_BACKTRACE", "0");
        let grouped = !ours;
        if grouped {
            // A runner may start other programs, which must end with it.
            command.process_group(0);
        }
        let mut process = command.spawn().map_err(|source| RecordError::NoProgram {
            engine: request.engine.to_string(),
            program: command.get_program().to_string_lossy().into_owned(),
            source,
        })?;
        drop((theirs, theirs_shared));
        drop(starting);
        let live = matches!(&job.task, Task::Run(run) if run.live_host);
        let last_words = process.stderr.take().map(|stderr| LastWords::listen(stderr, shown, live));
        let frames = listen(&socket, &buffer)?;
        Ok(Child { process, grouped, deaf: false, reaped: false, socket, frames, last_words, buffer })
    }

    /// Starts a program of the user's, which is told in the file `link` how to reach the recorder. Its standard streams are
    /// the recorder's own.
    pub(in crate::record) fn spawn_app(
        request: &Request,
        mut command: Command,
        link: &Path,
    ) -> Result<Child, RecordError> {
        let starting = STARTING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (socket, theirs) = UnixStream::pair().map_err(RecordError::io("creating a socket"))?;
        socket.set_write_timeout(Some(DEAF)).map_err(RecordError::io("the program's socket"))?;
        rustix::io::fcntl_setfd(&theirs, rustix::io::FdFlags::empty())
            .map_err(|error| RecordError::io("passing a socket on")(error.into()))?;
        let told = format!("{{\"socket\":{}}}", theirs.as_raw_fd());
        std::fs::write(link, told).map_err(RecordError::io("writing the link"))?;
        command.stdin(request.stdin.open("standard input")?);
        command.stdout(request.output_streams.open("standard output")?);
        command.stderr(match &request.output_streams {
            Stdio::Stderr => std::process::Stdio::inherit(),
            streams => streams.open("standard error")?,
        });
        let process = command.spawn().map_err(|source| RecordError::NoProgram {
            engine: request.engine.to_string(),
            program: command.get_program().to_string_lossy().into_owned(),
            source,
        })?;
        drop(theirs);
        drop(starting);
        let buffer = SharedBuffer::new().map_err(RecordError::io("creating a buffer"))?;
        let frames = listen(&socket, &buffer)?;
        Ok(Child { process, grouped: false, deaf: true, reaped: false, socket, frames, last_words: None, buffer })
    }
}

/// Reads frames in a thread, so that the engine goes on while events are encoded.
fn listen(socket: &UnixStream, buffer: &SharedBuffer) -> Result<Receiver<io::Result<Frame>>, RecordError> {
    let reading = socket.try_clone().map_err(RecordError::io("the engine's socket"))?;
    let (sender, frames) = sync_channel(QUEUE);
    let shared = buffer.clone();
    std::thread::spawn(move || {
        let mut input = BufReader::with_capacity(256 << 10, reading);
        let spares = Spares::new();
        loop {
            let frame = match read_frame(&mut input, &spares, |block, records| shared.take(block, records)) {
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
    Ok(frames)
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
