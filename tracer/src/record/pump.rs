//! Turns the child's frames into a trace.

mod close;
mod digested;
mod memory;
mod records;
mod script;

use super::course::{Course, Turn};
use super::images::ShownImage;
use super::marks::Marks;
use super::mismatches::Mismatches;
use super::process::answer;
use super::sought::Search;
use super::watch::Watching;
use super::{HostSource, Keep, Program, Progress, Request, checkpoints, header, javascript, native, trap};
use crate::error::RecordError;
use crate::instrument::{Covered, Digester, Given, Instrumented, RecordDecoder, STRETCH, Style};
use crate::protocol::{Frame, Message, NativeFrame, Order, TrapFrame};
use crate::shared;
use digested::DigestedThere;
use forkpoint_traces::{
    EngineInfo, EngineWords, FuncIndex, HostEvent, MAX_CHUNK_EVENTS, MemoryState, Milestone, Outcome, Stage,
    TraceWriter, TrapKind,
};
use std::collections::HashSet;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Events in a chunk: see docs/performance.md for what other sizes cost.
const CHUNK_EVENTS: u32 = MAX_CHUNK_EVENTS;

/// An initial memory image in pieces: address and bytes. Held until every memory is known.
type Pieces = Vec<(u64, Vec<u8>)>;

/// A recording in progress.
pub(super) struct Pump<'a> {
    program: &'a Program,
    course: Course<'a>,
    rewritten: &'a Instrumented,
    request: &'a Request,
    output: &'a Path,
    /// Which host answers for real.
    own_host: Option<String>,
    /// Whether the engine's runner may lose events in a crash and can do otherwise.
    offers_care: bool,
    style: Style,
    progress: Progress<'a>,
    decoder: RecordDecoder,
    /// Digests events, where not all of them are kept.
    digester: Option<Digester>,
    /// Or what the engine's process says of its digests.
    there: Option<DigestedThere>,
    /// Number of events of instructions that the writer has seen.
    instructions: u64,
    recorded_functions: HashSet<FuncIndex>,
    writer: Option<TraceWriter>,
    /// Where watched bytes are compared after every event.
    watching: Option<Watching>,
    /// Where the last writer of some bytes is sought.
    search: Option<Search>,
    checkpoint: Option<checkpoints::Digests>,
    incoming: Option<ShownImage>,
    initial: Vec<(ShownImage, Pieces)>,
    /// What JavaScript gives the module that it is about to instantiate.
    given: Option<Given>,
    /// The last stage at which the engine accepted the module.
    accepted: Option<Stage>,
    compiling: Option<Duration>,
    final_memories: Vec<MemoryState>,
    mismatches: Mismatches,
    marks: Marks,
    /// Whether the run was asked to end because there are enough notes.
    cut: bool,
    /// How many bytes of memory were not what the events say, and how many may be once there are many.
    observed: u64,
    most_observed: Option<u64>,
    /// Pages that the model has for no other reason than that.
    found_pages: u64,
    /// The engine's words at the end, but for the course's message.
    words: EngineWords,
    /// Blocks of records received.
    blocks: u32,
    /// What the trace calls the engine: as the user wrote it, whatever a runner calls it.
    spec: String,
}

