//! What the child process tells its parent while it runs a module.
//!
//! docs/runner-protocol.md is this for those who write a runner; what changes here changes there.
//!
//! A stream of frames: `tag u8 | length u32 little endian | payload`. Control frames are JSON, so that a runner
//! for another engine is written in an afternoon; raw records and memory go as they are. The parent writes
//! [`Order`]s back ([`orders`]): to end the run, at checkpoints, and as answers to host calls.

mod orders;

pub(crate) use orders::{read_order, write_order};

use crate::host::ask::HostEnd;
use crate::values::WasmValue;
use forkpoint_traces::{EngineInfo, Stage, TrapKind};
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};

/// Version of the job and of the frames, as docs/runner-protocol.md counts them.
pub(crate) const VERSION: u32 = 1;

/// Most bytes of a frame's payload.
pub(crate) const MAX_FRAME: u32 = 4 << 20;

/// A [`Message`] in JSON.
const MESSAGE: u8 = b'J';
/// Raw records, as the instrumented module left them in the buffer.
const RECORDS: u8 = b'R';
/// Bytes of guest memory that the recorder asked for during a host call: number of the range u32, bytes.
const GUEST: u8 = b'G';
/// Bytes of a memory image: memory u32, address u64, bytes; ascending, zero pages left out.
const IMAGE: u8 = b'I';

/// Calls of the hook: site u32 and three operands u64 each.
const HOOKS: u8 = b'H';
/// Digests of pages at a checkpoint: memory u32, then page u64 and digest u64 each.
const DIGESTS: u8 = b'D';
/// What watched bytes hold now: memory u32, address u64, bytes.
const WATCHED: u8 = b'V';

/// Bytes of one hook call in a frame.
pub(crate) const HOOK_SIZE: usize = 28;

/// Native code of one function: see [`NativeFrame`].
const NATIVE: u8 = b'N';

/// Native code of one function as the engine has it: `function u32, start u64, number of points u32, points
/// (native offset u32, wasm offset u32), code`. Function and wasm offsets are those of the rewritten module.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NativeFrame {
    pub(crate) function: u32,
    /// Offset of the code in the engine's text section.
    pub(crate) start: u64,
    /// Native code from the first number on belongs to the second, [`NO_OFFSET`] for none.
    pub(crate) points: Vec<(u32, u32)>,
    pub(crate) code: Vec<u8>,
}

/// No wasm instruction.
pub(crate) const NO_OFFSET: u32 = u32::MAX;

impl NativeFrame {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(16 + 8 * self.points.len() + self.code.len());
        bytes.extend_from_slice(&self.function.to_le_bytes());
        bytes.extend_from_slice(&self.start.to_le_bytes());
        bytes.extend_from_slice(&(self.points.len() as u32).to_le_bytes());
        for (native, wasm) in &self.points {
            bytes.extend_from_slice(&native.to_le_bytes());
            bytes.extend_from_slice(&wasm.to_le_bytes());
        }
        bytes.extend_from_slice(&self.code);
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<NativeFrame> {
        fn word(bytes: &mut &[u8]) -> Option<u32> {
            let (word, rest) = bytes.split_first_chunk::<4>()?;
            *bytes = rest;
            Some(u32::from_le_bytes(*word))
        }
        let mut rest = bytes;
        let function = word(&mut rest)?;
        let start = u64::from(word(&mut rest)?) | u64::from(word(&mut rest)?) << 32;
        let count = word(&mut rest)? as usize;
        let (points, code) = rest.split_at_checked(count.checked_mul(8)?)?;
        let points = points
            .chunks_exact(8)
            .map(|mut point| Some((word(&mut point)?, word(&mut point)?)))
            .collect::<Option<_>>()?;
        Some(NativeFrame { function, start, points, code: code.to_vec() })
    }
}

