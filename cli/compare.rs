//! `forkpoint compare`: record a module under two engines, report the first divergence.

mod calls;
mod lost;
pub mod many;
pub mod nondeterminism;
mod open_results;
mod places;
mod reruns;

use crate::Answer;
use crate::args::{CompareArgs, HostMode};
use crate::guard::{Guard, PlainRuns};
use crate::open::recorded as open;
use crate::output::{quoted, tell};
use crate::progress;
use crate::report::print_report;
use crate::session::{How, Session, Side};
use anyhow::{Context, Result};
use forkpoint_replay::{NanBits, Report, Verdict, printable};
use forkpoint_tracer::instrument::Options;
use forkpoint_tracer::{Checkpoint, Differs, EngineSpec, Mismatch, Recorded, Scratch, Stdio, Watch, WatchedRange};
use forkpoint_traces::{Observation, Outcome};
pub use reruns::Reruns;
use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Most bytes of one place that are watched to find the event behind a difference that a checkpoint found.
const WATCHED: u64 = 64;

/// Runs the command.
pub fn run(args: &CompareArgs) -> Result<Answer> {
    let shown = progress::show(args.echo);
    progress::phase("rewriting");
    let session = Session::new(&args.guest, false)?;
    if let Some(error) = session.program.invalid() {
        tell(&format!("note: {error}; engines are asked what they make of the module, and nothing of it runs"));
    }
    let temporary = Scratch::new().context("creating a temporary folder")?;
    let folder = match &args.output {
        Some(folder) => {
            fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
            folder.as_path()
        }
        None => temporary.path(),
    };
    let contender = |engine: &EngineSpec, limit: Option<u64>| Contender {
        engine: engine.clone(),
        memory_page_limit: limit.or(args.guest.run.memory_page_limit),
    };
    let mut sides: Vec<Contender> =
        args.engines.iter().flat_map(|list| &list.0).map(|engine| contender(engine, None)).collect();
    let many = !sides.is_empty();
    if !many {
        sides =
            vec![contender(&args.lhs, args.lhs_memory_page_limit), contender(&args.rhs, args.rhs_memory_page_limit)];
    }
    let comparison = Comparison {
        ways: Ways {
            host: args.host,
            guard: !args.no_guard,
            reruns: !args.no_reruns,
            echo: args.echo,
            keep: args.output.is_some(),
            quiet: false,
            context: args.report.context,
            nan_bits: args.report.nan_bits,
        },
        sides,
        session,
        stdin: shared_stdin()?,
        aside: temporary.path(),
        pinned: RefCell::default(),
    };
    if many {
        return many::run(&comparison, folder, args.report.json, shown);
    }
    let traces = [folder.join("lhs.fpt"), folder.join("rhs.fpt")];
    let Some((report, reruns, guard)) = comparison.run(&traces)? else { return Ok(Answer::None) };
    drop(shown);
    let hint = match &args.output {
        Some(_) => {
            let [lhs, rhs] = traces.each_ref().map(|trace| quoted(trace.as_os_str()));
            format!("\nlook at it: forkpoint view {lhs} {rhs}\n")
        }
        None => {
            "\nlook at it: add -o DIR to keep both traces, then forkpoint view DIR/lhs.fpt DIR/rhs.fpt\n".to_string()
        }
    };
    let host = comparison.session.program.needs_host().then_some(args.host);
    print_report(&report, Some(&reruns), guard.as_ref(), host, &args.report, &hint)
}

/// One side of a comparison.
pub struct Contender {
    pub engine: EngineSpec,
    pub memory_page_limit: Option<u64>,
}

/// How runs are compared.
pub struct Ways {
    /// Who answers host calls.
    pub host: HostMode,
    /// Whether every engine runs without recording, too.
    pub guard: bool,
    /// Whether sides run again to be asked more about a divergence.
    pub reruns: bool,
    /// Whether what the guest of the first run prints is shown.
    pub echo: bool,
    /// Whether the traces stay.
    pub keep: bool,
    /// Suppress progress and the note about an interrupted run.
    pub quiet: bool,
    /// Events around a divergence.
    pub context: u64,
    pub nan_bits: NanBits,
}

/// Everything that the runs of one comparison share.
pub struct Comparison<'a> {
    pub ways: Ways,
    /// The two sides, the reference first, or all engines of `--engines`.
    pub sides: Vec<Contender>,
    pub session: Session,
    pub stdin: Option<File>,
    /// For traces that nobody asked for.
    pub aside: &'a Path,
    /// The trace whose host log answers all further runs.
    pub pinned: RefCell<Option<PathBuf>>,
}

