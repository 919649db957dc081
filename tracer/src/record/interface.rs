//! What a module imports and exports: who answers the one, and whether the calls fit the other.

use super::program::Invocation;
use super::providers::{Imports, exports_of, preloaded, provider, result_type, scripted};
use crate::child::Call;
use crate::error::RecordError;
use crate::host::answer::{HostFunction, Provider};
use crate::instrument::EXPORT_PREFIX;
use crate::record::types::{self, signature};
use crate::values::{WasmValue, parse_value};
use forkpoint_traces::Import;
use std::collections::{BTreeMap, BTreeSet};
use wasmparser::{CompositeInnerType, ExternalKind, FuncType, Parser, Payload, TypeRef, ValType};

/// What a module imports and exports. Means nothing for a module that turns out not to be valid.
pub(super) struct Interface {
    pub(super) imports: Vec<Needed>,
    pub(super) exports: BTreeMap<String, Option<FuncType>>,
    /// Exported functions by index; of several names the first.
    pub(super) exported: BTreeMap<u32, String>,
    pub(super) wasi_memory: Option<u32>,
}

/// What a module needs from outside.
pub(super) struct Needed {
    pub(super) import: Import,
    /// Its type in words.
    pub(super) ty: String,
    kind: NeededKind,
}

impl Needed {
    /// Whether it is a function with so many parameters and results, all of them integers.
    pub(super) fn is_function_of_integers(&self, (parameters, results): (usize, usize)) -> bool {
        let NeededKind::Function(Some(ty)) = &self.kind else { return false };
        let mut types = ty.params().iter().chain(ty.results());
        (ty.params().len(), ty.results().len()) == (parameters, results)
            && types.all(|ty| matches!(ty, ValType::I32 | ValType::I64))
    }
}

pub(super) enum NeededKind {
    Function(Option<FuncType>),
    Memory,
    Other,
}

impl Interface {
    pub(super) fn of(module: &[u8]) -> Interface {
        let mut types: Vec<Option<FuncType>> = Vec::new();
        let mut functions: Vec<u32> = Vec::new();
        let mut interface =
            Interface { imports: Vec::new(), exports: BTreeMap::new(), exported: BTreeMap::new(), wasi_memory: None };
        // In a valid module every section reads without error; for others the validator's answer is what counts.
        for payload in Parser::new(0).parse_all(module).filter_map(Result::ok) {
            match payload {
                Payload::TypeSection(section) => {
                    for group in section.into_iter().filter_map(Result::ok) {
                        types.extend(group.into_types().map(|ty| match ty.composite_type.inner {
                            CompositeInnerType::Func(ty) => Some(ty),
                            _ => None,
                        }));
                    }
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports().filter_map(Result::ok) {
                        if let TypeRef::Func(ty) | TypeRef::FuncExact(ty) = import.ty {
                            functions.push(ty);
                        }
                        let ty = types::import(import.ty, |ty| types.get(ty as usize)?.as_ref());
                        let kind = match import.ty {
                            TypeRef::Func(ty) | TypeRef::FuncExact(ty) => {
                                NeededKind::Function(types.get(ty as usize).cloned().flatten())
                            }
                            TypeRef::Memory(_) => NeededKind::Memory,
                            _ => NeededKind::Other,
                        };
                        let import = Import { module: import.module.to_string(), name: import.name.to_string() };
                        interface.imports.push(Needed { import, ty, kind });
                    }
                }
                Payload::FunctionSection(section) => {
                    functions.extend(section.into_iter().filter_map(Result::ok));
                }
                Payload::ExportSection(section) => {
                    for export in section.into_iter().filter_map(Result::ok) {
                        if export.kind == ExternalKind::Memory && export.name == "memory" {
                            interface.wasi_memory = Some(export.index);
                        }
                        if export.kind == ExternalKind::Func {
                            interface.exported.entry(export.index).or_insert_with(|| export.name.to_string());
                        }
                        let ty = (export.kind == ExternalKind::Func)
                            .then(|| functions.get(export.index as usize))
                            .flatten()
                            .and_then(|ty| types.get(*ty as usize).cloned().flatten());
                        interface.exports.insert(export.name.to_string(), ty);
                    }
                }
                _ => {}
            }
        }
        interface
    }