/// A control frame.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Message {
    /// First of all: which engine this is.
    Hello(EngineInfo),
    /// The engine cannot be set up as asked. The last frame.
    SetupFailed(String),
    /// What runs the engine failed, at any time: nothing of the run says anything about the engine. The last frame.
    Failed(String),
    /// The engine accepted the module at a stage, `validate` or `compile`.
    Accepted(Stage),
    /// The engine did not accept the module at a stage. The last frame. The offset is one in the original module at
    /// `validate`, in the job's module elsewhere; the code is the engine's own.
    Rejected {
        stage: Stage,
        message: String,
        #[serde(default)]
        offset: Option<u64>,
        #[serde(default)]
        code: Option<String>,
    },
    /// A checkpoint begins: sizes of all memories in pages. Digests follow, then `CheckpointEnd`.
    Checkpoint { pages: Vec<u64> },
    /// All digests were sent: the parent answers with [`Order::Show`], and gets these pages as images.
    CheckpointEnd,
    /// All pages that were asked for were sent.
    CheckpointDone,
    /// The guest calls an imported function that the recorder answers, by [`Order::Answer`]: the function's index.
    HostCall { function: u32, arguments: Vec<WasmValue> },
    /// The engine's own host has answered, as [`Order::Call`] asked.
    HostAnswered(HostEnd),
    /// All bytes that [`Order::Read`] asked for were sent.
    HostReadEnd,
    /// The guest made a host call that its host log has no answer to, or that it cannot be replayed from: why.
    Unanswered { why: String, damaged: bool },
    /// At the end: mutable globals, and sizes of tables.
    State { globals: Vec<WasmValue>, tables: Vec<u64> },
    /// A memory image follows, then `ImageEnd`. Once after instantiation, once at the end, per memory.
    Image { memory: u32, pages: u64 },
    /// The image is complete.
    ImageEnd,
    /// The module is instantiated, all images were sent.
    Instantiated,
    /// Watched bytes are looked at after every event from here on: right behind `Instantiated`.
    Watching,
    /// A call begins: the start function, or one of the job's calls by number.
    Call(Option<u32>),
    /// The call returned.
    Returned(Vec<WasmValue>),
    /// The call trapped: the engine's words, and the guest's frames, innermost first. A backtrace is no part of
    /// the words: its numbers would be those of the rewritten module.
    Trapped { trap: TrapKind, message: String, frames: Vec<TrapFrame> },
    /// The mark that the guest had come to last when it trapped: right before `Trapped`.
    Marked(u32),
    /// The guest called `proc_exit`.
    Exited(i32),
    /// The run was interrupted, as the parent asked.
    Stopped,
    /// Everything was sent.
    End,
}

/// One frame of the guest's stack; function and offset are those of the rewritten module.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TrapFrame {
    pub(crate) function: u32,
    pub(crate) offset: Option<u32>,
    /// As the module's name section has it.
    pub(crate) name: Option<String>,
}

/// A page of memory at a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PageDigest {
    pub(crate) page: u64,
    pub(crate) digest: u64,
}

/// What the parent tells its child.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// End the run.
    Stop,
    /// Send these pages (memory and page of 4 KiB), and go on.
    Show(Vec<(u32, u64)>),
    /// Send these bytes (memory, address, length), as far as there are any: a host call needs them.
    Read(Vec<(u32, u64, u64)>),
    /// Have the engine's own host answer the call, and say so.
    Call,
    /// The answer to a host call.
    Answer(Answer),
}

/// What the host does about a call, in this order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Memory, pages added.
    pub(crate) grows: Vec<(u32, u64)>,
    /// Memory, address, bytes.
    pub(crate) writes: Vec<(u32, u64, Vec<u8>)>,
    pub(crate) end: HostEnd,
}

/// Most items in one order.
const MAX_ITEMS: u32 = 1 << 16;

/// Most bytes of one write of an answer: longer ones come in pieces.
const MAX_WRITE: u32 = 16 << 20;

/// A frame as the parent sees it.
pub(crate) enum Frame {
    Message(Message),
    Records(Vec<u8>),
    Hooks(Vec<u8>),
    Digests { memory: u32, digests: Vec<PageDigest> },
    Watched { address: u64, bytes: Vec<u8> },
    Native(NativeFrame),
    Guest { range: u32, bytes: Vec<u8> },
    Image { memory: u32, address: u64, bytes: Vec<u8> },
}

/// Most bytes of memory in one frame.
const PIECE: usize = 1 << 20;

/// Writes frames.
#[derive(Clone)]
pub(crate) struct FrameWriter<W: Write>(pub(crate) W);

impl<W: Write> FrameWriter<W> {
    fn frame(&mut self, tag: u8, head: &[u8], payload: &[u8]) -> io::Result<()> {
        let mut start = Vec::with_capacity(5 + head.len() + payload.len().min(4096));
        start.push(tag);
        start.extend_from_slice(&((head.len() + payload.len()) as u32).to_le_bytes());
        start.extend_from_slice(head);
        if payload.len() <= 4096 {
            // Small frames in one system call.
            start.extend_from_slice(payload);
            return self.0.write_all(&start);
        }
        self.0.write_all(&start)?;
        self.0.write_all(payload)
    }

