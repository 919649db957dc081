//! A filter for the events of one trace: what can be said of a site without its events is said once.

use super::facts::{Facts, fold};
use super::{EventFilter, Literal, Node, NumberField, Relation, Test};
use crate::symbols::Symbols;
use forkpoint_traces::{
    Event, FuncIndex, MemoryIndex, Position, RawEvent, Shape, Site, SiteId, SiteTable, TraceError, ValueType,
};
use std::collections::HashMap;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

/// An [`EventFilter`] for the sites and names of one trace.
pub struct BoundFilter {
    root: Node,
    sites: Arc<SiteTable>,
    symbols: Arc<Symbols>,
    /// Whether events of a site match, by its number.
    known: Vec<Known>,
    /// What is left to be asked of events; most sites leave the same.
    left: Vec<Node>,
    words: Vec<Word>,
    /// Whether events that are of no instruction may match.
    others: bool,
    /// Whether values decide.
    values: bool,
    /// Addresses that each match writes one of.
    within: Option<(Option<MemoryIndex>, Range<u64>)>,
}

/// Numbers without a sign, in so many bits of an operand.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Word {
    mask: u64,
    range: RangeInclusive<u64>,
}

/// What a site says of its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// All of them match, or none does.
    All(bool),
    /// That depends on their operands, by the part of the expression with this number. They write so many bytes, or 0 for what is no
    /// store of up to 8.
    Left(u32, u8),
    /// Those match that write a number in the range with this number.
    Word(u32),
}

impl EventFilter {
    /// Decides what can be decided by sites alone.
    pub fn bind(&self, sites: &Arc<SiteTable>, symbols: &Arc<Symbols>) -> BoundFilter {
        // A name is looked up once for each function, not once for each site.
        let mut names: HashMap<FuncIndex, String> = HashMap::new();
        let (mut left, mut words) = (vec![self.root.clone()], Vec::new());
        let mut known = vec![Known::Left(0, 0); SiteId::FIRST.0 as usize];
        for (_, site) in sites.iter() {
            let name = names.entry(site.func).or_insert_with(|| symbols.function_name(site.func));
            known.push(match self.root.rest(&Facts::Site(site, name), symbols) {
                Ok(decided) => Known::All(decided),
                Err(rest) => match (site.op.shape(), word_of(&rest, site)) {
                    (_, Some(word)) if word.range.is_empty() => Known::All(false),
                    (_, Some(word)) => Known::Word(number_of(word, &mut words)),
                    (Shape::Store { width: width @ ..=8, .. }, None) => {
                        Known::Left(number_of(rest, &mut left), width)
                    }
                    _ => Known::Left(number_of(rest, &mut left), 0),
                },
            });
        }
        let others = Event::KINDS.iter().any(|kind| {
            let of_instructions = ["store", "grow", "fill", "copy", "init", "drop"].contains(kind);
            !of_instructions && self.root.test(&Facts::Kind(kind), symbols) != Some(false)
        });
        BoundFilter {
            root: self.root.clone(),
            sites: Arc::clone(sites),
            symbols: Arc::clone(symbols),
            known,
            left,
            words,
            others,
            values: self.root.has(NumberField::Value),
            within: self.root.within(),
        }
    }
}

/// The number of an entry, which is added if it is not there. There are few.
fn number_of<T: PartialEq>(entry: T, entries: &mut Vec<T>) -> u32 {
    let number = entries.iter().position(|other| *other == entry).unwrap_or(entries.len());
    if number == entries.len() {
        entries.push(entry);
    }
    number as u32
}

/// The numbers of which a store at a site writes one if and only if it passes a test; empty if it never does. `None` where that is
/// more than one range, or no store of an integer.
fn word_of(test: &Node, site: &Site) -> Option<Word> {
    let Shape::Store { ty: ValueType::I32 | ValueType::I64, width } = site.op.shape() else { return None };
    let mask = u64::MAX >> (64 - 8 * u32::from(width));
    let whole = i128::from(mask) + 1;
    let Node::Test(test) = test else { return None };
    // As `compare_value` does it.
    let (first, last) = match test {
        Test::In { field: NumberField::Value, range } => (range.start.into(), i128::from(range.end) - 1),
        Test::Number { field: NumberField::Value, relation, number: Literal::Integer(number) } => {
            match (relation, *number) {
                (Relation::Equal, number @ ..0) if number < -(whole / 2) => (whole, whole),
                (Relation::Equal, number @ ..0) => (number + whole, number + whole),
                (Relation::Equal, number) => (number, number),
                (Relation::Less, number @ 1..) => (0, number - 1),
                (Relation::AtMost, number @ 1..) => (0, number),
                (Relation::Greater, number @ 0..) => (number.saturating_add(1), i128::MAX),
                (Relation::AtLeast, number @ 0..) => (number, i128::MAX),
                _ => return None,
            }
        }
        _ => return None,
    };
    let none = RangeInclusive::new(1, 0);
    let first = u64::try_from(first).ok().filter(|first| *first <= mask);
    let range = first.map_or(none, |first| first..=u64::try_from(last).map_or(mask, |last| last.min(mask)));
    Some(Word { mask, range })
}

