//! Calls of imported functions, which the recorder answers.

use crate::frames::Recorder;
use crate::{Halt, Value};
use std::io::{self, Read};

/// Most items of one order, bytes of one write, and bytes of a message.
const MAX_ITEMS: u32 = 1 << 16;
const MAX_WRITE: u32 = 16 << 20;
const MAX_MESSAGE: u32 = 1 << 20;

/// The guest's memories, by export name, during a call.
pub trait Memories {
    /// All bytes of a memory.
    fn bytes(&mut self, name: &str) -> Option<&mut [u8]>;

    /// Grows a memory by so many pages; `false` where the engine refuses.
    fn grow(&mut self, name: &str, pages: u64) -> bool;
}

/// What the recorder wants, besides the end of the run.
pub(crate) enum Order {
    /// Bytes: memory, address, length.
    Read(Vec<(u32, u64, u64)>),
    Answer(Answer),
}

/// What the host does about a call, in this order.
pub(crate) struct Answer {
    grows: Vec<(u32, u64)>,
    writes: Vec<(u32, u64, Vec<u8>)>,
    end: Result<Vec<Value>, Halt>,
}

impl Recorder {
    /// The guest calls imported function number `function`, the hook not counted. What the recorder answers is done
    /// to the memories; the results are the function's.
    pub fn host_call(
        &self,
        function: u32,
        arguments: &[Value],
        memories: &mut dyn Memories,
    ) -> Result<Vec<Value>, Halt> {
        let lost = |_: io::Error| Halt::Stopped;
        let arguments: Vec<_> = arguments.iter().map(Value::to_json).collect();
        let call = serde_json::json!({ "HostCall": { "function": function, "arguments": arguments } });
        self.message(&call).map_err(lost)?;
        loop {
            match self.next_order().map_err(lost)? {
                Order::Read(ranges) => {
                    for (number, (memory, address, length)) in ranges.into_iter().enumerate() {
                        let bytes = self.name(memory).and_then(|name| memories.bytes(&name)).unwrap_or_default();
                        let clamp = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
                        let range = clamp(address)..clamp(address.saturating_add(length));
                        self.guest(number as u32, &bytes[range]).map_err(lost)?;
                    }
                    self.message(&serde_json::json!("HostReadEnd")).map_err(lost)?;
                }
                Order::Answer(answer) => return self.apply(answer, memories),
            }
        }
    }

    fn apply(&self, answer: Answer, memories: &mut dyn Memories) -> Result<Vec<Value>, Halt> {
        for (memory, pages) in answer.grows {
            if !self.name(memory).is_some_and(|name| memories.grow(&name, pages)) {
                return Err(Halt::Trapped(format!(
                    "memory {memory} cannot be grown by {pages} pages, as the host did"
                )));
            }
        }
        for (memory, address, written) in answer.writes {
            let bytes = self.name(memory).and_then(|name| memories.bytes(&name)).unwrap_or_default();
            let start = usize::try_from(address).ok();
            let place = start.and_then(|start| bytes.get_mut(start..start.checked_add(written.len())?));
            match place {
                Some(place) => place.copy_from_slice(&written),
                None => return Err(Halt::Trapped(format!("memory {memory} is too small for the host's answer"))),
            }
        }
        answer.end
    }
}

impl Order {
    /// Reads what follows an order's tag.
    pub(crate) fn read(tag: u8, input: &mut impl Read) -> io::Result<Order> {
        Ok(match tag {
            3 => Order::Read(list(input, |input| Ok((word(input)?, long(input)?, long(input)?)))?),
            4 => Order::Answer(Answer {
                grows: list(input, |input| Ok((word(input)?, long(input)?)))?,
                writes: list(input, |input| Ok((word(input)?, long(input)?, blob(input, MAX_WRITE)?)))?,
                end: match array::<1>(input)?[0] {
                    0 => Ok(list(input, value)?),
                    1 => {
                        let words = String::from_utf8_lossy(&blob(input, MAX_MESSAGE)?).into_owned();
                        Err(Halt::Trapped(words))
                    }
                    2 => Err(Halt::Exited(word(input)? as i32)),
                    _ => Err(Halt::Stopped),
                },
            }),
            _ => return Err(io::ErrorKind::InvalidData.into()),
        })
    }
}

fn value(input: &mut impl Read) -> io::Result<Value> {
    let (kind, raw) = (array::<1>(input)?[0], array::<16>(input)?);
    let low = u128::from_le_bytes(raw);
    Ok(match kind {
        0 => Value::I32(low as i32),
        1 => Value::I64(low as i64),
        2 => Value::F32(low as u32),
        3 => Value::F64(low as u64),
        4 => Value::V128(raw),
        _ => Value::Reference { null: true },
    })
}

fn array<const N: usize>(input: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn word(input: &mut impl Read) -> io::Result<u32> {
    array(input).map(u32::from_le_bytes)
}

fn long(input: &mut impl Read) -> io::Result<u64> {
    array(input).map(u64::from_le_bytes)
}

fn length(input: &mut impl Read, most: u32) -> io::Result<u32> {
    let length = word(input)?;
    if length > most { Err(io::ErrorKind::InvalidData.into()) } else { Ok(length) }
}

fn list<R: Read, T>(input: &mut R, read: impl Fn(&mut R) -> io::Result<T>) -> io::Result<Vec<T>> {
    (0..length(input, MAX_ITEMS)?).map(|_| read(input)).collect()
}

fn blob(input: &mut impl Read, most: u32) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length(input, most)? as usize];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}
