//! The host calls of a [`Session`]: answered in this process, or by the recorder.

use super::{Halt, Session};
use crate::error::RecordError;
use crate::host::answer::{Host, Reply};
use crate::host::ask::{apply, ask};
use crate::host::ranges::clamp;
use crate::instrument::host_records;
use crate::memories::Memories;
use crate::protocol::{HostEnd, Message, Order, ReadRange};
use crate::values::WasmValue;
use std::io;

impl Session {
    /// Answers the call of imported function number `function`, as the recorder says. Records in the guest's own
    /// buffer must have been taken.
    ///
    /// # Errors
    /// When the call does not return: the engine traps, and the session knows why.
    pub(crate) fn host_call(
        &mut self,
        function: u32,
        arguments: &[WasmValue],
        memories: &mut dyn Memories,
    ) -> Result<Vec<WasmValue>, Halt> {
        if self.stops() {
            return Err(Halt);
        }
        let answered = self.settle(&memories.views()).and_then(|()| {
            self.around_call(&memories.views())?;
            let answer = match self.host.take() {
                Some(host) => self.answer(host, function, arguments, memories)?,
                None => ask(function, arguments, memories, &self.control.answers, &mut self.out)?,
            };
            self.glance(&memories.views())?;
            self.around_call(&memories.views())?;
            Ok(answer)
        });
        match answered {
            Ok(HostEnd::Returned(values)) => Ok(values),
            Ok(end) => {
                self.end = Some(end);
                Err(Halt)
            }
            Err(error) => {
                self.fail(error);
                Err(Halt)
            }
        }
    }

    /// Answers a host call in this process, and puts its steps among the records.
    fn answer(
        &mut self,
        mut host: Host,
        function: u32,
        arguments: &[WasmValue],
        memories: &mut dyn Memories,
    ) -> io::Result<HostEnd> {
        let mut replied = host.call(function, arguments.to_vec());
        let answered = loop {
            let Reply { order, events, unanswered } = match replied {
                Ok(reply) => reply,
                Err(error) => {
                    self.out.message(&Message::Unanswered { why: error.to_string(), damaged: true })?;
                    break HostEnd::Stopped;
                }
            };
            for record in events.iter().flat_map(host_records) {
                self.host_record(&record)?;
            }
            if let Some(why) = unanswered {
                self.drain()?;
                self.out.message(&Message::Unanswered { why, damaged: false })?;
            }
            replied = match order {
                Order::Read(ranges) => hand_over(&mut host, &ranges, memories),
                Order::CallHost => host.answered(memories.own_host(function, arguments)),
                Order::Answer(answer) => break apply(answer, memories),
                Order::Stop | Order::Show(_) => break HostEnd::Stopped,
            };
        };
        self.host = Some(host);
        Ok(answered)
    }
}

/// Gives the host the bytes that it asks for.
fn hand_over(host: &mut Host, ranges: &[ReadRange], memories: &dyn Memories) -> Result<Reply, RecordError> {
    let views = memories.views();
    for (number, range) in ranges.iter().enumerate() {
        let bytes = views.iter().find(|view| view.memory == range.memory.0).map_or(&[][..], |view| view.bytes);
        host.bytes(number as u32, &bytes[clamp((range.address, range.length), bytes.len())])?;
    }
    host.read_end()
}
