//! `forkpoint compare`: record a module under two engines, report the first divergence.

use crate::Answer;
use crate::args::CompareArgs;
use crate::report::compare_traces;
use crate::session::{Session, Side};
use anyhow::{Context, Result};
use forkpoint_tracer::Stdio;
use std::fs::{self, File};
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;

/// Runs the command.
pub fn run(args: &CompareArgs) -> Result<Answer> {
    let session = Session::new(&args.guest, true)?;
    let temporary = tempfile::Builder::new().prefix("forkpoint-").tempdir().context("creating a temporary folder")?;
    let folder = match &args.output {
        Some(folder) => {
            fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
            folder.as_path()
        }
        None => temporary.path(),
    };
    let (lhs, rhs) = (folder.join("lhs.fpt"), folder.join("rhs.fpt"));
    let stdin = shared_stdin()?;
    for (engine, output, echo) in [(&args.lhs, &lhs, args.echo), (&args.rhs, &rhs, false)] {
        let side = Side {
            engine: engine.clone(),
            output: output.clone(),
            stdin: match &stdin {
                Some(file) => Stdio::File(file.try_clone().context("standard input")?),
                None => Stdio::Null,
            },
            output_streams: if echo { Stdio::File(stderr_file()?) } else { Stdio::Null },
        };
        let recorded = session.record(side, !echo).with_context(|| format!("recording under {engine}"))?;
        if recorded.outcome == forkpoint_traces::Outcome::Interrupted {
            eprintln!("interrupted while recording under {engine}");
            return Ok(Answer::None);
        }
    }
    let hint = match &args.output {
        Some(_) => format!("\nlook at it: forkpoint view {} {}\n", lhs.display(), rhs.display()),
        None => {
            "\nlook at it: add -o DIR to keep both traces, then forkpoint view DIR/lhs.fpt DIR/rhs.fpt\n".to_string()
        }
    };
    compare_traces(&lhs, &rhs, &args.report, &hint)
}

/// Both runs read the same input: a copy of ours. A terminal cannot be read twice, so there they read nothing.
fn shared_stdin() -> Result<Option<File>> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return Ok(None);
    }
    let mut copy = tempfile::tempfile().context("creating a temporary file")?;
    io::copy(&mut stdin.lock(), &mut copy).context("reading standard input for both runs")?;
    Ok(Some(copy))
}

/// Our standard error, for the guest's output: standard output is the report's.
fn stderr_file() -> Result<File> {
    let stderr = io::stderr().as_fd().try_clone_to_owned().context("standard error")?;
    Ok(File::from(stderr))
}
