//! The directives of a program of several modules, as its frames say.

use super::{Course, HostSource, Turn};
use crate::error::RecordError;
use crate::protocol::Message;
use crate::record::script::{ScriptTurn, shown_globals};
use crate::record::{CallResult, Phase};
use forkpoint_traces::{EngineInfo, GlobalIndex, GlobalState};
use std::time::Instant;

/// Whether a message is about a directive, where there are any.
pub(super) fn is_of_directive(message: &Message) -> bool {
    matches!(
        message,
        Message::Directive(_)
            | Message::Accepted(_)
            | Message::Refused { .. }
            | Message::Instantiated
            | Message::Call(_)
            | Message::Returned(_)
            | Message::Trapped { .. }
            | Message::DirectiveEnd
            | Message::State { .. }
    )
}

impl Course<'_> {
    /// Takes a message about a directive of a program of several modules.
    pub(super) fn directive(&mut self, message: Message) -> Turn {
        let Some((script, _)) = &mut self.script else { return Turn::Nothing };
        let turn = |turn: Option<ScriptTurn>| turn.map_or(Turn::Nothing, Turn::Script);
        match message {
            Message::Directive(number) => {
                // From the first on, the process says something about the engine.
                if self.instantiated.is_none() {
                    self.instantiated = Some(Instant::now());
                    self.request.gauge.enter(Phase::Running);
                }
                Turn::Script(script.begin(number))
            }
            Message::Accepted(_) => Turn::Script(script.accepted()),
            Message::Refused { stage, message } => {
                script.say(&message);
                Turn::Script(script.refused(stage))
            }
            Message::Instantiated => turn(script.instantiated()),
            Message::Call(_) => Turn::Began(script.called()),
            Message::Returned(values) => {
                script.returned(&values);
                let function = script.called().map_or(String::new(), |(function, _)| function);
                self.calls.push(CallResult { function, result: Ok(values.clone()) });
                Turn::Returned(values)
            }
            Message::Trapped { trap, frames, message } => match script.trapped(trap) {
                Some(turn) => Turn::Script(turn),
                None => {
                    script.say(&message);
                    let function = script.called().map_or(String::new(), |(function, _)| function);
                    self.calls.push(CallResult { function, result: Err(trap) });
                    Turn::Trapped { trap, frames }
                }
            },
            Message::DirectiveEnd => Turn::Script(script.end()),
            Message::State { globals, tables } => {
                let live = |number: &u32| script.is_live(*number);
                let numbers = 0..self.module.parts.len() as u32;
                let shown = numbers
                    .clone()
                    .filter(live)
                    .flat_map(|number| shown_globals(script.script(), number, &self.module.parts[number as usize]));
                let indices: Vec<GlobalIndex> = shown.map(|(index, _)| index).collect();
                self.globals =
                    indices.into_iter().zip(globals).map(|(index, value)| GlobalState { index, value }).collect();
                // Tables of instances that were not made have no elements. After a trap, a command shows none of any.
                let unknown = tables.is_empty();
                let mut sizes = tables.into_iter();
                self.tables = numbers
                    .clone()
                    .flat_map(|number| {
                        let own = script.script().units[number as usize].own_tables.1;
                        (0..own)
                            .map(|_| if script.is_live(number) { sizes.next() } else { None }.unwrap_or(0))
                            .collect::<Vec<_>>()
                    })
                    .collect();
                let tables = numbers.filter(|number| script.is_live(*number));
                if unknown
                    && tables.map(|number| script.script().units[number as usize].own_tables.1).any(|own| own > 0)
                {
                    self.tables.clear();
                }
                Turn::Nothing
            }
            _ => Turn::Nothing,
        }
    }

    /// Checks that a runner can run several modules, if that is what it got.
    pub(super) fn check_programs(&self, engine: &EngineInfo) -> Result<(), RecordError> {
        let can = self.request.engine.is_of_this_program()
            || engine.settings.iter().any(|(name, value)| name == "programs" && value == "yes");
        if self.script.is_none() || can {
            return Ok(());
        }
        let message = "it does not run programs of several modules (docs/runner-protocol.md, section 11); `forkpoint help compare` names engines, and docs/scripts.md those that do";
        Err(RecordError::Setup { spec: self.request.engine.to_string(), message: message.to_string() })
    }

    /// The same for a program that lives in JavaScript.
    ///
    /// # Errors
    /// When the engine does not run it.
    pub(super) fn check_javascript(&self, engine: &EngineInfo) -> Result<(), RecordError> {
        let can = self.request.engine.is_of_this_program()
            || self.request.host == HostSource::Live
            || engine.settings.iter().any(|(name, value)| name == "javascript" && value == "yes");
        let Some(javascript) = &self.program.javascript else { return Ok(()) };
        let library = matches!(self.request.engine, crate::EngineSpec::Capi(_));
        if can && !(library && (javascript.reach.passes_references() || javascript.puts_functions)) {
            return Ok(());
        }
        let message = if library {
            "functions and other values of JavaScript's own cannot be passed through the interface wasm.h here: wasmtime, wasmi and node take them"
        } else {
            "it does not run programs that live in JavaScript: its host would have to call the guest (docs/runner-protocol.md, section 12); docs/javascript.md names engines that do"
        };
        Err(RecordError::Setup { spec: self.request.engine.to_string(), message: message.to_string() })
    }
}
