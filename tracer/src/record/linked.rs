//! Calls into a program of several modules.

use super::calls::plain_call;
use super::interface::Interface;
use super::invocation::Invocation;
use crate::error::RecordError;
use forkpoint_traces::Call;

/// The calls, each with the module's name. `a.run` is `run` of module `a`, if there is one of that name; else it is an
/// export of the last module.
pub(super) fn calls(modules: &[(String, Vec<u8>)], calls: &[Invocation]) -> Result<Vec<(String, Call)>, RecordError> {
    let Some((last, main)) = modules.last() else { return Ok(Vec::new()) };
    if calls.is_empty() {
        let interface = Interface::of(main);
        let start = Invocation { function: "_start".to_string(), arguments: Vec::new() };
        return match interface.exports.get("_start") {
            Some(Some(ty)) if ty.params().is_empty() => Ok(vec![(last.clone(), plain_call(&interface, &start)?)]),
            _ => Err(RecordError::NothingToCall { exports: interface.callable() }),
        };
    }
    let call = |call: &Invocation| {
        let within = |name: &str| call.function.strip_prefix(name)?.strip_prefix('.');
        // Of names that begin alike, the longest.
        let named = modules.iter().filter_map(|(name, module)| Some((name, module, within(name)?)));
        let named = named.max_by_key(|(name, ..)| name.len());
        let (name, module, function) = named.unwrap_or((last, main, &call.function));
        let invocation = Invocation { function: function.to_string(), arguments: call.arguments.clone() };
        Ok((name.clone(), plain_call(&Interface::of(module), &invocation)?))
    };
    calls.iter().map(call).collect()
}
