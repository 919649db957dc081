//! Breakpoints: where a run over the rows stops.

use crate::memory::{Byte, number};
use crate::place::Place;
use crate::sources;
use forkpoint_replay::{Side, SourceFiles, Symbols};
use forkpoint_traces::{CodeOffset, FuncIndex, MemoryIndex, SiteId, SiteTable};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Most breakpoints of one request.
const MOST: usize = 10_000;

/// Bytes that are watched, in both runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Watch {
    pub(crate) memory: MemoryIndex,
    pub(crate) bytes: Range<u64>,
}

/// All of them.
#[derive(Default)]
pub(crate) struct Breakpoints {
    functions: HashSet<FuncIndex>,
    instructions: HashSet<CodeOffset>,
    /// By the source that they are in.
    lines: HashMap<String, HashSet<CodeOffset>>,
    pub(crate) watches: Vec<Watch>,
    /// Whether to stop where the runs differ, and where they trap.
    pub(crate) divergences: bool,
    pub(crate) traps: bool,
    /// Which instructions a source line has, once somebody asked.
    by_line: Option<HashMap<(PathBuf, u64), HashSet<CodeOffset>>>,
}

fn list<'a>(arguments: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    arguments[name].as_array().map_or(&[][..], Vec::as_slice).iter().take(MOST)
}

fn verified(found: bool, why_not: &str) -> Value {
    if found { json!({ "verified": true }) } else { json!({ "verified": false, "message": why_not }) }
}

impl Breakpoints {
    /// The sites that they name.
    pub(crate) fn sites(&self, table: &SiteTable) -> HashSet<SiteId> {
        let named = |offset: &CodeOffset| {
            self.instructions.contains(offset) || self.lines.values().any(|lines| lines.contains(offset))
        };
        if self.functions.is_empty() && self.instructions.is_empty() && self.lines.is_empty() {
            return HashSet::new();
        }
        let sites = table.iter().filter(|(_, site)| self.functions.contains(&site.func) || named(&site.offset));
        sites.map(|(number, _)| number).collect()
    }

    /// Takes the names of functions.
    pub(crate) fn set_functions(&mut self, symbols: &Symbols, arguments: &Value) -> Value {
        self.functions.clear();
        let answers = list(arguments, "breakpoints").map(|asked| {
            let name = asked["name"].as_str().unwrap_or_default();
            let by_name = (0..symbols.functions()).map(FuncIndex).find(|func| symbols.function_name(*func) == name);
            self.functions.extend(by_name);
            verified(
                by_name.is_some(),
                "the module has no function of this name: `func[12]` is the one with index 12",
            )
        });
        json!({ "breakpoints": answers.collect::<Vec<_>>() })
    }

    /// Takes offsets of instructions.
    pub(crate) fn set_instructions(&mut self, table: &SiteTable, arguments: &Value) -> Value {
        self.instructions.clear();
        let answers = list(arguments, "breakpoints").map(|asked| {
            let reference = asked["instructionReference"].as_str().and_then(number);
            let at = reference.and_then(|at| at.checked_add_signed(asked["offset"].as_i64().unwrap_or(0)));
            let at = at.and_then(|at| u32::try_from(at).ok()).map(CodeOffset);
            let found = at.filter(|at| table.iter().any(|(_, site)| site.offset == *at));
            self.instructions.extend(found);
            verified(found.is_some(), "no instruction that changes memory is there, and others leave no events")
        });
        json!({ "breakpoints": answers.collect::<Vec<_>>() })
    }

