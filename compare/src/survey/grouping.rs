//! Which engines of a survey agree: the traces in a group are equal.

use super::rows::{EngineGroup, EngineRun};
use crate::error::{CompareError, in_one_line};
use crate::files::open_recorded_of;
use crate::runs::Runs;
use forkpoint_replay::{Report, Timeline, first_divergence, printable};
use forkpoint_traces::Outcome;

/// Puts every engine into its group, the reference first. Also returns what the specification says of the module.
pub(super) fn group(runs: &Runs, engines: &mut [EngineRun], reference: usize) -> (Vec<EngineGroup>, Option<String>) {
    let mut specification = None;
    let mut groups: Vec<EngineGroup> = Vec::new();
    let mut held = None;
    for index in std::iter::once(reference).chain((0..engines.len()).filter(|index| *index != reference)) {
        let Some(recorded) = engines[index].recorded.as_ref() else { continue };
        let outcome = recorded.outcome.clone();
        let (events, message) = (recorded.events, recorded.message.clone());
        let by_digests = recorded.digest.is_some();
        let placed = place(runs, engines, &mut held, [reference, index], &groups);
        let row = &mut engines[index].row;
        (row.events, row.outcome, row.message) = (Some(events), Some(outcome.clone()), message);
        match placed {
            Ok((report, found)) => {
                specification.get_or_insert_with(|| report.specification.clone());
                // The report is about the trace, which a second run may have replaced.
                if !by_digests {
                    row.events = Some(report.rhs.events);
                }
                row.nothing_ran = report.nothing_ran;
                row.host.clone_from(&report.rhs.host);
                if report.agree.is_none() && !report.nothing_ran {
                    // A report against itself would speak of two runs.
                    row.error = Some(match report.reason {
                        Some(reason) if index != reference => reason,
                        _ if outcome == Outcome::NoRoom => {
                            format!("some of the requested calls did not run: {outcome}")
                        }
                        _ => "the run does not show what the engine would have done later".to_string(),
                    });
                    continue;
                }
                let at = found.unwrap_or_else(|| {
                    // There may be something to report even of the reference: memory that is not what its events say.
                    let divergence = (report.agree == Some(false)).then_some(report);
                    let name = letters(groups.len());
                    groups.push(EngineGroup { name, engines: Vec::new(), divergence, reruns: None });
                    groups.len() - 1
                });
                groups[at].engines.push(index);
                row.group = Some(groups[at].name.clone());
            }
            Err(error) => row.error = Some(printable(&in_one_line(&error))),
        }
    }
    (groups, specification)
}

/// An engine's report against the reference, and the existing group that it belongs to, if any. `held` keeps the
/// reference's trace open, so that its module is parsed once for all engines.
fn place(
    runs: &Runs,
    engines: &[EngineRun],
    held: &mut Option<Timeline>,
    [reference, index]: [usize; 2],
    groups: &[EngineGroup],
) -> Result<(Report, Option<usize>), CompareError> {
    let open = |index: usize| open_recorded_of(&engines[index].side.output, runs.program.original());
    let settings = runs.settings;
    let mut own = open(index)?;
    let first = match held {
        Some(first) => first,
        None => held.insert(open(reference)?),
    };
    let against = Report::new(first, &mut own, settings.context, settings.nan_bits)?;
    for (number, group) in groups.iter().enumerate() {
        let found = match group.engines.first() {
            Some(member) if *member == reference => first_divergence(first, &mut own, settings.nan_bits)?,
            Some(member) => first_divergence(&mut open(*member)?, &mut own, settings.nan_bits)?,
            None => continue,
        };
        if found.divergence.is_none() && found.cut_short.is_none() {
            return Ok((against, Some(number)));
        }
    }
    Ok((against, None))
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
    fn groups_go_on_after_z() {
        assert_eq!([0, 25, 26, 27, 52].map(letters), ["A", "Z", "AA", "AB", "BA"]);
    }
}
