//! A module under construction: functions, globals and types added to a given one, whose imported functions all get
//! bodies.
//!
//! Functions are numbered: what is still imported, those of the given module, then what takes the place of its imports,
//! then the others that are added.

use super::code::{Between, Bodies, Renumber};
use super::given::{Given, encoded};
use crate::instrument::error::InstrumentError;
use std::collections::HashMap;
use wasm_encoder::reencode::Reencode;
use wasm_encoder::{
    CodeSection, ConstExpr, DataCountSection, DataSection, ElementSection, Elements, EntityType, ExportKind,
    ExportSection, Function, FunctionSection, GlobalSection, GlobalType, ImportSection, MemorySection, MemoryType,
    Module, TableSection, TagSection, TypeSection, ValType,
};

/// A function besides the given module's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Added {
    /// One that stays an import, by its number among these.
    Kept(u32),
    /// One that is being added.
    New(usize),
}

/// Module, name and signature of an imported function.
pub(super) type Import = (String, String, Signature);

/// Names of memories, tables and globals that a module imports: then all of them are imports.
#[derive(Debug, Default)]
pub(super) struct Outside {
    pub(super) memories: Vec<(String, String)>,
    pub(super) tables: Vec<(String, String)>,
    pub(super) globals: Vec<(String, String)>,
}

impl Outside {
    fn is_empty(&self) -> bool {
        self.memories.is_empty() && self.tables.is_empty() && self.globals.is_empty()
    }
}

/// Parameters and results.
pub(super) type Signature = (Vec<ValType>, Vec<ValType>);

/// Bytes for a memory.
struct Placed {
    memory: u32,
    at: u32,
    bytes: Vec<u8>,
}

/// The module under construction.
pub(super) struct Build<'m> {
    pub(super) given: Given<'m>,
    /// What the finished module imports.
    imports: Vec<Import>,
    /// Whether memories, tables and globals are imported, too.
    pub(super) outside: Outside,
    /// A table, and the function that is put into it first.
    pub(super) fill: Option<(u32, u32)>,
    /// Added functions, first those in place of the given module's imports.
    functions: Vec<(Signature, Option<Function>)>,
    globals: Vec<(ValType, ConstExpr)>,
    memories: Vec<MemoryType>,
    exports: Vec<(String, ExportKind, u32)>,
    data: Vec<Placed>,
}

