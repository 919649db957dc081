//! What an engine's process may say when, and how much of it.
//!
//! It may be a stranger's program, or one whose memory its own engine has written over: what it sends must neither fill
//! the recorder's memory nor contradict itself. Each frame is looked at here before anything is made of it.

use crate::error::RecordError;
use crate::instrument::{DataSegment, Instrumented};
use crate::protocol::HostEnd;
use crate::protocol::{Frame, Message, VERSION};
use crate::values::WasmValue;
use forkpoint_traces::{GuestOutcome, PAGE, written_pages};

/// Most bytes of initial memory that are not zero and that no data segment explains: all are held until every memory
/// is known.
const MOST_STRAYS: u64 = 64 << 20;

/// Most bytes of memory at the end that are not zero.
const MOST_FINAL: u64 = 16 << 30;

/// Most pages with digests at one checkpoint: 32 GiB of memory.
const MOST_DIGESTS: usize = 1 << 23;

/// Most functions with native code, about what engines allow a module to have.
const MOST_NATIVE: u32 = 1 << 20;

/// Which part of a run is going on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Up to `Instantiated`.
    Loading,
    /// Calls are made.
    Running,
    /// A first memory was shown after the calls.
    Ending,
    /// The module was rejected.
    Over,
}

/// What was said so far.
pub(super) struct FrameCheck {
    memories: usize,
    part: Part,
    /// Images begun in this part, and whether the last of them is still open.
    images: usize,
    open: bool,
    /// The number that the next call has at least; `None` while the start function may come.
    next_call: Option<u32>,
    calling: bool,
    checkpoint: bool,
    /// How many more bytes of memory there may be in this part.
    room: u64,
    digests: usize,
    native: u32,
    /// Whether JavaScript makes the calls.
    javascript: bool,
}

impl FrameCheck {
    /// Nothing was said about this module; `javascript` says whether calls are made that no job has.
    pub(super) fn new(module: &Instrumented, javascript: bool) -> FrameCheck {
        // A segment need not begin and end where a page does.
        let segment = |segment: &DataSegment| segment.bytes.len() as u64 + 2 * PAGE;
        FrameCheck {
            memories: module.memories.len(),
            part: Part::Loading,
            images: 0,
            open: false,
            next_call: None,
            calling: false,
            checkpoint: false,
            room: MOST_STRAYS + module.data.iter().map(segment).sum::<u64>(),
            digests: 0,
            native: 0,
            javascript,
        }
    }

    /// Looks at what the next frame of a program of several modules has in common with others: versions and values.
    pub(super) fn see_values(&self, frame: &Frame) -> Result<(), RecordError> {
        let Frame::Message(message) = frame else { return Ok(()) };
        if let Message::Hello(hello) = message
            && hello.protocol != VERSION
        {
            return Err(RecordError::OtherProtocol { theirs: hello.protocol, ours: VERSION });
        }
        match values(message).iter().find_map(odd_reference) {
            Some(length) => {
                let wrong = format!("a reference of {length} bytes: a word was expected, such as null");
                Err(RecordError::Protocol(wrong))
            }
            None => Ok(()),
        }
    }

    /// Looks at the next frame.
    pub(super) fn see(&mut self, frame: &Frame) -> Result<(), RecordError> {
        if let Frame::Message(Message::Hello(hello)) = frame
            && hello.protocol != VERSION
        {
            return Err(RecordError::OtherProtocol { theirs: hello.protocol, ours: VERSION });
        }
        let wrong = match frame {
            _ if self.part == Part::Over => Some("a frame after `Rejected`".to_string()),
            Frame::Message(message) => self.message(message),
            Frame::Image { memory, address, bytes } => self.bytes(*memory, *address, bytes),
            Frame::Watched { address, bytes } => past_the_end(*address, bytes),
            Frame::Digests { digests, .. } => {
                self.digests += digests.len();
                (self.digests > MOST_DIGESTS).then(|| format!("more than {MOST_DIGESTS} digests at one checkpoint"))
            }
            // The index names them, and in a trace they come before the first event.
            Frame::Native(_) if self.part != Part::Loading => Some("native code after `Instantiated`".to_string()),
            Frame::Native(_) => {
                self.native += 1;
                (self.native > MOST_NATIVE).then(|| format!("native code of more than {MOST_NATIVE} functions"))
            }
            Frame::Records(_) | Frame::Hooks(_) if self.part == Part::Loading => {
                Some("records before `Instantiated`".to_string())
            }
            Frame::Records(_) | Frame::Hooks(_) | Frame::Guest { .. } => None,
        };
        wrong.map_or(Ok(()), |wrong| Err(RecordError::Protocol(wrong)))
    }

