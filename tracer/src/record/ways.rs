//! Which way a command has to get events out of a module, found out with a small one.

use super::{Imports, Invocation, Program, Request};
use crate::error::RecordError;
use crate::spec::{CommandSpec, EngineSpec, Way};
use crate::values::WasmValue;
use forkpoint_traces::Outcome;

/// What the small module returns.
const RESULT: i32 = 0x1234_5678;

/// What was found out about a command.
#[derive(Debug, Clone)]
pub struct CommandWays {
    /// The best way that works.
    pub way: Option<Way>,
    /// Why each better one does not.
    pub not: Vec<(Way, String)>,
}

impl EngineSpec {
    /// Tries the ways of a command, the best first, up to one that works. `None` for other engines. `request` says how
    /// long it may take.
    ///
    /// # Errors
    /// When this program cannot be started again.
    pub fn command_ways(&self, request: &Request) -> Result<Option<CommandWays>, RecordError> {
        let EngineSpec::Command(spec) = self else { return Ok(None) };
        let mut found = CommandWays { way: None, not: Vec::new() };
        for way in Way::ALL.into_iter().filter(|way| spec.way.is_none_or(|asked| asked == *way)) {
            match works(spec, way, request)? {
                Ok(()) => {
                    found.way = Some(way);
                    break;
                }
                Err(why) => found.not.push((way, why)),
            }
        }
        Ok(Some(found))
    }

    /// Whether it gives one answer a run, so that a trace of another engine is needed.
    pub fn needs_reference(&self) -> bool {
        matches!(self, EngineSpec::Command(CommandSpec { way: Some(way), .. }) if *way != Way::Stream)
    }
}

/// Whether a way works. The inner error says why not.
fn works(spec: &CommandSpec, way: Way, request: &Request) -> Result<Result<(), String>, RecordError> {
    let text = format!(
        r#"(module (memory 1) (func (export "run") (result i32)
            (i32.store (i32.const 8) (i32.const {RESULT})) (i32.load (i32.const 8))))"#
    );
    let module = wat::parse_str(text).map_err(|error| RecordError::Protocol(error.to_string()))?;
    let call = Invocation { function: "run".to_string(), arguments: Vec::new() };
    let program = Program::new("ways.wasm", module, &[call], &Imports::default())?;
    let engine = EngineSpec::Command(CommandSpec { way: Some(way), ..spec.clone() });
    let ran = match program.run_plain(&Request { engine, ..request.clone() }) {
        Ok(ran) => ran,
        Err(RecordError::Failed { words, .. } | RecordError::Setup { message: words, .. }) => return Ok(Err(words)),
        Err(error) => return Err(error),
    };
    let result = ran.end.calls.first().map(|call| &call.result);
    Ok(match (ran.end.outcome, result) {
        (Outcome::Finished, Some(Ok(values))) if *values == [WasmValue::I32(RESULT)] => Ok(()),
        (outcome, _) => Err(format!("a small module: {outcome} {}", ran.end.message.unwrap_or_default())),
    })
}
