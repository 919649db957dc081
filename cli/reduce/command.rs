//! The command that compares a reduced module.

use crate::args::ReduceArgs;
use crate::output::quoted;
use forkpoint_compare::Reduced;
use forkpoint_tracer::Request;
use std::path::Path;

/// Options of `reduce` that `compare` does not have, each with a value.
const OWN: &[&str] =
    &["-o", "--output", "--time", "--report", "--script", "--predicate", "--reproduce", "--pack", "--state"];

/// Options for calls and hosts, which a call that became a program of its own needs no more, each with a value.
const OF_PROGRAM: &[&str] = &[
    "--invoke",
    "--alloc",
    "--env",
    "--dir",
    "--import",
    "--preload",
    "--host-script",
    "--host-script-timeout",
    "--host",
];

/// The words of the command that compares the reduced module, quoted for a shell: those that the user wrote, as far as they apply.
pub fn of_module(args: &ReduceArgs, file: &Path, reduced: &Reduced) -> Vec<String> {
    let sliced = reduced.sliced.is_some();
    let mut written = std::env::args_os().skip(1);
    let mut words = vec!["forkpoint".to_string(), "compare".to_string(), quoted(args.output.as_os_str())];
    for call in reduced.calls.iter().filter(|_| sliced) {
        words.extend(["--invoke".to_string(), quoted(call.to_string().as_ref())]);
    }
    let (mut is_command, mut is_module) = (false, false);
    while let Some(word) = written.next() {
        let text = word.to_string_lossy();
        let name = text.split_once('=').map_or(&*text, |(name, _)| name);
        if sliced && text == "--" {
            break;
        }
        if OWN.contains(&name) || sliced && OF_PROGRAM.contains(&name) {
            // A value of its own, unless it follows an equals sign.
            if !text.starts_with("--") || !text.contains('=') {
                written.next();
            }
        } else if text == "reduce" && !is_command {
            is_command = true;
        } else if word == file.as_os_str() && !is_module {
            is_module = true;
        } else if text != "--json" {
            words.push(quoted(&word));
        }
    }
    words
}

/// The same for one that came out of recordings, which name calls, engines and limits.
pub fn of_recording(args: &ReduceArgs, sides: &[Request; 2], reduced: &Reduced) -> Vec<String> {
    let mut words = vec!["forkpoint".to_string(), "compare".to_string(), quoted(args.output.as_os_str())];
    for call in &reduced.calls {
        words.extend(["--invoke".to_string(), quoted(call.to_string().as_ref())]);
    }
    for (name, side) in ["lhs", "rhs"].into_iter().zip(sides) {
        words.extend([format!("--{name}"), quoted(side.engine.to_string().as_ref())]);
        words.extend(side.memory_page_limit.map(|pages| format!("--{name}-memory-page-limit={pages}")));
    }
    let side = &sides[0];
    for (name, switches) in [("features", &side.features), ("run-features", &side.run_features)] {
        let list = Vec::<String>::from(switches.clone());
        if !list.is_empty() {
            words.push(format!("--{name}={}", list.join(",")));
        }
    }
    words
}
