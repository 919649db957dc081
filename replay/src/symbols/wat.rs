//! Text of one function or one instruction, in time linear in that function.

use super::ModuleSymbols;
use super::synthetic::Parts;
use forkpoint_traces::printable;
use forkpoint_traces::{CodeOffset, FuncIndex};
use serde::Serialize;
use std::collections::{BTreeSet, HashSet};
use std::io;
use wasmparser::{BinaryReader, FunctionBody, Operator, OperatorsReader};
use wasmprinter::{Config, Print};

/// Text of one function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WatFunction {
    /// Its lines: first the head, last the closing parenthesis.
    pub lines: Vec<WatLine>,
}

/// One line of a function's text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WatLine {
    /// Offset of the line's instruction in the original module, `None` for the head and the locals.
    pub offset: Option<CodeOffset>,
    /// The line, indented by nesting, safe to print.
    pub text: String,
}

/// A longer function is cut there, with a note.
const MAX_LINES: usize = 200_000;
/// A longer line (a large `br_table`, a head with very many parameters) is cut there.
const MAX_LINE: usize = 2_000;
/// Most text that is printed for one function, cut lines included.
const MAX_TEXT: usize = 64 << 20;
/// In deeper nesting labels are shown by number: the printer compares a name with those of all labels around it.
const MAX_NAMED_DEPTH: usize = 200;

impl ModuleSymbols {
    /// Text of the one instruction at `offset`, as the text format has it: `i32.store offset=8 align=2`.
    ///
    /// `offset` must be that of an instruction's first byte, which only a walk from the start of the function
    /// could check: for another offset the text is that of whatever the bytes there would mean.
    pub fn instruction(&self, offset: CodeOffset) -> Option<String> {
        instruction(self, offset)
    }

    /// Text of one function, with the file offset of each line's instruction.
    pub fn wat(&self, func: FuncIndex) -> Option<WatFunction> {
        function(self, func)
    }
}

/// Text of the function `func`, `None` if it has no body.
fn function(symbols: &ModuleSymbols, func: FuncIndex) -> Option<WatFunction> {
    let module = symbols.module();
    let range = symbols.layout.body(func.0)?;
    let body = &module[range.start as usize..range.end as usize];
    let ty = symbols.layout.type_of(module, func.0);
    let names = symbols.names();
    let used = Used::scan(body);
    let mut parts = Parts {
        types: ty.and(symbols.layout.types(module)),
        ty: ty.unwrap_or(0),
        body,
        locals: names.locals(module, func.0),
        labels: if used.depth > MAX_NAMED_DEPTH { Vec::new() } else { names.labels(module, func.0) },
        small: names.small_kinds(module),
        ..Parts::default()
    };
    let head = head(symbols, func, &parts);
    used.name(symbols, &mut parts);

    let mut lines = print_body(&parts, false);
    if lines.is_empty() && parts.types.take().is_some() {
        lines = print_body(&parts, false);
    }
    let text = |(offset, text): (usize, String)| WatLine {
        offset: (offset >= used.code).then(|| CodeOffset(range.start + offset as u32)),
        text: printable(text.strip_prefix("  ").unwrap_or(&text)),
    };
    let mut lines: Vec<WatLine> = lines.into_iter().map(text).collect();
    if lines.is_empty() {
        lines.push(WatLine { offset: None, text: String::new() });
    }
    lines[0].text = head;
    Some(WatFunction { lines })
}

/// Text of the instruction at `offset`.
fn instruction(symbols: &ModuleSymbols, offset: CodeOffset) -> Option<String> {
    let defined = symbols.layout.body_at(offset.0)?;
    let end = symbols.layout.bodies[defined].end as usize;
    let code = &symbols.module()[offset.0 as usize..end];
    match code.first()? {
        0x05 => return Some("else".into()),
        0x0b => return Some("end".into()),
        _ => {}
    }
    let mut reader = OperatorsReader::new(BinaryReader::new(code, 0));
    let operator = reader.read().ok()?;
    let mut used = Used::default();
    used.add(&operator);
    let mut body = vec![0]; // no locals
    body.extend_from_slice(&code[..reader.original_position()]);
    if opens_block(&operator) {
        body.push(0x0b);
    }
    body.push(0x0b);
    let func = FuncIndex(symbols.imported_functions() + defined as u32);
    let module = symbols.module();
    let mut parts = Parts {
        body: &body,
        locals: match operator {
            Operator::LocalGet { .. } | Operator::LocalSet { .. } | Operator::LocalTee { .. } => {
                symbols.names().locals(module, func.0)
            }
            _ => Vec::new(),
        },
        small: symbols.names().small_kinds(module),
        ..Parts::default()
    };
    used.name(symbols, &mut parts);
    let (_, text) = print_body(&parts, false).into_iter().find(|(offset, _)| *offset == 1)?;
    // The printer comments on labels, which it cannot know here.
    let text = text.trim().trim_end_matches(" ;; label = @1").replace(" (; INVALID ;)", "");
    Some(printable(&text))
}

