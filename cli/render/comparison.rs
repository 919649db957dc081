//! What `compare` with two engines, `replay` and `diff` print.

use super::InWords;
use super::hosts::hosts;
use crate::answer::Answer;
use crate::output::{grouped, print, print_json, quoted};
use anyhow::Result;
use forkpoint_compare::{CommandRuns, Compared, OwnHosts};
use forkpoint_replay::{Report, Side, printable};

/// Prints a result and gives the command's answer. `hint` is printed after a result in text.
pub fn print_compared(compared: &Compared, own_hosts: &OwnHosts, json: bool, hint: &str) -> Result<Answer> {
    let Compared { report, reruns, guard, host, .. } = compared;
    let answer = Answer::of(report.agree);
    if json {
        print_json(compared)?;
        return Ok(answer);
    }
    // What applies to the whole report comes first.
    let unsteady: Vec<Side> = guard.iter().flat_map(|guard| &guard.nondeterminism).map(|found| found.side).collect();
    if !unsteady.is_empty() {
        let (sides, does, its) = match unsteady.as_slice() {
            [side] => (side.word(), "does", "its"),
            _ => ("lhs and rhs", "do", "their"),
        };
        print(&format!(
            "{sides} {does} not run this module the same way twice: what follows is one of {its} runs.\n"
        ))?;
    }
    print(&report.to_string())?;
    for commands in &compared.commands {
        print(&command_runs(commands, report))?;
    }
    if let Some(reruns) = reruns.as_ref().filter(|reruns| !reruns.is_empty()) {
        print(&format!("\n{}", InWords(reruns)))?;
    }
    if let Some(guard) = guard.as_ref().filter(|guard| !guard.is_unremarkable()) {
        print(&format!("\n{}", InWords(guard)))?;
    }
    let sides = [&report.lhs, &report.rhs].map(|side| (side.engine.as_str(), side.host.as_deref()));
    if let Some(words) = host.and_then(|mode| hosts(mode, &sides, own_hosts)) {
        print(&format!("\n{words}\n"))?;
    }
    if answer != Answer::Yes {
        print(&quotable(report))?;
        print(hint)?;
    }
    Ok(answer)
}

/// How often a command was run.
fn command_runs(commands: &CommandRuns, report: &Report) -> String {
    let CommandRuns { engine, runs, seconds } = commands;
    let side = match (report.lhs.engine == *engine, report.rhs.engine == *engine) {
        (true, true) => "both sides".to_string(),
        (true, false) => Side::Lhs.word().to_string(),
        (false, true) => Side::Rhs.word().to_string(),
        (false, false) => printable(engine),
    };
    command_words(&side, *runs, *seconds)
}

/// The same of a side or an engine by its name.
pub fn command_words(whose: &str, runs: u64, seconds: f64) -> String {
    let times = if runs == 1 { "once".to_string() } else { format!("{} times", grouped(runs)) };
    format!("The command of {whose} was run {times}, which took {seconds:.1} s.\n")
}

/// What a bug report needs to be reproduced: the module's hash, and the command.
fn quotable(report: &Report) -> String {
    let module = &report.module;
    let words: Vec<String> = std::env::args_os().skip(1).map(|word| quoted(&word)).collect();
    let command = words.join(" ");
    let (name, bytes, hash) = (&module.name, module.bytes, &module.blake3);
    format!("\nmodule:  {name}, {bytes} bytes, BLAKE3 {hash}\ncommand: forkpoint {command}\n")
}
