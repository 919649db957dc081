//! First pass: what the module declares, and whether it can be recorded at all.

use super::body::limit;
use super::error::{InstrumentError, offset};
use super::{DataKind, DataSegment, EXPORT_PREFIX, GlobalDecl, IMPORT_MODULE, MemoryDecl, features};
use forkpoint_traces::{MemoryIndex, ValueType};
use std::ops::Range;
use wasmparser::{
    CompositeInnerType, ConstExpr, GlobalType, MemoryType, Operator, Parser, Payload, RecGroup, TypeRef, ValType,
};

/// A section of the original module.
#[derive(Debug, Clone)]
pub(super) struct Section {
    pub(super) id: u8,
    /// Its contents, without id and size.
    pub(super) contents: Range<usize>,
}

/// What the second pass needs to know about a module.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) sections: Vec<Section>,
    /// Parameters of each type; 0 for what is no function.
    pub(super) params: Vec<u32>,
    /// A type `[i32] -> []`, if there is one already.
    pub(super) flush_type: Option<u32>,
    /// A type `[] -> [i32]`, if there is one already.
    pub(super) helper_type: Option<u32>,
    pub(super) imported_functions: u32,
    /// Type index of each defined function.
    pub(super) functions: Vec<u32>,
    pub(super) memories: Vec<MemoryDecl>,
    pub(super) global_count: u32,
    pub(super) globals: Vec<GlobalDecl>,
    pub(super) start: Option<u32>,
    pub(super) data: Vec<DataSegment>,
    /// Values of the globals that constant expressions may use.
    constants: Vec<Constant>,
    /// Module and field name of each imported global.
    global_imports: Vec<(String, String)>,
}

/// What is known of a constant expression's value.
#[derive(Debug, Clone, Copy)]
enum Constant {
    /// An integer, zero-extended.
    Known(u64),
    /// Depends on this imported global.
    Imported(u32),
    /// Not an integer.
    Other,
}

/// Reads the declarations of a valid module.
pub(super) fn scan(module: &[u8]) -> Result<Scan, InstrumentError> {
    let mut scan = Scan::default();
    let mut parser = Parser::new(0);
    parser.set_features(features());
    for payload in parser.parse_all(module) {
        let payload = payload?;
        if let Some((id, contents)) = payload.as_section() {
            scan.sections.push(Section { id, contents });
        }
        scan.payload(payload)?;
    }
    Ok(scan)
}

