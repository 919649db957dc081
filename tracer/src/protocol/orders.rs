//! Orders to an engine's process: control frames in JSON like its messages, and raw frames with the bytes that an
//! answer writes.

use super::HostEnd;
use super::grammar::{self, MAX_FRAME, MESSAGE, WRITE, bad};
use crate::values::WasmValue;
use forkpoint_traces::MemoryIndex;
use serde::{Deserialize, Serialize};
use std::io::{self, BufWriter, Read, Write};

/// What the recorder orders.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Order {
    /// End the run.
    Stop,
    /// Show these pages, and continue: the answer at a checkpoint.
    Show(Vec<ShownPage>),
    /// Send these bytes, as far as they exist: a host call needs them.
    Read(Vec<ReadRange>),
    /// Have the engine's own host answer the call, and report how that ended by `HostAnswered`.
    CallHost,
    /// The answer to a host call.
    Answer(Answer),
    /// Record the module, as the plan in this file says.
    Record(String),
    /// Instantiate the module as it is, and do not record it.
    Pass,
    /// Call a function of the guest, and report how that ended: the host calls the guest.
    Enter(Entry),
}

/// A page of 4 KiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct ShownPage {
    pub(crate) memory: MemoryIndex,
    pub(crate) page: u64,
}

/// Bytes that a host call depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReadRange {
    pub(crate) memory: MemoryIndex,
    pub(crate) address: u64,
    pub(crate) length: u64,
}

/// What the host does in a call: first it grows memories, then it writes, then the call ends.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) grows: Vec<Growth>,
    /// Raw frames before the control frame.
    #[serde(skip)]
    pub(crate) writes: Vec<HostWrite>,
    pub(crate) end: HostEnd,
}

/// What the host does before it calls the guest: first it grows memories, then it writes.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) grows: Vec<Growth>,
    /// Raw frames before the control frame.
    #[serde(skip)]
    pub(crate) writes: Vec<HostWrite>,
    /// An export.
    pub(crate) function: String,
    pub(crate) arguments: Vec<WasmValue>,
}

/// A memory that the host grew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Growth {
    pub(crate) memory: MemoryIndex,
    /// Pages added.
    pub(crate) pages: u64,
}

/// Bytes that the host wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostWrite {
    pub(crate) memory: MemoryIndex,
    pub(crate) address: u64,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    /// The call ends this way, and memory stays unchanged.
    pub(crate) fn only(end: HostEnd) -> Answer {
        Answer { grows: Vec::new(), writes: Vec::new(), end }
    }
}

