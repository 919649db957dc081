//! Frames to the recorder, and its orders.

use crate::Job;
use crate::host::Order;
use std::io::{self, BufReader, Read, Write};
use std::os::fd::FromRawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

/// Most bytes of a frame.
const MAX_FRAME: u32 = 4 << 20;
/// Bytes of one hook record.
const HOOK_SIZE: usize = 28;
/// Bytes of hook records that are buffered before they are sent.
const HOOK_BUFFER: usize = 1 << 20;
/// Granularity at which zeros are left out of an image.
const PAGE: usize = 4096;
/// Most bytes of memory in one frame.
const PIECE: usize = 1 << 20;

/// The recorder that this runner works for. Copies are handles to the same one.
#[derive(Clone)]
pub struct Recorder(Arc<Shared>);

struct Shared {
    stop: AtomicBool,
    out: Mutex<Out>,
    orders: Mutex<Receiver<Order>>,
    /// Export names of the guest's memories.
    memories: OnceLock<Vec<String>>,
}

struct Out {
    socket: UnixStream,
    /// Hook records that are not sent yet.
    hooks: Vec<u8>,
    watch: Option<Watch>,
}

/// Bytes that the recorder wants to know after every event.
struct Watch {
    memory: u32,
    /// The memory's export name.
    name: String,
    /// Address, length, and the last content.
    places: Vec<(u64, u64, Vec<u8>)>,
}

/// The guest must end: a hook or a host function passes this to its engine as an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Halt {
    /// The recorder wants the run to end.
    Stopped,
    /// The guest ended itself, with this code.
    Exited(i32),
    /// The host function failed, in words.
    Trapped(String),
}

impl std::fmt::Display for Halt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Halt::Stopped => f.write_str("the recorder stopped the run"),
            Halt::Exited(code) => write!(f, "the guest exited with code {code}"),
            Halt::Trapped(words) => f.write_str(words),
        }
    }
}

impl std::error::Error for Halt {}

/// Opens the connection named on the command line: `[own arguments] __run-engine JOB SOCKET BUFFER`.
pub(crate) fn connect(arguments: &[String]) -> io::Result<(Result<Job, String>, Recorder)> {
    let usage = || io::Error::other("forkpoint starts this program: compare --rhs 'runner:THIS PROGRAM'");
    let [.., word, job, socket, _buffer] = arguments else { return Err(usage()) };
    let socket = socket.parse().ok().filter(|fd| *fd > 2 && word == "__run-engine").ok_or_else(usage)?;
    // SAFETY: the recorder left this descriptor open for us and names it; nothing else here has used it.
    let socket = unsafe { UnixStream::from_raw_fd(socket) };
    let orders = socket.try_clone()?;
    let out = Out { socket, hooks: Vec::with_capacity(HOOK_BUFFER), watch: None };
    let (sender, received) = channel();
    let shared = Shared {
        stop: AtomicBool::new(false),
        out: Mutex::new(out),
        orders: Mutex::new(received),
        memories: OnceLock::new(),
    };
    let recorder = Recorder(Arc::new(shared));
    let told = recorder.clone();
    std::thread::spawn(move || told.listen(orders, &sender));
    Ok((Job::read(job), recorder))
}

impl Recorder {
    /// The guest reports an event. Only events that have happened are reported, in the order in which they happened.
    pub fn hook(&self, site: i32, operands: [i64; 3]) -> Result<(), Halt> {
        let mut out = self.out();
        out.hooks.extend_from_slice(&site.to_le_bytes());
        operands.iter().for_each(|operand| out.hooks.extend_from_slice(&operand.to_le_bytes()));
        if out.hooks.len() + HOOK_SIZE > HOOK_BUFFER {
            out.flush().map_err(|_| Halt::Stopped)?;
        }
        if self.0.stop.load(Ordering::Relaxed) { Err(Halt::Stopped) } else { Ok(()) }
    }

    /// Sets the export names of the job's memories.
    pub(crate) fn know(&self, job: &Job) {
        self.0.memories.get_or_init(|| job.memories.clone());
    }

    /// Starts watching, if the job asks for it.
    pub(crate) fn watch(&self, job: &Job) -> io::Result<()> {
        let Some((memory, places)) = &job.watch else { return Ok(()) };
        let Some(name) = job.memories.get(*memory as usize).cloned() else { return Ok(()) };
        self.message(&serde_json::json!("Watching"))?;
        let places = places.iter().map(|(address, length)| (*address, *length, Vec::new())).collect();
        self.out().watch = Some(Watch { memory: *memory, name, places });
        Ok(())
    }

    /// Export name of the memory that a hook must [look](Recorder::look) at after the event, if any.
    pub fn watched(&self) -> Option<String> {
        self.out().watch.as_ref().map(|watch| watch.name.clone())
    }

    /// Takes the watched memory's bytes after an event.
    pub fn look(&self, bytes: &[u8]) -> Result<(), Halt> {
        let mut out = self.out();
        let Some(mut watch) = out.watch.take() else { return Ok(()) };
        let looked = out.look(&mut watch, bytes).map_err(|_| Halt::Stopped);
        out.watch = Some(watch);
        looked
    }

