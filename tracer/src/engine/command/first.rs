//! The run that is recorded: what the module tells goes to the recorder as it comes.

use super::hosting::{Answered, Asked, Hosting};
use super::process::Go;
use super::scanner::wrong;
use super::tale::{Tale, values};
use crate::instrument::standalone::Types;
use crate::instrument::{HOOK_SIZE, MARK_HOOK, NOTE_HOOK};
use crate::link::Out;
use crate::protocol::{HostEnd, Message};
use forkpoint_traces::{SiteId, Stage, TrapKind};
use std::io;
use xxhash_rust::xxh3::Xxh3;

/// How far the run has come, and what it told last.
pub(super) struct First<'a> {
    pub(super) types: &'a Types,
    pub(super) hosting: &'a mut Hosting,
    pub(super) out: &'a mut Out,
    /// Whether the module ran at all, was instantiated, and said everything.
    pub(super) began: bool,
    pub(super) instantiated: bool,
    pub(super) ended: bool,
    /// Bytes of records, and their digest.
    pub(super) records: u64,
    pub(super) sum: Xxh3,
    /// Host calls so far, and whether the last of them came after all records.
    pub(super) calls: u32,
    pub(super) call_was_last: bool,
    /// The call of the run that goes on.
    pub(super) current: Option<Option<u32>>,
    pub(super) mark: Option<u32>,
    /// The number of a site that the module does not have, if the hook was called with one.
    pub(super) odd: Option<u32>,
    /// A host call that the module has not answered.
    pub(super) asked: Option<Asked>,
    /// Whether that call, or the last one, can only be judged by all of memory.
    pub(super) unclear: bool,
    /// Why the guest ends, if a host call ends it.
    end: Option<HostEnd>,
    memory: u32,
}

