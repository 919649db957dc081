//! A program of several modules by a command that links them by their names: a recorder first, the program's modules, and a
//! driver last, which the command runs ([`crate::instrument::standalone`]).

use super::about;
use super::ending::Ending;
use super::failure::Failure;
use super::first::{Tail, sound};
use super::images::Moment;
use super::process::Go;
use super::runs::{Look, Ran, Runs};
use super::scanner::wrong;
use super::tale::{Tale, values};
use super::template::Template;
use crate::engine::linking;
use crate::instrument::IMPORT_MODULE;
use crate::instrument::standalone::{Linked, LinkedPlan, Stop, Types, deferred, layout};
use crate::job::{Checkpoints, Job, Run, ScriptJob};
use crate::link::{Control, Out};
use crate::memories::View;
use crate::observe;
use crate::protocol::{Hello, Message};
use crate::spec::{CommandSpec, Way};
use forkpoint_traces::TrapKind;
use std::cell::Cell;
use std::io;
use std::path::Path;
use xxhash_rust::xxh3::Xxh3;

/// Export that commands run.
const ENTRY: &str = "_start";

/// Most bytes of memory that are compared after a call.
const MOST: u64 = 4 << 30;

/// A program by a command.
pub(super) struct Several<'a> {
    pub(super) spec: &'a CommandSpec,
    pub(super) job: &'a Job,
    pub(super) run: &'a Run,
    pub(super) script: &'a ScriptJob,
    pub(super) template: &'a Template,
    pub(super) control: &'a Control,
    pub(super) count: &'a Cell<u32>,
    pub(super) out: &'a mut Out,
}

/// The program's modules as files, with what surrounds them.
struct Files<'a> {
    linked: &'a Linked<'a>,
    types: &'a Types,
    runs: Runs<'a>,
    entry: &'a str,
    checks: bool,
}

impl Files<'_> {
    /// Runs the program once. `sink` gets what it tells.
    fn once(&self, what: Look, last: Option<usize>, sink: &mut dyn FnMut(Tale) -> io::Result<Go>) -> io::Result<Ran> {
        let magic = [fastrand::u64(1..), fastrand::u64(1..)];
        let (careful, stop) = match what {
            Look::Tail(from) | Look::State(from) => (Some(from), Stop::Never),
            Look::Moment(stop) => (None, stop),
            Look::All => (None, Stop::Never),
        };
        let checks = self.checks && matches!(what, Look::All);
        let plan = LinkedPlan { magic, entry: self.entry, careful, stop, checks, last };
        let made = self.linked.surroundings(&plan).map_err(|error| wrong(error.to_string()))?;
        if let Some((_, recorder)) = self.runs.modules.first() {
            std::fs::write(recorder, &made.recorder)?;
        }
        self.runs.tell(&made.driver, self.entry, self.types, magic, sink)
    }
}

