//! A list of engines, as `--engines` takes it.

use crate::project;
use forkpoint_tracer::EngineSpec;
use std::str::FromStr;

/// The value of one `--engines`: engines separated by semicolons, and short names by commas, too. A quoted semicolon is part
/// of a command.
#[derive(Debug, Clone)]
pub struct EngineList(pub Vec<EngineSpec>);

impl FromStr for EngineList {
    type Err = String;

    fn from_str(text: &str) -> Result<EngineList, String> {
        let mut engines = Vec::new();
        let mut rest = Some(text);
        while let Some(list) = rest {
            let list = list.trim_start();
            let (spec, after) = match unquoted(list, ';') {
                Some(at) => (&list[..at], Some(&list[at + 1..])),
                None => (list, None),
            };
            if spec.trim_end().is_empty() {
                return Err("an engine is missing before or after a semicolon: write ENGINE;ENGINE".to_string());
            }
            engines.extend(project::engines(spec.trim_end())?);
            rest = after;
        }
        Ok(EngineList(engines))
    }
}

/// The first position of a character outside quotation marks, as a shell reads them.
fn unquoted(text: &str, wanted: char) -> Option<usize> {
    let (mut quote, mut escaped) = (None, false);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (None | Some('"'), '\\') => escaped = true,
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), _) if c == open => quote = None,
            (None, _) if c == wanted => return Some(at),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_runners_stand_in_one_list() {
        let list = |text: &str| {
            let list: EngineList = text.parse().expect("engines");
            list.0.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(list("runner:a x;wasmi; runner:b"), ["runner:a x", "wasmi", "runner:b"]);
        assert_eq!(list("runner:sh -c 'a; b';wasmi"), ["runner:sh -c 'a; b'", "wasmi"]);
        assert!("wasmi;;wasmi".parse::<EngineList>().is_err());
    }
}