    fn message(&mut self, message: &Message) -> Option<String> {
        if let Some(length) = values(message).iter().find_map(odd_reference) {
            return Some(format!("a reference of {length} bytes: a word was expected, such as null"));
        }
        match message {
            Message::Image { memory, .. } => self.image(*memory as usize),
            Message::ImageEnd => {
                self.open = false;
                None
            }
            Message::Instantiated if self.part == Part::Loading => {
                self.part = Part::Running;
                self.images = 0;
                self.room = MOST_FINAL;
                None
            }
            Message::Instantiated => Some("`Instantiated` a second time".to_string()),
            Message::Rejected { .. } if self.part == Part::Loading => {
                self.part = Part::Over;
                None
            }
            Message::Rejected { .. } => Some("`Rejected` after `Instantiated`".to_string()),
            Message::Call(call) => self.call(*call),
            Message::Invoke { .. } => self.invoke(),
            Message::Returned(_) | Message::Trapped { .. } | Message::Exited(_) => {
                let was = std::mem::take(&mut self.calling);
                (!was).then(|| "the end of a call that had not begun".to_string())
            }
            // Only while events are recorded is there something to compare with, and a bound for what differs.
            Message::Checkpoint { .. } if self.part != Part::Running => {
                Some("a checkpoint before `Instantiated` or after the images at the end".to_string())
            }
            Message::Checkpoint { pages } => {
                self.checkpoint = true;
                self.digests = 0;
                (pages.len() > self.memories)
                    .then(|| format!("a checkpoint of {} memories, the module has {}", pages.len(), self.memories))
            }
            Message::CheckpointDone => {
                self.checkpoint = false;
                None
            }
            _ => None,
        }
    }

    fn image(&mut self, memory: usize) -> Option<String> {
        if self.part == Part::Running {
            self.part = Part::Ending;
        }
        let expected = self.images;
        self.images += 1;
        self.open = true;
        (memory != expected || expected >= self.memories)
            .then(|| format!("memory {memory} is shown where memory {expected} of {} was expected", self.memories))
    }

    fn bytes(&mut self, memory: u32, address: u64, bytes: &[u8]) -> Option<String> {
        if !self.open && !self.checkpoint {
            return Some("bytes of a memory that was not announced".to_string());
        }
        if !self.checkpoint {
            let written = written_pages(bytes).map(|(_, page)| page.len() as u64).sum();
            self.room = match self.room.checked_sub(written) {
                Some(left) => left,
                None if self.part == Part::Loading => {
                    return Some(format!(
                        "{MOST_STRAYS} bytes of initial memory more than the module's data segments are"
                    ));
                }
                None => return Some(format!("more than {MOST_FINAL} bytes of memory at the end")),
            }
        }
        past_the_end(address, bytes).map(|wrong| format!("{wrong} of memory {memory}"))
    }

    /// A call that the job does not have: JavaScript makes it.
    fn invoke(&mut self) -> Option<String> {
        if self.part != Part::Running {
            return Some("a call before `Instantiated` or after the images at the end".to_string());
        }
        if !self.javascript {
            return Some("a call that the job does not have".to_string());
        }
        std::mem::replace(&mut self.calling, true).then(|| "a call inside another one".to_string())
    }

    fn call(&mut self, call: Option<u32>) -> Option<String> {
        if self.part != Part::Running {
            return Some("a call before `Instantiated` or after the images at the end".to_string());
        }
        if self.calling {
            return Some("a call inside another one".to_string());
        }
        self.calling = true;
        let allowed = match (call, self.next_call) {
            (None, next) => next.is_none(),
            (Some(number), next) => number >= next.unwrap_or(0),
        };
        self.next_call = Some(call.map_or(0, |number| number.saturating_add(1)));
        (!allowed).then(|| match call {
            None => "the start function after another call".to_string(),
            Some(number) => format!("call {number} where a later one was expected"),
        })
    }
}

/// The values in a message.
fn values(message: &Message) -> &[WasmValue] {
    match message {
        Message::Returned(values)
        | Message::HostCall { arguments: values, .. }
        | Message::Invoke { arguments: values, .. }
        | Message::Entered(GuestOutcome::Returned(values))
        | Message::HostAnswered(HostEnd::Returned(values)) => values,
        Message::State { globals, .. } | Message::Given { globals, .. } => globals,
        _ => &[],
    }
}

/// Most bytes of the word for a reference.
const MOST_REFERENCE: usize = 64;

/// The length of a reference that is not a word: all values are printed.
fn odd_reference(value: &WasmValue) -> Option<usize> {
    let WasmValue::Reference(text) = value else { return None };
    let word = text.len() <= MOST_REFERENCE && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    (!word).then_some(text.len())
}

fn past_the_end(address: u64, bytes: &[u8]) -> Option<String> {
    let end = address.checked_add(bytes.len() as u64);
    end.is_none().then(|| format!("{} bytes at {address:#x}, past the end of all addresses", bytes.len()))
}
