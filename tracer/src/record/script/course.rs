//! How a program of several modules goes: which directive is in progress, what became of it, and whether that is what was
//! expected. The recorder judges by results and traps alone, so that no engine judges itself.

use crate::script::Script;
use crate::values::WasmValue;
use forkpoint_traces::{Action, Became, Directive, Stage, TrapKind};
use std::sync::Arc;

/// What a message means for the trace.
pub(in crate::record) enum ScriptTurn {
    /// A directive begins.
    Directive(u32),
    /// The directive's module is accepted, and nothing else is done with it.
    Accepted,
    /// The directive's module is refused. If it was to be an instance, its own memories are none.
    Refused { stage: Stage, instance: Option<u32> },
    /// The instance is there, and its memories were shown.
    Instantiated { instance: u32 },
    /// A segment of the instance did not fit, and there is none.
    NoInstance { instance: u32, trap: TrapKind },
    /// The directive is over.
    Judged { passed: bool },
}

/// Most failed directives whose words are kept, and most characters of each.
const MOST_SAID: usize = 100;
const MOST_WORDS: usize = 300;

/// What became of the directive in progress.
#[derive(Default)]
enum State {
    #[default]
    Nothing,
    Done(Vec<WasmValue>),
    Trapped(TrapKind),
    Refused(Stage),
}

/// The directives of a run.
pub(in crate::record) struct ScriptCourse {
    script: Arc<Script>,
    current: Option<u32>,
    state: State,
    /// Whether the instance of the directive in progress has neither been made nor failed.
    loading: bool,
    /// Instances that were made.
    live: Vec<bool>,
    /// The engine's words about the directive in progress.
    words: Option<String>,
    /// What it said of directives that did not become what was expected, unescaped.
    said: Vec<String>,
}

impl ScriptCourse {
    pub(in crate::record) fn new(script: &Arc<Script>) -> ScriptCourse {
        let live = vec![false; script.units.len()];
        ScriptCourse {
            script: Arc::clone(script),
            current: None,
            state: State::default(),
            loading: false,
            live,
            words: None,
            said: Vec::new(),
        }
    }

    /// Keeps the engine's words about the directive in progress.
    pub(in crate::record) fn say(&mut self, words: &str) {
        let first = words.lines().next().unwrap_or_default();
        self.words = Some(first.chars().take(MOST_WORDS).collect());
    }

    /// The engine's words about directives that failed, if there are any.
    pub(in crate::record) fn said(&self) -> Option<String> {
        (!self.said.is_empty()).then(|| self.said.join("\n"))
    }

    /// The program.
    pub(in crate::record) fn script(&self) -> &Arc<Script> {
        &self.script
    }

    /// Whether images that come now are those of a new instance.
    pub(in crate::record) fn is_loading(&self) -> bool {
        self.loading
    }

    /// Whether this instance was made.
    pub(in crate::record) fn is_live(&self, instance: u32) -> bool {
        self.live.get(instance as usize).copied().unwrap_or(false)
    }

    fn directive(&self) -> Option<&Directive> {
        self.script.info.directives.get(self.current? as usize)
    }

    /// The instance that the directive in progress makes.
    fn made(&self) -> Option<u32> {
        match self.directive()?.action {
            Action::Instantiate { instance } => Some(instance),
            _ => None,
        }
    }

    /// What is called, for the trace: nothing outside of a directive.
    pub(in crate::record) fn called(&self) -> Option<(String, Vec<WasmValue>)> {
        match &self.directive()?.action {
            Action::Call { call, .. } => {
                let values = call.arguments.iter().filter_map(|argument| match argument {
                    forkpoint_traces::Argument::Value(value) => Some(value.clone()),
                    forkpoint_traces::Argument::Result(_) => None,
                });
                Some((call.function.clone(), values.collect()))
            }
            Action::Instantiate { .. } => Some((crate::record::stepping::START.to_string(), Vec::new())),
            Action::Check { .. } | Action::Get { .. } => None,
        }
    }

    pub(in crate::record) fn begin(&mut self, number: u32) -> ScriptTurn {
        (self.current, self.state, self.words) = (Some(number), State::Nothing, None);
        self.loading = self.made().is_some();
        ScriptTurn::Directive(number)
    }

    pub(in crate::record) fn instantiated(&mut self) -> Option<ScriptTurn> {
        let instance = self.made()?;
        if let Some(live) = self.live.get_mut(instance as usize) {
            *live = true;
        }
        (self.loading, self.state) = (false, State::Done(Vec::new()));
        Some(ScriptTurn::Instantiated { instance })
    }

    /// A module was accepted, and nothing else is done with it.
    pub(in crate::record) fn accepted(&mut self) -> ScriptTurn {
        match self.made() {
            None => {
                self.state = State::Done(Vec::new());
                ScriptTurn::Accepted
            }
            // It cannot be recorded, so there is no instance.
            Some(instance) => {
                self.loading = false;
                ScriptTurn::Refused { stage: Stage::Instantiate, instance: Some(instance) }
            }
        }
    }

    pub(in crate::record) fn refused(&mut self, stage: Stage) -> ScriptTurn {
        self.state = State::Refused(stage);
        let instance = self.made().filter(|_| std::mem::take(&mut self.loading));
        ScriptTurn::Refused { stage, instance }
    }

    pub(in crate::record) fn returned(&mut self, values: &[WasmValue]) {
        // The start function has none, and an instance no results.
        self.state = State::Done(values.to_vec());
    }

    /// A call trapped, or making the instance did.
    pub(in crate::record) fn trapped(&mut self, trap: TrapKind) -> Option<ScriptTurn> {
        self.state = State::Trapped(trap);
        let instance = self.made().filter(|_| std::mem::take(&mut self.loading))?;
        Some(ScriptTurn::NoInstance { instance, trap })
    }

    pub(in crate::record) fn end(&mut self) -> ScriptTurn {
        let became = match &self.state {
            State::Nothing => Became::Impossible,
            State::Done(values) => Became::Done(values),
            State::Trapped(trap) => Became::Trapped(*trap),
            State::Refused(stage) => Became::Refused(*stage),
        };
        let passed = self.directive().is_some_and(|directive| directive.expected.holds(&became));
        if let Some(words) = self.words.take().filter(|_| !passed && self.said.len() < MOST_SAID) {
            let line = self.directive().map_or(0, |directive| directive.line);
            self.said.push(format!("line {line}: {words}"));
        }
        (self.current, self.loading) = (None, false);
        ScriptTurn::Judged { passed }
    }
}
