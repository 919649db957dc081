//! How two builds differ in what an observer sees.

use super::walk::{Seen, Walk};
use crate::nan::NanBits;
use crate::symbols::printable;
use forkpoint_traces::{Argument, CallDifference, GlobalState, HostCall, Outcome, Step, TrapKind, WasmValue};
use serde::{Serialize, Serializer};
use std::collections::{BTreeMap, HashSet};

/// Most pairs of an address and a length of one call that are compared, as many as libraries allow (IOV_MAX).
const MOST_PAIRS: u64 = 1024;

macro_rules! verdicts {
    ($($name:ident $word:literal $meaning:literal;)*) => {
        /// In what two builds of a program differ first, of all that an observer sees; or why that is unknown.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum BuildVerdict {
            $(#[doc = $meaning] $name),*
        }

        impl BuildVerdict {
            /// Every verdict.
            pub const ALL: &'static [BuildVerdict] = &[$(BuildVerdict::$name),*];

            /// The word in kebab case, as `--json` has it.
            pub fn word(self) -> &'static str {
                match self { $(BuildVerdict::$name => $word),* }
            }

            /// Its meaning, in a few words.
            pub fn meaning(self) -> &'static str {
                match self { $(BuildVerdict::$name => $meaning),* }
            }
        }
    };
}

verdicts! {
    Result     "result"      "an export returned something else";
    HostCall   "host-call"   "the host was asked for something else";
    Trap       "trap"        "one build trapped and the other did not, or they trapped differently";
    Exit       "exit"        "one build ended itself and the other did not, or with another code";
    Growth     "growth"      "a memory grew differently";
    Global     "global"      "an exported global has another value at the end";
    Outcome    "outcome"     "the runs ended differently";
    ObserverEffect "observer-effect" "recording itself changes what the builds do";
    HostAnswer "host-answer" "the host answered each build differently, so what follows says nothing about the builds";
    Invocation "invocation"  "the builds were not called in the same way";
    Poisoned   "poisoned"    "one side ran out of memory or stack: the runs cannot be compared further";
    Timeout    "timeout"     "one side was ended from outside: the runs cannot be compared further";
    Unanswered "unanswered"  "the recorded host has no answer for the second build";
}

impl BuildVerdict {
    /// Whether it means that there is no answer.
    pub fn is_no_answer(self) -> bool {
        use BuildVerdict::{HostAnswer, Invocation, Poisoned, Timeout, Unanswered};
        matches!(self, HostAnswer | Invocation | Poisoned | Timeout | Unanswered)
    }
}

impl std::fmt::Display for BuildVerdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.word())
    }
}

impl Serialize for BuildVerdict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

/// A difference that an observer sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unlike {
    pub(super) verdict: BuildVerdict,
    /// What differs, as the end of a sentence.
    pub(super) what: String,
    /// Which of a host call's reads differs, if it is that.
    pub(super) read: Option<usize>,
}

impl Unlike {
    fn new(verdict: BuildVerdict, what: impl Into<String>) -> Option<Unlike> {
        Some(Unlike { verdict, what: what.into(), read: None })
    }
}

/// What an observer may overlook.
pub(super) struct Allowed {
    pub(super) nan_bits: NanBits,
    /// Whether addresses mean the same in both builds.
    pub(super) same_layout: bool,
    /// Results that differ in bits of NaNs only.
    pub(super) nans: u64,
    passed_on: HashSet<usize>,
    taken_over: Vec<Vec<bool>>,
    /// Exported globals: name, and index in each build.
    globals: Vec<(String, [u32; 2])>,
}

impl Allowed {
    pub(super) fn new(
        nan_bits: NanBits,
        same_layout: bool,
        steps: &[Step],
        globals: Vec<(String, [u32; 2])>,
    ) -> Allowed {
        let calls: BTreeMap<usize, usize> = (0..steps.len())
            .filter(|number| matches!(steps[*number], Step::Call(_)))
            .enumerate()
            .map(|(call, step)| (step, call))
            .collect();
        let needed = steps.iter().flat_map(Step::needs);
        let passed_on = needed.filter_map(|from| calls.get(&(from.step as usize)).copied()).collect();
        let taken = |step: &Step| match step {
            Step::Call(call) => {
                Some(call.arguments.iter().map(|argument| matches!(argument, Argument::Result(_))).collect())
            }
            Step::Put(_) => None,
        };
        let taken_over = steps.iter().filter_map(taken).collect();
        Allowed { nan_bits, same_layout, nans: 0, passed_on, taken_over, globals }
    }

