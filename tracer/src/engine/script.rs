//! A program of several modules under any engine: its directives in order, and what is reported of each.

use super::drive::{self, Ended, Engine, Rejected};
use super::session::Session;
use super::world::{NoInstance, World};
use crate::instrument::START_EXPORT;
use crate::job::{DirectiveJob, ExportCall, InstanceJob, Job, Run, ScriptJob};
use crate::link::{Control, Out};
use crate::observe::send_image;
use crate::protocol::{HostEnd, Message};
use crate::shared::Slots;
use forkpoint_traces::{Stage, TrapKind};
use std::io;
use std::path::Path;

/// Does the job and reports; an error means that the parent is gone.
pub(super) fn drive(
    engine: &dyn Engine,
    job: &Job,
    run: &Run,
    script: &ScriptJob,
    (mut out, control, slots): (Out, Control, Slots),
) -> io::Result<()> {
    out.message(&drive::hello(engine, job))?;
    let folder = job.module.parent().unwrap_or(Path::new(""));
    let session = Session::new(out.clone(), control, slots, run, folder)?;
    let mut world = match engine.world(run, session) {
        Ok(world) => world,
        Err(words) => return out.message(&Message::SetupFailed(words)),
    };
    let mut play = Play { engine, world: &mut *world, script, folder, out, memories: 0 };
    for (number, directive) in script.directives.iter().enumerate() {
        play.out.message(&Message::Directive(number as u32))?;
        if play.directive(directive)? {
            break;
        }
        play.out.message(&Message::DirectiveEnd)?;
    }
    play.end()
}

/// A program that runs.
struct Play<'a> {
    engine: &'a dyn Engine,
    world: &'a mut dyn World,
    script: &'a ScriptJob,
    folder: &'a Path,
    out: Out,
    /// How many memories there are so far.
    memories: usize,
}

impl Play<'_> {
    /// One directive. Whether the run is over with it.
    fn directive(&mut self, directive: &DirectiveJob) -> io::Result<bool> {
        match directive {
            DirectiveJob::Instantiate { instance } => self.instantiate(*instance),
            DirectiveJob::Check { module } => {
                let path = self.folder.join(module);
                match self.engine.validate(&path).and_then(|()| self.world.check(&path)) {
                    Ok(()) => self.out.message(&Message::Accepted(Stage::Compile))?,
                    Err(rejected) => self.refused(&rejected)?,
                }
                Ok(false)
            }
            DirectiveJob::Call { instance, call } => match self.world.has(*instance) {
                true => self.call(*instance, call, false),
                false => Ok(false),
            },
            DirectiveJob::Get { instance, global } => {
                if let Some(value) = self.world.has(*instance).then(|| self.world.global(*instance, global)).flatten()
                {
                    self.out.message(&Message::Returned(vec![value]))?;
                }
                Ok(false)
            }
        }
    }

    fn refused(&mut self, rejected: &Rejected) -> io::Result<()> {
        let message = rejected.message.replace(&format!("{}/", self.folder.display()), "");
        self.out.message(&Message::Refused { stage: rejected.stage, message })
    }

    fn instantiate(&mut self, number: u32) -> io::Result<bool> {
        let Some(instance) = self.script.instances.get(number as usize) else { return Ok(false) };
        let first = self.memories;
        self.memories += instance.memories.len();
        let made = match self.engine.validate(&self.folder.join(&instance.original)) {
            Ok(()) if instance.stages_only => {
                let checked = self.world.check(&self.folder.join(&instance.module));
                self.world.instantiate(Path::new(""), instance).err();
                checked.map(|()| false).map_err(NoInstance::Rejected)
            }
            Ok(()) => self.world.instantiate(&self.folder.join(&instance.module), instance).map(|()| true),
            Err(rejected) => {
                // The numbers of later instances and memories go on.
                self.world.instantiate(Path::new(""), instance).err();
                Err(NoInstance::Rejected(rejected))
            }
        };
        match made {
            Ok(false) => self.out.message(&Message::Accepted(Stage::Compile)).map(|()| false),
            Err(NoInstance::Rejected(rejected)) => self.refused(&rejected).map(|()| false),
            Err(NoInstance::Trapped(ended)) => self.trapped(ended, instance),
            Ok(true) => {
                self.world.visit(&mut |session, views| {
                    let own = views.iter().skip(first);
                    own.take(instance.memories.len()).try_for_each(|view| send_image(view, &mut session.out))
                })?;
                self.out.message(&Message::Instantiated)?;
                self.compare()?;
                let start = ExportCall { function: START_EXPORT.to_string(), arguments: Vec::new(), vectors: false };
                if instance.has_start { self.call(number, &start, true) } else { Ok(false) }
            }
        }
    }

    /// A segment did not fit: earlier ones may have been copied to memories that are imported.
    fn trapped(&mut self, ended: Ended, _: &InstanceJob) -> io::Result<bool> {
        if let Ended::Trapped { trap, message, .. } = ended {
            self.out.message(&Message::Trapped { trap, message, frames: Vec::new() })?;
        }
        self.compare()?;
        Ok(false)
    }

    /// Has the recorder compare all memories.
    fn compare(&mut self) -> io::Result<()> {
        self.world.visit(&mut |session, views| session.compare(views))
    }

    fn call(&mut self, instance: u32, call: &ExportCall, is_start: bool) -> io::Result<bool> {
        self.world.visit(&mut |session, _| {
            session.begin_call();
            Ok(())
        })?;
        self.out.message(&Message::Call((!is_start).then_some(instance)))?;
        let ended = self.world.call(instance, call);
        let mut end = None;
        self.world.visit(&mut |session, views| {
            end = session.take_end()?;
            session.settle(views)?;
            session.compare_if_recorded(views)
        })?;
        let message = match (end, ended) {
            (Some(HostEnd::Stopped), Ended::Trapped { .. }) => Message::Stopped,
            (_, Ended::Impossible(message)) => {
                Message::Trapped { trap: TrapKind::HostError, message, frames: Vec::new() }
            }
            (_, Ended::Returned(values)) => Message::Returned(values),
            (_, Ended::Trapped { trap, message, frames }) => Message::Trapped { trap, message, frames },
            (_, Ended::Exited(code)) => Message::Exited(code),
        };
        self.out.message(&message)?;
        Ok(matches!(message, Message::Stopped | Message::Exited(_)))
    }

    /// All directives are done, or the run was ended: what is there now.
    fn end(mut self) -> io::Result<()> {
        self.world
            .visit(&mut |session, views| views.iter().try_for_each(|view| send_image(view, &mut session.out)))?;
        let (mut globals, mut tables) = (Vec::new(), Vec::new());
        for (number, instance) in self.script.instances.iter().enumerate() {
            let number = number as u32;
            if self.world.has(number) {
                globals.extend(instance.globals.iter().filter_map(|name| self.world.global(number, name)));
                tables.extend(instance.tables.iter().filter_map(|name| self.world.table(number, name)));
            }
        }
        self.out.message(&Message::State { globals, tables })?;
        self.out.message(&Message::End)
    }
}
