//! Tests with needs outside this repository: an engine, a tool, a processor feature.
//!
//! If a need is missing, its test is *ignored*, never passed: the runner counts it in its closing lines and then
//! lists what was left out and the one command that brings it. libtest cannot ignore at run time, so these targets
//! have `harness = false` in Cargo.toml and a `main` from [`external_tests`]. Functions in them must not be marked
//! `#[test]`, which would silently drop them (tests/repository.rs checks that).

use libtest_mimic::{Arguments, Trial};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

/// The command that brings every engine that a registry has.
const FETCH: &str = "tests/engines/fetch.sh";

/// Releases of Wasmtime that [`FETCH`] brings, as libraries and as Python packages.
pub const WASMTIMES: &[&str] = &[
    "0.30.0", "8.0.1", "15.0.0", "16.0.0", "17.0.0", "17.0.1", "18.0.0", "18.0.2", "31.0.0", "36.0.0", "38.0.0",
    "39.0.0", "40.0.0", "41.0.0", "48.0.0",
];

/// Something that a test needs and a machine may lack.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// A system program that prints its version when given this argument.
    Program(&'static str, &'static str),
    /// A program below target/engines.
    Fetched(String),
    /// A shared library, by its file name.
    Library(String),
    /// A release of Wasmtime as a Python package.
    Package(String),
    /// The Python package xxhash.
    Xxhash,
    /// A package that [`cluster_python`] finds.
    Cluster(&'static str),
    /// An old engine as a runner.
    Runner(&'static str),
    /// Any Node: the fetched one or the system's.
    Node,
    /// The packages from npm whose programs are recorded.
    Packages,
    /// One of them, which an earlier fetch may not have brought.
    Npm(&'static str),
    /// A release of binaryen, whose wasm-opt runs in Node.
    Binaryen(&'static str),
    /// A real program below target/workloads.
    Workload(&'static str),
    /// A clang that compiles for WebAssembly.
    Clang,
    /// A rustc with a standard library for WebAssembly.
    RustForWasm,
    /// A file system of one's own: `unshare` and permission to mount one in a new namespace.
    Mount,
    /// Fused multiply-add, which makes an x86-64 processor differ from its baseline.
    Fma,
}

pub const PYTHON: Need = Need::Program("python3", "--version");
pub const CHROMIUM: Need = Need::Program("chromium", "--version");

/// Firefox, by the name of Debian's package.
pub const FIREFOX: Need = Need::Program("firefox-esr", "--version");
pub const TMUX: Need = Need::Program("tmux", "-V");
pub const CC: Need = Need::Program("cc", "--version");

impl Need {
    pub fn library(name: &str) -> Need {
        Need::Library(name.to_string())
    }

    fn is_met(&self) -> bool {
        match self {
            Need::Program(name, version) => has_program(name, version),
            Need::Fetched(program) => engines().join(program).is_file(),
            Need::Library(name) => libraries().join(name).exists(),
            Need::Package(release) => packages().join(format!("wasmtime-{release}")).is_dir(),
            Need::Xxhash => packages().join("xxhash").is_dir(),
            Need::Cluster(package) => finds_package(package),
            Need::Runner(name) => runners().join(name).is_file(),
            Need::Node => has_program(&node(), "--version"),
            Need::Packages => javascript().is_dir(),
            Need::Npm(name) => javascript().join(name).is_dir(),
            Need::Binaryen(release) => wasm_opt(release).is_file(),
            Need::Workload(name) => workload(name).is_file(),
            Need::Clang => clang_compiles(),
            Need::RustForWasm => rustc_for_wasm().is_some(),
            Need::Mount => mounts(),
            Need::Fma => has_fma(),
        }
    }

    /// How to get it.
    fn remedy(&self) -> String {
        match self {
            Need::Library(name) if name.starts_with("libwasmedge-") || name.starts_with("libwasmer-") => {
                "no registry has it ready-made: put it into target/engines/libs, or name a folder in FORKPOINT_LIBS"
                    .to_string()
            }
            Need::Program(..) => format!("install {self}"),
            Need::Clang => "install clang, lld, wasi-libc".to_string(),
            Need::RustForWasm => {
                "run `rustup target add wasm32-unknown-unknown`, or install rustc and libstd-rust-dev-wasm32"
                    .to_string()
            }
            Need::Mount => "install util-linux, and allow user namespaces".to_string(),
            Need::Fma => "use another processor".to_string(),
            Need::Node => format!("install node, or run {FETCH}"),
            Need::Packages | Need::Npm(_) => "run tests/javascript/fetch.sh".to_string(),
            Need::Workload(_) => "run benches/fetch-workloads.sh".to_string(),
            Need::Cluster(_) => {
                "make a virtual environment target/engines/cluster with ray, pyspark and pyarrow".to_string()
            }
            _ => format!("run {FETCH}"),
        }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Need::Program(name, _) | Need::Runner(name) => write!(f, "{name}"),
            Need::Fetched(name) | Need::Library(name) => write!(f, "{name}"),
            Need::Package(release) => write!(f, "Python package wasmtime {release}"),
            Need::Xxhash => write!(f, "Python package xxhash"),
            Need::Cluster(package) => write!(f, "Python package {package}"),
            Need::Node => write!(f, "node"),
            Need::Packages => write!(f, "packages from npm"),
            Need::Npm(name) => write!(f, "{name} from npm"),
            Need::Binaryen(release) => write!(f, "binaryen {release}"),
            Need::Workload(name) => write!(f, "{name}"),
            Need::Clang => write!(f, "clang for wasm32"),
            Need::RustForWasm => write!(f, "rustc for wasm32-unknown-unknown"),
            Need::Mount => write!(f, "permission to mount a file system"),
            Need::Fma => write!(f, "a processor with FMA"),
        }
    }
}

/// A compiler with what [`Need::RustForWasm`] asks for: the first on the path, or else the system's.
pub fn rustc_for_wasm() -> Option<&'static str> {
    let has_library = |rustc: &&str| {
        let mut command = Command::new(rustc);
        command.args(["--print", "target-libdir", "--target", "wasm32-unknown-unknown"]).stderr(Stdio::null());
        let printed = command.output().ok().filter(|printed| printed.status.success());
        printed.is_some_and(|printed| Path::new(String::from_utf8_lossy(&printed.stdout).trim()).is_dir())
    };
    ["rustc", "/usr/bin/rustc"].into_iter().find(has_library)
}

/// Whether a small file system can be mounted, for this process alone.
fn mounts() -> bool {
    let mut command = Command::new("unshare");
    command.args(["-rm", "mount", "-t", "tmpfs", "none", "/tmp"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// The tests of a target.
#[derive(Default)]
pub struct Tests {
    trials: Vec<Trial>,
    left_out: Vec<(String, Need)>,
}

impl Tests {
    /// Adds a test, ignored if one of its needs is missing.
    pub fn add(&mut self, name: impl Into<String>, needs: &[Need], test: impl FnOnce() + Send + 'static) {
        let name = name.into();
        let trial = Trial::test(name.clone(), move || {
            test();
            Ok(())
        });
        self.trials.push(match needs.iter().find(|need| !need.is_met()) {
            Some(missing) => {
                self.left_out.push((name, missing.clone()));
                trial.with_kind(format!("needs {missing}")).with_ignored_flag(true)
            }
            None => trial,
        });
    }

    /// Runs the tests that the command line selects, then lists what was left out.
    pub fn run(self) -> ExitCode {
        let arguments = Arguments::from_args();
        let list = arguments.list;
        let filter = arguments.filter.clone().unwrap_or_default();
        let conclusion = libtest_mimic::run(&arguments, self.trials);
        if !list && conclusion.num_ignored > 0 {
            let mut by_remedy: BTreeMap<String, (u32, BTreeSet<String>)> = BTreeMap::new();
            for (_, need) in self.left_out.into_iter().filter(|(name, _)| name.contains(&filter)) {
                let (tests, needs) = by_remedy.entry(need.remedy()).or_default();
                *tests += 1;
                needs.insert(need.to_string());
            }
            println!("left out:");
            for (remedy, (tests, needs)) in by_remedy {
                let needs: Vec<String> = needs.into_iter().collect();
                println!("  {tests} tests that need {}: {remedy}", needs.join(", "));
            }
            println!();
        }
        conclusion.exit_code()
    }
}

/// Writes the `main` of a target: functions with their needs.
#[allow(unused_macros, reason = "some targets list their tests by hand")]
macro_rules! external_tests {
    ($($needs:expr => $($test:ident),+;)+) => {
        fn main() -> std::process::ExitCode {
            let mut tests = $crate::common::external::Tests::default();
            $($(tests.add(stringify!($test), &$needs, $test);)+)+
            tests.run()
        }
    };
}
#[allow(unused_imports, reason = "as above")]
pub(crate) use external_tests;

/// Whether a program can be started.
pub fn has_program(name: &str, version: &str) -> bool {
    Command::new(name).arg(version).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
}

/// A folder of engines: the one that an environment variable names, or that of [`FETCH`].
fn folder(variable: &str, name: &str) -> PathBuf {
    let asked = std::env::var_os(variable).filter(|folder| !folder.is_empty());
    asked.map_or_else(|| engines().join(name), PathBuf::from)
}

pub fn engines() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/engines")
}

pub fn libraries() -> PathBuf {
    folder("FORKPOINT_LIBS", "libs")
}

pub fn packages() -> PathBuf {
    folder("FORKPOINT_PYTHON", "python")
}

pub fn runners() -> PathBuf {
    folder("FORKPOINT_RUNNERS", "runners")
}

/// The optimizer of a release of binaryen.
pub fn wasm_opt(release: &str) -> PathBuf {
    folder("FORKPOINT_BINARYEN", "binaryen").join(release).join("bin/wasm-opt")
}

/// A real program.
pub fn workload(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/workloads").join(name)
}

/// Where the packages from npm are.
pub fn javascript() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/javascript/node_modules")
}

/// The newest Node: the fetched one, otherwise the system's.
pub fn node() -> String {
    let fetched = engines().join("node-24.20.0/bin/node");
    if fetched.is_file() { fetched.display().to_string() } else { "node".to_string() }
}

/// The Python that has engines for clusters: that of a virtual environment, otherwise the system's.
pub fn cluster_python() -> PathBuf {
    let own = folder("FORKPOINT_CLUSTER", "cluster").join("bin/python");
    if own.is_file() { own } else { PathBuf::from("python3") }
}

/// Whether [`cluster_python`] has a package, and what the drivers need besides.
fn finds_package(package: &str) -> bool {
    let found = "import importlib.util as i, sys; sys.exit(not all(map(i.find_spec, sys.argv[1:])))";
    let mut python = Command::new(cluster_python());
    python.args(["-c", found, package, "pyarrow"]).stdout(Stdio::null()).stderr(Stdio::null());
    python.status().is_ok_and(|status| status.success())
}

/// Whether the host's engine fuses multiply and add, and so differs from the portable target.
fn has_fma() -> bool {
    #[cfg(target_arch = "x86_64")]
    let fma = std::is_x86_feature_detected!("fma");
    #[cfg(not(target_arch = "x86_64"))]
    let fma = false;
    fma
}

/// Tries it, because a clang without its linker or its WebAssembly back end is useless.
fn clang_compiles() -> bool {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("t.c"), "void _start(void) {}\n").expect("writing a test file");
    let compile = ["--target=wasm32-wasi", "-nostdlib", "t.c", "-o", "t.wasm"];
    let mut clang = Command::new("clang");
    clang.current_dir(folder.path()).args(compile).stdout(Stdio::null()).stderr(Stdio::null());
    clang.status().is_ok_and(|status| status.success())
}
