//! Values that never reach memory: the first function of both builds that returns another one for the same arguments.

use super::functions::FunctionMatch;
use super::pairing::Pairing;
use super::place::Counterpart;
use crate::side::Side;
use crate::timeline::Timeline;
use forkpoint_traces::{FuncIndex, WasmValue};
use serde::Serialize;
use std::collections::HashMap;

/// A call within a build, which has returned.
#[derive(Debug, Clone, PartialEq)]
pub struct ReturnedCall {
    /// The function.
    pub func: FuncIndex,
    /// What it was called with.
    pub arguments: Vec<WasmValue>,
    /// What it returned.
    pub results: Vec<WasmValue>,
}

/// A function of both builds that returned another value for the same arguments.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UnlikeReturn {
    /// The left build's function.
    pub function: FuncIndex,
    /// Its name.
    pub name: String,
    /// The right build's, and how it was found.
    pub counterpart: Counterpart,
    /// What both were called with.
    pub arguments: Vec<WasmValue>,
    /// The number of this call among those of the function with these arguments, from 1.
    pub nth: u64,
    /// What the left one returned.
    pub lhs: Vec<WasmValue>,
    /// What the right one returned.
    pub rhs: Vec<WasmValue>,
}

/// Calls by function and arguments, in words, since floats have no other order.
fn by_call(calls: &[ReturnedCall]) -> HashMap<(FuncIndex, String), Vec<&ReturnedCall>> {
    let mut all: HashMap<_, Vec<_>> = HashMap::new();
    for call in calls {
        all.entry((call.func, in_words(&call.arguments))).or_default().push(call);
    }
    all
}

fn in_words(values: &[WasmValue]) -> String {
    values.iter().map(|value| format!("{value:#} ")).collect()
}

/// The first function that returned another value, by the order in which calls of the left build returned, so that what it
/// called itself comes before it. A call counts that both builds made as often: an optimizer may drop calls, and make others of
/// them.
pub fn first_unlike_return(
    lhs: &Timeline,
    rhs: &Timeline,
    [left, right]: [&[ReturnedCall]; 2],
) -> Option<UnlikeReturn> {
    let mut pairing = Pairing::of(lhs, rhs);
    let (ours, theirs) = (by_call(left), by_call(right));
    let mut seen: HashMap<(FuncIndex, String), usize> = HashMap::new();
    for call in left {
        let arguments = in_words(&call.arguments);
        let nth = seen.entry((call.func, arguments.clone())).or_default();
        *nth += 1;
        let Some((function, by)) = pairing.counterpart(Side::Lhs, call.func) else { continue };
        let Some(others) = theirs.get(&(function, arguments.clone())) else { continue };
        let as_often = ours.get(&(call.func, arguments)).is_some_and(|calls| calls.len() == others.len());
        let other = others.get(*nth - 1).filter(|_| as_often);
        if let Some(other) = other.filter(|other| other.results != call.results && !only_nans(call, other)) {
            let name = |timeline: &Timeline, func| timeline.symbols().function_name(func);
            return Some(UnlikeReturn {
                function: call.func,
                name: name(lhs, call.func),
                counterpart: Counterpart { function, name: name(rhs, function), by },
                arguments: call.arguments.clone(),
                nth: *nth as u64,
                lhs: call.results.clone(),
                rhs: other.results.clone(),
            });
        }
    }
    None
}

/// Whether results differ in bits of NaNs only.
fn only_nans(lhs: &ReturnedCall, rhs: &ReturnedCall) -> bool {
    let nan = |value: &WasmValue| match value {
        WasmValue::F32(bits) => f32::from_bits(*bits).is_nan(),
        WasmValue::F64(bits) => f64::from_bits(*bits).is_nan(),
        _ => false,
    };
    let mut pairs = lhs.results.iter().zip(&rhs.results);
    lhs.results.len() == rhs.results.len() && pairs.all(|(left, right)| left == right || nan(left) && nan(right))
}

impl std::fmt::Display for UnlikeReturn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let values = |values: &[WasmValue]| values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let Counterpart { name, by, .. } = &self.counterpart;
        let (arguments, nth) = (values(&self.arguments), self.nth);
        let times = if nth > 1 { format!(", its call number {nth} with these") } else { String::new() };
        let how = match by {
            FunctionMatch::Shape => " (the same function, by shape: this may be a mistake)".to_string(),
            by => format!(" (the same function, by {by})"),
        };
        writeln!(f, "One function of both first returned another value for the same arguments:")?;
        writeln!(f, "  lhs {}({arguments}) returned {}{times}", self.name, values(&self.lhs))?;
        writeln!(f, "  rhs {name}({arguments}) returned {}{how}", values(&self.rhs))
    }
}
