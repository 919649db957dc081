//! How many operands the instructions of a module take and leave: what wasmparser asks for where a type or a function decides.

use super::layout::Layout;
use wasmparser::{
    BinaryReader, BlockType, ContType, FrameKind, FuncType, FunctionSectionReader, ModuleArity, RefType, SubType,
    TypeSectionReader,
};

/// Most types that are read.
const MAX_TYPES: usize = 100_000;

/// How many operands instructions take and leave.
#[derive(Debug, Default)]
pub(super) struct Arities {
    types: Vec<SubType>,
    /// The types of all functions.
    functions: Vec<u32>,
}

impl Arities {
    pub(super) fn parse(module: &[u8], layout: &Layout) -> Arities {
        let mut arities = Arities { types: Vec::new(), functions: layout.import_types.clone() };
        let groups = layout.types(module).and_then(|types| TypeSectionReader::new(BinaryReader::new(types, 0)).ok());
        for group in groups.into_iter().flatten().map_while(Result::ok) {
            arities.types.extend(group.into_types());
            if arities.types.len() > MAX_TYPES {
                return Arities::default();
            }
        }
        let types = layout.function_types(module).and_then(|reader| FunctionSectionReader::new(reader).ok());
        let bodies = layout.bodies.len();
        arities.functions.extend(types.into_iter().flatten().map_while(Result::ok).take(bodies));
        arities
    }
}

impl ModuleArity for Arities {
    fn sub_type_at(&self, index: u32) -> Option<&SubType> {
        self.types.get(index as usize)
    }

    fn tag_type_arity(&self, _: u32) -> Option<(u32, u32)> {
        None
    }

    fn type_index_of_function(&self, index: u32) -> Option<u32> {
        self.functions.get(index as usize).copied()
    }

    fn func_type_of_cont_type(&self, _: &ContType) -> Option<&FuncType> {
        None
    }

    fn sub_type_of_ref_type(&self, _: &RefType) -> Option<&SubType> {
        None
    }

    fn control_stack_height(&self) -> u32 {
        0
    }

    fn label_block(&self, _: u32) -> Option<(BlockType, FrameKind)> {
        None
    }
}