    /// Finds out who answers each imported function, and whether all else can be had.
    pub(super) fn provide(&self, imports: &Imports) -> Result<Vec<HostFunction>, RecordError> {
        let mut memories = BTreeSet::new();
        let mut functions = Vec::new();
        let mut missing = Vec::new();
        let preloads = imports.preloads.iter().map(exports_of).collect::<Result<Vec<_>, _>>()?;
        let scripted = scripted(imports.scripts)?;
        for needed in &self.imports {
            let Needed { import, ty, kind } = needed;
            let provided = match kind {
                // A memory is provided, fresh and of its own. Imported twice it would be one under two numbers.
                NeededKind::Memory => memories.insert(import),
                NeededKind::Other => false,
                NeededKind::Function(signature) => {
                    let results = signature.as_ref().map_or(&[][..], FuncType::results);
                    let own = scripted.contains(import)
                        || preloaded(import, signature.as_ref(), imports.preloads, &preloads)?;
                    let provider = match own {
                        true => Provider::Engine,
                        false => provider(import, ty, results, imports)?,
                    };
                    let provided = imports.logged || !matches!(provider, Provider::Nobody);
                    let types = |types: &[ValType]| types.iter().map(|ty| result_type(*ty)).collect();
                    let parameters = types(signature.as_ref().map_or(&[][..], FuncType::params));
                    let results = types(results);
                    functions.push(HostFunction { import: import.clone(), parameters, results, provider });
                    provided
                }
            };
            if !provided {
                missing.push(format!("  {}: {ty}", import.to_string().escape_debug()));
            }
        }
        if missing.is_empty() {
            let threads = functions.iter().any(|function| matches!(function.provider, Provider::NoThreads));
            return if threads && !imports.allow_unordered { Err(RecordError::Threads) } else { Ok(functions) };
        }
        Err(RecordError::UnresolvedImports { list: missing.join("\n") })
    }

    /// The functions that can be called, as the end of an error message.
    fn callable(&self) -> String {
        let names: Vec<String> = self
            .exports
            .iter()
            .filter(|(name, ty)| ty.is_some() && !name.starts_with(EXPORT_PREFIX))
            .map(|(name, _)| name.escape_debug().to_string())
            .take(20)
            .collect();
        match names.as_slice() {
            [] => "; it exports no function at all".to_string(),
            names => format!("; it exports {}", names.join(", ")),
        }
    }

    /// A call as a recording has it; nothing about it is taken on trust.
    pub(super) fn recorded_call(&self, call: &forkpoint_traces::Call) -> Result<Call, RecordError> {
        let Some(ty) = self.exports.get(&call.function).and_then(Option::as_ref) else {
            return Err(RecordError::NoSuchExport {
                name: call.function.escape_debug().to_string(),
                exports: self.callable(),
            });
        };
        let fits = |(value, ty): (&WasmValue, &ValType)| value_fits(value, *ty);
        if ty.params().len() != call.arguments.len() || !call.arguments.iter().zip(ty.params()).all(fits) {
            return Err(RecordError::ArgumentCount {
                function: call.function.escape_debug().to_string(),
                expected: ty.params().len(),
                types: signature(ty),
                found: call.arguments.len(),
            });
        }
        Ok(Call { function: call.function.clone(), arguments: call.arguments.clone(), vectors: has_vectors(ty) })
    }

    pub(super) fn resolve(&self, calls: &[Invocation]) -> Result<Vec<Call>, RecordError> {
        let exported = |name: &str| self.exports.get(name).and_then(Option::as_ref);
        let plain = |function: &str| Call { function: function.to_string(), arguments: Vec::new(), vectors: false };
        if calls.is_empty() {
            return match exported("_start") {
                Some(ty) if ty.params().is_empty() => Ok(vec![plain("_start")]),
                _ => Err(RecordError::NothingToCall { exports: self.callable() }),
            };
        }
        let mut resolved = Vec::new();
        if exported("_initialize").is_some_and(|ty| ty.params().is_empty()) {
            resolved.push(plain("_initialize"));
        }
        for call in calls {
            let Some(ty) = exported(&call.function) else {
                return Err(RecordError::NoSuchExport {
                    name: call.function.escape_debug().to_string(),
                    exports: self.callable(),
                });
            };
            if ty.params().len() != call.arguments.len() {
                return Err(RecordError::ArgumentCount {
                    function: call.function.clone(),
                    expected: ty.params().len(),
                    types: signature(ty),
                    found: call.arguments.len(),
                });
            }
            let arguments = call
                .arguments
                .iter()
                .zip(ty.params())
                .enumerate()
                .map(|(i, (text, ty))| {
                    parse_value(text, *ty).map_err(|source| RecordError::Argument {
                        function: call.function.clone(),
                        number: i + 1,
                        source,
                    })
                })
                .collect::<Result<Vec<WasmValue>, _>>()?;
            resolved.push(Call { function: call.function.clone(), arguments, vectors: has_vectors(ty) });
        }
        Ok(resolved)
    }
}

fn has_vectors(ty: &FuncType) -> bool {
    ty.params().iter().chain(ty.results()).any(|ty| *ty == ValType::V128)
}

fn value_fits(value: &WasmValue, ty: ValType) -> bool {
    match (value, ty) {
        (WasmValue::I32(_), ValType::I32)
        | (WasmValue::I64(_), ValType::I64)
        | (WasmValue::F32(_), ValType::F32)
        | (WasmValue::F64(_), ValType::F64)
        | (WasmValue::V128(_), ValType::V128) => true,
        (WasmValue::Reference(word), ValType::Ref(ty)) => word == "null" && ty.is_nullable(),
        _ => false,
    }
}
