//! The child's side of a host call that the recorder answers: from a host log, or by a stub.
//!
//! Nothing here depends on an engine: an adapter passes the call and access to its memories, and gets results.

use crate::host::ranges::clamp;
use crate::link::Answers;
use crate::memories::Memories;
use crate::protocol::{Answer, FrameWriter, Growth, HostEnd, HostWrite, Message, Order, ReadRange};
use crate::values::WasmValue;
use forkpoint_traces::MemoryIndex;
use std::io::{self, Write};

/// Asks the recorder for the answer of imported function number `function`, and applies it to memory. All earlier
/// records must have been sent.
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
                let views = memories.views();
                for (number, ReadRange { memory, address, length }) in ranges.into_iter().enumerate() {
                    let bytes = views.iter().find(|view| view.memory == memory.0).map_or(&[][..], |view| view.bytes);
                    out.guest(number as u32, &bytes[clamp((address, length), bytes.len())])?;
                }
                out.message(&Message::HostReadEnd)?;
            }
            Order::Answer(answer) => break answer,
            // An answer that was not asked for.
            Order::Stop | Order::Show(_) | Order::CallHost | Order::Enter(_) | Order::Record(_) | Order::Pass => {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
    };
    Ok(apply(answer, memories))
}

/// Applies an answer to memory, and returns how the call ends.
pub(crate) fn apply(answer: Answer, memories: &mut dyn Memories) -> HostEnd {
    match change(&answer.grows, &answer.writes, memories) {
        Ok(()) => answer.end,
        Err(why) => HostEnd::Trapped(why),
    }
}

/// Does to memory what the host did; says in words why that is not possible.
pub(crate) fn change(grows: &[Growth], writes: &[HostWrite], memories: &mut dyn Memories) -> Result<(), String> {
    for &Growth { memory: MemoryIndex(memory), pages } in grows {
        if !memories.grow(memory, pages) {
            return Err(format!("memory {memory} cannot be grown by {pages} pages, as the host did"));
        }
    }
    for HostWrite { memory: MemoryIndex(memory), address, bytes } in writes {
        if !memories.write(*memory, *address, bytes) {
            return Err(format!(
                "the host log writes {} bytes at {address:#x} of memory {memory}, which is smaller",
                bytes.len()
            ));
        }
    }
    Ok(())
}
