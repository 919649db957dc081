//! A run that answers one question at a time: compared with a reference by digests, until the first event that differs is
//! found, and told to the recorder as a run of its own.

use super::asker::Asker;
use super::ending::Ending;
use super::failure::Failure;
use super::reference::{Item, Place, Reference, memory_digest};
use crate::instrument::standalone::{Types, What, value, words};
use crate::instrument::{CALLER_HOOK, HOOK_SIZE, RecordDecoder, host_records};
use crate::link::Out;
use crate::protocol::Message;
use crate::values::WasmValue;
use forkpoint_traces::{HostCall, HostEvent, Image, MemoryIndex, Outcome, PAGE, RawEvent, SiteId, Stage};
use std::collections::HashMap;
use std::io;

/// Digests of the reference that are held at a time.
const HELD: u64 = 1 << 20;
/// Most globals that are asked for one by one.
const MOST_GLOBALS: usize = 64;
/// A run to its end.
const END: u64 = u64::MAX;

/// A run by questions.
pub(super) struct Indirect<'a, 'b> {
    pub(super) asker: Asker<'a>,
    pub(super) reference: Reference,
    pub(super) decoder: RecordDecoder,
    pub(super) types: &'a Types,
    /// The number of imported functions, without the hook, and their names.
    pub(super) imports: Vec<forkpoint_traces::Import>,
    /// Numbers of the marks at which imported functions are called, by function and offset.
    pub(super) callers: HashMap<(u32, Option<u32>), u32>,
    /// For each site, whether its memory has addresses of 32 bits.
    pub(super) narrow: Vec<bool>,
    pub(super) out: &'b mut Out,
}

/// How the reference ended.
struct Ended {
    place: Place,
    outcome: Outcome,
    globals: Vec<WasmValue>,
    tables: Vec<u64>,
}

impl Indirect<'_, '_> {
    /// Asks, and tells.
    pub(super) fn tell(&mut self) -> Result<(), Failure> {
        let ended = self.end()?;
        // All of it at once, since most runs agree.
        let whole = What::Is { count: ended.place.count, digest: ended.place.digest.0 };
        let trapped = matches!(ended.outcome, Outcome::Trapped { .. } | Outcome::Crashed { .. });
        let at = if trapped { ended.place.count.max(1) } else { END };
        let same = ended.place.count == 0 && trapped || self.asker.is(at, whole)? == Some(true);
        let equal = match same {
            true => ended.place.count,
            false => self.search(ended.place.count)?,
        };
        let (image, place) = self.retell(equal, same && !trapped)?;
        if same && !trapped {
            return self.conclude(image, &ended);
        }
        let next = equal + 1;
        let reached = self.asker.is(next, What::Reached { count: next })? == Some(true);
        match reached {
            true => self.parted(image, place, next),
            false => self.ended_before(image, place, &ended, same),
        }
    }

    /// How the reference ended.
    fn end(&mut self) -> Result<Ended, Failure> {
        let mut ended = None;
        self.reference.walk(|place, item, _| {
            if let Item::End(outcome, globals, tables) = item {
                let globals = globals.iter().map(|global| global.value.clone()).collect();
                ended = Some(Ended { place, outcome: (*outcome).clone(), globals, tables: tables.to_vec() });
            }
            Ok(true)
        })?;
        ended.ok_or_else(|| Failure::Failed("the reference has no end".to_string()))
    }

