//! The same run without recording: what recording is measured against, and what it must not change.

use super::course::{Course, Turn};
use super::end::{EndMemories, EndState};
use super::launch::launch;
use super::process::answer;
use super::{Phase, Program, Request};
use crate::error::RecordError;
use crate::job::{Checkpoints, Run};
use crate::protocol::{Frame, Message};
use forkpoint_traces::{EngineInfo, Outcome, PAGE, written_pages};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// A run of the original module in the same kind of process.
#[derive(Debug, Clone)]
pub struct Plain {
    /// The engine, as it says itself.
    pub engine: Option<EngineInfo>,
    /// How it ended, and its memories, globals and tables at the end.
    pub end: EndState,
    /// Wall-clock time of the engine's processes.
    pub elapsed: Duration,
    /// The part of it between instantiation and the end of the last call.
    pub running: Duration,
    /// How often the command of an engine that is one was run.
    pub command_runs: u32,
}

impl Program {
    /// Runs the original module as [`Program::record`] runs the rewritten one, and writes no trace. Nothing is
    /// added to the module but exports, so that its end state can be looked at.
    ///
    /// # Errors
    /// When the engine's process cannot be started or breaks the protocol.
    pub fn run_plain(&self, request: &Request) -> Result<Plain, RecordError> {
        let begun = Instant::now();
        request.gauge.enter(Phase::Rewriting);
        let module = self.exposed()?;
        let plain = Run { native_limit: 0, watch: None, digests: None, ..self.run(request, &module) };
        let run = Run { checkpoints: Checkpoints::None, ..plain };
        self.check_host(request)?;
        let mut seen =
            Seen { course: Course::new(self, &module, request)?, engine: None, memories: EndMemories::default() };
        let launched = launch(self, request, &module, run, |frame, socket| seen.frame(frame, socket))?;
        let Seen { mut course, engine, memories } = seen;
        course.check_end(&launched)?;
        let last_words = course.end(&launched)?;
        let running = course.running();
        let end = EndState {
            outcome: course.outcome.unwrap_or(Outcome::Interrupted),
            message: course.message.or(last_words),
            calls: course.calls,
            memories: memories.finish(),
            globals: course.globals,
            tables: course.tables,
        };
        Ok(Plain { engine, end, elapsed: begun.elapsed(), running, command_runs: course.command_runs })
    }
}

/// What was seen of the run so far.
struct Seen<'a> {
    course: Course<'a>,
    engine: Option<EngineInfo>,
    memories: EndMemories,
}

impl Seen<'_> {
    fn frame(&mut self, frame: Frame, socket: &mut UnixStream) -> Result<(), RecordError> {
        // No events are there to tell a memory's size.
        match self.course.take(frame, |_| None)? {
            Turn::Up(engine) => self.engine = Some(engine),
            // Memories at the end are what counts.
            Turn::Instantiated => self.memories.clear(),
            Turn::Host(reply) => answer(&reply.order, socket)?,
            // Nor do those of new instances of a program.
            Turn::Other(Frame::Message(Message::Image { .. }) | Frame::Image { .. }) if self.course.is_loading() => {}
            Turn::Other(Frame::Message(Message::Image { pages, .. })) => self.memories.begin(pages),
            Turn::Other(Frame::Image { address, bytes, .. }) => {
                let first = address / PAGE;
                for (number, page) in written_pages(&bytes) {
                    self.memories.page(first.saturating_add(number), page)?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}
