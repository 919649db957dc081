//! A run whose events are streamed: the first run, and what it takes to lose nothing where it ends before its end.

use super::ending::Ending;
use super::failure::Failure;
use super::first::{First, Tail};
use super::hosting::{Asked, Hosting};
use super::images::Moment;
use super::original::{self, Original};
use super::process::Status;
use super::runs::{Look, Ran, Runs, Streamed};
use super::template::Template;
use crate::instrument::standalone::{Answers, Stop, Types};
use crate::job::{Job, Run};
use crate::link::{Out, Stop as Stopped};
use crate::protocol::{HostEnd, Message};
use crate::spec::CommandSpec;
use forkpoint_traces::{Stage, TrapKind};
use std::cell::Cell;
use std::path::Path;

/// Export that commands run.
const ENTRY: &str = "_start";

/// A module that does nothing when it runs: it exports `_start` and `main`, and a memory.
const NOTHING: &[u8] = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x05\x03\x01\0\x01\x07\x1a\x03\x06_start\0\0\x04main\0\0\x06memory\x02\0\x0a\x04\x01\x02\0\x0b";

/// A run by a command.
pub(super) struct Stream<'a> {
    pub(super) spec: &'a CommandSpec,
    pub(super) job: &'a Job,
    pub(super) run: &'a Run,
    pub(super) template: &'a Template,
    pub(super) folder: &'a Path,
    pub(super) module: &'a [u8],
    pub(super) answers: &'a Answers,
    pub(super) hosting: Hosting,
    pub(super) stop: &'a Stopped,
    pub(super) count: &'a Cell<u32>,
    pub(super) out: &'a mut Out,
}

/// What the first run left.
struct Left {
    began: bool,
    instantiated: bool,
    ended: bool,
    records: u64,
    digest: u128,
    calls: u32,
    call_was_last: bool,
    asked: Option<Asked>,
    unclear: bool,
    mark: Option<u32>,
    /// The call that did not end.
    current: Option<Option<u32>>,
}

