//! Disassembly: the module's own instructions, which both runs have, by their offsets.

use crate::memory::number;
use forkpoint_replay::Symbols;
use forkpoint_traces::CodeOffset;
use serde_json::{Value, json};

/// Most instructions of one answer.
const MOST: i64 = 10_000;

/// Answers `disassemble`: as many instructions as are asked for, from `instructionOffset` instructions after the reference on.
pub(crate) fn disassemble(symbols: &Symbols, arguments: &Value) -> Result<Value, String> {
    let reference = arguments["memoryReference"].as_str().unwrap_or_default();
    let asked = number(reference).and_then(|at| at.checked_add_signed(arguments["offset"].as_i64().unwrap_or(0)));
    let asked = asked.and_then(|at| u32::try_from(at).ok()).map(CodeOffset);
    let asked = asked.ok_or_else(|| format!("`{}` is no offset of the module", reference.escape_debug()))?;
    let count = arguments["instructionCount"].as_i64().unwrap_or(0).clamp(0, MOST);
    let first = arguments["instructionOffset"].as_i64().unwrap_or(0).clamp(-MOST, MOST);
    let func = symbols.function_at(asked);
    let wat = func.and_then(|func| symbols.wat(func));
    let lines = wat.map_or(Vec::new(), |wat| wat.lines);
    let lines: Vec<_> = lines.iter().filter_map(|line| Some((line.offset?, line.text.trim()))).collect();
    let at = lines.partition_point(|(offset, _)| *offset < asked) as i64;
    let name = func.map(|func| symbols.function_name(func)).unwrap_or_default();
    let instruction = |number: i64| {
        let found = usize::try_from(at + number).ok().and_then(|number| lines.get(number));
        match found {
            Some((offset, text)) => {
                json!({ "address": format!("{:#x}", offset.0), "instruction": text, "symbol": name })
            }
            // The editor wants as many as it asked for, each with an address of its own.
            None => {
                let beyond = if number < 0 { -1 } else { 1 };
                let ends = if beyond < 0 { lines.first() } else { lines.last() };
                let end = ends.map_or(i64::from(asked.0), |(offset, _)| i64::from(offset.0));
                let away = if beyond < 0 { at + number } else { at + number - lines.len() as i64 + 1 };
                let address = end.saturating_add(away).max(0);
                json!({ "address": format!("{address:#x}"), "instruction": "", "presentationHint": "invalid" })
            }
        }
    };
    Ok(json!({ "instructions": (first..first + count).map(instruction).collect::<Vec<_>>() }))
}
