//! An engine that is a command is one already: its template is filled in.

use super::parts::{CHECKED, OwnCommand, Shows, VALUE, quoted};
use crate::spec::CommandSpec;

/// Placeholders, and what stands for them in a shell.
const PLACES: [(&str, &str); 4] =
    [("{module}", "\"$module\""), ("{compiled}", "\"$module.compiled\""), ("{function}", VALUE), ("{arguments}", "")];

pub(super) fn command(spec: &CommandSpec) -> Result<OwnCommand, String> {
    let words = shell_words::split(&spec.template).map_err(|error| error.to_string())?;
    // A single module has no further ones.
    let words = words.iter().filter(|word| !word.contains("{file}"));
    let filled: Vec<String> = words.map(|word| fill(word)).filter(|word| !word.is_empty()).collect();
    let lines = filled.join(" ");
    let told = spec.template.contains("{function}");
    let shows = match (&spec.function, told) {
        (_, true) => Shows::Value,
        (Some(function), false) if function == VALUE => Shows::Value,
        (None, false) => Shows::Success,
        (Some(function), false) if function == CHECKED => Shows::Success,
        (Some(function), false) => return Err(format!("it runs the export `{function}`")),
    };
    Ok(OwnCommand { lines, shows })
}

/// A word for a shell, in which placeholders stand for what they are replaced by.
fn fill(word: &str) -> String {
    if word == "&&" {
        // The second step has its own line.
        return "&&\n ".to_string();
    }
    let (mut filled, mut plain, mut rest) = (String::new(), String::new(), word);
    let flush = |plain: &mut String, filled: &mut String| {
        if !plain.is_empty() {
            filled.push_str(&quoted(plain));
            plain.clear();
        }
    };
    while let Some(c) = rest.chars().next() {
        match PLACES.iter().find(|(place, _)| rest.starts_with(place)) {
            Some((place, value)) => {
                flush(&mut plain, &mut filled);
                filled.push_str(value);
                rest = &rest[place.len()..];
            }
            None => {
                plain.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    flush(&mut plain, &mut filled);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_filled_in_for_a_shell() {
        let lines = |template: &str| command(&CommandSpec::new(template).expect(template)).expect(template).lines;
        assert_eq!(
            lines("'my engine' --x={module} {arguments} -r {function}"),
            "'my engine' '--x='\"$module\" -r main"
        );
        assert_eq!(
            lines("c {module} -o {compiled} && '&& $(r)' {compiled}"),
            "c \"$module\" -o \"$module.compiled\" &&\n  '&& $(r)' \"$module.compiled\""
        );
        assert_eq!(lines("run --preload={name}={file} {module}"), "run \"$module\"");
        assert_eq!(lines("sh -c 'a && b' {module}"), "sh -c 'a && b' \"$module\"");
    }
}
