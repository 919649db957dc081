//! What a module that records by itself tells: its frames, read.

use super::scanner::wrong;
use crate::instrument::standalone::{Types, layout, value};
use crate::values::WasmValue;
use std::io;
use wasmparser::ValType;

/// A frame, read.
#[derive(Debug)]
pub(super) enum Tale<'a> {
    Begin,
    Image {
        memory: u32,
        pages: u64,
    },
    /// Bytes of that memory, by address.
    Blocks(Vec<(u64, &'a [u8])>),
    ImageEnd,
    Instantiated,
    /// A call of the run by number, or the start function.
    Call(Option<u32>),
    Records(&'a [u8]),
    /// Results, whose types depend on the call.
    Returned(&'a [u8]),
    HostCall {
        function: u32,
        arguments: Vec<WasmValue>,
    },
    Read {
        memory: u32,
        address: u64,
        bytes: &'a [u8],
    },
    Served,
    Mark(u32),
    State {
        globals: Vec<WasmValue>,
        tables: Vec<u64>,
    },
    End,
    /// A directive by number, [`layout::START`] after the last one.
    Directive(u32),
    /// All memories were shown after a call.
    Check,
}

/// Reads a frame.
///
/// # Errors
/// When no module of ours can have sent it.
pub(super) fn tale<'a>(kind: u32, payload: &'a [u8], types: &Types) -> io::Result<Tale<'a>> {
    let rest = |at: usize| payload.get(at..).unwrap_or_default();
    Ok(match kind {
        layout::BEGIN => Tale::Begin,
        layout::IMAGE => Tale::Image { memory: word(payload, 0)?, pages: long(payload, 4)? },
        layout::BLOCKS => Tale::Blocks(blocks(payload)?),
        layout::IMAGE_END => Tale::ImageEnd,
        layout::INSTANTIATED => Tale::Instantiated,
        layout::CALL => Tale::Call(Some(word(payload, 0)?).filter(|number| *number != layout::START)),
        layout::RECORDS => Tale::Records(payload),
        layout::RETURNED => Tale::Returned(payload),
        layout::HOST_CALL => {
            let function = word(payload, 0)?;
            let types = types.imports.get(function as usize);
            let types = types.ok_or_else(|| wrong(format!("a call of import {function}, which is none")))?;
            Tale::HostCall { function, arguments: values(types, rest(8))? }
        }
        layout::READ => Tale::Read { memory: word(payload, 0)?, address: long(payload, 8)?, bytes: rest(16) },
        layout::SERVED => Tale::Served,
        layout::MARK => Tale::Mark(word(payload, 0)?),
        layout::STATE => {
            let globals = types.globals.len() * layout::VALUE as usize;
            let tables = rest(globals).as_chunks::<16>().0;
            Tale::State {
                globals: values(&types.globals, payload.get(..globals).unwrap_or_default())?,
                tables: tables.iter().map(|bytes| long(bytes, 0)).collect::<io::Result<_>>()?,
            }
        }
        layout::END => Tale::End,
        layout::DIRECTIVE => Tale::Directive(word(payload, 0)?),
        layout::CHECK => Tale::Check,
        kind => return Err(wrong(format!("a frame of kind {kind}, which no module sends"))),
    })
}

/// Pieces of memory: address, length, bytes.
fn blocks(payload: &[u8]) -> io::Result<Vec<(u64, &[u8])>> {
    let mut blocks = Vec::new();
    let mut at = 0;
    while at < payload.len() {
        let (address, length) = (long(payload, at)?, word(payload, at + 8)? as usize);
        let start = at + 12;
        let end = start.saturating_add(length);
        let bytes = payload.get(start..end).ok_or_else(|| wrong("a block of memory that is cut"))?;
        blocks.push((address, bytes));
        at = end;
    }
    Ok(blocks)
}

/// Values of these types.
///
/// # Errors
/// When there are more or fewer.
pub(super) fn values(types: &[ValType], payload: &[u8]) -> io::Result<Vec<WasmValue>> {
    let (found, rest) = payload.as_chunks::<16>();
    if found.len() != types.len() || !rest.is_empty() {
        return Err(wrong(format!("{} bytes of values where {} values were expected", payload.len(), types.len())));
    }
    Ok(types.iter().zip(found).map(|(ty, bytes)| value(*ty, *bytes)).collect())
}

fn word(payload: &[u8], at: usize) -> io::Result<u32> {
    let word = payload.get(at..).and_then(|rest| rest.first_chunk());
    word.map(|word| u32::from_le_bytes(*word)).ok_or_else(|| wrong("a frame that is too short"))
}

fn long(payload: &[u8], at: usize) -> io::Result<u64> {
    let word = payload.get(at..).and_then(|rest| rest.first_chunk());
    word.map(|word| u64::from_le_bytes(*word)).ok_or_else(|| wrong("a frame that is too short"))
}