impl<'m> Build<'m> {
    /// Begins with a given module. `imports` stay imports.
    pub(super) fn new(given: Given<'m>, imports: Vec<Import>) -> Result<Build<'m>, InstrumentError> {
        let mut functions = Vec::new();
        for (number, _) in given.imported.iter().enumerate() {
            let signature = given.signature(number as u32).map(|ty| -> Result<Signature, InstrumentError> {
                let types = |types: &[wasmparser::ValType]| -> Result<Vec<ValType>, InstrumentError> {
                    types.iter().map(|ty| encoded(*ty)).collect()
                };
                Ok((types(ty.params())?, types(ty.results())?))
            });
            functions.push((signature.transpose()?.unwrap_or_default(), None));
        }
        let (globals, memories, exports, data) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (outside, fill) = Default::default();
        Ok(Build { given, imports, outside, fill, functions, globals, memories, exports, data })
    }

    fn renumber(&self) -> Renumber {
        Renumber {
            imported: self.given.imported.len() as u32,
            defined: self.given.functions.len() as u32,
            kept: self.imports.len() as u32,
        }
    }

    /// The number of a function of the given module in the finished one.
    pub(super) fn moved(&self, function: u32) -> u32 {
        self.renumber().to(function)
    }

    /// What takes the place of an imported function.
    pub(super) fn import(&self, function: u32) -> Added {
        Added::New(function as usize)
    }

    /// Its signature.
    pub(super) fn signature(&self, function: Added) -> Signature {
        match function {
            Added::Kept(import) => self.kept(import),
            Added::New(number) => self.functions[number].0.clone(),
        }
    }

    /// The signature of a function that stays an import.
    pub(super) fn kept(&self, import: u32) -> Signature {
        self.imports.get(import as usize).map(|(_, _, signature)| signature.clone()).unwrap_or_default()
    }

    /// Adds a function whose body comes later.
    pub(super) fn declare(&mut self, parameters: &[ValType], results: &[ValType]) -> Added {
        self.functions.push(((parameters.to_vec(), results.to_vec()), None));
        Added::New(self.functions.len() - 1)
    }

    /// Its number in the finished module.
    pub(super) fn index(&self, function: Added) -> u32 {
        match function {
            Added::Kept(import) => import,
            Added::New(number) => (self.imports.len() + self.given.functions.len() + number) as u32,
        }
    }

    /// Gives a function its body.
    pub(super) fn define(&mut self, function: Added, body: Function) {
        if let Added::New(number) = function {
            self.functions[number].1 = Some(body);
        }
    }

    /// Adds a mutable global.
    pub(super) fn global(&mut self, value: Value) -> u32 {
        self.globals.push(match value {
            Value::I32(value) => (ValType::I32, ConstExpr::i32_const(value)),
            Value::I64(value) => (ValType::I64, ConstExpr::i64_const(value)),
        });
        (self.given.globals.len() + self.globals.len() - 1) as u32
    }

    /// Adds a memory of so many pages.
    pub(super) fn memory(&mut self, pages: u64) -> u32 {
        self.memories.push(MemoryType {
            minimum: pages,
            maximum: Some(pages),
            memory64: false,
            shared: false,
            page_size_log2: None,
        });
        (self.given.memories.len() + self.memories.len() - 1) as u32
    }

    /// Puts bytes into a memory at instantiation.
    pub(super) fn place(&mut self, memory: u32, at: u32, bytes: Vec<u8>) {
        self.data.push(Placed { memory, at, bytes });
    }

    /// Exports something: nothing else is exported.
    pub(super) fn export(&mut self, name: &str, kind: ExportKind, index: u32) {
        self.exports.push((name.to_string(), kind, index));
    }

    /// Writes the module, with this between the given module's own instructions.
    pub(super) fn finish(self, between: &Between) -> Result<Vec<u8>, InstrumentError> {
        let mut to = self.renumber();
        let given = &self.given;
        let mut types = TypeSection::new();
        for group in &given.groups {
            to.parse_recursive_type_group(types.ty(), group.clone())?;
        }
        let mut known: HashMap<&Signature, u32> = HashMap::new();
        let mut next = given.types.len() as u32;
        let wanted = self.imports.iter().map(|(_, _, ty)| ty).chain(self.functions.iter().map(|(ty, _)| ty));
        for signature in wanted {
            known.entry(signature).or_insert_with(|| {
                types.ty().function(signature.0.iter().copied(), signature.1.iter().copied());
                next += 1;
                next - 1
            });
        }
        let ty = |signature: &Signature| known.get(signature).copied().unwrap_or_default();

        let mut imports = ImportSection::new();
        for (module, name, signature) in &self.imports {
            imports.import(module, name, EntityType::Function(ty(signature)));
        }
        let is_outside = !self.outside.is_empty();
        if is_outside {
            for ((module, name), ty) in self.outside.memories.iter().zip(&given.memories) {
                imports.import(module, name, EntityType::Memory(to.memory_type(*ty)?));
            }
            for ((module, name), table) in self.outside.tables.iter().zip(&given.tables) {
                imports.import(module, name, EntityType::Table(to.table_type(table.ty)?));
            }
            for ((module, name), global) in self.outside.globals.iter().zip(&given.globals) {
                imports.import(module, name, EntityType::Global(to.global_type(global.ty)?));
            }
        }
        let mut functions = FunctionSection::new();
        given.functions.iter().for_each(|ty| {
            functions.function(*ty);
        });
        self.functions.iter().for_each(|(signature, _)| {
            functions.function(ty(signature));
        });
        let mut tables = TableSection::new();
        for table in given.tables.iter().filter(|_| !is_outside) {
            to.parse_table(&mut tables, table.clone())?;
        }
        let mut memories = MemorySection::new();
        for memory in given.memories.iter().filter(|_| !is_outside) {
            memories.memory(to.memory_type(*memory)?);
        }
        self.memories.iter().for_each(|memory| {
            memories.memory(*memory);
        });
        let mut tags = TagSection::new();
        for tag in &given.tags {
            tags.tag(to.tag_type(*tag)?);
        }
        let mut globals = GlobalSection::new();
        for global in given.globals.iter().filter(|_| !is_outside) {
            to.parse_global(&mut globals, global.clone())?;
        }
        for (val_type, value) in &self.globals {
            globals.global(GlobalType { val_type: *val_type, mutable: true, shared: false }, value);
        }
        let mut exports = ExportSection::new();
        for (name, kind, index) in &self.exports {
            exports.export(name, *kind, *index);
        }

        let mut code = CodeSection::new();
        let bodies = Bodies { given, between };
        let refers = bodies.write(&mut to, &mut code)?;
        for (_, body) in &self.functions {
            // One that nobody calls.
            let mut none = Function::new([]);
            none.instructions().unreachable().end();
            code.function(body.as_ref().unwrap_or(&none));
        }
        let mut elements = ElementSection::new();
        for element in &given.elements {
            to.parse_element(&mut elements, element.clone())?;
        }
        if refers {
            // What was exported may be referred to, and no longer is.
            let declared: Vec<u32> = given.exported_functions().into_iter().map(|index| self.moved(index)).collect();
            elements.declared(Elements::Functions(declared.into()));
        }
        if let Some((table, function)) = self.fill {
            let functions = Elements::Functions(vec![function].into());
            elements.active(Some(table), &ConstExpr::i32_const(0), functions);
        }
        let mut data = DataSection::new();
        for segment in &given.data {
            to.parse_data(&mut data, segment.clone())?;
        }
        for Placed { memory, at, bytes } in &self.data {
            data.active(*memory, &ConstExpr::i32_const(*at as i32), bytes.iter().copied());
        }

        let mut module = Module::new();
        module.section(&types);
        if !imports.is_empty() {
            module.section(&imports);
        }
        module.section(&functions);
        if !tables.is_empty() {
            module.section(&tables);
        }
        if !memories.is_empty() {
            module.section(&memories);
        }
        if !tags.is_empty() {
            module.section(&tags);
        }
        if !globals.is_empty() {
            module.section(&globals);
        }
        module.section(&exports);
        if !elements.is_empty() {
            module.section(&elements);
        }
        if given.counts_data {
            module.section(&DataCountSection { count: data.len() });
        }
        module.section(&code);
        if !data.is_empty() {
            module.section(&data);
        }
        Ok(module.finish())
    }
}

/// A global's first value.
pub(super) enum Value {
    I32(i32),
    I64(i64),
}
