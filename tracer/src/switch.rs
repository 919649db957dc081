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

/// A list of switches that cannot be split: what stands where a sign should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a name with + or - before it, found `{0}`")]
pub(crate) struct Unsigned(pub String);

impl Switch {
    /// Parses CPU features as in `+fma,-avx2` or `+fma-avx2`, by Cranelift's names without `has_`.
    ///
    /// # Errors
    /// A sentence that names the part with the error.
    pub fn parse_cpu(list: &str) -> Result<Vec<Switch>, String> {
        let named = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        let parts = split(list, |text| text.find(SEPARATORS).unwrap_or(text.len()));
        parts.map_err(|error| error.to_string())?.into_iter().try_fold(Vec::new(), |mut switches, (enabled, name)| {
            if name.is_empty() || !name.chars().all(named) {
                return Err(format!("`{name}` is not the name of a CPU feature"));
            }
            switches.push(Switch { name: name.to_string(), enabled });
            Ok(switches)
        })
    }

    /// The shortest notation of a list.
    pub(crate) fn list(switches: &[Switch]) -> String {
        switches.iter().map(ToString::to_string).collect()
    }
}

/// What can follow a switch in a list.
pub(crate) const SEPARATORS: [char; 3] = [',', '+', '-'];

/// Splits a list of switches, with or without commas between them, into signs and names: `+a,-b` means `+a-b`. `end`
/// finds the end of the name that a text begins with, since some names contain hyphens.
pub(crate) fn split(list: &str, end: impl Fn(&str) -> usize) -> Result<Vec<(bool, &str)>, Unsigned> {
    let mut parts = Vec::new();
    let mut rest = list.trim();
    let mut comma = false;
    while comma || !rest.is_empty() {
        let (enabled, unsigned) = match (rest.strip_prefix('+'), rest.strip_prefix('-')) {
            (Some(unsigned), _) => (true, unsigned),
            (_, Some(unsigned)) => (false, unsigned),
            _ => return Err(Unsigned(rest.escape_debug().to_string())),
        };
        let (name, after) = unsigned.split_at(end(unsigned));
        parts.push((enabled, name.trim_end()));
        comma = after.starts_with(',');
        rest = after.strip_prefix(',').unwrap_or(after).trim_start();
    }
    Ok(parts)
}

impl fmt::Display for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.enabled { '+' } else { '-' }, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_between_switches_are_optional() {
        let parsed = Switch::parse_cpu("+fma-avx2").expect("a list");
        assert_eq!(Switch::list(&parsed), "+fma-avx2");
        for same in ["+fma,-avx2", "+fma, -avx2", " +fma ,-avx2 "] {
            assert_eq!(Switch::parse_cpu(same), Ok(parsed.clone()), "{same}");
        }
        assert_eq!(Switch::parse_cpu("+sse4.1,+a_b").expect("a list").len(), 2);
        assert_eq!(Switch::parse_cpu(""), Ok(Vec::new()));
    }

    #[test]
    fn a_list_without_a_sign_or_a_name_is_refused() {
        for (list, named) in [
            ("fma", "`fma`"),
            ("+fma,avx2", "`avx2`"),
            ("+fma,", "found ``"),
            (",+fma", "`,+fma`"),
            ("+fma,,-avx2", "`,-avx2`"),
            ("+", "`` is not"),
            ("+,-avx2", "`` is not"),
            ("+f ma", "`f ma`"),
            ("\u{1b}", "u{1b}"),
        ] {
            let error = Switch::parse_cpu(list).expect_err(list);
            assert!(error.contains(named), "{list}: {error}");
        }
    }
}
