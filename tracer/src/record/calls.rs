//! From calls as they are written to the steps of a run: values by their types, bytes into memory by an allocator.
//!
//! An argument that is a text or a file becomes two steps before its call: the allocator is called, and the bytes are put
//! where it says. Which address that is only the run shows, so an argument may be the result of a step before.

use super::interface::Interface;
use super::invocation::{Ending, Invocation, Notation, Source, notation};
use super::steps::{Steps, address_type, wrong_count};
use super::types::signature;
use crate::error::RecordError;
use crate::instrument::MemoryDecl;
use crate::values::{WasmValue, parse_value};
use forkpoint_traces::{Argument, Call, MAX_PUT, MemoryIndex, Put, Step, StepResult};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use wasmparser::{FuncType, ValType};

/// The steps that make these calls. Without any the module must be a WASI command: its `_start` is called. With calls,
/// `_initialize` is called first where it exists.
pub(super) fn resolve(
    interface: &Interface,
    calls: &[Invocation],
    allocator: Option<&Invocation>,
    memories: &[MemoryDecl],
) -> Result<Steps, RecordError> {
    let exported = |name: &str| interface.exports.get(name).and_then(Option::as_ref);
    let mut resolver = Resolver::new(interface, memories, allocator);
    if calls.is_empty() {
        match exported("_start") {
            Some(ty) if ty.params().is_empty() => resolver.plain("_start", ty),
            _ => return Err(RecordError::NothingToCall { exports: interface.callable() }),
        }
    } else if let Some(ty) = exported("_initialize").filter(|ty| ty.params().is_empty()) {
        resolver.plain("_initialize", ty);
    }
    calls.iter().try_for_each(|call| resolver.call(call))?;
    Ok(resolver.finish())
}

/// A call whose arguments are all values.
///
/// # Errors
/// When it does not fit the module, or an argument is not a value.
pub(super) fn plain_call(interface: &Interface, invocation: &Invocation) -> Result<Call, RecordError> {
    let fail = |why: String| RecordError::Bytes {
        what: format!("the arguments of `{}`", invocation.function.escape_debug()),
        why,
    };
    let several = "in a program of several modules they are values, and no texts, files or results of other calls";
    for text in &invocation.arguments {
        if !matches!(notation(text).map_err(fail)?, Notation::Value) {
            return Err(fail(several.to_string()));
        }
    }
    let mut resolver = Resolver::new(interface, &[], None);
    resolver.call(invocation)?;
    match resolver.finish().list.pop() {
        Some(Step::Call(call)) => Ok(call),
        _ => Err(fail(several.to_string())),
    }
}

/// Makes the steps for calls.
struct Resolver<'a> {
    interface: &'a Interface,
    memories: &'a [MemoryDecl],
    /// The call that makes room, with `len` for a number of bytes.
    allocator: Option<&'a Invocation>,
    steps: Steps,
    /// The step of each call that was asked for.
    calls: Vec<u32>,
    /// The length of the bytes that were put last, as the guest is to know it.
    length: Option<u64>,
    /// Bytes put so far.
    put: u64,
}

