//! Proposals of WebAssembly, switched on and off by one set of names for all engines, and what the specification
//! says of a module under them.

use crate::switch::{self, SEPARATORS, Switch, Unsigned};
use crate::validity::{CORE, Invalid, Validity};
use forkpoint_traces::Specification;
use serde::{Deserialize, Serialize};
use std::str::FromStr;
use wasmparser::WasmFeatures;

/// Every proposal that can be named.
const PROPOSALS: &[(&str, WasmFeatures)] = &[
    ("bulk-memory", WasmFeatures::BULK_MEMORY),
    ("custom-page-sizes", WasmFeatures::CUSTOM_PAGE_SIZES),
    ("exceptions", WasmFeatures::EXCEPTIONS),
    ("extended-const", WasmFeatures::EXTENDED_CONST),
    ("function-references", WasmFeatures::FUNCTION_REFERENCES),
    ("gc", WasmFeatures::GC),
    ("legacy-exceptions", WasmFeatures::LEGACY_EXCEPTIONS),
    ("memory64", WasmFeatures::MEMORY64),
    ("multi-memory", WasmFeatures::MULTI_MEMORY),
    ("multi-value", WasmFeatures::MULTI_VALUE),
    ("mutable-global", WasmFeatures::MUTABLE_GLOBAL),
    ("reference-types", WasmFeatures::REFERENCE_TYPES),
    ("relaxed-simd", WasmFeatures::RELAXED_SIMD),
    ("saturating-float-to-int", WasmFeatures::SATURATING_FLOAT_TO_INT),
    ("sign-extension", WasmFeatures::SIGN_EXTENSION),
    ("simd", WasmFeatures::SIMD),
    ("stack-switching", WasmFeatures::STACK_SWITCHING),
    ("tail-call", WasmFeatures::TAIL_CALL),
    ("threads", WasmFeatures::THREADS),
    ("wide-arithmetic", WasmFeatures::WIDE_ARITHMETIC),
];

/// Proposals switched on and off, as written on the command line: `+tail-call,-simd`. The last switch of a proposal
/// counts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct FeatureSwitches(Vec<Switch>);

/// Why a list of proposals is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{part}` is not a known proposal switch: write each as +NAME or -NAME, NAME one of {known}")]
pub struct FeatureError {
    part: String,
    known: String,
}

/// The proposal that a switch names, by wasmparser's name.
pub(crate) fn flag(switch: &Switch) -> WasmFeatures {
    flag_of(&switch.name)
}

/// A proposal by its name.
pub(crate) fn flag_of(name: &str) -> WasmFeatures {
    PROPOSALS.iter().find(|(known, _)| *known == name).map_or(WasmFeatures::empty(), |(_, flag)| *flag)
}

/// Parses `+gc,-simd`, proposals by an engine's own names. A name may be written with hyphens, as in `--features`, or
/// with underscores, as engines do: a hyphen belongs to a name if a known name continues with it.
///
/// # Errors
/// A sentence that names the part with the error.
pub(crate) fn own_names(list: &str) -> Result<Vec<Switch>, String> {
    let end = |text: &str| known_at(text).or_else(|| text.find(SEPARATORS)).unwrap_or(text.len());
    let parts = switch::split(list, end).map_err(|error| error.to_string())?;
    let switches = parts.into_iter().map(|(enabled, name)| {
        let name = name.replace('-', "_");
        match name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            true => Err(format!("`{name}` is not the name of a proposal; write it as `multi_memory`")),
            false => Ok(Switch { name, enabled }),
        }
    });
    switches.collect()
}

/// The length of the longest known proposal's name that `text` begins with, with hyphens or underscores; `None` if
/// there is none.
fn known_at(text: &str) -> Option<usize> {
    let hyphenated = text.replace('_', "-");
    let begins = |name: &&str| hyphenated.starts_with(name) && text[name.len()..].chars().take(1).all(is_separator);
    PROPOSALS.iter().map(|(name, _)| *name).filter(begins).map(str::len).max()
}

fn is_separator(c: char) -> bool {
    SEPARATORS.contains(&c) || c.is_whitespace()
}

impl FeatureError {
    fn new(part: String) -> FeatureError {
        let known: Vec<&str> = PROPOSALS.iter().map(|(name, _)| *name).collect();
        FeatureError { part, known: known.join(", ") }
    }
}

impl TryFrom<Vec<String>> for FeatureSwitches {
    type Error = FeatureError;

    fn try_from(words: Vec<String>) -> Result<FeatureSwitches, FeatureError> {
        words.iter().try_fold(FeatureSwitches::default(), |all, word| Ok(all.then(&word.parse()?)))
    }
}

impl From<FeatureSwitches> for Vec<String> {
    fn from(switches: FeatureSwitches) -> Vec<String> {
        switches.0.iter().map(ToString::to_string).collect()
    }
}

impl FromStr for FeatureSwitches {
    type Err = FeatureError;

    fn from_str(text: &str) -> Result<FeatureSwitches, FeatureError> {
        // An unknown name is quoted with its hyphens.
        let end = |text: &str| known_at(text).or_else(|| text.find([',', '+'])).unwrap_or(text.len());
        let parts = switch::split(text, end).map_err(|Unsigned(found)| FeatureError::new(found))?;
        let switches = parts.into_iter().map(|(enabled, name)| match known_at(name) {
            Some(length) if length == name.len() => Ok(Switch { name: name.replace('_', "-"), enabled }),
            _ => Err(FeatureError::new(Switch { name: name.escape_debug().to_string(), enabled }.to_string())),
        });
        match switches.collect::<Result<Vec<_>, _>>()? {
            none if none.is_empty() => Err(FeatureError::new(String::new())),
            switches => Ok(FeatureSwitches(switches)),
        }
    }
}