    /// The largest number of events and host calls that both runs have the same, given that not all are.
    fn search(&mut self, count: u64) -> Result<u64, Failure> {
        let (mut low, mut high) = (0, count);
        // Digests at some places, then at all between two of them.
        while low < high {
            let stride = ((high - low) / HELD).max(1);
            let mut held = Vec::new();
            let (from, to) = (low, high);
            self.reference.walk(|place, item, _| {
                let counts = matches!(item, Item::Event(..) | Item::Host(HostEvent::Call(_)));
                if counts && place.count > from && (place.count - from).is_multiple_of(stride) {
                    held.push((place.count, place.digest.0));
                }
                Ok(place.count <= to)
            })?;
            held.retain(|(count, _)| *count <= high);
            if held.is_empty() {
                break;
            }
            let (mut least, mut most) = (0, held.len());
            while least < most {
                let middle = least + (most - least) / 2;
                let (count, digest) = held[middle];
                match self.asker.is(count, What::Is { count, digest })? == Some(true) {
                    true => least = middle + 1,
                    false => most = middle,
                }
            }
            if least > 0 {
                low = held[least - 1].0;
            }
            match held.get(least) {
                Some((count, _)) => high = count - 1,
                None if stride == 1 => break,
                None => high = high.min(low + stride - 1),
            }
            if stride == 1 {
                break;
            }
        }
        Ok(low)
    }

    /// Tells what both runs have the same, up to so many events and host calls; gives memory then.
    fn retell(&mut self, equal: u64, all: bool) -> Result<(Image, Place), Failure> {
        let mut image = self.reference.empty_image();
        let (mut place, mut number) = (Place::default(), 0);
        let mut records = Vec::new();
        let mut instantiated = false;
        let (out, callers) = (&mut *self.out, &self.callers);
        out.message(&Message::Accepted(Stage::Validate))?;
        out.message(&Message::Accepted(Stage::Compile))?;
        self.reference.walk(|now, item, raw| {
            let counts = matches!(item, Item::Event(..) | Item::Host(HostEvent::Call(_)));
            if counts && now.count > equal || matches!(item, Item::End(..)) {
                return Ok(false);
            }
            // What follows the last event is asked for, where not all of the run is the same.
            if now.count == equal && !all && matches!(item, Item::Returned(_)) {
                return Ok(false);
            }
            if !instantiated && matches!(item, Item::Begins(_)) {
                show(&image, out)?;
                out.message(&Message::Instantiated)?;
                instantiated = true;
            }
            match item {
                Item::Event(site, operands) => {
                    records.extend_from_slice(&site.to_le_bytes());
                    operands.iter().for_each(|operand| records.extend_from_slice(&operand.to_le_bytes()));
                }
                Item::Host(event @ HostEvent::Call(HostCall { caller: Some(caller), .. })) => {
                    // The recorder hears of the place by the hook.
                    let key = (caller.func.0, caller.offset.map(|offset| offset.0));
                    if let Some(mark) = callers.get(&key) {
                        records.extend_from_slice(&CALLER_HOOK.to_le_bytes());
                        records.extend_from_slice(&u64::from(*mark).to_le_bytes());
                        records.extend_from_slice(&[0; 16]);
                    }
                    host_records(event).iter().for_each(|record| records.extend_from_slice(record));
                }
                Item::Host(event) => host_records(event).iter().for_each(|record| records.extend_from_slice(record)),
                _ => {}
            }
            if records.len() > (1 << 20) - HOOK_SIZE || !matches!(item, Item::Event(..)) && !records.is_empty() {
                out.hooks(&records)?;
                records.clear();
            }
            match item {
                Item::Begins(true) => out.message(&Message::Call(None))?,
                Item::Begins(false) => {
                    out.message(&Message::Call(Some(number)))?;
                    number += 1;
                }
                Item::Returned(results) => out.message(&Message::Returned(results.to_vec()))?,
                _ => {}
            }
            image.apply(raw).map_err(super::scanner::wrong_of)?;
            place = now;
            Ok(true)
        })?;
        if !records.is_empty() {
            self.out.hooks(&records)?;
        }
        if !instantiated {
            show(&image, self.out)?;
            self.out.message(&Message::Instantiated)?;
        }
        Ok((image, place))
    }

    /// All is the same up to the end of the run: what is left to ask is what it leaves.
    fn conclude(&mut self, image: Image, ended: &Ended) -> Result<(), Failure> {
        if let Outcome::Exited { code } = ended.outcome {
            self.out.message(&Message::Exited(code))?;
        }
        self.memories(image, END)?;
        self.state(ended)
    }

