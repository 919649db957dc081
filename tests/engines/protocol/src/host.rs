//! Calls of imported functions, which the recorder answers.

use crate::frames::{Placed, Recorder};
use crate::{Halt, Value};
use serde_json::Value as Json;
use std::io;

/// The guest's memories, by export name, during a call.
pub trait Memories {
    /// All bytes of a memory.
    fn bytes(&mut self, name: &str) -> Option<&mut [u8]>;

    /// Grows a memory by this many pages; `false` if the engine refuses.
    fn grow(&mut self, name: &str, pages: u64) -> bool;
}

/// What the recorder wants.
pub(crate) enum Order {
    /// The end of the run.
    Stop,
    /// Bytes: memory, address, length.
    Read(Vec<(u32, u64, u64)>),
    Answer(Answer),
}

/// What the host does in a call, in this order.
pub(crate) struct Answer {
    grows: Vec<(u32, u64)>,
    writes: Vec<Placed>,
    end: Result<Vec<Value>, Halt>,
}

impl Recorder {
    /// The guest calls imported function number `function`, not counting the hook. Applies the recorder's answer to
    /// the memories and returns the function's results.
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
                Order::Stop => return Err(Halt::Stopped),
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
        for Placed { memory, address, bytes: written } in answer.writes {
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
    /// Reads an order; `writes` are the bytes that came before it. `None` if it is malformed.
    pub(crate) fn parse(json: &Json, writes: Vec<Placed>) -> Option<Order> {
        if json == "Stop" {
            return Some(Order::Stop);
        }
        let (name, content) = json.as_object()?.iter().next()?;
        match name.as_str() {
            "Read" => {
                let range =
                    |range: &Json| Some((memory(range)?, number(range, "address")?, number(range, "length")?));
                Some(Order::Read(content.as_array()?.iter().map(range).collect::<Option<_>>()?))
            }
            "Answer" => {
                let growth = |growth: &Json| Some((memory(growth)?, number(growth, "pages")?));
                let grows = content["grows"].as_array()?.iter().map(growth).collect::<Option<_>>()?;
                Some(Order::Answer(Answer { grows, writes, end: end(&content["end"])? }))
            }
            _ => None,
        }
    }
}

/// How a call ends: with results, or another way.
fn end(json: &Json) -> Option<Result<Vec<Value>, Halt>> {
    if json == "Stopped" {
        return Some(Err(Halt::Stopped));
    }
    let (name, content) = json.as_object()?.iter().next()?;
    Some(match name.as_str() {
        "Returned" => Ok(content.as_array()?.iter().map(Value::from_json).collect::<Option<_>>()?),
        "Trapped" => Err(Halt::Trapped(content.as_str()?.to_string())),
        "Exited" => Err(Halt::Exited(content.as_i64()?.try_into().ok()?)),
        _ => return None,
    })
}

fn number(json: &Json, field: &str) -> Option<u64> {
    json[field].as_u64()
}

fn memory(json: &Json) -> Option<u32> {
    number(json, "memory")?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn orders_are_read_as_the_document_has_them() {
        let parse = |json: Json| Order::parse(&json, vec![Placed { memory: 0, address: 8, bytes: vec![1] }]);
        assert!(matches!(parse(json!("Stop")), Some(Order::Stop)));
        let read = json!({ "Read": [{ "memory": 1, "address": u64::MAX, "length": 4 }] });
        assert!(matches!(parse(read), Some(Order::Read(ranges)) if ranges == [(1, u64::MAX, 4)]));
        let answer = |end: Json| json!({ "Answer": { "grows": [{ "memory": 0, "pages": 2 }], "end": end } });
        let Some(Order::Answer(found)) = parse(answer(json!({ "Returned": [{ "I64": i64::MIN }] }))) else {
            panic!("no answer")
        };
        assert_eq!((found.grows, found.end), (vec![(0, 2)], Ok(vec![Value::I64(i64::MIN)])));
        assert_eq!(found.writes.len(), 1);
        for wrong in [json!({}), json!("Answer"), answer(json!({ "Exited": 1u64 << 40 })), json!({ "Show": [] })] {
            assert!(parse(wrong.clone()).is_none(), "{wrong}");
        }
    }
}
