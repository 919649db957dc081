//! `forkpoint compare --engines`: one module under many engines, and which of them agree.
//!
//! One engine is the reference: its host calls answer all other runs, and every other trace is held against its own.
//! An engine that cannot be recorded is a row that says why; the others are compared all the same.

mod runs;
mod table;

use super::nondeterminism::Nondeterminism;
use super::{Comparison, Reruns};
use crate::Answer;
use crate::args::HostMode;
use crate::guard::{Guard, PlainRuns};
use crate::open::recorded as open;
use crate::output::{print, print_json};
use crate::progress::Shown;
use anyhow::{Context, Result, bail};
use forkpoint_replay::{Report, first_divergence};
use forkpoint_tracer::{EndState, EngineSpec};
use forkpoint_traces::Outcome;
use runs::{Run, record_all, words};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// What one `--engines` holds: engines with semicolons between. A semicolon in quotation marks is part of a runner's
/// command.
#[derive(Debug, Clone)]
pub struct EngineList(pub Vec<EngineSpec>);

impl FromStr for EngineList {
    type Err = String;

    fn from_str(text: &str) -> Result<EngineList, String> {
        let mut engines = Vec::new();
        let mut rest = Some(text);
        while let Some(list) = rest {
            let list = list.trim_start();
            let (spec, behind) = match unquoted(list, ';') {
                Some(at) => (&list[..at], Some(&list[at + 1..])),
                None => (list, None),
            };
            if spec.trim_end().is_empty() {
                return Err("an engine is missing before or behind a semicolon: write ENGINE;ENGINE".to_string());
            }
            engines.push(spec.trim_end().parse().map_err(|error: <EngineSpec as FromStr>::Err| error.to_string())?);
            rest = behind;
        }
        Ok(EngineList(engines))
    }
}

/// Where a character stands first outside of quotation marks, as a shell reads them.
fn unquoted(text: &str, wanted: char) -> Option<usize> {
    let (mut quote, mut escaped) = (None, false);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (None | Some('"'), '\\') => escaped = true,
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), _) if c == open => quote = None,
            (None, _) if c == wanted => return Some(at),
            _ => {}
        }
    }
    None
}

/// What many engines made of one module. Its JSON form is documented in `docs/json.md`.
#[derive(Serialize)]
pub struct Survey {
    /// Whether all engines agree; `None` when those that gave an answer do, and not all gave one.
    pub agree: Option<bool>,
    /// Whether all engines with an answer rejected the module the same way, so that nothing ran.
    pub nothing_ran: bool,
    /// The row of the engine that the others are compared with; `None` when no engine could be recorded.
    pub reference: Option<usize>,
    /// The group that more than half of the engines with an answer are in.
    pub majority: Option<String>,
    /// The rows with an answer that are not in that group; empty without a majority.
    pub odd: Vec<usize>,
    /// Who answered host calls; `None` where the module has none.
    pub host: Option<HostMode>,
    /// What the specification says of the module, whatever the engines do.
    pub specification: Option<String>,
    pub engines: Vec<Row>,
    pub groups: Vec<Group>,
}

/// One engine.
#[derive(Default, Serialize)]
pub struct Row {
    pub engine: String,
    /// The group's name; `None` where there is no answer.
    pub group: Option<String>,
    pub events: Option<u64>,
    pub outcome: Option<String>,
    /// The host that answered its calls for real, if one did.
    pub host: Option<String>,
    /// The engine's own words about its end.
    pub message: Option<String>,
    /// Why there is no answer.
    pub error: Option<String>,
    /// Whether it did not accept the module, so that nothing ran.
    pub nothing_ran: bool,
    /// The trace, where it is kept.
    pub trace: Option<PathBuf>,
    /// Whether recording changes how the engine's run ends; `None` where that was not looked at.
    pub changed_by_recording: Option<bool>,
    /// What shows that it does not run the module the same way twice.
    pub nondeterminism: Option<Nondeterminism>,
    /// Whether it parts from the reference only with recording, or only without.
    pub observer_effect: bool,
    /// Where it ends otherwise than the reference without recording, the reference as `lhs`.
    pub plain_differences: Vec<String>,
    /// With an observer effect: what ways to record were tried, and which of them still shows the difference.
    pub guard: Option<Guard>,
    /// The reference against it, recorded in that way.
    pub divergence: Option<Report>,
    /// What else could not be found out, and why.
    pub notes: Vec<String>,
}

/// Engines whose traces are the same event for event.
#[derive(Serialize)]
pub struct Group {
    pub name: String,
    /// Their rows.
    pub engines: Vec<usize>,
    /// The reference against the first of them; `None` where there is nothing to tell.
    pub divergence: Option<Report>,
    /// What reruns of these two found out.
    pub reruns: Option<Reruns>,
}

