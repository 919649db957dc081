//! Code that is added to a module to find something out by a run: counters, copies of values in globals, and places to stop at.
//!
//! Nothing is renumbered: globals and locals are appended, so offsets change and indices do not.

use super::error::EditError;
use super::parts::Parts;
use super::sections::{Sections, declared, encoded};
use std::collections::BTreeMap;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{ConstExpr, GlobalSection, GlobalType, Instruction};
use wasmparser::{TypeRef, ValType};

/// What is added to a module.
pub(super) struct Probe<'a> {
    module: &'a [u8],
    parts: Parts<'a>,
    /// Types of the globals that are added.
    globals: Vec<ValType>,
    /// Types of the locals that are added, by function.
    locals: BTreeMap<u32, Vec<ValType>>,
    /// Instructions that are inserted, by function and by offset in the module.
    inserted: BTreeMap<u32, BTreeMap<usize, Vec<u8>>>,
}

impl<'a> Probe<'a> {
    /// Nothing yet.
    pub fn new(module: &'a [u8]) -> Result<Probe<'a>, EditError> {
        let parts = Parts::of(module)?;
        Ok(Probe { module, parts, globals: Vec::new(), locals: BTreeMap::new(), inserted: BTreeMap::new() })
    }

    /// The module's parts.
    pub fn parts(&self) -> &Parts<'a> {
        &self.parts
    }

    /// Number of imported functions.
    fn imported(&self) -> u32 {
        self.parts.imported_functions().len() as u32
    }

    /// Adds a mutable global that begins with 0. Returns its index.
    pub fn global(&mut self, ty: ValType) -> u32 {
        self.globals.push(ty);
        let imported = self.parts.imported(|ty| matches!(ty, TypeRef::Global(_)));
        imported + (self.parts.globals.len() + self.globals.len() - 1) as u32
    }

    /// Adds a local to a function. Returns its index.
    pub fn local(&mut self, function: u32, ty: ValType) -> Result<u32, EditError> {
        let unknown = EditError::Other("a function without a type");
        let params = self.params(function).ok_or(unknown)?.len() as u32;
        let mut declared = 0;
        let body = function.checked_sub(self.imported()).and_then(|number| self.parts.bodies.get(number as usize));
        for local in body.ok_or(EditError::Other("a function without a body"))?.get_locals_reader()? {
            declared += local?.0;
        }
        let added = self.locals.entry(function).or_default();
        added.push(ty);
        Ok(params + declared + added.len() as u32 - 1)
    }

    /// Types of a function's parameters.
    pub fn params(&self, function: u32) -> Option<&[ValType]> {
        Some(self.parts.func_type(self.parts.type_of(function)?)?.params())
    }

    /// Inserts instructions into a function before the one at `offset` in the module.
    pub fn insert(&mut self, function: u32, offset: usize, instructions: &[Instruction<'_>]) {
        let place = self.inserted.entry(function).or_default().entry(offset).or_default();
        instructions.iter().for_each(|instruction| place.extend_from_slice(&encoded(instruction)));
    }

    /// Where a function's code begins.
    pub fn entry(&self, function: u32) -> Result<usize, EditError> {
        let number = function.checked_sub(self.imported()).and_then(|number| self.parts.bodies.get(number as usize));
        let body = number.ok_or(EditError::Other("a function without a body"))?;
        Ok(body.get_operators_reader()?.original_position())
    }

    /// Inserts at a function's entry: `counter` counts its activations, and a new local has this one's number. Returns the
    /// local.
    pub fn number_activations(&mut self, function: u32, counter: u32) -> Result<u32, EditError> {
        let own = self.local(function, ValType::I64)?;
        let entry = self.entry(function)?;
        self.insert(
            function,
            entry,
            &[
                Instruction::GlobalGet(counter),
                Instruction::I64Const(1),
                Instruction::I64Add,
                Instruction::LocalTee(own),
                Instruction::GlobalSet(counter),
            ],
        );
        Ok(own)
    }

    /// The module with all of it.
    pub fn finish(self) -> Result<Vec<u8>, EditError> {
        let mut sections = Sections::of(self.module)?;
        let mut globals = GlobalSection::new();
        for global in &self.parts.globals {
            RoundtripReencoder.parse_global(&mut globals, global.clone())?;
        }
        for ty in &self.globals {
            let zero = match ty {
                ValType::I32 => ConstExpr::i32_const(0),
                ValType::I64 => ConstExpr::i64_const(0),
                ValType::F32 => ConstExpr::f32_const(0.0.into()),
                ValType::F64 => ConstExpr::f64_const(0.0.into()),
                ValType::V128 => ConstExpr::v128_const(0),
                ValType::Ref(_) => return Err(EditError::Other("a reference, which no global keeps")),
            };
            let val_type = RoundtripReencoder.val_type(*ty)?;
            globals.global(GlobalType { val_type, mutable: true, shared: false }, &zero);
        }
        sections.set(&globals);
        let imported = self.imported();
        let mut changed = BTreeMap::new();
        let functions: Vec<u32> = self.locals.keys().chain(self.inserted.keys()).copied().collect();
        for function in functions {
            let number = function - imported;
            let Some(body) = self.parts.bodies.get(number as usize) else { continue };
            let mut groups = Vec::new();
            for local in body.get_locals_reader()? {
                let (count, ty) = local?;
                groups.push((count, RoundtripReencoder.val_type(ty)?));
            }
            for ty in self.locals.get(&function).into_iter().flatten() {
                groups.push((1, RoundtripReencoder.val_type(*ty)?));
            }
            let mut bytes = declared(&groups);
            let mut at = body.get_operators_reader()?.original_position();
            for (offset, code) in self.inserted.get(&function).into_iter().flatten() {
                bytes.extend_from_slice(&self.module[at..*offset]);
                bytes.extend_from_slice(code);
                at = *offset;
            }
            bytes.extend_from_slice(&self.module[at..body.range().end]);
            changed.insert(number, bytes);
        }
        sections.set_bodies(&changed, self.module)?;
        Ok(sections.to_module())
    }
}
