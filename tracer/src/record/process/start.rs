//! Starts the engine's process, and the thread that reads its frames.

use super::last_words::LastWords;
use super::{Child, Handle};
use crate::error::RecordError;
use crate::handover;
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
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};
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
        let (socket, theirs) = UnixStream::pair().map_err(RecordError::io("creating a socket"))?;
        socket.set_write_timeout(Some(DEAF)).map_err(RecordError::io("the engine's socket"))?;
        let buffer = SharedBuffer::new().map_err(RecordError::io("creating a buffer"))?;
        let keeper = request.workers.as_ref().filter(|_| may_be_kept(request, job, stdin));
        let keeper = keeper.map(|workers| (Arc::clone(workers), request.engine.clone()));
        let handle = match &keeper {
            Some((workers, engine)) => {
                let handed = |mut handle: Handle| -> io::Result<Handle> {
                    let [memory, free] = buffer.descriptors();
                    let control = handle.control.as_ref().ok_or(io::ErrorKind::NotConnected)?;
                    handover::send(control, &path, [theirs.as_fd(), memory, free])?;
                    handle.jobs += 1;
                    Ok(handle)
                };
                // One that has died while it waited is replaced.
                match workers.take(engine).map(handed) {
                    Some(Ok(handle)) => handle,
                    _ => handed(worker(request)?).map_err(RecordError::io("handing a job over"))?,
                }
            }
            None => {
                let starting = STARTING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                let theirs_shared = buffer.inheritable().map_err(RecordError::io("passing a buffer on"))?;
                // The child inherits these descriptors; all others are closed on exec.
                rustix::io::fcntl_setfd(&theirs, rustix::io::FdFlags::empty())
                    .map_err(|error| RecordError::io("passing a socket on")(error.into()))?;
                let mut command = program(request, folder)?;
                let [memory, free] = theirs_shared.numbers();
                command.arg(ARGUMENT).arg(&path).arg(theirs.as_raw_fd().to_string()).arg(memory.to_string());
                if request.engine.is_of_this_program() {
                    command.arg(free.to_string());
                }
                command.stdin(stdin.open("standard input")?);
                let live = matches!(&job.task, Task::Run(run) if run.live_host);
                let handle = start(request, command, live)?;
                // Nothing else that starts now may inherit them.
                drop((theirs, theirs_shared));
                drop(starting);
                let frames = listen(&socket, &buffer)?;
                return Ok(Child { handle: Some(handle), keeper: None, deaf: false, socket, frames, buffer });
            }
        };
        drop(theirs);
        let frames = listen(&socket, &buffer)?;
        Ok(Child { handle: Some(handle), keeper, deaf: false, socket, frames, buffer })
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
        let handle = Some(Handle::new(process, false, None));
        Ok(Child { handle, keeper: None, deaf: true, socket, frames, buffer })
    }
}

/// Starts the engine's process, whose standard input and arguments are set. `live` says whether a host answers there.
fn start(request: &Request, mut command: Command, live: bool) -> Result<Handle, RecordError> {
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
    let last_words = process.stderr.take().map(|stderr| LastWords::listen(stderr, shown, live));
    Ok(Handle::new(process, grouped, last_words))
}

/// Starts a process of this program that waits for jobs.
fn worker(request: &Request) -> Result<Handle, RecordError> {
    let starting = STARTING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let (control, theirs) = UnixStream::pair().map_err(RecordError::io("creating a socket"))?;
    rustix::io::fcntl_setfd(&theirs, rustix::io::FdFlags::empty())
        .map_err(|error| RecordError::io("passing a socket on")(error.into()))?;
    let mut command = Command::new(&request.executable);
    command.arg(ARGUMENT).arg(theirs.as_raw_fd().to_string()).stdin(std::process::Stdio::null());
    let mut handle = start(request, command, false)?;
    drop(theirs);
    drop(starting);
    handle.control = Some(control);
    Ok(handle)
}

/// Whether the process of a job can have further ones: everything that the job is given comes with it.
fn may_be_kept(request: &Request, job: &Job, stdin: &Stdio) -> bool {
    let alone = matches!((stdin, &request.output_streams), (Stdio::Null, Stdio::Null));
    let linked = request.engine.is_of_this_program() && !request.engine.is_command();
    let no_host = match &job.task {
        Task::Run(run) => !run.live_host && run.script.is_none(),
        Task::Compile { .. } => true,
    };
    alone && linked && no_host
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
