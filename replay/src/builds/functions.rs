//! Which function of one build is which of the other: by name, by export, or by shape.
//!
//! An optimizer may drop names and change every body. What it keeps of a body is what it computes with: its large constants,
//! the offsets of its loads and stores, the imports that it calls, its type.

use forkpoint_traces::FuncIndex;
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;
use wasmparser::{
    BinaryReader, CompositeInnerType, ExternalKind, FunctionBody, Name, Operator, Parser, Payload, TypeRef,
};

/// Functions are alike by shape if they have at least this many features, this part of them in common, and no other
/// function comes closer than the margin.
const FEATURES: usize = 4;
const ALIKE: f64 = 0.5;
const MARGIN: f64 = 0.1;

/// Smaller constants are in every function.
const LARGE: i64 = 64;

/// Most features of one function.
const MOST: usize = 1 << 14;

/// How a function was found in the other build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FunctionMatch {
    /// By its name in the name section.
    Name,
    /// By the name that it is exported under.
    Export,
    /// By its type and what it computes with.
    Shape,
}

impl std::fmt::Display for FunctionMatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            FunctionMatch::Name => "name",
            FunctionMatch::Export => "export",
            FunctionMatch::Shape => "shape",
        })
    }
}

/// The functions of one build.
pub(super) struct Functions {
    module: Arc<[u8]>,
    imports: Vec<String>,
    /// The names that only one function has.
    names: [HashMap<String, u32>; 2],
    types: Vec<u64>,
    /// By function that is not imported: number of its type, and its body.
    bodies: Vec<(u32, Range<usize>)>,
    /// Exported globals.
    pub(super) globals: HashMap<String, u32>,
    /// Where the stack of compiled C or Rust begins, from where it grows down: the first mutable global, as compilers have it.
    pub(super) stack: Option<u64>,
    features: Option<Vec<HashSet<u64>>>,
}

impl Functions {
    /// Reads a module, as far as it can be read.
    pub(super) fn of(module: &Arc<[u8]>) -> Functions {
        let mut functions = Functions {
            module: Arc::clone(module),
            imports: Vec::new(),
            names: [HashMap::new(), HashMap::new()],
            types: Vec::new(),
            bodies: Vec::new(),
            globals: HashMap::new(),
            stack: None,
            features: None,
        };
        let mut types = Vec::new();
        for payload in Parser::new(0).parse_all(module).map_while(Result::ok) {
            functions.section(payload, &mut types);
        }
        functions
    }

    fn section(&mut self, payload: Payload, function_types: &mut Vec<u32>) {
        match payload {
            Payload::TypeSection(groups) => {
                let types = groups.into_iter().map_while(Result::ok).flat_map(|group| group.into_types());
                self.types.extend(types.map(|ty| match ty.composite_type.inner {
                    CompositeInnerType::Func(ty) => hash(&(ty.params(), ty.results())),
                    _ => 0,
                }));
            }
            Payload::ImportSection(imports) => {
                let imports = imports.into_imports().map_while(Result::ok);
                let functions =
                    imports.filter(|import| matches!(import.ty, TypeRef::Func(_) | TypeRef::FuncExact(_)));
                self.imports.extend(functions.map(|import| format!("{}\0{}", import.module, import.name)));
            }
            Payload::GlobalSection(globals) => {
                let mut globals = globals.into_iter().map_while(Result::ok);
                let first = globals.find(|global| global.ty.mutable);
                self.stack = first.and_then(|global| match global.init_expr.get_operators_reader().read() {
                    Ok(Operator::I32Const { value }) => Some(u64::from(value as u32)),
                    Ok(Operator::I64Const { value }) => Some(value as u64),
                    _ => None,
                });
            }
            Payload::FunctionSection(types) => function_types.extend(types.into_iter().map_while(Result::ok)),
            Payload::ExportSection(exports) => {
                for export in exports.into_iter().map_while(Result::ok) {
                    match export.kind {
                        ExternalKind::Func | ExternalKind::FuncExact => {
                            self.names[1].insert(export.name.to_string(), export.index);
                        }
                        ExternalKind::Global => {
                            self.globals.insert(export.name.to_string(), export.index);
                        }
                        _ => {}
                    }
                }
            }
            Payload::CodeSectionEntry(body) => {
                let ty = function_types.get(self.bodies.len()).copied().unwrap_or(u32::MAX);
                self.bodies.push((ty, body.range()));
            }
            Payload::CustomSection(section) if section.name() == "name" => {
                let reader = BinaryReader::new(section.data(), section.data_offset());
                let mut several = HashSet::new();
                for subsection in wasmparser::NameSectionReader::new(reader).map_while(Result::ok) {
                    let Name::Function(map) = subsection else { continue };
                    for naming in map.into_iter().map_while(Result::ok) {
                        if self.names[0].insert(naming.name.to_string(), naming.index).is_some() {
                            several.insert(naming.name.to_string());
                        }
                    }
                }
                self.names[0].retain(|name, _| !several.contains(name));
            }
            _ => {}
        }
    }

    fn named(&self, kind: usize, func: u32) -> impl Iterator<Item = &str> {
        self.names[kind].iter().filter(move |(_, index)| **index == func).map(|(name, _)| name.as_str())
    }

    /// Which function of `other` is `func` of this build, and how it was found.
    pub(super) fn counterpart(
        &mut self,
        func: FuncIndex,
        other: &mut Functions,
    ) -> Option<(FuncIndex, FunctionMatch)> {
        for (kind, how) in [(0, FunctionMatch::Name), (1, FunctionMatch::Export)] {
            let found = self.named(kind, func.0).find_map(|name| other.names[kind].get(name));
            if let Some(found) = found {
                return Some((FuncIndex(*found), how));
            }
        }
        let imports = self.imports.len();
        if let Some(import) = self.imports.get(func.0 as usize) {
            let found = other.imports.iter().position(|other| other == import)?;
            return Some((FuncIndex(found as u32), FunctionMatch::Name));
        }
        let number = (func.0 as usize).checked_sub(imports)?;
        let found = self.closest(number, other)?;
        // It must be the closest of both.
        (other.closest(found, self)? == number)
            .then_some((FuncIndex((other.imports.len() + found) as u32), FunctionMatch::Shape))
    }

