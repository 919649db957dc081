//! Programs of several module files, each with the name under which others import from it.

use super::builder::Builder;
use super::interface::Interface;
use super::{Script, ScriptError};
use forkpoint_traces::{Action, Call, Expected};
use std::collections::HashMap;

impl Script {
    /// Links `modules`, binaries by name, in an order in which each follows those that it imports from, and then makes `calls`, each
    /// of an instance by name.
    ///
    /// # Errors
    /// When a module imports what no other one exports, or two import from each other.
    pub(crate) fn linked(modules: &[(String, Vec<u8>)], calls: Vec<(String, Call)>) -> Result<Script, ScriptError> {
        let interfaces: Vec<Interface> = modules.iter().map(|(_, module)| Interface::of(module)).collect();
        let mut builder = Builder::default();
        let mut made: HashMap<&str, u32> = HashMap::new();
        for at in order(modules, &interfaces)? {
            let (name, module) = &modules[at];
            let instance = builder.registered_instance(name, module)?;
            made.insert(name, instance);
        }
        for (name, call) in calls {
            let Some(&instance) = made.get(name.as_str()) else {
                return Err(ScriptError::Linked(format!("there is no module {name} to call")));
            };
            builder.push(0, Action::Call { instance, call }, Expected::Success)?;
        }
        Ok(builder.finish())
    }
}

/// Numbers of modules, each after those that it imports from.
fn order(modules: &[(String, Vec<u8>)], interfaces: &[Interface]) -> Result<Vec<usize>, ScriptError> {
    let find = |name: &str| modules.iter().position(|(other, _)| other == name);
    for (at, (name, _)) in modules.iter().enumerate() {
        if find(name) != Some(at) {
            return Err(ScriptError::Linked(format!("two modules are called {name}: give each its own name")));
        }
    }
    let mut order = Vec::new();
    let mut done = vec![false; modules.len()];
    while order.len() < modules.len() {
        let ready = (0..modules.len()).find(|at| {
            let needs = interfaces[*at].imports.iter().filter_map(|import| find(&import.module));
            !done[*at] && needs.into_iter().all(|needed| done[needed])
        });
        let Some(at) = ready else {
            let left: Vec<&str> =
                (0..modules.len()).filter(|at| !done[*at]).map(|at| modules[at].0.as_str()).collect();
            let left = left.join(", ");
            return Err(ScriptError::Linked(format!(
                "each of these modules imports from another of them, so none can be the first: {left}"
            )));
        };
        provided(modules, interfaces, at)?;
        done[at] = true;
        order.push(at);
    }
    Ok(order)
}

/// Checks that a module's imports exist. Engines judge their types.
fn provided(modules: &[(String, Vec<u8>)], interfaces: &[Interface], at: usize) -> Result<(), ScriptError> {
    for import in &interfaces[at].imports {
        let from = modules.iter().position(|(name, _)| *name == import.module);
        if from.is_some_and(|from| interfaces[from].exports.contains_key(&import.name)) {
            continue;
        }
        let (name, module, import) = (&modules[at].0, &import.module, &import.name);
        let what = match from {
            Some(_) => format!("module {name} imports {module}.{import}, and module {module} has no such export"),
            None => format!(
                "module {name} imports {module}.{import}, and there is no module {module}: add --module {module}=FILE. A program of \
                 several modules has no host, so WASI and stubs answer nothing in it"
            ),
        };
        return Err(ScriptError::Linked(what));
    }
    Ok(())
}
