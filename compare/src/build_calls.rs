//! Two builds run again to note what their functions are called with and return, where what differs was never in memory.

use crate::error::CompareError;
use crate::files::open_recorded;
use crate::record::record;
use forkpoint_replay::{BuildsReport, ReturnedCall, UnlikeReturn, first_unlike_return};
use forkpoint_tracer::instrument::{Ask, Marked, Options};
use forkpoint_tracer::{Note, Program, Recorded, Request, WasmValue};
use forkpoint_traces::FuncIndex;
use std::path::{Path, PathBuf};

/// Notes that are taken: a call has one, and one for each argument and result.
const MOST_NOTES: u64 = 1 << 18;

/// What was found of the calls.
pub(crate) enum BuildCalls {
    /// A function that returned another value.
    Unlike(UnlikeReturn),
    /// None did, or more than that is not known: why.
    Unknown(String),
}

/// Whether a report's difference was never in memory.
pub(crate) fn were_never_in_memory(report: &BuildsReport) -> bool {
    let followed = report
        .followed
        .as_ref()
        .is_some_and(|followed| !followed.lost && followed.one_function.is_none() && followed.before.is_none());
    report.agree == Some(false) && followed && report.memory.all == 0
}

/// Runs both builds again.
pub(crate) fn returned(
    programs: [&Program; 2],
    sides: [&Request; 2],
    recorded: &[Recorded; 2],
    folder: &Path,
    inputs: &[PathBuf],
) -> Result<BuildCalls, CompareError> {
    let mut made = Vec::new();
    for (number, side) in sides.into_iter().enumerate() {
        let options = Options { ask: Ask::Calls { window: 0..MOST_NOTES }, ..side.options.clone() };
        let output = folder.join(format!("calls-{number}.fpt"));
        let again = record(programs[number], &Request { output, options, ..side.clone() }, inputs)?;
        let first = &recorded[number];
        if (&again.outcome, again.events) != (&first.outcome, first.events) {
            return Ok(BuildCalls::Unknown("a build runs differently where its calls are noted".to_string()));
        }
        if again.notes.cut || again.notes.count > MOST_NOTES {
            return Ok(BuildCalls::Unknown("there are too many calls to compare what they return".to_string()));
        }
        made.push(calls(&again.notes.kept));
    }
    let [lhs, rhs] = [open_recorded(&sides[0].output)?, open_recorded(&sides[1].output)?];
    Ok(match first_unlike_return(&lhs, &rhs, [&made[0], &made[1]]) {
        Some(found) => BuildCalls::Unlike(found),
        None => BuildCalls::Unknown("no function of both returned another value for the same arguments".to_string()),
    })
}

/// A call that has not returned yet.
struct Open {
    func: FuncIndex,
    arguments: Vec<WasmValue>,
    results: Vec<WasmValue>,
}

/// The calls that notes tell of, in the order in which they returned. Only those of functions with results do.
fn calls(notes: &[Note]) -> Vec<ReturnedCall> {
    let mut made = Vec::new();
    let mut active: Vec<Open> = Vec::new();
    for (at, note) in notes.iter().enumerate() {
        let func = note.mark.func;
        match note.mark.what {
            Marked::Enter => active.push(Open { func, arguments: Vec::new(), results: Vec::new() }),
            Marked::Argument(_, ty) => {
                if let Some(call) = active.last_mut() {
                    call.arguments.push(WasmValue::of_words(ty, note.words));
                }
            }
            Marked::Result(number, ty) => {
                // Functions without results end without a note.
                while active.last().is_some_and(|call| call.func != func) {
                    active.pop();
                }
                let Some(call) = active.last_mut() else { continue };
                call.results.push(WasmValue::of_words(ty, note.words));
                let next = notes.get(at + 1).map(|next| (next.mark.func, next.mark.what));
                let more = matches!(next, Some((other, Marked::Result(following, _))) if other == func && following == number + 1);
                if !more && let Some(Open { func, arguments, results }) = active.pop() {
                    made.push(ReturnedCall { func, arguments, results });
                }
            }
            _ => {}
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;
    use forkpoint_tracer::instrument::Mark;
    use forkpoint_traces::ValueType;

    #[test]
    fn functions_without_results_end_with_their_caller() {
        let note = |func: u32, what: Marked, word: u64| {
            let mark = Mark { func: FuncIndex(func), offset: None, what };
            Note { mark, words: [word, 0], nth: 1, events: 0 }
        };
        let i32 = Some(ValueType::I32);
        let notes = [
            note(0, Marked::Enter, 0),
            note(0, Marked::Argument(0, i32), 7),
            note(1, Marked::Enter, 0),
            note(2, Marked::Enter, 0),
            note(2, Marked::Result(0, i32), 1),
            note(2, Marked::Result(1, i32), 2),
            note(0, Marked::Result(0, i32), 3),
        ];
        let call = |func: u32, arguments: &[i32], results: &[i32]| {
            let [arguments, results] =
                [arguments, results].map(|values| values.iter().copied().map(WasmValue::I32).collect());
            ReturnedCall { func: FuncIndex(func), arguments, results }
        };
        assert_eq!(calls(&notes), [call(2, &[], &[1, 2]), call(0, &[7], &[3])]);
        // A second call of a function is another one.
        let twice = [note(2, Marked::Enter, 0), note(2, Marked::Result(0, i32), 1)].repeat(2);
        assert_eq!(calls(&twice), [call(2, &[], &[1]), call(2, &[], &[1])]);
    }
}