    /// The body of `other` that is most like a body of this build.
    fn closest(&mut self, number: usize, other: &mut Functions) -> Option<usize> {
        let ty = self.type_of(number)?;
        let features = self.features().get(number)?.clone();
        if features.len() < FEATURES {
            return None;
        }
        other.features();
        let candidates = (0..other.bodies.len()).filter(|candidate| other.type_of(*candidate) == Some(ty));
        let mut best: Option<(f64, usize)> = None;
        let mut second: f64 = 0.0;
        for candidate in candidates {
            let theirs = other.features.as_ref()?.get(candidate)?;
            let common = features.intersection(theirs).count() as f64;
            let alike = common / (features.len() + theirs.len()) as f64 * 2.0;
            match best {
                Some((closest, _)) if alike <= closest => second = second.max(alike),
                _ => {
                    second = second.max(best.map_or(0.0, |(closest, _)| closest));
                    best = Some((alike, candidate));
                }
            }
        }
        best.filter(|(alike, _)| *alike >= ALIKE && alike - second >= MARGIN).map(|(_, candidate)| candidate)
    }

    fn type_of(&self, number: usize) -> Option<u64> {
        self.types.get(self.bodies.get(number)?.0 as usize).copied()
    }

    /// What every body computes with.
    fn features(&mut self) -> &[HashSet<u64>] {
        if self.features.is_none() {
            let features = self.bodies.iter().map(|(_, body)| self.features_of(body)).collect();
            self.features = Some(features);
        }
        self.features.as_deref().unwrap_or_default()
    }

    fn features_of(&self, body: &Range<usize>) -> HashSet<u64> {
        let mut found = HashSet::new();
        let Some(bytes) = self.module.get(body.clone()) else { return found };
        let body = FunctionBody::new(BinaryReader::new(bytes, body.start));
        let Ok(operators) = body.get_operators_reader() else { return found };
        for operator in operators.into_iter().map_while(Result::ok) {
            let feature = match operator {
                Operator::I32Const { value } => large(value.into()),
                Operator::I64Const { value } => large(value),
                Operator::F32Const { value } => Some(hash(&(2, value.bits()))),
                Operator::F64Const { value } => Some(hash(&(3, value.bits()))),
                Operator::Call { function_index } => {
                    self.imports.get(function_index as usize).map(|import| hash(&(4, import)))
                }
                operator => offset(&operator).map(|offset| hash(&(5, offset, std::mem::discriminant(&operator)))),
            };
            found.extend(feature);
            if found.len() >= MOST {
                break;
            }
        }
        found
    }
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

fn large(value: i64) -> Option<u64> {
    (value.unsigned_abs() >= LARGE as u64).then(|| hash(&(1, value)))
}

/// The static offset of a load or store, if it has one.
fn offset(operator: &Operator) -> Option<u64> {
    use Operator::{
        F32Load, F32Store, F64Load, F64Store, I32Load, I32Load8S, I32Load8U, I32Load16S, I32Load16U, I32Store,
        I32Store8, I32Store16, I64Load, I64Store,
    };
    let memarg = match operator {
        I32Load { memarg }
        | I64Load { memarg }
        | F32Load { memarg }
        | F64Load { memarg }
        | I32Load8S { memarg }
        | I32Load8U { memarg }
        | I32Load16S { memarg }
        | I32Load16U { memarg }
        | I32Store { memarg }
        | I64Store { memarg }
        | F32Store { memarg }
        | F64Store { memarg }
        | I32Store8 { memarg }
        | I32Store16 { memarg } => memarg,
        _ => return None,
    };
    (memarg.offset > 0).then_some(memarg.offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn functions(text: &str) -> Functions {
        Functions::of(&wat::parse_str(text).expect("a module").into())
    }

    const SHAPED: &str =
        "(i32.store offset=12 (local.get 0) (i32.const 1000)) (i32.store offset=16 (local.get 0) (i32.const 2000))
        (i32.store offset=20 (local.get 0) (i32.const 3000))";

    #[test]
    fn a_function_is_found_by_name_then_export_then_shape() {
        let mut lhs = functions(&format!(
            "(module (memory 1) (func $named) (func (export \"e\")) (func (param i32) {SHAPED}) (func))"
        ));
        let mut rhs = functions(&format!(
            "(module (memory 1) (func (param i32) (drop (i32.const 1)) {SHAPED}) (func) (func (export \"e\")) (func $named))"
        ));
        let mut found = |func| lhs.counterpart(FuncIndex(func), &mut rhs).map(|(func, how)| (func.0, how));
        assert_eq!(found(0), Some((3, FunctionMatch::Name)));
        assert_eq!(found(1), Some((2, FunctionMatch::Export)));
        assert_eq!(found(2), Some((0, FunctionMatch::Shape)));
        assert_eq!(found(3), None, "nothing in it tells it from others");
        assert_eq!(found(9), None);
    }

    #[test]
    fn two_of_one_shape_are_not_told_apart() {
        let mut lhs = functions(&format!("(module (memory 1) (func (param i32) {SHAPED}))"));
        let twice = format!("(module (memory 1) (func (param i32) {SHAPED}) (func (param i32) {SHAPED}))");
        assert_eq!(lhs.counterpart(FuncIndex(0), &mut functions(&twice)), None);
    }
}
