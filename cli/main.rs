//! The `forkpoint` command: one file per subcommand, one place for exit codes.

mod args;
mod compare;
mod diff;
mod dump;
mod engines;
mod guard;
mod info;
mod open;
mod output;
mod record;
mod replay;
mod report;
mod runner_check;
mod session;
mod sweep;
mod view;

use args::{Cli, Command};
use clap::Parser;
use std::process::ExitCode;

/// How a command that ran to its end turned out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// Done, or the runs agree.
    Yes,
    /// The runs diverge.
    Diverge,
    /// There is no answer: poisoned or incomplete runs.
    None,
}

fn main() -> ExitCode {
    let arguments: Vec<String> =
        std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect();
    if arguments.get(1).is_some_and(|first| first == forkpoint_tracer::child::ARGUMENT) {
        return match forkpoint_tracer::child::main(&arguments[2..]) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error),
        };
    }
    let answer = match Cli::parse().command {
        Command::Record(command) => record::run(&command),
        Command::Compare(command) => compare::run(&command),
        Command::Sweep(command) => sweep::run(&command),
        Command::Replay(command) => replay::run(&command),
        Command::RunnerCheck(command) => runner_check::run(&command),
        Command::Diff(command) => diff::run(&command),
        Command::Info(command) => info::run(&command),
        Command::Dump(command) => dump::run(&command),
        Command::Engines(command) => engines::run(&command),
        Command::View(command) => view::run(&command),
    };
    match answer {
        Ok(Answer::Yes) => ExitCode::SUCCESS,
        Ok(Answer::Diverge) => ExitCode::from(1),
        Ok(Answer::None) => ExitCode::from(2),
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => fail(&in_words(&error)),
    }
}

/// An error and its causes. Many an error ends with its cause's text already; nobody needs to read it twice.
fn in_words(error: &anyhow::Error) -> String {
    let mut words = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if words.is_empty() {
            words = cause;
        } else if !words.ends_with(&cause) {
            words = format!("{words}: {cause}");
        }
    }
    words
}

/// Errors quote files, modules and engines: nothing of that reaches the terminal as it is.
fn fail(error: &str) -> ExitCode {
    eprintln!("error: {}", forkpoint_replay::printable_lines(error));
    ExitCode::from(2)
}
