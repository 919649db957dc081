//! Differences that the specification allows: where it leaves a result open, two engines that differ are both right.

use crate::symbols::{Symbols, printable};
use crate::verdict::Verdict;
use forkpoint_traces::{Event, FuncIndex, Milestone, Specification, TrapKind};
use serde::Serialize;
use wasmparser::{Validator, WasmFeatures};

/// Whether the specification surely allows a difference, or may, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Allowed {
    /// Whether it is certain.
    pub certain: bool,
    /// Why, as a sentence without its end.
    pub why: String,
}

/// Whether the specification allows a divergence; `site` is the function of its instruction, if it has one.
pub(crate) fn allowed(
    verdict: Verdict,
    site: Option<FuncIndex>,
    symbols: &Symbols,
    specification: &Specification,
) -> Option<Allowed> {
    match verdict {
        Verdict::Validation | Verdict::Compilation if !specification.beyond.is_empty() => {
            let why = format!("an engine need not have {}", printable(&specification.beyond.join(" and ")));
            return Some(Allowed { certain: false, why });
        }
        Verdict::NanBits => {
            return Some(Allowed {
                certain: true,
                why: "it leaves the sign and the payload of NaNs open".to_string(),
            });
        }
        // These are about what an engine accepts, holds or answers, not about what an instruction computes.
        Verdict::Validation
        | Verdict::Compilation
        | Verdict::Instantiation
        | Verdict::PageLimit
        | Verdict::InitialSize
        | Verdict::DataInit
        | Verdict::UncommittedStore
        | Verdict::UnrecordedWrite
        | Verdict::Instance
        | Verdict::OutOfBounds
        | Verdict::MemorySize
        | Verdict::Crash
        | Verdict::Invocation
        | Verdict::HostWrite
        | Verdict::Poisoned
        | Verdict::Timeout => return None,
        _ => {}
    }
    let in_function = site.and_then(|func| {
        let text = symbols.wat(func)?;
        let line = text.lines.iter().find(|line| line.offset.is_some() && line.text.contains("relaxed_"))?;
        let mnemonic = line.text.split_whitespace().next()?.to_string();
        Some(format!("{} uses {mnemonic}, whose result it leaves open", symbols.function_name(func)))
    });
    let why = in_function.or_else(|| {
        symbols
            .modules()
            .any(uses_relaxed_simd)
            .then(|| "the module uses relaxed SIMD, whose results it leaves open".to_string())
    })?;
    Some(Allowed { certain: false, why })
}

/// Two traps of different kinds. If both sides trap at one instruction, they only name the trap differently; if a
/// place is unknown, they may.
pub(crate) fn trapped_otherwise(lhs: Option<&Event>, rhs: Option<&Event>) -> Option<Allowed> {
    let trap = |event: Option<&Event>| match event {
        // These are about a run's resources and its host, not about an instruction; an exception is not a trap.
        Some(Event::Milestone(Milestone::Trapped {
            trap: TrapKind::StackOverflow | TrapKind::OutOfMemory | TrapKind::HostError | TrapKind::UncaughtException,
            ..
        })) => None,
        Some(Event::Milestone(Milestone::Trapped { func, offset, .. })) => Some(func.zip(*offset)),
        _ => None,
    };
    let (here, there) = (trap(lhs)?, trap(rhs)?);
    let certain = here.is_some() && there.is_some();
    (here == there || !certain).then(|| Allowed {
        certain,
        why: "it defines where an instruction traps, but not the trap's name".to_string(),
    })
}

/// Whether the module has a relaxed SIMD instruction: it is valid with that proposal, and not without.
fn uses_relaxed_simd(module: &[u8]) -> bool {
    let valid = |features| Validator::new_with_features(features).validate_all(module).is_ok();
    let all = WasmFeatures::all();
    !valid(all - WasmFeatures::RELAXED_SIMD) && valid(all)
}