/// Records all engines of the comparison to `folder`, compares them and prints the answer.
pub(super) fn run(comparison: &Comparison, folder: &Path, json: bool, shown: Shown) -> Result<Answer> {
    if comparison.sides.len() < 2 {
        bail!("--engines names one engine: name at least two, as in --engines 'wasmtime:jit;wasmi', or use record");
    }
    let Some(survey) = survey(comparison, folder)? else { return Ok(Answer::None) };
    drop(shown);
    if json {
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

/// Records all engines of the comparison to `folder` and compares them. `None` when the user ended it.
pub fn survey(comparison: &Comparison, folder: &Path) -> Result<Option<Survey>> {
    let mut rows: Vec<Row> =
        comparison.sides.iter().map(|side| Row { engine: side.engine.to_string(), ..Row::default() }).collect();
    let Some((runs, reference)) = record_all(comparison, folder, &mut rows) else { return Ok(None) };
    for (row, run) in rows.iter_mut().zip(&runs) {
        row.trace = (comparison.ways.keep && run.trace.exists()).then(|| run.trace.clone());
    }
    let (groups, specification) = match reference {
        Some(reference) => {
            let mut grouped = group(comparison, &runs, reference, &mut rows);
            for group in &mut grouped.0 {
                ask(comparison, &runs, reference, group)?;
            }
            guard(comparison, &runs, reference, &mut rows)?;
            grouped
        }
        None => (Vec::new(), None),
    };
    Ok(Some(Survey { specification, ..conclude(comparison, rows, groups, reference) }))
}

/// Puts every engine into the group whose traces equal its own, the reference first. With the groups comes what the
/// specification says of the module.
fn group(comparison: &Comparison, runs: &[Run], reference: usize, rows: &mut [Row]) -> (Vec<Group>, Option<String>) {
    let mut specification = None;
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
                specification.get_or_insert_with(|| report.specification.clone());
                let row = &mut rows[index];
                // The report is of the trace, which a second run may have replaced.
                row.events = Some(report.rhs.events);
                row.nothing_ran = report.nothing_ran;
                row.host.clone_from(&report.rhs.host);
                if report.agree.is_none() && !report.nothing_ran {
                    // Against itself the report would speak of two runs.
                    row.error = Some(match report.reason {
                        Some(reason) if index != reference => reason,
                        _ if runs[index].recorded.as_ref().is_some_and(|run| run.outcome == Outcome::NoRoom) => {
                            format!("not all that was asked for ran: {}", Outcome::NoRoom)
                        }
                        _ => "the run says nothing about what the engine would have done later".to_string(),
                    });
                    continue;
                }
                let at = found.unwrap_or_else(|| {
                    // Even the reference can have something to tell: memory that is not what its events say.
                    let divergence = (report.agree == Some(false)).then_some(report);
                    groups.push(Group { name: letters(groups.len()), engines: Vec::new(), divergence, reruns: None });
                    groups.len() - 1
                });
                groups[at].engines.push(index);
                row.group = Some(groups[at].name.clone());
            }
            Err(error) => rows[index].error = Some(words(&error, true)),
        }
    }
    (groups, specification)
}

/// Asks in reruns of the reference and a group's first engine what their traces do not tell.
fn ask(comparison: &Comparison, runs: &[Run], reference: usize, group: &mut Group) -> Result<()> {
    let Some(&index) = group.engines.first().filter(|index| **index != reference) else { return Ok(()) };
    let Some(report) = group.divergence.take() else { return Ok(()) };
    let pair = [reference, index];
    let traces = pair.map(|row| runs[row].trace.clone());
    let (report, reruns) = comparison.ask_more(pair.map(|row| &comparison.sides[row]), &traces, report)?;
    group.divergence = Some(report);
    group.reruns = Some(reruns);
    Ok(())
}

/// An engine's report against the reference, and the group that it belongs to if there is one already.
fn place(
    comparison: &Comparison,
    runs: &[Run],
    reference: usize,
    index: usize,
    groups: &[Group],
) -> Result<(Report, Option<usize>)> {
    let ways = &comparison.ways;
    let mut own = open(&runs[index].trace)?;
    let against = Report::new(&mut open(&runs[reference].trace)?, &mut own, ways.context, ways.nan_bits)?;
    for (number, group) in groups.iter().enumerate() {
        let mut first = open(&runs[group.engines[0]].trace)?;
        let found = first_divergence(&mut first, &mut own, ways.nan_bits)?;
        if found.divergence.is_none() && found.cut_short.is_none() {
            return Ok((against, Some(number)));
        }
    }
    Ok((against, None))
}

