//! The steps of a run: calls of exports, and bytes for memory in between; each may need the result of an earlier one.
//!
//! All engines make such calls by code that is added to the module (`instrument/steps.rs`), and need to know nothing of it.

use super::interface::Interface;
use super::types::signature;
use crate::error::RecordError;
use crate::host::function::ResultType;
use crate::instrument::{MemoryDecl, step_export};
use crate::job::ExportCall;
use crate::values::WasmValue;
use forkpoint_traces::{Argument, Call, MAX_PUT, Put, Step, StepResult};
use std::collections::BTreeSet;
use std::path::PathBuf;
use wasmparser::{FuncType, ValType};

/// The steps of a run, in order, without the start function.
#[derive(Debug, Clone, Default)]
pub(super) struct Steps {
    pub(super) list: Vec<Step>,
    /// For each, the types of its results.
    results: Vec<Vec<ValType>>,
    /// For each, whether its own type has vectors, which not every interface to an engine can pass.
    vectors: Vec<bool>,
    added: BTreeSet<u32>,
    /// Files that bytes are from.
    pub(super) files: Vec<PathBuf>,
}

impl Steps {
    /// Checks the steps of a recording; nothing about them is taken on trust.
    pub(super) fn recorded(
        interface: &Interface,
        memories: &[MemoryDecl],
        recorded: &[Step],
    ) -> Result<Steps, RecordError> {
        let mut steps = Steps::default();
        let mut put = 0u64;
        for step in recorded {
            match step {
                Step::Call(call) => {
                    let ty = interface.function(&call.function)?;
                    let fits = |(argument, ty): (&Argument, &ValType)| match argument {
                        Argument::Value(value) => ResultType::from(*ty).fits(value),
                        Argument::Result(from) => steps.type_of(*from) == Some(*ty),
                    };
                    if ty.params().len() != call.arguments.len() || !call.arguments.iter().zip(ty.params()).all(fits)
                    {
                        return Err(wrong_count(&call.function, ty, call.arguments.len()));
                    }
                    steps.call(call.clone(), ty);
                }
                Step::Put(one) => {
                    put = put.saturating_add(one.bytes.len() as u64);
                    let address = memories.get(one.memory.0 as usize).map(address_type);
                    match address.filter(|ty| Some(*ty) == steps.type_of(one.room) && put <= MAX_PUT) {
                        Some(address) => steps.put(one.clone(), address),
                        None => {
                            return Err(RecordError::Bytes {
                                what: "a step of the recording".to_string(),
                                why: format!(
                                    "it puts {} bytes where no call before gives an address of memory {}",
                                    one.bytes.len(),
                                    one.memory.0
                                ),
                            });
                        }
                    };
                }
            }
        }
        Ok(steps)
    }

    pub(super) fn call(&mut self, call: Call, ty: &FuncType) -> u32 {
        self.push(Step::Call(call), ty.results().to_vec(), has_vectors(ty))
    }

    pub(super) fn put(&mut self, put: Put, address: ValType) -> u32 {
        self.push(Step::Put(put), vec![address], false)
    }

    fn push(&mut self, step: Step, results: Vec<ValType>, vectors: bool) -> u32 {
        let number = self.list.len() as u32;
        for from in step.needs() {
            self.added.extend([from.step, number]);
        }
        self.list.push(step);
        self.results.push(results);
        self.vectors.push(vectors);
        number
    }

    /// The type of a step's result, where it can be passed on: a number or a vector.
    pub(super) fn type_of(&self, from: StepResult) -> Option<ValType> {
        let ty = self.results.get(from.step as usize)?.get(from.result as usize).copied();
        ty.filter(|ty| !matches!(ty, ValType::Ref(_)))
    }

    /// Steps that engines are asked for by functions that are added for them: those whose results are needed, and those that
    /// need others.
    pub(super) fn added(&self) -> &BTreeSet<u32> {
        &self.added
    }

    /// Whether bytes are put into memory.
    pub(super) fn puts(&self) -> bool {
        self.list.iter().any(|step| matches!(step, Step::Put(_)))
    }

    /// The calls that an engine is asked to make, one for each step.
    pub(super) fn jobs(&self) -> Vec<ExportCall> {
        let job = |(number, step): (usize, &Step)| {
            let vectors = self.vectors.get(number).copied().unwrap_or_default();
            match step {
                Step::Call(call) if !self.added.contains(&(number as u32)) => ExportCall {
                    function: call.function.clone(),
                    arguments: call.arguments.iter().filter_map(value).cloned().collect(),
                    vectors,
                },
                _ => ExportCall { function: step_export(number as u32), arguments: Vec::new(), vectors },
            }
        };
        self.list.iter().enumerate().map(job).collect()
    }
}

fn value(argument: &Argument) -> Option<&WasmValue> {
    match argument {
        Argument::Value(value) => Some(value),
        Argument::Result(_) => None,
    }
}

pub(super) fn address_type(memory: &MemoryDecl) -> ValType {
    if memory.memory64 { ValType::I64 } else { ValType::I32 }
}

fn has_vectors(ty: &FuncType) -> bool {
    ty.params().iter().chain(ty.results()).any(|ty| *ty == ValType::V128)
}

pub(super) fn wrong_count(function: &str, ty: &FuncType, found: usize) -> RecordError {
    RecordError::ArgumentCount {
        function: function.escape_debug().to_string(),
        expected: ty.params().len(),
        types: signature(ty),
        found,
    }
}
