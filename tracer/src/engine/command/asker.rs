//! Asks a command one thing a run, and reads its answer out of whatever it prints, or out of its exit status.

use super::ending::Ending;
use super::failure::Failure;
use super::process::{Go, Status};
use super::runs::{Ran, Runs};
use super::scanner::wrong;
use crate::instrument::standalone::{Answers, Asked, Form, Query, What, answering, check};
use crate::job::Run;
use crate::spec::Way;

/// A run that ends before it begins, and does not trap.
const END_AT_ONCE: Query = Query { at: 0, what: What::Returns, form: Form::Trap { shift: 0, mask: 0, expected: 0 } };

/// Most bytes that are read of what a command prints for one answer.
const MOST_PRINTED: usize = 1 << 20;

/// How answers come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// Printed, 32 bits at a time, or 16.
    Printed { long: bool },
    /// As the exit status, six bits at a time.
    Status,
    /// By success or failure.
    Outcome,
}

impl Reading {
    /// The ways that need a reference.
    pub(super) fn of(way: Way) -> Option<Reading> {
        match way {
            Way::Stream => None,
            Way::Answer => Some(Reading::Printed { long: true }),
            Way::Status => Some(Reading::Status),
            Way::Outcome => Some(Reading::Outcome),
        }
    }

    /// Bits of a word that one run gives.
    fn bits(self) -> u32 {
        match self {
            Reading::Printed { long: true } => 32,
            Reading::Printed { long: false } => 16,
            Reading::Status => 6,
            Reading::Outcome => 1,
        }
    }
}

/// What a run gave.
pub(super) enum Answer {
    /// Bits of the word.
    Bits(u64),
    /// None: the guest ended before, or the engine failed.
    None,
}

/// Asks about one module.
pub(super) struct Asker<'a> {
    pub(super) runs: Runs<'a>,
    pub(super) module: &'a [u8],
    pub(super) run: &'a Run,
    pub(super) answers: &'a Answers,
    pub(super) masks: &'a [[u64; 3]],
    /// Names of the function that the command runs.
    pub(super) entries: Vec<&'a str>,
    pub(super) reading: Reading,
}

