//! Whether a command can do what a program of several modules says: its engine makes all instances before anything runs, and
//! ends at the first trap.

use crate::script::Script;
use crate::spec::{CommandSpec, Way};
use forkpoint_traces::{Action, Directive, Expected};

/// Checks it.
///
/// # Errors
/// A sentence that names what cannot be done.
pub(in crate::record) fn followed(script: &Script, spec: &CommandSpec) -> Result<(), String> {
    if let Some(way) = spec.way.filter(|way| *way != Way::Stream) {
        return Err(format!(
            "the way `{way}` asks one module, so it takes no programs of several; the way `stream` does"
        ));
    }
    if !spec.template.contains("{file}") {
        return Err(
            "the command does not say how it takes further modules: give it a word with {name} and {file}, which is repeated for each, \
             as in `wasmtime run --preload={name}={file} {module}`"
                .to_string(),
        );
    }
    let directives = &script.info.directives;
    for (number, directive) in directives.iter().enumerate() {
        let why = match (&directive.action, &directive.expected) {
            (Action::Check { .. }, _) => Some("a command makes an instance of each module that it gets"),
            (Action::Instantiate { .. }, expected) if *expected != Expected::Success => {
                Some("a command runs nothing when an instance cannot be made")
            }
            (Action::Instantiate { instance }, _) => {
                let unit = script.units.get(*instance as usize);
                let unread = unit.is_none_or(|unit| unit.original.is_err());
                unread.then_some("it cannot be recorded, so there would be no instance")
            }
            (_, Expected::Success | Expected::Results(_)) => None,
            _ if number + 1 < directives.len() => Some("a command ends at the first trap, and directives follow"),
            _ => None,
        };
        if let Some(why) = why {
            // A sweep counts reasons by their first clause.
            return Err(format!("{why}; {}: leave it out, or take an engine of another kind", at(script, directive)));
        }
    }
    Ok(())
}

fn at(script: &Script, directive: &Directive) -> String {
    let named = |instance: u32| script.info.instances.get(instance as usize).map_or("", |made| made.name.as_str());
    let what = match &directive.action {
        Action::Instantiate { instance } => format!("module {}", named(*instance)),
        Action::Check { .. } => "a module that is only validated".to_string(),
        Action::Call { instance, call } => format!("the call of {}.{}", named(*instance), call.function),
        Action::Get { instance, global } => format!("the global {}.{global}", named(*instance)),
    };
    format!("line {}, {}", directive.line, what.escape_debug())
}
