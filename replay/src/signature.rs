//! What makes two divergences, of two modules, look like one bug.

use crate::report::Report;
use crate::side::Side;
use crate::symbols::Symbols;
use forkpoint_traces::{CodeOffset, FuncIndex};
use serde::Serialize;
use std::fmt::Write;

/// The class of a divergence and what stands around it, without what differs from module to module: offsets, addresses,
/// values, names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Signature {
    /// The first 16 hexadecimal digits of the BLAKE3 hash of `words`.
    pub hash: String,
    /// Verdict and context: `value: f32x4.relaxed_madd v128.store`.
    pub words: String,
}

/// Instructions before and behind the one at the divergence that are part of the signature.
const BEFORE: usize = 3;
const BEHIND: usize = 1;

/// Most characters of an event or a message that are part of it.
const MOST: usize = 120;

impl Signature {
    /// A signature of these words.
    pub fn of_words(words: String) -> Signature {
        let hash = blake3::hash(words.as_bytes()).to_hex().as_str()[..16].to_string();
        Signature { hash, words }
    }

    /// That of a report's divergence; `None` where there is none. `module` is the one that both traces hold.
    pub fn of(report: &Report, module: &[u8]) -> Option<Signature> {
        let verdict = report.verdict?;
        let mut words = format!("{verdict}:");
        // Where a run ended and nothing says where, the last instruction before that is what there is.
        let last = || report.between.as_ref().and_then(|between| between.after.as_ref()?.site.as_ref());
        let place = report.site.as_ref().map(|site| ("", site)).or_else(|| Some((" after", last()?)));
        let instructions = place.map(|(after, site)| {
            let symbols = Symbols::new(module.to_vec());
            (after, around(&symbols, FuncIndex(site.function), CodeOffset(site.offset)))
        });
        if let Some((after, instructions)) = instructions.filter(|(_, instructions)| !instructions.is_empty()) {
            let _ = write!(words, "{after} {instructions};");
        }
        for name in Side::BOTH {
            let side = report.side(name);
            // An instruction's event is told by the instruction: all else in it are numbers.
            if side.address.is_some() {
                continue;
            }
            let event = if side.event.is_some() { side.nameless.as_str() } else { "nothing more" };
            // Nor is it the same bug only where the engine names the function in which it trapped.
            let kind = event.split(" in func[").next().unwrap_or_default();
            let kind = kind.split([';', '(', '"', '[']).next().unwrap_or_default();
            let _ = write!(words, " {name} {}", plain(kind));
            if let Some(message) = side.message.as_deref().filter(|_| side.is_rejected()) {
                let _ = write!(words, " ({})", plain(message));
            }
            words.push(';');
        }
        let words = words.trim_end_matches(';').to_string();
        Some(Signature::of_words(words))
    }
}

/// The instructions around an offset, by their mnemonics; the one itself stands in brackets.
fn around(symbols: &Symbols, func: FuncIndex, offset: CodeOffset) -> String {
    let Some(text) = symbols.wat(func) else { return String::new() };
    let lines: Vec<_> = text.lines.iter().filter(|line| line.offset.is_some()).collect();
    let Some(at) = lines.iter().position(|line| line.offset == Some(offset)) else { return String::new() };
    let shown = &lines[at.saturating_sub(BEFORE)..(at + 1 + BEHIND).min(lines.len())];
    let mnemonic = |text: &str| text.split_whitespace().next().unwrap_or_default().to_string();
    let words = shown.iter().map(|line| match line.offset == Some(offset) {
        true => format!("[{}]", mnemonic(&line.text)),
        false => mnemonic(&line.text),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// A text with every number, and every path, as one mark.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    for word in text.split_whitespace() {
        if !plain.is_empty() {
            plain.push(' ');
        }
        // A path's folders are a matter of the machine.
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

    #[test]
    fn numbers_and_folders_are_no_part_of_a_signature() {
        assert_eq!(plain("memory 0 has 65536 pages, at 0x4d) it"), "memory N has N pages, at N) it");
        assert_eq!(plain("loading /tmp/x1/module.cwasm: no"), "loading module.cwasm: no");
        assert!(plain(&"é".repeat(1000)).len() <= MOST);
        let [one, other] = ["value: a", "value: b"].map(|words| Signature::of_words(words.to_string()));
        assert!(one.hash != other.hash && one.hash.len() == 16);
    }
}