    /// Takes lines of a source: of a function's text, or of a file.
    pub(crate) fn set_lines(&mut self, place: &mut Place, arguments: &Value) -> Value {
        let files = Arc::clone(&place.files);
        let timeline = place.timeline(Side::Lhs);
        let (symbols, table) = (timeline.symbols().clone(), timeline.trace().sites().clone());
        let source = &arguments["source"];
        let function = source["sourceReference"].as_u64().filter(|number| *number > 0);
        let function = function.and_then(sources::function_of);
        let path = source["path"].as_str().and_then(|path| Path::new(path).canonicalize().ok());
        let wat = function.and_then(|func| symbols.wat(func));
        let mut found = HashSet::new();
        let mut answers = Vec::new();
        for asked in list(arguments, "breakpoints") {
            let line = asked["line"].as_u64().unwrap_or(0);
            let at: HashSet<CodeOffset> = match (&wat, &path) {
                (Some(wat), _) => {
                    let line = usize::try_from(line).ok().and_then(|line| wat.lines.get(line.checked_sub(1)?));
                    line.and_then(|line| line.offset).into_iter().collect()
                }
                (None, Some(path)) => {
                    let lines = self.by_line.get_or_insert_with(|| by_line(&symbols, &table, &files));
                    lines.get(&(path.clone(), line)).cloned().unwrap_or_default()
                }
                (None, None) => HashSet::new(),
            };
            let changes = table.iter().any(|(_, site)| at.contains(&site.offset));
            let mut answer =
                verified(changes, "nothing on this line changes memory, and other instructions leave no events");
            answer["line"] = line.into();
            answers.push(answer);
            found.extend(at);
        }
        let key = source["path"].as_str().map_or_else(|| source["sourceReference"].to_string(), str::to_string);
        self.lines.insert(key, found);
        json!({ "breakpoints": answers })
    }

    /// Takes bytes to watch, by the names that [`data_id`] gives.
    pub(crate) fn set_watches(&mut self, arguments: &Value) -> Value {
        self.watches.clear();
        let answers = list(arguments, "breakpoints").map(|asked| {
            let watch = asked["dataId"].as_str().and_then(watch);
            let found = watch.is_some();
            self.watches.extend(watch);
            verified(found, "no bytes have this name")
        });
        json!({ "breakpoints": answers.collect::<Vec<_>>() })
    }

    /// Takes the filters of what counts as an exception.
    pub(crate) fn set_filters(&mut self, arguments: &Value) -> Value {
        let is_set = |name: &str| list(arguments, "filters").any(|filter| filter == name);
        (self.divergences, self.traps) = (is_set("divergence"), is_set("trap"));
        json!({})
    }
}

/// The name of bytes to watch.
pub(crate) fn data_id(byte: Byte, length: u64) -> String {
    format!("{byte}:{length}")
}

fn watch(data_id: &str) -> Option<Watch> {
    let (byte, length) = data_id.rsplit_once(':')?;
    let (byte, length) = (Byte::parse(byte)?, number(length).filter(|length| *length > 0)?);
    Some(Watch { memory: byte.memory, bytes: byte.address..byte.address.checked_add(length)? })
}

/// The instructions of each line of the files that may be named.
fn by_line(
    symbols: &Symbols,
    table: &SiteTable,
    files: &SourceFiles,
) -> HashMap<(PathBuf, u64), HashSet<CodeOffset>> {
    let mut paths: HashMap<String, Option<PathBuf>> = HashMap::new();
    let mut lines: HashMap<(PathBuf, u64), HashSet<CodeOffset>> = HashMap::new();
    for (_, site) in table.iter() {
        for frame in symbols.source(site.offset) {
            let (Some(file), Some(line)) = (frame.file, frame.line) else { continue };
            let path = paths.entry(file).or_insert_with_key(|file| files.locate(file).ok());
            if let Some(path) = path {
                lines.entry((path.clone(), line.into())).or_default().insert(site.offset);
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_watched_bytes_are_read_as_they_are_written() {
        let byte = Byte { side: Side::Lhs, memory: MemoryIndex(1), address: 0x20 };
        let expected = Watch { memory: MemoryIndex(1), bytes: 0x20..0x24 };
        assert_eq!(watch(&data_id(byte, 4)), Some(expected));
        for wrong in ["", "4", "lhs:0:0x20", "lhs:0:0x20:0", "lhs:0:0xffffffffffffffff:2"] {
            assert_eq!(watch(wrong), None, "{wrong}");
        }
    }
}
