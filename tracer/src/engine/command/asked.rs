//! A run by a command that gives one answer a run.

use super::asker::{Asker, Reading};
use super::ending::Ending;
use super::failure::Failure;
use super::indirect::Indirect;
use super::reference::Reference;
use super::runs::Runs;
use super::template::Template;
use crate::host::answer::HostSpec;
use crate::instrument::standalone::{Answers, Types, What};
use crate::instrument::{Options, Original, Style};
use crate::job::{Job, Run};
use crate::link::{Out, Stop};
use crate::protocol::Message;
use crate::spec::CommandSpec;
use forkpoint_traces::{Stage, TrapKind};
use std::cell::Cell;
use std::path::Path;

/// Names under which a module exports what is run, where the command is not told a name.
const ENTRIES: [&str; 2] = ["_start", "main"];
/// The name that it is told.
const NAMED: &str = "forkpoint";

/// What a run is made of.
pub(super) struct Setting<'a> {
    pub(super) spec: &'a CommandSpec,
    pub(super) job: &'a Job,
    pub(super) run: &'a Run,
    pub(super) template: &'a Template,
    pub(super) folder: &'a Path,
    pub(super) module: &'a [u8],
    pub(super) stop: &'a Stop,
    /// Counts runs of the command.
    pub(super) count: &'a Cell<u32>,
}

impl<'a> Setting<'a> {
    /// The names of the function that answers.
    pub(super) fn entries(spec: &'a CommandSpec, template: &Template) -> Vec<&'a str> {
        match &spec.function {
            Some(function) => vec![function],
            None if template.names_function() => vec![NAMED],
            None => ENTRIES.to_vec(),
        }
    }
}

/// Asks, and tells the recorder what the run is.
pub(super) fn tell(
    setting: &Setting,
    host: &HostSpec,
    answers: &Answers,
    reading: Reading,
    out: &mut Out,
) -> Result<(), Failure> {
    let Setting { spec, job, run, template, folder, module, stop, count } = *setting;
    let types = Types::of(module, &run.calls, &run.globals)?;
    let original = std::fs::read(&job.original)?;
    let hooks = Options { style: Style::Hooks, ..Options::default() };
    let instrumented = Original::read(original.into())?.instrument(&hooks)?;
    if types.hooked && instrumented.sites.len() as u32 != run.sites {
        let why = "a command that gives one answer a run is asked for events only, and for all of them";
        return Err(Failure::Setup(why.to_string()));
    }
    let decoder = instrumented.decoder();
    let masks = decoder.masks();
    let runs = Runs { template, folder, modules: Vec::new(), stop, limit: None, count };
    let entries = Setting::entries(spec, template);
    let mut asker = Asker { runs, module, run, answers, masks: &masks, entries, reading };
    asker.settle()?;
    let as_it_is = super::original::Original { spec, job, run, template, imports: !types.imports.is_empty() };
    if !types.hooked
        && let Some(ending) = as_it_is.ending(&asker.runs)?
    {
        return super::original::ended_unseen(ending, out);
    }
    if !types.hooked {
        return plain(asker, &types, out);
    }
    let Some(reference) = &run.reference else {
        let why = "a command that gives one answer a run has no trace of its own: compare it with another engine, whose trace \
                   answers are held against";
        return Err(Failure::Setup(why.to_string()));
    };
    let narrow = |site: &forkpoint_traces::Site| {
        instrumented.memories.get(site.memory.0 as usize).is_none_or(|memory| !memory.memory64)
    };
    let narrow = instrumented.sites.iter().map(narrow).collect();
    let callers = (1..)
        .zip(&instrumented.marks)
        .map(|(number, mark)| ((mark.func.0, mark.offset.map(|offset| offset.0)), number))
        .collect();
    let imports = host.functions.iter().map(|function| function.import.clone()).collect();
    let reference = Reference::open(reference, decoder.clone())?;
    Indirect { asker, reference, decoder, types: &types, imports, callers, narrow, out }.tell()
}

/// A run that is not recorded: how it ends, and with which results.
fn plain(mut asker: Asker, types: &Types, out: &mut Out) -> Result<(), Failure> {
    let finished = asker.finishes()?;
    for message in [Message::Accepted(Stage::Validate), Message::Accepted(Stage::Compile), Message::Instantiated] {
        out.message(&message)?;
    }
    let first = u32::from(asker.run.has_start);
    let calls = asker.run.calls.len() as u32 + first;
    for call in 0..calls {
        out.message(&Message::Call(call.checked_sub(first)))?;
        // A host call may have ended it.
        let sure = finished.is_ok() && types.imports.is_empty();
        let returned = sure || asker.is(u64::MAX, What::Result { call, word: u32::MAX })? == Some(true);
        if let (false, Ok(())) = (returned, &finished) {
            return match asker.answers.exit() {
                Some(code) => Ok(out.message(&Message::Exited(code))?),
                None => Ok(out.message(&Message::Stopped)?),
            };
        }
        if let (false, Err((ending, ran))) = (returned, &finished) {
            return match ending.clone() {
                Ending::Crashed(signal) => Err(Failure::Crashed(signal)),
                Ending::Trapped { trap, message } => {
                    Ok(out.message(&Message::Trapped { trap, message, frames: Vec::new() })?)
                }
                Ending::Other => {
                    let (trap, message) = (TrapKind::Other, ran.words());
                    Ok(out.message(&Message::Trapped { trap, message, frames: Vec::new() })?)
                }
            };
        }
        let types = call.checked_sub(first).and_then(|call| types.calls.get(call as usize)).cloned();
        let results = super::indirect::results(&mut asker, call, &types.unwrap_or_default())?;
        out.message(&Message::Returned(results))?;
    }
    Ok(())
}