/// Runs every engine without recording, and says where recording changes how it ends.
fn guard(comparison: &Comparison, runs: &[Run], reference: usize, rows: &mut [Row]) -> Result<()> {
    // Without a pinned host, runs without recording differ by what the world says.
    let live = comparison.ways.host == HostMode::Live && comparison.session.program.needs_host();
    if !comparison.ways.guard || live || rows[reference].group.is_none() {
        return Ok(());
    }
    let plain = |index: usize| -> Result<EndState> {
        let side = comparison.side(&comparison.sides[index], PathBuf::new(), false)?;
        comparison
            .session
            .run_plain(side, !comparison.ways.quiet)
            .context("running without recording, which the guard does")
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
        if changed {
            let trace = recorded.mismatches.first.is_empty().then_some(run.trace.as_path());
            match comparison.nondeterminism(&comparison.sides[index], &both.rhs, trace) {
                Ok(None) => {}
                Ok(found) => {
                    row.nondeterminism = found;
                    continue;
                }
                Err(error) => {
                    row.notes.push(words(&error, false));
                    continue;
                }
            }
        }
        row.changed_by_recording = Some(changed);
        if index != reference {
            let agree = row.group == home;
            let mut judged = both.judge(base_recorded, recorded, agree, &comparison.session.symbols());
            row.observer_effect = judged.observer_effect;
            row.plain_differences.clone_from(&judged.plain_differences);
            if judged.observer_effect && agree {
                match climb(comparison, runs, [reference, index], &both, &mut judged) {
                    Ok(report) => row.divergence = report,
                    Err(error) => row.notes.push(words(&error, false)),
                }
                row.guard = Some(judged);
            }
        }
    }
    Ok(())
}

/// Tries ways to record that change less, until one shows what the runs without recording show: the report of that one.
fn climb(
    comparison: &Comparison,
    runs: &[Run],
    pair: [usize; 2],
    plain: &PlainRuns,
    guard: &mut Guard,
) -> Result<Option<Report>> {
    // The reference's trace is still needed as it is.
    let traces = ["guard-lhs.fpt", "guard-rhs.fpt"].map(|name| comparison.aside.join(name));
    for (index, copy) in pair.iter().zip(&traces) {
        std::fs::copy(&runs[*index].trace, copy).context("copying a trace aside")?;
    }
    let full = comparison.report(&traces)?;
    let sides = pair.map(|index| &comparison.sides[index]);
    let report = comparison.climb(sides, plain, guard, &traces, full)?;
    Ok(guard.survived_in.is_some().then_some(report))
}

fn conclude(comparison: &Comparison, rows: Vec<Row>, groups: Vec<Group>, reference: Option<usize>) -> Survey {
    let answered: usize = groups.iter().map(|group| group.engines.len()).sum();
    let majority = groups.iter().find(|group| group.engines.len() * 2 > answered).map(|group| group.name.clone());
    let odd = |row: &Row| majority.is_some() && row.group.is_some() && row.group != majority;
    let odd = (0..rows.len()).filter(|index| odd(&rows[*index])).collect();
    let parted = groups.len() > 1
        || groups.iter().any(|group| group.divergence.is_some())
        || rows.iter().any(|row| row.observer_effect || row.nondeterminism.is_some());
    // Engines that reject a module the same way agree in that, and it did not run under any of them.
    let nothing_ran = !parted && answered > 0 && rows.iter().all(|row| row.nothing_ran || row.group.is_none());
    let agree = match (parted, answered == rows.len()) {
        (true, _) => Some(false),
        (false, true) if !nothing_ran => Some(true),
        (false, _) => None,
    };
    let host = comparison.session.program.needs_host().then_some(comparison.ways.host);
    Survey { agree, nothing_ran, reference, majority, odd, host, specification: None, engines: rows, groups }
}

/// `A` to `Z`, then `AA` and so on.
fn letters(number: usize) -> String {
    let last = char::from(b'A' + (number % 26) as u8);
    if number < 26 { last.to_string() } else { format!("{}{last}", letters(number / 26 - 1)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_runners_stand_in_one_list() {
        let list = |text: &str| {
            let list: EngineList = text.parse().expect("engines");
            list.0.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(list("runner:a x;wasmi; runner:b"), ["runner:a x", "wasmi", "runner:b"]);
        assert_eq!(list("runner:sh -c 'a; b';wasmi"), ["runner:sh -c 'a; b'", "wasmi"]);
        assert!("wasmi;;wasmi".parse::<EngineList>().is_err());
    }
}
