//! The functions by which the module describes its own memories, globals and tables.

use super::build::{Added, Build};
use super::layout::{BLOCKS, END, IMAGE, IMAGE_END, MOST, MOST_VALUES, RECORDS_AT, SCRATCH_AT, STATE, VALUE};
use super::plan::Plan;
use super::send::Out;
use super::values::store;
use crate::instrument::error::{InstrumentError, limit};
use wasm_encoder::{BlockType, Function, InstructionSink, MemArg, ValType};
use wasmparser::{ExternalKind, MemoryType};

/// Bytes of memory that are shown or left out together.
const BLOCK: u32 = 4096;
/// What stands before each block: address u64, length u32.
const BLOCK_HEAD: u32 = 12;

/// A memory of the original module.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown {
    pub(super) number: u32,
    pub(super) wide: bool,
    pub(super) page_bits: u32,
}

impl Shown {
    pub(super) fn of(number: u32, memory: &MemoryType) -> Shown {
        Shown { number, wide: memory.memory64, page_bits: memory.page_size_log2.unwrap_or(16) }
    }

    /// A place in it.
    pub(super) fn at(&self, offset: u64) -> MemArg {
        MemArg { offset, align: 0, memory_index: self.number }
    }

    /// Pushes its size in pages as an i64.
    pub(super) fn pages(&self, code: &mut InstructionSink<'_>) {
        code.memory_size(self.number);
        if !self.wide {
            code.i64_extend_i32_u();
        }
    }

    /// Pushes its size in bytes as an i64.
    pub(super) fn bytes(&self, code: &mut InstructionSink<'_>) {
        self.pages(code);
        code.i64_const(i64::from(self.page_bits)).i64_shl();
    }

    /// Makes the i64 on the stack an address of it.
    pub(super) fn address(&self, code: &mut InstructionSink<'_>) {
        if !self.wide {
            code.i32_wrap_i64();
        }
    }
}

/// Functions that show memories.
pub(super) struct Images {
    /// One for each.
    pub(super) each: Vec<Added>,
    /// All of them.
    pub(super) all: Added,
}

/// Adds the functions that show memories, and what comes at the end.
pub(super) fn define(build: &mut Build, out: &Out, plan: &Plan) -> Result<Images, InstrumentError> {
    let memories: Vec<Shown> = shown(build, plan);
    let mut images = Vec::new();
    for memory in &memories {
        let image = build.declare(&[], &[]);
        let body = image_body(build, out, *memory);
        build.define(image, body);
        images.push(image);
    }
    let all = build.declare(&[], &[]);
    let mut body = Function::new([]);
    for image in &images {
        body.instructions().call(build.index(*image));
    }
    body.instructions().end();
    build.define(all, body);

    let body = state_body(build, out, plan)?;
    build.define(out.state, body);

    let mut body = Function::new([]);
    let mut code = body.instructions();
    finish(build, out, all, &mut code);
    code.unreachable().end();
    build.define(out.give_up, body);
    Ok(Images { each: images, all })
}

/// The original's memories.
pub(super) fn shown(build: &Build, plan: &Plan) -> Vec<Shown> {
    let memories = build.given.memories.iter().take(plan.memories as usize).enumerate();
    memories.map(|(number, memory)| Shown::of(number as u32, memory)).collect()
}

/// Sends all there is to know at the end of a run.
pub(super) fn finish(build: &Build, out: &Out, images: Added, code: &mut InstructionSink<'_>) {
    code.call(build.index(out.flush)).call(build.index(images)).call(build.index(out.state));
    code.i32_const(END as i32).i32_const(SCRATCH_AT as i32).i32_const(0).call(build.index(out.send));
}

