//! The host calls of a [`Session`]: answered in this process, or by the recorder. A host that lives in JavaScript may call
//! the guest before it answers, and do things between the run's calls.

use super::{Halt, Session};
use crate::engine::drive::Ended;
use crate::error::RecordError;
use crate::host::answer::{Host, Reply};
use crate::host::ask::{apply, ask, change};
use crate::host::ranges::clamp;
use crate::instrument::host_records;
use crate::job::ExportCall;
use crate::memories::Memories;
use crate::protocol::{HostEnd, Message, Order, ReadRange};
use crate::values::WasmValue;
use forkpoint_traces::{GuestOutcome, TrapKind};
use std::io;

/// What comes next where the host has control.
pub(crate) enum HostTurn {
    /// The call returns these values.
    Returns(Vec<WasmValue>),
    /// The host calls this function of the guest. How that ends is the next turn's.
    Enters(ExportCall),
}

/// The same before it is known whether the guest goes on.
enum Answered {
    Ends(HostEnd),
    Enters(ExportCall),
}

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
        match self.host_turn(function, arguments, memories)? {
            HostTurn::Returns(values) => Ok(values),
            HostTurn::Enters(_) => {
                let why = "this engine does not run programs yet whose host calls the guest: wasmtime and wasmi do";
                if let Err(error) = self.host_failed(why.to_string()) {
                    self.fail(error);
                }
                Err(Halt)
            }
        }
    }

    /// The same for an engine that can call the guest meanwhile.
    ///
    /// # Errors
    /// Those of [`Session::host_call`].
    pub(crate) fn host_turn(
        &mut self,
        function: u32,
        arguments: &[WasmValue],
        memories: &mut dyn Memories,
    ) -> Result<HostTurn, Halt> {
        if self.stops() {
            return Err(Halt);
        }
        let answered = self.settle(&memories.views()).and_then(|()| {
            self.around_call(&memories.views())?;
            let answer = match self.host.take() {
                Some(mut host) => {
                    let replied = host.call(function, arguments.to_vec());
                    self.answer(host, replied, Some((function, arguments)), memories)?
                }
                None => Answered::Ends(ask(function, arguments, memories, &self.control.answers, &mut self.out)?),
            };
            self.hands_over(answer, memories)
        });
        self.turn(answered)
    }

    /// Goes on with a host call inside of which the guest was called, now that this has ended.
    ///
    /// # Errors
    /// Those of [`Session::host_call`].
    pub(crate) fn entered(&mut self, ended: Ended, memories: &mut dyn Memories) -> Result<HostTurn, Halt> {
        let end = match (self.end.take(), ended) {
            (Some(end @ (HostEnd::Stopped | HostEnd::Exited(_))), _) => {
                self.end = Some(end);
                return Err(Halt);
            }
            (Some(HostEnd::Trapped(_)), Ended::Trapped { .. }) => GuestOutcome::Trapped(TrapKind::HostError),
            (_, ended) => match guest_end(ended) {
                Some(end) => end,
                None => return Err(Halt),
            },
        };
        let answered = self.settle(&memories.views()).and_then(|()| {
            let Some(mut host) = self.host.take() else { return Ok(Answered::Ends(HostEnd::Stopped)) };
            let replied = host.entry_ended(end);
            let answer = self.answer(host, replied, None, memories)?;
            self.hands_over(answer, memories)
        });
        self.turn(answered)
    }

    /// Does what the host does before the run's next call. Returns a call to make first, whose end
    /// [`Session::between_ended`] takes.
    ///
    /// # Errors
    /// When the run must end: the session knows why.
    pub(crate) fn between(&mut self, memories: &mut dyn Memories) -> Result<Option<ExportCall>, Halt> {
        if self.stops() {
            return Err(Halt);
        }
        let Some(mut host) = self.host.take() else { return Ok(None) };
        let replied = host.between();
        self.go_between(host, replied, memories)
    }

    /// Goes on after a call that [`Session::between`] asked for.
    ///
    /// # Errors
    /// Those of [`Session::between`].
    pub(crate) fn between_ended(
        &mut self,
        ended: Ended,
        memories: &mut dyn Memories,
    ) -> Result<Option<ExportCall>, Halt> {
        let (Some(mut host), Some(end)) = (self.host.take(), guest_end(ended)) else { return Err(Halt) };
        let replied = host.entry_ended(end);
        self.go_between(host, replied, memories)
    }

    fn go_between(
        &mut self,
        host: Host,
        replied: Result<Reply, RecordError>,
        memories: &mut dyn Memories,
    ) -> Result<Option<ExportCall>, Halt> {
        let answered =
            self.answer(host, replied, None, memories).and_then(|answer| self.hands_over(answer, memories));
        let answered = match answered {
            Ok(Answered::Ends(HostEnd::Trapped(why))) => self
                .out
                .message(&Message::Unanswered { why, damaged: false })
                .map(|()| Answered::Ends(HostEnd::Stopped)),
            answered => answered,
        };
        Ok(match self.turn(answered)? {
            HostTurn::Returns(_) => None,
            HostTurn::Enters(call) => Some(call),
        })
    }

    /// Tells the host how one of the run's calls ended. Records of the guest's must have been taken.
    ///
    /// # Errors
    /// When the host cannot go on from there.
    pub(crate) fn left(&mut self, end: GuestOutcome) -> Result<(), Halt> {
        let Some(host) = &mut self.host else { return Ok(()) };
        let told = match host.leave(end) {
            Ok((event, other)) => host_records(&event)
                .iter()
                .try_for_each(|record| self.host_record(record))
                .and_then(|()| self.drain())
                .and_then(|()| match other {
                    Some(why) => {
                        self.out.message(&Message::Unanswered { why, damaged: false })?;
                        Ok(Answered::Ends(HostEnd::Stopped))
                    }
                    None => Ok(Answered::Ends(HostEnd::Returned(Vec::new()))),
                }),
            Err(error) => self
                .out
                .message(&Message::Unanswered { why: error.to_string(), damaged: true })
                .map(|()| Answered::Ends(HostEnd::Stopped)),
        };
        self.turn(told).map(|_| ())
    }

    /// Memory is what the host has made of it, and the guest goes on.
    fn hands_over(&mut self, answer: Answered, memories: &mut dyn Memories) -> io::Result<Answered> {
        self.glance(&memories.views())?;
        self.around_call(&memories.views())?;
        Ok(answer)
    }

    fn turn(&mut self, answered: io::Result<Answered>) -> Result<HostTurn, Halt> {
        match answered {
            Ok(Answered::Ends(HostEnd::Returned(values))) => Ok(HostTurn::Returns(values)),
            Ok(Answered::Enters(call)) => Ok(HostTurn::Enters(call)),
            Ok(Answered::Ends(end)) => {
                self.end = Some(end);
                Err(Halt)
            }
            Err(error) => {
                self.fail(error);
                Err(Halt)
            }
        }
    }

    /// Goes on with what the host has replied, in this process, and puts its steps among the records. `called` is the
    /// function that the guest has called, with its arguments.
    fn answer(
        &mut self,
        mut host: Host,
        mut replied: Result<Reply, RecordError>,
        called: Option<(u32, &[WasmValue])>,
        memories: &mut dyn Memories,
    ) -> io::Result<Answered> {
        let answered = loop {
            let Reply { order, events, unanswered } = match replied {
                Ok(reply) => reply,
                Err(error) => {
                    self.out.message(&Message::Unanswered { why: error.to_string(), damaged: true })?;
                    break Answered::Ends(HostEnd::Stopped);
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
                Order::CallHost => match called {
                    Some((function, arguments)) => host.answered(memories.own_host(function, arguments)),
                    None => break Answered::Ends(HostEnd::Stopped),
                },
                Order::Answer(answer) => break Answered::Ends(apply(answer, memories)),
                Order::Enter(entry) => match change(&entry.grows, &entry.writes, memories) {
                    Ok(()) => {
                        let (function, arguments) = (entry.function, entry.arguments);
                        // JavaScript has no vectors.
                        break Answered::Enters(ExportCall { function, arguments, vectors: false });
                    }
                    Err(why) => break Answered::Ends(HostEnd::Trapped(why)),
                },
                Order::Stop | Order::Show(_) | Order::Record(_) | Order::Pass => {
                    break Answered::Ends(HostEnd::Stopped);
                }
            };
        };
        self.host = Some(host);
        Ok(answered)
    }
}

/// How a call of the guest ended for its host; `None` if the run is over with it.
fn guest_end(ended: Ended) -> Option<GuestOutcome> {
    match ended {
        Ended::Returned(values) => Some(GuestOutcome::Returned(values)),
        Ended::Trapped { trap, .. } => Some(GuestOutcome::Trapped(trap)),
        Ended::Exited(_) | Ended::Impossible(_) => None,
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
