//! The lines of stores, nearly all lines there are: what they have in common at one site is put together once, so each
//! line costs its numbers.

use super::lines::{Places, WrittenMemory};
use crate::output::harmless;
use forkpoint_compare::json_line;
use forkpoint_replay::{StoreText, Variable, decimal};
use forkpoint_traces::{CodeOffset, MemoryIndex, Position, Site};

/// The lines of one site's stores.
#[derive(Clone)]
pub struct StoreLine {
    text: StoreText,
    written: MemoryIndex,
    site: CodeOffset,
    /// For people: what comes between position and address. In JSON: the fields between position and the event's address.
    front: Vec<u8>,
    /// In JSON: the fields between the event's text and the address.
    memory: Vec<u8>,
    /// What comes last, with the line end.
    back: Vec<u8>,
}

impl StoreLine {
    /// The kind of these events.
    pub const KIND: &str = "store";

    /// For a site with stores of numbers; `None` for any other.
    pub fn new(site: &Site, places: &mut Places, json: bool) -> Option<StoreLine> {
        let text = StoreText::new(site, &places.symbols)?;
        let place = (site.func, site.offset);
        if !json {
            let front = harmless(text.front()).as_bytes().to_vec();
            let back = format!("{}\n", harmless(&places.text(place))).into_bytes();
            return Some(StoreLine {
                text,
                written: site.memory,
                site: site.offset,
                front,
                memory: Vec::new(),
                back,
            });
        }
        let event = json_line(&text.front()).ok()?;
        let event = event.strip_suffix('"')?;
        let front = format!(",\"kind\":\"{}\",\"event\":{event}", StoreLine::KIND).into_bytes();
        let memory = fields(&WrittenMemory::new(Some(site.memory), &places.symbols))?;
        let memory = format!("\",{memory},\"address\":").into_bytes();
        let back = format!(",{}}}\n", fields(&places.json(place))?).into_bytes();
        Some(StoreLine { text, written: site.memory, site: site.offset, front, memory, back })
    }

    /// Bytes that each store writes.
    pub fn width(&self) -> u64 {
        self.text.width().into()
    }

    /// Where their instruction is.
    pub fn site(&self) -> CodeOffset {
        self.site
    }

    /// The memory that they write.
    pub fn memory(&self) -> MemoryIndex {
        self.written
    }

    /// Appends the line of a store: its address, its value, and the variable that it writes.
    pub fn write(
        &self,
        position: Position,
        [address, value]: [u64; 2],
        variable: Option<&Variable>,
        json: bool,
        out: &mut Vec<u8>,
    ) {
        if json {
            self.write_json(position, address, value, out);
            out.push(b'}');
            if let Some(variable) = variable.and_then(|variable| json_line(variable).ok()) {
                out.extend_from_slice(b",\"variable\":");
                out.extend_from_slice(variable.as_bytes());
            }
        } else {
            self.write_text(position, address, value, out);
            if let Some(variable) = variable {
                out.extend_from_slice(b"  ");
                out.extend_from_slice(harmless(&variable.to_string()).as_bytes());
            }
        }
        out.extend_from_slice(&self.back);
    }

    fn write_text(&self, position: Position, address: u64, value: u64, out: &mut Vec<u8>) {
        let mut digits = [0; 20];
        let position = decimal(position.0, &mut digits);
        // Right-aligned in ten columns.
        out.extend_from_slice(&b"         "[..9 - position.len().min(9)]);
        out.push(b'#');
        out.extend_from_slice(position);
        out.extend_from_slice(b"  ");
        out.extend_from_slice(&self.front);
        self.text.write(address, self.text.number(value), out);
    }

