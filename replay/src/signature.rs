//! What makes two divergences, of two modules, look like one bug.

use crate::report::{Report, SideReport};
use crate::side::Side;
use crate::symbols::Symbols;
use crate::verdict::Verdict;
use forkpoint_traces::{
    CodeOffset, Event, FuncIndex, GuestOutcome, HostEvent, HostOutcome, Import, Milestone, Outcome, printable,
};
use serde::Serialize;
use std::fmt::Write;

/// The class of a divergence and its surroundings, without what differs from module to module: offsets, addresses,
/// values, names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Signature {
    /// The first 16 hexadecimal digits of the BLAKE3 hash of `words`.
    pub hash: String,
    /// Verdict and context: `value: f32x4.relaxed_madd v128.store`.
    pub words: String,
}

/// In which way two runs diverge: the verdict, the instruction, and what each side did instead of it. Coarser than a
/// [`Signature`], so that a module keeps it while it is being reduced.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Likeness(
    /// `value: i32.store`, `trap: i32.div_u; lhs trap`.
    pub String,
);

impl Likeness {
    /// The likeness of a report's divergence; `None` if there is none.
    pub fn of(report: &Report) -> Option<Likeness> {
        let instruction = report.site.as_ref().map(|site| mnemonic(&site.instruction));
        // What a side that goes on does next is chance, and so is which trap ends one that has gone astray.
        let ends_only = matches!(report.verdict, Some(Verdict::Trap | Verdict::Crash));
        Some(Likeness(words(report, instruction, ends_only)?))
    }
}

impl std::fmt::Display for Likeness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Instructions before and after the one at the divergence that are part of the signature.
const BEFORE: usize = 3;
const AFTER: usize = 1;

/// Most characters of an event or a message that are part of it.
const MOST: usize = 120;

impl Signature {
    /// A signature of these words.
    pub fn of_words(words: String) -> Signature {
        let hash = blake3::hash(words.as_bytes()).to_hex().as_str()[..16].to_string();
        Signature { hash, words }
    }

    /// The signature of a report's divergence; `None` if there is none. `symbols` are those of the module in both
    /// traces.
    pub fn of(report: &Report, symbols: &Symbols) -> Option<Signature> {
        // If nothing shows where a run ended, the last instruction before that has to do.
        let last = || report.between.as_ref().and_then(|between| between.after.as_ref()?.site.as_ref());
        let place = report.site.as_ref().map(|site| ("", site)).or_else(|| Some((" after", last()?)));
        let instructions = place.map(|(after, site)| (after, around(symbols, site.place)));
        let instructions = instructions.filter(|(_, instructions)| !instructions.is_empty());
        let place =
            instructions.map(|(after, instructions)| format!("{after} {instructions}").trim_start().to_string());
        Some(Signature::of_words(words(report, place, false)?))
    }
}

/// A verdict, a place, and what each side did if that is not what the place says; with `ends_only`, only traps and ends.
fn words(report: &Report, place: Option<String>, ends_only: bool) -> Option<String> {
    let mut words = format!("{}:", report.verdict?.word());
    if let Some(place) = place {
        let _ = write!(words, " {place};");
    }
    for name in Side::BOTH {
        let side = report.side(name);
        // The instruction implies what its event is: all else in it are numbers.
        let is_end =
            side.shape.as_ref().is_some_and(|shape| shape.0.starts_with("trap") || shape.0.starts_with("end"));
        if side.address.is_some() || ends_only && !is_end {
            continue;
        }
        let shape = side.shape.as_ref().map_or("nothing", |shape| shape.0.as_str());
        // A run that has gone astray traps in one way or another.
        let shape = if ends_only && shape.starts_with("trap") { "trap" } else { shape };
        let _ = write!(words, " {name} {shape}");
        if let (Some(message), Some(Outcome::Rejected { .. })) = (&side.message, &side.outcome) {
            let _ = write!(words, " ({})", plain(message));
        }
        // Of a script, the engine's words about the directive in which the runs part.
        if let Some(said) = said(report, side) {
            let _ = write!(words, " ({})", plain(said));
        }
        words.push(';');
    }
    Some(words.trim_end_matches(';').to_string())
}

/// What an engine said of the module of the directive in which the runs part, if it refused it.
fn said<'a>(report: &Report, side: &'a SideReport) -> Option<&'a str> {
    side.shape.as_ref().filter(|shape| shape.is_refused())?;
    let line = report.directive.as_ref()?.split_once(": ")?.0;
    let said = |message: &'a str| message.strip_prefix(line)?.strip_prefix(": ");
    side.message.as_ref()?.lines().find_map(said)
}

/// An event's kind without what differs from module to module, built from data: what people read may be reworded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EventShape(String);

impl EventShape {
    /// Whether a module of a script was refused.
    fn is_refused(&self) -> bool {
        self.0.starts_with("refused")
    }

