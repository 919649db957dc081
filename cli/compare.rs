//! `forkpoint compare`: record a module under two engines, report the first divergence.

use crate::Answer;
use crate::args::CompareArgs;
use crate::guard::{Guard, PlainRuns};
use crate::report::{open, print_report};
use crate::session::{How, Session, Side};
use anyhow::{Context, Result};
use forkpoint_replay::{Report, Verdict, printable};
use forkpoint_tracer::instrument::Options;
use forkpoint_tracer::{Checkpoint, EngineSpec, Finding, Recorded, Stdio, Watch};
use forkpoint_traces::{Observation, Outcome};
use std::fs::{self, File};
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

/// Most bytes that are watched to find the event behind a difference that a checkpoint found.
const WATCHED: u64 = 4096;

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
    let comparison = Comparison { args, session, stdin: shared_stdin()?, aside: temporary.path() };
    let traces = [folder.join("lhs.fpt"), folder.join("rhs.fpt")];
    let limits = [args.lhs_memory_page_limit, args.rhs_memory_page_limit];
    let limits = limits.map(|limit| limit.or(args.guest.memory_page_limit));
    if limits[0] != limits[1] {
        let [lhs, rhs] = limits.map(|limit| limit.map_or("none".to_string(), |pages| pages.to_string()));
        eprintln!(
            "note: the sides have different limits of memory pages because you ask for it: lhs {lhs}, rhs {rhs}"
        );
    }
    let Some((report, guard)) = comparison.run(&traces)? else { return Ok(Answer::None) };
    let hint = match &args.output {
        Some(_) => format!("\nlook at it: forkpoint view {} {}\n", traces[0].display(), traces[1].display()),
        None => {
            "\nlook at it: add -o DIR to keep both traces, then forkpoint view DIR/lhs.fpt DIR/rhs.fpt\n".to_string()
        }
    };
    print_report(&report, guard.as_ref(), &args.report, &hint)
}

/// Everything that the runs of one comparison share.
struct Comparison<'a> {
    args: &'a CompareArgs,
    session: Session,
    stdin: Option<File>,
    /// For traces that nobody asked for.
    aside: &'a Path,
}