/// First line of a function: `(func $name (;12;) (type 3) (param i32)`.
fn head(symbols: &ModuleSymbols, func: FuncIndex, parts: &Parts<'_>) -> String {
    // Printed without the names of functions, since the function is number 0 of the synthetic module and
    // would get the name of the module's own number 0.
    let printed = print_body(parts, true).into_iter().next();
    let signature = printed.as_ref().and_then(|(_, line)| line.trim().strip_prefix("(func (;0;)"));
    let signature = signature.map(|rest| rest.strip_suffix(" ...)").unwrap_or(rest)).unwrap_or("");
    let name = match symbols.known_name(func) {
        Some(name) if name.bytes().all(is_identifier) => format!("${name} "),
        Some(name) => format!("${:?} ", name),
        None => String::new(),
    };
    printable(&format!("(func {name}(;{};){signature}", func.0))
}

fn is_identifier(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\"(),;[]{}".contains(&byte)
}

fn opens_block(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::Block { .. }
            | Operator::Loop { .. }
            | Operator::If { .. }
            | Operator::TryTable { .. }
            | Operator::Try { .. }
    )
}

/// What a body refers to by index, and its shape.
#[derive(Default)]
struct Used {
    functions: BTreeSet<u32>,
    globals: BTreeSet<u32>,
    /// Deepest nesting of blocks.
    depth: usize,
    /// Offset in the body of its first instruction.
    code: usize,
}

impl Used {
    fn scan(body: &[u8]) -> Used {
        let mut used = Used::default();
        let function = FunctionBody::new(BinaryReader::new(body, 0));
        let Ok(code) = function.get_binary_reader_for_operators() else {
            return used;
        };
        used.code = code.original_position();
        let mut reader = OperatorsReader::new(code);
        let mut depth: usize = 0;
        while let Ok(operator) = reader.read() {
            used.add(&operator);
            if opens_block(&operator) {
                depth += 1;
                used.depth = used.depth.max(depth);
            } else if matches!(operator, Operator::End | Operator::Delegate { .. }) {
                depth = depth.saturating_sub(1);
            }
        }
        used
    }

    fn add(&mut self, operator: &Operator<'_>) {
        match operator {
            Operator::Call { function_index }
            | Operator::ReturnCall { function_index }
            | Operator::RefFunc { function_index } => {
                self.functions.insert(*function_index);
            }
            Operator::GlobalGet { global_index } | Operator::GlobalSet { global_index } => {
                self.globals.insert(*global_index);
            }
            _ => {}
        }
    }

    /// Looks the names up. Functions keep the ones that [`ModuleSymbols::function_name`] shows, made unique.
    fn name<'a>(&self, symbols: &'a ModuleSymbols, parts: &mut Parts<'a>) {
        let mut taken = HashSet::new();
        for &func in &self.functions {
            if let Some(mut name) = symbols.known_name(FuncIndex(func)) {
                if !taken.insert(name.clone()) {
                    name.push_str(&format!("#{func}"));
                }
                parts.functions.push((func, name));
            }
        }
        let globals = self.globals.iter();
        parts.globals =
            globals.filter_map(|&index| Some((index, symbols.names().global(symbols.module(), index)?))).collect();
    }
}

/// The lines printed for the function of the synthetic module, each with its offset from the start of the body.
/// What was printed before an error counts: bodies may be broken.
fn print_body(parts: &Parts<'_>, head_only: bool) -> Vec<(usize, String)> {
    let (module, start) = parts.build();
    let mut lines = Lines { body: start..start + parts.body.len(), inside: false, lines: Vec::new(), printed: 0 };
    let mut config = Config::new();
    config.print_skeleton(head_only);
    // An error ends the text early, and its reason is that the body is broken or the text too long.
    let ended = config.print(&module, &mut lines);
    let mut lines = lines.lines;
    if let (Err(error), Some((offset, _))) = (ended, lines.last())
        && !head_only
    {
        let reason = if lines.len() >= MAX_LINES { "the function is longer".to_owned() } else { error.to_string() };
        let note = format!("    ;; the text ends here: {}", reason.lines().next().unwrap_or_default());
        lines.push((*offset, note));
    }
    lines
}

/// Collects the lines of the body alone, within limits.
struct Lines {
    body: std::ops::Range<usize>,
    inside: bool,
    lines: Vec<(usize, String)>,
    printed: usize,
}

impl Print for Lines {
    fn write_str(&mut self, text: &str) -> io::Result<()> {
        self.printed += text.len();
        if self.printed > MAX_TEXT {
            return Err(io::Error::other("the function is longer"));
        }
        if self.inside
            && let Some((_, line)) = self.lines.last_mut()
        {
            if line.len() + text.len() <= MAX_LINE {
                line.push_str(text);
            } else if !line.ends_with('…') {
                line.push('…');
            }
        }
        Ok(())
    }

    fn newline(&mut self) -> io::Result<()> {
        if self.lines.len() >= MAX_LINES {
            return Err(io::Error::other("the function is longer"));
        }
        Ok(())
    }

    fn start_line(&mut self, offset: Option<usize>) {
        if let Some(offset) = offset {
            self.inside = self.body.contains(&offset);
        }
        if self.inside {
            let at = offset.unwrap_or(self.body.start) - self.body.start;
            self.lines.push((at, String::new()));
        }
    }

    fn print_custom_section(&mut self, _name: &str, _offset: usize, _data: &[u8]) -> io::Result<bool> {
        Ok(true)
    }
}
