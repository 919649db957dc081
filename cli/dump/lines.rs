//! An event as a line, for people or as JSON.

use super::stores::StoreLine;
use crate::output::Lines;
use anyhow::Result;
use forkpoint_compare::json_line;
use forkpoint_replay::{Item, Symbols, TypedValue, Variable, describe, place_of, printable};
use forkpoint_traces::{CodeOffset, Event, FuncIndex, Hex, MemoryIndex, Position, RawEvent, SiteId, SiteTable};
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;

/// Which events are printed.
pub struct Wanted {
    /// Those in these functions.
    pub functions: Option<HashSet<FuncIndex>>,
    /// Those of these kinds, if there are any.
    pub kinds: Vec<String>,
    /// Those that wrote to these addresses, from the first to before the second.
    pub addresses: Option<(u64, u64)>,
}

impl Wanted {
    fn event(&self, event: &Event, sites: &SiteTable) -> bool {
        let function = place_of(event, sites).map(|(function, _)| function);
        self.place_and_kind(function, event.kind())
            && (self.addresses.is_none() || event.written().is_some_and(|(_, at, length)| self.bytes(at, length)))
    }

    /// Whether events of this kind in this function are.
    pub fn place_and_kind(&self, function: Option<FuncIndex>, kind: &str) -> bool {
        self.functions.as_ref().is_none_or(|wanted| function.is_some_and(|function| wanted.contains(&function)))
            && (self.kinds.is_empty() || self.kinds.iter().any(|wanted| wanted == kind))
    }

    /// Whether events that wrote these bytes are.
    pub fn bytes(&self, address: u64, length: u64) -> bool {
        self.addresses.is_none_or(|(start, end)| address < end && address.saturating_add(length) > start)
    }
}

/// Prints events.
pub struct EventLines {
    sites: Arc<SiteTable>,
    places: Places,
    json: bool,
    wanted: Wanted,
    /// By site number.
    stores: Vec<Known>,
    line: Vec<u8>,
}

/// What is known of the events of a site.
#[derive(Clone)]
enum Known {
    /// Nothing yet.
    Nothing,
    /// Each has to be looked at.
    Various,
    /// They are stores that no one wants to see.
    Unwanted,
    Stores(Box<StoreLine>),
}

impl EventLines {
    /// For the events of a trace with these sites.
    pub fn new(symbols: Symbols, sites: Arc<SiteTable>, json: bool, wanted: Wanted) -> EventLines {
        let places = Places::new(symbols);
        let stores = vec![Known::Nothing; SiteId::FIRST.0 as usize + sites.len()];
        EventLines { sites, places, json, wanted, stores, line: Vec::new() }
    }

    /// Prints an event, if it is wanted.
    pub fn event(&mut self, position: Position, raw: &RawEvent, out: &mut Lines) -> Result<()> {
        self.know(raw.site);
        match self.stores.get(raw.site.0 as usize) {
            Some(Known::Unwanted) => Ok(()),
            Some(Known::Stores(store)) => {
                let [address, value, _] = raw.operands;
                if self.wanted.bytes(address, store.width()) {
                    self.line.clear();
                    let variable = self.places.variable(Some(store.site()), store.memory(), address, store.width());
                    store.write(position, [address, value], variable.as_ref(), self.json, &mut self.line);
                    out.own_lines(&self.line)?;
                }
                Ok(())
            }
            _ => {
                let event = Event::read(raw, &self.sites)?;
                if self.wanted.event(&event, &self.sites) {
                    out.line(&self.text(position, &event)?)?;
                }
                Ok(())
            }
        }
    }

    /// The stores of a site, if they are put together in their own way.
    #[cfg(test)]
    pub fn stores(&mut self, site: SiteId) -> Option<&StoreLine> {
        self.know(site);
        match &self.stores[site.0 as usize] {
            Known::Stores(store) => Some(store),
            _ => None,
        }
    }

    fn know(&mut self, site: SiteId) {
        let number = site.0 as usize;
        if let Some(Known::Nothing) = self.stores.get(number) {
            self.stores[number] = self.look_up(site);
        }
    }

    fn look_up(&mut self, site: SiteId) -> Known {
        let Some(site) = self.sites.get(site) else { return Known::Various };
        let Some(store) = StoreLine::new(site, &mut self.places, self.json) else { return Known::Various };
        if self.wanted.place_and_kind(Some(site.func), StoreLine::KIND) {
            Known::Stores(Box::new(store))
        } else {
            Known::Unwanted
        }
    }

    /// The line of any event.
    pub fn text(&mut self, position: Position, event: &Event) -> io::Result<String> {
        if !self.json {
            let place = place_of(event, &self.sites).map(|place| self.places.text(place)).unwrap_or_default();
            let text = describe(event, &self.sites, &self.places.symbols);
            let site = event.site().and_then(|site| self.sites.get(site)).map(|site| site.offset);
            let variable = event.written().and_then(|(memory, address, length)| {
                self.places.variable(site, memory, address, length).map(|variable| format!("  {variable}"))
            });
            return Ok(format!("{:>10}  {text}{}{place}", position.to_string(), variable.unwrap_or_default()));
        }
        let place = place_of(event, &self.sites).map(|place| self.places.json(place)).unwrap_or_default();
        let written = event.written();
        let site = event.site().and_then(|site| self.sites.get(site)).map(|site| site.offset);
        let variable =
            written.and_then(|(memory, address, length)| self.places.variable(site, memory, address, length));
        // As an I/O error, by which a closed output is recognised.
        let line = json_line(&Line {
            position,
            kind: event.kind(),
            event: describe(event, &self.sites, &self.places.symbols),
            memory: WrittenMemory::new(written.map(|(memory, ..)| memory), &self.places.symbols),
            address: written.map(|(_, address, _)| address),
            width: written.map(|(.., length)| length),
            bytes: event.bytes().map(Hex),
            value: TypedValue::of(event, &self.sites, &self.places.symbols),
            variable,
            place,
        });
        Ok(line?)
    }
}

