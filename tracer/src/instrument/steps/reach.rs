//! What a host that lives in JavaScript can reach of a guest, and functions that do what it did where no call does it.
//!
//! JavaScript calls exported functions, and those that it finds in tables; it sets globals, grows tables and sets their
//! elements. When its side is replayed, every engine can make calls, whatever its interface: so each function that can be
//! reached gets a name, and setting and growing become functions.
//!
//! | added | what it does |
//! | --- | --- |
//! | a table with all functions that can be reached, by ascending index | gives a function by its place |
//! | `element.T`: `[i32 i32] -> []` | sets an element of table T to the function at a place; -1 is null |
//! | `function.element.T`: `[i32 funcref] -> []` | sets an element of table T to a function that the host makes |
//! | `element.T`: `[i32 externref] -> []` | sets an element of table T, which holds JavaScript's own references |
//! | `grow.T`: `[i32] -> []` | grows table T by elements that are null, or traps |
//! | `global.G`: `[t] -> []` | sets global G |

use super::there::There;
use super::{Added, raw_function};
use crate::instrument::error::{InstrumentError, limit};
use crate::instrument::{element_export, function_element_export, function_export, global_export, table_grow_export};
use std::collections::{BTreeMap, BTreeSet};
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{BlockType, Encode, HeapType, Instruction as I, SectionId, ValType};
use wasmparser::{
    ElementItems, ElementKind, ExternalKind, FuncType, Operator, Parser, Payload, RefType, TableType, TypeRef,
};

/// What JavaScript can reach of a module.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reach {
    /// Functions, by their index in the original module.
    pub(crate) functions: BTreeMap<u32, FuncType>,
    /// The first name under which a function is exported.
    pub(crate) exported: BTreeMap<u32, String>,
    /// Tables of functions, by index.
    tables: BTreeMap<u32, TableType>,
    /// Those of the host's references.
    extern_tables: BTreeSet<u32>,
    /// Whether functions on the border take or return references.
    references: bool,
    /// Mutable globals of numeric type.
    globals: BTreeMap<u32, wasmparser::ValType>,
    /// Imported globals, which are numbers, by index.
    pub(crate) imported_globals: BTreeMap<u32, wasmparser::ValType>,
    /// How many elements imported tables have at least, by index.
    pub(crate) imported_tables: BTreeMap<u32, u64>,
    /// Those of the functions that neither read nor write memory, and call nothing that might.
    pub(crate) blind: BTreeSet<u32>,
    /// Whether its code catches exceptions, and so what an import throws.
    pub(crate) catches: bool,
    /// The start function.
    pub(crate) start: Option<u32>,
    imported_functions: u32,
    /// Why a program with this module cannot be recorded.
    pub(crate) refused: Option<String>,
}

