//! Starts the runners that are part of this program: their text is in it, and a run gets a copy in its private folder.

use super::javascript::Page;
use crate::error::RecordError;
use crate::spec::{BundledRunner, BundledSpec, EngineSpec, V8Compiler, cranelift_flag};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The files of `runners/node`, the one to start first.
const NODE: &[(&str, &str)] = &[
    ("start.cjs", include_str!("../../runners/node/start.cjs")),
    ("load.cjs", include_str!("../../runners/node/load.cjs")),
    ("drain.cjs", include_str!("../../runners/node/drain.cjs")),
    ("drainer.cjs", include_str!("../../runners/node/drainer.cjs")),
    ("runner.mjs", include_str!("../../runners/node/runner.mjs")),
    ("host.mjs", include_str!("../../runners/node/host.mjs")),
    ("module.cjs", include_str!("../../runners/node/module.cjs")),
    ("program.mjs", include_str!("../../runners/node/program.mjs")),
    ("protocol.mjs", include_str!("../../runners/node/protocol.mjs")),
    ("traps.cjs", include_str!("../../runners/node/traps.cjs")),
    ("wasi.mjs", include_str!("../../runners/node/wasi.mjs")),
];

/// The files of `runners/node` that stand behind `WebAssembly` in a user's program, the one to load first.
const PRELOAD: &[(&str, &str)] = &[
    ("preload.cjs", include_str!("../../runners/node/preload.cjs")),
    ("app.cjs", include_str!("../../runners/node/app.cjs")),
    ("threads.cjs", include_str!("../../runners/node/threads.cjs")),
    ("own.cjs", include_str!("../../runners/node/own.cjs")),
    ("behind.cjs", include_str!("../../runners/node/behind.cjs")),
    ("channel.cjs", include_str!("../../runners/node/channel.cjs")),
    ("guest.cjs", include_str!("../../runners/node/guest.cjs")),
    ("module.cjs", include_str!("../../runners/node/module.cjs")),
    ("wire.cjs", include_str!("../../runners/node/wire.cjs")),
    ("traps.cjs", include_str!("../../runners/node/traps.cjs")),
    ("watched.cjs", include_str!("../../runners/node/watched.cjs")),
    ("pages.cjs", include_str!("../../runners/node/pages.cjs")),
    ("drain.cjs", include_str!("../../runners/node/drain.cjs")),
    ("drainer.cjs", include_str!("../../runners/node/drainer.cjs")),
];

/// Those that drive a browser and stand behind `WebAssembly` in its page, the one to start first.
const BROWSER: &[(&str, &str)] = &[
    ("browser.cjs", include_str!("../../runners/node/browser.cjs")),
    ("chromium.cjs", include_str!("../../runners/node/chromium.cjs")),
    ("firefox.cjs", include_str!("../../runners/node/firefox.cjs")),
    ("page.cjs", include_str!("../../runners/node/page.cjs")),
    ("behind.cjs", include_str!("../../runners/node/behind.cjs")),
    ("guest.cjs", include_str!("../../runners/node/guest.cjs")),
    ("module.cjs", include_str!("../../runners/node/module.cjs")),
    ("wire.cjs", include_str!("../../runners/node/wire.cjs")),
    ("traps.cjs", include_str!("../../runners/node/traps.cjs")),
    ("watched.cjs", include_str!("../../runners/node/watched.cjs")),
];

/// The files of `runners/python`, the one to start first.
const PYTHON: &[(&str, &str)] = &[
    ("runner.py", include_str!("../../runners/python/runner.py")),
    ("engine.py", include_str!("../../runners/python/engine.py")),
    ("host.py", include_str!("../../runners/python/host.py")),
    ("observe.py", include_str!("../../runners/python/observe.py")),
    ("program.py", include_str!("../../runners/python/program.py")),
    ("protocol.py", include_str!("../../runners/python/protocol.py")),
];

/// The command that runs a user's program under Node with the preload, from copies of its files in `folder`.
///
/// # Errors
/// When the engine is not Node, or the files cannot be written.
pub(super) fn preloaded(engine: &EngineSpec, folder: &Path, program: &[String]) -> Result<Command, RecordError> {
    let spec = of_node(engine)?;
    let folder = write(folder, PRELOAD).map_err(RecordError::io("writing the preload's files"))?;
    let mut command = start(spec);
    command.arg("--require").arg(folder.join(PRELOAD[0].0)).args(program);
    Ok(command)
}

/// The command that drives a browser, which shows `page`.
///
/// # Errors
/// Those of [`preloaded`].
pub(super) fn driven(engine: &EngineSpec, folder: &Path, page: &Page) -> Result<Command, RecordError> {
    let spec = of_node(engine)?;
    let failed = RecordError::io("writing the preload's files");
    let folder = match write(folder, BROWSER) {
        Ok(folder) => folder,
        Err(error) => return Err(failed(error)),
    };
    let job = folder.join("job.json");
    serde_json::to_vec(page).map_err(io::Error::from).and_then(|json| std::fs::write(&job, json)).map_err(failed)?;
    let mut command = start(spec);
    command.arg(folder.join(BROWSER[0].0)).arg(job);
    Ok(command)
}

fn of_node(engine: &EngineSpec) -> Result<&BundledSpec, RecordError> {
    match engine {
        EngineSpec::Bundled(spec @ BundledSpec { runner: BundledRunner::Node(_), .. }) => Ok(spec),
        other => Err(RecordError::JavaScript(format!(
            "programs that live in JavaScript are recorded under node, not under {other}"
        ))),
    }
}

/// Writes files to a folder in `folder`, which is returned.
fn write(folder: &Path, files: &[(&str, &str)]) -> io::Result<PathBuf> {
    let folder = folder.join("runner");
    // An engine that compiles ahead would have been here before.
    std::fs::create_dir_all(&folder)?;
    files.iter().try_for_each(|(name, text)| std::fs::write(folder.join(name), text))?;
    Ok(folder)
}

/// The program that runs a runner, with what comes first on its command line.
fn start(spec: &BundledSpec) -> Command {
    let usual = match spec.runner {
        BundledRunner::Node(_) => "node",
        BundledRunner::Python { .. } => "python3",
    };
    let mut command = Command::new(spec.program.as_deref().unwrap_or(usual));
    if let BundledRunner::Node(compiler) = spec.runner {
        // V8 reads them before it starts.
        command.args(match compiler {
            None => &[][..],
            Some(V8Compiler::Liftoff) => &["--liftoff", "--no-wasm-tier-up"],
            Some(V8Compiler::Turbofan) => &["--no-liftoff"],
        });
    }
    command
}

/// The command that runs it, from copies of its files in `folder`.
pub(super) fn command(spec: &BundledSpec, folder: &Path) -> io::Result<Command> {
    let files = match spec.runner {
        BundledRunner::Node(_) => NODE,
        BundledRunner::Python { .. } => PYTHON,
    };
    let folder = write(folder, files)?;
    let mut command = start(spec);
    command.arg(folder.join(files[0].0));
    if let BundledRunner::Python { compiler, opt } = spec.runner {
        if let Some(compiler) = compiler {
            command.arg("--compiler").arg(compiler.to_string());
        }
        if let Some(opt) = opt {
            command.arg("--opt").arg(opt.to_string());
        }
        if let Some(triple) = spec.target.triple() {
            command.arg("--target").arg(triple);
        }
        for cpu in &spec.cpu {
            command.arg(format!("--cranelift={}={}", cranelift_flag(cpu), cpu.enabled));
        }
    }
    Ok(command)
}
