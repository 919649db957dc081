//! The first call or return in which two runs differ: what is left to say where no store shows a difference, or where
//! the store that shows it lies far behind its cause.

use super::reruns::{Asked, NAMES, Reruns};
use anyhow::Result;
use forkpoint_replay::{Report, Symbols, Verdict};
use forkpoint_tracer::instrument::{Ask, Mark, Marked};
use forkpoint_tracer::{Note, Notes, WasmValue};
use forkpoint_traces::ValueType;
use serde::Serialize;
use std::fmt;

/// The first call or return that differs.
#[derive(Debug, Serialize)]
pub struct FirstCall {
    /// `result` or `argument` where one function differs in a value, `calls` where another one is called or returns.
    pub what: &'static str,
    /// The function, on the left side if they are two.
    pub function: u32,
    /// Its name.
    pub name: String,
    /// The how-manieth return or call of it this is, from 1.
    pub nth: u64,
    /// Which result or argument, from 0.
    pub number: Option<u32>,
    /// The name of that argument, where the module has one.
    pub argument_name: Option<String>,
    /// What the left side has: a value, or a call or return in words.
    pub lhs: String,
    /// What the right side has.
    pub rhs: String,
    /// Events before, on the left side.
    pub events: u64,
}

impl Asked<'_> {
    /// Finds the first call or return that differs before the divergence.
    pub(super) fn first_call(&self, report: &Report, reruns: &mut Reruns) -> Result<()> {
        let asks = matches!(
            report.verdict,
            Some(Verdict::EndState | Verdict::Value | Verdict::ControlFlow | Verdict::HostCall | Verdict::Trap)
        );
        if !asks {
            return Ok(());
        }
        let ask = |window| Ask::Calls { window };
        let position = report.position.unwrap_or(u64::MAX);
        let Some(notes) = self.notes(ask, 0, position, reruns)? else { return Ok(()) };
        let cut = notes.iter().any(|notes| notes.cut);
        let Some((number, notes)) = self.first_difference(notes, ask, position)? else {
            if cut {
                reruns.notes.push(
                    "the first calls and returns are the same; there are more, which were not compared".to_string(),
                );
            }
            return Ok(());
        };
        let before = |note: &Note| note.events <= position;
        let notes = [0, 1].map(|side: usize| Notes::get(&notes[side], number).copied().filter(before));
        // That one side has no more of them says nothing but that it ended.
        if let [Some(left), Some(right)] = notes {
            let symbols = self.comparison.session.symbols();
            reruns.first_call = Some(first([left, right], &symbols));
        }
        Ok(())
    }
}

fn first([left, right]: [Note; 2], symbols: &Symbols) -> FirstCall {
    let call = FirstCall {
        what: "calls",
        function: left.mark.func.0,
        name: symbols.function_name(left.mark.func),
        nth: left.nth,
        number: None,
        argument_name: None,
        lhs: step(&left.mark, symbols),
        rhs: step(&right.mark, symbols),
        events: left.events,
    };
    let values = match left.mark.what {
        Marked::Result(number, ty) if left.mark == right.mark => Some(("result", number, ty)),
        Marked::Argument(number, ty) if left.mark == right.mark => Some(("argument", number, ty)),
        _ => None,
    };
    match values {
        Some((what, number, ty)) => FirstCall {
            what,
            number: Some(number),
            argument_name: (what == "argument").then(|| symbols.local_name(left.mark.func, number)).flatten(),
            lhs: value(&left, ty),
            rhs: value(&right, ty),
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

/// A value in the notation of the command line.
fn value(note: &Note, ty: Option<ValueType>) -> String {
    let [low, high] = note.words;
    let value = match ty {
        Some(ValueType::I32) => WasmValue::I32(low as u32 as i32),
        Some(ValueType::I64) => WasmValue::I64(low as i64),
        Some(ValueType::F32) => WasmValue::F32(low as u32),
        Some(ValueType::F64) => WasmValue::F64(low),
        Some(ValueType::V128) => WasmValue::V128((u128::from(low) | u128::from(high) << 64).to_le_bytes()),
        None => return if low == 0 { "null".to_string() } else { "a reference".to_string() },
    };
    value.to_string()
}

impl fmt::Display for FirstCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FirstCall { what, name, nth, lhs, rhs, number, argument_name, .. } = self;
        let which = |number: &Option<u32>| match (argument_name, number) {
            (Some(name), _) => format!(" {name}"),
            (None, Some(0) | None) => String::new(),
            (None, Some(number)) => format!(" {number}"),
        };
        match *what {
            "result" => write!(f, "The first function that returned otherwise is {name}, at its return {nth}:")?,
            "argument" => {
                write!(f, "The first call that differs is call {nth} of {name}, in its argument{}:", which(number))?
            }
            _ => write!(f, "The runs call or return otherwise from here on:")?,
        }
        let result = if *what == "result" { which(number) } else { String::new() };
        let result = if result.is_empty() { result } else { format!(" (result{result})") };
        write!(f, " {} {lhs}, {} {rhs}{result}.", NAMES[0], NAMES[1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use forkpoint_traces::FuncIndex;

    #[test]
    fn an_argument_goes_by_its_name() {
        let module = r#"(module (func $scale (param i32) (param $by f32)))"#;
        let symbols = Symbols::new(wat::parse_str(module).expect("a module"));
        let argument = |number: u32| {
            let func = FuncIndex(0);
            let mark = Mark { func, offset: None, what: Marked::Argument(number, Some(ValueType::I32)) };
            let note = |value: u64| Note { mark, nth: 2, words: [value, 0], events: 9 };
            first([note(1), note(2)], &symbols).to_string()
        };
        assert_eq!(argument(0), "The first call that differs is call 2 of scale, in its argument: lhs 1, rhs 2.");
        assert_eq!(argument(1), "The first call that differs is call 2 of scale, in its argument by: lhs 1, rhs 2.");
    }
}
