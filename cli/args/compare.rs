//! The command line of `compare`.

use super::parse::{host_modes, keeps};
use super::{EngineList, Format, GuestArgs, ProgramArgs, ReportArgs, RunArgs, SourceMapArgs};
use crate::project::engine;
use clap::Args;
use forkpoint_compare::{HostMode, Kept};
use forkpoint_tracer::{EngineSpec, Mode, WasmtimeSpec};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct CompareArgs {
    #[command(flatten)]
    pub program: ProgramArgs,
    /// Another build of the program: it runs under the right engine, and the module under the left one
    ///
    /// Before and after an optimizer, by two compilers, at two optimization levels: both must do the same in all that
    /// the host and the caller see (docs/two-builds.md).
    #[arg(value_name = "OTHER", conflicts_with_all = ["modules", "engines", "keep", "same_as"])]
    pub other: Option<PathBuf>,
    #[command(flatten)]
    pub run: RunArgs,
    /// Instead of a module: a recording, of a program that lives in JavaScript or any other; the right engine, or each of
    /// --engines, runs it again and is compared with it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["module", "modules", "node", "browser", "other", "arguments"])]
    pub recording: Option<PathBuf>,
    /// The left engine, the reference [default: wasmtime:jit]
    ///
    /// Of a recording it is the engine that runs it again, to ask what the recording does not tell; by default the one that
    /// made it, if that is part of forkpoint or named in --engines.
    #[arg(long, value_name = "ENGINE", value_parser = engine)]
    pub lhs: Option<EngineSpec>,
    /// The right engine [default: wasmtime:aot, or with two builds the left engine]
    #[arg(long, value_parser = engine)]
    pub rhs: Option<EngineSpec>,
    /// Any number of engines instead of --lhs and --rhs; repeat the option or separate them with semicolons
    ///
    /// For example --engines 'wasmtime:jit;wasmi;wasmtime:aot,opt=none' --engines 'runner:node runners/node/runner.mjs'.
    /// Quote a runner's word that holds a semicolon. The reference is the first engine that can answer host calls and
    /// finishes its run.
    #[arg(long, value_name = "ENGINE[;ENGINE...]")]
    #[arg(conflicts_with_all = ["rhs", "lhs_memory_page_limit", "rhs_memory_page_limit"])]
    pub engines: Vec<EngineList>,
    /// Who answers the guest's host calls
    ///
    /// With `pinned` the linked Wasmtime's host answers once, and all other runs get its recorded answers. With `live` each
    /// engine that has its own host (`forkpoint engines` lists them: node:wasi, for example) uses it, and every other engine
    /// is answered by Wasmtime's host from a live run. Use `live` to see whether the host makes the difference, `own` to
    /// see whether a bug needs the left engine's host.
    #[arg(long, value_parser = host_modes(), default_value_t = HostMode::Pinned)]
    pub host: HostMode,
    /// The limit of --memory-page-limit for the left side only
    #[arg(long, value_name = "PAGES")]
    pub lhs_memory_page_limit: Option<u64>,
    /// The limit of --memory-page-limit for the right side only
    #[arg(long, value_name = "PAGES")]
    pub rhs_memory_page_limit: Option<u64>,
    /// Keep the traces in this directory: lhs.fpt and rhs.fpt, or with --engines 01-ENGINE.fpt and so on
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// What to keep of the runs: `full` traces, a `window` around where they part, or `none`
    ///
    /// With `none`, the default without -o, runs are compared by digests of their events first, which is much faster; only
    /// runs that may differ are recorded, and of runs of more than 16 million events only a window. With `window`, a window is
    /// all that is recorded, and with -o kept, where digests show where the runs part. With `full`, the default with -o, every
    /// run is recorded in full at once. This also finds stores that are missing from memory during the run and no longer when it
    /// is over, and those that all engines lose.
    #[arg(long, value_name = "WHAT", value_parser = keeps())]
    pub keep: Option<Kept>,
    /// Open what was found in the viewer, instead of printing it
    ///
    /// If the runs agree, or the traces do not show how they diverge, the result is printed as without this option.
    #[arg(long, conflicts_with_all = ["engines", "other", "recording", "node", "browser", "same_as", "echo", "format", "json"])]
    pub view: bool,
    /// End with 0 if the runs diverge in this way, and with 1 if they agree or diverge in another: for `git bisect run` and for
    /// reducers
    ///
    /// `--json` reports the way as `likeness`, and `reduce` prints it: value: i32.store, for example.
    #[arg(long, value_name = "LIKENESS", conflicts_with = "engines")]
    pub same_as: Option<String>,
    /// Skip the runs without recording, which show whether recording changes a result
    #[arg(long)]
    pub no_guard: bool,
    /// Skip the reruns that find out more about a divergence: the place of a trap that the engine does not report, whether
    /// it follows from the bits of NaNs, which function first returned another value
    #[arg(long)]
    pub no_reruns: bool,
    /// Show the left guest's output on standard error
    #[arg(long)]
    pub echo: bool,
    /// In which form to print the result (docs/ci.md)
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Text, conflicts_with = "json")]
    pub format: Format,
    #[command(flatten)]
    pub report: ReportArgs,
    #[command(flatten)]
    pub source_map: SourceMapArgs,
}

impl CompareArgs {
    /// What runs under the left engine, and under all others unless another build is named.
    pub fn guest(&self) -> GuestArgs {
        GuestArgs { program: self.program.clone(), run: self.run.clone() }
    }

    /// The engines of --engines.
    pub fn listed(&self) -> Vec<EngineSpec> {
        self.engines.iter().flat_map(|list| list.0.iter().cloned()).collect()
    }

    /// The engines of both sides.
    pub fn engines_of_sides(&self) -> [EngineSpec; 2] {
        let lhs = self.lhs.clone().unwrap_or_default();
        let rhs = || match self.other {
            Some(_) => lhs.clone(),
            None => match EngineSpec::default() {
                EngineSpec::Wasmtime(spec) => EngineSpec::Wasmtime(WasmtimeSpec { mode: Mode::Aot, ..spec }),
                other => other,
            },
        };
        let rhs = self.rhs.clone().unwrap_or_else(rhs);
        [lhs, rhs]
    }
}
