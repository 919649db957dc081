//! An engine process's end of the socket: frames to the recorder, orders and answers from it.

use crate::host::embed::HostFunctions;
use crate::protocol::{FrameWriter, Order, read_order};
use std::io::{self, BufReader};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

/// Set when the parent wants the run to end.
pub(crate) type Stop = Arc<AtomicBool>;

/// What the parent sends: the order to stop, and its answers.
pub(crate) struct Control {
    pub(crate) stop: Stop,
    pub(crate) answers: Answers,
    /// This process's own host functions.
    pub(crate) hosted: Arc<HostFunctions>,
}

/// The parent's answers at checkpoints and to host calls.
pub(crate) struct Answers(Mutex<Receiver<Order>>);

impl Answers {
    /// Waits for the next one.
    pub(crate) fn wait(&self) -> io::Result<Order> {
        let lost = || io::Error::from(io::ErrorKind::BrokenPipe);
        self.0.lock().map_err(|_| lost())?.recv().map_err(|_| lost())
    }
}

/// Writes frames to the recorder.
pub(crate) type Out = FrameWriter<Socket>;

/// The socket to the recorder, shared by several parts.
#[derive(Clone)]
pub(crate) struct Socket(Arc<UnixStream>);

impl Socket {
    pub(crate) fn new(socket: UnixStream) -> Socket {
        Socket(Arc::new(socket))
    }
}

impl io::Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self.0).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&*self.0).flush()
    }
}

/// Listens to the parent until the job is `over`. Without a parent nobody reads this process's reports, so it ends at once.
pub(crate) fn listen(socket: UnixStream, over: Arc<AtomicBool>) -> Control {
    let stop = Stop::default();
    let (sender, answers) = channel();
    let answers = Answers(Mutex::new(answers));
    let control = Control { stop: Arc::clone(&stop), answers, hosted: Arc::default() };
    std::thread::spawn(move || {
        let mut input = BufReader::new(socket);
        loop {
            match read_order(&mut input) {
                Ok(Order::Stop) => stop.store(true, Ordering::Relaxed),
                Ok(order) => {
                    if sender.send(order).is_err() {
                        return;
                    }
                }
                Err(_) if over.load(Ordering::Acquire) => return,
                Err(_) => std::process::exit(1),
            }
        }
    });
    control
}