    /// Sends a control frame, after all events before it.
    pub(crate) fn message(&self, message: &serde_json::Value) -> io::Result<()> {
        let mut out = self.out();
        out.flush()?;
        out.frame(b'J', message.to_string().as_bytes())
    }

    /// Sends a memory: its size, every page that is not all zero, the end mark.
    pub(crate) fn image(&self, memory: u32, pages: u64, bytes: &[u8]) -> io::Result<()> {
        self.message(&serde_json::json!({ "Image": { "memory": memory, "pages": pages } }))?;
        let written = |page: &[u8]| page.iter().any(|byte| *byte != 0);
        let mut frame = Vec::new();
        for (number, page) in bytes.chunks(PAGE).enumerate() {
            // Adjacent pages go together.
            if frame.len() >= PIECE || !written(page) {
                self.piece(&mut frame)?;
            }
            if written(page) {
                if frame.is_empty() {
                    frame.extend_from_slice(&memory.to_le_bytes());
                    frame.extend_from_slice(&((number * PAGE) as u64).to_le_bytes());
                }
                frame.extend_from_slice(page);
            }
        }
        self.piece(&mut frame)?;
        self.message(&serde_json::json!("ImageEnd"))
    }

    fn piece(&self, frame: &mut Vec<u8>) -> io::Result<()> {
        if !frame.is_empty() {
            self.out().frame(b'I', frame)?;
            frame.clear();
        }
        Ok(())
    }

    fn out(&self) -> MutexGuard<'_, Out> {
        self.0.out.lock().unwrap_or_else(|broken| broken.into_inner())
    }

    /// Takes orders. This runner has no checkpoints, so it is never asked for pages. Without a recorder nobody reads
    /// its reports, so the process ends at once.
    fn listen(&self, socket: UnixStream, orders: &Sender<Order>) {
        let mut input = BufReader::new(socket);
        loop {
            match next_order(&mut input) {
                Ok(Order::Stop) => self.0.stop.store(true, Ordering::Relaxed),
                Ok(order) => drop(orders.send(order)),
                Err(_) => std::process::exit(1),
            }
        }
    }

    /// Waits for the next order other than to stop.
    pub(crate) fn next_order(&self) -> io::Result<Order> {
        let lost = || io::Error::from(io::ErrorKind::BrokenPipe);
        self.0.orders.lock().map_err(|_| lost())?.recv().map_err(|_| lost())
    }

    /// The export name of a memory.
    pub(crate) fn name(&self, memory: u32) -> Option<String> {
        self.0.memories.get()?.get(memory as usize).cloned()
    }

    /// Sends bytes that the recorder requests.
    pub(crate) fn guest(&self, number: u32, bytes: &[u8]) -> io::Result<()> {
        let mut out = self.out();
        bytes.chunks(PIECE).try_for_each(|piece| out.frame(b'G', &[&number.to_le_bytes()[..], piece].concat()))
    }
}

impl Out {
    /// Sends changes, after the events that have happened.
    fn look(&mut self, watch: &mut Watch, bytes: &[u8]) -> io::Result<()> {
        for (address, length, last) in &mut watch.places {
            let clamp = |address: u64| usize::try_from(address).unwrap_or(usize::MAX).min(bytes.len());
            let now = &bytes[clamp(*address)..clamp(address.saturating_add(*length))];
            if now != *last {
                self.flush()?;
                let place = [&watch.memory.to_le_bytes()[..], &address.to_le_bytes(), now];
                self.frame(b'V', &place.concat())?;
                *last = now.to_vec();
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.hooks.is_empty() {
            return Ok(());
        }
        let hooks = std::mem::take(&mut self.hooks);
        let sent = self.frame(b'H', &hooks);
        self.hooks = hooks;
        self.hooks.clear();
        sent
    }

    fn frame(&mut self, tag: u8, payload: &[u8]) -> io::Result<()> {
        let mut head = vec![tag];
        head.extend_from_slice(&(payload.len() as u32).to_le_bytes());
        self.socket.write_all(&head)?;
        self.socket.write_all(payload)
    }
}

/// Bytes of a memory, with their place.
pub(crate) struct Placed {
    pub(crate) memory: u32,
    pub(crate) address: u64,
    pub(crate) bytes: Vec<u8>,
}

/// Reads frames up to the next order: the bytes that an answer writes come before it.
fn next_order(input: &mut impl Read) -> io::Result<Order> {
    let bad = || io::Error::from(io::ErrorKind::InvalidData);
    let mut writes = Vec::new();
    loop {
        let mut head = [0; 5];
        input.read_exact(&mut head)?;
        let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]);
        if length > MAX_FRAME {
            return Err(bad());
        }
        let mut payload = vec![0; length as usize];
        input.read_exact(&mut payload)?;
        match head[0] {
            b'W' => {
                let (place, bytes) = payload.split_first_chunk::<12>().ok_or_else(bad)?;
                let (memory, address) = place.split_first_chunk::<4>().ok_or_else(bad)?;
                let address = address.first_chunk().ok_or_else(bad)?;
                writes.push(Placed {
                    memory: u32::from_le_bytes(*memory),
                    address: u64::from_le_bytes(*address),
                    bytes: bytes.to_vec(),
                });
            }
            b'J' => return Order::parse(&serde_json::from_slice(&payload)?, writes).ok_or_else(bad),
            _ => return Err(bad()),
        }
    }
}
