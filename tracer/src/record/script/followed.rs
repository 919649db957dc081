//! Whether a command can do what a program of several modules says: its engine makes all instances before anything runs, and
//! ends at the first trap.

use crate::instrument::DataKind;
use crate::script::{Script, Unit};
use crate::spec::{CommandSpec, Way};
use forkpoint_traces::{Action, Directive, Expected, InstanceInfo};
use wasmparser::{ElementKind, Parser, Payload, TypeRef, WasmFeatures};

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
    let mut has_run = false;
    for (number, directive) in directives.iter().enumerate() {
        let why = match (&directive.action, &directive.expected) {
            (Action::Check { .. }, _) => Some("a command makes an instance of each module that it gets"),
            (Action::Instantiate { .. }, expected) if *expected != Expected::Success => {
                Some("a command runs nothing when an instance cannot be made")
            }
            (Action::Instantiate { instance }, _) => instantiated(script, *instance, has_run),
            (_, Expected::Success | Expected::Results(_)) => None,
            _ if number + 1 < directives.len() => Some("a command ends at the first trap, and directives follow"),
            _ => None,
        };
        if let Some(why) = why {
            return Err(format!("{}: {why}. Leave it out, or take an engine of another kind", at(script, directive)));
        }
        has_run |= match &directive.action {
            Action::Instantiate { instance } => {
                script.info.instances.get(*instance as usize).is_some_and(|made| starts(script.module(made.module)))
            }
            Action::Call { .. } => true,
            _ => false,
        };
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

fn unit(script: &Script, instance: u32) -> Option<(&Unit, &InstanceInfo)> {
    script.units.get(instance as usize).zip(script.info.instances.get(instance as usize))
}

/// Why an instance cannot be made where the program says so: all are made at the beginning, so a segment of a later one would be
/// in a memory of an earlier one too soon.
fn instantiated(script: &Script, instance: u32, has_run: bool) -> Option<&'static str> {
    let (unit, made) = unit(script, instance)?;
    let Ok(original) = &unit.original else {
        return Some("it cannot be recorded, so there would be no instance");
    };
    let own = made.memories.len() - (unit.own_memories.1 as usize).min(made.memories.len());
    let shared = |kind: &DataKind| matches!(kind, DataKind::Active { memory, .. } if (memory.0 as usize) < own);
    if original.data().iter().any(|segment| shared(&segment.kind)) {
        return Some(
            "it puts data into a memory of another module, and a command makes all instances before anything is looked at",
        );
    }
    (has_run && fills_tables(script.module(made.module))).then_some(
        "it puts functions into a table of another module, and a command makes all instances before anything runs",
    )
}

/// Whether a module puts functions into an imported table when an instance of it is made.
fn fills_tables(module: &[u8]) -> bool {
    let mut tables = 0;
    let mut parser = Parser::new(0);
    parser.set_features(WasmFeatures::all());
    for payload in parser.parse_all(module).map_while(Result::ok) {
        match payload {
            Payload::ImportSection(section) => {
                let imports = section.into_imports().map_while(Result::ok);
                tables = imports.filter(|import| matches!(import.ty, TypeRef::Table(_))).count() as u32;
            }
            Payload::ElementSection(section) => {
                return section.into_iter().map_while(Result::ok).any(|element| {
                    matches!(element.kind, ElementKind::Active { table_index, .. } if table_index.unwrap_or(0) < tables)
                });
            }
            _ => {}
        }
    }
    false
}

/// Whether a module has a start function.
fn starts(module: &[u8]) -> bool {
    let payloads = Parser::new(0).parse_all(module).map_while(Result::ok);
    payloads.into_iter().any(|payload| matches!(payload, Payload::StartSection { .. }))
}
