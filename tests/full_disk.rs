//! A disk that is full at a random moment: the command fails with a reason, and what it has written is a trace that is sound as
//! far as it goes.

mod common;

use common::external::{Need, external_tests};
use common::{FORKPOINT, folder_with, run};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

external_tests! {
    [Need::Mount] => what_was_written_is_sound_as_far_as_it_goes;
}

/// Half a run of stores, growth that one side is refused, and the other half.
const MODULE: &[u8] = br#"(module (memory (export "memory") 16)
    (func (export "run") (param $n i32)
      (call $fill (local.get $n))
      (i32.store (i32.const 8) (memory.grow (i32.const 1)))
      (call $fill (local.get $n)))
    (func $fill (param $n i32) (local $i i32)
      (loop $l
        (i32.store offset=8 (i32.and (i32.mul (local.get $i) (i32.const 52)) (i32.const 0xffff0))
          (i32.mul (local.get $i) (i32.const 2654435761)))
        (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))))"#;

const RECORD: &[&str] = &["record", "m.wat", "--invoke", "run 300000", "-o", "t.fpt"];
const HOOKS: &[&str] = &["record", "m.wat", "--hooks", "--invoke", "run 150000", "-o", "t.fpt"];
const COMPARE: &[&str] = &["compare", "m.wat", "--invoke", "run 400000", "--lhs-memory-page-limit", "16", "-o", "o"];

/// Every trace in a folder, whole or not.
fn traces(folder: &Path) -> Vec<PathBuf> {
    let files = [folder.to_path_buf(), folder.join("o")].into_iter().filter_map(|folder| fs::read_dir(folder).ok());
    let files = files.flatten().map(|file| file.expect("a file").path());
    files.filter(|path| path.to_string_lossy().contains(".fpt")).collect()
}

fn what_was_written_is_sound_as_far_as_it_goes() {
    let count = std::env::var("FORKPOINT_FULL").ok().and_then(|count| count.parse().ok()).unwrap_or(12);
    let window = [COMPARE, &["--keep", "window"]].concat();
    let commands: [&[&str]; 4] = [RECORD, HOOKS, COMPARE, &window];
    let mut random = fastrand::Rng::with_seed(11);
    let (mut failed, mut read) = (0, 0);
    for trial in 0..count {
        let folder = folder_with(&[("m.wat", MODULE)]);
        let command = commands[trial % commands.len()];
        // What is left in the end is copied out of the file system, which only this process sees.
        let size = random.u32(16..1500);
        let script = format!(
            "mkdir disk && mount -t tmpfs -o size={size}k none disk && cp m.wat disk && cd disk || exit 9; \"$0\" \"$@\"; code=$?; rm m.wat; \
             cp -r . ../left; exit $code"
        );
        let ran = Command::new("unshare")
            .current_dir(folder.path())
            .args(["-rm", "sh", "-c", &script, FORKPOINT])
            .args(command)
            .env("FORKPOINT_CACHE", "off")
            .output()
            .expect("unshare starts");
        let stderr = String::from_utf8_lossy(&ran.stderr);
        let what = format!("trial {trial}, {size} KiB, {command:?}: {stderr}");
        let code = ran.status.code();
        assert!(matches!(code, Some(0..=2)) && !stderr.contains("panicked"), "{what}");
        if code == Some(2) {
            failed += 1;
            assert!(stderr.contains("No space left on device"), "{what}");
        }
        for trace in traces(&folder.path().join("left")) {
            let info = run(folder.path(), &["info".as_ref(), trace.as_os_str(), "--json".as_ref()]);
            if info.stderr.contains("nothing was recorded before it was cut off") {
                continue;
            }
            let fields: Value =
                serde_json::from_str(&info.stdout).unwrap_or_else(|_| panic!("{what}: {}", info.stderr));
            let verified = run(folder.path(), &["info".as_ref(), "--verify".as_ref(), trace.as_os_str()]);
            assert_eq!(verified.code, 0, "{what}: {}", verified.stderr);
            read += u32::from(fields["complete"] == false);
        }
    }
    assert!(failed > 2 && read > 0, "{failed} of {count} failed, and left {read} incomplete traces");
}
