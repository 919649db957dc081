//! Programs that live in JavaScript: it makes the calls, answers the imports, and does other things in between.
//!
//! [`App::record`] starts such a program, and records the module that it instantiates. What JavaScript does is in the host
//! log of the trace; [`recorded`] makes a program of it that every engine can run.

mod comparer;
pub(in crate::record) mod given;
mod live;
mod page;
mod plan;

pub use live::{App, AppRecorded};
pub use page::Page;

use super::Program;
use super::providers::Imports;
use super::steps::Steps;
use crate::error::RecordError;
use crate::host::answer::{GuestFunction, GuestFunctions, Settled};
use crate::host::function::{HostFunction, Provider, ResultType};
use crate::instrument::{Given, Reach};
use forkpoint_traces::{Argument, Call, HostEvent, Import, JavaScriptInfo, TraceReader, ValueType};
use given::damaged;
use std::sync::Arc;
use wasmparser::ValType;

/// Most calls from outside that a recording may have.
const MOST_CALLS: usize = 1 << 22;

/// Most functions of JavaScript's own that a recording may put into tables.
const MOST_FUNCTIONS: usize = 1 << 16;

/// What is known of a program that lives in JavaScript.
pub(super) struct JavaScript {
    pub(super) info: JavaScriptInfo,
    pub(super) reach: Reach,
    /// What the module imports besides functions and memories, as a recording has it; `None` where JavaScript itself gives it.
    pub(super) given: Option<Given>,
    /// Whether functions of JavaScript's own are in the module's tables.
    pub(super) puts_functions: bool,
}

impl JavaScript {
    /// The functions that JavaScript can call.
    pub(super) fn guests(&self) -> GuestFunctions {
        let types = |types: &[ValType]| types.iter().map(|ty| ResultType::from(*ty)).collect();
        let guest = |(index, ty): (&u32, &wasmparser::FuncType)| {
            let export = self.reach.name(*index);
            (*index, GuestFunction { export, parameters: types(ty.params()), results: types(ty.results()) })
        };
        self.reach.functions.iter().map(guest).collect()
    }

    /// What JavaScript gave, for the host that replays its side.
    pub(super) fn settled(&self) -> Settled {
        let Some(given) = &self.given else { return Settled::default() };
        let fixed = given.globals.iter().filter(|(global, _)| !self.reach.globals().any(|set| set == **global));
        Settled {
            globals: fixed.map(|(global, value)| (*global, value.clone())).collect(),
            tables: given.tables.keys().copied().collect(),
        }
    }
}

/// A program with this module, of which `steps` are the calls from outside.
fn program(
    name: &str,
    module: Arc<[u8]>,
    info: JavaScriptInfo,
    steps: impl FnOnce(&Reach) -> Result<(Steps, Option<Given>, Vec<HostFunction>), RecordError>,
) -> Result<Program, RecordError> {
    wasmparser::Validator::new_with_features(wasmparser::WasmFeatures::all())
        .validate_all(&module)
        .map_err(|error| RecordError::JavaScript(format!("its module is not valid: {error}")))?;
    let reach = Reach::of(&module)?;
    if let Some(why) = &reach.refused {
        return Err(RecordError::Unreachable { why: why.clone() });
    }
    let (steps, given, functions) = steps(&reach)?;
    let imports = Imports { logged: true, given: true, allow_unordered: true, ..Imports::default() };
    let mut program = Program::with(name, module, &imports, |_, _| Ok(steps))?;
    for function in &mut program.host_functions {
        // Whatever it is called: JavaScript answers it.
        function.provider = Provider::Nobody;
    }
    let puts_functions = !functions.is_empty();
    program.host_functions.extend(functions);
    program.javascript = Some(Arc::new(JavaScript { info, reach, given, puts_functions }));
    Ok(program)
}

/// The program of a recording, with this module. Its calls from outside are those in the host log.
pub(super) fn recorded(trace: &TraceReader, module: Arc<[u8]>, info: JavaScriptInfo) -> Result<Program, RecordError> {
    let name = trace.header().module.name.clone();
    program(&name, module, info, |reach| {
        let (steps, functions) = calls(trace, reach)?;
        Ok((steps, Some(given::read(trace, reach)?), functions))
    })
}

/// The calls from outside, and the functions of JavaScript's own that the guest can call.
fn calls(trace: &TraceReader, reach: &Reach) -> Result<(Steps, Vec<HostFunction>), RecordError> {
    let (mut steps, mut functions) = (Steps::default(), Vec::new());
    let (mut log, mut depth, mut start) = (trace.host_log()?, 0u64, reach.start);
    while let Some(event) = log.next_event()? {
        match event {
            HostEvent::Enter { function, arguments } => {
                depth += 1;
                if depth > 1 {
                    continue;
                }
                if start.take().is_some() {
                    // The start function is no call of an export.
                    continue;
                }
                let unknown = || damaged("a call of a function that JavaScript cannot reach");
                let ty = reach.functions.get(&function.0).ok_or_else(unknown)?;
                let types = ty.params().iter().map(|ty| ResultType::from(*ty));
                if arguments.len() != ty.params().len() || !types.zip(&arguments).all(|(ty, value)| ty.fits(value)) {
                    return Err(damaged("arguments that are not of the function's type"));
                }
                let arguments = arguments.into_iter().map(Argument::Value).collect();
                steps.call(Call { function: reach.name(function.0), arguments }, ty);
                if steps.list.len() > MOST_CALLS {
                    return Err(damaged(&format!("it has more than {MOST_CALLS} calls from outside")));
                }
            }
            HostEvent::Leave { .. } => depth = depth.saturating_sub(1),
            HostEvent::SetFunction { function, parameters, results, .. } => {
                let types = |types: &[ValueType]| types.iter().map(|ty| ResultType::from(*ty)).collect::<Vec<_>>();
                let (parameters, results) = (types(&parameters), types(&results));
                let number = function.0.checked_sub(reach.imported_functions()).map(|number| number as usize);
                match number {
                    Some(number) if number == functions.len() && number < MOST_FUNCTIONS => {
                        // What the log says of a call is what is shown.
                        let import = Import { module: "javascript".to_string(), name: number.to_string() };
                        functions.push(HostFunction { import, parameters, results, provider: Provider::Nobody });
                    }
                    Some(number)
                        if functions.get(number).is_some_and(|known: &HostFunction| {
                            known.parameters == parameters && known.results == results
                        }) => {}
                    _ => return Err(damaged("a function of JavaScript's own that is not the next one, or too many")),
                }
            }
            _ => {}
        }
    }
    Ok((steps, functions))
}
