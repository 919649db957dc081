//! The command line.

mod calls;
mod compare;
mod engines;
mod export;
mod format;
mod guest;
mod html;
mod pack;
mod parse;
mod record;
mod reduce;
mod report;
mod source_map;
mod sweep;
mod why;

pub use calls::CallsArgs;
pub use compare::CompareArgs;
pub use engines::EngineList;
pub use export::{ExportArgs, ExportFormat};
pub use format::Format;
pub use guest::{GuestArgs, PageArgs, ProgramArgs, RunArgs, options_for};
pub use html::HtmlArgs;
pub use pack::PackArgs;
pub use parse::{parse_range, parse_size};
pub use record::{RecordArgs, RecordHost};
pub use reduce::ReduceArgs;
pub use report::ReportArgs;
pub use source_map::SourceMapArgs;
pub use sweep::SweepArgs;
pub use why::WhyArgs;

use crate::project::engine;
use clap::{Args, ColorChoice, Parser, Subcommand};
use forkpoint_replay::Side;
use forkpoint_tracer::EngineSpec;
use forkpoint_traces::Position;
pub use parse::TimeLimit;
use parse::{parse_limit, parse_position, parse_screen, sides};
use std::path::PathBuf;

/// Where two WebAssembly runs part.
///
/// forkpoint records what a module does to its linear memories under an engine, and finds, shows and explains the
/// first event at which two runs diverge. Exit codes: 0 the runs agree, 1 they diverge, 2 there is no answer (bad
/// input, a run that timed out, an incomplete trace).
#[derive(Debug, Parser)]
#[command(name = "forkpoint", version, long_version = long_version(), arg_required_else_help = true)]
pub struct Cli {
    /// Use colors in help and errors; auto depends on the terminal and NO_COLOR
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = ColorChoice::Auto)]
    pub color: ColorChoice,
    #[command(subcommand)]
    pub command: Command,
}

