//! The first call or return in which two runs differ: all there is to report if no store shows a difference, and
//! worth a report if the store that shows it comes long after its cause.

use super::asked::Asked;
use crate::error::CompareError;
use forkpoint_replay::{Report, Symbols, Verdict};
use forkpoint_tracer::instrument::{Ask, Mark, Marked};
use forkpoint_tracer::{Note, Notes, WasmValue};
use forkpoint_traces::{FuncIndex, Position};
use serde::Serialize;

/// The first call or return that differs.
#[derive(Debug, Serialize)]
pub struct FirstCall {
    /// What differs.
    pub what: Unlike,
    /// The function; the left side's if the sides have two.
    pub function: FuncIndex,
    /// Its name.
    pub name: String,
    /// The number of this return or call among the function's, from 1.
    pub nth: u64,
    /// Which result or argument, from 0.
    pub number: Option<u32>,
    /// The name of that argument, if the module has one.
    pub argument_name: Option<String>,
    /// The left side: a value, or a call or return in words.
    pub lhs: String,
    /// The right side.
    pub rhs: String,
    /// Number of events before it, on the left side.
    pub events: u64,
}

/// The way in which a call or return differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unlike {
    /// Another function is called or returns.
    Calls,
    /// The same function returns another value.
    Result,
    /// The same function is called with another value.
    Argument,
}

impl Asked<'_> {
    /// Finds the first call or return that differs before the divergence.
    pub(super) fn first_call(
        &self,
        report: &Report,
        why_not: &mut Vec<String>,
    ) -> Result<Option<FirstCall>, CompareError> {
        let asks = matches!(
            report.verdict,
            Some(Verdict::EndState | Verdict::Value | Verdict::ControlFlow | Verdict::HostCall | Verdict::Trap)
        );
        if !asks {
            return Ok(None);
        }
        let ask = |window| Ask::Calls { window };
        let position = report.position.unwrap_or(Position(u64::MAX));
        let Some(notes) = self.notes(ask, 0, position, why_not)? else { return Ok(None) };
        let cut = notes.iter().any(|notes| notes.cut);
        let Some((number, notes)) = self.first_difference(notes, ask, position)? else {
            if cut {
                why_not.push(
                    "the first calls and returns are the same; there are more, which were not compared".to_string(),
                );
            }
            return Ok(None);
        };
        let before = |note: &Note| note.events <= position.0;
        let notes = [0, 1].map(|side: usize| Notes::get(&notes[side], number).copied().filter(before));
        // If one side has no more of them, that shows only that it ended.
        let [Some(left), Some(right)] = notes else { return Ok(None) };
        Ok(Some(first([left, right], self.runs.symbols())))
    }
}

fn first([left, right]: [Note; 2], symbols: &Symbols) -> FirstCall {
    let call = FirstCall {
        what: Unlike::Calls,
        function: left.mark.func,
        name: symbols.function_name(left.mark.func),
        nth: left.nth,
        number: None,
        argument_name: None,
        lhs: step(&left.mark, symbols),
        rhs: step(&right.mark, symbols),
        events: left.events,
    };
    let values = match left.mark.what {
        Marked::Result(number, ty) if left.mark == right.mark => Some((Unlike::Result, number, ty)),
        Marked::Argument(number, ty) if left.mark == right.mark => Some((Unlike::Argument, number, ty)),
        _ => None,
    };
    match values {
        Some((what, number, ty)) => FirstCall {
            what,
            number: Some(number),
            argument_name: (what == Unlike::Argument).then(|| symbols.local_name(left.mark.func, number)).flatten(),
            lhs: WasmValue::of_words(ty, left.words).to_string(),
            rhs: WasmValue::of_words(ty, right.words).to_string(),
            ..call
        },
        None => call,
    }
}

/// A call or return in words.
fn step(mark: &Mark, symbols: &Symbols) -> String {
    let name = symbols.function_name(mark.func);
    match mark.what {
        Marked::Result(..) => format!("a return from {name}"),
        _ => format!("a call of {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use forkpoint_traces::ValueType;

    #[test]
    fn an_argument_goes_by_its_name() {
        let module = r#"(module (func $scale (param i32) (param $by f32)))"#;
        let symbols = Symbols::new(wat::parse_str(module).expect("a module"));
        let argument = |number: u32| {
            let func = FuncIndex(0);
            let mark = Mark { func, offset: None, what: Marked::Argument(number, Some(ValueType::I32)) };
            let note = |value: u64| Note { mark, nth: 2, words: [value, 0], events: 9 };
            first([note(1), note(2)], &symbols)
        };
        let [unnamed, named] = [0, 1].map(argument);
        assert_eq!((unnamed.name.as_str(), unnamed.nth, unnamed.what), ("scale", 2, Unlike::Argument));
        assert_eq!((unnamed.argument_name, named.argument_name.as_deref()), (None, Some("by")));
        assert_eq!((named.lhs.as_str(), named.rhs.as_str()), ("1", "2"));
    }
}