/// Writes an order.
///
/// # Errors
/// Those of `out`, and [`io::ErrorKind::InvalidInput`] when the order is too long for a frame.
pub(crate) fn write_order(order: &Order, out: &mut impl Write) -> io::Result<()> {
    let json = serde_json::to_vec(order)?;
    if json.len() > MAX_FRAME as usize {
        let what = format!("an order of {} bytes, more than the {MAX_FRAME} allowed", json.len());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    // One system call for an order with few bytes.
    let mut out = BufWriter::new(out);
    let writes = match order {
        Order::Answer(answer) => &answer.writes[..],
        Order::Enter(entry) => &entry.writes,
        _ => &[],
    };
    for HostWrite { memory, address, bytes } in writes {
        grammar::write_placed(&mut out, WRITE, memory.0, *address, bytes)?;
    }
    grammar::write(&mut out, MESSAGE, &[], &json)?;
    out.flush()
}

/// Reads the next order.
///
/// # Errors
/// Those of `input`, including its end, and malformed frames.
pub(crate) fn read_order(input: &mut impl Read) -> io::Result<Order> {
    let mut writes = Vec::new();
    loop {
        let mut payload = Vec::new();
        let tag = grammar::read(input, &mut payload)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        match tag {
            WRITE => {
                let (memory, address, bytes) = grammar::placed(payload)?;
                writes.push(HostWrite { memory: MemoryIndex(memory), address, bytes });
            }
            MESSAGE => {
                let mut order =
                    serde_json::from_slice(&payload).map_err(|error| bad(format!("an order: {error}")))?;
                match &mut order {
                    Order::Answer(answer) => answer.writes = writes,
                    Order::Enter(entry) => entry.writes = writes,
                    _ if writes.is_empty() => {}
                    _ => return Err(bad("bytes to write without an answer")),
                }
                return Ok(order);
            }
            tag => return Err(bad(format!("unknown frame {tag:#04x}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMORY: MemoryIndex = MemoryIndex(1);

    fn answer(end: HostEnd) -> Order {
        Order::Answer(Answer {
            grows: vec![Growth { memory: MEMORY, pages: 2 }],
            writes: vec![
                HostWrite { memory: MEMORY, address: 1 << 40, bytes: vec![1, 2, 3] },
                HostWrite { memory: MemoryIndex(0), address: 0, bytes: vec![9] },
            ],
            end,
        })
    }

    #[test]
    fn orders_read_back_as_they_are_written() {
        let values = vec![
            WasmValue::I32(-1),
            WasmValue::I64(i64::MIN),
            WasmValue::F32(1),
            WasmValue::F64(u64::MAX),
            WasmValue::V128([7; 16]),
            WasmValue::Reference("null".to_string()),
        ];
        let ends =
            [HostEnd::Returned(values), HostEnd::Trapped("no".to_string()), HostEnd::Exited(-3), HostEnd::Stopped];
        let mut orders = vec![
            Order::Stop,
            Order::CallHost,
            Order::Show(vec![ShownPage { memory: MEMORY, page: 2 }]),
            Order::Read(vec![ReadRange { memory: MEMORY, address: 9, length: 1 << 33 }]),
            Order::Answer(Answer::only(HostEnd::Stopped)),
            Order::Record("plan.json".to_string()),
            Order::Pass,
            Order::Enter(Entry {
                grows: vec![Growth { memory: MEMORY, pages: 1 }],
                writes: vec![HostWrite { memory: MEMORY, address: 7, bytes: vec![1] }],
                function: "f".to_string(),
                arguments: vec![WasmValue::I64(-1)],
            }),
        ];
        orders.extend(ends.map(answer));
        let mut bytes = Vec::new();
        orders.iter().for_each(|order| write_order(order, &mut bytes).expect("memory"));
        let mut input = bytes.as_slice();
        for order in &orders {
            assert_eq!(read_order(&mut input).expect("an order"), *order);
        }
        assert!(input.is_empty());
        for end in 0..bytes.len() {
            let mut input = &bytes[..end];
            while read_order(&mut input).is_ok() {}
        }
    }

    /// A long write is split, but its reader sees the same bytes at the same places.
    #[test]
    fn a_long_write_comes_in_pieces() {
        let bytes: Vec<u8> = (0..grammar::PIECE + 3).map(|at| at as u8).collect();
        let write = HostWrite { memory: MEMORY, address: 64, bytes: bytes.clone() };
        let order = Order::Answer(Answer { writes: vec![write], ..Answer::only(HostEnd::Exited(0)) });
        let mut sent = Vec::new();
        write_order(&order, &mut sent).expect("memory");
        let Ok(Order::Answer(answer)) = read_order(&mut sent.as_slice()) else { panic!("no answer") };
        let ends: Vec<u64> = answer.writes.iter().map(|write| write.address + write.bytes.len() as u64).collect();
        assert_eq!(ends, [64 + grammar::PIECE as u64, 64 + bytes.len() as u64]);
        assert_eq!(answer.writes.into_iter().flat_map(|write| write.bytes).collect::<Vec<u8>>(), bytes);
    }

    #[test]
    fn what_is_no_order_is_an_error() {
        for wrong in [
            b"J\xff\xff\xff\xff".as_slice(),
            b"J\x02\0\0\0{}",
            b"J\x06\0\0\0\"Call\"",
            b"W\x04\0\0\0\0\0\0\0",
            b"W\x0d\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0xJ\x06\0\0\0\"Stop\"",
            b"I\0\0\0\0",
        ] {
            let error = read_order(&mut &wrong[..]).expect_err("no order");
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
        }
        let long = Order::Answer(Answer::only(HostEnd::Trapped("x".repeat(MAX_FRAME as usize))));
        let error = write_order(&long, &mut Vec::new()).expect_err("too long");
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}