impl Comparison<'_> {
    /// Records both sides to `traces` and compares them. `None` when the user ended it.
    fn run(&self, traces: &[PathBuf; 2]) -> Result<Option<(Report, Option<Guard>)>> {
        let engines = [&self.args.lhs, &self.args.rhs];
        let plain = match self.args.no_guard {
            true => None,
            false => {
                let run = |engine: &EngineSpec| {
                    let side = self.side(engine, PathBuf::new(), false)?;
                    let end = self.session.run_plain(side);
                    end.with_context(|| format!("running under {engine} without recording"))
                };
                Some(PlainRuns { lhs: run(engines[0])?, rhs: run(engines[1])? })
            }
        };
        let mut recorded = Vec::new();
        for (i, (engine, trace)) in engines.into_iter().zip(traces).enumerate() {
            let echo = self.args.echo && i == 0;
            let one = self.record(engine, trace, None, echo)?;
            if one.outcome == Outcome::Interrupted {
                eprintln!("interrupted while recording under {engine}");
                return Ok(None);
            }
            self.narrow(engine, trace, &one)?;
            recorded.push(one);
        }
        let mut report = self.report(traces)?;
        let [lhs, rhs] = &recorded[..] else { return Ok(Some((report, None))) };
        let Some(plain) = plain.filter(|plain| !plain.cut_short() && report.agree.is_some()) else {
            return Ok(Some((report, None)));
        };
        let mut guard = plain.judge(lhs, rhs, report.agree == Some(true));
        if guard.observer_effect {
            if report.agree == Some(true) {
                report = self.climb(&plain, &mut guard, traces, report)?;
            }
            report.agree = Some(false);
            report.verdict = Some(Verdict::ObserverEffect);
            report.meaning = Some(Verdict::ObserverEffect.meaning());
        }
        Ok(Some((report, Some(guard))))
    }

    fn side(&self, engine: &EngineSpec, output: PathBuf, echo: bool) -> Result<Side> {
        // Every engine here is one of the two in the arguments.
        let memory_page_limit = match std::ptr::eq(engine, &self.args.rhs) {
            true => self.args.rhs_memory_page_limit,
            false => self.args.lhs_memory_page_limit,
        };
        Ok(Side {
            engine: engine.clone(),
            memory_page_limit,
            output,
            stdin: match &self.stdin {
                Some(file) => Stdio::File(file.try_clone().context("standard input")?),
                None => Stdio::Null,
            },
            output_streams: if echo { Stdio::Stderr } else { Stdio::Null },
        })
    }

    fn record(&self, engine: &EngineSpec, trace: &Path, how: Option<How>, echo: bool) -> Result<Recorded> {
        let side = self.side(engine, trace.to_path_buf(), echo)?;
        match how {
            Some(how) => self.session.record_how(side, how, !echo),
            None => self.session.record(side, !echo),
        }
        .with_context(|| format!("recording under {engine}"))
    }

    fn report(&self, traces: &[PathBuf; 2]) -> Result<Report> {
        let (mut lhs, mut rhs) = (open(&traces[0])?, open(&traces[1])?);
        Ok(Report::new(&mut lhs, &mut rhs, self.args.report.context, self.args.report.nan_bits)?)
    }

    /// A checkpoint tells that memory is not what it should be, and not since when: runs once more and looks at
    /// these bytes after every event. The new trace takes the place of the old one if it knows better.
    fn narrow(&self, engine: &EngineSpec, trace: &Path, recorded: &Recorded) -> Result<()> {
        let Some(finding) = recorded.findings.first.first().filter(|finding| finding.by == Observation::Checkpoint)
        else {
            return Ok(());
        };
        // Wrong bytes are copied to other places: where they are near, all of them are watched.
        let end = |finding: &Finding| finding.address.saturating_add(finding.engine.len() as u64);
        let same = recorded.findings.first.iter().filter(|other| other.memory == finding.memory);
        let last = same.map(end).filter(|last| last.saturating_sub(finding.address) <= WATCHED).max();
        let watch = Watch {
            memory: finding.memory.0,
            address: finding.address,
            length: last.unwrap_or(end(finding)).saturating_sub(finding.address).min(WATCHED),
        };
        let how = match (engine.shows_memory(), engine.records_inline()) {
            (true, true) => {
                let options = Options { join: false, buffer_limit: 0, ..Options::default() };
                How { options, checkpoint: Checkpoint::End, watch: Some(watch) }
            }
            (true, false) => How { options: Options::default(), checkpoint: Checkpoint::End, watch: Some(watch) },
            // It shows no memory on the way: let the module itself look.
            (false, _) => {
                let options = Options { read_back: true, ..Options::default() };
                How { options, checkpoint: Checkpoint::End, watch: None }
            }
        };
        let again = self.aside.join("narrow.fpt");
        let narrowed = self.record(engine, &again, Some(how), false)?;
        if narrowed.findings.first.first().is_some_and(|found| found.events < finding.events) {
            fs::copy(&again, trace).with_context(|| format!("replacing {}", trace.display()))?;
        }
        Ok(())
    }

    /// Tries ways to record that change the code less, until one shows what the runs without recording show.
    fn climb(&self, plain: &PlainRuns, guard: &mut Guard, traces: &[PathBuf; 2], full: Report) -> Result<Report> {
        let suspects = {
            let (mut lhs, mut rhs) = (open(&traces[0])?, open(&traces[1])?);
            let (words, functions) = plain.writers([&mut lhs, &mut rhs])?;
            guard.last_writers = words;
            functions
        };
        guard.vanished_in.push("recording of everything by inline records".to_string());
        for rung in plain.ladder(&self.session, suspects) {
            let files = [self.aside.join("rung-lhs.fpt"), self.aside.join("rung-rhs.fpt")];
            let lhs = self.record(&self.args.lhs, &files[0], Some(rung.how.clone()), false);
            let rhs = lhs.and_then(|lhs| Ok((lhs, self.record(&self.args.rhs, &files[1], Some(rung.how), false)?)));
            let (lhs, rhs) = match rhs {
                Ok(both) => both,
                // What is known so far is worth more than this attempt.
                Err(error) => {
                    guard.vanished_in.push(format!(
                        "{} (not recorded: {})",
                        rung.name,
                        printable(&format!("{error:#}"))
                    ));
                    continue;
                }
            };
            if !plain.survived(&lhs, &rhs) {
                guard.vanished_in.push(rung.name);
                continue;
            }
            guard.survived_in = Some(rung.name);
            for (file, trace) in files.iter().zip(traces) {
                fs::copy(file, trace).with_context(|| format!("replacing {}", trace.display()))?;
            }
            return self.report(traces);
        }
        Ok(full)
    }
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