impl Several<'_> {
    /// Runs the program, and tells the recorder.
    pub(super) fn tell(&mut self) -> Result<(), Failure> {
        let way = Way::Stream;
        self.out.message(&Message::Hello(Hello::of(about::about(self.spec, self.template, way, None))))?;
        let folder = self.job.module.parent().unwrap_or(Path::new("."));
        let (mut modules, mut paths) = (Vec::new(), vec![(IMPORT_MODULE.to_string(), folder.join("recorder.wasm"))]);
        for (number, instance) in (0..).zip(&self.script.instances) {
            let module = linking::renamed(&std::fs::read(folder.join(&instance.module))?, instance);
            let module = deferred(&module)?.unwrap_or(module);
            let path = folder.join(format!("{number}.linked.wasm"));
            std::fs::write(&path, &module)?;
            modules.push(module);
            paths.push((linking::name(number), path));
        }
        let linked = Linked::of(self.script, &modules, linking::name)?;
        let types = linked.types(self.run.sites)?;
        let entry = self.spec.function.as_deref().unwrap_or(ENTRY);
        let (template, count) = (self.template, self.count);
        let runs = Runs { template, folder, modules: paths, stop: &self.control.stop, limit: None, count };
        let checks = self.run.checkpoints != Checkpoints::None;
        let files = Files { linked: &linked, types: &types, runs, entry, checks };
        let mut play = Play::new(self.control, &types, self.out, checks);
        let ran = files.once(Look::All, None, &mut |tale| play.tale(tale));
        let left = play.left();
        let ran = ran?;
        if left.ended {
            return Ok(());
        }
        if files.runs.stops() {
            return Err(Failure::Stopped);
        }
        let ending = ran.ending(left.odd);
        if ending == Ending::Other || !left.calling {
            return Err(Failure::Failed(format!(
                "the command ended before the modules had told everything: {}",
                ran.words()
            )));
        }
        let after = self.script.directives.len().saturating_sub(left.next);
        if after > 0 {
            return Err(Failure::Failed(format!(
                "directive {} ended in a trap, and with it the command: what comes after it, {after} of them, cannot be done in the state that it left; leave it out",
                left.next
            )));
        }
        if types.hooked {
            return self.broken_off(&files, &left, ending, &ran);
        }
        // Of a run without recording, nothing says what memory was like then.
        if let Ending::Crashed(_) = ending {
            super::process::last_words(&ran.said());
        }
        super::original::ends_so(ending, self.out)?;
        Ok(self.out.message(&Message::DirectiveEnd)?)
    }

    /// The last call ended by a trap, or the engine died: its last records are still to come, and then memories.
    fn broken_off(&mut self, files: &Files, left: &Left, ending: Ending, ran: &Ran) -> Result<(), Failure> {
        let mut tail = Tail::new(self.out, files.types, left.records, left.digest);
        let again = files.once(Look::Tail(left.records), None, &mut |tale| tail.tale(tale))?;
        let Tail { records, same, ended, odd, .. } = tail;
        if files.runs.stops() {
            return Err(Failure::Stopped);
        }
        let (ending, repeated) = (odd.map_or(ending, Ending::lost), again.ending(odd));
        if !same || ended || !ending.is_like(&repeated) {
            return Err(Failure::Failed(format!(
                "the run ended early ({}), and went another way when it was repeated to get its last events ({})",
                ran.words(),
                again.words()
            )));
        }
        let (trap, message) = match ending {
            Ending::Crashed(signal) => {
                super::process::last_words(&ran.said());
                return Err(Failure::Crashed(signal));
            }
            Ending::Trapped { trap, message } => (trap, message),
            Ending::Other => return Ok(()),
        };
        self.out.message(&Message::Trapped { trap, message, frames: Vec::new() })?;
        if trap == TrapKind::StackOverflow {
            // Nothing can be shown from there.
            self.out.message(&Message::DirectiveEnd)?;
            return Ok(self.out.message(&Message::State { globals: Vec::new(), tables: Vec::new() })?);
        }
        let mut moment = Moment::new(files.types.page_sizes.clone());
        // Where the call recorded nothing, memory is as it was before.
        let (stop, last) = match records > left.before {
            true => (Stop::Records(records), None),
            false => (Stop::Never, Some(left.next.saturating_sub(1))),
        };
        let ran = files.once(Look::Moment(stop), last, &mut |tale| moment.tale(tale, false))?;
        if files.runs.stops() {
            return Err(Failure::Stopped);
        }
        if !moment.whole {
            return Err(Failure::Failed(format!(
                "the run was repeated to see its memories, and did not come as far: {}",
                ran.words()
            )));
        }
        if files.checks && records > left.before {
            checkpoint(&moment, self.control, self.out)?;
        }
        self.out.message(&Message::DirectiveEnd)?;
        moment.show(self.out)?;
        Ok(self.out.message(&Message::State { globals: Vec::new(), tables: Vec::new() })?)
    }
}

/// Has the recorder compare memories as they were shown.
fn checkpoint(moment: &Moment, control: &Control, out: &mut Out) -> io::Result<()> {
    let size = moment.images.iter().fold(0_u64, |size, image| size.saturating_add(image.size()));
    if size > MOST {
        return Err(wrong(format!("memories of more than {MOST} bytes")));
    }
    let bytes: Vec<Vec<u8>> = moment.images.iter().map(|image| image.bytes(0, image.size() as usize)).collect();
    let views = moment.images.iter().zip(&bytes);
    let views: Vec<View> =
        views.map(|(image, bytes)| View { memory: image.memory, pages: image.pages(), bytes }).collect();
    if views.is_empty() { Ok(()) } else { observe::checkpoint(&views, &control.answers, out) }
}

/// What the first run left.
struct Left {
    ended: bool,
    /// Whether a call was going on.
    calling: bool,
    /// Bytes of records, and those before the last directive.
    records: u64,
    before: u64,
    digest: u128,
    odd: Option<u32>,
    /// The directive after the last one that began.
    next: usize,
}