    pub(crate) fn message(&mut self, message: &Message) -> io::Result<()> {
        self.frame(MESSAGE, &[], &serde_json::to_vec(message)?)
    }

    pub(crate) fn records(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.frame(RECORDS, &[], bytes)
    }

    pub(crate) fn hooks(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.frame(HOOKS, &[], bytes)
    }

    pub(crate) fn digests(&mut self, memory: u32, digests: &[PageDigest]) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(4 + 16 * digests.len());
        bytes.extend_from_slice(&memory.to_le_bytes());
        for entry in digests {
            bytes.extend_from_slice(&entry.page.to_le_bytes());
            bytes.extend_from_slice(&entry.digest.to_le_bytes());
        }
        self.frame(DIGESTS, &[], &bytes)
    }

    pub(crate) fn watched(&mut self, memory: u32, address: u64, bytes: &[u8]) -> io::Result<()> {
        self.placed(WATCHED, memory, address, bytes)
    }

    /// Sends native code; a function too large for a frame is left out.
    pub(crate) fn native(&mut self, native: &NativeFrame) -> io::Result<()> {
        let bytes = native.encode();
        if bytes.len() > MAX_FRAME as usize {
            return Ok(());
        }
        self.frame(NATIVE, &[], &bytes)
    }

    /// Sends the bytes of range number `range` that the recorder asked for.
    pub(crate) fn guest(&mut self, range: u32, bytes: &[u8]) -> io::Result<()> {
        bytes.chunks(PIECE).try_for_each(|piece| self.frame(GUEST, &range.to_le_bytes(), piece))
    }

    pub(crate) fn image(&mut self, memory: u32, address: u64, bytes: &[u8]) -> io::Result<()> {
        self.placed(IMAGE, memory, address, bytes)
    }

    fn placed(&mut self, tag: u8, memory: u32, address: u64, bytes: &[u8]) -> io::Result<()> {
        for (i, piece) in bytes.chunks(PIECE).enumerate() {
            let mut head = [0; 12];
            head[..4].copy_from_slice(&memory.to_le_bytes());
            head[4..].copy_from_slice(&(address + (i * PIECE) as u64).to_le_bytes());
            self.frame(tag, &head, piece)?;
        }
        Ok(())
    }
}

