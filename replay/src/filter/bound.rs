//! A filter for the events of one trace: what can be said of a site without its events is said once.

use super::{EventFilter, Literal, Node, NumberField, Relation, Test, TextField};
use crate::symbols::Symbols;
use forkpoint_traces::{
    Event, FuncIndex, MemoryIndex, Position, RawEvent, Shape, Site, SiteId, SiteTable, TraceError, ValueType,
};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// An [`EventFilter`] for the sites and names of one trace.
pub struct BoundFilter {
    root: Node,
    sites: Arc<SiteTable>,
    symbols: Arc<Symbols>,
    /// Whether events of a site match, by its number: `None` where that depends on their operands.
    known: Vec<Option<bool>>,
    /// Whether events that are of no instruction may match.
    others: bool,
    /// Whether values decide.
    values: bool,
    /// Addresses that each match writes one of.
    within: Option<(Option<MemoryIndex>, Range<u64>)>,
}

/// What is known of an event.
enum Facts<'a> {
    /// The site alone, with the name of its function.
    Site(&'a Site, &'a str),
    /// The kind alone.
    Kind(&'static str),
    /// Everything.
    Event { position: Position, event: &'a Event, site: Option<&'a Site> },
}

impl EventFilter {
    /// Decides what can be decided by sites alone.
    pub fn bind(&self, sites: &Arc<SiteTable>, symbols: &Arc<Symbols>) -> BoundFilter {
        // A name is looked up once for each function, not once for each site.
        let mut names: HashMap<FuncIndex, String> = HashMap::new();
        let mut known = vec![None; SiteId::FIRST.0 as usize];
        for (_, site) in sites.iter() {
            let name = names.entry(site.func).or_insert_with(|| symbols.function_name(site.func));
            known.push(self.root.test(&Facts::Site(site, name), symbols));
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
            others,
            values: self.root.has(NumberField::Value),
            within: self.root.within(),
        }
    }
}

impl BoundFilter {
    /// Whether any event of the trace can match. If not, no search needs to read it.
    pub fn can_match(&self) -> bool {
        self.others || self.known.iter().skip(SiteId::FIRST.0 as usize).any(|known| *known != Some(false))
    }

    /// Whether an event matches.
    pub fn matches(&self, position: Position, event: &Event) -> bool {
        let site = event.site().and_then(|site| self.sites.get(site));
        self.root.test(&Facts::Event { position, event, site }, &self.symbols) == Some(true)
    }

