//! Released engines on small modules, as files: known bugs of these engines (tests/cases/known-bugs) and cases that
//! users met in the field (tests/cases/field). Each `;; RUN:` line in a module is a case, and the lines below it
//! state the right result:
//! ```text
//! ;; RUN: compare % --invoke 'run 64' --rhs capi:jit,lib={libwasmtime-17.0.0.so}
//! ;; EXIT: 1
//! ;; JSON: /site/instruction "i32.store"
//! ;; SAYS: a text in what the last command prints
//! ;; NOT-YET: why the right answer does not come out today
//! ```
//!
//! `%` is the module, `TMP` a temporary folder, `REPO` the repository. `{...}` is a file below target/engines: the
//! case is ignored if `tests/engines/fetch.sh` has not brought it. `{node}` is any Node. JSON pointers are looked up
//! in the output of `--json`, which is added when a case has such lines; `~` before the value means that the text
//! contains it. A case marked NOT-YET must fail: when it passes, remove the mark.

mod common;

use common::external::{Need, Tests, engines, libraries, node, runners};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Engines named by the last part of their path alone.
const RUNNERS: &[&str] = &["wasmi-0-43", "wasmtime-43"];

/// One command and its right result.
#[derive(Default)]
struct Case {
    module: PathBuf,
    command: String,
    exit: i32,
    json: Vec<(String, String)>,
    says: Vec<String>,
    not_yet: Option<String>,
}

fn main() -> ExitCode {
    let mut tests = Tests::default();
    for folder in ["tests/cases/field", "tests/cases/known-bugs"] {
        let entries = fs::read_dir(common::repository(folder)).expect("the folder is there");
        let mut modules: Vec<PathBuf> = entries.map(|entry| entry.expect("it can be read").path()).collect();
        modules.sort();
        for module in modules.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "wat"))
        {
            let stem = module.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            for (number, case) in read(&module).into_iter().enumerate() {
                let mut name = format!("{stem}::{}", number + 1);
                if let Some(why) = &case.not_yet {
                    let _ = write!(name, " (not yet: {why})");
                }
                tests.add(name, &case.needs(), move || case.run());
            }
        }
    }
    tests.run()
}

/// The cases of a module.
fn read(module: &Path) -> Vec<Case> {
    let text = fs::read_to_string(module).expect("a case can be read");
    let mut cases: Vec<Case> = Vec::new();
    for line in text.lines() {
        let Some((key, value)) = line.strip_prefix(";; ").and_then(|line| line.split_once(": ")) else { continue };
        let value = value.trim().to_string();
        if key == "RUN" {
            cases.push(Case { module: module.to_path_buf(), command: value, ..Case::default() });
            continue;
        }
        let Some(case) = cases.last_mut() else { continue };
        match key {
            "EXIT" => case.exit = value.parse().unwrap_or_else(|_| panic!("{}: EXIT: {value}", module.display())),
            "JSON" => {
                let (pointer, wanted) = value.split_once(' ').unwrap_or_else(|| panic!("JSON: {value}: no value"));
                case.json.push((pointer.to_string(), wanted.to_string()));
            }
            "SAYS" => case.says.push(value),
            "NOT-YET" => case.not_yet = Some(value),
            _ => panic!("{}: unknown line `;; {key}:`", module.display()),
        }
    }
    cases
}

/// A file below target/engines by its name in a command, and what must be there for it.
fn engine(name: &str) -> (String, Need) {
    if name == "node" {
        return (node(), Need::Node);
    }
    if let Some(runner) = RUNNERS.iter().find(|runner| **runner == name) {
        return (runners().join(runner).display().to_string(), Need::Runner(runner));
    }
    if name.ends_with(".so") {
        return (libraries().join(name).display().to_string(), Need::library(name));
    }
    let program = name.split('-').next().unwrap_or(name);
    let file = format!("{name}/bin/{program}");
    (engines().join(&file).display().to_string(), Need::Fetched(file))
}

impl Case {
    fn needs(&self) -> Vec<Need> {
        let names = self.command.split('{').skip(1).filter_map(|rest| rest.split('}').next());
        names.map(|name| engine(name).1).collect()
    }

    fn run(&self) {
        match (self.check(), &self.not_yet) {
            (Ok(()), None) | (Err(_), Some(_)) => (),
            (Ok(()), Some(_)) => panic!("this passes now: remove the line NOT-YET from {}", self.module.display()),
            (Err(why), None) => panic!("{why}"),
        }
    }

    fn check(&self) -> Result<(), String> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut last = common::Ran { code: 0, stdout: String::new(), stderr: String::new() };
        let commands: Vec<&str> = self.command.split(" && ").collect();
        for (number, command) in commands.iter().enumerate() {
            let mut words: Vec<String> =
                common::words(command).iter().map(|word| self.word(word, folder.path())).collect();
            if number + 1 == commands.len() && !self.json.is_empty() {
                words.push("--json".to_string());
            }
            last = common::run(folder.path(), &words);
        }
        let shown = format!("{}\n--- stdout\n{}--- stderr\n{}", self.command, last.stdout, last.stderr);
        if last.code != self.exit {
            return Err(format!("exit code {}, and {} is right: {shown}", last.code, self.exit));
        }
        if let Some(text) = self.says.iter().find(|text| !shown.contains(*text)) {
            return Err(format!("`{text}` is not said: {shown}"));
        }
        if self.json.is_empty() {
            return Ok(());
        }
        let report: Value = serde_json::from_str(&last.stdout).map_err(|error| format!("{error}: {shown}"))?;
        for (pointer, wanted) in &self.json {
            let found = report.pointer(pointer).unwrap_or(&Value::Null);
            let (part, wanted) = wanted.strip_prefix('~').map_or((false, &**wanted), |wanted| (true, wanted));
            let wanted: Value = serde_json::from_str(wanted).unwrap_or_else(|error| panic!("{wanted}: {error}"));
            let right = match (part, found.as_str(), wanted.as_str()) {
                (true, Some(found), Some(wanted)) => found.contains(wanted),
                _ => !part && *found == wanted,
            };
            if !right {
                return Err(format!("{pointer} is {found}, and {wanted} is right: {shown}"));
            }
        }
        Ok(())
    }

    fn word(&self, word: &str, folder: &Path) -> String {
        if word == "%" {
            return self.module.display().to_string();
        }
        let mut word = word
            .replace("TMP", &folder.display().to_string())
            .replace("REPO", &common::repository("").display().to_string());
        while let Some((before, (name, after))) =
            word.split_once('{').and_then(|(a, b)| Some((a, b.split_once('}')?)))
        {
            word = format!("{before}{}{after}", engine(name).0);
        }
        word
    }
}