impl<'a> Pump<'a> {
    pub(super) fn new(
        program: &'a Program,
        rewritten: &'a Instrumented,
        request: &'a Request,
        output: &'a Path,
        progress: Progress<'a>,
    ) -> Result<Pump<'a>, RecordError> {
        let there = program.digests_there(request);
        Ok(Pump {
            program,
            course: Course::new(program, rewritten, request)?,
            rewritten,
            request,
            output,
            own_host: None,
            offers_care: false,
            style: program.options(request).style,
            progress,
            decoder: rewritten.decoder(),
            digester: (request.digests() && !there).then(|| Digester::every(STRETCH)),
            there: there.then(DigestedThere::default),
            instructions: 0,
            recorded_functions: rewritten.sites.iter().map(|site| site.func).collect(),
            writer: None,
            watching: None,
            search: request.sought.clone().map(Search::new),
            checkpoint: None,
            incoming: None,
            initial: Vec::new(),
            given: None,
            accepted: None,
            compiling: None,
            final_memories: Vec::new(),
            mismatches: Mismatches::default(),
            marks: Marks::new(rewritten, &program.options(request)),
            cut: false,
            observed: 0,
            most_observed: None,
            found_pages: 0,
            words: EngineWords::default(),
            blocks: 0,
            spec: request.engine.to_string(),
        })
    }

    /// What runs is no engine of the user's choice, but this one.
    pub(super) fn made_by(&mut self, spec: &str) {
        self.spec = spec.to_string();
    }

    fn writer(&mut self) -> Result<&mut TraceWriter, RecordError> {
        self.writer.as_mut().ok_or_else(|| RecordError::Protocol("a frame before the first, `Hello`".to_string()))
    }

    /// Takes a frame; answers go to `socket`.
    pub(super) fn frame(&mut self, frame: Frame, socket: &mut UnixStream) -> Result<(), RecordError> {
        let model = self.writer.as_ref().map(TraceWriter::image);
        let turn = self.course.take(frame, |memory| Some(model?.size(memory)?.bytes()))?;
        let events = self.writer.as_ref().map_or(0, TraceWriter::events);
        if self.marks.enough(events) && !self.cut {
            self.cut = true;
            answer(&Order::Stop, socket)?;
        }
        self.turn(turn, socket)
    }

    /// Records what a turn of the run's course means.
    fn turn(&mut self, turn: Turn, socket: &mut UnixStream) -> Result<(), RecordError> {
        match turn {
            Turn::Nothing => Ok(()),
            Turn::Up(engine) => self.up(engine),
            Turn::Accepted(stage) => self.accepted(stage),
            Turn::Rejected { stage, offset, code } => {
                if stage == Stage::Instantiate {
                    self.accepted(Stage::Compile)?;
                }
                let left = self.left_behind()?;
                self.course.message.get_or_insert_default().push_str(&left);
                let offset = if stage == Stage::Validate { offset } else { self.original_offset(offset) };
                self.words = EngineWords { offset, code, ..EngineWords::default() };
                Ok(())
            }
            Turn::Instantiated => self.instantiated(),
            Turn::Began(invoked) => {
                let events = self.writer()?.events();
                self.marks.begin_call(events);
                let Some((function, arguments)) = invoked else { return Ok(()) };
                self.cover(Covered::Invoke);
                Ok(self.writer()?.milestone(&Milestone::Invoke { function, arguments })?)
            }
            Turn::Stepped(written) => {
                if let Some(write) = written {
                    if let (Some(watching), HostEvent::Write { memory, address, bytes }) =
                        (&mut self.watching, &write)
                    {
                        watching.was_written(*memory, *address, bytes);
                    }
                    self.cover_host(&write);
                    self.search_host(&write);
                    self.writer()?.host(&write)?;
                }
                self.settle()
            }
            Turn::Returned(results) => {
                self.settle()?;
                self.cover(Covered::Returned);
                Ok(self.writer()?.milestone(&Milestone::Returned { results })?)
            }
            Turn::Trapped { trap, frames } => self.trapped(trap, frames),
            Turn::Exited(code) => {
                self.settle()?;
                self.cover(Covered::Exited);
                Ok(self.writer()?.milestone(&Milestone::Exited { code })?)
            }
            Turn::Host(reply) => {
                self.settle()?;
                for event in reply.events {
                    self.cover_host(&event);
                    let event = self.marks.placed(event);
                    self.search_host(&event);
                    self.writer()?.host(&event)?;
                }
                answer(&reply.order, socket)
            }
            Turn::Script(turn) => self.script(turn),
            Turn::Other(frame) => self.other(frame, socket),
        }
    }

    /// Takes a frame that is about events and memories alone.
    fn other(&mut self, frame: Frame, socket: &mut UnixStream) -> Result<(), RecordError> {
        match frame {
            Frame::Records(bytes) => {
                shared::count_block(&mut self.blocks);
                self.records(&bytes, Style::Inline)
            }
            Frame::Hooks(bytes) => {
                shared::count_block(&mut self.blocks);
                self.records(&bytes, Style::Hooks)
            }
            Frame::Watched { address, bytes } => {
                if let Some(watching) = &mut self.watching {
                    watching.engine_holds(address, bytes);
                }
                Ok(())
            }
            Frame::Digests { memory, digests } => {
                if let Some(checkpoint) = &mut self.checkpoint {
                    checkpoint.add(memory, &digests);
                }
                Ok(())
            }
            Frame::Image { memory, address, bytes } => self.image_bytes(memory, address, bytes),
            Frame::Native(native) => self.native(native),
            Frame::Message(Message::Image { memory, pages }) => self.image(memory, pages),
            Frame::Message(Message::ImageEnd) => self.image_end(),
            Frame::Message(Message::Watching) => {
                let Some(model) = self.writer.as_ref().map(TraceWriter::image) else {
                    return Err(unannounced("a watch"));
                };
                self.watching = self.request.watch.as_ref().map(|watch| Watching::new(watch, model));
                Ok(())
            }
            Frame::Message(Message::Marked(mark)) => {
                self.marks.come_to(mark);
                Ok(())
            }
            Frame::Message(Message::Given { globals, tables }) => {
                let javascript = self.program.javascript.as_ref().filter(|_| self.request.host == HostSource::Live);
                let Some(javascript) = javascript.filter(|_| self.course.is_loading()) else {
                    return Err(RecordError::Protocol(
                        "a module that is given something where none can be".to_string(),
                    ));
                };
                self.given = Some(javascript::given::said(globals, tables, &javascript.reach)?);
                Ok(())
            }
            Frame::Message(Message::Stretch { events, digest }) => self.stretch(events, &digest),
            Frame::Message(Message::Digested { outside }) => {
                if let Some(there) = &mut self.there {
                    there.end(outside);
                }
                Ok(())
            }
            Frame::Message(Message::Checkpoint { pages }) => self.checkpoint_begin(pages),
            Frame::Message(Message::CheckpointEnd) => self.checkpoint_end(socket),
            Frame::Message(Message::CheckpointDone) => {
                self.checkpoint = None;
                Ok(())
            }
            // The course's, all of them, and `End` is the process's own matter.
            Frame::Guest { .. } | Frame::Message(_) => Ok(()),
        }
    }

    /// The engine is up: the trace begins.
    fn up(&mut self, mut engine: EngineInfo) -> Result<(), RecordError> {
        engine.spec.clone_from(&self.spec);
        self.offers_care =
            engine.settings.iter().any(|(name, kept)| name == header::LAST_EVENTS && kept == header::KEPT_WITH_CARE);
        let header = header::of(self.program, self.request, engine, CHUNK_EVENTS);
        self.own_host = header::own_host(&header.engine).ok();
        let data =
            self.rewritten.data.iter().map(|segment| segment.bytes.start as u32..segment.bytes.end as u32).collect();
        let create = match self.request.keep {
            Keep::Digests => TraceWriter::create_passing,
            Keep::Full | Keep::Window { .. } | Keep::Windows(_) => TraceWriter::create,
        };
        let (module, sites) = (self.program.original.clone(), self.rewritten.sites.clone());
        self.writer = Some(create(self.output, &header, module, sites, data)?);
        Ok(())
    }

    /// Records that the module is accepted at a stage, and so at those before. A stage comes once: what was compiled
    /// ahead is loaded by another process, which says the same again.
    fn accepted(&mut self, stage: Stage) -> Result<(), RecordError> {
        let passed = self.accepted;
        for stage in Stage::ALL.into_iter().filter(|next| Some(*next) > passed && *next <= stage) {
            self.writer()?.milestone(&Milestone::Accepted { stage })?;
        }
        if passed < Some(Stage::Compile) && stage >= Stage::Compile {
            self.compiling = self.course.since_up();
        }
        self.accepted = passed.max(Some(stage));
        Ok(())
    }

    /// An offset in the module that the engine compiles, as one in the original module.
    fn original_offset(&self, offset: Option<u64>) -> Option<u64> {
        if self.program.invalid().is_some() {
            return offset;
        }
        let mapped = self.rewritten.offsets.original(u32::try_from(offset?).ok()?)?;
        Some(u64::from(mapped.offset.0))
    }

    fn native(&mut self, native: NativeFrame) -> Result<(), RecordError> {
        match native::original(native, self.rewritten, &self.recorded_functions) {
            Some(function) => Ok(self.writer()?.native(&function)?),
            None => Ok(()),
        }
    }

    fn trapped(&mut self, trap: TrapKind, frames: Vec<TrapFrame>) -> Result<(), RecordError> {
        self.settle()?;
        self.cover(Covered::Trapped);
        let frames = match self.program.parts() {
            Some(program) => trap::of_program(frames, self.rewritten, program),
            None => trap::original(frames, self.rewritten, &self.program.functions),
        };
        let (mut func, mut offset) = frames.first().map_or((None, None), |frame| (Some(frame.func), frame.offset));
        // The engine's own word counts for more.
        if let Some(place) = self.marks.place()
            && offset.is_none()
            && func.is_none_or(|func| func == place.func)
        {
            (func, offset) = (Some(place.func), place.offset);
        }
        self.writer()?.milestone(&Milestone::Trapped { trap, func, offset })?;
        if self.course.outcome == Some(Outcome::Trapped { trap }) {
            self.course.message = self.course.message.take().map(|message| trap::with_frames(message, &frames));
        }
        Ok(())
    }

    /// Compares watched bytes after the last event, where there are any.
    fn settle(&mut self) -> Result<(), RecordError> {
        if let (Some(watching), Some(writer)) = (&mut self.watching, &mut self.writer) {
            watching.settle(writer, &mut self.mismatches)?;
        }
        Ok(())
    }
}

fn unannounced(what: &str) -> RecordError {
    RecordError::Protocol(format!("{what} of a memory that was not announced"))
}
