//! The functions by which frames leave the module, and what takes the place of the hook.

use super::build::{Added, Build, Value};
use super::layout::{FACTOR_BITS, HEAD, MARK, MOST, RECORDS, RECORDS_AT, SCRATCH_AT, TURN, VECTOR_AT, WRITTEN_AT};
use super::plan::{Plan, Stop};
use crate::instrument::{HOOK_SIZE, MARK_HOOK};
use wasm_encoder::{BlockType, Function, MemArg, ValType};

/// Bytes of records after which they are sent.
pub(super) const LIMIT: u32 = MOST - MOST % HOOK_SIZE as u32 - HOOK_SIZE as u32;

/// What everything else refers to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Out {
    /// The buffer memory.
    pub(super) buffer: u32,
    /// `send(kind, address, length)`.
    pub(super) send: Added,
    /// Sends the records.
    pub(super) flush: Added,
    /// Sends everything there is to know, and leaves the module by a trap.
    pub(super) give_up: Added,
    /// Shows the state, where the plan is careful.
    pub(super) state: Added,
    used: u32,
    limit: u32,
    number: u32,
    sent: u32,
    mark: u32,
    fd_write: u32,
    checksum: Added,
    full: Added,
}

impl Out {
    pub(super) fn declare(build: &mut Build, buffer: u32, limit: u32) -> Out {
        let (i32, i64) = (ValType::I32, ValType::I64);
        Out {
            buffer,
            send: build.declare(&[i32, i32, i32], &[]),
            flush: build.declare(&[], &[]),
            give_up: build.declare(&[], &[]),
            state: build.declare(&[], &[]),
            used: build.global(Value::I32(0)),
            limit: build.global(Value::I32(limit as i32)),
            number: build.global(Value::I32(0)),
            sent: build.global(Value::I64(0)),
            mark: build.global(Value::I64(0)),
            fd_write: 0,
            checksum: build.declare(&[i32, i32, i64], &[i64]),
            full: build.declare(&[], &[]),
        }
    }

    /// The same where another module sends: imports number `send` and the one after it, which sends the records.
    pub(super) fn imported(build: &mut Build, buffer: u32, send: u32) -> Out {
        let none = Added::Kept(send);
        let (give_up, state) = (build.declare(&[], &[]), build.declare(&[], &[]));
        let flush = Added::Kept(send + 1);
        let (used, limit, number, sent, mark, fd_write) = Default::default();
        Out {
            buffer,
            send: none,
            flush,
            give_up,
            state,
            used,
            limit,
            number,
            sent,
            mark,
            fd_write,
            checksum: none,
            full: none,
        }
    }

    /// A place in the buffer, so many bytes after an address: fewer than 128, since an interpreter with a second memory
    /// exists that reads longer offsets wrongly.
    pub(super) fn at(&self, offset: u32) -> MemArg {
        debug_assert!(offset < 128);
        MemArg { offset: u64::from(offset), align: 0, memory_index: self.buffer }
    }

    pub(super) fn define(&self, build: &mut Build, plan: &Plan) {
        let body = self.send_body(build, plan.magic);
        build.define(self.send, body);
        build.define(self.checksum, self.checksum_body());
        let body = self.flush_body(build, plan);
        build.define(self.flush, body);
        let body = self.full_body(build, plan);
        build.define(self.full, body);
    }

    fn send_body(&self, build: &Build, magic: [u64; 2]) -> Function {
        let [kind, address, length, head, left, wrote] = [0, 1, 2, 3, 4, 5];
        let mut body = Function::new([(3, ValType::I32)]);
        let mut code = body.instructions();
        code.local_get(address).i32_const(HEAD as i32).i32_sub().local_set(head);
        for (at, word) in [(0, magic[0]), (8, magic[1])] {
            code.local_get(head).i64_const(word as i64).i64_store(self.at(at));
        }
        code.local_get(head).global_get(self.number).i32_store(self.at(16));
        code.local_get(head).local_get(kind).i32_store(self.at(20));
        code.local_get(head).local_get(length).i32_store(self.at(24));
        code.local_get(head).i32_const(0).i32_store(self.at(28));
        code.local_get(head);
        code.local_get(address).local_get(length);
        code.global_get(self.number).i64_extend_i32_u().i64_const(32).i64_shl();
        code.local_get(kind).i64_extend_i32_u().i64_or();
        code.call(build.index(self.checksum)).i64_store(self.at(32));
        code.global_get(self.number).i32_const(1).i32_add().global_set(self.number);
        code.local_get(length).i32_const(HEAD as i32).i32_add().local_set(left);
        // It may write less than it is asked to.
        code.loop_(BlockType::Empty);
        code.i32_const(0).local_get(head).i32_store(self.at(VECTOR_AT));
        code.i32_const(0).local_get(left).i32_store(self.at(VECTOR_AT + 4));
        code.i32_const(0).i32_const(0).i32_store(self.at(WRITTEN_AT));
        code.i32_const(1).i32_const(VECTOR_AT as i32).i32_const(1).i32_const(WRITTEN_AT as i32).call(self.fd_write);
        code.if_(BlockType::Empty).unreachable().end();
        code.i32_const(0).i32_load(self.at(WRITTEN_AT)).local_tee(wrote);
        code.i32_eqz().local_get(wrote).local_get(left).i32_gt_u().i32_or();
        code.if_(BlockType::Empty).unreachable().end();
        code.local_get(head).local_get(wrote).i32_add().local_set(head);
        code.local_get(left).local_get(wrote).i32_sub().local_tee(left).br_if(0);
        code.end().end();
        body
    }

