//! The tour: what docs/tour.md shows is what the commands print.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;

use common::{folder_with, repository, run, words};
use std::fmt::Write;
use std::fs;

/// Runs the commands of a block; files that it shows are written to a folder first.
fn printed(block: &str) -> String {
    let folder = folder_with(&[]);
    let mut shown = String::new();
    let mut lines = block.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix("$ cat ") {
            let mut text = String::new();
            while let Some(line) = lines.next_if(|line| !line.starts_with("$ ")) {
                writeln!(text, "{line}").unwrap();
            }
            fs::write(folder.path().join(name), &text).unwrap();
            write!(shown, "$ cat {name}\n{text}").unwrap();
        } else if let Some(command) = line.strip_prefix("$ forkpoint ") {
            while lines.next_if(|line| !line.starts_with("$ ")).is_some() {}
            let script = folder.path().display().to_string();
            // Scripts lie in the folder, everything else in the repository, from where the reader runs the commands.
            let words: Vec<String> = words(command)
                .into_iter()
                .map(|word| if word.ends_with(".txt") { format!("{script}/{word}") } else { word.to_string() })
                .collect();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let ran = run(&repository("."), &words);
            assert!(ran.code < 2 && ran.stderr.is_empty(), "{command}: {ran:?}");
            write!(shown, "$ forkpoint {command}\n{}", ran.stdout).unwrap();
        }
    }
    shown
}

/// Writes docs/tour.md anew with `BLESS=1`.
#[test]
fn the_tour_shows_what_the_commands_print() {
    let path = repository("docs/tour.md");
    let page = fs::read_to_string(&path).unwrap();
    let mut fresh = String::new();
    let mut blocks = 0;
    let mut rest = page.as_str();
    while let Some((before, after)) = rest.split_once("```console\n") {
        let (block, after) = after.split_once("```\n").expect("the end of the block");
        write!(fresh, "{before}```console\n{}```\n", printed(block)).unwrap();
        blocks += 1;
        rest = after;
    }
    fresh.push_str(rest);
    assert!(blocks >= 4, "{blocks} blocks");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, fresh).unwrap();
        return;
    }
    assert_eq!(page, fresh);
}