    /// How what the two builds show differs.
    pub(super) fn unlike(&mut self, lhs: &Seen, rhs: &Seen, walks: [&Walk; 2]) -> Option<Unlike> {
        let same_trap = matches!((lhs, rhs), (Seen::Trapped(trap), Seen::Trapped(other)) if trap.may_be(*other));
        if let Some(verdict) = cut_short(lhs).or_else(|| cut_short(rhs)).filter(|_| !same_trap) {
            return Unlike::new(verdict, verdict.meaning());
        }
        match (lhs, rhs) {
            _ if same_trap => None,
            (Seen::Call { number, function, arguments }, Seen::Call { function: other, arguments: others, .. }) => {
                self.unlike_calls(*number, (function, arguments), (other, others))
            }
            (Seen::Returned { number, function, results }, Seen::Returned { results: others, .. }) => {
                if !self.same_layout && self.passed_on.contains(number) || self.same_values(results, others) {
                    return None;
                }
                Unlike::new(BuildVerdict::Result, format!("`{}` returned another result", printable(function)))
            }
            (Seen::Exited(code), Seen::Exited(other)) if code == other => None,
            (Seen::HostCall(call), Seen::HostCall(other)) => unlike_host_calls(call, other, walks),
            (Seen::HostAnswer { outcome, written, .. }, Seen::HostAnswer { outcome: other, written: others, .. }) => {
                if outcome == other && written == others {
                    return None;
                }
                let what =
                    if outcome == other { "the host wrote other bytes" } else { "the host returned otherwise" };
                Unlike::new(BuildVerdict::HostAnswer, what)
            }
            (Seen::Grown { memory, delta, before }, Seen::Grown { memory: other, delta: others, before: size }) => {
                if (memory, delta, before) == (other, others, size) {
                    return None;
                }
                Unlike::new(BuildVerdict::Growth, "memory grew differently")
            }
            (Seen::End { outcome, globals }, Seen::End { outcome: other, globals: others }) => {
                if !outcome.may_be(other) {
                    return Unlike::new(BuildVerdict::Outcome, "the runs ended differently");
                }
                self.unlike_globals(globals, others)
            }
            _ => unlike_kinds(lhs, rhs),
        }
    }

    fn unlike_calls(
        &mut self,
        number: usize,
        (function, arguments): (&str, &[WasmValue]),
        (other, others): (&str, &[WasmValue]),
    ) -> Option<Unlike> {
        let taken = self.taken_over.get(number).cloned().unwrap_or_default();
        // What an earlier call returned was compared there.
        let given = |values: &[WasmValue]| -> Vec<WasmValue> {
            let given = values.iter().enumerate().filter(|(at, _)| !taken.get(*at).copied().unwrap_or(false));
            given.map(|(_, value)| value.clone()).collect()
        };
        if function == other && arguments.len() == others.len() && given(arguments) == given(others) {
            return None;
        }
        let what = if function == other { "other arguments" } else { "another function" };
        Unlike::new(BuildVerdict::Invocation, format!("the next call is one with {what}"))
    }

    fn unlike_globals(&mut self, lhs: &[GlobalState], rhs: &[GlobalState]) -> Option<Unlike> {
        if !self.same_layout {
            // They may be addresses.
            return None;
        }
        let value = |globals: &[GlobalState], index: u32| {
            globals.iter().find(|global| global.index.0 == index).map(|global| global.value.clone())
        };
        let exported = self.globals.clone();
        let unlike = exported.into_iter().find_map(|(name, [left, right])| {
            let (left, right) = (value(lhs, left)?, value(rhs, right)?);
            (!self.same_values(std::slice::from_ref(&left), std::slice::from_ref(&right)))
                .then_some((name, left, right))
        });
        let (name, left, right) = unlike?;
        let [left, right] = [left, right].map(|value| printable(&value.to_string()));
        Unlike::new(
            BuildVerdict::Global,
            format!("the exported global `{}` is {left} at the end in lhs and {right} in rhs", printable(&name)),
        )
    }

    /// Whether values are the same, but for the bits of NaNs where these do not count.
    fn same_values(&mut self, lhs: &[WasmValue], rhs: &[WasmValue]) -> bool {
        if lhs == rhs {
            return true;
        }
        let nan = |value: &WasmValue| match value {
            WasmValue::F32(bits) => f32::from_bits(*bits).is_nan(),
            WasmValue::F64(bits) => f64::from_bits(*bits).is_nan(),
            _ => false,
        };
        let same = |(left, right): (&WasmValue, &WasmValue)| {
            left == right || nan(left) && nan(right) && std::mem::discriminant(left) == std::mem::discriminant(right)
        };
        let only_nans = self.nan_bits != NanBits::Stop && lhs.len() == rhs.len() && lhs.iter().zip(rhs).all(same);
        self.nans += u64::from(only_nans);
        only_nans
    }
}

