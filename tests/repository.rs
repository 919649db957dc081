//! Checks on the repository itself: test targets that cannot lose a test, and documents that are up to date.

mod common;

use std::fs;

/// In a target without libtest's harness, `#[test]` silently drops a function, and a `main` is needed.
#[test]
fn no_test_is_dropped_silently() {
    let manifest = fs::read_to_string(common::repository("Cargo.toml")).expect("Cargo.toml is there");
    let mut targets = 0;
    for target in manifest.split("[[test]]").skip(1).filter(|target| target.contains("harness = false")) {
        let name = target.split('"').nth(1).expect("a target has a name");
        let text = fs::read_to_string(common::repository(&format!("tests/{name}.rs"))).expect("the target is there");
        assert!(!text.contains("#[test]"), "tests/{name}.rs: list its tests in `external_tests!`");
        targets += 1;
    }
    assert!(targets > 5, "{targets} targets");
}

#[test]
fn no_test_passes_without_having_run() {
    for entry in fs::read_dir(common::repository("tests")).expect("tests is there").flatten() {
        let path = entry.path();
        if path.extension().is_none_or(|extension| extension != "rs") || path.ends_with("repository.rs") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a test target can be read");
        for idiom in ["SKIP", "\"skip", "else { return };"] {
            assert!(!text.contains(idiom), "{}: `{idiom}`: see tests/common/external.rs", path.display());
        }
    }
}

/// docs/trace-format.md describes the current version.
#[test]
fn the_trace_format_is_documented_in_its_version() {
    let version = forkpoint_traces::FORMAT_VERSION;
    let text = fs::read_to_string(common::repository("docs/trace-format.md")).expect("the document is there");
    let title = text.lines().next().unwrap_or_default();
    assert!(title.ends_with(&format!("version {version}")), "the title says `{title}`, files have version {version}");
    assert!(text.contains(&format!("version u32 = {version}")), "the preamble shows another version");
    assert!(text.contains(&format!("\nVersion {version} ")), "what version {version} added is not said");
    let sample = fs::read(common::repository("traces/samples/orbit-jit.fpt")).expect("the sample is there");
    assert_eq!(sample[8..12], version.to_le_bytes(), "the samples are of another version");
}

/// All output goes through cli/output.rs: what bypasses it is not escaped.
#[test]
fn the_command_prints_by_one_way() {
    fn files(folder: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
        for path in fs::read_dir(folder).expect("a folder of sources").flatten().map(|entry| entry.path()) {
            if path.is_dir() { files(&path, found) } else { found.push(path) }
        }
    }
    let mut sources = Vec::new();
    files(&common::repository("cli"), &mut sources);
    assert!(sources.len() > 20, "{sources:?}");
    for path in sources.iter().filter(|path| !path.ends_with("output.rs")) {
        let text = fs::read_to_string(path).expect("a source can be read");
        for line in text.lines().filter(|line| ["stdout()", "stderr()"].iter().any(|way| line.contains(way))) {
            assert!(line.contains("is_terminal"), "{}: `{}`: print by cli/output.rs", path.display(), line.trim());
        }
        for way in ["println!", "print!", "allow(clippy::print"] {
            assert!(!text.contains(way), "{}: `{way}`: print by cli/output.rs", path.display());
        }
    }
}