    /// The runs part at an event that both have, or at which the reference has ended.
    fn parted(&mut self, mut image: Image, place: Place, at: u64) -> Result<(), Failure> {
        let returns = self.known(at, What::Returns, 32)? as u32;
        self.returned(place.returns, returns)?;
        let site = self.known(at, What::Operand(0), 32)? as u32;
        if site < SiteId::FIRST.0 {
            return self.host_call(image, at);
        }
        let Some(masks) = self.asker.masks.get((site - SiteId::FIRST.0) as usize).copied() else {
            // The engine has lost its way.
            if let Ending::Trapped { trap, message } = Ending::lost(site) {
                self.out.message(&Message::Trapped { trap, message, frames: Vec::new() })?;
            }
            self.memories(image, place.count)?;
            self.out.message(&Message::State { globals: Vec::new(), tables: Vec::new() })?;
            return Ok(());
        };
        let mut raw = [0; 3];
        for (operand, (place, mask)) in (1..).zip(raw.iter_mut().zip(masks)) {
            // An address of 32 bits has no more.
            let bits = if operand == 1 && self.is_narrow(site) { 32 } else { 64 - mask.leading_zeros() };
            *place = self.known(at, What::Operand(operand), bits)?;
        }
        let mut record = site.to_le_bytes().to_vec();
        raw.iter().for_each(|operand| record.extend_from_slice(&operand.to_le_bytes()));
        self.out.hooks(&record)?;
        if let Some(operands) = self.decoder.operands(SiteId(site), raw) {
            image.apply(&RawEvent::instruction(SiteId(site), operands)).map_err(super::scanner::wrong_of)?;
        }
        let words = "a command that gives one answer a run was asked no further";
        self.out.message(&Message::Cut(words.to_string()))?;
        self.memories(image, at)?;
        self.out.message(&Message::State { globals: Vec::new(), tables: Vec::new() })?;
        Ok(())
    }

    /// Whether a site's memory has addresses of 32 bits.
    fn is_narrow(&self, site: u32) -> bool {
        self.narrow.get((site - SiteId::FIRST.0) as usize).copied().unwrap_or_default()
    }

    /// The run makes a host call that the reference does not make.
    fn host_call(&mut self, image: Image, at: u64) -> Result<(), Failure> {
        let function = self.known(at, What::Operand(1), 32)? as u32;
        let types = self.types.imports.get(function as usize).cloned().unwrap_or_default();
        let mut arguments = Vec::new();
        for (number, ty) in (0..).zip(types) {
            let mut bytes = [0; 16];
            for half in 0..if ty == wasmparser::ValType::V128 { 2 } else { 1 } {
                let bits = bits_of(ty);
                let word = self.known(at, What::Argument(2 * number + half), bits)?;
                bytes[8 * half as usize..][..8].copy_from_slice(&word.to_le_bytes());
            }
            arguments.push(value(ty, bytes));
        }
        let import = self.imports.get(function as usize).cloned();
        let import = import.ok_or_else(|| Failure::Failed(format!("a call of import {function}, which is none")))?;
        let why = format!("the guest called {import} where the recording has something else");
        let function = forkpoint_traces::FuncIndex(function);
        let call = HostCall { function, import, arguments, reads: Vec::new(), caller: None };
        for record in host_records(&HostEvent::Call(call)) {
            self.out.hooks(&record)?;
        }
        self.out.message(&Message::Unanswered { why, damaged: false })?;
        self.out.message(&Message::Stopped)?;
        self.memories(image, at)?;
        self.out.message(&Message::State { globals: Vec::new(), tables: Vec::new() })?;
        Ok(())
    }