/// The run that is recorded.
struct Play<'a> {
    control: &'a Control,
    types: &'a Types,
    out: &'a mut Out,
    checks: bool,
    began: bool,
    ended: bool,
    calling: bool,
    records: u64,
    before: u64,
    sum: Xxh3,
    odd: Option<u32>,
    next: usize,
    /// Whether a directive is going on.
    inside: bool,
    /// Whether there were records since memories were compared.
    recorded: bool,
    /// Memories as they are shown after a call; otherwise they are passed on.
    shown: Option<Moment>,
    memory: u32,
}

impl<'a> Play<'a> {
    fn new(control: &'a Control, types: &'a Types, out: &'a mut Out, checks: bool) -> Play<'a> {
        Play {
            control,
            types,
            out,
            checks,
            began: false,
            ended: false,
            calling: false,
            records: 0,
            before: 0,
            sum: Xxh3::new(),
            odd: None,
            next: 0,
            inside: false,
            recorded: false,
            shown: None,
            memory: 0,
        }
    }

    fn left(&self) -> Left {
        let Play { ended, calling, records, before, odd, next, .. } = *self;
        Left { ended, calling, records, before, digest: self.sum.digest128(), odd, next }
    }

    /// A directive is over.
    fn leave(&mut self) -> io::Result<()> {
        self.shown = None;
        match std::mem::take(&mut self.inside) {
            true => self.out.message(&Message::DirectiveEnd),
            false => Ok(()),
        }
    }

    /// Takes what the program tells next.
    fn tale(&mut self, tale: Tale) -> io::Result<Go> {
        if self.ended || (!self.began && !matches!(tale, Tale::Begin)) {
            return Err(wrong("a frame before the first one, or after the last one"));
        }
        match tale {
            Tale::Begin => self.began = true,
            Tale::Directive(layout::START) => self.leave()?,
            Tale::Directive(number) => {
                if number as usize != self.next || self.calling {
                    return Err(wrong(format!("directive {number} where {} was expected", self.next)));
                }
                self.leave()?;
                (self.next, self.inside, self.before) = (self.next + 1, true, self.records);
                self.out.message(&Message::Directive(number))?;
            }
            Tale::Image { .. } | Tale::Blocks(_) if self.shown.is_some() => {
                if let Some(shown) = &mut self.shown {
                    shown.tale(tale, false)?;
                }
            }
            Tale::ImageEnd if self.shown.is_some() => {}
            Tale::Check => {
                if let Some(shown) = self.shown.take()
                    && std::mem::take(&mut self.recorded)
                {
                    checkpoint(&shown, self.control, self.out)?;
                }
            }
            Tale::Image { memory, pages } => {
                self.memory = memory;
                self.out.message(&Message::Image { memory, pages })?;
            }
            Tale::Blocks(blocks) => {
                blocks.into_iter().try_for_each(|(address, bytes)| self.out.image(self.memory, address, bytes))?;
            }
            Tale::ImageEnd => self.out.message(&Message::ImageEnd)?,
            Tale::Instantiated => self.out.message(&Message::Instantiated)?,
            Tale::Call(number) => {
                self.calling = true;
                self.out.message(&Message::Call(number))?;
            }
            Tale::Records(records) => {
                let (sound, odd) = sound(records, self.types.sites);
                self.records += sound.len() as u64;
                self.sum.update(sound);
                if !sound.is_empty() {
                    self.recorded = true;
                    self.out.hooks(sound)?;
                }
                if odd.is_some() {
                    self.odd = odd;
                    return Ok(Go::End);
                }
            }
            Tale::Returned(bytes) => {
                // A start function has no results, and other types than the directive's.
                let results = self.next.checked_sub(1).and_then(|last| self.types.calls.get(last));
                self.out.message(&Message::Returned(values(results.map_or(&[], Vec::as_slice), bytes)?))?;
                if std::mem::take(&mut self.calling) && self.checks {
                    self.shown = Some(Moment::new(self.types.page_sizes.clone()));
                }
            }
            Tale::Mark(_) => {}
            Tale::State { globals, tables } => self.out.message(&Message::State { globals, tables })?,
            Tale::End => self.ended = true,
            Tale::HostCall { .. } | Tale::Read { .. } | Tale::Served => {
                return Err(wrong("a host call of a program that has no host"));
            }
        }
        Ok(Go::On)
    }
}