    pub(crate) fn of(event: &Event) -> EventShape {
        let kind = event.kind();
        EventShape(match event {
            Event::Grow { result, .. } => format!("{kind} {}", if result.is_some() { "granted" } else { "refused" }),
            Event::Host(HostEvent::Call(call)) => format!("{kind} {}", import(&call.import)),
            Event::Host(HostEvent::Return { import: returned, outcome }) => {
                let how = match outcome {
                    HostOutcome::Returned(_) => "returned",
                    HostOutcome::Trapped(_) => "trapped",
                    HostOutcome::Exited(_) => "exited",
                };
                format!("{kind} {} {how}", import(returned))
            }
            Event::Host(HostEvent::Leave { outcome: GuestOutcome::Trapped(trap), .. }) => {
                format!("{kind} {}", trap.name())
            }
            // Two traps are one bug even if only one engine names the function.
            Event::Milestone(Milestone::Trapped { trap, .. }) => format!("{kind} {}", trap.name()),
            Event::Milestone(Milestone::Accepted { stage } | Milestone::Refused { stage }) => {
                format!("{kind} {stage}")
            }
            Event::Milestone(Milestone::Judged { passed }) => format!("{kind} {passed}"),
            Event::Milestone(Milestone::End { outcome, .. }) => format!("{kind} {}", ended(outcome)),
            _ => kind.to_string(),
        })
    }
}

/// An import by its names, without what may differ between modules.
fn import(import: &Import) -> String {
    plain(&printable(&import.to_string()))
}

fn ended(outcome: &Outcome) -> String {
    let kind = outcome.kind();
    match outcome {
        Outcome::Trapped { trap } => format!("{kind} {}", trap.name()),
        Outcome::Rejected { stage } => format!("{kind} {stage}"),
        Outcome::Crashed { signal: Some(signal) } => format!("{kind} {signal}"),
        _ => kind.to_string(),
    }
}

/// The instructions around an offset, by their mnemonics; the instruction itself is in brackets.
fn around(symbols: &Symbols, (func, offset): (FuncIndex, CodeOffset)) -> String {
    let Some(text) = symbols.wat(func) else { return String::new() };
    let lines: Vec<_> = text.lines.iter().filter(|line| line.offset.is_some()).collect();
    let Some(at) = lines.iter().position(|line| line.offset == Some(offset)) else { return String::new() };
    let shown = &lines[at.saturating_sub(BEFORE)..(at + 1 + AFTER).min(lines.len())];
    let words = shown.iter().map(|line| match line.offset == Some(offset) {
        true => format!("[{}]", mnemonic(&line.text)),
        false => mnemonic(&line.text),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// The first word of an instruction.
fn mnemonic(text: &str) -> String {
    text.split_whitespace().next().unwrap_or_default().to_string()
}

/// A text with every number, and every path, as one mark.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    for word in text.split_whitespace() {
        if !plain.is_empty() {
            plain.push(' ');
        }
        // A path's folders depend on the machine.
        let word = word.rsplit('/').next().unwrap_or(word);
        let (hex, word) = word.strip_prefix("0x").map_or((false, word), |word| (true, word));
        let mut number = false;
        for c in word.chars() {
            let digit = c.is_ascii_digit() || hex && c.is_ascii_hexdigit();
            match (digit, number) {
                (true, true) => {}
                (true, false) => plain.push('N'),
                (false, _) => plain.push(c),
            }
            number = digit;
        }
        if plain.len() > MOST {
            plain.truncate(plain.floor_char_boundary(MOST));
            break;
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use forkpoint_traces::{TrapKind, WasmValue};

    #[test]
    fn numbers_and_folders_are_no_part_of_a_signature() {
        assert_eq!(plain("memory 0 has 65536 pages, at 0x4d) it"), "memory N has N pages, at N) it");
        assert_eq!(plain("loading /tmp/x1/module.cwasm: no"), "loading module.cwasm: no");
        assert!(plain(&"é".repeat(1000)).len() <= MOST);
        let [one, other] = ["value: a", "value: b"].map(|words| Signature::of_words(words.to_string()));
        assert!(one.hash != other.hash && one.hash.len() == 16);
    }

    /// What people read is not part of it: only data types are.
    #[test]
    fn events_have_shapes_without_values() {
        let shape = |milestone| EventShape::of(&Event::Milestone(milestone)).0;
        let trapped = |func| Milestone::Trapped { trap: TrapKind::IndirectCall, func, offset: None };
        assert_eq!(shape(trapped(None)), "trap IndirectCall");
        assert_eq!(shape(trapped(Some(FuncIndex(3)))), shape(trapped(None)));
        let end = |outcome, tables| Milestone::End { outcome, memories: vec![], globals: vec![], tables };
        assert_eq!(shape(end(Outcome::Crashed { signal: Some(11) }, vec![])), "end crashed 11");
        assert_eq!(shape(end(Outcome::Finished, vec![1])), shape(end(Outcome::Finished, vec![2])));
        let returned = |value| Milestone::Returned { results: vec![WasmValue::I32(value)] };
        assert_eq!(shape(returned(1)), shape(returned(-7)));
    }
}