/// What `--version` says. The build script names the commit.
fn long_version() -> String {
    let commit = option_env!("FORKPOINT_COMMIT").unwrap_or("unknown, as in every development build");
    let linked = forkpoint_tracer::linked_engines().map(|(name, version)| format!("{name} {version}"));
    format!(
        "{}\ncommit: {commit}\ntrace format: version {}\nengines linked in: {}; `forkpoint engines` tries these and others",
        env!("CARGO_PKG_VERSION"),
        forkpoint_traces::FORMAT_VERSION,
        linked.join(", ")
    )
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a module and record every change to its memories
    #[command(
        after_help = "EXAMPLES\n  forkpoint record sieve.wat --invoke 'run 1000'\n  forkpoint record app.wasm --engine wasmi --dir data -o app.fpt -- --verbose\n  forkpoint record lib.wasm --alloc malloc --invoke 'render \"a->b\"'\n  forkpoint record app.wasm --timeout 10s --fail-on trap,crash,timeout\n  forkpoint record --node -o app.fpt -- app.mjs input.txt\n  forkpoint record --browser page.html --until 'window.done' -o page.fpt"
    )]
    Record(RecordArgs),
    /// Record a module under two engines, or two builds of a program, and report the first divergence
    #[command(
        after_help = "EXAMPLES\n  forkpoint compare sieve.wat --invoke 'run 1000' --rhs wasmi\n  forkpoint compare app.wasm --lhs wasmtime:jit --rhs wasmtime:aot,target=portable -o traces\n  forkpoint compare app.wasm --engines 'wasmtime:jit;wasmi;node'\n  forkpoint compare --node --rhs wasmi -- app.mjs\n  forkpoint compare --recording app.fpt --engines 'wasmtime:jit;wasmi'\n  forkpoint compare before.wasm after.wasm --invoke 'run 1000'"
    )]
    Compare(CompareArgs),
    /// Compare many modules under many engines: one row per module, similar divergences reported once
    #[command(
        after_help = "EXAMPLES\n  forkpoint sweep modules --engines 'wasmtime:jit;wasmi' --out found\n  forkpoint sweep list.txt --engines 'wasmtime:jit;node' --shard 1/4 --out part1\n  forkpoint sweep --merge part1 part2 --out all"
    )]
    Sweep(SweepArgs),
    /// Make a module that diverges as small as it can be and diverge in the same way
    #[command(
        after_help = "EXAMPLES\n  forkpoint reduce app.wasm --rhs wasmtime:aot,opt=none -o bug.wat -- input.txt\n  forkpoint reduce lib.wasm --invoke 'run 64' --lhs wasmi --rhs capi:jit,lib=libs/libwasmtime.so -o bug.wat"
    )]
    Reduce(ReduceArgs),
    /// Run a recording again, from its file alone, and check it event by event
    #[command(
        after_help = "EXAMPLES\n  forkpoint replay app.fpt\n  forkpoint replay app.fpt --engine wasmi --timeout none -o again.fpt"
    )]
    Replay(ReplayArgs),
    /// Find the first divergence of two traces, of one module or of two builds of a program
    #[command(
        after_help = "EXAMPLES\n  forkpoint diff lhs.fpt rhs.fpt\n  forkpoint diff lhs.fpt rhs.fpt --nan-bits ignore --json"
    )]
    Diff(DiffArgs),
    /// Follow a difference in memory back to where two runs part
    #[command(
        after_help = "EXAMPLES\n  forkpoint why lhs.fpt rhs.fpt --of checksum\n  forkpoint why lhs.fpt rhs.fpt --of 0x410..0x418 --at 4711 --json"
    )]
    Why(WhyArgs),
    /// Show which functions were active at an event, what they were called with, and from where
    #[command(
        after_help = "EXAMPLES\n  forkpoint calls app.fpt --at 4711\n  forkpoint calls lhs.fpt rhs.fpt\n  forkpoint calls bug.zip --rhs-engine wasmedge:aot,lib=/usr/lib/libwasmedge.so --json"
    )]
    Calls(CallsArgs),
    /// Write the events of a trace as a table, for databases and data frames
    #[command(
        after_help = "EXAMPLES\n  forkpoint export app.fpt -o app.parquet\n  forkpoint export app.fpt --format csv -o - | head\n  forkpoint export app.fpt -o events --partition 10000000"
    )]
    Export(ExportArgs),
    /// Write the report on two traces as one page of HTML
    #[command(
        after_help = "EXAMPLES\n  forkpoint report traces/lhs.fpt traces/rhs.fpt -o report.html\n  forkpoint report bug.zip -o report.html"
    )]
    Report(HtmlArgs),
    /// Put both traces of a divergence into one file, to attach it to a bug report
    #[command(
        after_help = "EXAMPLES\n  forkpoint pack traces/lhs.fpt traces/rhs.fpt -o bug.zip\n  forkpoint pack lhs.fpt rhs.fpt --list\n  forkpoint view bug.zip"
    )]
    Pack(PackArgs),
    /// Show what a trace holds
    #[command(after_help = "EXAMPLES\n  forkpoint info app.fpt\n  forkpoint info app.fpt --verify --json")]
    Info(InfoArgs),
    /// Print the events of a trace
    #[command(
        after_help = "EXAMPLES\n  forkpoint dump app.fpt --from 100 --to 120\n  forkpoint dump app.fpt --func main --addr 0x400..0x500 --json"
    )]
    Dump(DumpArgs),
    /// List the engines that work here, and the proposals that each supports
    #[command(
        after_help = "EXAMPLES\n  forkpoint engines\n  forkpoint engines wasmedge:aot,lib=/usr/lib/libwasmedge.so --json"
    )]
    Engines(EnginesArgs),
    /// Look at one trace, or at two side by side, in the terminal
    #[command(
        after_help = "EXAMPLES\n  forkpoint view app.fpt\n  forkpoint view\n  forkpoint view lhs.fpt rhs.fpt --at 0x4d2\n  forkpoint view lhs.fpt rhs.fpt --script steps.txt --size 80x24"
    )]
    View(ViewArgs),
    /// Look at one trace, or at two side by side, in an editor: a debug adapter on standard input and output (docs/dap.md)
    #[command(
        after_help = "EXAMPLES\n  forkpoint dap\n\nEditors start it: docs/dap.md has configurations for VS Code and Neovim."
    )]
    Dap,
    /// Check that a program speaks the runner protocol (docs/runner-protocol.md)
    #[command(after_help = "EXAMPLES\n  forkpoint runner-check node runners/node/runner.mjs")]
    RunnerCheck(RunnerCheckArgs),
    /// Print a completion script for a shell
    #[command(
        after_help = "EXAMPLES\n  forkpoint completions bash > ~/.local/share/bash-completion/completions/forkpoint"
    )]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page of forkpoint, or write a page for each subcommand
    #[command(after_help = "EXAMPLES\n  forkpoint man | man -l -\n  forkpoint man ~/.local/share/man/man1")]
    Man {
        /// The folder to write the pages to
        folder: Option<PathBuf>,
    },
}

/// A trace.
#[derive(Debug, Args)]
pub struct TraceArg {
    /// The trace, or a pack of two
    pub file: PathBuf,
    /// Which trace of a pack [default: lhs]
    #[arg(long, value_name = "SIDE", value_parser = sides())]
    pub side: Option<Side>,
}