impl Scan {
    fn payload(&mut self, payload: Payload<'_>) -> Result<(), InstrumentError> {
        match payload {
            Payload::TypeSection(section) => {
                for group in section {
                    self.types(&group?);
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports_with_offsets() {
                    let (at, import) = import?;
                    self.import(at, import)?;
                }
            }
            Payload::FunctionSection(section) => {
                self.functions = section.into_iter().collect::<Result<_, _>>()?;
            }
            Payload::MemorySection(section) => {
                for memory in section.into_iter_with_offsets() {
                    let (at, memory) = memory?;
                    self.memory(at, memory)?;
                }
            }
            Payload::GlobalSection(section) => {
                for global in section {
                    let global = global?;
                    let value = if global.ty.mutable { Constant::Other } else { self.evaluate(&global.init_expr)? };
                    self.global(global.ty, value);
                }
            }
            Payload::ExportSection(section) => {
                for export in section.into_iter_with_offsets() {
                    let (at, export) = export?;
                    if export.name.starts_with(EXPORT_PREFIX) {
                        return Err(InstrumentError::ReservedExport {
                            name: export.name.to_string(),
                            offset: offset(at),
                        });
                    }
                }
            }
            Payload::StartSection { func, .. } => self.start = Some(func),
            Payload::DataSection(section) => {
                for data in section {
                    self.data(data?)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn types(&mut self, group: &RecGroup) {
        // Inside of a larger recursion group, a type is another one even if it looks the same, and the host
        // could not name it.
        let alone = group.types().len() == 1;
        for ty in group.types() {
            let index = self.params.len() as u32;
            let composite = &ty.composite_type;
            let CompositeInnerType::Func(function) = &composite.inner else {
                self.params.push(0);
                continue;
            };
            self.params.push(function.params().len() as u32);
            let plain = alone
                && ty.is_final
                && ty.supertype_idx.is_none()
                && !composite.shared
                && composite.descriptor_idx.is_none()
                && composite.describes_idx.is_none();
            if plain && function.params() == [ValType::I32] && function.results().is_empty() {
                self.flush_type.get_or_insert(index);
            }
            if plain && function.params().is_empty() && function.results() == [ValType::I32] {
                self.helper_type.get_or_insert(index);
            }
        }
    }

    fn import(&mut self, at: usize, import: wasmparser::Import<'_>) -> Result<(), InstrumentError> {
        if import.module == IMPORT_MODULE {
            return Err(InstrumentError::ReservedImport { name: import.name.to_string(), offset: offset(at) });
        }
        match import.ty {
            TypeRef::Func(_) | TypeRef::FuncExact(_) => self.imported_functions += 1,
            TypeRef::Memory(_) => {
                return Err(InstrumentError::ImportedMemory {
                    module: import.module.to_string(),
                    name: import.name.to_string(),
                    offset: offset(at),
                });
            }
            TypeRef::Global(ty) => {
                let value = Constant::Imported(self.global_imports.len() as u32);
                self.global_imports.push((import.module.to_string(), import.name.to_string()));
                self.global(ty, value);
            }
            TypeRef::Table(_) | TypeRef::Tag(_) => {}
        }
        Ok(())
    }

    fn memory(&mut self, at: usize, memory: MemoryType) -> Result<(), InstrumentError> {
        let index = self.memories.len() as u32;
        if memory.shared {
            return Err(InstrumentError::SharedMemory { memory: MemoryIndex(index), offset: offset(at) });
        }
        // Custom page sizes do not validate, so this is always 64 KiB.
        let page_size = 1u32.checked_shl(memory.page_size_log2.unwrap_or(16)).unwrap_or(1 << 16);
        self.memories.push(MemoryDecl {
            minimum: memory.initial,
            maximum: memory.maximum,
            page_size,
            memory64: memory.memory64,
            export: format!("{EXPORT_PREFIX}memory.{index}"),
        });
        Ok(())
    }

    fn global(&mut self, ty: GlobalType, value: Constant) {
        let index = self.global_count;
        self.global_count += 1;
        self.constants.push(value);
        let ty = match ty.content_type {
            ValType::I32 if ty.mutable => ValueType::I32,
            ValType::I64 if ty.mutable => ValueType::I64,
            ValType::F32 if ty.mutable => ValueType::F32,
            ValType::F64 if ty.mutable => ValueType::F64,
            _ => return,
        };
        self.globals.push(GlobalDecl { index, ty, export: format!("{EXPORT_PREFIX}global.{index}") });
    }

    fn data(&mut self, data: wasmparser::Data<'_>) -> Result<(), InstrumentError> {
        let segment = self.data.len() as u32;
        let kind = match data.kind {
            wasmparser::DataKind::Passive => DataKind::Passive,
            wasmparser::DataKind::Active { memory_index, offset_expr } => {
                let at = offset(offset_expr.get_binary_reader().original_position());
                let address = match self.evaluate(&offset_expr)? {
                    Constant::Known(address) => address,
                    Constant::Imported(import) => {
                        let (module, name) = &self.global_imports[import as usize];
                        return Err(InstrumentError::DataAddress {
                            segment,
                            offset: at,
                            module: module.clone(),
                            name: name.clone(),
                        });
                    }
                    Constant::Other => {
                        return Err(InstrumentError::Invalid {
                            message: format!("the address of data segment {segment} is not an integer constant"),
                            offset: at,
                        });
                    }
                };
                DataKind::Active { memory: MemoryIndex(memory_index), address }
            }
        };
        self.data.push(DataSegment { kind, bytes: data.range.end - data.data.len()..data.range.end });
        Ok(())
    }

    /// The value of a constant expression as far as it is an integer.
    fn evaluate(&self, expr: &ConstExpr<'_>) -> Result<Constant, InstrumentError> {
        let mut stack = Vec::new();
        let mut ops = expr.get_operators_reader();
        while !ops.eof() {
            let value = match ops.read()? {
                Operator::I32Const { value } => Constant::Known(u64::from(value as u32)),
                Operator::I64Const { value } => Constant::Known(value as u64),
                Operator::GlobalGet { global_index } => {
                    self.constants.get(global_index as usize).copied().unwrap_or(Constant::Other)
                }
                op @ (Operator::I32Add | Operator::I32Sub | Operator::I32Mul) => {
                    // Low halves do not depend on high ones, so 64-bit arithmetic cut off serves both widths.
                    match binary(&mut stack, &op) {
                        Constant::Known(value) => Constant::Known(value & u64::from(u32::MAX)),
                        other => other,
                    }
                }
                op @ (Operator::I64Add | Operator::I64Sub | Operator::I64Mul) => binary(&mut stack, &op),
                Operator::End => break,
                // References and aggregates: no integer can come out of them again.
                _ => return Ok(Constant::Other),
            };
            stack.push(value);
        }
        Ok(stack.pop().unwrap_or(Constant::Other))
    }

    /// Functions of the original module, imports first.
    pub(super) fn function_count(&self) -> u32 {
        self.imported_functions + self.functions.len() as u32
    }

    /// Refuses a module that is within an engine's limits only without what will be added to it.
    pub(super) fn check_limits(&self) -> Result<(), InstrumentError> {
        const MANY: u64 = 1_000_000;
        limit("memories", self.memories.len() as u64 + 1, 100)?;
        limit("types", self.params.len() as u64 + 2, MANY)?;
        limit("functions", u64::from(self.function_count()) + 2, MANY)
    }
}

fn binary(stack: &mut Vec<Constant>, op: &Operator<'_>) -> Constant {
    let (right, left) = (stack.pop(), stack.pop());
    match (left, right) {
        (Some(Constant::Known(left)), Some(Constant::Known(right))) => Constant::Known(match op {
            Operator::I32Add | Operator::I64Add => left.wrapping_add(right),
            Operator::I32Sub | Operator::I64Sub => left.wrapping_sub(right),
            _ => left.wrapping_mul(right),
        }),
        (Some(imported @ Constant::Imported(_)), _) | (_, Some(imported @ Constant::Imported(_))) => imported,
        _ => Constant::Other,
    }
}
