//! Names the commit that a release build is made of, for `--version`: bug reports say which one.
//!
//! A package of a registry says it in a file, a checkout by git. Development builds name none: to keep it true, the program
//! and all its tests would be built anew after each commit. `FORKPOINT_COMMIT` names it in any build.

use std::env::var;
use std::fs;
use std::process::Command;

fn main() {
    let named = var("FORKPOINT_COMMIT").ok();
    let release = var("PROFILE").as_deref() == Ok("release");
    if named.is_some() || !release {
        println!("cargo::rerun-if-env-changed=FORKPOINT_COMMIT");
    }
    // Without such a line cargo asks again whenever a file has changed.
    let found = || of_package().or_else(of_checkout).filter(|_| release);
    if let Some(commit) = named.or_else(found) {
        println!("cargo::rustc-env=FORKPOINT_COMMIT={commit}");
    }
}

/// As `cargo package` notes it.
fn of_package() -> Option<String> {
    let noted = fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let (_, rest) = noted.split_once("\"sha1\": \"")?;
    rest.split('"').next().map(str::to_string)
}

/// As git has it; with a word about changes that no commit holds. The checkout must be ours, and not one around us.
fn of_checkout() -> Option<String> {
    fs::metadata(".git").ok()?;
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
        String::from_utf8(output.stdout).ok()
    };
    let commit = git(&["rev-parse", "HEAD"])?;
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]).is_none_or(|changes| !changes.is_empty());
    Some(format!("{}{}", commit.trim(), if changed { ", with changes" } else { "" }))
}