#[derive(Debug, Args)]
pub struct ReplayArgs {
    #[command(flatten)]
    pub trace: TraceArg,
    /// The engine [default: the one that the recording names]
    #[arg(short, long, value_parser = engine)]
    pub engine: Option<EngineSpec>,
    /// Keep the trace of the new run
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Time limit of the run: 500ms, 10s, 2m, or none
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = parse_limit)]
    pub timeout: TimeLimit,
    /// Show the guest's output
    #[arg(long)]
    pub echo: bool,
    #[command(flatten)]
    pub report: ReportArgs,
    #[command(flatten)]
    pub source_map: SourceMapArgs,
}

#[derive(Debug, Args)]
pub struct RunnerCheckArgs {
    /// Print one JSON array with an object for each part of the protocol
    #[arg(long)]
    pub json: bool,
    /// The runner's program and its own arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

#[derive(Debug, Args)]
pub struct DiffArgs {
    /// The left trace, the reference; or a pack of both
    pub lhs: PathBuf,
    /// The right trace
    pub rhs: Option<PathBuf>,
    #[command(flatten)]
    pub report: ReportArgs,
    #[command(flatten)]
    pub source_map: SourceMapArgs,
}

#[derive(Debug, Args)]
pub struct InfoArgs {
    #[command(flatten)]
    pub trace: TraceArg,
    /// Print JSON (docs/json.md)
    #[arg(long)]
    pub json: bool,
    /// Read every chunk, check every checksum and replay all events
    #[arg(long)]
    pub verify: bool,
}

#[derive(Debug, Args)]
pub struct DumpArgs {
    #[command(flatten)]
    pub trace: TraceArg,
    /// First position
    #[arg(long, value_name = "POSITION", value_parser = parse_position)]
    pub from: Option<Position>,
    /// One past the last position
    #[arg(long, value_name = "POSITION", value_parser = parse_position)]
    pub to: Option<Position>,
    /// Only events of this function: its index or its name
    #[arg(long, value_name = "FUNC")]
    pub func: Option<String>,
    /// Only events that write this address, or one in a range: 0x400 or 0x400..0x500
    #[arg(long, value_name = "ADDR[..ADDR]", value_parser = parse_range)]
    pub addr: Option<(u64, u64)>,
    /// Only events of this kind; repeatable
    #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(forkpoint_traces::Event::KINDS))]
    pub kind: Vec<String>,
    /// Print one JSON object per line
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub source_map: SourceMapArgs,
}

#[derive(Debug, Args)]
pub struct EnginesArgs {
    /// Engines to test besides those linked in: capi:jit,lib=PATH, wasmedge:aot,lib=PATH, command:TEMPLATE, runner:COMMAND
    #[arg(value_parser = engine)]
    pub engines: Vec<EngineSpec>,
    /// Print JSON (docs/json.md)
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ViewArgs {
    /// The trace, the left one of two, or a pack of both [default: those of the last comparison]
    ///
    /// `compare` without -o keeps its traces, if it made any, in the user's folder for caches until the next comparison that does.
    pub lhs: Option<PathBuf>,
    /// The right one
    pub rhs: Option<PathBuf>,
    /// Where to start [default: the first divergence, or the beginning]
    #[arg(long, value_name = "POSITION", value_parser = parse_position)]
    pub at: Option<Position>,
    /// Show source files from this folder, and use the module's source map if it is there; repeatable. Others that debug
    /// information names are not read
    #[arg(long, value_name = "DIR")]
    pub source: Vec<PathBuf>,
    #[command(flatten)]
    pub source_map: SourceMapArgs,
    /// The engine that runs the recording again to tell its calls, the left one of two [default: the one that it names]
    #[arg(short, long, visible_alias = "lhs-engine", value_parser = engine)]
    pub engine: Option<EngineSpec>,
    /// The engine that runs the right recording again [default: the one that it names]
    #[arg(long, value_parser = engine)]
    pub rhs_engine: Option<EngineSpec>,
    /// Keys to bind: a key and a command on each line (docs/view.md) [default: keys in the user's folder forkpoint for settings]
    #[arg(long, value_name = "FILE")]
    pub keys: Option<PathBuf>,
    /// Run the viewer's commands from this file, one a line, without a terminal; `print` prints the screen (docs/view.md)
    #[arg(long, value_name = "FILE")]
    pub script: Option<PathBuf>,
    /// Columns and rows of a script's screen
    #[arg(long, value_name = "COLUMNSxROWS", value_parser = parse_screen, default_value = "120x40", requires = "script")]
    pub size: (u16, u16),
}
