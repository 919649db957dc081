//! What `compare` and `diff` of two builds print.

use crate::answer::Answer;
use crate::output::{print, print_json, quoted};
use anyhow::Result;
use forkpoint_compare::{BuildGuard, ComparedBuilds};

/// Prints a result and gives the command's answer. `hint` is printed after a result in text.
pub fn print_builds(compared: &ComparedBuilds, json: bool, hint: &str) -> Result<Answer> {
    let answer = Answer::of(compared.report.agree);
    if json {
        print_json(compared)?;
        return Ok(answer);
    }
    print(&compared.report.to_string())?;
    if let Some(returned) = &compared.returned {
        print(&format!("\n{}", returned))?;
    }
    if let Some(guard) = compared.guard.as_ref().filter(|guard| !guard.changed_by_recording.is_empty()) {
        print(&in_words(guard))?;
    }
    if answer != Answer::Yes {
        let words: Vec<String> = std::env::args_os().skip(1).map(|word| quoted(&word)).collect();
        print(&format!("\ncommand: forkpoint {}\n", words.join(" ")))?;
        print(hint)?;
    }
    Ok(answer)
}

fn in_words(guard: &BuildGuard) -> String {
    let sides: Vec<&str> = guard.changed_by_recording.iter().map(|side| side.word()).collect();
    let plain = if guard.same_without_recording { "in the same way" } else { "differently" };
    format!("\nRecording changes how {} ends. Without recording, the builds end {plain}.\n", sides.join(" and "))
}