impl Reach {
    /// Reads a valid module.
    pub(crate) fn of(module: &[u8]) -> Result<Reach, InstrumentError> {
        let mut reach = Reach::default();
        let mut types: Vec<Option<FuncType>> = Vec::new();
        let mut functions: Vec<u32> = Vec::new();
        let (mut tables, mut globals): (Vec<TableType>, Vec<wasmparser::GlobalType>) = (Vec::new(), Vec::new());
        let mut mentioned = BTreeSet::new();
        let (mut blind, mut bodies) = (BTreeSet::new(), 0);
        for payload in Parser::new(0).parse_all(module) {
            match payload? {
                Payload::TypeSection(section) => {
                    for group in section {
                        types.extend(group?.into_types().map(|ty| match ty.composite_type.inner {
                            wasmparser::CompositeInnerType::Func(ty) => Some(ty),
                            _ => None,
                        }));
                    }
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        let import = import?;
                        let name = format!("{}.{}", import.module, import.name);
                        match import.ty {
                            TypeRef::Func(ty) | TypeRef::FuncExact(ty) => functions.push(ty),
                            TypeRef::Global(ty) => {
                                reach.imports_global(globals.len() as u32, ty, &name);
                                globals.push(ty);
                            }
                            TypeRef::Table(ty) => {
                                let index = tables.len() as u32;
                                reach.table(index, ty, &format!("it imports the table {name}"));
                                reach.imported_tables.insert(index, ty.initial);
                                tables.push(ty);
                            }
                            // The guest throws with it; what JavaScript throws through the guest is refused when it does.
                            TypeRef::Tag(_) => {}
                            TypeRef::Memory(ty) if ty.shared => {
                                reach.refuse(format!("it imports the shared memory {name}: threads may write to it"));
                            }
                            TypeRef::Memory(_) => {}
                        }
                    }
                    reach.imported_functions = functions.len() as u32;
                }
                Payload::FunctionSection(section) => {
                    for ty in section {
                        functions.push(ty?);
                    }
                }
                Payload::TableSection(section) => {
                    for table in section {
                        tables.push(table?.ty);
                    }
                }
                Payload::MemorySection(section) => {
                    for memory in section {
                        if memory?.shared {
                            reach.refuse("it has a shared memory: threads may write to it".to_string());
                        }
                    }
                }
                Payload::GlobalSection(section) => {
                    for global in section {
                        let global = global?;
                        mention(&global.init_expr, &mut mentioned)?;
                        globals.push(global.ty);
                    }
                }
                Payload::StartSection { func, .. } => reach.start = Some(func),
                Payload::ElementSection(section) => {
                    for segment in section {
                        let segment = segment?;
                        if matches!(segment.kind, ElementKind::Declared) {
                            continue;
                        }
                        match segment.items {
                            ElementItems::Functions(list) => {
                                for function in list {
                                    mentioned.insert(function?);
                                }
                            }
                            ElementItems::Expressions(_, list) => {
                                for expression in list {
                                    mention(&expression?, &mut mentioned)?;
                                }
                            }
                        }
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export?;
                        let (name, index) = (export.name, export.index);
                        match export.kind {
                            ExternalKind::Func | ExternalKind::FuncExact => {
                                reach.exported.entry(index).or_insert_with(|| name.to_string());
                            }
                            ExternalKind::Table => {
                                if let Some(ty) = tables.get(index as usize) {
                                    let mut own = index >= reach.imported_tables.len() as u32;
                                    own &= ty.element_type == RefType::EXTERNREF && !ty.shared && !ty.table64;
                                    if own {
                                        reach.extern_tables.insert(index);
                                        continue;
                                    }
                                    reach.table(index, *ty, &format!("it exports the table {name}"));
                                }
                            }
                            ExternalKind::Global => match globals.get(index as usize) {
                                Some(ty) if matches!(ty.content_type, wasmparser::ValType::Ref(_)) => {
                                    reach.refuse(format!("it exports the global {name}, which is a reference"));
                                }
                                Some(ty) if ty.mutable => {
                                    reach.globals.insert(index, ty.content_type);
                                }
                                _ => {}
                            },
                            ExternalKind::Memory | ExternalKind::Tag => {}
                        }
                    }
                }
                Payload::CodeSectionEntry(body) => {
                    let (is_blind, catches) = look(&body)?;
                    reach.catches |= catches;
                    if is_blind {
                        blind.insert(reach.imported_functions + bodies);
                    }
                    bodies += 1;
                }
                _ => {}
            }
        }
        if reach.tables.is_empty() {
            mentioned.clear();
        }
        mentioned.extend(reach.exported.keys().chain(&reach.start));
        let ty = |function: u32| types.get(*functions.get(function as usize)? as usize)?.clone();
        for function in mentioned {
            let Some(ty) = ty(function) else { continue };
            reach.check(&format!("function {function}, which JavaScript can call,"), &ty);
            reach.functions.insert(function, ty);
        }
        reach.blind = blind.into_iter().filter(|function| reach.functions.contains_key(function)).collect();
        for function in 0..reach.imported_functions {
            if let Some(ty) = ty(function) {
                reach.check(&format!("the imported function {function}"), &ty);
            }
        }
        Ok(reach)
    }

    /// A table that JavaScript can get at, as `what` says.
    fn table(&mut self, index: u32, ty: TableType, what: &str) {
        if ty.element_type == RefType::FUNCREF && !ty.shared && !ty.table64 {
            self.tables.insert(index, ty);
        } else {
            self.refuse(format!("{what}, whose elements are not plain functions"));
        }
    }

    /// A global that JavaScript gives.
    fn imports_global(&mut self, index: u32, ty: wasmparser::GlobalType, name: &str) {
        if matches!(ty.content_type, wasmparser::ValType::Ref(_) | wasmparser::ValType::V128) || ty.shared {
            return self.refuse(format!("it imports the global {name}, which is not a plain number"));
        }
        self.imported_globals.insert(index, ty.content_type);
        if ty.mutable {
            self.globals.insert(index, ty.content_type);
        }
    }

    /// Other references than the host's own have no value outside of their run.
    fn check(&mut self, what: &str, ty: &FuncType) {
        let mut types = ty.params().iter().chain(ty.results());
        self.references |= types.clone().any(|ty| matches!(ty, wasmparser::ValType::Ref(_)));
        let is_known = |ty: &wasmparser::ValType| *ty == wasmparser::ValType::EXTERNREF;
        if let Some(ty) = types.find(|ty| matches!(ty, wasmparser::ValType::Ref(_)) && !is_known(ty)) {
            self.refuse(format!("{what} has {ty} among its parameters or results"));
        }
    }

    /// Whether values of JavaScript's own cross the border.
    pub(crate) fn passes_references(&self) -> bool {
        self.references || !self.extern_tables.is_empty()
    }

    /// The first reason counts.
    fn refuse(&mut self, why: String) {
        self.refused.get_or_insert(why);
    }

    /// The name under which a function is called: that of its export, or one that is added for it.
    pub(crate) fn name(&self, function: u32) -> String {
        self.exported.get(&function).cloned().unwrap_or_else(|| function_export(function))
    }

    /// How many functions it imports.
    pub(crate) fn imported_functions(&self) -> u32 {
        self.imported_functions
    }

    /// The mutable globals that JavaScript can set, by index.
    pub(crate) fn globals(&self) -> impl Iterator<Item = u32> {
        self.globals.keys().copied()
    }

    /// The tables of JavaScript's own references, by index.
    pub(crate) fn extern_tables(&self) -> impl Iterator<Item = u32> {
        self.extern_tables.iter().copied()
    }

    /// The tables whose elements JavaScript can set, by index.
    pub(crate) fn tables(&self) -> impl Iterator<Item = u32> {
        self.tables.keys().copied()
    }

    /// Adds what a replay needs to a module that was made of this one. Also returns how many bytes further the code begins.
    pub(crate) fn add(&self, module: &[u8]) -> Result<(Vec<u8>, u32), InstrumentError> {
        let there = There::of(module)?;
        limit("exports", (there.exports.len() + self.functions.len()) as u64, 1_000_000)?;
        let shift = there.imported_functions.saturating_sub(self.imported_functions);
        let moved = |function: u32| if function < self.imported_functions { function } else { function + shift };
        let mut new = Added::default();
        for function in self.functions.keys().filter(|function| !self.exported.contains_key(function)) {
            let mut export = Vec::new();
            function_export(*function).as_str().encode(&mut export);
            export.push(0x00); // A function.
            moved(*function).encode(&mut export);
            new.entry(SectionId::Export, export);
        }
        if !self.tables.is_empty() {
            let count = self.functions.len() as u32;
            let all = there.tables
                + new.entry(SectionId::Table, {
                    let mut table = vec![0x70, 0x00]; // funcref, without a maximum.
                    count.encode(&mut table);
                    table
                });
            // An active segment of function indices, for a table by number.
            let mut segment = vec![0x02];
            all.encode(&mut segment);
            segment.extend([0x41, 0x00, 0x0b, 0x00]);
            count.encode(&mut segment);
            self.functions.keys().for_each(|function| moved(*function).encode(&mut segment));
            new.entry(SectionId::Element, segment);
            for table in self.tables.keys().copied() {
                let element = [
                    I::LocalGet(0),
                    I::LocalGet(1),
                    I::I32Const(0),
                    I::I32LtS,
                    I::If(BlockType::Result(ValType::FUNCREF)),
                    I::RefNull(HeapType::FUNC),
                    I::Else,
                    I::LocalGet(1),
                    I::TableGet(all),
                    I::End,
                    I::TableSet(table),
                    I::End,
                ];
                raw_function(&mut new, &there, &[ValType::I32, ValType::I32], &element_export(table), &element);
                let own = [I::LocalGet(0), I::LocalGet(1), I::TableSet(table), I::End];
                let parameters = [ValType::I32, ValType::FUNCREF];
                raw_function(&mut new, &there, &parameters, &function_element_export(table), &own);
                let grow = grows(table, HeapType::FUNC);
                raw_function(&mut new, &there, &[ValType::I32], &table_grow_export(table), &grow);
            }
        }
        for table in self.extern_tables.iter().copied() {
            let element = [I::LocalGet(0), I::LocalGet(1), I::TableSet(table), I::End];
            raw_function(&mut new, &there, &[ValType::I32, ValType::EXTERNREF], &element_export(table), &element);
            raw_function(
                &mut new,
                &there,
                &[ValType::I32],
                &table_grow_export(table),
                &grows(table, HeapType::EXTERN),
            );
        }
        for (global, ty) in &self.globals {
            let set = [I::LocalGet(0), I::GlobalSet(*global), I::End];
            raw_function(&mut new, &there, &[RoundtripReencoder.val_type(*ty)?], &global_export(*global), &set);
        }
        let out = new.write(module, &there)?;
        limit("bytes", out.len() as u64, 1 << 30)?;
        let moved = if there.code == 0 { 0 } else { There::of(&out)?.code - there.code };
        Ok((out, moved as u32))
    }
}