    fn checksum_body(&self) -> Function {
        let [address, length, sum] = [0, 1, 2];
        let mut body = Function::new([]);
        let mut code = body.instructions();
        for (size, word) in [(8, true), (1, false)] {
            code.block(BlockType::Empty).loop_(BlockType::Empty);
            code.local_get(length).i32_const(size).i32_lt_u().br_if(1);
            code.local_get(sum).local_get(address);
            if word {
                code.i64_load(self.at(0))
            } else {
                code.i64_load8_u(self.at(0))
            };
            code.i64_xor().i64_const(i64::from(TURN)).i64_rotl().i64_const(FACTOR_BITS).i64_mul().local_set(sum);
            code.local_get(address).i32_const(size).i32_add().local_set(address);
            code.local_get(length).i32_const(size).i32_sub().local_set(length);
            code.br(0).end().end();
        }
        code.local_get(sum).end();
        body
    }

    /// Sends the records, and decides how many there may be the next time.
    fn flush_body(&self, build: &Build, plan: &Plan) -> Function {
        let mut body = Function::new([]);
        let mut code = body.instructions();
        code.global_get(self.used).i32_eqz().if_(BlockType::Empty).return_().end();
        code.i32_const(RECORDS as i32).i32_const(RECORDS_AT as i32).global_get(self.used);
        code.call(build.index(self.send));
        code.global_get(self.sent).global_get(self.used).i64_extend_i32_u().i64_add().global_set(self.sent);
        code.i32_const(0).global_set(self.used);
        let ends = [plan.careful.map(|at| (at, HOOK_SIZE as u32)), plan.stop.records().map(|at| (at, LIMIT))];
        for (at, after) in ends.into_iter().flatten() {
            // At most as many as are left up to there.
            let left = |code: &mut wasm_encoder::InstructionSink<'_>| {
                code.i64_const(at as i64).global_get(self.sent).i64_sub();
            };
            code.global_get(self.sent).i64_const(at as i64).i64_ge_u();
            code.if_(BlockType::Empty).i32_const(after as i32).global_set(self.limit).else_();
            left(&mut code);
            code.i64_const(i64::from(LIMIT)).i64_lt_u().if_(BlockType::Empty);
            left(&mut code);
            code.i32_wrap_i64().global_set(self.limit).end().end();
        }
        code.end();
        body
    }

    fn full_body(&self, build: &Build, plan: &Plan) -> Function {
        let mut body = Function::new([]);
        let mut code = body.instructions();
        code.call(build.index(self.flush));
        if let Some(at) = plan.careful.filter(|_| plan.shows_state) {
            code.global_get(self.sent).i64_const(at as i64).i64_ge_u();
            code.if_(BlockType::Empty).call(build.index(self.state)).end();
        }
        if let Some(at) = plan.stop.records() {
            code.global_get(self.sent).i64_const(at as i64).i64_eq();
            code.if_(BlockType::Empty).call(build.index(self.give_up)).end();
        }
        code.end();
        body
    }

    /// How many records there may be before the first are sent.
    pub(super) fn first_limit(plan: &Plan) -> u32 {
        let at = match (plan.careful, plan.stop) {
            (Some(at), _) | (_, Stop::Records(at)) => at,
            _ => u64::from(LIMIT),
        };
        at.clamp(HOOK_SIZE as u64, u64::from(LIMIT)) as u32
    }

    /// The hook: `event(site, first, second, third)`.
    pub(super) fn event_body(&self, build: &Build) -> Function {
        let place = 4;
        let mut body = Function::new([(1, ValType::I32)]);
        let mut code = body.instructions();
        code.local_get(0).i32_const(MARK_HOOK as i32).i32_eq().if_(BlockType::Empty);
        // Of all marks only the last one counts.
        code.local_get(1).global_get(self.mark).i64_ne().if_(BlockType::Empty);
        code.local_get(1).global_set(self.mark);
        code.i32_const(SCRATCH_AT as i32).local_get(1).i64_store(self.at(0));
        code.i32_const(MARK as i32).i32_const(SCRATCH_AT as i32).i32_const(8).call(build.index(self.send));
        code.end().return_().end();
        code.global_get(self.used).i32_const(RECORDS_AT as i32).i32_add().local_tee(place);
        code.local_get(0).i32_store(self.at(0));
        for (operand, at) in [(1, 4), (2, 12), (3, 20)] {
            code.local_get(place).local_get(operand).i64_store(self.at(at));
        }
        code.global_get(self.used).i32_const(HOOK_SIZE as i32).i32_add().global_set(self.used);
        code.global_get(self.used).global_get(self.limit).i32_ge_u();
        code.if_(BlockType::Empty).call(build.index(self.full)).end();
        code.end();
        body
    }

    /// Sets the first limit.
    pub(super) fn set_limit(&self, limit: u32, code: &mut wasm_encoder::InstructionSink<'_>) {
        code.i32_const(limit as i32).global_set(self.limit);
    }

    /// A function that shows the state once each record is sent at once.
    pub(super) fn state_if_careful(&self, build: &mut Build, at: u64) -> Added {
        let mut body = Function::new([]);
        let mut code = body.instructions();
        code.global_get(self.sent).i64_const(at as i64).i64_ge_u();
        code.if_(BlockType::Empty).call(build.index(self.state)).end().end();
        let added = build.declare(&[], &[]);
        build.define(added, body);
        added
    }
}
