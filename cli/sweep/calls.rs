//! What a sweep calls of a module, and by which call a divergence shows.

use super::input::Item;
use super::row::in_words;
use crate::args::SweepArgs;
use crate::session::parse_call;
use anyhow::Result;
use forkpoint_replay::NanBits;
use forkpoint_tracer::{Checkpoint, EngineSpec, FeatureSwitches, Invocation, MadeUp, every_call};
use forkpoint_traces::{Event, Milestone, Position, SiteId, TraceReader};
use std::path::Path;

/// The calls of a module, and where they are from.
pub struct Calls {
    /// `None`: it is instantiated only.
    pub list: Option<Vec<Invocation>>,
    /// How they were made up, where nothing says what to call.
    pub made_up: Option<MadeUp>,
}

impl Calls {
    /// What is called of a module: what the input's list says, or the command line, or `_start`, or every export.
    pub fn of(args: &SweepArgs, item: &Item, module: &[u8]) -> Result<Calls> {
        let asked = if item.calls.is_empty() { &args.run.invoke } else { &item.calls };
        let asked = asked.iter().map(|call| parse_call(call)).collect::<Result<Vec<_>>>()?;
        if !asked.is_empty() {
            return Ok(Calls { list: Some(asked), made_up: None });
        }
        let made_up = MadeUp { seed: args.seed, calls: args.calls.into(), tame: false };
        Ok(match every_call(module, made_up) {
            // Its `_start`.
            None => Calls { list: Some(Vec::new()), made_up: None },
            // What can be called by nobody is instantiated, and that may differ, too.
            Some(every) => Calls { list: (!every.is_empty()).then_some(every), made_up: Some(made_up) },
        })
    }

    /// Two calls of each function with small numbers, in place of what was made up.
    pub fn tamed(&self, module: &[u8]) -> Option<Calls> {
        let made_up = MadeUp { calls: 2, tame: true, ..self.made_up? };
        Some(Calls { list: every_call(module, made_up), made_up: Some(made_up) })
    }

    /// As one writes them.
    pub fn words(&self) -> Vec<String> {
        self.list.iter().flatten().map(ToString::to_string).collect()
    }

    /// All up to one of them, in words; where it is not known, all.
    pub fn until(&self, last: Option<usize>) -> Vec<String> {
        let mut words = self.words();
        words.truncate(last.map_or(usize::MAX, |last| last + 1));
        words
    }

    /// One of them; where it is not known, the first.
    pub fn only(&self, which: Option<usize>) -> Calls {
        let one = self.list.iter().flatten().nth(which.unwrap_or(0)).cloned();
        Calls { list: one.map(|one| vec![one]), made_up: self.made_up }
    }

    /// The command that compares the module with these calls; `None` for one of which nothing can be called.
    pub fn command(&self, args: &SweepArgs, engines: &[EngineSpec], path: &Path, calls: &[String]) -> Option<String> {
        self.list.as_ref().map(|_| command(args, engines, path, calls))
    }
}

/// The call that was going on at an event of a trace, as a number among those that were asked for; `None` where none was.
/// What runs by itself before them is not asked for.
pub fn call_at(trace: &Path, position: u64) -> Result<Option<usize>> {
    let mut trace = TraceReader::open(trace)?;
    let mut begun = 0usize;
    for chunk in 0..trace.chunks().len() {
        let mut at = trace.chunks()[chunk].first;
        if at > Position(position) {
            break;
        }
        let sites = trace.sites().clone();
        trace.read_chunk(chunk, |event| {
            if event.site == SiteId::MILESTONE
                && at <= Position(position)
                && let Event::Milestone(Milestone::Invoke { function, .. }) = Event::read(&event, &sites)?
                && !matches!(function.as_str(), "(start)" | "_initialize")
            {
                begun += 1;
            }
            at = at.next();
            Ok::<(), forkpoint_traces::TraceError>(())
        })?;
    }
    Ok(begun.checked_sub(1))
}

/// The command that compares a module under the engines of a sweep, with these calls.
fn command(args: &SweepArgs, engines: &[EngineSpec], path: &Path, calls: &[String]) -> String {
    let run = &args.run;
    let engines = engines.iter().map(ToString::to_string).collect::<Vec<_>>().join(";");
    let mut words = vec!["forkpoint".to_string(), "compare".to_string(), path.display().to_string()];
    let mut option = |name: &str, value: String| words.extend([format!("--{name}"), value]);
    option("engines", engines);
    if let Some(alloc) = &run.alloc {
        option("alloc", alloc.to_string());
    }
    calls.iter().for_each(|call| option("invoke", call.clone()));
    run.env.iter().for_each(|(name, value)| option("env", format!("{name}={value}")));
    run.dir.iter().for_each(|(host, guest)| option("dir", format!("{}::{guest}", host.display())));
    option("timeout", in_words(args.patience()).replace(' ', ""));
    if let Some(most) = run.max_memory {
        option("max-memory", most.to_string());
    }
    if let Some(pages) = run.memory_page_limit {
        option("memory-page-limit", pages.to_string());
    }
    let list = |features: &Option<FeatureSwitches>| features.as_ref().map(|features| features.words().join(","));
    for (name, features) in [("features", list(&run.features)), ("run-features", list(&run.run_features))] {
        if let Some(features) = features {
            option(name, features);
        }
    }
    run.import.iter().for_each(|stub| option("import", stub.to_string()));
    run.preload.iter().for_each(|preload| option("preload", format!("{}={}", preload.name, preload.file.display())));
    run.host_script.iter().for_each(|file| option("host-script", file.display().to_string()));
    if run.checkpoint != Checkpoint::default() {
        option("checkpoint", run.checkpoint.to_string());
    }
    if args.nan_bits != NanBits::default() {
        option("nan-bits", args.nan_bits.to_string());
    }
    let flags = [
        ("read-back", run.read_back),
        ("hooks", run.hooks),
        ("allow-unordered", run.allow_unordered),
        ("no-guard", args.no_guard),
    ];
    words.extend(flags.into_iter().filter(|(_, set)| *set).map(|(name, _)| format!("--{name}")));
    if !run.arguments.is_empty() {
        words.push("--".to_string());
        words.extend(run.arguments.iter().cloned());
    }
    shell_words::join(words)
}
