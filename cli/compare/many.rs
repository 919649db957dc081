//! `forkpoint compare --engines`: one module under many engines, and which of them agree.
//!
//! One engine is the reference: its host calls answer all other runs, and every other trace is held against its own.
//! An engine that cannot be recorded is a row that says why; the others are compared all the same.

mod table;

use super::Comparison;
use crate::Answer;
use crate::args::HostMode;
use crate::guard::PlainRuns;
use crate::output::{print, print_json};
use crate::report::open;
use anyhow::{Context, Result, bail};
use forkpoint_replay::{Report, first_divergence, printable};
use forkpoint_tracer::{EndState, EngineSpec, Recorded};
use forkpoint_traces::Outcome;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// What one `--engines` holds: engines with semicolons between. A runner's command goes on to the end, so that it may
/// hold any character.
#[derive(Debug, Clone)]
pub struct EngineList(pub Vec<EngineSpec>);

impl FromStr for EngineList {
    type Err = String;

    fn from_str(text: &str) -> Result<EngineList, String> {
        let mut engines = Vec::new();
        let mut rest = Some(text);
        while let Some(list) = rest {
            let list = list.trim_start();
            let (spec, behind) = match list.split_once(';') {
                Some((spec, behind)) if !list.starts_with("runner:") => (spec, Some(behind)),
                _ => (list, None),
            };
            engines.push(spec.trim_end().parse().map_err(|error: <EngineSpec as FromStr>::Err| error.to_string())?);
            rest = behind;
        }
        Ok(EngineList(engines))
    }
}

/// What many engines made of one module. Its JSON form is documented in `docs/json.md`.
#[derive(Serialize)]
struct Survey {
    /// Whether all engines agree; `None` when those that gave an answer do, and not all gave one.
    agree: Option<bool>,
    /// The row of the engine that the others are compared with; `None` when no engine could be recorded.
    reference: Option<usize>,
    /// The group that more than half of the engines with an answer are in.
    majority: Option<String>,
    /// The rows with an answer that are not in that group; empty without a majority.
    odd: Vec<usize>,
    /// Who answered host calls; `None` where the module has none.
    host: Option<HostMode>,
    engines: Vec<Row>,
    groups: Vec<Group>,
}

/// One engine.
#[derive(Default, Serialize)]
struct Row {
    engine: String,
    /// The group's name; `None` where there is no answer.
    group: Option<String>,
    events: Option<u64>,
    outcome: Option<String>,
    /// The engine's own words about its end.
    message: Option<String>,
    /// Why there is no answer.
    error: Option<String>,
    /// The trace, where it is kept.
    trace: Option<PathBuf>,
    /// Whether recording changes how the engine's run ends; `None` where that was not looked at.
    changed_by_recording: Option<bool>,
    /// Whether it parts from the reference only with recording, or only without.
    observer_effect: bool,
    /// Where it ends otherwise than the reference without recording, the reference as `lhs`.
    plain_differences: Vec<String>,
    /// What else could not be found out, and why.
    notes: Vec<String>,
}

/// Engines whose traces are the same event for event.
#[derive(Serialize)]
struct Group {
    name: String,
    /// Their rows.
    engines: Vec<usize>,
    /// The reference against the first of them; `None` where there is nothing to tell.
    divergence: Option<Report>,
}

/// What one engine left: its recording, or nothing.
struct Run {
    trace: PathBuf,
    recorded: Option<Recorded>,
}

/// Records all engines of the comparison to `folder`, compares them and prints the answer.
pub(super) fn run(comparison: &Comparison, folder: &Path) -> Result<Answer> {
    if comparison.sides.len() < 2 {
        bail!("--engines names one engine: name at least two, as in --engines 'wasmtime:jit;wasmi', or use record");
    }
    let keep = comparison.args.output.is_some();
    let mut rows: Vec<Row> =
        comparison.sides.iter().map(|side| Row { engine: side.engine.to_string(), ..Row::default() }).collect();
    let Some((runs, reference)) = record_all(comparison, folder, &mut rows)? else { return Ok(Answer::None) };
    for (row, run) in rows.iter_mut().zip(&runs) {
        row.trace = (keep && run.trace.exists()).then(|| run.trace.clone());
    }
    let groups = match reference {
        Some(reference) => {
            let groups = group(comparison, &runs, reference, &mut rows);
            guard(comparison, &runs, reference, &mut rows)?;
            groups
        }
        None => Vec::new(),
    };
    let survey = conclude(comparison, rows, groups, reference);
    if comparison.args.report.json {
        print_json(&survey)?;
    } else {
        print(&survey.to_string())?;
    }
    Ok(match survey.agree {
        Some(true) => Answer::Yes,
        Some(false) => Answer::Diverge,
        None => Answer::None,
    })
}