/// A line of `--json`.
#[derive(Serialize)]
struct Line<'a> {
    position: Position,
    kind: &'static str,
    event: String,
    #[serde(flatten)]
    memory: WrittenMemory,
    address: Option<u64>,
    width: Option<u64>,
    bytes: Option<Hex<&'a [u8]>>,
    /// The stored bytes as a value, typed by the instruction that stores them.
    value: Option<TypedValue>,
    /// The variable that it writes, or part of: only with debug information.
    #[serde(skip_serializing_if = "Option::is_none")]
    variable: Option<Variable>,
    #[serde(flatten)]
    place: JsonPlace,
}

/// The memory that an event wrote.
#[derive(Serialize)]
pub struct WrittenMemory {
    memory: Option<MemoryIndex>,
    memory_name: Option<String>,
}

impl WrittenMemory {
    /// With its name, if it has one.
    pub fn new(memory: Option<MemoryIndex>, symbols: &Symbols) -> WrittenMemory {
        let memory_name = memory.and_then(|memory| symbols.item_name(Item::Memory, memory.0));
        WrittenMemory { memory, memory_name }
    }
}

/// A place in the module, in JSON.
#[derive(Serialize, Default)]
pub struct JsonPlace {
    /// The instance, in a program of several modules.
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
    function: Option<FuncIndex>,
    /// The function's name.
    name: Option<String>,
    offset: Option<CodeOffset>,
    /// The instruction in the text format.
    instruction: Option<String>,
    file: Option<String>,
    line: Option<u32>,
}

/// Results of earlier look-ups: one look-up per place, not one per event.
pub struct Places {
    pub symbols: Symbols,
    functions: HashMap<FuncIndex, String>,
    instructions: HashMap<CodeOffset, Instruction>,
    /// By memory, address and length. Empty without debug information.
    variables: HashMap<(MemoryIndex, u64, u64), Option<Variable>>,
    has_variables: bool,
}

/// Most variables that are kept: programs write to some over and over.
const MAX_KEPT: usize = 1 << 16;

/// An instruction in the text format, and the file and line it comes from.
#[derive(Clone)]
struct Instruction {
    text: String,
    source: Option<(String, Option<u32>)>,
}

impl Places {
    fn new(symbols: Symbols) -> Places {
        let has_variables = symbols.has_debug_info();
        Places {
            symbols,
            functions: HashMap::new(),
            instructions: HashMap::new(),
            variables: HashMap::new(),
            has_variables,
        }
    }

    /// The variable that these bytes belong to, which the instruction at `site` writes.
    pub fn variable(
        &mut self,
        site: Option<CodeOffset>,
        memory: MemoryIndex,
        address: u64,
        length: u64,
    ) -> Option<Variable> {
        if !self.has_variables {
            return None;
        }
        if self.variables.len() >= MAX_KEPT {
            self.variables.clear();
        }
        let symbols = &self.symbols;
        let bytes = address..address.saturating_add(length);
        let known = self.variables.entry((memory, address, length));
        let fixed = known.or_insert_with(|| symbols.variable(memory, &bytes));
        match (fixed, site) {
            (Some(variable), _) => Some(variable.clone()),
            (None, Some(site)) => symbols.written(site, memory, &bytes),
            (None, None) => None,
        }
    }

    /// What follows the event in a line for people: its place, and the source line if the module has one.
    pub fn text(&mut self, (function, offset): (FuncIndex, CodeOffset)) -> String {
        let own = self.symbols.own_offset(offset);
        let mut text = format!("  in {} at {own}", self.function(function));
        if let Some((file, number)) = &self.instruction(offset).source {
            text.push_str(&format!("  {}", printable(file)));
            text.extend(number.map(|number| format!(":{number}")));
        }
        text
    }

    pub fn json(&mut self, (function, offset): (FuncIndex, CodeOffset)) -> JsonPlace {
        let name = self.function(function).to_string();
        let Instruction { text, source } = self.instruction(offset).clone();
        let (file, line) = source.map_or((None, None), |(file, line)| (Some(file), line));
        JsonPlace {
            instance: self.symbols.instance(function),
            function: Some(self.symbols.own_index(function)),
            name: Some(name),
            offset: Some(self.symbols.own_offset(offset)),
            instruction: Some(text),
            file,
            line,
        }
    }

    fn function(&mut self, function: FuncIndex) -> &str {
        self.functions.entry(function).or_insert_with(|| self.symbols.function_name(function))
    }

    fn instruction(&mut self, offset: CodeOffset) -> &Instruction {
        self.instructions.entry(offset).or_insert_with(|| {
            let frame = self.symbols.source(offset).into_iter().next();
            Instruction {
                text: self.symbols.instruction(offset).unwrap_or_default(),
                source: frame.and_then(|frame| Some((frame.file?, frame.line))),
            }
        })
    }
}
