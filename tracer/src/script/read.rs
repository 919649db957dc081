//! The directives of a `.wast` script, with its modules as binaries.

use super::ScriptError;
use super::values::{argument, patterns};
use forkpoint_traces::{Expected, WasmValue};
use wast::lexer::Lexer;
use wast::parser::ParseBuffer;
use wast::token::{Id, Span};
use wast::{QuoteWat, Wast, WastArg, WastDirective, WastExecute, WastInvoke, WastRet, Wat};

/// A directive as it is written: instances and modules by name.
pub(super) enum Written<'a> {
    /// A module, and whether it is instantiated at once. `None` if the text is not a module.
    Module { name: Option<&'a str>, module: Option<Vec<u8>>, instantiate: bool },
    /// An instance of a module that was defined before.
    Instance { name: Option<&'a str>, module: Option<&'a str> },
    /// Makes an instance's exports importable.
    Register { name: &'a str, instance: Option<&'a str> },
    /// A module that is refused; `None` if the text alone shows why.
    Refuse { module: Option<Vec<u8>> },
    /// An action, and what is to become of it.
    Run { action: WrittenAction<'a>, expected: Expected },
}

impl Written<'_> {
    /// Whether the directive's module, if it has one, holds a name.
    pub(super) fn mentions(&self, name: &str) -> bool {
        let module = match self {
            Written::Module { module, .. } | Written::Refuse { module } => module,
            Written::Run { action: WrittenAction::Instantiate { module }, .. } => module,
            Written::Instance { .. } | Written::Register { .. } | Written::Run { .. } => return false,
        };
        module.as_ref().is_some_and(|module| module.windows(name.len()).any(|bytes| bytes == name.as_bytes()))
    }
}

/// An action as it is written.
pub(super) enum WrittenAction<'a> {
    Call { instance: Option<&'a str>, function: &'a str, arguments: Vec<WasmValue> },
    Get { instance: Option<&'a str>, global: &'a str },
    Instantiate { module: Option<Vec<u8>> },
}

/// What is wrong, without the line itself, which may be as long as the file.
fn syntax(text: &str, error: &wast::Error) -> ScriptError {
    let (line, column) = error.span().linecol_in(text);
    ScriptError::Syntax { line: line + 1, column: column + 1, message: error.message() }
}

/// Reads a script's words. Some files have unusual characters in strings.
pub(super) fn lex(text: &str) -> Result<ParseBuffer<'_>, ScriptError> {
    let mut lexer = Lexer::new(text);
    lexer.allow_confusing_unicode(true);
    ParseBuffer::new_with_lexer(lexer).map_err(|error| syntax(text, &error))
}

/// Reads a script's directives, each with its line.
pub(super) fn parse<'a>(text: &str, buffer: &'a ParseBuffer<'a>) -> Result<Vec<(u32, Written<'a>)>, ScriptError> {
    let wast: Wast<'a> = wast::parser::parse(buffer).map_err(|error| syntax(text, &error))?;
    let lines = Lines::of(text);
    wast.directives
        .into_iter()
        .map(|directive| {
            let line = lines.line(directive.span());
            let written = directive_of(directive).map_err(|what| ScriptError::Directive { line, what })?;
            Ok((line, written))
        })
        .collect()
}

/// Where lines begin: a script may have a hundred thousand directives.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Lines {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Lines(std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect())
    }

    /// The line that a place is on, from 1.
    fn line(&self, span: Span) -> u32 {
        u32::try_from(self.0.partition_point(|start| *start <= span.offset())).unwrap_or(u32::MAX)
    }
}

fn directive_of(directive: WastDirective<'_>) -> Result<Written<'_>, String> {
    let run = |action, expected| Ok(Written::Run { action, expected });
    match directive {
        WastDirective::Module(module) => module_of(module, true),
        WastDirective::ModuleDefinition(module) => module_of(module, false),
        WastDirective::ModuleInstance { instance, module, .. } => {
            Ok(Written::Instance { name: instance.map(name), module: module.map(name) })
        }
        WastDirective::Register { name: registered, module, .. } => {
            Ok(Written::Register { name: registered, instance: module.map(name) })
        }
        WastDirective::AssertMalformed { module, .. }
        | WastDirective::AssertInvalid { module, .. }
        | WastDirective::AssertMalformedCustom { module, .. }
        | WastDirective::AssertInvalidCustom { module, .. } => Ok(Written::Refuse { module: binary(module) }),
        WastDirective::Invoke(invoke) => run(call(invoke)?, Expected::Success),
        WastDirective::AssertReturn { exec, results, .. } => {
            let results: Result<_, String> = results.iter().map(result).collect();
            run(action(exec)?, Expected::Results(results?))
        }
        WastDirective::AssertTrap { exec, .. } => run(action(exec)?, Expected::Trap),
        WastDirective::AssertExhaustion { call: invoke, .. } => run(call(invoke)?, Expected::Exhaustion),
        WastDirective::AssertException { exec, .. } => run(action(exec)?, Expected::Exception),
        WastDirective::AssertSuspension { exec, .. } => run(action(exec)?, Expected::Suspension),
        WastDirective::AssertUnlinkable { mut module, .. } => {
            run(WrittenAction::Instantiate { module: encode(&mut module) }, Expected::Unlinkable)
        }
        WastDirective::Thread(_) | WastDirective::Wait { .. } => {
            Err("a script with threads: the order of their events is not defined, so none is recorded".to_string())
        }
    }
}

fn name(id: Id<'_>) -> &str {
    id.name()
}

/// The binary form of a module that the text gives as it is; quoted text that is not a module has none.
fn binary(mut module: QuoteWat<'_>) -> Option<Vec<u8>> {
    module.encode().ok()
}

fn encode(module: &mut Wat<'_>) -> Option<Vec<u8>> {
    match module {
        Wat::Module(module) => module.encode().ok(),
        Wat::Component(_) => None,
    }
}

fn module_of(module: QuoteWat<'_>, instantiate: bool) -> Result<Written<'_>, String> {
    let name = match &module {
        QuoteWat::Wat(Wat::Module(module)) => module.id.map(name),
        QuoteWat::Wat(Wat::Component(_)) | QuoteWat::QuoteComponent(..) => return Err(component()),
        QuoteWat::QuoteModule(..) => None,
    };
    Ok(Written::Module { name, module: binary(module), instantiate })
}

fn component() -> String {
    "a component: only core modules are recorded".to_string()
}

fn call(invoke: WastInvoke<'_>) -> Result<WrittenAction<'_>, String> {
    let arguments: Result<_, String> = invoke
        .args
        .iter()
        .map(|written| match written {
            WastArg::Core(core) => Ok(argument(core)),
            _ => Err(component()),
        })
        .collect();
    Ok(WrittenAction::Call { instance: invoke.module.map(name), function: invoke.name, arguments: arguments? })
}

fn action(exec: WastExecute<'_>) -> Result<WrittenAction<'_>, String> {
    match exec {
        WastExecute::Invoke(invoke) => call(invoke),
        WastExecute::Wat(mut module) => Ok(WrittenAction::Instantiate { module: encode(&mut module) }),
        WastExecute::Get { module, global, .. } => Ok(WrittenAction::Get { instance: module.map(name), global }),
    }
}

fn result(result: &WastRet<'_>) -> Result<Vec<forkpoint_traces::Pattern>, String> {
    match result {
        WastRet::Core(core) => Ok(patterns(core)),
        _ => Err(component()),
    }
}