/// Whether a run that ends like this says nothing about its build, and why.
fn cut_short(seen: &Seen) -> Option<BuildVerdict> {
    match seen {
        Seen::Trapped(TrapKind::StackOverflow | TrapKind::OutOfMemory)
        | Seen::End { outcome: Outcome::OutOfMemory, .. } => Some(BuildVerdict::Poisoned),
        Seen::End { outcome: Outcome::TimedOut | Outcome::Interrupted, .. } => Some(BuildVerdict::Timeout),
        Seen::End { outcome: Outcome::Unanswered, .. } => Some(BuildVerdict::Unanswered),
        _ => None,
    }
}

/// One build does something that the other does not do now.
fn unlike_kinds(lhs: &Seen, rhs: &Seen) -> Option<Unlike> {
    let either = |test: fn(&Seen) -> bool| test(lhs) || test(rhs);
    let (verdict, what) = if either(|seen| matches!(seen, Seen::Trapped(_))) {
        (BuildVerdict::Trap, "one build traps and the other goes on")
    } else if either(|seen| matches!(seen, Seen::HostCall(_))) {
        (BuildVerdict::HostCall, "one build calls its host and the other does not")
    } else if either(|seen| matches!(seen, Seen::Exited(_))) {
        (BuildVerdict::Exit, "the builds end themselves differently")
    } else if either(|seen| matches!(seen, Seen::Grown { .. })) {
        (BuildVerdict::Growth, "a memory grows in one build only")
    } else if either(|seen| matches!(seen, Seen::HostAnswer { .. })) {
        (BuildVerdict::HostAnswer, "the host answers one build only")
    } else if either(|seen| matches!(seen, Seen::End { .. })) {
        (BuildVerdict::Outcome, "one run is over and the other is not")
    } else {
        (BuildVerdict::Invocation, "the next call is missing on one side")
    };
    Unlike::new(verdict, what)
}

fn unlike_host_calls(lhs: &HostCall, rhs: &HostCall, walks: [&Walk; 2]) -> Option<Unlike> {
    let signature = lhs.signature();
    let words = match lhs.difference(rhs) {
        None => return unlike_buffers(lhs, rhs, walks),
        Some(CallDifference::Function) => "another function of the host is called".to_string(),
        Some(CallDifference::Argument(at)) => match signature.and_then(|signature| signature.get(at)) {
            Some((name, _)) => format!("the argument `{name}` differs"),
            None => format!("argument {} differs", at + 1),
        },
        Some(CallDifference::Reads) => "the call reads another number of buffers".to_string(),
        Some(CallDifference::Read { number, .. }) => {
            let what = "the host is given other bytes".to_string();
            return Some(Unlike { verdict: BuildVerdict::HostCall, what, read: Some(number) });
        }
    };
    let exits = signature.is_some() && lhs.import == rhs.import && lhs.import.name == "proc_exit";
    Unlike::new(if exits { BuildVerdict::Exit } else { BuildVerdict::HostCall }, words)
}

/// The lengths of buffers that the host is to fill are in memory only.
fn unlike_buffers(lhs: &HostCall, rhs: &HostCall, walks: [&Walk; 2]) -> Option<Unlike> {
    let [left, right] = [(lhs, walks[0]), (rhs, walks[1])].map(|(call, walk)| lengths(call, walk));
    if left == right {
        return None;
    }
    Unlike::new(BuildVerdict::HostCall, "the host is asked to fill buffers of other lengths")
}

fn lengths(call: &HostCall, walk: &Walk) -> Vec<u32> {
    let Some((address, count)) = call.scattered() else { return Vec::new() };
    let mut pairs = vec![0; 8 * count.min(MOST_PAIRS) as usize];
    let Some(memory) = walk.wasi_memory else { return Vec::new() };
    walk.image.read(memory, address, &mut pairs);
    pairs.as_chunks::<8>().0.iter().map(|pair| u32::from_le_bytes([pair[4], pair[5], pair[6], pair[7]])).collect()
}

/// Whether one of the arguments of a host call of which nothing is known may be an address.
pub(super) fn is_unknown(call: &HostCall) -> bool {
    call.signature().is_none() && !call.arguments.is_empty()
}
