//! What an engine's process may say when while it runs a program of several modules: as `conduct.rs` for a single one.

use crate::error::RecordError;
use crate::protocol::{Frame, Message};
use crate::script::Script;
use forkpoint_traces::{Action, PAGE, written_pages};

/// Most bytes of initial memory of one instance that are not zero and that no data segment explains.
const MOST_STRAYS: u64 = 64 << 20;

/// Most bytes of memory at the end that are not zero.
const MOST_FINAL: u64 = 16 << 30;

/// Most pages with digests at one checkpoint.
const MOST_DIGESTS: usize = 1 << 23;

/// Which part of a run is going on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Between two directives.
    Between,
    /// In a directive that makes an instance with this many own memories, which are being shown.
    Loading(u32),
    /// In a directive, with nothing to show.
    Running,
    /// A first memory was shown after the last directive.
    Ending,
}

/// What was said so far.
pub(in crate::record) struct ScriptCheck {
    /// For each directive, how many memories the instance has that it makes.
    makes: Vec<Option<u32>>,
    /// The number that the next directive has.
    next: usize,
    part: Part,
    /// Memories of all instances so far.
    memories: u32,
    /// Images begun in this part, and whether the last of them is still open.
    images: u32,
    open: bool,
    calling: bool,
    checkpoint: bool,
    room: u64,
    digests: usize,
    /// Bytes of all modules: no data segment is longer.
    bytes: u64,
}

impl ScriptCheck {
    /// Nothing was said about this program.
    pub(in crate::record) fn new(script: &Script) -> ScriptCheck {
        let makes = script.info.directives.iter().map(|directive| match &directive.action {
            Action::Instantiate { instance } => {
                Some(script.units.get(*instance as usize).map_or(0, |unit| unit.own_memories.1))
            }
            _ => None,
        });
        ScriptCheck {
            makes: makes.collect(),
            next: 0,
            part: Part::Between,
            memories: 0,
            images: 0,
            open: false,
            calling: false,
            checkpoint: false,
            room: 0,
            digests: 0,
            bytes: script.modules.len() as u64,
        }
    }

    /// Looks at the next frame.
    pub(in crate::record) fn see(&mut self, frame: &Frame) -> Result<(), RecordError> {
        let wrong = match frame {
            Frame::Message(message) => self.message(message),
            Frame::Image { memory, address, bytes } => self.image_bytes(*memory, *address, bytes),
            Frame::Digests { digests, .. } => {
                self.digests += digests.len();
                (self.digests > MOST_DIGESTS).then(|| format!("more than {MOST_DIGESTS} digests at one checkpoint"))
            }
            Frame::Records(_) | Frame::Hooks(_) if self.part != Part::Running => {
                Some("records outside of a call".to_string())
            }
            Frame::Records(_) | Frame::Hooks(_) => None,
            Frame::Native(_) | Frame::Watched { .. } | Frame::Guest { .. } => {
                Some("a frame that no program of several modules has".to_string())
            }
        };
        wrong.map_or(Ok(()), |wrong| Err(RecordError::Protocol(wrong)))
    }

    fn message(&mut self, message: &Message) -> Option<String> {
        match message {
            Message::Directive(number) => {
                if self.part != Part::Between || *number as usize != self.next {
                    return Some(format!("directive {number} where {} was expected", self.next));
                }
                self.part = match self.makes.get(self.next) {
                    None => return Some(format!("directive {number}, and there are {} of them", self.makes.len())),
                    Some(Some(own)) => Part::Loading(*own),
                    Some(None) => Part::Running,
                };
                self.next += 1;
                (self.images, self.room) = (0, MOST_STRAYS + self.bytes + 2 * PAGE);
                None
            }
            Message::DirectiveEnd if self.calling || !self.in_directive() => {
                Some("the end of a directive that had not begun, or whose call had not ended".to_string())
            }
            Message::DirectiveEnd => {
                self.loaded();
                self.part = Part::Between;
                None
            }
            Message::Instantiated | Message::Refused { .. } if !self.in_directive() => {
                Some("an instance outside of a directive".to_string())
            }
            Message::Instantiated => match self.part {
                Part::Loading(own) if self.images == own => {
                    self.loaded();
                    None
                }
                _ => Some("`Instantiated` without images of all memories, or a second time".to_string()),
            },
            Message::Image { memory, .. } => self.image(*memory),
            Message::ImageEnd => {
                self.open = false;
                None
            }
            Message::Call(_) if self.part != Part::Running || self.calling => {
                Some("a call outside of a directive, or inside another one".to_string())
            }
            Message::Call(_) => {
                self.calling = true;
                None
            }
            Message::Returned(_) | Message::Trapped { .. } | Message::Exited(_) => {
                let called = std::mem::take(&mut self.calling);
                // What traps while an instance is made leaves none.
                self.loaded();
                (!called && !self.in_directive()).then(|| "a result outside of a directive".to_string())
            }
            Message::Checkpoint { .. } if self.part != Part::Running => {
                Some("a checkpoint outside of a directive".to_string())
            }
            Message::Checkpoint { pages } => {
                self.checkpoint = true;
                self.digests = 0;
                (pages.len() > self.memories as usize)
                    .then(|| format!("a checkpoint of {} memories, and there are {}", pages.len(), self.memories))
            }
            Message::CheckpointDone => {
                self.checkpoint = false;
                None
            }
            Message::State { .. } | Message::End if self.in_directive() && !self.calling => {
                Some("the end inside of a directive".to_string())
            }
            _ => None,
        }
    }

    fn in_directive(&self) -> bool {
        matches!(self.part, Part::Loading(_) | Part::Running)
    }

    /// The instance is there, or there is none: from here on its memories count.
    fn loaded(&mut self) {
        if let Part::Loading(own) = self.part {
            self.memories = self.memories.saturating_add(own);
            self.part = Part::Running;
        }
    }

    fn image(&mut self, memory: u32) -> Option<String> {
        let (first, count) = match self.part {
            Part::Loading(own) => (self.memories, own),
            Part::Running => return Some("an image in the middle of a directive".to_string()),
            Part::Between => {
                (self.part, self.images, self.room) = (Part::Ending, 0, MOST_FINAL);
                (0, self.memories)
            }
            Part::Ending => (0, self.memories),
        };
        let expected = first.saturating_add(self.images);
        self.images += 1;
        self.open = true;
        (memory != expected || self.images > count)
            .then(|| format!("memory {memory} is shown where memory {expected} was expected"))
    }

    fn image_bytes(&mut self, memory: u32, address: u64, bytes: &[u8]) -> Option<String> {
        if !self.open && !self.checkpoint {
            return Some("bytes of a memory that was not announced".to_string());
        }
        if !self.checkpoint {
            let written = written_pages(bytes).map(|(_, page)| page.len() as u64).sum();
            match self.room.checked_sub(written) {
                Some(left) => self.room = left,
                None => return Some(format!("more bytes of memory {memory} than there may be")),
            }
        }
        let end = address.checked_add(bytes.len() as u64);
        end.is_none().then(|| format!("{} bytes of memory {memory} past the end of all addresses", bytes.len()))
    }
}