    /// Whether an event matches, by its numbers.
    pub(crate) fn matches_raw(&self, position: Position, raw: &RawEvent) -> Result<bool, TraceError> {
        if raw.site.is_instruction() {
            if let Some(Some(known)) = self.known.get(raw.site.0 as usize) {
                return Ok(*known);
            }
        } else if !self.others {
            return Ok(false);
        }
        Ok(self.matches(position, &Event::read(raw, &self.sites)?))
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

/// Joins answers: one that is `decides` decides, and what is not known may be.
fn fold(answers: impl Iterator<Item = Option<bool>>, decides: bool) -> Option<bool> {
    let mut all = Some(!decides);
    for answer in answers {
        match answer {
            Some(answer) if answer == decides => return Some(decides),
            Some(_) => {}
            None => all = None,
        }
    }
    all
}

impl Test {
    fn test(&self, facts: &Facts, symbols: &Symbols) -> Option<bool> {
        match self {
            Test::Text { field, whole, text } => test_text(*field, *whole, text, facts, symbols),
            Test::Number { field: NumberField::Value, relation, number } => match facts {
                Facts::Event { event, site, .. } => {
                    let bytes = match event {
                        Event::Fill { byte, .. } => std::slice::from_ref(byte),
                        event => event.bytes().unwrap_or_default(),
                    };
                    Some(compare_value(bytes, site.is_some_and(stores_float), *relation, *number))
                }
                Facts::Site(..) | Facts::Kind(_) => None,
            },
            Test::In { field: NumberField::Value, range } => {
                let at = |relation, number: u64| Test::Number {
                    field: NumberField::Value,
                    relation,
                    number: Literal::Integer(number.into()),
                };
                let both = [at(Relation::AtLeast, range.start), at(Relation::Less, range.end)];
                fold(both.iter().map(|test| test.test(facts, symbols)), false)
            }
            Test::Number { field, relation, number } => {
                let value = field.of(facts)?;
                Some(value.is_some_and(|value| compare(i128::from(value), *relation, *number)))
            }
            Test::In { field: NumberField::Addr, range } => match facts {
                Facts::Event { event, .. } => Some(event.written().is_some_and(|(_, address, length)| {
                    address < range.end && address.saturating_add(length) > range.start
                })),
                Facts::Site(..) | Facts::Kind(_) => None,
            },
            Test::In { field, range } => Some(field.of(facts)?.is_some_and(|value| range.contains(&value))),
        }
    }
}

impl NumberField {
    /// The number of an event: `None` if that is not known, `Some(None)` if it has none.
    fn of(self, facts: &Facts) -> Option<Option<u64>> {
        let site = match facts {
            Facts::Site(site, _) => Some(*site),
            Facts::Event { site, .. } => *site,
            Facts::Kind(_) => return if self == NumberField::Site { Some(None) } else { None },
        };
        match (self, facts) {
            (NumberField::Site, _) => Some(site.map(|site| site.offset.0.into())),
            (NumberField::Width, Facts::Site(site, _)) => match site.op.shape() {
                Shape::Store { width, .. } => Some(Some(width.into())),
                _ => None,
            },
            (NumberField::Pos, Facts::Event { position, .. }) => Some(Some(position.0)),
            (NumberField::Memory, Facts::Event { event, .. }) => {
                Some(event.written().map(|(memory, ..)| memory.0.into()).or(site.map(|site| site.memory.0.into())))
            }
            (NumberField::Memory, Facts::Site(site, _)) => Some(Some(site.memory.0.into())),
            (NumberField::Addr, Facts::Event { event, .. }) => Some(event.written().map(|(_, address, _)| address)),
            (NumberField::Width, Facts::Event { event, .. }) => Some(event.written().map(|(.., length)| length)),
            _ => None,
        }
    }
}

fn test_text(field: TextField, whole: bool, sought: &str, facts: &Facts, symbols: &Symbols) -> Option<bool> {
    let fits = |text: &str| {
        if whole { text == sought } else { text.to_lowercase().contains(&sought.to_lowercase()) }
    };
    let function = |func: FuncIndex, name: &str| {
        let bare = |text: &str| text.trim_start_matches('$').to_string();
        match sought.parse::<u32>() {
            Ok(index) if whole => func.0 == index,
            _ if whole => bare(name) == bare(sought),
            _ => fits(name),
        }
    };
    match (field, facts) {
        (TextField::Kind, Facts::Site(site, _)) => Some(fits(Event::kind_of(site.op))),
        (TextField::Kind, Facts::Kind(kind)) => Some(fits(kind)),
        (TextField::Kind, Facts::Event { event, .. }) => Some(fits(event.kind())),
        (TextField::Op, Facts::Site(site, _) | Facts::Event { site: Some(site), .. }) => {
            Some(fits(site.op.mnemonic()))
        }
        (TextField::Func, Facts::Site(site, name)) => Some(function(site.func, name)),
        (TextField::Func, Facts::Event { site: Some(site), .. }) => {
            Some(function(site.func, &symbols.function_name(site.func)))
        }
        (TextField::Op | TextField::Func, _) => Some(false),
        (TextField::Var, Facts::Event { event, .. }) => {
            Some(crate::describe::variable_of(event, symbols).is_some_and(|variable| fits(&variable.path)))
        }
        (TextField::Var, _) => {
            if symbols.has_debug_info() {
                None
            } else {
                Some(false)
            }
        }
    }
}

fn stores_float(site: &Site) -> bool {
    matches!(site.op.shape(), Shape::Store { ty: ValueType::F32 | ValueType::F64, .. })
}

/// Compares what was stored with a number: as an integer without a sign, or with one if the number has one; or as a float.
pub(super) fn compare_value(bytes: &[u8], float: bool, relation: Relation, number: Literal) -> bool {
    if bytes.is_empty() || bytes.len() > 8 {
        return false;
    }
    if float {
        let stored = match (<[u8; 4]>::try_from(bytes), <[u8; 8]>::try_from(bytes)) {
            (Ok(bytes), _) => f32::from_le_bytes(bytes).into(),
            (_, Ok(bytes)) => f64::from_le_bytes(bytes),
            _ => return false,
        };
        let number = match number {
            Literal::Integer(number) => number as f64,
            Literal::Float(number) => number,
        };
        return holds(stored.partial_cmp(&number), relation);
    }
    let mut word = [0; 8];
    word.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    let unsigned = u64::from_le_bytes(word);
    let unused = 64 - 8 * bytes.len() as u32;
    let signed = ((unsigned << unused) as i64) >> unused;
    // `value < 0` asks for a sign.
    let with_sign = match number {
        Literal::Integer(number) => {
            number < 0 || number == 0 && matches!(relation, Relation::Less | Relation::AtMost)
        }
        Literal::Float(_) => return false,
    };
    compare(if with_sign { signed.into() } else { unsigned.into() }, relation, number)
}

fn compare(value: i128, relation: Relation, number: Literal) -> bool {
    match number {
        Literal::Integer(number) => holds(Some(value.cmp(&number)), relation),
        Literal::Float(number) => holds((value as f64).partial_cmp(&number), relation),
    }
}

fn holds(order: Option<std::cmp::Ordering>, relation: Relation) -> bool {
    let Some(order) = order else { return relation == Relation::Unequal };
    match relation {
        Relation::Equal => order.is_eq(),
        Relation::Unequal => order.is_ne(),
        Relation::Less => order.is_lt(),
        Relation::AtMost => order.is_le(),
        Relation::Greater => order.is_gt(),
        Relation::AtLeast => order.is_ge(),
    }
}
