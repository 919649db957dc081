//! A script in the form of the specification's tests, whose assertions one side passes and the other does not.

use super::append::with_function;
use super::parts::Parts;
use super::replayed::at_end;
use forkpoint_replay::Timeline;
use forkpoint_traces::{Event, MemoryIndex, Milestone, Outcome, PAGE, TrapKind, WasmValue};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use wasm_encoder::{Function, Instruction, MemArg, ValType};

/// Most bytes of memory that are asserted.
const MOST_BYTES: usize = 16;

/// The export that reads a byte of memory.
const BYTE: &str = "byte";

/// The export that tells the size of memory in pages.
const PAGES: &str = "pages";

/// A script that the left side passes and the right side fails, from traces of one module under both. `None` if the module does not
/// run on the left, or nothing that a script can ask shows the difference.
pub(super) fn script(module: &[u8], lhs: &Path, rhs: &Path) -> Option<String> {
    let [mut lhs, mut rhs] = [at_end(lhs)?, at_end(rhs)?];
    let accepted =
        |side: &mut Timeline| !matches!(side.trace_mut().outcome(), Ok(Some(Outcome::Rejected { .. })) | Err(_));
    if !accepted(&mut lhs) {
        return None;
    }
    let [of_lhs, of_rhs] = [calls(&mut lhs)?, calls(&mut rhs)?];
    let mut differs = of_lhs != of_rhs || !accepted(&mut rhs);
    let mut assertions = String::new();
    for call in &of_lhs {
        let _ = writeln!(assertions, "{}", call.assertion()?);
    }

    let parts = Parts::of(module).ok()?;
    let memory = parts.memories.first().filter(|_| parts.imports.is_empty() && accepted(&mut rhs));
    let taken = |name: &str| parts.exports.iter().any(|export| export.name == name);
    let mut module = module.to_vec();
    if let Some(memory) = memory.filter(|_| !taken(BYTE) && !taken(PAGES)) {
        let wide = memory.memory64;
        let (address, ty) = if wide { ("i64", ValType::I64) } else { ("i32", ValType::I32) };
        let sizes = [&lhs, &rhs].map(|side| side.memory().size(MemoryIndex(0)).map(|size| size.bytes()));
        if sizes[0] != sizes[1] {
            module = with_function(&module, PAGES, [&[], &[ty]], &function([Instruction::MemorySize(0)])).ok()?;
            let pages = sizes[0]? >> memory.page_size_log2.unwrap_or(16);
            let _ = writeln!(assertions, "(assert_return (invoke \"{PAGES}\") ({address}.const {pages}))");
            differs = true;
        }
        let bytes = different_bytes(&lhs, &rhs, MemoryIndex(0));
        if !bytes.is_empty() {
            let memarg = MemArg { offset: 0, align: 0, memory_index: 0 };
            let code = function([Instruction::LocalGet(0), Instruction::I32Load8U(memarg)]);
            module = with_function(&module, BYTE, [&[ty], &[ValType::I32]], &code).ok()?;
            differs = true;
        }
        for MemoryByte { address: at, byte } in bytes {
            let _ = writeln!(
                assertions,
                "(assert_return (invoke \"{BYTE}\" ({address}.const {at:#x})) (i32.const {byte:#04x}))"
            );
        }
    }
    let text = wasmprinter::print_bytes(&module).ok()?;
    differs.then(|| format!("{}\n\n{assertions}", text.trim_end()))
}

fn function<'a>(instructions: impl IntoIterator<Item = Instruction<'a>>) -> Function {
    let mut function = Function::new([]);
    for instruction in instructions {
        function.instruction(&instruction);
    }
    function.instruction(&Instruction::End);
    function
}

/// A call from the host and what became of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub function: String,
    pub arguments: Vec<WasmValue>,
    /// `None` if it did not come back.
    pub end: Option<Result<Vec<WasmValue>, TrapKind>>,
}

