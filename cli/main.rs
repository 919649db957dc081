//! The `forkpoint` command: one file per subcommand, one place for exit codes.

// All output goes through `output.rs`.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

mod answer;
mod args;
mod calls;
mod ci;
mod compare;
mod completions;
mod dap;
mod diff;
mod dump;
mod engines;
mod export;
mod files;
mod html;
mod info;
mod last;
mod output;
mod pack;
mod progress;
mod project;
mod record;
mod reduce;
mod render;
mod replay;
mod request;
mod rerun;
mod reruns;
mod runner_check;
mod source_maps;
mod sweep;
mod view;
mod view_state;
mod why;

use answer::Answer;
use args::{Cli, Command};
use clap::{ColorChoice, CommandFactory, FromArgMatches, ValueEnum};
use forkpoint_compare::in_one_line;
use forkpoint_replay::{is_active, printable};
use output::tell;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::process::ExitCode;

fn main() -> ExitCode {
    hook_panics();
    let arguments: Vec<String> =
        std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect();
    if arguments.get(1).is_some_and(|first| first == forkpoint_tracer::child::ARGUMENT) {
        return match forkpoint_tracer::child::main(&arguments[2..]) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error),
        };
    }
    let matches = Cli::command().color(color(&arguments)).try_get_matches();
    let cli = match matches.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => return refuse(&error, &arguments),
    };
    let answer = match cli.command {
        Command::Record(command) => record::run(&command),
        Command::Compare(command) => compare::run(&command),
        Command::Sweep(command) => sweep::run(&command),
        Command::Reduce(command) => reduce::run(&command),
        Command::Replay(command) => replay::run(&command),
        Command::RunnerCheck(command) => runner_check::run(&command),
        Command::Diff(command) => diff::run(&command),
        Command::Report(command) => html::run(&command),
        Command::Why(command) => why::run(&command),
        Command::Calls(command) => calls::run(&command),
        Command::Export(command) => export::run(&command),
        Command::Pack(command) => pack::run(&command),
        Command::Info(command) => info::run(&command),
        Command::Dump(command) => dump::run(&command),
        Command::Engines(command) => engines::run(&command),
        Command::View(command) => view::run(&command),
        Command::Dap => dap::run(),
        Command::Completions { shell } => completions::run(shell),
        Command::Man { folder } => completions::man(folder.as_deref()),
    };
    match answer {
        Ok(Answer::Yes) => ExitCode::SUCCESS,
        Ok(Answer::Diverge) => ExitCode::from(1),
        Ok(Answer::None) => ExitCode::from(2),
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => fail(&in_one_line(error.as_ref())),
    }
}

/// A panic's message may quote hostile text.
fn hook_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        tell(&format!("thread '{}' {panic}", thread.name().unwrap_or("without a name")));
        let trace = Backtrace::capture();
        if trace.status() == BacktraceStatus::Captured {
            tell(&trace.to_string());
        }
    }));
}

/// Prints what the command-line parser has to say: help, the version, or an error. It quotes arguments unescaped, in
/// color; if they contain control characters, the parser runs again on escaped ones.
fn refuse(error: &clap::Error, arguments: &[String]) -> ExitCode {
    if arguments.iter().any(|argument| argument.chars().any(is_active)) {
        let escaped = arguments.iter().map(|argument| printable(argument));
        if let Err(error) = Cli::command().color(color(arguments)).try_get_matches_from(escaped) {
            error.exit();
        }
        tell(error.render().to_string().trim_end());
        return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
    }
    error.exit()
}

/// The value of `--color`, which is needed before the command line is parsed: parse errors are colored, too.
fn color(arguments: &[String]) -> ColorChoice {
    let before = arguments.iter().take_while(|argument| *argument != "--");
    let value = before.clone().zip(arguments.iter().skip(1)).find_map(|(argument, next)| match argument.as_str() {
        "--color" => Some(next.as_str()),
        other => other.strip_prefix("--color="),
    });
    let last = arguments.last().and_then(|last| last.strip_prefix("--color="));
    value.or(last).and_then(|value| ColorChoice::from_str(value, false).ok()).unwrap_or(ColorChoice::Auto)
}

fn fail(error: &str) -> ExitCode {
    tell(&format!("error: {error}"));
    ExitCode::from(2)
}
