//! The README's first command on a processor that fuses multiply and add: the same engine compiled for it and for the
//! baseline of its architecture.

mod common;

use common::external::{Need, external_tests};
use common::{repository_text, run};
use serde_json::Value;

external_tests! {
    [Need::Fma] => the_demo_diverges_where_the_host_has_fma;
}

fn the_demo_diverges_where_the_host_has_fma() {
    let folder = common::folder_with(&[]);
    let demo = repository_text("examples/orbit.wat");
    let compare =
        ["compare", &demo, "--invoke", "run 100", "--rhs", "wasmtime:aot,target=portable", "--json", "-o", "."];
    let ran = run(folder.path(), &compare);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let report: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(
        (&report["agree"], &report["verdict"], &report["position"]),
        (&false.into(), &"value".into(), &12.into())
    );
    assert_eq!((&report["site"]["name"], &report["site"]["instruction"]), (&"step".into(), &"v128.store".into()));
    assert_eq!((&report["lhs"]["address"], &report["lhs"]["width"]), (&16.into(), &16.into()));
    assert_ne!(report["lhs"]["bytes"], report["rhs"]["bytes"]);
    let ran = run(folder.path(), &["diff", "lhs.fpt", "rhs.fpt"]);
    assert!(ran.code == 1 && ran.stdout.contains("diverge at #12 (value)"), "{}", ran.stdout);
}
