//! The given module's function bodies in a standalone module: calls renumbered, and as little as possible in between.

use super::given::{Given, encoded};
use crate::instrument::error::InstrumentError;
use forkpoint_traces::SiteId;
use std::collections::BTreeSet;
use std::convert::Infallible;
use wasm_encoder::reencode::{self, Reencode};
use wasm_encoder::{BlockType, CodeSection, Function, Instruction as I, ValType};
use wasmparser::{FunctionBody, Operator};

/// Renumbers functions.
pub(super) struct Renumber {
    /// How many the given module imports and defines.
    pub(super) imported: u32,
    pub(super) defined: u32,
    /// How many the finished module imports.
    pub(super) kept: u32,
}

impl Renumber {
    /// A function of the given module in the finished one.
    pub(super) fn to(&self, function: u32) -> u32 {
        match function.checked_sub(self.imported) {
            Some(defined) => self.kept.saturating_add(defined),
            None => self.kept + self.defined + function,
        }
    }
}

impl Reencode for Renumber {
    type Error = Infallible;

    fn function_index(&mut self, function: u32) -> Result<u32, reencode::Error> {
        Ok(self.to(function))
    }
}

/// What stands between the given module's own instructions.
#[derive(Debug, Default)]
pub(super) struct Between {
    /// After each `global.set` of one of these, and where a table grows, a call of this function.
    pub(super) after_set: Option<(BTreeSet<u32>, u32)>,
    /// Calls of this function of the given module, the hook, go to another for each site, which keeps the bits that
    /// count.
    pub(super) hook: Option<Hooks>,
    /// After each call: if this global is not 0, the function returns zeros.
    pub(super) leave: Option<u32>,
}

/// What takes the place of the hook.
#[derive(Debug)]
pub(super) struct Hooks {
    pub(super) hook: u32,
    /// For each site.
    pub(super) sites: Vec<u32>,
    /// For everything else that is told by the hook.
    pub(super) others: u32,
}

/// All bodies of the given module.
pub(super) struct Bodies<'a, 'm> {
    pub(super) given: &'a Given<'m>,
    pub(super) between: &'a Between,
}

impl Bodies<'_, '_> {
    /// Writes them; says whether any refers to a function.
    pub(super) fn write(&self, to: &mut Renumber, code: &mut CodeSection) -> Result<bool, InstrumentError> {
        let mut refers = false;
        for (number, body) in self.given.bodies.iter().enumerate() {
            let results = match self.between.leave {
                Some(_) => self.results(self.given.imported.len() + number)?,
                None => Vec::new(),
            };
            refers |= self.body(body, &results, to, code)?;
        }
        Ok(refers)
    }

    fn results(&self, function: usize) -> Result<Vec<ValType>, InstrumentError> {
        let results = self.given.signature(function as u32).map_or(&[][..], |ty| ty.results());
        results.iter().map(|ty| encoded(*ty)).collect()
    }

    fn body(
        &self,
        body: &FunctionBody<'_>,
        results: &[ValType],
        to: &mut Renumber,
        code: &mut CodeSection,
    ) -> Result<bool, InstrumentError> {
        let mut function = to.new_function_with_parsed_locals(body)?;
        let mut operators = body.get_operators_reader()?;
        let mut refers = false;
        let mut constant = 0;
        while !operators.eof() {
            let operator = operators.read()?;
            refers |= matches!(operator, Operator::RefFunc { .. });
            let set = match (&operator, &self.between.after_set) {
                (Operator::GlobalSet { global_index }, Some((globals, then))) if globals.contains(global_index) => {
                    Some(*then)
                }
                (Operator::TableGrow { .. }, Some((_, then))) => Some(*then),
                _ => None,
            };
            let calls =
                matches!(operator, Operator::Call { .. } | Operator::CallIndirect { .. } | Operator::CallRef { .. });
            if let Operator::I32Const { value } = operator {
                constant = value as u32;
            }
            match (&operator, &self.between.hook) {
                // The first operand is the last constant of this type.
                (Operator::Call { function_index }, Some(hooks)) if *function_index == hooks.hook => {
                    let site = constant.checked_sub(SiteId::FIRST.0);
                    let target = site.and_then(|site| hooks.sites.get(site as usize)).unwrap_or(&hooks.others);
                    function.instruction(&I::Call(*target));
                }
                _ => {
                    function.instruction(&to.instruction(operator)?);
                }
            }
            if let Some(then) = set {
                function.instruction(&I::Call(then));
            }
            if let Some(leave) = self.between.leave.filter(|_| calls) {
                leave_if(leave, results, &mut function);
            }
        }
        code.function(&function);
        Ok(refers)
    }
}

/// Returns zeros if a global is not 0.
fn leave_if(global: u32, results: &[ValType], function: &mut Function) {
    function.instruction(&I::GlobalGet(global));
    function.instruction(&I::If(BlockType::Empty));
    results.iter().for_each(|ty| zero(*ty, function));
    function.instruction(&I::Return);
    function.instruction(&I::End);
}

/// Pushes a zero. A reference that is never null has none: there the code traps.
pub(super) fn zero(ty: ValType, function: &mut Function) {
    match ty {
        ValType::I32 => function.instruction(&I::I32Const(0)),
        ValType::I64 => function.instruction(&I::I64Const(0)),
        ValType::F32 => function.instruction(&I::F32Const(0.0f32.into())),
        ValType::F64 => function.instruction(&I::F64Const(0.0f64.into())),
        ValType::V128 => function.instruction(&I::V128Const(0)),
        ValType::Ref(ty) if ty.nullable => function.instruction(&I::RefNull(ty.heap_type)),
        ValType::Ref(_) => function.instruction(&I::Unreachable),
    };
}