impl Stream<'_> {
    /// Runs the module, and tells the recorder.
    pub(super) fn tell(&mut self) -> Result<(), Failure> {
        let Stream { spec, run, template, folder, module, answers, stop, count, .. } = *self;
        let types = Types { sites: run.sites, ..Types::of(module, &run.calls, &run.globals)? };
        let entry = spec.function.as_deref().unwrap_or(ENTRY);
        let runs = Runs { template, folder, modules: Vec::new(), stop, limit: None, count };
        let streamed = Streamed { runs, module, run, answers, types: &types, entry };
        let unrecorded = !types.hooked;
        let original = Original { spec, job: self.job, run, template, imports: !types.imports.is_empty() };
        if unrecorded && let Some(ending) = original.ending(&streamed.runs)? {
            return original::ended_unseen(ending, self.out);
        }
        let mut first = First::new(&types, &mut self.hosting, self.out);
        let ran = streamed.once(Look::All, &mut |tale| first.tale(tale));
        let left = Left {
            began: first.began,
            instantiated: first.instantiated,
            ended: first.ended,
            records: first.records,
            digest: first.sum.digest128(),
            calls: first.calls,
            call_was_last: first.call_was_last,
            asked: first.asked.take(),
            unclear: first.unclear,
            mark: first.mark,
            current: first.current,
        };
        let odd = first.odd;
        let ran = ran?;
        if left.ended {
            return Ok(());
        }
        if streamed.runs.stops() {
            return Err(Failure::Stopped);
        }
        if !left.began {
            return self.refused(&streamed, &ran);
        }
        if left.unclear || left.asked.is_some() {
            return self.parted_from_log(&streamed, left);
        }
        let ending = ran.ending(odd);
        if ending == Ending::Other || !left.instantiated {
            return Err(Failure::Failed(format!(
                "the command ended before the module had told everything: {}",
                ran.words()
            )));
        }
        if unrecorded {
            return self.ended_at_once(ending, &ran, &left);
        }
        self.broken_off(&streamed, &left, ending, &ran)
    }

    /// Refuses to go on where calls follow one that did not return: with the process, the module's state is gone.
    fn check_last(&self, current: Option<Option<u32>>) -> Result<(), Failure> {
        let Some(Some(number)) = current else { return Ok(()) };
        let after = self.run.calls.len().saturating_sub(number as usize + 1);
        let call = self.run.calls.get(number as usize).map_or("", |call| call.function.as_str());
        match after {
            0 => Ok(()),
            _ => Err(Failure::Failed(format!(
                "the call of {} ended in a trap, and with it the command: the calls after it, {after} of them, cannot be made in the state that it left; leave them out",
                call.escape_debug()
            ))),
        }
    }

    /// A module that does not record ended by a trap or a crash: nothing says what memory was like then.
    fn ended_at_once(&mut self, ending: Ending, ran: &Ran, left: &Left) -> Result<(), Failure> {
        self.check_last(left.current)?;
        if let Ending::Crashed(_) = ending {
            super::process::last_words(&ran.said());
        }
        original::ends_so(ending, self.out)
    }

    /// The module ended by a trap, or the engine died: its last records are still to come, and then its memories.
    fn broken_off(&mut self, streamed: &Streamed, left: &Left, ending: Ending, ran: &Ran) -> Result<(), Failure> {
        let mut tail = Tail::new(self.out, streamed.types, left.records, left.digest);
        let again = streamed.once(Look::Tail(left.records), &mut |tale| tail.tale(tale))?;
        let Tail { records, sum, same, mark, ended, odd, .. } = tail;
        if streamed.runs.stops() {
            return Err(Failure::Stopped);
        }
        let (ending, repeated) = (odd.map_or(ending, Ending::lost), again.ending(odd));
        if !same || ended || !ending.is_like(&repeated) {
            return Err(Failure::Failed(format!(
                "the run ended early ({}), and when it was repeated to get its last events it {}",
                ran.words(),
                if same {
                    format!("ended otherwise: {}", again.words())
                } else {
                    "did something else before".to_string()
                }
            )));
        }
        self.check_last(left.current)?;
        let (trap, message) = match ending {
            Ending::Crashed(signal) => {
                super::process::last_words(&ran.said());
                return Err(Failure::Crashed(signal));
            }
            Ending::Trapped { trap, message } => (trap, message),
            Ending::Other => return Ok(()),
        };
        if let Some(mark) = mark.or(left.mark) {
            self.out.message(&Message::Marked(mark))?;
        }
        self.out.message(&Message::Trapped { trap, message, frames: Vec::new() })?;
        if trap == TrapKind::StackOverflow {
            // Nothing can be shown from there, and nothing follows from such a run.
            let (globals, tables) = Default::default();
            return Ok(self.out.message(&Message::State { globals, tables })?);
        }
        // Memory as it was then.
        let stop = match (records > left.records, left.call_was_last) {
            (true, _) => Stop::Records(records),
            (false, true) => Stop::After(left.calls - 1),
            (false, false) => Stop::Records(records),
        };
        let nothing = records == 0 && left.calls == 0;
        let moment = self.moment(streamed, stop, nothing)?;
        moment.show(self.out)?;
        // Globals may change after the last event. To see them takes more code, which may change what the engine does: then
        // they are not known.
        let mut state = None;
        if self.run.globals.is_empty() && self.run.tables.is_empty() {
            state = moment.state;
        } else {
            let mut last = Tail::new(self.out, streamed.types, records, sum.digest128());
            let ran = streamed.once(Look::State(records), &mut |tale| last.tale(tale));
            let lost = last.odd.is_some();
            let alike = ran.is_ok_and(|ran| lost || ran.ending(None).is_trap(trap));
            if last.same && last.records == records && alike {
                state = last.state;
            }
        }
        let (globals, tables) = state.unwrap_or_default();
        self.out.message(&Message::State { globals, tables })?;
        Ok(())
    }

    /// The guest made another host call than the log has: the call as it was, and memory as it was then.
    fn parted_from_log(&mut self, streamed: &Streamed, left: Left) -> Result<(), Failure> {
        let moment = self.moment(streamed, Stop::Before(left.calls), false)?;
        let end = match &left.asked {
            Some(asked) => self.hosting.settled(asked, &moment.images, self.out)?,
            None => HostEnd::Stopped,
        };
        if end != HostEnd::Stopped {
            let words = "a host call went another way than the host log, which it follows".to_string();
            return Err(Failure::Failed(words));
        }
        self.out.message(&Message::Stopped)?;
        moment.show(self.out)?;
        let (globals, tables) = moment.state.unwrap_or_default();
        self.out.message(&Message::State { globals, tables })?;
        Ok(())
    }

    /// Memories where a run is told to end.
    fn moment(&mut self, streamed: &Streamed, stop: Stop, first: bool) -> Result<Moment, Failure> {
        let mut moment = Moment::new(streamed.types.page_sizes.clone());
        let ran = streamed.once(Look::Moment(stop), &mut |tale| moment.tale(tale, first))?;
        if streamed.runs.stops() {
            return Err(Failure::Stopped);
        }
        if !moment.whole {
            return Err(Failure::Failed(format!(
                "the run was repeated to see its memories, and did not come as far: {}",
                ran.words()
            )));
        }
        Ok(moment)
    }

    /// The module did not run. If the engine does not run the original either, this is what it says about it.
    fn refused(&mut self, streamed: &Streamed, ran: &Ran) -> Result<(), Failure> {
        let original = std::fs::read(&self.job.original)?;
        let function = self.run.calls.first().map_or(ENTRY, |call| call.function.as_str());
        let plain = streamed.runs.plain(&original, function, &[])?;
        // A command that runs nothing at all says nothing about this module.
        let control = streamed.runs.plain(NOTHING, streamed.entry, &[])?;
        if streamed.runs.stops() {
            return Err(Failure::Stopped);
        }
        if control.ended.status != Status::Code(0) {
            let words = format!("the command does not run a module that does nothing: {}", ran.words());
            return Err(Failure::Failed(words));
        }
        let same_end = plain.ended.status == ran.ended.status && plain.ended.status != Status::Code(0);
        match ran.ended.status {
            Status::Signal(signal) if same_end => {
                super::process::last_words(&ran.said());
                Err(Failure::Crashed(signal))
            }
            _ if same_end => {
                let message = plain.said();
                let words = message.to_lowercase();
                let instantiates = words.contains("data segment") || words.contains("instantiat");
                let stage = if instantiates { Stage::Instantiate } else { Stage::Compile };
                self.out.message(&Message::Accepted(Stage::Validate))?;
                self.out.message(&Message::Rejected { stage, message, offset: None, code: None })?;
                Err(Failure::Stopped)
            }
            _ => Err(Failure::Failed(format!(
                "the module that records by itself sent nothing: {}. The original module: {}",
                ran.words(),
                plain.words()
            ))),
        }
    }
}