    /// The run ends where the reference goes on, or both end there.
    fn ended_before(&mut self, image: Image, place: Place, ended: &Ended, same: bool) -> Result<(), Failure> {
        let calls = self.calls();
        let (ending, ran) = match self.asker.finishes()? {
            Err(unfinished) => unfinished,
            Ok(()) => {
                self.returned(place.returns, calls)?;
                self.memories(image, END)?;
                return self.state(ended);
            }
        };
        let mut returns = place.returns;
        while returns < calls && self.asker.is(END, What::Result { call: returns, word: u32::MAX })? == Some(true) {
            returns += 1;
        }
        self.returned(place.returns, returns)?;
        let reference = match &ended.outcome {
            Outcome::Trapped { trap } if same => Some(*trap),
            _ => None,
        };
        match (ending, reference) {
            (Ending::Crashed(signal), _) => {
                super::process::last_words(&ran.said());
                return Err(Failure::Crashed(signal));
            }
            (Ending::Trapped { trap, message }, _) => {
                self.out.message(&Message::Trapped { trap, message, frames: Vec::new() })?;
            }
            // It does not say which.
            (Ending::Other, Some(trap)) => {
                let message = format!("the command does not say which trap: {}", ran.words());
                self.out.message(&Message::Trapped { trap, message, frames: Vec::new() })?;
            }
            (Ending::Other, None) => {
                let (trap, message) = (forkpoint_traces::TrapKind::Other, ran.words());
                self.out.message(&Message::Trapped { trap, message, frames: Vec::new() })?;
            }
        }
        // Memory after the last event: what comes after it may change globals only.
        self.memories(image, place.count)?;
        self.out.message(&Message::State { globals: Vec::new(), tables: Vec::new() })?;
        Ok(())
    }

    /// How many calls a run makes, the start function's included.
    fn calls(&self) -> u32 {
        self.asker.run.calls.len() as u32 + u32::from(self.asker.run.has_start)
    }

    /// Tells that calls returned, with the results that they have, and that the next ones begin.
    fn returned(&mut self, from: u32, to: u32) -> Result<(), Failure> {
        let first = u32::from(self.asker.run.has_start);
        for call in from..to {
            let types = call.checked_sub(first).and_then(|call| self.types.calls.get(call as usize)).cloned();
            let results = results(&mut self.asker, call, &types.unwrap_or_default())?;
            self.out.message(&Message::Returned(results))?;
            if call + 1 < self.calls() {
                self.out.message(&Message::Call(Some(call + 1 - first)))?;
            }
        }
        Ok(())
    }

    /// A word that the run must be able to give, since it came as far before.
    fn known(&mut self, at: u64, what: What, bits: u32) -> Result<u64, Failure> {
        known(&mut self.asker, at, what, bits)
    }

    /// Shows memories: as the events make them, if the engine's have the same digest; and otherwise the first word in which
    /// they differ.
    fn memories(&mut self, image: Image, at: u64) -> Result<(), Failure> {
        let mut found = Vec::new();
        for memory in 0..image.memories() {
            let index = MemoryIndex(memory);
            let size = image.size(index);
            let (pages, bytes) = size.map_or((0, 0), |size| (size.pages, size.bytes() & !7));
            let engine = self.asker.guessed(at, What::Pages { memory }, 32, pages)?.unwrap_or(pages);
            let digest = |to: u64| What::Memory { memory, from: 0, to, digest: memory_digest(&image, index, 0, to) };
            let mut other = None;
            if engine == pages && self.asker.is(at, digest(bytes))? == Some(false) {
                // The first word that differs ends the longest part from the start that is the same.
                let (mut low, mut high) = (0, bytes / 8);
                while low + 1 < high {
                    let middle = low + (high - low) / 2;
                    match self.asker.is(at, digest(8 * middle))? == Some(true) {
                        true => low = middle,
                        false => high = middle,
                    }
                }
                let address = 8 * low;
                other = Some((address, self.known(at, What::Word { memory, address }, 64)?));
            }
            found.push((engine, other));
        }
        for (memory, (pages, other)) in (0..).zip(found) {
            self.out.message(&Message::Image { memory, pages })?;
            let index = MemoryIndex(memory);
            let changed = other.map(|(address, _)| address / PAGE);
            let mut pages: Vec<u64> = image.pages_in(index, 0..u64::MAX).map(|(number, _)| number).collect();
            if let Some(changed) = changed.filter(|changed| !pages.contains(changed)) {
                pages.push(changed);
                pages.sort_unstable();
            }
            for number in pages {
                let mut page = [0; PAGE as usize];
                let length = image.read(index, number * PAGE, &mut page);
                if let Some((address, word)) = other.filter(|(address, _)| address / PAGE == number) {
                    page[(address % PAGE) as usize..][..8].copy_from_slice(&word.to_le_bytes());
                }
                self.out.image(memory, number * PAGE, &page[..length])?;
            }
            self.out.message(&Message::ImageEnd)?;
        }
        Ok(())
    }

