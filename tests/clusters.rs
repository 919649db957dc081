//! The drivers that sweep a corpus by tasks of Ray and of Spark, on this machine. In each, a worker is killed in the middle.

mod common;

use common::external::{Need, cluster_python, external_tests};
use parquet::file::reader::{FileReader, SerializedFileReader};
use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

external_tests! {
    [Need::Cluster("ray")] => ray_sweeps_all_modules_though_a_worker_dies;
    [Need::Cluster("pyspark")] => spark_sweeps_all_modules_though_a_worker_dies;
}

/// Stores a number. One in eleven also has a shared memory, which wasmi rejects.
fn module(number: u32) -> String {
    let memory = if number % 11 == 3 { "(memory 1 1 shared)" } else { "(memory 1)" };
    format!("(module {memory} (func (export \"run\") (i32.store (i32.const 16) (i32.const {number}))))")
}

const MODULES: u32 = 22;

fn sweeps(driver: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("corpus")).expect("a folder");
    for number in 0..MODULES {
        fs::write(path("corpus").join(format!("{number:02}.wat")), module(number)).expect("a module");
    }
    // Whoever starts this first is killed; what it began is left behind.
    let program = format!(
        "#!/bin/sh\nif mkdir '{}' 2>/dev/null; then kill -9 $PPID; exit 1; fi\nexec '{}' \"$@\"\n",
        path("killed").display(),
        env!("CARGO_BIN_EXE_forkpoint")
    );
    fs::write(path("forkpoint"), program).expect("a program");
    fs::set_permissions(path("forkpoint"), Permissions::from_mode(0o755)).expect("a program");

    let sweep = || {
        let mut command = Command::new(cluster_python());
        command.arg(common::repository("examples/corpus").join(driver)).arg(path("corpus")).arg(path("out"));
        command.args(["--batch", "5", "--forkpoint"]).arg(path("forkpoint"));
        command.args(["--engines", "wasmtime:jit;wasmi", "--", "--timeout", "60s"]);
        command.env("XDG_CACHE_HOME", path("cache")).stdin(Stdio::null());
        let ran = command.output().expect("python");
        let (printed, said) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        assert!(ran.status.success(), "{printed}{said}");
        let rows = rows(&path("out/rows.parquet"), "module");
        assert_eq!(rows.len(), MODULES as usize, "{printed}{said}");
        assert_eq!(rows.iter().collect::<BTreeSet<_>>().len(), MODULES as usize);
        let findings = self::rows(&path("out/findings.parquet"), "module");
        let names = |name: &String| Path::new(name).file_name().map(|name| name.to_string_lossy().into_owned());
        assert_eq!(findings.iter().filter_map(names).collect::<Vec<_>>(), ["03.wat", "14.wat"], "{printed}");
        assert!(printed.contains("22 modules: 20 agree, 2 diverge"), "{printed}{said}");
    };
    sweep();
    assert!(path("killed").exists());
    // Again: every batch is there, and none is run.
    fs::write(
        path("forkpoint"),
        "#!/bin/sh\n[ \"$2\" = --merge ] || exit 3\nexec \"$FORKPOINT\" \"$@\"\n"
            .replace("\"$FORKPOINT\"", &format!("'{}'", env!("CARGO_BIN_EXE_forkpoint"))),
    )
    .expect("a program");
    sweep();
}

/// A column of a table, in the order of its rows.
fn rows(file: &Path, column: &str) -> Vec<String> {
    let reader = SerializedFileReader::new(File::open(file).expect("a table")).expect("a table");
    let text = |row: parquet::record::Row| {
        let found = row.get_column_iter().find(|(name, _)| *name == column).map(|(_, field)| field.to_string());
        found.expect("the column").trim_matches('"').to_string()
    };
    reader.get_row_iter(None).expect("rows").map(|row| text(row.expect("a row"))).collect()
}

fn ray_sweeps_all_modules_though_a_worker_dies() {
    sweeps("with_ray.py");
}

fn spark_sweeps_all_modules_though_a_worker_dies() {
    sweeps("with_spark.py");
}
