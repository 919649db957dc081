//! What is known of an event, by its site alone or by its numbers, and what a test makes of that.

use super::{Literal, NumberField, Relation, Test, TextField};
use crate::symbols::Symbols;
use forkpoint_traces::{Event, FuncIndex, MemoryIndex, Position, Shape, Site, ValueType};

/// What is known of an event.
pub(super) enum Facts<'a> {
    /// The site alone, with the name of its function.
    Site(&'a Site, &'a str),
    /// The kind alone.
    Kind(&'static str),
    /// That it is a store of up to 8 bytes, whose site has answered what it could: nearly every event, without an [`Event`].
    Store { position: Position, site: &'a Site, address: u64, width: u8, value: u64 },
    /// Everything.
    Event { position: Position, event: &'a Event, site: Option<&'a Site> },
}

impl Facts<'_> {
    /// The instruction, if there is one.
    fn site(&self) -> Option<&Site> {
        match self {
            Facts::Kind(_) => None,
            Facts::Site(site, _) | Facts::Store { site, .. } => Some(site),
            Facts::Event { site, .. } => *site,
        }
    }

    /// The bytes that are written, if that is known: `Some(None)` if there are none.
    fn written(&self) -> Option<Option<(MemoryIndex, u64, u64)>> {
        match self {
            Facts::Site(..) | Facts::Kind(_) => None,
            Facts::Store { site, address, width, .. } => Some(Some((site.memory, *address, (*width).into()))),
            Facts::Event { event, .. } => Some(event.written()),
        }
    }
}

/// Joins answers: one that is `decides` decides, and what is not known may be.
pub(super) fn fold(answers: impl Iterator<Item = Option<bool>>, decides: bool) -> Option<bool> {
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
    pub(super) fn test(&self, facts: &Facts, symbols: &Symbols) -> Option<bool> {
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
                Facts::Store { site, width, value, .. } => {
                    let bytes = value.to_le_bytes();
                    Some(compare_value(&bytes[..usize::from(*width)], stores_float(site), *relation, *number))
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
            Test::In { field: NumberField::Addr, range } => {
                let written = facts.written()?;
                Some(written.is_some_and(|(_, address, length)| {
                    address < range.end && address.saturating_add(length) > range.start
                }))
            }
            Test::In { field, range } => Some(field.of(facts)?.is_some_and(|value| range.contains(&value))),
        }
    }
}

impl NumberField {
    /// The number of an event: `None` if that is not known, `Some(None)` if it has none.
    fn of(self, facts: &Facts) -> Option<Option<u64>> {
        let site = match facts {
            Facts::Site(site, _) | Facts::Store { site, .. } => Some(*site),
            Facts::Event { site, .. } => *site,
            Facts::Kind(_) => return if self == NumberField::Site { Some(None) } else { None },
        };
        match (self, facts) {
            (NumberField::Site, _) => Some(site.map(|site| site.offset.0.into())),
            (NumberField::Width, Facts::Site(site, _)) => match site.op.shape() {
                Shape::Store { width, .. } => Some(Some(width.into())),
                _ => None,
            },
            (NumberField::Pos, Facts::Event { position, .. } | Facts::Store { position, .. }) => {
                Some(Some(position.0))
            }
            (NumberField::Memory, Facts::Event { event, .. }) => {
                Some(event.written().map(|(memory, ..)| memory.0.into()).or(site.map(|site| site.memory.0.into())))
            }
            (NumberField::Memory, Facts::Site(site, _)) => Some(Some(site.memory.0.into())),
            (NumberField::Addr, _) => Some(facts.written()?.map(|(_, address, _)| address)),
            (NumberField::Width, _) => Some(facts.written()?.map(|(.., length)| length)),
            (NumberField::Memory, _) => Some(facts.written()?.map(|(memory, ..)| memory.0.into())),
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
        (TextField::Kind, Facts::Site(site, _) | Facts::Store { site, .. }) => Some(fits(Event::kind_of(site.op))),
        (TextField::Kind, Facts::Kind(kind)) => Some(fits(kind)),
        (TextField::Kind, Facts::Event { event, .. }) => Some(fits(event.kind())),
        (TextField::Op, Facts::Site(site, _) | Facts::Store { site, .. } | Facts::Event { site: Some(site), .. }) => {
            Some(fits(site.op.mnemonic()))
        }
        (TextField::Func, Facts::Site(site, name)) => Some(function(site.func, name)),
        (TextField::Func, Facts::Store { site, .. } | Facts::Event { site: Some(site), .. }) => {
            Some(function(site.func, &symbols.function_name(site.func)))
        }
        (TextField::Op | TextField::Func, _) => Some(false),
        (TextField::Var, _) if !symbols.has_debug_info() => Some(false),
        (TextField::Var, _) => {
            let variable = facts.written()?.and_then(|(memory, address, length)| {
                let bytes = address..address.saturating_add(length);
                match facts.site() {
                    Some(site) => symbols.written(site.offset, memory, &bytes),
                    None => symbols.variable(memory, &bytes),
                }
            });
            Some(variable.is_some_and(|variable| fits(&variable.path)))
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