impl BoundFilter {
    /// Whether any event of the trace can match. If not, no search needs to read it.
    pub fn can_match(&self) -> bool {
        self.others || self.known.iter().skip(SiteId::FIRST.0 as usize).any(|known| *known != Known::All(false))
    }

    /// Whether an event matches.
    pub fn matches(&self, position: Position, event: &Event) -> bool {
        let site = event.site().and_then(|site| self.sites.get(site));
        self.root.test(&Facts::Event { position, event, site }, &self.symbols) == Some(true)
    }

    /// Whether an event matches, by its numbers.
    pub(crate) fn matches_raw(&self, position: Position, raw: &RawEvent) -> Result<bool, TraceError> {
        if !raw.site.is_instruction() {
            return Ok(self.others && self.matches(position, &Event::read(raw, &self.sites)?));
        }
        let site = raw.site.0 as usize;
        match (self.known.get(site), self.sites.get(raw.site)) {
            (Some(Known::All(known)), _) => Ok(*known),
            (Some(Known::Word(word)), _) => {
                let Word { mask, range } = &self.words[*word as usize];
                Ok(range.contains(&(raw.operands[1] & mask)))
            }
            // Nearly every event is one, and this makes no `Event` of it.
            (Some(Known::Left(left, width @ 1..)), Some(site)) => {
                let [address, value, _] = raw.operands;
                let store = Facts::Store { position, site, address, width: *width, value };
                Ok(self.left[*left as usize].test(&store, &self.symbols) == Some(true))
            }
            _ => Ok(self.matches(position, &Event::read(raw, &self.sites)?)),
        }
    }

    /// Whether values of events decide.
    pub(crate) fn needs_values(&self) -> bool {
        self.values
    }

    /// Memory and addresses of which each match writes at least one, if the filter names some.
    pub(crate) fn within(&self) -> Option<&(Option<MemoryIndex>, Range<u64>)> {
        self.within.as_ref()
    }
}

impl Node {
    /// Whether what is known of an event decides, and how.
    fn test(&self, facts: &Facts, symbols: &Symbols) -> Option<bool> {
        match self {
            Node::All(parts) => fold(parts.iter().map(|part| part.test(facts, symbols)), false),
            Node::Any(parts) => fold(parts.iter().map(|part| part.test(facts, symbols)), true),
            Node::Not(part) => part.test(facts, symbols).map(|known| !known),
            Node::Test(test) => test.test(facts, symbols),
        }
    }

    /// Whether what is known of an event decides, and how; or what is left to be asked.
    fn rest(&self, facts: &Facts, symbols: &Symbols) -> Result<bool, Node> {
        // Of the parts of an `and`, those that hold may go; of an `or`, those that do not.
        let parts = |parts: &[Node], decides: bool| {
            let mut left = Vec::new();
            for part in parts {
                match part.rest(facts, symbols) {
                    Ok(known) if known == decides => return Ok(decides),
                    Ok(_) => {}
                    Err(rest) => left.push(rest),
                }
            }
            if left.is_empty() { Ok(!decides) } else { Err(left) }
        };
        match self {
            Node::All(all) => parts(all, false).map_err(Node::All),
            Node::Any(any) => parts(any, true).map_err(Node::Any),
            Node::Not(part) => match part.rest(facts, symbols) {
                Ok(known) => Ok(!known),
                Err(rest) => Err(Node::Not(Box::new(rest))),
            },
            Node::Test(test) => test.test(facts, symbols).ok_or_else(|| self.clone()),
        }
    }

    fn has(&self, sought: NumberField) -> bool {
        match self {
            Node::All(parts) | Node::Any(parts) => parts.iter().any(|part| part.has(sought)),
            Node::Not(part) => part.has(sought),
            Node::Test(Test::Number { field, .. } | Test::In { field, .. }) => *field == sought,
            Node::Test(Test::Text { .. }) => false,
        }
    }

    pub(super) fn within(&self) -> Option<(Option<MemoryIndex>, Range<u64>)> {
        match self {
            Node::All(parts) => {
                let memory = parts.iter().find_map(Node::memory);
                parts.iter().find_map(Node::within).map(|(own, range)| (own.or(memory), range))
            }
            Node::Test(Test::In { field: NumberField::Addr, range }) => Some((None, range.clone())),
            Node::Test(Test::Number {
                field: NumberField::Addr,
                relation: Relation::Equal,
                number: Literal::Integer(number),
            }) => {
                let address = u64::try_from(*number).ok()?;
                Some((None, address..address.checked_add(1)?))
            }
            _ => None,
        }
    }

    fn memory(&self) -> Option<MemoryIndex> {
        match self {
            Node::Test(Test::Number {
                field: NumberField::Memory,
                relation: Relation::Equal,
                number: Literal::Integer(number),
            }) => u32::try_from(*number).ok().map(MemoryIndex),
            _ => None,
        }
    }
}