/// Reads the next frame; `None` at a clean end.
pub(crate) fn read_frame(input: &mut impl Read) -> io::Result<Option<Frame>> {
    let mut head = [0; 5];
    if input.read(&mut head[..1])? == 0 {
        return Ok(None);
    }
    input.read_exact(&mut head[1..])?;
    let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]);
    let bad = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
    if length > MAX_FRAME {
        return Err(bad(format!("a frame of {length} bytes, more than the {MAX_FRAME} allowed")));
    }
    let mut payload = vec![0; length as usize];
    input.read_exact(&mut payload)?;
    Ok(Some(match head[0] {
        MESSAGE => Frame::Message(
            serde_json::from_slice(&payload).map_err(|error| bad(format!("a control frame: {error}")))?,
        ),
        RECORDS => Frame::Records(payload),
        NATIVE => {
            Frame::Native(NativeFrame::decode(&payload).ok_or_else(|| bad("a cut frame of native code".to_string()))?)
        }
        HOOKS => Frame::Hooks(payload),
        DIGESTS => {
            let Some((memory, entries)) = payload.split_first_chunk::<4>() else {
                return Err(bad("a frame of digests without memory".to_string()));
            };
            let word = |bytes: &[u8]| bytes.first_chunk().map_or(0, |word| u64::from_le_bytes(*word));
            let digests = entries.chunks_exact(16);
            let digests = digests.map(|entry| PageDigest { page: word(entry), digest: word(&entry[8..]) }).collect();
            Frame::Digests { memory: u32::from_le_bytes(*memory), digests }
        }
        GUEST => {
            let Some((range, bytes)) = payload.split_first_chunk::<4>() else {
                return Err(bad("a frame of guest bytes without the number of their range".to_string()));
            };
            Frame::Guest { range: u32::from_le_bytes(*range), bytes: bytes.to_vec() }
        }
        tag @ (IMAGE | WATCHED) => {
            let Some((place, _)) = payload.split_first_chunk::<12>() else {
                return Err(bad("a frame of bytes without address".to_string()));
            };
            let memory = u32::from_le_bytes([place[0], place[1], place[2], place[3]]);
            let address = u64::from_le_bytes([
                place[4], place[5], place[6], place[7], place[8], place[9], place[10], place[11],
            ]);
            payload.drain(..12);
            match tag {
                IMAGE => Frame::Image { memory, address, bytes: payload },
                _ => Frame::Watched { address, bytes: payload },
            }
        }
        tag => return Err(bad(format!("unknown frame {tag:#04x}"))),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::FeatureSwitches;

    #[test]
    fn frames_read_back_as_they_are_written() {
        let native =
            NativeFrame { function: 7, start: 1 << 33, points: vec![(0, NO_OFFSET), (4, 99)], code: vec![0xc3] };
        let mut writer = FrameWriter(Vec::new());
        writer.message(&Message::Call(Some(3))).expect("memory");
        writer.records(&[1; 10_000]).expect("memory");
        writer.guest(1, &[2, 3]).expect("memory");
        writer.native(&native).expect("memory");
        let bytes = writer.0;
        let mut input = bytes.as_slice();
        assert!(matches!(read_frame(&mut input), Ok(Some(Frame::Message(Message::Call(Some(3)))))));
        assert!(matches!(read_frame(&mut input), Ok(Some(Frame::Records(records))) if records == [1; 10_000]));
        assert!(matches!(
            read_frame(&mut input),
            Ok(Some(Frame::Guest { range: 1, bytes })) if bytes == [2, 3]
        ));
        assert!(matches!(read_frame(&mut input), Ok(Some(Frame::Native(found))) if found == native));
        assert!(matches!(read_frame(&mut input), Ok(None)));
        // Cut anywhere but between frames, it is an error and never a panic.
        for end in 1..bytes.len().min(64) {
            let mut input = &bytes[..end];
            while let Ok(Some(_)) = read_frame(&mut input) {}
        }
        assert!(read_frame(&mut [b'R', 255, 255, 255, 255].as_slice()).is_err());
        assert!(read_frame(&mut [b'?', 0, 0, 0, 0].as_slice()).is_err());
    }

    /// Names that serde would take in place of `?`, from its own words.
    fn names<T: serde::de::DeserializeOwned>() -> Vec<String> {
        let error = serde_json::from_str::<T>("\"?\"").err().expect("nothing has this name").to_string();
        error.split('`').skip(3).step_by(2).map(str::to_string).collect()
    }

    #[test]
    fn the_document_has_every_message_trap_and_field() {
        let document = include_str!("../../docs/runner-protocol.md");
        let messages = names::<Message>();
        assert!(messages.len() > 15, "{messages:?}");
        for name in messages {
            assert!(document.contains(&format!("\"{name}\"")), "no message `{name}`");
        }
        let traps = names::<TrapKind>();
        assert!(traps.len() > 15, "{traps:?}");
        for name in traps {
            assert!(document.contains(&format!("| `{name}` |")), "no trap `{name}`");
        }
        let job = crate::child::Job {
            protocol: VERSION,
            engine: "runner:x".parse().expect("a runner"),
            original: "o.wasm".into(),
            module: "m.wasm".into(),
            features: FeatureSwitches::default(),
            memory_page_limit: None,
            stack_switching: false,
            task: crate::child::Task::Run(Box::new(crate::child::Run {
                precompiled: false,
                stages_only: false,
                memories: Vec::new(),
                wasi_memory: None,
                globals: Vec::new(),
                tables: Vec::new(),
                has_start: false,
                calls: vec![crate::child::Call {
                    function: "f".to_string(),
                    arguments: vec![WasmValue::I32(0)],
                    vectors: false,
                }],
                wasi: crate::host::WasiSetup::default(),
                live_host: false,
                preloads: Vec::new(),
                scripts: Vec::new(),
                answers: None,
                native_limit: 0,
                checkpoints: crate::child::Checkpoints::None,
                watch: None,
                careful: false,
            })),
        };
        let job = serde_json::to_value(job).expect("it has no map with other keys");
        for object in [&job, &job["task"]["Run"], &job["task"]["Run"]["calls"][0]] {
            for field in object.as_object().expect("an object").keys() {
                assert!(document.contains(&format!("`{field}`")), "no field `{field}`");
            }
        }
        for tag in [MESSAGE, RECORDS, GUEST, IMAGE, HOOKS, DIGESTS, WATCHED, NATIVE] {
            assert!(document.contains(&format!("| `{}` |", char::from(tag))), "no frame {}", char::from(tag));
        }
        assert!(document.contains(&format!("Version {VERSION}.")) && document.contains("(4,194,304)"));
    }
}
