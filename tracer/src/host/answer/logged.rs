//! Answers from a host log: the run must make the calls that the log has.

use super::{Host, Reply};
use crate::error::RecordError;
use crate::protocol::{Answer, Growth, HostEnd, HostWrite, Order};
use forkpoint_traces::{HostCall, HostEvent, HostOutcome};

/// Most bytes of memory that a recorded call may have changed: all of it is held, and a stranger's recording of a few
/// kilobytes may claim any amount.
const MOST_ANSWER: u64 = 256 << 20;

/// The cost of a call's step besides its bytes.
const STEP: u64 = 256;

fn cost(event: &HostEvent) -> u64 {
    match event {
        HostEvent::Write { bytes, .. } => STEP + bytes.len() as u64,
        _ => STEP,
    }
}

impl Host {
    /// Answers a call from the log, which must have the same one next.
    pub(super) fn logged(&mut self, call: HostCall) -> Result<Reply, RecordError> {
        let Some(log) = &mut self.log else { return Err(RecordError::Protocol("no host log".to_string())) };
        let next = match self.ahead.take() {
            Some(event) => Some(event),
            None => log.next_event()?,
        };
        let why = match next {
            // The place of a call in the module is not part of the question.
            Some(HostEvent::Call(logged)) if (HostCall { caller: None, ..logged.clone() }) == call => None,
            Some(HostEvent::Call(logged)) if logged.import == call.import => {
                Some("the recording has other arguments, or other bytes that they point to".to_string())
            }
            Some(HostEvent::Call(logged)) => Some(format!("the recording has a call of {}", logged.import)),
            Some(_) => return Err(damaged("a step of a call without its call")),
            None => Some("the recording has no further host call".to_string()),
        };
        if let Some(why) = why {
            let why = format!("the guest called {} where {why}", call.import);
            let order = Order::Answer(Answer::only(HostEnd::Stopped));
            return Ok(Reply { order, events: vec![HostEvent::Call(call)], unanswered: Some(why) });
        }
        let mut answer = Answer::only(HostEnd::Stopped);
        let function = call.function.0 as usize;
        let import = call.import.clone();
        let mut events = vec![HostEvent::Call(call)];
        let mut room = MOST_ANSWER;
        loop {
            let event = log.next_event()?;
            room = event.as_ref().map_or(Some(room), |event| room.checked_sub(cost(event))).ok_or_else(|| {
                damaged(&format!("the call of {import} does more to memory than {} MiB", MOST_ANSWER >> 20))
            })?;
            match &event {
                Some(HostEvent::Write { memory, address, bytes }) => {
                    let write = HostWrite { memory: *memory, address: *address, bytes: bytes.clone() };
                    answer.writes.push(write);
                }
                Some(HostEvent::Grow { memory, delta, .. }) => {
                    answer.grows.push(Growth { memory: *memory, pages: *delta });
                }
                Some(HostEvent::Return { outcome, .. }) => {
                    answer.end = match outcome {
                        HostOutcome::Returned(values) if !self.functions[function].returns(values) => {
                            return Err(damaged("results that are not of the function's type"));
                        }
                        HostOutcome::Returned(values) => HostEnd::Returned(values.clone()),
                        HostOutcome::Trapped(message) => HostEnd::Trapped(message.clone()),
                        HostOutcome::Exited(code) => HostEnd::Exited(*code),
                    };
                    events.extend(event);
                    return Ok(Reply { order: Order::Answer(answer), events, unanswered: None });
                }
                Some(HostEvent::Call(_)) => {
                    return Err(damaged("a call inside of a call: the host called back, which cannot be replayed"));
                }
                // The recording ends inside the call: its engine crashed there, or ran out of time.
                None => {
                    let why = "the recording ends inside this host call".to_string();
                    return Ok(Reply { order: Order::Answer(answer), events, unanswered: Some(why) });
                }
            }
            events.extend(event);
        }
    }
}

fn damaged(what: &str) -> RecordError {
    RecordError::HostLog { what: format!("the host log of the recording cannot be replayed: {what}") }
}