impl<'a> Resolver<'a> {
    fn new(interface: &'a Interface, memories: &'a [MemoryDecl], allocator: Option<&'a Invocation>) -> Resolver<'a> {
        let (steps, calls) = (Steps::default(), Vec::new());
        Resolver { interface, memories, allocator, steps, calls, length: None, put: 0 }
    }

    /// Adds a call without arguments that the user did not ask for.
    fn plain(&mut self, function: &str, ty: &FuncType) {
        self.steps.call(Call { function: function.to_string(), arguments: Vec::new() }, ty);
    }

    /// Adds a call that was asked for, and what has to be done before it.
    fn call(&mut self, call: &Invocation) -> Result<(), RecordError> {
        let ty = self.interface.function(&call.function)?;
        if ty.params().len() != call.arguments.len() {
            return Err(wrong_count(&call.function, ty, call.arguments.len()));
        }
        self.length = None;
        let typed = call.arguments.iter().zip(ty.params()).enumerate();
        let arguments = typed.map(|(i, (text, ty))| self.argument(&call.function, i + 1, text, *ty));
        let arguments = arguments.collect::<Result<Vec<_>, _>>()?;
        let step = self.steps.call(Call { function: call.function.clone(), arguments }, ty);
        self.calls.push(step);
        Ok(())
    }

    fn finish(self) -> Steps {
        self.steps
    }

    fn argument(&mut self, function: &str, number: usize, text: &str, ty: ValType) -> Result<Argument, RecordError> {
        let fail = |why: String| RecordError::Bytes {
            what: format!("argument {number} of `{}`", function.escape_debug()),
            why,
        };
        match notation(text).map_err(fail)? {
            Notation::Value => parse_value(text, ty).map(Argument::Value).map_err(|source| RecordError::Argument {
                function: function.to_string(),
                number,
                source,
            }),
            Notation::Length => match self.length {
                Some(length) => integer(length, ty).map(Argument::Value).map_err(fail),
                None => Err(fail("`len` is the length of a text or a file before it in the same call".to_string())),
            },
            Notation::Result { call, number } => self.result(call, number, ty).map(Argument::Result).map_err(fail),
            Notation::Bytes(source, ending) => self.bytes(source, ending, ty, fail),
        }
    }

    fn result(&self, call: Option<usize>, number: usize, ty: ValType) -> Result<StepResult, String> {
        let which = call.unwrap_or(self.calls.len());
        let Some(step) = which.checked_sub(1).and_then(|index| self.calls.get(index)).copied() else {
            let which = call.map_or("call".to_string(), |which| format!("call {which}"));
            return Err(format!("there is no {which} before this one; the first --invoke is call 1"));
        };
        let from = StepResult { step, result: (number - 1) as u32 };
        match self.steps.type_of(from) {
            Some(found) if found == ty => Ok(from),
            Some(found) => Err(format!("result {number} of call {which} is of type {found}, expected {ty}")),
            None => Err(format!("call {which} has no result {number} that is a number or a vector")),
        }
    }

    /// Adds the steps that put bytes into memory, and gives the address that they come to.
    fn bytes(
        &mut self,
        source: Source,
        ending: Ending,
        ty: ValType,
        fail: impl Fn(String) -> RecordError,
    ) -> Result<Argument, RecordError> {
        let index = self.interface.wasi_memory.unwrap_or(0);
        let Some(memory) = self.memories.get(index as usize) else {
            return Err(fail("the module has no memory for it".to_string()));
        };
        let address = address_type(memory);
        if ty != address {
            return Err(fail(format!(
                "an address of its memory is of type {address}, and the argument is of type {ty}"
            )));
        }
        let Some(allocator) = self.allocator else {
            return Err(fail(format!(
                "a text or a file needs room in the guest's memory: name the export that gives it, as in --alloc malloc{}",
                self.interface.callable()
            )));
        };
        // No file is read before it is known that there is a place for it.
        let (bytes, length) = bytes(&source, ending, MAX_PUT.saturating_sub(self.put)).map_err(fail)?;
        if let Source::File(file) = source {
            self.steps.files.push(file);
        }
        self.put += bytes.len() as u64;
        let step = self.allocate(allocator, bytes.len() as u64, address)?;
        let put = Put { room: StepResult { step, result: 0 }, memory: MemoryIndex(index), bytes };
        let step = self.steps.put(put, address);
        self.length = Some(length);
        Ok(Argument::Result(StepResult { step, result: 0 }))
    }

    /// Adds a call of the allocator.
    fn allocate(&mut self, allocator: &Invocation, length: u64, address: ValType) -> Result<u32, RecordError> {
        let name = allocator.function.escape_debug();
        let fail = |why: String| RecordError::Bytes { what: format!("--alloc {name}"), why };
        let ty = self.interface.function(&allocator.function)?;
        if ty.results().first() != Some(&address) {
            return Err(fail(format!("it is {}, and its first result must be an address, {address}", signature(ty))));
        }
        let implied = ["len".to_string()];
        let written = match allocator.arguments.is_empty() && ty.params().len() == 1 {
            true => &implied[..],
            false => &allocator.arguments,
        };
        if written.len() != ty.params().len() {
            return Err(fail(format!(
                "it takes {} argument(s) ({}); write them after the name, with `len` for the number of bytes, as in \
                 --alloc '{name} len 1'",
                ty.params().len(),
                signature(ty)
            )));
        }
        let argument = |(text, ty): (&String, &ValType)| match text.as_str() {
            "len" => integer(length, *ty),
            text => parse_value(text, *ty).map_err(|error| error.to_string()),
        };
        let arguments = written.iter().zip(ty.params()).map(|pair| argument(pair).map(Argument::Value));
        let arguments = arguments.collect::<Result<_, _>>().map_err(fail)?;
        Ok(self.steps.call(Call { function: allocator.function.clone(), arguments }, ty))
    }
}

/// A length as a value.
fn integer(length: u64, ty: ValType) -> Result<WasmValue, String> {
    match ty {
        ValType::I32 => Ok(WasmValue::I32(length as u32 as i32)),
        ValType::I64 => Ok(WasmValue::I64(length as i64)),
        ty => Err(format!("`len` is an integer, and the argument is of type {ty}")),
    }
}

/// The bytes to put, and how many of them count.
fn bytes(source: &Source, ending: Ending, most: u64) -> Result<(Vec<u8>, u64), String> {
    let too_many = || format!("texts and files for memory may take up {} MiB in all", MAX_PUT >> 20);
    let mut bytes = match source {
        Source::Text(bytes) => bytes.clone(),
        Source::File(path) => read(path, most).map_err(|error| format!("reading {}: {error}", path.display()))?,
        Source::Zeros(length) if *length <= most => vec![0; *length as usize],
        Source::Zeros(_) => return Err(too_many()),
    };
    if ending == Ending::Utf16 {
        let text = String::from_utf8(bytes).map_err(|_| "only UTF-8 can be put as UTF-16")?;
        bytes = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    }
    let length = bytes.len() as u64;
    if ending == Ending::Nul {
        bytes.push(0);
    }
    if bytes.len() as u64 > most { Err(too_many()) } else { Ok((bytes, length)) }
}

/// A file, or one byte more than `most` of it.
fn read(path: &Path, most: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
#[path = "calls_tests.rs"]
mod tests;
