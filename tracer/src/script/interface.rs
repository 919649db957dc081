//! What a module imports and exports, and how much it has of each kind: all that linking needs to know.

use std::collections::HashMap;
use wasmparser::{ExternalKind, Parser, Payload, TypeRef};

/// What can be imported and exported and is counted through a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Memory,
    Table,
    Global,
    Other,
}

/// An import.
#[derive(Debug)]
pub(super) struct Imported {
    pub(super) module: String,
    pub(super) name: String,
    pub(super) kind: Kind,
}

/// A module's interface. What cannot be parsed is absent: engines decide about the module.
#[derive(Debug, Default)]
pub(super) struct Interface {
    pub(super) imports: Vec<Imported>,
    /// Kind and index by name.
    pub(super) exports: HashMap<String, (Kind, u32)>,
    pub(super) functions: u32,
    pub(super) data: u32,
    /// Imported ones included.
    pub(super) memories: u32,
    pub(super) tables: u32,
    pub(super) globals: u32,
}

impl Interface {
    pub(super) fn of(module: &[u8]) -> Interface {
        let mut interface = Interface::default();
        let mut parser = Parser::new(0);
        parser.set_features(wasmparser::WasmFeatures::all());
        for payload in parser.parse_all(module).map_while(Result::ok) {
            interface.payload(payload);
        }
        interface
    }

    fn payload(&mut self, payload: Payload<'_>) {
        match payload {
            Payload::ImportSection(section) => {
                for import in section.into_imports().map_while(Result::ok) {
                    let kind = match import.ty {
                        TypeRef::Memory(_) => Kind::Memory,
                        TypeRef::Table(_) => Kind::Table,
                        TypeRef::Global(_) => Kind::Global,
                        TypeRef::Func(_) | TypeRef::FuncExact(_) => {
                            self.functions += 1;
                            Kind::Other
                        }
                        TypeRef::Tag(_) => Kind::Other,
                    };
                    self.count(kind);
                    let (module, name) = (import.module.to_string(), import.name.to_string());
                    self.imports.push(Imported { module, name, kind });
                }
            }
            Payload::FunctionSection(section) => self.functions = self.functions.saturating_add(section.count()),
            Payload::MemorySection(section) => self.memories = self.memories.saturating_add(section.count()),
            Payload::TableSection(section) => self.tables = self.tables.saturating_add(section.count()),
            Payload::GlobalSection(section) => self.globals = self.globals.saturating_add(section.count()),
            Payload::DataSection(section) => self.data = section.count(),
            Payload::ExportSection(section) => {
                for export in section.into_iter().map_while(Result::ok) {
                    let kind = match export.kind {
                        ExternalKind::Memory => Kind::Memory,
                        ExternalKind::Table => Kind::Table,
                        ExternalKind::Global => Kind::Global,
                        _ => Kind::Other,
                    };
                    self.exports.insert(export.name.to_string(), (kind, export.index));
                }
            }
            _ => {}
        }
    }

    fn count(&mut self, kind: Kind) {
        match kind {
            Kind::Memory => self.memories += 1,
            Kind::Table => self.tables += 1,
            Kind::Global => self.globals += 1,
            Kind::Other => {}
        }
    }
}
