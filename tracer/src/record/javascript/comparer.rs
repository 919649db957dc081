//! A module that compares a guest's memory with a copy of it, for where nothing tells which pages exist.
//!
//! In a page all of memory is compared whenever JavaScript has had control. JavaScript's own loops would take most of the
//! time; vectors of this module are several times as fast. Of pages whose copy is zero only the guest's are read: nobody has touched
//! most of them, and the system has one page of zeros for all of these, which stays in the processor's cache.
//!
//! | import `forkpoint` | what it is |
//! | --- | --- |
//! | `guest`, `copy` | the memory and its copy |
//! | `kept` | a byte for each page of 4 KiB: 0 where the copy is zero |
//!
//! It exports `next`: `[i32 i32] -> [i32]`, the first page from the one on before the other that differs; else the other.

use wasm_encoder::{
    BlockType, CodeSection, EntityType, ExportKind, ExportSection, Function, FunctionSection, ImportSection,
    Instruction as I, MemArg, MemoryType, Module, TypeSection, ValType,
};

const GUEST: u32 = 0;
const COPY: u32 = 1;
const KEPT: u32 = 2;
/// Bytes of a page, as a power of two.
const PAGE_LOG2: i32 = 12;
/// Bytes that are compared before the loop goes on.
const STRIDE: u32 = 128;

// Locals of `next`.
const PAGE: u32 = 0;
const LIMIT: u32 = 1;
const AT: u32 = 2;
const END: u32 = 3;
const DIFFERENCE: u32 = 4;

/// The module.
pub(super) fn comparer() -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function([ValType::I32, ValType::I32], [ValType::I32]);
    let mut imports = ImportSection::new();
    for name in ["guest", "copy", "kept"] {
        let ty = MemoryType { minimum: 0, maximum: None, memory64: false, shared: false, page_size_log2: None };
        imports.import("forkpoint", name, EntityType::Memory(ty));
    }
    let mut functions = FunctionSection::new();
    functions.function(0);
    let mut exports = ExportSection::new();
    exports.export("next", ExportKind::Func, 0);
    let mut code = CodeSection::new();
    code.function(&next());
    let mut module = Module::new();
    module.section(&types).section(&imports).section(&functions).section(&exports).section(&code);
    module.finish()
}

fn next() -> Function {
    let mut function = Function::new([(2, ValType::I32), (1, ValType::V128)]);
    let mut emit = |instructions: &[I<'_>]| {
        for instruction in instructions {
            function.instruction(instruction);
        }
    };
    let kept = MemArg { offset: 0, align: 0, memory_index: KEPT };
    emit(&[
        I::Loop(BlockType::Empty),
        // Past the last page?
        I::LocalGet(PAGE),
        I::LocalGet(LIMIT),
        I::I32GeU,
        I::If(BlockType::Empty),
        I::LocalGet(LIMIT),
        I::Return,
        I::End,
        I::LocalGet(PAGE),
        I::I32Const(PAGE_LOG2),
        I::I32Shl,
        I::LocalTee(AT),
        I::I32Const(1 << PAGE_LOG2),
        I::I32Add,
        I::LocalSet(END),
        I::LocalGet(PAGE),
        I::I32Load8U(kept),
        I::If(BlockType::Empty),
    ]);
    emit(&compared(true));
    emit(&[I::Else]);
    emit(&compared(false));
    emit(&[
        I::End,
        I::LocalGet(DIFFERENCE),
        I::V128AnyTrue,
        I::If(BlockType::Empty),
        I::LocalGet(PAGE),
        I::Return,
        I::End,
        I::LocalGet(PAGE),
        I::I32Const(1),
        I::I32Add,
        I::LocalSet(PAGE),
        I::Br(0),
        I::End,
        I::Unreachable,
        I::End,
    ]);
    function
}

/// Leaves in `DIFFERENCE` all bits in which a page differs from its copy, or from zero. The address of the last page's end is 0
/// in a memory of 4 GiB, so that addresses are compared for equality only.
fn compared(with_copy: bool) -> Vec<I<'static>> {
    let mut code = vec![I::Loop(BlockType::Empty), I::LocalGet(DIFFERENCE)];
    for offset in (0..STRIDE).step_by(16).map(u64::from) {
        let vector = |memory_index| I::V128Load(MemArg { offset, align: 4, memory_index });
        code.extend([I::LocalGet(AT), vector(GUEST)]);
        if with_copy {
            code.extend([I::LocalGet(AT), vector(COPY), I::V128Xor]);
        }
        code.push(I::V128Or);
    }
    code.extend([
        I::LocalSet(DIFFERENCE),
        I::LocalGet(AT),
        I::I32Const(STRIDE as i32),
        I::I32Add,
        I::LocalTee(AT),
        I::LocalGet(END),
        I::I32Ne,
        I::BrIf(0),
        I::End,
    ]);
    code
}

#[cfg(test)]
#[path = "comparer_tests.rs"]
mod tests;
