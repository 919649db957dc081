//! Rows of the table, column by column: docs/export.md says what each column is.

use anyhow::Result;
use forkpoint_replay::{Symbols, describe, place_of, printable};
use forkpoint_traces::{CodeOffset, Event, FuncIndex, Hex, Position, RawEvent, SiteId, SiteTable};
use std::collections::HashMap;
use std::sync::Arc;

/// Most bytes of a write that the table has.
const MOST_BYTES: usize = 256;

/// Some rows. All columns have the same length.
pub struct Rows {
    sites: Arc<SiteTable>,
    symbols: Symbols,
    names: HashMap<FuncIndex, Arc<str>>,
    /// By site number.
    instructions: HashMap<SiteId, Arc<str>>,
    kinds: HashMap<&'static str, Arc<str>>,
    pub position: Vec<u64>,
    pub kind: Vec<Arc<str>>,
    pub function: Vec<Option<u32>>,
    pub name: Vec<Option<Arc<str>>>,
    pub offset: Vec<Option<u32>>,
    pub instruction: Vec<Option<Arc<str>>>,
    pub memory: Vec<Option<u32>>,
    pub address: Vec<Option<u64>>,
    pub length: Vec<Option<u64>>,
    /// Values of at most 8 bytes.
    pub value: Vec<Option<u64>>,
    /// Longer ones, in hexadecimal.
    pub bytes: Vec<Option<Arc<str>>>,
    /// What is none of an instruction, in words.
    pub text: Vec<Option<Arc<str>>>,
}

impl Rows {
    /// No rows yet, of a trace with these sites.
    pub fn new(symbols: Symbols, sites: Arc<SiteTable>) -> Rows {
        Rows {
            sites,
            symbols,
            names: HashMap::new(),
            instructions: HashMap::new(),
            kinds: HashMap::new(),
            position: Vec::new(),
            kind: Vec::new(),
            function: Vec::new(),
            name: Vec::new(),
            offset: Vec::new(),
            instruction: Vec::new(),
            memory: Vec::new(),
            address: Vec::new(),
            length: Vec::new(),
            value: Vec::new(),
            bytes: Vec::new(),
            text: Vec::new(),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.position.len()
    }

    /// Forgets them.
    pub fn clear(&mut self) {
        self.position.clear();
        self.kind.clear();
        self.function.clear();
        self.name.clear();
        self.offset.clear();
        self.instruction.clear();
        self.memory.clear();
        self.address.clear();
        self.length.clear();
        self.value.clear();
        self.bytes.clear();
        self.text.clear();
    }

    /// Adds an event.
    pub fn push(&mut self, position: Position, raw: &RawEvent) -> Result<()> {
        let event = Event::read(raw, &self.sites)?;
        let place = place_of(&event, &self.sites);
        let written = event.written();
        let bytes = event.bytes();
        let is_short = bytes.is_some_and(|bytes| bytes.len() <= 8);
        let value = bytes.filter(|_| is_short).map(|bytes| {
            let mut word = [0; 8];
            word[..bytes.len()].copy_from_slice(bytes);
            u64::from_le_bytes(word)
        });
        let long = bytes.filter(|_| !is_short).map(|bytes| &bytes[..bytes.len().min(MOST_BYTES)]);
        self.position.push(position.0);
        let kind = event.kind();
        self.kind.push(Arc::clone(self.kinds.entry(kind).or_insert_with(|| kind.into())));
        let (symbols, names) = (&self.symbols, &mut self.names);
        self.function.push(place.map(|(func, _)| func.0));
        self.name.push(place.map(|(func, _)| {
            Arc::clone(names.entry(func).or_insert_with(|| printable(&symbols.function_name(func)).into()))
        }));
        self.offset.push(place.map(|(_, CodeOffset(offset))| offset));
        let instructions = &mut self.instructions;
        self.instruction.push(
            event
                .op(&self.sites)
                .map(|op| Arc::clone(instructions.entry(raw.site).or_insert_with(|| op.mnemonic().into()))),
        );
        self.memory.push(written.map(|(memory, ..)| memory.0));
        self.address.push(written.map(|(_, address, _)| address));
        self.length.push(written.map(|(.., length)| length));
        self.value.push(value);
        self.bytes.push(long.map(|bytes| Hex(bytes).to_string().into()));
        // What a store does is in the other columns.
        let is_store = matches!(event, Event::Store { .. });
        self.text.push((!is_store).then(|| describe(&event, &self.sites, symbols).into()));
        Ok(())
    }
}
