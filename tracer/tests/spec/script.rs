//! A script of the specification test suite: what it does, with its modules as binaries.

use wast::core::{WastArgCore, WastRetCore};
use wast::parser::ParseBuffer;
use wast::token::{Id, Span};
use wast::{QuoteWat, Wast, WastArg, WastDirective, WastExecute, WastInvoke, WastRet, Wat};

/// A step of a script, and its line in the file.
pub struct Step<'a> {
    pub line: usize,
    pub directive: Directive<'a>,
}

pub enum Directive<'a> {
    /// A module, instantiated at once or later; `None` if the text is not a module.
    Module { name: Option<&'a str>, binary: Option<Vec<u8>>, instantiate: bool },
    /// Another instance of a module seen before.
    Instance { name: Option<&'a str>, module: Option<&'a str> },
    /// Makes an instance's exports importable.
    Register { name: &'a str, instance: Option<&'a str> },
    /// A malformed or invalid module; `None` if the text parser already says so.
    Reject { binary: Option<Vec<u8>> },
    /// An action.
    Run { action: Action<'a>, expected: Expected<'a> },
}

pub enum Action<'a> {
    Invoke { instance: Option<&'a str>, name: &'a str, arguments: Vec<WastArgCore<'a>> },
    Get { instance: Option<&'a str>, name: &'a str },
    Instantiate { binary: Option<Vec<u8>> },
}

pub enum Expected<'a> {
    Nothing,
    Results(Vec<WastRetCore<'a>>),
    Trap,
    Exhaustion,
    Unlinkable,
    Exception,
    Suspension,
}

/// Lexes a script's text. Some files have unusual characters in strings.
pub fn lex(text: &str) -> Result<ParseBuffer<'_>, String> {
    let mut lexer = wast::lexer::Lexer::new(text);
    lexer.allow_confusing_unicode(true);
    ParseBuffer::new_with_lexer(lexer).map_err(|error| error.to_string())
}

/// Parses a script; its modules become binaries here, once for all runs.
pub fn parse<'a>(text: &str, buffer: &'a ParseBuffer<'a>) -> Result<Vec<Step<'a>>, String> {
    let wast: Wast<'a> = wast::parser::parse(buffer).map_err(|error| error.to_string())?;
    let line = |span: Span| span.linecol_in(text).0 + 1;
    wast.directives
        .into_iter()
        .map(|directive| Ok(Step { line: line(directive.span()), directive: read(directive)? }))
        .collect()
}

fn read(directive: WastDirective<'_>) -> Result<Directive<'_>, String> {
    let run = |action, expected| Ok(Directive::Run { action, expected });
    match directive {
        WastDirective::Module(module) => Ok(read_module(module, true)),
        WastDirective::ModuleDefinition(module) => Ok(read_module(module, false)),
        WastDirective::ModuleInstance { instance, module, .. } => {
            Ok(Directive::Instance { name: instance.map(name), module: module.map(name) })
        }
        WastDirective::Register { name: registered, module, .. } => {
            Ok(Directive::Register { name: registered, instance: module.map(name) })
        }
        WastDirective::AssertMalformed { mut module, .. }
        | WastDirective::AssertInvalid { mut module, .. }
        | WastDirective::AssertMalformedCustom { mut module, .. }
        | WastDirective::AssertInvalidCustom { mut module, .. } => {
            Ok(Directive::Reject { binary: module.encode().ok() })
        }
        WastDirective::Invoke(invoke) => run(read_invoke(invoke)?, Expected::Nothing),
        WastDirective::AssertReturn { exec, results, .. } => {
            let results: Result<_, String> = results.into_iter().map(core_result).collect();
            run(read_action(exec)?, Expected::Results(results?))
        }
        WastDirective::AssertTrap { exec, .. } => run(read_action(exec)?, Expected::Trap),
        WastDirective::AssertExhaustion { call, .. } => run(read_invoke(call)?, Expected::Exhaustion),
        WastDirective::AssertException { exec, .. } => run(read_action(exec)?, Expected::Exception),
        WastDirective::AssertSuspension { exec, .. } => run(read_action(exec)?, Expected::Suspension),
        WastDirective::AssertUnlinkable { mut module, .. } => {
            run(Action::Instantiate { binary: module.encode().ok() }, Expected::Unlinkable)
        }
        // The suite has none yet. Threads of a script are refused by the rewriter's own rules.
        WastDirective::Thread(_) | WastDirective::Wait { .. } => Err("a script with threads".to_string()),
    }
}

fn name(id: Id<'_>) -> &str {
    id.name()
}

fn read_module(mut module: QuoteWat<'_>, instantiate: bool) -> Directive<'_> {
    let name = match &module {
        QuoteWat::Wat(Wat::Module(module)) => module.id.map(name),
        _ => None,
    };
    Directive::Module { name, binary: module.encode().ok(), instantiate }
}

fn read_invoke(invoke: WastInvoke<'_>) -> Result<Action<'_>, String> {
    let arguments: Result<_, String> = invoke
        .args
        .into_iter()
        .map(|argument| match argument {
            WastArg::Core(argument) => Ok(argument),
            _ => Err("an argument of a component".to_string()),
        })
        .collect();
    Ok(Action::Invoke { instance: invoke.module.map(name), name: invoke.name, arguments: arguments? })
}

fn read_action(exec: WastExecute<'_>) -> Result<Action<'_>, String> {
    match exec {
        WastExecute::Invoke(invoke) => read_invoke(invoke),
        WastExecute::Wat(mut module) => Ok(Action::Instantiate { binary: module.encode().ok() }),
        WastExecute::Get { module, global, .. } => Ok(Action::Get { instance: module.map(name), name: global }),
    }
}

fn core_result(result: WastRet<'_>) -> Result<WastRetCore<'_>, String> {
    match result {
        WastRet::Core(result) => Ok(result),
        _ => Err("a result of a component".to_string()),
    }
}