/// Grows a table by elements that are null, or traps.
fn grows(table: u32, null: HeapType) -> [I<'static>; 9] {
    [
        I::RefNull(null),
        I::LocalGet(0),
        I::TableGrow(table),
        I::I32Const(-1),
        I::I32Eq,
        I::If(BlockType::Empty),
        I::Unreachable,
        I::End,
        I::End,
    ]
}

/// Whether a function certainly neither reads nor writes memory, having nothing but numbers, locals, globals and branches;
/// and whether it can catch exceptions.
fn look(body: &wasmparser::FunctionBody) -> Result<(bool, bool), InstrumentError> {
    let (mut blind, mut catches) = (true, false);
    for operator in body.get_operators_reader()? {
        use Operator::{
            Block, Br, BrIf, Drop, Else, End, F32Const, F64Const, GlobalGet, GlobalSet, I32Add, I32And, I32Const,
            I32Eq, I32Eqz, I32GtU, I32LtU, I32Or, I32Sub, I64Const, If, LocalGet, LocalSet, LocalTee, Loop, Nop,
            Return, Select,
        };
        let operator = operator?;
        catches |= matches!(operator, Operator::TryTable { .. } | Operator::Try { .. });
        blind &= matches!(
            operator,
            Block { .. }
                | Br { .. }
                | BrIf { .. }
                | Drop
                | Else
                | End
                | F32Const { .. }
                | F64Const { .. }
                | GlobalGet { .. }
                | GlobalSet { .. }
                | I32Add
                | I32And
                | I32Const { .. }
                | I32Eq
                | I32Eqz
                | I32GtU
                | I32LtU
                | I32Or
                | I32Sub
                | I64Const { .. }
                | If { .. }
                | LocalGet { .. }
                | LocalSet { .. }
                | LocalTee { .. }
                | Loop { .. }
                | Nop
                | Return
                | Select
        );
    }
    Ok((blind, catches))
}

/// Notes the functions that a constant expression gives.
fn mention(expression: &wasmparser::ConstExpr, mentioned: &mut BTreeSet<u32>) -> Result<(), InstrumentError> {
    for operator in expression.get_operators_reader() {
        if let Operator::RefFunc { function_index } = operator? {
            mentioned.insert(function_index);
        }
    }
    Ok(())
}
