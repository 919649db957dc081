//! Finds the module's frames among whatever else a command prints.

use crate::instrument::standalone::layout::{HEAD, MOST, checksum};
use std::io;

/// Bytes of other output that are kept.
const KEPT: usize = 16 << 10;
/// Most bytes of other output: a command that prints more is not waited for.
const MOST_NOISE: u64 = 256 << 20;

/// Frames and everything else, as they come.
pub(super) struct Scanner {
    magic: [u8; 16],
    pending: Vec<u8>,
    noise: Vec<u8>,
    noisy: u64,
    number: u32,
}

/// What is wrong with what a command prints.
pub(super) fn wrong(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.into())
}

/// The same, for an error.
pub(super) fn wrong_of(error: impl std::fmt::Display) -> io::Error {
    wrong(error.to_string())
}

impl Scanner {
    pub(super) fn new(magic: [u64; 2]) -> Scanner {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&magic[0].to_le_bytes());
        bytes[8..].copy_from_slice(&magic[1].to_le_bytes());
        Scanner { magic: bytes, pending: Vec::new(), noise: Vec::new(), noisy: 0, number: 0 }
    }

    /// The end of everything else that was printed.
    pub(super) fn noise(&self) -> Vec<u8> {
        let mut noise = self.noise.clone();
        noise.extend_from_slice(&self.pending[..self.pending.len().min(KEPT)]);
        noise
    }

    /// Takes what was printed next; `sink` gets each frame's kind and payload.
    ///
    /// # Errors
    /// When frames make no sense, and those of `sink`.
    pub(super) fn feed(
        &mut self,
        printed: &[u8],
        sink: &mut dyn FnMut(u32, &[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        self.pending.extend_from_slice(printed);
        let mut at = 0;
        loop {
            let rest = &self.pending[at..];
            let Some(found) = find(rest, &self.magic) else {
                // What the next piece may complete stays.
                let whole = rest.len().saturating_sub(self.magic.len() - 1);
                self.other(at, whole)?;
                at += whole;
                break;
            };
            self.other(at, found)?;
            at += found;
            let Some(head) = self.pending.get(at..at + HEAD as usize) else { break };
            let word = |place: usize| {
                head.get(place..).and_then(|rest| rest.first_chunk()).map_or(0, |word| u32::from_le_bytes(*word))
            };
            let (number, kind, length) = (word(16), word(20), word(24));
            let sum = u64::from(word(32)) | u64::from(word(36)) << 32;
            if number != self.number {
                return Err(wrong(format!("frame {number} where frame {} was expected", self.number)));
            }
            if length > MOST {
                return Err(wrong(format!("frame {number} claims {length} bytes, and there are at most {MOST}")));
            }
            let start = at + HEAD as usize;
            let Some(payload) = self.pending.get(start..start + length as usize) else { break };
            if checksum(number, kind, payload) != sum {
                return Err(wrong(format!("frame {number} has another checksum than its {length} bytes")));
            }
            self.number += 1;
            sink(kind, payload)?;
            at = start + length as usize;
        }
        self.pending.drain(..at);
        Ok(())
    }

    fn other(&mut self, at: usize, length: usize) -> io::Result<()> {
        self.noisy += length as u64;
        if self.noisy > MOST_NOISE {
            return Err(wrong(format!("more than {MOST_NOISE} bytes that are no frame")));
        }
        let from = at + length.saturating_sub(KEPT);
        self.noise.extend_from_slice(&self.pending[from..at + length]);
        self.noise.drain(..self.noise.len().saturating_sub(KEPT));
        Ok(())
    }
}

/// Where a text begins.
fn find(bytes: &[u8], text: &[u8; 16]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + bytes[from..].iter().position(|byte| *byte == text[0])?;
        if bytes.len() - at < text.len() {
            return None;
        }
        if bytes[at..].starts_with(text) {
            return Some(at);
        }
        from = at + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAGIC: [u64; 2] = [0x0102_0304_0506_0708, 0xfefd_fcfb_faf9_f8f7];

    fn frame(number: u32, kind: u32, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        MAGIC.iter().for_each(|word| bytes.extend_from_slice(&word.to_le_bytes()));
        for word in [number, kind, payload.len() as u32, 0] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.extend_from_slice(&checksum(number, kind, payload).to_le_bytes());
        bytes.extend_from_slice(payload);
        bytes
    }

    /// Frames, and everything else.
    type Scanned = (Vec<(u32, Vec<u8>)>, Vec<u8>);

    fn scan(printed: &[u8], piece: usize) -> io::Result<Scanned> {
        let mut scanner = Scanner::new(MAGIC);
        let mut frames = Vec::new();
        for piece in printed.chunks(piece) {
            scanner.feed(piece, &mut |kind, payload| {
                frames.push((kind, payload.to_vec()));
                Ok(())
            })?;
        }
        Ok((frames, scanner.noise()))
    }

    #[test]
    fn frames_are_found_among_other_output_however_it_is_cut() {
        let mut printed = b"warning: \x08\x07\x06\n".to_vec();
        printed.extend(frame(0, 7, b"hello, this is not a multiple of eight"));
        printed.extend(b"\x08\x07\x06\x05 noise");
        printed.extend(frame(1, 14, b""));
        printed.extend(b"=> 42\n");
        for piece in [1, 3, 17, 1000] {
            let (frames, noise) = scan(&printed, piece).expect("frames");
            assert_eq!(frames.len(), 2, "{piece}");
            assert_eq!((frames[0].0, frames[1].0), (7, 14));
            assert!(frames[0].1.ends_with(b"of eight"));
            assert_eq!(noise, b"warning: \x08\x07\x06\n\x08\x07\x06\x05 noise=> 42\n");
        }
    }

    #[test]
    fn lost_repeated_changed_and_endless_frames_are_noticed() {
        let whole = frame(0, 7, b"0123456789");
        let said = |printed: &[u8]| scan(printed, 64).expect_err("no sense").to_string();
        assert!(said(&frame(1, 7, b"x")).contains("frame 1 where frame 0"));
        assert!(said(&[whole.clone(), whole.clone()].concat()).contains("frame 0 where frame 1"));
        let mut long = whole.clone();
        long[24..28].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(said(&long).contains("claims 4294967295 bytes"));
        for at in 20..whole.len() {
            if (24..32).contains(&at) {
                continue;
            }
            let mut changed = whole.clone();
            changed[at] ^= 4;
            assert!(said(&changed).contains("checksum"), "{at}");
        }
    }
}