impl FeatureSwitches {
    /// These switches, followed by others.
    pub fn then(&self, others: &FeatureSwitches) -> FeatureSwitches {
        FeatureSwitches(self.0.iter().chain(&others.0).cloned().collect())
    }

    /// One switch per proposal: its last.
    pub fn switches(&self) -> impl Iterator<Item = &Switch> {
        let last = |(at, switch): &(usize, &Switch)| !self.0[at + 1..].iter().any(|later| later.name == switch.name);
        self.0.iter().enumerate().filter(last).map(|(_, switch)| switch)
    }

    /// Whether this proposal is switched off.
    pub(crate) fn switch_off(&self, name: &str) -> bool {
        self.switches().any(|switch| switch.name == name && !switch.enabled)
    }

    /// The notation of a trace's header.
    pub fn words(&self) -> Vec<String> {
        self.switches().map(ToString::to_string).collect()
    }

    /// What the specification says of a module: WebAssembly 3.0 with these switches.
    pub(crate) fn specification(&self, module: &Validity) -> Specification {
        let all = PROPOSALS.iter().fold(WasmFeatures::WASM3, |all, (_, flag)| all | *flag);
        let with = |set: WasmFeatures| {
            self.switches().fold(set, |set, switch| match switch.enabled {
                true => set | flag(switch),
                false => set - flag(switch),
            })
        };
        let base = with(CORE);
        let all = with(all);
        if module.with(base).is_ok() {
            return Specification::default();
        }
        if let Err(Invalid { message, offset, .. }) = module.with(all) {
            return Specification { invalid: Some((message, offset as u64)), beyond: Vec::new() };
        }
        let further = PROPOSALS.iter().filter(|(_, flag)| !base.contains(*flag) && all.contains(*flag));
        let needed = further.clone().filter(|(_, flag)| module.with(all - *flag).is_err());
        let mut beyond: Vec<String> = needed.map(|(name, _)| name.to_string()).collect();
        if beyond.is_empty() {
            // One of several is enough.
            beyond = further.map(|(name, _)| name.to_string()).collect();
        }
        Specification { invalid: None, beyond }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> FeatureSwitches {
        text.parse().expect("a list of proposals")
    }

    #[test]
    fn the_last_word_about_a_proposal_counts() {
        let switches = parse("+tail-call, -simd").then(&parse("-tail_call"));
        assert_eq!(switches.words(), ["-simd", "-tail-call"]);
        assert!(switches.switch_off("tail-call") && !switches.switch_off("gc"));
        for (wrong, named) in [
            ("", "``"),
            ("simd", "`simd`"),
            ("+nothing", "`+nothing`"),
            ("+simd,", "``"),
            ("-é", "`-é`"),
            ("+gc-tail-calls,-simd", "`-tail-calls`"),
            ("+gc,,-simd", "`,-simd`"),
        ] {
            let error = wrong.parse::<FeatureSwitches>().expect_err("no list of proposals").to_string();
            assert!(error.starts_with(named) && error.contains("tail-call"), "{wrong}: {error}");
        }
    }

    #[test]
    fn commas_between_proposals_are_optional() {
        let switches = parse("+multi-memory,-tail_call,+gc,-simd,-relaxed-simd");
        assert_eq!(parse("+multi-memory-tail_call+gc-simd-relaxed-simd"), switches);
        assert_eq!(switches.words(), ["+multi-memory", "-tail-call", "+gc", "-simd", "-relaxed-simd"]);
        let names = own_names("+multi_memories,-tail-call, -simd").expect("a list");
        assert_eq!(Switch::list(&names), "+multi_memories-tail_call-simd");
    }

    #[test]
    fn a_job_has_switches_as_words() {
        let switches = parse("+tail_call,-simd");
        let json = serde_json::to_string(&switches).expect("json");
        assert_eq!(json, r#"["+tail-call","-simd"]"#);
        assert_eq!(serde_json::from_str::<FeatureSwitches>(&json).expect("switches"), switches);
        assert!(serde_json::from_str::<FeatureSwitches>(r#"["+nothing"]"#).is_err());
    }

    #[test]
    fn hyphens_of_names_are_no_signs() {
        let names = own_names("+multi-memory-tail_call-simd").expect("a list");
        assert_eq!(Switch::list(&names), "+multi_memory-tail_call-simd");
        for wrong in ["simd", "+", "+a.b"] {
            assert!(own_names(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_specification_says_what_a_module_needs() {
        let verdict = |text: &str, switches: &FeatureSwitches| {
            let module: Vec<u8> = wat::parse_str(text).expect("a module");
            switches.specification(&Validity::new(module.into()))
        };
        let tail = "(module (func $f (return_call $f)))";
        let shared = "(module (memory 1 1 shared))";
        let none = FeatureSwitches::default();
        assert_eq!(verdict(tail, &none), Specification::default());
        let (message, offset) = verdict(tail, &parse("-tail-call")).invalid.expect("not valid without tail calls");
        assert!(message.contains("tail calls") && offset > 8, "{message} at {offset}");
        assert_eq!(verdict(shared, &none).beyond, ["threads"]);
        assert_eq!(verdict(shared, &parse("+threads")), Specification::default());
        assert!(verdict("(module (func (result i32)))", &none).invalid.is_some());
    }
}
