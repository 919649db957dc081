//! Directives of a script as one line of text.

use super::values::values;
use crate::symbols::Symbols;
use forkpoint_traces::{Action, Argument, Directive, Expected, ProgramInfo, WasmValue, clip, printable_name};

/// Most arguments that are shown: a few bytes of a trace may name a directive with very many.
const MOST_ARGUMENTS: usize = 16;

/// Most characters of a reference's word.
const MOST_REFERENCE: usize = 64;

/// Directive number `number` of a program: its line in the script, and what it does.
pub(super) fn describe(number: u32, symbols: &Symbols) -> String {
    let directive = symbols.program().and_then(|program| Some((program, program.directives.get(number as usize)?)));
    match directive {
        Some((program, directive)) => words(program, directive),
        None => format!("directive {number}"),
    }
}

/// A directive in words: `line 12: assert_return a.f(1)`.
pub(crate) fn words(program: &ProgramInfo, directive: &Directive) -> String {
    let instance = |number: u32| match program.instances.get(number as usize) {
        Some(instance) => printable_name(&instance.name),
        None => number.to_string(),
    };
    let what = match &directive.action {
        Action::Instantiate { instance: number } => format!("module {}", instance(*number)),
        Action::Check { .. } => "a module".to_string(),
        Action::Call { instance: number, call } => {
            let arguments: Vec<_> = call
                .arguments
                .iter()
                .take(MOST_ARGUMENTS)
                .filter_map(|argument| match argument {
                    Argument::Value(WasmValue::Reference(text)) => {
                        Some(WasmValue::Reference(clip(text, MOST_REFERENCE).into_owned()))
                    }
                    Argument::Value(value) => Some(value.clone()),
                    Argument::Result(_) => None,
                })
                .collect();
            let more = if call.arguments.len() > MOST_ARGUMENTS { ", ..." } else { "" };
            format!("{}.{}({}{more})", instance(*number), printable_name(&call.function), values(&arguments))
        }
        Action::Get { instance: number, global } => format!("{}.{}", instance(*number), printable_name(global)),
    };
    let expected = match directive.expected {
        Expected::Success => "",
        Expected::Results(_) => "assert_return ",
        Expected::Trap => "assert_trap ",
        Expected::Exhaustion => "assert_exhaustion ",
        Expected::Invalid => "assert_invalid ",
        Expected::Unlinkable => "assert_unlinkable ",
        Expected::Exception => "assert_exception ",
        Expected::Suspension => "assert_suspension ",
    };
    match directive.line {
        0 => format!("{expected}{what}"),
        line => format!("line {line}: {expected}{what}"),
    }
}
