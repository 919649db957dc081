//! The grammar of event expressions, by recursive descent.

use super::{FilterError, Literal, Node, NumberField, Relation, Test, TextField};
use crate::symbols::printable;
use forkpoint_traces::{Event, clip};
use std::ops::Range;

/// Deeper nesting is refused: parsing recurses.
const MAX_DEPTH: usize = 64;

/// Longer expressions are refused.
const MAX_LENGTH: usize = 10_000;

struct Parser<'a> {
    text: &'a str,
    /// The byte that is read next.
    at: usize,
    depth: usize,
}

/// Parses a whole expression.
pub(super) fn expression(text: &str) -> Result<Node, FilterError> {
    let mut parser = Parser { text, at: 0, depth: 0 };
    if text.len() > MAX_LENGTH {
        return Err(parser.wrong(0, "too much"));
    }
    let root = parser.any()?;
    parser.skip_blanks();
    match parser.at == text.len() {
        true => Ok(root),
        false => Err(parser.wrong(parser.at, "something unexpected")),
    }
}

impl<'a> Parser<'a> {
    fn wrong(&self, at: usize, message: &str) -> FilterError {
        let column = self.text.get(..at).map_or(1, |before| before.chars().count() + 1);
        FilterError { text: printable(&clip(self.text, 200)), column, message: message.to_string() }
    }

    fn skip_blanks(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    fn takes(&mut self, mark: &str) -> bool {
        self.skip_blanks();
        let found = self.text[self.at..].starts_with(mark);
        if found {
            self.at += mark.len();
        }
        found
    }

    fn any(&mut self) -> Result<Node, FilterError> {
        let mut parts = vec![self.all()?];
        while self.takes("||") {
            parts.push(self.all()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Node::Any(parts) })
    }

    fn all(&mut self) -> Result<Node, FilterError> {
        let mut parts = vec![self.one()?];
        while self.takes("&&") {
            parts.push(self.one()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Node::All(parts) })
    }

    fn one(&mut self) -> Result<Node, FilterError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.wrong(self.at, "too much nesting"));
        }
        let node = if self.takes("!") {
            Node::Not(Box::new(self.one()?))
        } else if self.takes("(") {
            let inner = self.any()?;
            if !self.takes(")") {
                return Err(self.wrong(self.at, "no closing parenthesis"));
            }
            inner
        } else {
            self.test()?
        };
        self.depth -= 1;
        Ok(node)
    }

    fn test(&mut self) -> Result<Node, FilterError> {
        self.skip_blanks();
        let start = self.at;
        let field = self.word();
        let text_field = match field {
            "kind" => Some(TextField::Kind),
            "op" | "mnemonic" => Some(TextField::Op),
            "func" | "function" => Some(TextField::Func),
            "var" | "variable" => Some(TextField::Var),
            _ => None,
        };
        if let Some(field) = text_field {
            return self.text_test(field);
        }
        let field = match field {
            "memory" => NumberField::Memory,
            "addr" | "address" => NumberField::Addr,
            "width" => NumberField::Width,
            "value" => NumberField::Value,
            "site" => NumberField::Site,
            "pos" | "position" => NumberField::Pos,
            _ => return Err(self.wrong(start, "no property")),
        };
        self.number_test(field)
    }

    fn text_test(&mut self, field: TextField) -> Result<Node, FilterError> {
        self.skip_blanks();
        let start = self.at;
        let (whole, not) = match () {
            () if self.takes("==") => (true, false),
            () if self.takes("!=") => (true, true),
            () if self.takes("~") => (false, false),
            () => return Err(self.wrong(start, "no ==, != or ~")),
        };
        self.skip_blanks();
        let start = self.at;
        let text = self.value_text()?;
        if field == TextField::Kind && whole && !Event::KINDS.contains(&text) {
            return Err(self.wrong(start, "no kind of event"));
        }
        let test = Node::Test(Test::Text { field, whole, text: text.to_string() });
        Ok(if not { Node::Not(Box::new(test)) } else { test })
    }

    fn number_test(&mut self, field: NumberField) -> Result<Node, FilterError> {
        self.skip_blanks();
        let start = self.at;
        let relations = [
            ("==", Relation::Equal),
            ("!=", Relation::Unequal),
            ("<=", Relation::AtMost),
            (">=", Relation::AtLeast),
            ("<", Relation::Less),
            (">", Relation::Greater),
        ];
        if let Some((_, relation)) = relations.into_iter().find(|(mark, _)| self.takes(mark)) {
            self.skip_blanks();
            let start = self.at;
            let number = literal(self.word()).ok_or_else(|| self.wrong(start, "no number"))?;
            return Ok(Node::Test(Test::Number { field, relation, number }));
        }
        if self.word() != "in" {
            return Err(self.wrong(start, "no ==, !=, <, <=, >, >= or in"));
        }
        self.skip_blanks();
        let start = self.at;
        let range = range(self.word()).ok_or_else(|| self.wrong(start, "no range such as 0x400..0x500"))?;
        Ok(Node::Test(Test::In { field, range }))
    }

    /// A word: up to a blank, a parenthesis or an operator.
    fn word(&mut self) -> &'a str {
        self.skip_blanks();
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| c.is_whitespace() || "()&|!=<>~".contains(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// A text: in quotes, or up to a blank. Names may hold operators, and parentheses that are closed.
    fn value_text(&mut self) -> Result<&'a str, FilterError> {
        let start = self.at;
        let rest = &self.text[start..];
        if let Some(quoted) = rest.strip_prefix('"') {
            let end = quoted.find('"').ok_or_else(|| self.wrong(start, "no closing quote"))?;
            self.at += end + 2;
            return Ok(&quoted[..end]);
        }
        let mut open = 0usize;
        let end = rest.char_indices().find(|(at, c)| match c {
            '(' => {
                open += 1;
                false
            }
            ')' if open == 0 => true,
            ')' => {
                open -= 1;
                false
            }
            c => c.is_whitespace() || rest[*at..].starts_with("&&") || rest[*at..].starts_with("||"),
        });
        let end = end.map_or(rest.len(), |(at, _)| at);
        if end == 0 {
            return Err(self.wrong(start, "no text"));
        }
        self.at += end;
        Ok(&rest[..end])
    }
}

fn literal(text: &str) -> Option<Literal> {
    let (digits, negative) = match text.strip_prefix('-') {
        Some(digits) => (digits, true),
        None => (text, false),
    };
    if let Some(number) = unsigned(digits) {
        return Some(Literal::Integer(if negative { -i128::from(number) } else { number.into() }));
    }
    // `parse` would take words such as inf, and those are asked for, too.
    let plain =
        digits.bytes().all(|byte| byte.is_ascii_digit() || b".e+-".contains(&byte)) && digits.contains(['.', 'e']);
    let named = matches!(digits, "inf" | "nan");
    let float: f64 = if plain || named { digits.parse().ok()? } else { return None };
    Some(Literal::Float(if negative { -float } else { float }))
}

fn unsigned(text: &str) -> Option<u64> {
    let digits: String = text.chars().filter(|c| *c != '_').collect();
    match digits.strip_prefix("0x") {
        Some(hex) if hex.bytes().all(|byte| byte.is_ascii_hexdigit()) => u64::from_str_radix(hex, 16).ok(),
        Some(_) => None,
        None if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok(),
        None => None,
    }
}

fn range(text: &str) -> Option<Range<u64>> {
    let (start, end) = text.split_once("..")?;
    let range = unsigned(start)?..unsigned(end)?;
    (!range.is_empty()).then_some(range)
}
