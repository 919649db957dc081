//! Native code kept in a trace, as text.
//!
//! The code is only looked at, never run, and comes from a stranger: bytes that are not an instruction are shown as
//! bytes. Each line names the instruction of the original module that it belongs to and whether the recorder added
//! it, so that a viewer can distinguish a store from the code that observes it.

use capstone::arch::{self, BuildsCapstone, BuildsCapstoneSyntax};
use capstone::{Capstone, Insn};
use forkpoint_traces::{CodeOffset, NativeFunction};
use serde::Serialize;
use std::ops::Range;

/// One machine instruction, or bytes that do not decode to one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NativeLine {
    /// Offset of its first byte in the engine's text section.
    pub address: u64,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its text: `mov dword ptr [rdi + rcx], eax`, or `.byte 0x06`.
    pub text: String,
    /// Instruction of the original module that it belongs to, `None` for prologue, epilogue and the like.
    pub site: Option<CodeOffset>,
    /// Whether the recorder added it.
    pub recorder: bool,
}

/// Why native code could not be shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DisassemblyError {
    /// The code is not for a machine that can be shown.
    #[error(
        "native code for the target `{target}` cannot be disassembled: only code for x86_64 and aarch64 can{}",
        if .target.starts_with("pulley") { " (pulley code is bytecode of Wasmtime's portable interpreter)" } else { "" }
    )]
    UnsupportedTarget {
        /// Target triple of the trace, safe to print.
        target: String,
    },
    /// The disassembler gave up.
    #[error("the disassembler could not be set up for the target `{target}`: {reason}")]
    Disassembler {
        /// Target triple of the trace, safe to print.
        target: String,
        /// The disassembler's error.
        reason: String,
    },
}

/// Where the lines of one site are, in ascending runs of line indices. Compilers move code, so there may be
/// several of each.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct SiteRange {
    /// Lines of the instruction itself.
    pub store: Vec<Range<usize>>,
    /// Lines that the recorder added after it.
    pub recorder: Vec<Range<usize>>,
}

/// More code of one function is not shown (engines allow some 8 MB of wasm per function).
const MAX_CODE: usize = 16 << 20;
/// More lines of one function are not shown.
const MAX_LINES: usize = 1_000_000;

/// The lines of `function`'s code, for the machine that the triple `target` names.
pub fn disassemble(target: &str, function: &NativeFunction) -> Result<Vec<NativeLine>, DisassemblyError> {
    let (disassembler, unit) = disassembler(target)?;
    let code = &function.code[..function.code.len().min(MAX_CODE)];
    let broken = |reason: capstone::Error| DisassemblyError::Disassembler {
        target: crate::symbols::printable(target),
        reason: reason.to_string(),
    };
    let mut instructions = disassembler.disasm_iter(code, function.start).map_err(broken)?;
    let mut points = Points::new(function);
    let mut lines = Vec::new();
    let mut at = 0;
    while at < code.len() && lines.len() < MAX_LINES {
        let (length, text) = match instructions.next() {
            Some(instruction) => (instruction.len().max(1), text_of(&instruction)),
            None => {
                let length = unit.min(code.len() - at);
                instructions.reset(&code[at + length..], function.start.wrapping_add((at + length) as u64));
                (length, byte_text(&code[at..at + length]))
            }
        };
        let end = code.len().min(at + length);
        let (site, recorder) = points.at(at);
        lines.push(NativeLine {
            address: function.start.wrapping_add(at as u64),
            bytes: code[at..end].to_vec(),
            text,
            site,
            recorder,
        });
        at = end;
    }
    if at < function.code.len() {
        lines.push(NativeLine {
            address: function.start.wrapping_add(at as u64),
            bytes: Vec::new(),
            text: format!("; {} more bytes are not shown", function.code.len() - at),
            site: None,
            recorder: false,
        });
    }
    Ok(lines)
}

/// The lines that belong to `site`: the instruction's, and separately those that the recorder added.
pub fn site_range(lines: &[NativeLine], site: CodeOffset) -> SiteRange {
    let mut range = SiteRange::default();
    for (i, line) in lines.iter().enumerate().filter(|(_, line)| line.site == Some(site)) {
        let runs = if line.recorder { &mut range.recorder } else { &mut range.store };
        match runs.last_mut() {
            Some(run) if run.end == i => run.end += 1,
            _ => runs.push(i..i + 1),
        }
    }
    range
}

/// A disassembler, and how many bytes to step over where it finds no instruction.
fn disassembler(target: &str) -> Result<(Capstone, usize), DisassemblyError> {
    let (built, unit) = match target.split('-').next() {
        Some("x86_64") => {
            let builder = Capstone::new().x86().mode(arch::x86::ArchMode::Mode64);
            (builder.syntax(arch::x86::ArchSyntax::Intel).build(), 1)
        }
        Some("aarch64") => (Capstone::new().arm64().mode(arch::arm64::ArchMode::Arm).build(), 4),
        _ => {
            let target = crate::symbols::printable(target);
            return Err(DisassemblyError::UnsupportedTarget { target });
        }
    };
    match built {
        Ok(disassembler) => Ok((disassembler, unit)),
        Err(reason) => Err(DisassemblyError::Disassembler {
            target: crate::symbols::printable(target),
            reason: reason.to_string(),
        }),
    }
}

fn text_of(instruction: &Insn<'_>) -> String {
    let mnemonic = instruction.mnemonic().unwrap_or("?");
    match instruction.op_str() {
        Some(operands) if !operands.is_empty() => format!("{mnemonic} {operands}"),
        _ => mnemonic.to_owned(),
    }
}

fn byte_text(bytes: &[u8]) -> String {
    let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:#04x}")).collect();
    format!(".byte {}", bytes.join(", "))
}

/// Walks a function's points along with its code.
struct Points<'a> {
    rest: std::iter::Peekable<std::slice::Iter<'a, forkpoint_traces::NativePoint>>,
    current: (Option<CodeOffset>, bool),
}

impl<'a> Points<'a> {
    fn new(function: &'a NativeFunction) -> Points<'a> {
        Points { rest: function.points.iter().peekable(), current: (None, false) }
    }

    /// What the code at `offset` belongs to. Offsets must ascend.
    fn at(&mut self, offset: usize) -> (Option<CodeOffset>, bool) {
        while let Some(point) = self.rest.next_if(|point| point.offset as usize <= offset) {
            self.current = (point.site, point.recorder);
        }
        self.current
    }
}
