//! A named thing switched on or off: a proposal or a CPU feature, under the names of its owner.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A feature of an engine or a processor, switched on or off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switch {
    /// Its name.
    pub name: String,
    /// On or off.
    pub enabled: bool,
}

impl Switch {
    /// Parses CPU features as in `+fma-avx2`, by Cranelift's names without `has_`.
    ///
    /// # Errors
    /// A sentence that names the part with the error.
    pub fn parse_cpu(list: &str) -> Result<Vec<Switch>, String> {
        let part = |rest: &str| rest.find(['+', '-']).unwrap_or(rest.len());
        let named = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        split(list, part)?.into_iter().try_fold(Vec::new(), |mut switches, (enabled, name)| {
            if name.is_empty() || !name.chars().all(named) {
                return Err(format!("`{name}` is not the name of a CPU feature"));
            }
            switches.push(Switch { name: name.to_string(), enabled });
            Ok(switches)
        })
    }

    /// Errors in the lists of this crate.
    pub(crate) fn list(switches: &[Switch]) -> String {
        switches.iter().map(ToString::to_string).collect()
    }
}

/// Signs and what follows them; `end` finds the end of the name that a text begins with.
pub(crate) fn split(list: &str, end: impl Fn(&str) -> usize) -> Result<Vec<(bool, &str)>, String> {
    let mut parts = Vec::new();
    let mut rest = list;
    while !rest.is_empty() {
        let (enabled, unsigned) = match (rest.strip_prefix('+'), rest.strip_prefix('-')) {
            (Some(unsigned), _) => (true, unsigned),
            (_, Some(unsigned)) => (false, unsigned),
            _ => return Err(format!("a name without + or - before it: `{rest}`")),
        };
        let (name, after) = unsigned.split_at(end(unsigned));
        parts.push((enabled, name));
        rest = after;
    }
    Ok(parts)
}

impl fmt::Display for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.enabled { '+' } else { '-' }, self.name)
    }
}
