//! Expressions over events: `kind == store && addr in 0x400..0x500 && value == 7`.
//!
//! An expression is parsed once ([`EventFilter::parse`]), and bound to the sites and names of a trace ([`EventFilter::bind`]), which
//! decides for each site whether its events match always, never, or by their operands. So a filter that no site can match is
//! answered without reading, and a search reads values only where they matter. [`Timeline::next_match`](crate::Timeline::next_match)
//! and [`Timeline::last_match`](crate::Timeline::last_match) search.

mod bound;
mod facts;
mod parse;

pub use bound::BoundFilter;

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// An expression over events.
#[derive(Debug, Clone, PartialEq)]
pub struct EventFilter {
    text: String,
    root: Node,
}

/// An expression is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{message} at column {column} of the filter `{text}`: expected tests such as `kind == store`, `addr in 0x400..0x500` or `func ~ alloc`, joined by &&, || and !"
)]
pub struct FilterError {
    /// The expression, safe to print.
    pub text: String,
    /// Where in it, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

/// A part of an expression.
#[derive(Debug, Clone, PartialEq)]
enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Test(Test),
}

/// A test of one property.
#[derive(Debug, Clone, PartialEq)]
enum Test {
    /// A text is, or contains, another one.
    Text { field: TextField, whole: bool, text: String },
    /// A number compares with another one.
    Number { field: NumberField, relation: Relation, number: Literal },
    /// A number lies in a range.
    In { field: NumberField, range: Range<u64> },
}

/// Properties that are texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TextField {
    Kind,
    Op,
    Func,
    Var,
}

/// Properties that are numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NumberField {
    Memory,
    Addr,
    Width,
    Value,
    Site,
    Pos,
}

/// How two numbers compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Equal,
    Unequal,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

/// A number as it was typed.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Literal {
    Integer(i128),
    Float(f64),
}

impl EventFilter {
    /// Parses an expression.
    ///
    /// Tests are `kind`, `op` (the mnemonic), `func` (name or index) and `var` (the variable written) with `==`, `!=` or `~` (contains);
    /// and `memory`, `addr`, `width`, `value`, `site` (its offset) and `pos` with `==`, `!=`, `<`, `<=`, `>`, `>=` or `in A..B`. `addr in`
    /// holds if any byte that is written lies in the range. They are joined by `&&`, `||`, `!` and parentheses.
    ///
    /// ```
    /// use forkpoint_replay::{EventFilter, Timeline};
    /// use forkpoint_traces::Position;
    ///
    /// let mut timeline = Timeline::open("../traces/samples/orbit-jit.fpt".as_ref())?;
    /// let filter = EventFilter::parse("kind == store && addr in 0x10..0x20 && func == step").expect("an expression");
    /// let bound = filter.bind(timeline.trace().sites(), timeline.symbols());
    /// assert!(bound.can_match());
    /// assert_eq!(timeline.next_match(&bound, Position(10))?, Some(Position(12)));
    /// assert_eq!(timeline.last_match(&bound, Position(12))?, Some(Position(9)));
    ///
    /// let none = EventFilter::parse("op == memory.fill").expect("an expression");
    /// assert!(!none.bind(timeline.trace().sites(), timeline.symbols()).can_match());
    /// # Ok::<(), forkpoint_replay::ReplayError>(())
    /// ```
    ///
    /// # Errors
    /// [`FilterError`].
    pub fn parse(text: &str) -> Result<EventFilter, FilterError> {
        Ok(EventFilter { text: text.trim().to_string(), root: parse::expression(text)? })
    }
}

impl EventFilter {
    /// The calls of the host.
    pub fn host_calls() -> EventFilter {
        let test = Test::Text { field: TextField::Kind, whole: true, text: "host-call".to_string() };
        EventFilter { text: "kind == host-call".to_string(), root: Node::Test(test) }
    }

    /// Events that match at least one of these.
    pub fn any_of(filters: &[EventFilter]) -> EventFilter {
        let text = filters.iter().map(|filter| format!("({filter})")).collect::<Vec<_>>().join(" || ");
        EventFilter { text, root: Node::Any(filters.iter().map(|filter| filter.root.clone()).collect()) }
    }

    /// The addresses of which each match writes at least one, if the expression names some.
    pub fn addresses(&self) -> Option<Range<u64>> {
        self.root.within().map(|(_, range)| range)
    }
}

impl FromStr for EventFilter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<EventFilter, FilterError> {
        EventFilter::parse(text)
    }
}

