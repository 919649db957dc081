//! One comparison of a module under all engines of a sweep.

use super::input::Item;
use crate::args::SweepArgs;
use crate::compare::many::{Survey, survey};
use crate::compare::{Comparison, Contender, Ways};
use crate::session::Session;
use anyhow::{Context, Result};
use forkpoint_tracer::{EngineSpec, Invocation};
use forkpoint_traces::Outcome;
use std::cell::RefCell;
use std::path::Path;

/// A module and the question about it.
pub struct Tried<'a> {
    pub args: &'a SweepArgs,
    pub engines: &'a [EngineSpec],
    pub item: &'a Item,
    pub module: &'a [u8],
}

/// What all engines made of a module with certain calls.
pub struct Attempt {
    pub survey: Survey,
    /// Whether the module is valid, so that anything of it ran.
    pub valid: bool,
}

impl Attempt {
    /// Whether there is no answer for want of time.
    pub fn timed_out(&self) -> bool {
        let outcomes = self.survey.engines.iter().filter_map(|row| row.outcome.as_deref());
        self.survey.agree.is_none() && outcomes.into_iter().any(|outcome| outcome == Outcome::TimedOut.to_string())
    }
}

impl Tried<'_> {
    /// Compares all engines with these calls, with its files in `folder`. `None` when the user ended it.
    pub fn attempt(&self, calls: Option<&[Invocation]>, folder: &Path) -> Result<Option<Attempt>> {
        let Tried { args, engines, item, module } = self;
        let mut run = args.run.clone();
        run.timeout = Some(args.patience());
        let session = Session::of_module(&item.path, module.to_vec(), calls, &run, false)?;
        let aside = folder.join("aside");
        std::fs::create_dir_all(&aside).context("creating a temporary folder")?;
        let contender =
            |engine: &EngineSpec| Contender { engine: engine.clone(), memory_page_limit: run.memory_page_limit };
        let comparison = Comparison {
            ways: Ways {
                host: args.host,
                guard: !args.no_guard,
                reruns: !args.no_reruns,
                echo: false,
                keep: true,
                quiet: true,
                context: 0,
                nan_bits: args.nan_bits,
            },
            sides: engines.iter().map(contender).collect(),
            session,
            stdin: None,
            aside: &aside,
            pinned: RefCell::default(),
        };
        let Some(survey) = survey(&comparison, folder)? else { return Ok(None) };
        Ok(Some(Attempt { survey, valid: comparison.session.program.invalid().is_none() }))
    }
}