/// Sends a memory's blocks that are not zero.
fn image_body(build: &Build, out: &Out, memory: Shown) -> Function {
    let [at, size, length, end, found] = [0, 1, 2, 3, 4];
    let [used, count] = [5, 6];
    let mut body = Function::new([(5, ValType::I64), (2, ValType::I32)]);
    let mut code = body.instructions();
    let send = |code: &mut InstructionSink<'_>, kind: u32, address: u32| {
        code.i32_const(kind as i32).i32_const(address as i32);
    };
    code.i32_const(SCRATCH_AT as i32).i32_const(memory.number as i32).i32_store(out.at(0));
    code.i32_const(SCRATCH_AT as i32);
    memory.pages(&mut code);
    code.i64_store(out.at(4));
    code.i32_const(RECORDS_AT as i32).local_set(used);
    send(&mut code, IMAGE, SCRATCH_AT);
    code.i32_const(12).call(build.index(out.send));
    memory.bytes(&mut code);
    code.local_set(size);

    code.block(BlockType::Empty).loop_(BlockType::Empty);
    code.local_get(at).local_get(size).i64_ge_u().br_if(1);
    // The block's end: the last one of a memory with small pages may be short.
    code.local_get(at).i64_const(i64::from(BLOCK)).i64_add().local_set(end);
    code.local_get(end).local_get(size).i64_gt_u().if_(BlockType::Empty).local_get(size).local_set(end).end();
    code.local_get(end).local_get(at).i64_sub().local_set(length);
    code.i64_const(0).local_set(found);
    code.local_get(length).i64_const(i64::from(BLOCK)).i64_eq().if_(BlockType::Empty);
    code.i32_const(0).local_set(count);
    code.loop_(BlockType::Empty);
    code.local_get(found);
    for word in 0..8 {
        code.local_get(at).local_get(count).i64_extend_i32_u().i64_add();
        memory.address(&mut code);
        code.i64_load(memory.at(8 * word)).i64_or();
    }
    code.local_tee(found).i64_eqz();
    code.local_get(count)
        .i32_const(64)
        .i32_add()
        .local_tee(count)
        .i32_const(BLOCK as i32)
        .i32_lt_u()
        .i32_and()
        .br_if(0);
    code.end().else_();
    code.i64_const(1).local_set(found).end();
    code.local_get(found).i64_eqz().i32_eqz().if_(BlockType::Empty);
    // Room for it, and then it goes there.
    code.local_get(used).i32_const((RECORDS_AT + MOST - BLOCK - BLOCK_HEAD) as i32).i32_gt_u().if_(BlockType::Empty);
    send(&mut code, BLOCKS, RECORDS_AT);
    code.local_get(used).i32_const(RECORDS_AT as i32).i32_sub().call(build.index(out.send));
    code.i32_const(RECORDS_AT as i32).local_set(used).end();
    code.local_get(used).local_get(at).i64_store(out.at(0));
    code.local_get(used).local_get(length).i32_wrap_i64().i32_store(out.at(8));
    code.local_get(used).i32_const(BLOCK_HEAD as i32).i32_add().local_set(used);
    copy_out(&mut code, out, memory, [at, end, used]);
    code.end();
    code.local_get(end).local_set(at).br(0).end().end();

    code.local_get(used).i32_const(RECORDS_AT as i32).i32_ne().if_(BlockType::Empty);
    send(&mut code, BLOCKS, RECORDS_AT);
    code.local_get(used).i32_const(RECORDS_AT as i32).i32_sub().call(build.index(out.send)).end();
    send(&mut code, IMAGE_END, SCRATCH_AT);
    code.i32_const(0).call(build.index(out.send)).end();
    body
}

/// Copies memory from `at` to `end` into the buffer at `used`: words, then bytes. Moves `at` and `used`.
pub(super) fn copy_out(code: &mut InstructionSink<'_>, out: &Out, memory: Shown, [at, end, used]: [u32; 3]) {
    for (size, word) in [(8, true), (1, false)] {
        code.block(BlockType::Empty).loop_(BlockType::Empty);
        code.local_get(end).local_get(at).i64_sub().i64_const(size).i64_lt_u().br_if(1);
        code.local_get(used).local_get(at);
        memory.address(code);
        match word {
            true => code.i64_load(memory.at(0)).i64_store(out.at(0)),
            false => code.i32_load8_u(memory.at(0)).i32_store8(out.at(0)),
        };
        code.local_get(at).i64_const(size).i64_add().local_set(at);
        code.local_get(used).i32_const(size as i32).i32_add().local_set(used);
        code.br(0).end().end();
    }
}

/// Sends globals and sizes of tables.
fn state_body(build: &Build, out: &Out, plan: &Plan) -> Result<Function, InstrumentError> {
    let count = (plan.globals.len() + plan.tables.len()) as u32;
    limit("globals and tables", u64::from(count), u64::from(MOST_VALUES))?;
    let mut body = Function::new([]);
    let mut at = SCRATCH_AT;
    let missing = |name: &str| InstrumentError::Standalone { why: format!("it does not export {name}") };
    for name in plan.globals {
        let global = build.given.export(name, ExternalKind::Global).ok_or_else(|| missing(name))?;
        let ty = build.given.globals.get(global as usize).ok_or_else(|| missing(name))?.ty.content_type;
        let mut code = body.instructions();
        code.i32_const(at as i32).global_get(global);
        store(super::given::encoded(ty)?, out.at(0), &mut code);
        at += VALUE;
    }
    for name in plan.tables {
        let table = build.given.export(name, ExternalKind::Table).ok_or_else(|| missing(name))?;
        let ty = build.given.tables.get(table as usize).ok_or_else(|| missing(name))?.ty;
        let mut code = body.instructions();
        code.i32_const(at as i32);
        // A table of 64 bits counts in them.
        code.table_size(table);
        if !ty.table64 {
            code.i64_extend_i32_u();
        }
        code.i64_store(out.at(0));
        at += VALUE;
    }
    let mut code = body.instructions();
    code.i32_const(STATE as i32).i32_const(SCRATCH_AT as i32).i32_const((count * VALUE) as i32);
    code.call(build.index(out.send)).end();
    Ok(body)
}