    fn write_json(&self, position: Position, address: u64, value: u64, out: &mut Vec<u8>) {
        let (mut digits, number) = ([0; 20], self.text.number(value));
        out.extend_from_slice(b"{\"position\":");
        out.extend_from_slice(decimal(position.0, &mut digits));
        out.extend_from_slice(&self.front);
        self.text.write(address, number, out);
        out.extend_from_slice(&self.memory);
        out.extend_from_slice(decimal(address, &mut digits));
        out.extend_from_slice(b",\"width\":");
        out.extend_from_slice(decimal(self.width(), &mut digits));
        out.extend_from_slice(b",\"bytes\":\"");
        self.text.write_hex(number, out);
        out.extend_from_slice(b"\",\"value\":{\"type\":\"");
        out.extend_from_slice(number.ty.name().as_bytes());
        out.extend_from_slice(b"\",\"text\":\"");
        number.write(out);
        out.extend_from_slice(b"\",\"unsigned\":");
        match number.unsigned() {
            Some(unsigned) => {
                out.push(b'"');
                out.extend_from_slice(decimal(unsigned, &mut digits));
                out.push(b'"');
            }
            None => out.extend_from_slice(b"null"),
        }
    }
}

/// The fields of a structure in JSON, without its braces.
fn fields(value: &impl serde::Serialize) -> Option<String> {
    let json = json_line(value).ok()?;
    Some(json.strip_prefix('{')?.strip_suffix('}')?.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::lines::{EventLines, Wanted};
    use forkpoint_replay::Symbols;
    use forkpoint_traces::{
        CodeOffset, Event, FuncIndex, MemoryIndex, MemoryOp, Position, RawEvent, Site, SiteTable,
    };
    use std::sync::Arc;

    const MODULE: &str = r#"(module (memory 1) (memory (export "a \22quoted\22 \e2\80\ae name") 1)
        (func (export "f \1b[2J") (i32.store (i32.const 0) (i32.const 0))))"#;

    /// Every instruction, on a memory without a name and on one with a hostile one.
    fn sites() -> SiteTable {
        let module = wat::parse_str(MODULE).expect("a module");
        let offset = module.windows(2).position(|bytes| bytes == [0x36, 0x02]).expect("the store") as u32;
        let site = |(op, memory): (&MemoryOp, u32)| Site {
            func: FuncIndex(0),
            offset: CodeOffset(offset),
            op: *op,
            memory: MemoryIndex(memory),
            static_offset: 0,
            source: 0,
        };
        SiteTable::new(MemoryOp::ALL.iter().flat_map(|op| [(op, 0), (op, 1)]).map(site).collect())
    }

    #[test]
    fn the_lines_of_stores_are_those_of_any_event() {
        let sites = Arc::new(sites());
        let values =
            [0, 1, 0x7f, 0x80, 0xff80, 0x8000_0000, 0x3f80_0000, 0x7fc0_0001, u64::MAX, 0x4009_21fb_5444_2d18];
        for json in [false, true] {
            let module = wat::parse_str(MODULE).expect("a module");
            let wanted = Wanted { functions: None, kinds: Vec::new(), addresses: None };
            let mut lines = EventLines::new(Symbols::new(module), Arc::clone(&sites), json, wanted);
            let mut seen = 0;
            for (site, values) in sites.iter().map(|(id, _)| (id, values.iter().copied())) {
                for (i, value) in values.enumerate() {
                    let position = Position([0, 9, 123_456_789, 12_345_678_901, u64::MAX][i % 5]);
                    let address = [0, 0x1234_5678, 0x1_0000_0000, u64::MAX][i % 4];
                    let Some(store) = lines.stores(site) else { continue };
                    let bits = value & (u64::MAX >> (64 - 8 * store.width()));
                    let mut line = Vec::new();
                    store.write(position, [address, bits], None, json, &mut line);
                    let event = Event::read(&RawEvent::instruction(site, [address, bits, 0]), &sites);
                    let any = lines.text(position, &event.expect("a store")).expect("a line") + "\n";
                    assert_eq!(String::from_utf8(line).expect("text"), any);
                    seen += 1;
                }
            }
            assert!(seen > 300, "{seen}");
        }
    }
}
