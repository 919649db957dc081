//! The child's side of a host call that the recorder answers: from a host log, or by a stub.
//!
//! Nothing here knows an engine: an adapter hands over the call and a way to its memories, and gets results.

use crate::child::Answers;
use crate::protocol::{FrameWriter, Message, Order};
use forkpoint_traces::WasmValue;
use std::io::{self, Write};

/// The guest's memories during a host call.
pub(crate) trait Memories {
    /// The bytes from `address` on, at most `length` and not past the end of memory.
    fn read(&self, memory: u32, address: u64, length: u64) -> &[u8];

    /// Writes bytes; `false` where they would not fit into memory.
    fn write(&mut self, memory: u32, address: u64, bytes: &[u8]) -> bool;

    /// Grows a memory; `false` where the engine refuses.
    fn grow(&mut self, memory: u32, delta: u64) -> bool;
}

/// How a host call ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HostEnd {
    /// With these results.
    Returned(Vec<WasmValue>),
    /// The guest traps, with these words.
    Trapped(String),
    /// The guest is over, with this exit code.
    Exited(i32),
    /// The recorder wants the run to end.
    Stopped,
}

/// Asks the recorder what function `function` answers, and does to memory what it says. All records before must
/// have been sent.
pub(crate) fn ask<W: Write>(
    function: u32,
    arguments: &[WasmValue],
    memories: &mut dyn Memories,
    answers: &Answers,
    out: &mut FrameWriter<W>,
) -> io::Result<HostEnd> {
    out.message(&Message::HostCall { function, arguments: arguments.to_vec() })?;
    let answer = loop {
        match answers.wait()? {
            Order::Read(ranges) => {
                for (number, (memory, address, length)) in ranges.into_iter().enumerate() {
                    out.guest(number as u32, memories.read(memory, address, length))?;
                }
                out.message(&Message::HostReadEnd)?;
            }
            Order::Answer(answer) => break answer,
            // An answer to nothing that was asked.
            Order::Stop | Order::Show(_) => return Err(io::ErrorKind::InvalidData.into()),
        }
    };
    for grow in &answer.grows {
        if !memories.grow(grow.0, grow.1) {
            return Ok(HostEnd::Trapped(format!(
                "memory {} cannot be grown by {} pages, as the host did",
                grow.0, grow.1
            )));
        }
    }
    for (memory, address, bytes) in &answer.writes {
        if !memories.write(*memory, *address, bytes) {
            return Ok(HostEnd::Trapped(format!(
                "the host log writes {} bytes at {address:#x} of memory {memory}, which is smaller",
                bytes.len()
            )));
        }
    }
    Ok(answer.end)
}