    /// Tells globals and sizes of tables at the end, which are probably those of the reference.
    fn state(&mut self, ended: &Ended) -> Result<(), Failure> {
        let run = self.asker.run;
        let (mut globals, mut tables) = (Vec::new(), Vec::new());
        if run.globals.len() + run.tables.len() <= MOST_GLOBALS {
            for (number, ty) in (0..).zip(self.types.globals.clone()) {
                let expected =
                    ended.globals.get(number as usize).and_then(|value| words(std::slice::from_ref(value)).next());
                let word = self.asker.guessed(END, What::Global(number), bits_of(ty), expected.unwrap_or(0))?;
                let mut bytes = [0; 16];
                bytes[..8].copy_from_slice(&word.unwrap_or_default().to_le_bytes());
                globals.push(value(ty, bytes));
            }
            for number in 0..run.tables.len() as u32 {
                let expected = ended.tables.get(number as usize).copied().unwrap_or(0);
                tables.extend(self.asker.guessed(END, What::Table(number), 32, expected)?);
            }
        }
        self.out.message(&Message::State { globals, tables })?;
        Ok(())
    }
}

/// A word that the run must be able to give.
fn known(asker: &mut Asker, at: u64, what: What, bits: u32) -> Result<u64, Failure> {
    let unsteady = || Failure::Failed(format!("the command gave an answer once and not again ({what:?} at {at})"));
    asker.word(at, what, bits)?.ok_or_else(unsteady)
}

/// The results of a call.
pub(super) fn results(
    asker: &mut Asker,
    call: u32,
    types: &[wasmparser::ValType],
) -> Result<Vec<WasmValue>, Failure> {
    let mut results = Vec::new();
    for (number, ty) in (0..).zip(types) {
        let mut bytes = [0; 16];
        for half in 0..if *ty == wasmparser::ValType::V128 { 2 } else { 1 } {
            let what = What::Result { call, word: 2 * number + half };
            let word = known(asker, END, what, bits_of(*ty))?;
            bytes[8 * half as usize..][..8].copy_from_slice(&word.to_le_bytes());
        }
        results.push(value(*ty, bytes));
    }
    Ok(results)
}

/// Bits of a value, half of one of 128.
fn bits_of(ty: wasmparser::ValType) -> u32 {
    match ty {
        wasmparser::ValType::I32 | wasmparser::ValType::F32 | wasmparser::ValType::Ref(_) => 32,
        _ => 64,
    }
}

/// Shows memories as they are.
fn show(image: &Image, out: &mut Out) -> io::Result<()> {
    for memory in 0..image.memories() {
        let index = MemoryIndex(memory);
        let pages = image.size(index).map_or(0, |size| size.pages);
        out.message(&Message::Image { memory, pages })?;
        for (number, page) in image.pages_in(index, 0..u64::MAX) {
            out.image(memory, number * PAGE, page)?;
        }
        out.message(&Message::ImageEnd)?;
    }
    Ok(())
}