impl Asker<'_> {
    /// Finds out in which form numbers are printed, if they are.
    ///
    /// # Errors
    /// As [`Asker::is`], and when there is no answer at all.
    pub(super) fn settle(&mut self) -> Result<(), Failure> {
        let is_there = What::Reached { count: 0 };
        if self.reading == (Reading::Printed { long: true }) && self.word(0, is_there, 32)? != Some(1) {
            self.reading = Reading::Printed { long: false };
        }
        if self.is(0, is_there)? == Some(true) {
            // What always succeeds says nothing by it.
            if self.reading == Reading::Outcome && self.equals(0, is_there, 0, 1, 0)? {
                return Err(Failure::Failed(
                    "the command exits with success where the guest traps, so it gives no answer this way"
                        .to_string(),
                ));
            }
            return Ok(());
        }
        let ran = self.ran(END_AT_ONCE)?;
        Err(Failure::Failed(format!("the command gives no answer this way: {}", ran.words())))
    }

    /// Whether the whole run comes to its end, and if not, how it ends.
    ///
    /// # Errors
    /// As [`Asker::is`].
    pub(super) fn finishes(&mut self) -> Result<Result<(), (Ending, Ran)>, Failure> {
        if self.is(u64::MAX, What::Reached { count: 0 })? == Some(true) {
            return Ok(Ok(()));
        }
        let ran = self.ran(Query { at: u64::MAX, ..END_AT_ONCE })?;
        Ok(Err((Ending::unfinished(ran.ended.status, &ran.said()), ran)))
    }

    /// Whether something is so: one run. `None` if there is no answer.
    ///
    /// # Errors
    /// When the command cannot be run, or the run is to end.
    pub(super) fn is(&mut self, at: u64, what: What) -> Result<Option<bool>, Failure> {
        match self.reading {
            Reading::Outcome => Ok(Some(self.equals(at, what, 0, 1, 1)?)),
            _ => Ok(match self.part(at, what, 0)? {
                Answer::Bits(bits) => Some(bits == 1),
                Answer::None => None,
            }),
        }
    }

    /// A word of which `bits` bits may be other than 0. `None` if there is no answer.
    ///
    /// # Errors
    /// As [`Asker::is`].
    pub(super) fn word(&mut self, at: u64, what: What, bits: u32) -> Result<Option<u64>, Failure> {
        let each = self.reading.bits();
        let mut word = 0u64;
        for part in 0..bits.div_ceil(each) {
            let found = match self.reading {
                Reading::Outcome => u64::from(self.equals(at, what, part, 1, 1)?),
                _ => match self.part(at, what, part)? {
                    Answer::Bits(bits) => bits,
                    Answer::None => return Ok(None),
                },
            };
            word |= found.checked_shl(each * part).unwrap_or(0);
        }
        Ok(Some(word))
    }

    /// The word, which is probably `expected`: one run if so, where that is enough to tell.
    ///
    /// # Errors
    /// As [`Asker::is`].
    pub(super) fn guessed(&mut self, at: u64, what: What, bits: u32, expected: u64) -> Result<Option<u64>, Failure> {
        if self.reading == Reading::Outcome && self.equals(at, what, 0, u64::MAX, expected)? {
            return Ok(Some(expected));
        }
        self.word(at, what, bits)
    }

    /// Whether bits of a word are as expected, by success or failure.
    fn equals(&mut self, at: u64, what: What, shift: u32, mask: u64, expected: u64) -> Result<bool, Failure> {
        let ran = self.ran(Query { at, what, form: Form::Trap { shift, mask, expected } })?;
        Ok(ran.ended.status == Status::Code(0))
    }

    /// Some bits of a word.
    fn part(&mut self, at: u64, what: What, part: u32) -> Result<Answer, Failure> {
        let nonce = fastrand::u64(1..);
        let form = match self.reading {
            Reading::Printed { long: true } => Form::Long { part, nonce },
            Reading::Printed { long: false } => Form::Short { part, nonce },
            _ => Form::Status { part },
        };
        let ran = self.ran(Query { at, what, form })?;
        let bits = match (form, ran.ended.status) {
            (Form::Status { .. }, Status::Code(code @ 64..=127)) => Some(code as u64 & 63),
            (Form::Long { nonce, .. }, _) => found(&ran, nonce, 32),
            (Form::Short { nonce, .. }, _) => found(&ran, nonce, 16),
            _ => None,
        };
        Ok(bits.map_or(Answer::None, Answer::Bits))
    }

    /// One run.
    pub(super) fn ran(&mut self, query: Query) -> Result<Ran, Failure> {
        let asked = Asked { run: self.run, answers: self.answers, masks: self.masks, entries: &self.entries, query };
        let module = answering(self.module, &asked)?;
        let mut printed = Vec::new();
        let entry = self.entries.first().copied().unwrap_or_default();
        let (ended, step, steps) = self.runs.run(&module, entry, &[], &mut |piece| {
            printed.extend_from_slice(piece);
            if printed.len() > MOST_PRINTED {
                return Err(wrong(format!(
                    "the command prints more than {MOST_PRINTED} bytes where one number was asked for"
                )));
            }
            Ok(Go::On)
        })?;
        if self.runs.stops() {
            return Err(Failure::Stopped);
        }
        Ok(Ran { ended, noise: printed, step, steps, folder: self.runs.shown_folder() })
    }
}

/// The answer among the numbers that were printed: the one with the right checksum.
fn found(ran: &Ran, nonce: u64, bits: u32) -> Option<u64> {
    let mask = (1 << bits) - 1;
    let answer = |number: u64| {
        let payload = number & mask;
        let whole = if bits == 32 { number } else { number & 0xffff_ffff };
        (whole >> bits == check(nonce, payload) & mask).then_some(payload)
    };
    numbers(&ran.noise).chain(numbers(&ran.ended.stderr)).find_map(answer)
}

/// Every number in a text, in decimal or hexadecimal.
fn numbers(text: &[u8]) -> impl Iterator<Item = u64> + '_ {
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-' || *byte == b'_';
    text.split(move |byte| !word(byte)).filter(|word| word.len() <= 24).flat_map(|word| {
        let text = String::from_utf8_lossy(word).into_owned();
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits.to_string()),
            None => (false, text),
        };
        // `123n` is JavaScript's.
        let decimal = digits.strip_suffix('n').unwrap_or(&digits).parse::<u64>().ok();
        let hex = digits.strip_prefix("0x").unwrap_or(&digits);
        let hex = u64::from_str_radix(hex, 16).ok();
        let signed = move |number: u64| if negative { number.wrapping_neg() } else { number };
        [decimal, hex].into_iter().flatten().map(signed)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_however_they_are_printed() {
        let all = |text: &str| numbers(text.as_bytes()).collect::<Vec<_>>();
        assert!(all("main() => i64:18446744073709551615\n").contains(&u64::MAX));
        assert!(all("0x2a:i32").contains(&42));
        assert!(all("Result: -1").contains(&u64::MAX));
        assert!(all("[ 123n ]").contains(&123));
        assert!(all("0xffffffffffffffff").contains(&u64::MAX));
        assert!(all("no number here: xyz").is_empty());
    }
}
