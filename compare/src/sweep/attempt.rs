//! One survey of a module under all engines of a sweep.

use super::Sweep;
use super::input::InputModule;
use crate::error::CompareError;
use crate::progress::Silent;
use crate::survey::{Survey, Surveyed};
use forkpoint_replay::Symbols;
use forkpoint_tracer::{Invocation, Program, Request, WasiSetup};
use forkpoint_traces::Outcome;
use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

/// A module and the sweep that runs it.
pub(super) struct Tried<'a> {
    pub sweep: &'a Sweep<'a>,
    pub input: &'a InputModule,
    pub module: &'a [u8],
}

/// What all engines did with certain calls of a module.
pub(super) struct Attempt {
    pub surveyed: Surveyed,
    /// Whether the module is valid, so that it ran at all.
    pub valid: bool,
}

impl Attempt {
    /// Whether a time limit is why there is no answer.
    pub fn timed_out(&self) -> bool {
        let mut outcomes = self.surveyed.engines.iter().map(|row| &row.outcome);
        self.surveyed.agree.is_none() && outcomes.any(|outcome| *outcome == Some(Outcome::TimedOut))
    }
}

impl Tried<'_> {
    /// Surveys all engines with these calls, with the traces in `folder`. Without calls the module is only
    /// instantiated.
    pub fn attempt(&self, calls: Option<&[Invocation]>, folder: &Path) -> Result<Attempt, CompareError> {
        let Tried { sweep, module, .. } = self;
        let name = self.name();
        let program = match calls {
            Some(calls) => {
                Program::allocating(&name, module.to_vec(), calls, sweep.calls.alloc.as_ref(), &sweep.imports)
            }
            None => Program::uncalled(&name, module.to_vec(), &sweep.imports),
        }?;
        self.survey(&program, folder)
    }

    /// Surveys all engines with a script.
    pub fn script(&self, text: &str, folder: &Path) -> Result<(Attempt, Symbols), CompareError> {
        let program = Program::script(&self.name(), text)?;
        let symbols = Symbols::with(Arc::clone(program.original()), program.parts().cloned());
        Ok((self.survey(&program, folder)?, symbols))
    }

    fn name(&self) -> Cow<'_, str> {
        self.input.path.file_name().map_or("module".into(), |name| name.to_string_lossy())
    }

    fn survey(&self, program: &Program, folder: &Path) -> Result<Attempt, CompareError> {
        let sweep = self.sweep;
        let arguments = std::iter::once(self.name().into_owned()).chain(sweep.base.wasi.arguments.iter().cloned());
        let wasi = WasiSetup { arguments: arguments.collect(), ..sweep.base.wasi.clone() };
        let survey = Survey {
            program,
            base: Request { wasi, ..sweep.base.clone() },
            engines: sweep.engines.clone(),
            folder: Some(folder.to_path_buf()),
            settings: sweep.settings.clone(),
            progress: &Silent,
        };
        Ok(Attempt { surveyed: survey.run()?, valid: program.invalid().is_none() })
    }
}
