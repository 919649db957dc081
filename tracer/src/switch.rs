//! A named thing switched on or off: a proposal, a CPU feature, by whatever names its owner has.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A thing of an engine or a processor, switched on or off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switch {
    /// Its name.
    pub name: String,
    /// On or off.
    pub enabled: bool,
}

impl Switch {
    /// Parses CPU features as in `+fma-avx2`, by the names that Cranelift has without `has_`.
    ///
    /// # Errors
    /// A sentence that names the part which is not understood.
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

    /// What the lists of this crate read.
    pub(crate) fn list(switches: &[Switch]) -> String {
        switches.iter().map(ToString::to_string).collect()
    }
}

/// Signs and what follows them; `end` finds where a name ends that begins a text.
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