/// Records every engine, the reference before the others. `None` when the user ended it.
fn record_all(comparison: &Comparison, folder: &Path, rows: &mut [Row]) -> Result<Option<(Vec<Run>, Option<usize>)>> {
    let sides = &comparison.sides;
    let mut order: Vec<usize> = (0..sides.len()).collect();
    // Stable: the first engine that has a host comes first, the others as they were given.
    order.sort_by_key(|index| !sides[*index].engine.has_host());
    let name = |index: usize| folder.join(file_name(index, &rows_name(&sides[index].engine)));
    let mut runs: Vec<Run> = (0..sides.len()).map(|index| Run { trace: name(index), recorded: None }).collect();
    let mut reference = None;
    for index in order {
        let trace = runs[index].trace.clone();
        // The guest's output is shown once.
        let echo = comparison.args.echo && reference.is_none();
        let recorded = match comparison.record_side(&sides[index], &trace, echo) {
            Ok(Some(recorded)) => recorded,
            Ok(None) => return Ok(None),
            Err(error) => {
                rows[index].error = Some(words(&error, comparison.args.output.is_some()));
                continue;
            }
        };
        // The log of a run that broke off answers too little, so it answers for nobody.
        let ended = matches!(recorded.outcome, Outcome::Finished | Outcome::Exited { .. } | Outcome::Trapped { .. });
        if reference.is_none() && ended {
            reference = Some(index);
            if comparison.args.host == HostMode::Pinned && comparison.session.program.needs_host() {
                comparison.pinned.replace(Some(trace.clone()));
            }
        }
        if let Err(error) = comparison.narrow(&sides[index], &trace, &recorded) {
            let error = words(&error, false);
            rows[index].notes.push(format!("a second run to find the store behind a difference failed: {error}"));
        }
        runs[index].recorded = Some(recorded);
    }
    // Where no run came to an end, the first that can be looked at has to do.
    let any = || runs.iter().position(|run| run.recorded.is_some());
    let reference = reference.or_else(any);
    Ok(Some((runs, reference)))
}

/// Puts every engine into the group whose traces equal its own, the reference first.
fn group(comparison: &Comparison, runs: &[Run], reference: usize, rows: &mut [Row]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let others = (0..runs.len()).filter(|index| *index != reference && runs[*index].recorded.is_some());
    for index in std::iter::once(reference).chain(others) {
        if let Some(recorded) = &runs[index].recorded {
            rows[index].events = Some(recorded.events);
            rows[index].outcome = Some(recorded.outcome.to_string());
            rows[index].message.clone_from(&recorded.message);
        }
        match place(comparison, runs, reference, index, &groups) {
            Ok((report, found)) => {
                let row = &mut rows[index];
                // The report is of the trace, which a second run may have replaced.
                row.events = Some(report.rhs.events);
                if report.agree.is_none() {
                    row.error = Some(report.reason.unwrap_or_else(|| "the traces give no answer".to_string()));
                    continue;
                }
                let at = found.unwrap_or_else(|| {
                    // Even the reference can have something to tell: memory that is not what its events say.
                    let divergence = (report.agree == Some(false)).then_some(report);
                    groups.push(Group { name: letters(groups.len()), engines: Vec::new(), divergence });
                    groups.len() - 1
                });
                groups[at].engines.push(index);
                row.group = Some(groups[at].name.clone());
            }
            Err(error) => rows[index].error = Some(words(&error, true)),
        }
    }
    groups
}

/// An engine's report against the reference, and the group that it belongs to if there is one already.
fn place(
    comparison: &Comparison,
    runs: &[Run],
    reference: usize,
    index: usize,
    groups: &[Group],
) -> Result<(Report, Option<usize>)> {
    let report = &comparison.args.report;
    let mut own = open(&runs[index].trace)?;
    let against = Report::new(&mut open(&runs[reference].trace)?, &mut own, report.context, report.nan_bits)?;
    for (number, group) in groups.iter().enumerate() {
        let mut first = open(&runs[group.engines[0]].trace)?;
        if first_divergence(&mut first, &mut own, report.nan_bits)?.divergence.is_none() {
            return Ok((against, Some(number)));
        }
    }
    Ok((against, None))
}