impl<'a> First<'a> {
    pub(super) fn new(types: &'a Types, hosting: &'a mut Hosting, out: &'a mut Out) -> First<'a> {
        First {
            types,
            hosting,
            out,
            began: false,
            instantiated: false,
            ended: false,
            records: 0,
            sum: Xxh3::new(),
            calls: 0,
            call_was_last: false,
            current: None,
            mark: None,
            odd: None,
            asked: None,
            unclear: false,
            end: None,
            memory: 0,
        }
    }

    /// Takes what the module tells next.
    pub(super) fn tale(&mut self, tale: Tale) -> io::Result<Go> {
        if self.ended {
            return Err(wrong("a frame after the last one"));
        }
        match tale {
            Tale::Begin => {
                self.began = true;
                self.out.message(&Message::Accepted(Stage::Validate))?;
                self.out.message(&Message::Accepted(Stage::Compile))?;
            }
            // It found another call than the log has.
            Tale::Image { .. } if self.asked.is_some() => {
                self.unclear = true;
                return Ok(Go::End);
            }
            Tale::Image { memory, pages } => {
                if let Some(end) = self.end.take() {
                    self.leave(end)?;
                }
                self.memory = memory;
                self.out.message(&Message::Image { memory, pages })?;
            }
            Tale::Blocks(blocks) => {
                blocks.into_iter().try_for_each(|(address, bytes)| self.out.image(self.memory, address, bytes))?;
            }
            Tale::ImageEnd => self.out.message(&Message::ImageEnd)?,
            Tale::Instantiated => {
                self.instantiated = true;
                self.out.message(&Message::Instantiated)?;
            }
            Tale::Call(number) => {
                self.current = Some(number);
                self.mark = None;
                self.out.message(&Message::Call(number))?;
            }
            Tale::Records(records) => {
                let (sound, odd) = sound(records, self.types.sites);
                self.records += sound.len() as u64;
                self.sum.update(sound);
                self.call_was_last &= sound.is_empty();
                if !sound.is_empty() {
                    self.out.hooks(sound)?;
                }
                if odd.is_some() {
                    self.odd = odd;
                    return Ok(Go::End);
                }
            }
            Tale::Returned(bytes) => {
                let number = self.current.take().ok_or_else(|| wrong("a return outside of calls"))?;
                let types = number.and_then(|number| self.types.calls.get(number as usize));
                let values = values(types.map_or(&[], Vec::as_slice), bytes)?;
                self.out.message(&Message::Returned(values))?;
            }
            Tale::HostCall { function, arguments } => {
                self.asked = Some(Asked { function, arguments, reads: Vec::new() });
            }
            Tale::Read { memory, address, bytes } => {
                let asked = self.asked.as_mut().ok_or_else(|| wrong("bytes outside of a host call"))?;
                asked.read(memory, address, bytes);
            }
            Tale::Served => {
                let asked = self.asked.take().ok_or_else(|| wrong("the end of no host call"))?;
                match self.hosting.answered(&asked, self.out)? {
                    Answered::Ended(HostEnd::Returned(_)) => {
                        self.calls += 1;
                        self.call_was_last = true;
                    }
                    Answered::Ended(HostEnd::Stopped) => {
                        self.unclear = true;
                        return Ok(Go::End);
                    }
                    Answered::Ended(end) => self.end = Some(end),
                    Answered::Unclear => {
                        (self.asked, self.unclear) = (Some(asked), true);
                        return Ok(Go::End);
                    }
                }
            }
            Tale::Mark(mark) => self.mark = Some(mark),
            Tale::State { globals, tables } => self.out.message(&Message::State { globals, tables })?,
            Tale::End => self.ended = true,
            Tale::Directive(_) | Tale::Check => return Err(wrong("a frame of a program of several modules")),
        }
        Ok(Go::On)
    }

    /// The guest is left by a host call.
    fn leave(&mut self, end: HostEnd) -> io::Result<()> {
        self.current = None;
        match end {
            HostEnd::Exited(code) => self.out.message(&Message::Exited(code)),
            HostEnd::Trapped(message) => {
                if let Some(mark) = self.mark {
                    self.out.message(&Message::Marked(mark))?;
                }
                self.out.message(&Message::Trapped { trap: TrapKind::HostError, message, frames: Vec::new() })
            }
            HostEnd::Returned(_) | HostEnd::Stopped => self.out.message(&Message::Stopped),
        }
    }
}

/// The records up to the first whose site no code of the module passes to the hook, and that site. An engine that has lost
/// its way may call functions with anything.
pub(super) fn sound(records: &[u8], sites: u32) -> (&[u8], Option<u32>) {
    let known = |site: u32| {
        (MARK_HOOK..=NOTE_HOOK).contains(&site)
            || site == SiteId::OBSERVED.0
            || site.checked_sub(SiteId::FIRST.0).is_some_and(|number| number < sites)
    };
    let (calls, _) = records.as_chunks::<HOOK_SIZE>();
    let site = |call: &[u8; HOOK_SIZE]| u32::from_le_bytes([call[0], call[1], call[2], call[3]]);
    match calls.iter().position(|call| !known(site(call))) {
        Some(at) => (&records[..at * HOOK_SIZE], calls.get(at).map(site)),
        None => (records, None),
    }
}

/// The same run once more, of which only what comes after the records of the first is told.
pub(super) struct Tail<'a> {
    pub(super) out: &'a mut Out,
    /// Bytes of records that were told before, and their digest.
    pub(super) told: u64,
    pub(super) digest: u128,
    pub(super) records: u64,
    pub(super) sum: Xxh3,
    sites: u32,
    /// As in [`First`].
    pub(super) odd: Option<u32>,
    /// Whether it did what the first run did as far as that went.
    pub(super) same: bool,
    pub(super) mark: Option<u32>,
    pub(super) ended: bool,
    pub(super) state: Option<(Vec<crate::values::WasmValue>, Vec<u64>)>,
}

impl<'a> Tail<'a> {
    pub(super) fn new(out: &'a mut Out, types: &Types, told: u64, digest: u128) -> Tail<'a> {
        let same = told == 0;
        let (records, sum, sites) = (0, Xxh3::new(), types.sites);
        Tail { out, told, digest, records, sum, sites, odd: None, same, mark: None, ended: false, state: None }
    }

    /// Takes what the module tells next.
    pub(super) fn tale(&mut self, tale: Tale) -> io::Result<Go> {
        match tale {
            Tale::Records(records) => {
                let (records, odd) = sound(records, self.sites);
                let left = usize::try_from(self.told.saturating_sub(self.records)).unwrap_or(usize::MAX);
                let (before, after) = records.split_at(left.min(records.len()));
                if !before.is_empty() {
                    self.sum.update(before);
                    if before.len() == left {
                        self.same = self.sum.digest128() == self.digest;
                    }
                }
                self.records += records.len() as u64;
                if !after.is_empty() {
                    if !self.same {
                        return Ok(Go::End);
                    }
                    self.sum.update(after);
                    self.out.hooks(after)?;
                }
                if odd.is_some() {
                    self.odd = odd;
                    return Ok(Go::End);
                }
            }
            Tale::Call(_) => self.mark = None,
            Tale::Mark(mark) => self.mark = Some(mark),
            Tale::State { globals, tables } => self.state = Some((globals, tables)),
            Tale::End => {
                self.ended = true;
                return Ok(Go::End);
            }
            _ => {}
        }
        Ok(Go::On)
    }
}
