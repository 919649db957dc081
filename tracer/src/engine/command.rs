//! Engines that can be had only as a command: any command line that runs a module.
//!
//! The module records by itself ([`crate::instrument::standalone`]). This process runs the command, reads what the
//! module tells, and tells the recorder the same as any other engine's process, so everything from there on is the same.

mod about;
mod answers;
mod asked;
mod asker;
mod ending;
mod failure;
mod first;
mod hosting;
mod images;
mod indirect;
mod linked;
mod original;
mod process;
mod reference;
mod runs;
mod scanner;
mod stream;
mod tale;
mod template;

use crate::host::answer::Host;
use crate::job::{Job, Task};
use crate::link::{Control, Out};
use crate::protocol::{Hello, Message};
use crate::spec::{CommandSpec, Way};
use asker::Reading;
use failure::Failure;
use hosting::Hosting;
use linked::Several;
pub(crate) use process::{Go, Status as CommandStatus, run as run_command};
use std::cell::Cell;
use std::io;
use std::path::Path;
use template::Template;

/// Does a child's job by a command; an error means that the parent is gone.
pub(super) fn run(spec: &CommandSpec, job: &Job, mut out: Out, control: Control) -> io::Result<()> {
    let count = Cell::new(0);
    let told = told(spec, job, &mut out, &control, &count);
    // Nothing follows a rejection.
    if matches!(told, Ok(()) | Err(Failure::Crashed(_))) && count.get() > 0 {
        out.message(&Message::CommandRuns(count.get()))?;
    }
    match told {
        Ok(()) => out.message(&Message::End),
        Err(Failure::Setup(words)) => out.message(&Message::SetupFailed(words)),
        Err(Failure::Failed(words)) => out.message(&Message::Failed(words)),
        Err(Failure::Gone(error)) => Err(error),
        Err(Failure::Crashed(signal)) => {
            process::die_by(signal);
            Ok(())
        }
        // The recorder waits for the end of this process.
        Err(Failure::Stopped) => Ok(()),
    }
}

fn told(spec: &CommandSpec, job: &Job, out: &mut Out, control: &Control, count: &Cell<u32>) -> Result<(), Failure> {
    let template = Template::parse(&spec.template).map_err(Failure::Setup)?;
    let no = |what: &str| {
        Failure::Setup(format!("a command takes no {what}: write what its engine takes into the command"))
    };
    if job.memory_page_limit.is_some() {
        return Err(no("memory page limit"));
    }
    if job.features.switches().next().is_some() {
        return Err(no("switches of proposals"));
    }
    let Task::Run(run) = &job.task else {
        return Err(Failure::Setup("a command compiles within its own run".to_string()));
    };
    if let Some(script) = &run.script {
        return Several { spec, job, run, script, template: &template, control, count, out }.tell();
    }
    let way = spec.way.unwrap_or(Way::Stream);
    out.message(&Message::Hello(Hello::of(about::about(spec, &template, way, None))))?;
    if run.live_host {
        // The recorder has seen that there is no host, and ends the run.
        return Err(Failure::Stopped);
    }
    let folder = job.module.parent().unwrap_or(Path::new("."));
    let Some(host_spec) = &run.answers else {
        return Err(Failure::Setup("nothing is said about host calls".to_string()));
    };
    let host = Host::open(host_spec).map_err(|error| Failure::Failed(error.to_string()))?;
    let answers = answers::of(host_spec)?;
    let module = std::fs::read(&job.module)?;
    if let Some(reading) = Reading::of(way) {
        let setting = asked::Setting {
            spec,
            job,
            run,
            template: &template,
            folder,
            module: &module,
            stop: &control.stop,
            count,
        };
        return asked::tell(&setting, host_spec, &answers, reading, out);
    }
    let mut stream = stream::Stream {
        spec,
        job,
        run,
        template: &template,
        folder,
        module: &module,
        answers: &answers,
        hosting: Hosting::new(host),
        stop: &control.stop,
        count,
        out,
    };
    stream.tell()
}