impl fmt::Display for EventFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whether a text is an expression rather than a word: it compares something.
pub fn looks_like_filter(text: &str) -> bool {
    ["==", "!=", "<", ">", "~", " in ", "&&", "||"].iter().any(|mark| text.contains(mark))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::Timeline;
    use forkpoint_traces::Position;

    fn orbit() -> Timeline {
        Timeline::open("../traces/samples/orbit-jit.fpt".as_ref()).expect("a sample")
    }

    /// All matches, by a search forward and by one backward.
    fn matches(timeline: &mut Timeline, text: &str) -> Vec<u64> {
        let filter = EventFilter::parse(text).expect("an expression");
        let bound = filter.bind(timeline.trace().sites(), timeline.symbols());
        let (mut forward, mut backward) = (Vec::new(), Vec::new());
        let mut at = Position(0);
        while let Some(found) = timeline.next_match(&bound, at).expect("a whole trace") {
            forward.push(found.0);
            at = found.next();
        }
        let mut before = Position(timeline.len());
        while let Some(found) = timeline.last_match(&bound, before).expect("a whole trace") {
            backward.insert(0, found.0);
            before = found;
        }
        assert_eq!(forward, backward, "{text}");
        assert!(bound.can_match() || forward.is_empty(), "{text}");
        forward
    }

    #[test]
    fn properties_and_operators_mean_what_they_say() {
        let mut timeline = orbit();
        let stores = matches(&mut timeline, "kind == store");
        assert_eq!(matches(&mut timeline, "op == v128.store"), stores);
        assert_eq!(matches(&mut timeline, "op ~ STORE && !(func != step)"), stores);
        assert_eq!(matches(&mut timeline, "width == 16"), stores);
        let others = matches(&mut timeline, "kind != store");
        assert_eq!(stores.len() + others.len(), timeline.len() as usize);
        assert_eq!(matches(&mut timeline, "pos < 3"), [0, 1, 2]);
        assert_eq!(matches(&mut timeline, "pos in 3..5 || pos == 7"), [3, 4, 7]);
        let at_zero = matches(&mut timeline, "addr == 0");
        let first = matches(&mut timeline, "addr in 0..1");
        assert!(at_zero.iter().all(|position| first.contains(position)));
        assert_eq!(matches(&mut timeline, "site == 0x75 && pos < 20"), [6, 9, 12, 15, 18]);
        assert_eq!(matches(&mut timeline, "kind == trap || kind == fill"), Vec::<u64>::new());
        assert_eq!(matches(&mut timeline, "func == nothing"), Vec::<u64>::new());
        assert_eq!(matches(&mut timeline, "memory == 3"), Vec::<u64>::new());
    }

    #[test]
    fn values_are_integers_with_and_without_sign_and_floats() {
        let value = |text: &str, bytes: &[u8], float| {
            let Node::Test(Test::Number { relation, number, .. }) = EventFilter::parse(text).expect("one test").root
            else {
                panic!("one test")
            };
            facts::compare_value(bytes, float, relation, number)
        };
        assert!(value("value == 255", &[255], false) && value("value == -1", &[255], false));
        assert!(value("value == 0xffffffff", &[255; 4], false) && value("value < 0", &[255; 4], false));
        assert!(!value("value == -1", &[255, 0], false));
        assert!(
            value("value == 0.25", &0.25f32.to_le_bytes(), true) && value("value == 1", &1f64.to_le_bytes(), true)
        );
        assert!(!value("value == 0.25", &0.25f32.to_le_bytes(), false), "not stored as a float");
        assert!(value("value >= 2", &2.5f64.to_le_bytes(), true) && !value("value > 3", &2.5f64.to_le_bytes(), true));
        assert!(!value("value == 7", &[7; 16], false), "a vector is no number");
    }

    #[test]
    fn what_sites_and_numbers_say_is_what_the_whole_event_says() {
        let mut timeline = Timeline::open("../traces/samples/checksum-jit.fpt".as_ref()).expect("a sample");
        let values = ["== 0", "!= 7", "== -1", "== 0xffffffff", "< 0", "< 100", "<= 0", "<= 255", "> 0", "> -5"];
        let more =
            ["> 254", ">= 256", ">= 0", "== 0.5", "< 1.5", "in 1..300", "in 0..0x100000000", "== -200", "<= -1"];
        let tests = values.into_iter().chain(more).map(|test| format!("value {test}"));
        let joined =
            ["!(value == 0) && width == 4", "value > 9 || kind == fill", "addr in 0..64 && (pos < 50 || value < 5)"];
        for text in tests.chain(joined.map(str::to_string)) {
            let filter = EventFilter::parse(&text).expect("an expression");
            let bound = filter.bind(timeline.trace().sites(), timeline.symbols());
            let mut whole = Vec::new();
            for at in (0..timeline.len()).map(Position) {
                whole.extend(bound.matches(at, &timeline.event(at).expect("an event")).then_some(at.0));
            }
            assert_eq!(matches(&mut timeline, &text), whole, "{text}");
        }
    }

    #[test]
    fn wrong_expressions_say_where() {
        for (text, column) in [
            ("", 1),
            ("kind", 5),
            ("kind = store", 6),
            ("kind == store &&", 17),
            ("kind == store || (addr == 1", 28),
            ("size == 1", 1),
            ("addr == x", 9),
            ("addr in 5..5", 9),
            ("value in 1..", 10),
            ("kind == nonsense", 9),
            ("kind == store kind == store", 15),
            ("value == 99999999999999999999999999999999999999999", 10),
        ] {
            let error = EventFilter::parse(text).expect_err(text);
            assert_eq!(error.column, column, "{text}: {error}");
        }
        let deep = format!("{}kind == store", "!".repeat(10_000));
        assert!(EventFilter::parse(&deep).is_err(), "no stack is deep enough for everything");
    }
}
