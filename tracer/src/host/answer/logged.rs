//! Answers from a host log: the run must make the calls that the log has.

use super::moved::Moved;
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
    /// Answers a call from the log, which must have the same one next. `pairs` are those that point to buffers to be filled,
    /// where the log is of another build.
    pub(super) fn logged(&mut self, call: HostCall, pairs: &[u8]) -> Result<Reply, RecordError> {
        let Some(log) = &mut self.log else { return Err(RecordError::Protocol("no host log".to_string())) };
        let next = match self.ahead.take() {
            Some(event) => Some(event),
            None => log.next_event()?,
        };
        let same = |logged: &HostCall| match self.other_build {
            true => logged.difference(&call).is_none(),
            false => is_same(logged, &call),
        };
        let recorded = match next {
            Some(HostEvent::Call(logged)) if same(&logged) => Ok(logged),
            Some(HostEvent::Call(logged)) if logged.import == call.import => {
                Err("the recording has other arguments, or other bytes that they point to".to_string())
            }
            Some(HostEvent::Call(logged)) => Err(format!("the recording has a call of {}", logged.import)),
            Some(_) => return Err(damaged("a step of a call without its call")),
            None => Err("the recording has no further host call".to_string()),
        };
        let recorded = match recorded {
            Ok(recorded) => recorded,
            Err(why) => return Ok(unanswered(call, &why)),
        };
        let mut answer = Answer::only(HostEnd::Stopped);
        let function = call.function.0 as usize;
        let import = call.import.clone();
        let mut events = Vec::new();
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
                    return Ok(self.reply(&recorded, call, pairs, answer, events));
                }
                Some(HostEvent::Call(_)) => {
                    return Err(damaged("a call inside of a call: the host called back, which cannot be replayed"));
                }
                // Only JavaScript does these things, and its log is walked along in another way.
                Some(
                    HostEvent::Enter { .. }
                    | HostEvent::Leave { .. }
                    | HostEvent::SetGlobal { .. }
                    | HostEvent::SetElement { .. }
                    | HostEvent::GrowTable { .. }
                    | HostEvent::SetReference { .. }
                    | HostEvent::SetFunction { .. },
                ) => return Err(damaged("what only JavaScript does")),
                // The recording ends inside the call: its engine crashed there, or ran out of time.
                None => {
                    let why = "the recording ends inside this host call".to_string();
                    let reply = self.reply(&recorded, call, pairs, answer, events);
                    return Ok(Reply { unanswered: reply.unanswered.or(Some(why)), ..reply });
                }
            }
            events.extend(event);
        }
    }

    /// The reply to `call`, which the log has as `recorded`, with the answer and the steps that the log has.
    fn reply(
        &self,
        recorded: &HostCall,
        call: HostCall,
        pairs: &[u8],
        mut answer: Answer,
        steps: Vec<HostEvent>,
    ) -> Reply {
        let mut events = vec![HostEvent::Call(call.clone())];
        if !self.other_build {
            events.extend(steps);
            return Reply { order: Order::Answer(answer), events, unanswered: None };
        }
        match (Moved { recorded, call: &call, pairs, memory: self.memory }).writes(&answer.writes) {
            Err(why) => unanswered(call, &why),
            Ok(writes) => {
                let write = |write: &HostWrite| HostEvent::Write {
                    memory: write.memory,
                    address: write.address,
                    bytes: write.bytes.clone(),
                };
                // Growth comes first, as where it is carried out.
                let (rest, end): (Vec<_>, Vec<_>) = steps
                    .into_iter()
                    .filter(|step| !matches!(step, HostEvent::Write { .. }))
                    .partition(|step| matches!(step, HostEvent::Grow { .. }));
                events.extend(rest.into_iter().chain(writes.iter().map(write)).chain(end));
                answer.writes = writes;
                Reply { order: Order::Answer(answer), events, unanswered: None }
            }
        }
    }
}

/// The reply to a call that the recording has no answer to.
fn unanswered(call: HostCall, why: &str) -> Reply {
    let why = format!("the guest called {} where {why}", call.import);
    let order = Order::Answer(Answer::only(HostEnd::Stopped));
    Reply { order, events: vec![HostEvent::Call(call)], unanswered: Some(why) }
}

/// Whether a recorded call is this one, from wherever in the module. A log that was redacted does not say what its calls read, but any other does.
fn is_same(logged: &HostCall, call: &HostCall) -> bool {
    let reads = if logged.reads.is_empty() { &call.reads } else { &logged.reads };
    HostCall { caller: None, reads: reads.clone(), ..logged.clone() } == *call
}

fn damaged(what: &str) -> RecordError {
    RecordError::HostLog { what: format!("the host log of the recording cannot be replayed: {what}") }
}