/// Runs every engine without recording, and says where recording changes how it ends.
fn guard(comparison: &Comparison, runs: &[Run], reference: usize, rows: &mut [Row]) -> Result<()> {
    // Without a pinned host, runs without recording differ by what the world says.
    let live = comparison.args.host == HostMode::Live && comparison.session.program.needs_host();
    if comparison.args.no_guard || live || rows[reference].group.is_none() {
        return Ok(());
    }
    let plain = |index: usize| -> Result<EndState> {
        let side = comparison.side(&comparison.sides[index], PathBuf::new(), false)?;
        comparison.session.run_plain(side).context("running without recording, which the guard does")
    };
    let base = match plain(reference) {
        Ok(base) => base,
        Err(error) => {
            rows[reference].notes.push(words(&error, false));
            return Ok(());
        }
    };
    let Some(base_recorded) = &runs[reference].recorded else { return Ok(()) };
    let home = rows[reference].group.clone();
    for (index, run) in runs.iter().enumerate() {
        let (Some(recorded), row) = (&run.recorded, &mut rows[index]) else { continue };
        if row.group.is_none() {
            continue;
        }
        let end = match if index == reference { Ok(base.clone()) } else { plain(index) } {
            Ok(end) => end,
            Err(error) => {
                row.notes.push(words(&error, false));
                continue;
            }
        };
        let changed = !end.is_that_of(recorded);
        let both = PlainRuns { lhs: base.clone(), rhs: end };
        if both.cut_short() {
            row.notes.push("the run without recording was cut short, so the guard says nothing".to_string());
            continue;
        }
        row.changed_by_recording = Some(changed);
        if index != reference {
            let judged = both.judge(base_recorded, recorded, row.group == home);
            row.observer_effect = judged.observer_effect;
            row.plain_differences = judged.plain_differences;
        }
    }
    Ok(())
}

fn conclude(comparison: &Comparison, rows: Vec<Row>, groups: Vec<Group>, reference: Option<usize>) -> Survey {
    let answered: usize = groups.iter().map(|group| group.engines.len()).sum();
    let majority = groups.iter().find(|group| group.engines.len() * 2 > answered).map(|group| group.name.clone());
    let odd = |row: &Row| majority.is_some() && row.group.is_some() && row.group != majority;
    let odd = (0..rows.len()).filter(|index| odd(&rows[*index])).collect();
    let parted = groups.len() > 1
        || groups.iter().any(|group| group.divergence.is_some())
        || rows.iter().any(|row| row.observer_effect);
    let agree = match (parted, answered == rows.len()) {
        (true, _) => Some(false),
        (false, true) => Some(true),
        (false, false) => None,
    };
    let host = comparison.session.program.needs_host().then_some(comparison.args.host);
    Survey { agree, reference, majority, odd, host, engines: rows, groups }
}

/// An error in one line. Where a trace is not `kept`, nobody needs to know where it was.
fn words(error: &anyhow::Error, kept: bool) -> String {
    let causes = error.chain().map(ToString::to_string);
    let told = causes.filter(|cause| kept || !cause.starts_with("what was recorded until then"));
    let mut words: Vec<String> = Vec::new();
    for cause in told {
        if !words.last().is_some_and(|last| last.ends_with(&cause)) {
            words.push(cause);
        }
    }
    printable(&words.join(": ")).to_string()
}

/// `A` to `Z`, then `AA` and so on.
fn letters(number: usize) -> String {
    let last = char::from(b'A' + (number % 26) as u8);
    if number < 26 { last.to_string() } else { format!("{}{last}", letters(number / 26 - 1)) }
}

fn rows_name(engine: &EngineSpec) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "-.+=".contains(c) { c } else { '_' };
    engine.to_string().chars().map(safe).take(60).collect()
}

/// A file name that is this engine's alone: the same engine may be named twice.
fn file_name(index: usize, engine: &str) -> String {
    format!("{:02}-{engine}.fpt", index + 1)
}