impl Comparison<'_> {
    /// Records both sides to `traces` and compares them. `None` when the user ended it.
    fn run(&self, traces: &[PathBuf; 2]) -> Result<Option<(Report, Reruns, Option<Guard>)>> {
        let Some(lhs) = self.record_side(&self.sides[0], &traces[0], self.ways.echo)? else { return Ok(None) };
        if self.ways.host.pins() && self.session.program.needs_host() {
            // Where the trace is replaced by one that knows more, that one has the same host log.
            self.pinned.replace(Some(traces[0].clone()));
        }
        self.narrow(&self.sides[0], &traces[0], &lhs)?;
        // Without a pinned host, runs without recording differ by what the world says.
        let live = self.ways.host == HostMode::Live && self.session.program.needs_host();
        let plain = match self.ways.guard && !live {
            false => None,
            true => {
                let run = |contender: &Contender| {
                    let side = self.side(contender, PathBuf::new(), false)?;
                    let end = self.session.run_plain(side, !self.ways.quiet);
                    end.with_context(|| format!("running under {} without recording", contender.engine))
                };
                Some(PlainRuns { lhs: run(&self.sides[0])?, rhs: run(&self.sides[1])? })
            }
        };
        let Some(rhs) = self.record_side(&self.sides[1], &traces[1], false)? else { return Ok(None) };
        self.narrow(&self.sides[1], &traces[1], &rhs)?;
        let report = self.report(traces)?;
        let (mut report, [lhs, rhs], reruns) =
            self.ask_all([&self.sides[0], &self.sides[1]], traces, report, [lhs, rhs])?;
        let Some(plain) = plain.filter(|plain| !plain.cut_short() && report.agree.is_some()) else {
            return Ok(Some((report, reruns, None)));
        };
        let mut guard = plain.judge(&lhs, &rhs, report.agree == Some(true), &self.session.symbols());
        for name in guard.changed_by_recording.clone() {
            let (side, end, recorded, trace) = match name {
                "lhs" => (&self.sides[0], &plain.lhs, &lhs, &traces[0]),
                _ => (&self.sides[1], &plain.rhs, &rhs, &traces[1]),
            };
            // A trace with findings may come from another way to record.
            let as_asked = recorded.mismatches.first.is_empty() && !reruns.by_hooks;
            let trace = as_asked.then_some(trace.as_path());
            guard.repeated(name, self.nondeterminism(side, end, trace));
        }
        if report.agree == Some(true) && !guard.nondeterminism.is_empty() {
            report.agree = Some(false);
            report.verdict = Some(Verdict::Nondeterminism);
            report.meaning = Some(Verdict::Nondeterminism.meaning());
        }
        if guard.observer_effect {
            if report.agree == Some(true) {
                report = self.climb([&self.sides[0], &self.sides[1]], &plain, &mut guard, traces, report)?;
            }
            report.agree = Some(false);
            report.verdict = Some(Verdict::ObserverEffect);
            report.meaning = Some(Verdict::ObserverEffect.meaning());
        }
        Ok(Some((report, reruns, Some(guard))))
    }

    /// Records one side. `None` when the user ended it.
    fn record_side(&self, side: &Contender, trace: &Path, echo: bool) -> Result<Option<Recorded>> {
        let recorded = self.record(side, trace, None, echo)?;
        if recorded.outcome == Outcome::Interrupted {
            if !self.ways.quiet {
                tell(&format!("interrupted while recording under {}", side.engine));
            }
            return Ok(None);
        }
        Ok(Some(recorded))
    }

    fn side(&self, side: &Contender, output: PathBuf, echo: bool) -> Result<Side> {
        if let Some(log) = self.pinned.borrow().as_ref() {
            let replayed = Side::replayed(side.engine.clone(), output, log.clone());
            return Ok(Side { memory_page_limit: side.memory_page_limit, ..replayed });
        }
        let stdin = || {
            Ok::<_, anyhow::Error>(match &self.stdin {
                Some(file) => Stdio::File(Arc::new(file.try_clone().context("standard input")?)),
                None => Stdio::Null,
            })
        };
        let output_streams = || if echo { Stdio::Stderr } else { Stdio::Null };
        Ok(Side {
            engine: side.engine.clone(),
            memory_page_limit: side.memory_page_limit,
            output,
            host: self.session.host_for(&side.engine, self.ways.host, self.aside, stdin()?, output_streams())?,
            echo: false,
            stdin: stdin()?,
            output_streams: output_streams(),
        })
    }

    fn record(&self, side: &Contender, trace: &Path, how: Option<How>, echo: bool) -> Result<Recorded> {
        let run = self.side(side, trace.to_path_buf(), echo)?;
        let progress = !echo && !self.ways.quiet;
        match how {
            Some(how) => self.session.record_how(run, how, progress),
            None => self.session.record(run, progress),
        }
        .with_context(|| format!("recording under {}", side.engine))
    }

    fn report(&self, traces: &[PathBuf; 2]) -> Result<Report> {
        let (mut lhs, mut rhs) = (open(&traces[0])?, open(&traces[1])?);
        if !self.ways.quiet {
            progress::follow("comparing", &mut lhs);
        }
        Ok(Report::new(&mut lhs, &mut rhs, self.ways.context, self.ways.nan_bits)?)
    }

    /// A checkpoint tells that memory is not what it should be, and not since when: runs once more and looks at
    /// these bytes after every event. The new trace takes the place of the old one if it knows better.
    fn narrow(&self, side: &Contender, trace: &Path, recorded: &Recorded) -> Result<()> {
        let findings = &recorded.mismatches.first;
        let Some(watch) = findings.iter().find_map(|finding| watched(findings, finding)) else { return Ok(()) };
        let one_by_one = Options { join: false, buffer_limit: 0, ..Options::default() };
        // A runner need not know how to watch: then the module itself looks.
        let read_back = Options { read_back: true, ..Options::default() };
        for (options, watch) in [(one_by_one, Some(watch)), (read_back, None)] {
            let again = self.aside.join("narrow.fpt");
            let how = How { options, checkpoint: Checkpoint::End, watch };
            let narrowed = self.record(side, &again, Some(how), false)?;
            // Looking may change what the module does.
            let same = narrowed.outcome == recorded.outcome && narrowed.memories == recorded.memories;
            let knows = |found: &Mismatch| {
                matches!(found.what, Differs::Bytes { by: Observation::ReadBack | Observation::Watch, .. })
            };
            if same && narrowed.mismatches.first.iter().any(knows) {
                fs::copy(&again, trace).with_context(|| format!("replacing {}", trace.display()))?;
                return Ok(());
            }
        }
        Ok(())
    }

    /// Tries ways to record that change the code less, until one shows what the runs without recording show.
    fn climb(
        &self,
        sides: [&Contender; 2],
        plain: &PlainRuns,
        guard: &mut Guard,
        traces: &[PathBuf; 2],
        full: Report,
    ) -> Result<Report> {
        let (suspects, by) = {
            let (mut lhs, mut rhs) = (open(&traces[0])?, open(&traces[1])?);
            let by_hooks = [&lhs, &rhs].iter().all(|side| side.trace().header().recorder.hooks);
            let (words, functions) = plain.writers([&mut lhs, &mut rhs])?;
            guard.last_writers = words;
            (functions, if by_hooks { "hooks" } else { "inline records" })
        };
        guard.vanished_in.push(format!("recording of everything by {by}"));
        for rung in plain.ladder(&self.session, suspects) {
            let files = [self.aside.join("rung-lhs.fpt"), self.aside.join("rung-rhs.fpt")];
            let lhs = self.record(sides[0], &files[0], Some(rung.how.clone()), false);
            let rhs = lhs.and_then(|lhs| Ok((lhs, self.record(sides[1], &files[1], Some(rung.how), false)?)));
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

/// What to watch to find out about a finding of a checkpoint: all that was found in its memory, since a store that
/// went elsewhere shows in two places. `None` for any other finding, which has its event already.
fn watched(findings: &[Mismatch], finding: &Mismatch) -> Option<Watch> {
    let place = |other: &Mismatch| match &other.what {
        Differs::Bytes { address, engine, by: Observation::Checkpoint, .. } if other.memory == finding.memory => {
            Some(WatchedRange { address: *address, length: (engine.len() as u64).min(WATCHED) })
        }
        _ => None,
    };
    place(finding)?;
    let mut ranges: Vec<WatchedRange> = findings.iter().filter_map(place).collect();
    // Later checkpoints find the same places again.
    ranges.sort_by_key(|range| (range.address, std::cmp::Reverse(range.length)));
    ranges.dedup_by_key(|range| range.address);
    Some(Watch { memory: finding.memory.0, ranges })
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