impl Call {
    /// The assertion that it ends like this; `None` if none can say so.
    fn assertion(&self) -> Option<String> {
        let values = |values: &[WasmValue]| values.iter().map(constant).collect::<Option<Vec<_>>>();
        let mut invoke = format!("(invoke {}", quoted(&self.function));
        for argument in values(&self.arguments)? {
            let _ = write!(invoke, " {argument}");
        }
        invoke.push(')');
        Some(match self.end.as_ref()? {
            Ok(results) => {
                let results: String = values(results)?.iter().map(|result| format!(" {result}")).collect();
                format!("(assert_return {invoke}{results})")
            }
            Err(TrapKind::StackOverflow) => format!("(assert_exhaustion {invoke} \"{}\")", TrapKind::StackOverflow),
            Err(trap) => format!("(assert_trap {invoke} \"{trap}\")"),
        })
    }
}

/// All calls of exports, in order; `None` if the start function traps, which no assertion of this form can say.
pub(super) fn calls(side: &mut Timeline) -> Option<Vec<Call>> {
    let mut calls: Vec<Call> = Vec::new();
    let trace = side.trace();
    let (chunks, sites) = (trace.chunks().len(), trace.sites().clone());
    let mut found: Vec<Event> = Vec::new();
    for number in 0..chunks {
        let read = side.trace_mut().read_chunk(number, |raw| {
            if let Ok(event @ Event::Milestone(_)) = Event::read(&raw, &sites) {
                found.push(event);
            }
            Ok::<(), forkpoint_traces::TraceError>(())
        });
        read.ok()?;
    }
    for event in found {
        let Event::Milestone(milestone) = event else { continue };
        let ended = match milestone {
            Milestone::Invoke { function, arguments } => {
                calls.push(Call { function, arguments, end: None });
                continue;
            }
            Milestone::Returned { results } => Ok(results),
            Milestone::Trapped { trap, .. } => Err(trap),
            _ => continue,
        };
        if let Some(call) = calls.last_mut() {
            call.end = Some(ended);
        }
    }
    let (start, calls): (Vec<Call>, Vec<Call>) = calls.into_iter().partition(|call| call.function == "(start)");
    start.iter().all(|call| matches!(call.end, Some(Ok(_)))).then_some(calls)
}

/// A byte of memory, as the left side has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct MemoryByte {
    pub address: u64,
    pub byte: u8,
}

/// The first bytes of a memory in which the sides end differently, with what the left side has.
pub(super) fn different_bytes(lhs: &Timeline, rhs: &Timeline, memory: MemoryIndex) -> Vec<MemoryByte> {
    let pages = |side: &Timeline| {
        side.memory().pages_in(memory, 0..u64::MAX).map(|(page, _)| page).collect::<BTreeSet<u64>>()
    };
    let mut bytes = Vec::new();
    for page in pages(lhs).union(&pages(rhs)).copied() {
        let read = |side: &Timeline| {
            let mut bytes = [0; PAGE as usize];
            side.memory().read(memory, page * PAGE, &mut bytes);
            bytes
        };
        let different =
            (page * PAGE..).zip(read(lhs).into_iter().zip(read(rhs))).filter(|(_, (left, right))| left != right);
        let found = different.map(|(address, (byte, _))| MemoryByte { address, byte });
        bytes.extend(found.take(MOST_BYTES - bytes.len()));
        if bytes.len() == MOST_BYTES {
            break;
        }
    }
    bytes
}

/// A value in the notation of scripts; `None` for a reference other than null.
fn constant(value: &WasmValue) -> Option<String> {
    Some(match value {
        WasmValue::I32(value) => format!("(i32.const {value})"),
        WasmValue::I64(value) => format!("(i64.const {value})"),
        WasmValue::F32(_) => format!("(f32.const {value})"),
        WasmValue::F64(_) => format!("(f64.const {value})"),
        WasmValue::V128(bytes) => {
            let lanes: String = bytes.iter().map(|byte| format!(" {byte:#04x}")).collect();
            format!("(v128.const i8x16{lanes})")
        }
        WasmValue::Reference(_) => return None,
    })
}

/// A string of the text format.
fn quoted(name: &str) -> String {
    let mut quoted = String::from("\"");
    for c in name.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() || !c.is_ascii() => {
                let _ = write!(quoted, "\\u{{{:x}}}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
