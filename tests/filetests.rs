//! Command-line cases as files: tests/cases/readme.wat says how to write one.

mod common;

use libtest_mimic::{Arguments, Failed, Trial};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cases = common::repository("tests/cases");
    let mut files: Vec<PathBuf> = fs::read_dir(&cases)
        .expect("tests/cases is there")
        .map(|entry| entry.expect("tests/cases can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "wat"))
        .collect();
    files.sort();
    let trials = files
        .into_iter()
        .map(|path| {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let known_bug = fs::read_to_string(&path).is_ok_and(|text| text.contains("\n;; KNOWN-BUG:"));
            Trial::test(name, move || check(&path)).with_ignored_flag(known_bug)
        })
        .collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn check(path: &Path) -> Result<(), Failed> {
    let source = fs::read_to_string(path)?;
    let header = |key: &str| -> Vec<String> {
        let lines = source.lines().filter_map(|line| line.strip_prefix(";; ")?.strip_prefix(key));
        lines.map(|value| value.trim().to_string()).collect()
    };
    let commands = header("RUN:").join(" && ");
    if commands.is_empty() {
        return Err("no `;; RUN:` line".into());
    }
    let wanted: i32 = header("EXIT:").first().map_or(Ok(0), |code| code.parse())?;
    let folder = tempfile::tempdir()?;
    let (mut code, mut stdout, mut stderr) = (0, String::new(), String::new());
    for command in commands.split(" && ") {
        let arguments: Vec<String> = common::words(command)
            .into_iter()
            .map(|word| match word.as_str() {
                "%" => path.display().to_string(),
                _ => word.replace("TMP", &folder.path().display().to_string()),
            })
            .collect();
        let ran = common::run(folder.path(), &arguments);
        code = ran.code;
        stdout += &ran.stdout;
        stderr += &ran.stderr;
        if code != 0 {
            break;
        }
    }
    let clean = |text: &str| normalise(text, folder.path(), path.parent().unwrap_or(path));
    let (stdout, stderr) = (clean(&stdout), clean(&stderr));
    if code != wanted {
        return Err(format!("exit code {code}, expected {wanted}\n--- stdout\n{stdout}--- stderr\n{stderr}").into());
    }
    compare(&with_suffix(path, ".stdout"), &stdout, true)?;
    compare(&with_suffix(path, ".stderr"), &stderr, wanted == 2)
}

/// Compares with the file of expected output, or writes it if BLESS is set. Without `needed`, only an existing file
/// counts.
fn compare(file: &Path, actual: &str, needed: bool) -> Result<(), Failed> {
    if !needed && !file.exists() {
        return Ok(());
    }
    if std::env::var_os("BLESS").is_some_and(|value| value == "1") {
        return Ok(fs::write(file, actual)?);
    }
    let expected =
        fs::read_to_string(file).map_err(|error| format!("{}: {error}; BLESS=1 writes it", file.display()))?;
    if expected == actual {
        return Ok(());
    }
    let mut message = format!("{} differs (BLESS=1 rewrites it)\n", file.display());
    let (mut old, mut new) = (expected.lines(), actual.lines());
    loop {
        match (old.next(), new.next()) {
            (None, None) => return Err(message.into()),
            (a, b) if a == b => message += &format!("  {}\n", a.unwrap_or_default()),
            (a, b) => {
                message.extend(a.map(|line| format!("- {line}\n")));
                message.extend(b.map(|line| format!("+ {line}\n")));
            }
        }
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(suffix);
    name.into()
}

/// Removes what differs between machines and between runs.
fn normalise(text: &str, temporary: &Path, cases: &Path) -> String {
    let text = text.replace(&temporary.display().to_string(), "TMP");
    let text = text.replace(&cases.display().to_string(), "CASES");
    let mut clean = String::new();
    for line in text.lines() {
        let first = line.split_whitespace().next().unwrap_or_default();
        let row_of_info =
            !line.starts_with(' ') && ["target", "CPU", "settings", "recorded", "module"].contains(&first);
        let is_version = line
            .trim_start()
            .strip_prefix("wasmtime ")
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        let is_summary = line.starts_with("recorded ") && line.contains(" events in ");
        if is_version || (row_of_info && !is_summary) {
            continue;
        }
        clean += &without_measures(line);
        clean.push('\n');
    }
    clean
}

/// Numbers before a unit of time or size become `_`.
fn without_measures(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let mut clean: Vec<String> = Vec::new();
    for (i, word) in words.iter().enumerate() {
        let unit = words.get(i + 1).map(|next| next.trim_end_matches([')', ',', ':']));
        let digits = word.trim_start_matches('(');
        let number = digits.starts_with(|c: char| c.is_ascii_digit()) && digits.parse::<f64>().is_ok();
        if number && matches!(unit, Some("s" | "bytes" | "KiB" | "MiB" | "GiB")) {
            clean.push(format!("{}_", &word[..word.len() - digits.len()]));
        } else if clean.last().is_some_and(|last| last.ends_with('_'))
            && ["bytes)", "KiB)", "bytes):", "KiB):"].contains(word)
        {
            clean.push(word.replace("KiB", "bytes"));
        } else {
            clean.push((*word).to_string());
        }
    }
    clean.join(" ")
}
