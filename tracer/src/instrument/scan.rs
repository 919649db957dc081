//! First pass: what the module declares, and whether it can be recorded at all.

use super::error::{InstrumentError, limit, offset};
use super::layout::section_id;
use super::{Address, DataKind, DataSegment, EXPORT_PREFIX, GlobalDecl, IMPORT_MODULE, MemoryDecl, features};
use forkpoint_traces::{GlobalIndex, MemoryIndex, ValueType};
use std::ops::Range;
use wasm_encoder::SectionId;
use wasmparser::{CompositeInnerType, GlobalType, MemoryType, Parser, Payload, RecGroup, TypeRef, ValType};

/// A section of the original module.
#[derive(Debug, Clone)]
pub(super) struct Section {
    pub(super) id: SectionId,
    /// Its contents, without id and size.
    pub(super) contents: Range<usize>,
}

/// Parameters and results.
#[derive(Debug, Clone, Default)]
pub(super) struct Signature {
    pub(super) params: Box<[ValType]>,
    pub(super) results: Box<[ValType]>,
}

/// What the second pass needs to know about a module.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) sections: Vec<Section>,
    /// Each type as a function's; an empty one if it is not a function type.
    pub(super) signatures: Vec<Signature>,
    /// A type `[i32] -> []`, if there is one already.
    pub(super) flush_type: Option<u32>,
    /// A type `[i32] -> [i32]`, if there is one already.
    pub(super) helper_type: Option<u32>,
    pub(super) imported_functions: u32,
    /// Type index of each defined function.
    pub(super) functions: Vec<u32>,
    pub(super) memories: Vec<MemoryDecl>,
    pub(super) global_count: u32,
    pub(super) globals: Vec<GlobalDecl>,
    pub(super) tables: Vec<String>,
    pub(super) start: Option<u32>,
    /// Whether it has tags, imported ones included: no exception is thrown without.
    pub(super) throws: bool,
    pub(super) data: Vec<DataSegment>,
    /// Values of the globals that constant expressions may use.
    pub(super) constants: Vec<Option<Address>>,
}

/// Reads the declarations of a valid module.
pub(super) fn scan(module: &[u8]) -> Result<Scan, InstrumentError> {
    let mut scan = Scan::default();
    let mut parser = Parser::new(0);
    parser.set_features(features());
    for payload in parser.parse_all(module) {
        let payload = payload?;
        if let Some((number, contents)) = payload.as_section() {
            let id = section_id(number).unwrap_or(SectionId::Custom);
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
                for memory in section {
                    self.memory(memory?, false);
                }
            }
            Payload::TableSection(section) => {
                for _ in 0..section.count() {
                    self.table();
                }
            }
            Payload::GlobalSection(section) => {
                for global in section {
                    let global = global?;
                    let known = |index: u32| self.constants.get(index as usize).cloned().flatten();
                    let value = if global.ty.mutable { None } else { Address::read(&global.init_expr, known)? };
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
            Payload::TagSection(_) => self.throws = true,
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
        // Inside a larger recursion group, a type differs even if it looks the same, and the host could not name it.
        let alone = group.types().len() == 1;
        for ty in group.types() {
            let index = self.signatures.len() as u32;
            let composite = &ty.composite_type;
            let CompositeInnerType::Func(function) = &composite.inner else {
                self.signatures.push(Signature::default());
                continue;
            };
            self.signatures.push(Signature { params: function.params().into(), results: function.results().into() });
            let plain = alone
                && ty.is_final
                && ty.supertype_idx.is_none()
                && !composite.shared
                && composite.descriptor_idx.is_none()
                && composite.describes_idx.is_none();
            if plain && function.params() == [ValType::I32] && function.results().is_empty() {
                self.flush_type.get_or_insert(index);
            }
            if plain && function.params() == [ValType::I32] && function.results() == [ValType::I32] {
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
            TypeRef::Memory(ty) => self.memory(ty, true),
            TypeRef::Global(ty) => {
                let value = (!ty.mutable).then(|| Address::imported(self.global_count));
                self.global(ty, value);
            }
            TypeRef::Table(_) => self.table(),
            TypeRef::Tag(_) => self.throws = true,
        }
        Ok(())
    }

    fn table(&mut self) {
        self.tables.push(format!("{EXPORT_PREFIX}table.{}", self.tables.len()));
    }

    fn memory(&mut self, memory: MemoryType, imported: bool) {
        let index = self.memories.len() as u32;
        // Valid page sizes are 1 and 64 KiB.
        let page_size = 1u32.checked_shl(memory.page_size_log2.unwrap_or(16)).unwrap_or(1 << 16);
        self.memories.push(MemoryDecl {
            minimum: memory.initial,
            maximum: memory.maximum,
            page_size,
            memory64: memory.memory64,
            shared: memory.shared,
            imported,
            export: format!("{EXPORT_PREFIX}memory.{index}"),
        });
    }

    fn global(&mut self, ty: GlobalType, value: Option<Address>) {
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
        self.globals.push(GlobalDecl {
            index: GlobalIndex(index),
            ty,
            export: format!("{EXPORT_PREFIX}global.{index}"),
        });
    }

    fn data(&mut self, data: wasmparser::Data<'_>) -> Result<(), InstrumentError> {
        let segment = self.data.len() as u32;
        let kind = match data.kind {
            wasmparser::DataKind::Passive => DataKind::Passive,
            wasmparser::DataKind::Active { memory_index, offset_expr } => {
                let at = offset(offset_expr.get_binary_reader().original_position());
                let known = |index: u32| self.constants.get(index as usize).cloned().flatten();
                let address = Address::read(&offset_expr, known)?.ok_or_else(|| InstrumentError::Invalid {
                    message: format!("the address of data segment {segment} is not an integer constant"),
                    offset: at,
                })?;
                DataKind::Active { memory: MemoryIndex(memory_index), address }
            }
        };
        self.data.push(DataSegment { kind, bytes: data.range.end - data.data.len()..data.range.end });
        Ok(())
    }

    /// Functions of the original module, imports first.
    pub(super) fn function_count(&self) -> u32 {
        self.imported_functions + self.functions.len() as u32
    }

    /// Refuses a module that is within an engine's limits, but would not be after rewriting.
    pub(super) fn check_limits(&self) -> Result<(), InstrumentError> {
        const MANY: u64 = 1_000_000;
        limit("memories", self.memories.len() as u64 + 1, 100)?;
        limit("types", self.signatures.len() as u64 + 3, MANY)?;
        limit("globals", u64::from(self.global_count) + 1, MANY)?;
        limit("functions", u64::from(self.function_count()) + 3, MANY)
    }
}
