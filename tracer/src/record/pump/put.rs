//! Bytes that are put into memory for calls: events between two calls, as a host's writes are within one.

use super::Pump;
use crate::error::RecordError;
use forkpoint_traces::{HostEvent, Outcome, Put, Step};

impl Pump<'_> {
    /// The put that is going on, with its number.
    pub(super) fn putting(&self) -> Option<(u32, &Put)> {
        let number = self.call??;
        match self.stepping.step(number)? {
            Step::Put(put) => Some((number, put)),
            Step::Call(_) => None,
        }
    }

    /// Whether what goes on is a step that needs one which is not done: the engine was asked for it, and it comes to
    /// nothing.
    pub(super) fn is_left_out(&self) -> bool {
        let step = self.call.flatten().and_then(|number| self.stepping.step(number));
        match step {
            Some(Step::Call(call)) => self.stepping.arguments(call).is_none(),
            Some(Step::Put(put)) => self.stepping.address(put).is_none(),
            None => false,
        }
    }

    /// The size of the memory that a put is for, in bytes, as the events make it.
    fn size_for(&self, put: &Put) -> u64 {
        let size = self.writer.as_ref().and_then(|writer| writer.image().size(put.memory));
        size.map_or(0, |size| size.bytes())
    }

    fn fits(&self, put: &Put, address: u64) -> bool {
        let end = address.checked_add(put.bytes.len() as u64);
        address != 0 && end.is_some_and(|end| end <= self.size_for(put))
    }

    /// Whether what goes on is a put whose bytes have no room.
    pub(super) fn has_no_room(&self) -> bool {
        let address = self.putting().and_then(|(_, put)| Some((put, self.stepping.address(put)?.0)));
        address.is_some_and(|(put, address)| !self.fits(put, address))
    }

    /// The engine has put the bytes. Where they have no room, the end shows what it made of that.
    pub(super) fn has_put(&mut self) -> Result<(), RecordError> {
        let put = self.putting().and_then(|(number, put)| Some((number, put.clone(), self.stepping.address(put)?)));
        self.call = None;
        if let Some((number, put, (address, value))) = put
            && self.fits(&put, address)
        {
            if let Some(watching) = &mut self.watching {
                watching.was_written(put.memory, address, &put.bytes);
            }
            self.writer()?.host(&HostEvent::Write { memory: put.memory, address, bytes: put.bytes })?;
            self.stepping.done(number, &[value]);
        }
        self.settle()
    }

    /// The bytes have no room, and the engine says so.
    pub(super) fn not_put(&mut self) -> Result<(), RecordError> {
        let words = self.putting().and_then(|(number, put)| {
            let (address, _) = self.stepping.address(put)?;
            Some(self.stepping.no_room(number, put, address, Some(self.size_for(put))))
        });
        self.call = None;
        self.outcome = Some(Outcome::NoRoom);
        self.words.message = words;
        self.settle()
    }
}
