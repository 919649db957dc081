//! Host calls: the module answers them by itself, and here they are looked up in the host log, as under any engine.

use super::images::Image;
use crate::host::answer::{Host, Reply};
use crate::host::ranges::clamp;
use crate::instrument::host_records;
use crate::link::Out;
use crate::protocol::{HostEnd, Message, Order, ReadRange};
use crate::values::WasmValue;
use std::io;

/// A host call as the module told it.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) function: u32,
    pub(super) arguments: Vec<WasmValue>,
    /// What it read, by memory and address.
    pub(super) reads: Vec<(u32, u64, Vec<u8>)>,
}

/// What became of a host call.
#[derive(Debug)]
pub(super) enum Answered {
    /// It ended as the log says.
    Ended(HostEnd),
    /// The log has another call, or one that reads other bytes than the module showed: only all of memory can tell.
    Unclear,
}

/// Host calls of a run.
pub(super) struct Hosting {
    host: Host,
    /// What the host wants to see of the guest's memory.
    wanted: Option<Vec<ReadRange>>,
}

impl Asked {
    /// Keeps what was read; long reads come in pieces.
    pub(super) fn read(&mut self, memory: u32, address: u64, bytes: &[u8]) {
        if let Some((last, start, read)) = self.reads.last_mut()
            && *last == memory
            && start.checked_add(read.len() as u64) == Some(address)
            && read.len() >= (1 << 19)
        {
            read.extend_from_slice(bytes);
            return;
        }
        self.reads.push((memory, address, bytes.to_vec()));
    }

    /// The bytes of a range, if they were read.
    fn bytes(&self, range: &ReadRange) -> Option<&[u8]> {
        if range.length == 0 {
            return Some(&[]);
        }
        let fits = |(memory, address, bytes): &&(u32, u64, Vec<u8>)| {
            *memory == range.memory.0 && *address == range.address && bytes.len() as u64 == range.length
        };
        self.reads.iter().find(fits).map(|(_, _, bytes)| bytes.as_slice())
    }
}

impl Hosting {
    pub(super) fn new(host: Host) -> Hosting {
        Hosting { host, wanted: None }
    }

    /// Looks up a call of which the module has shown what it read.
    pub(super) fn answered(&mut self, asked: &Asked, out: &mut Out) -> io::Result<Answered> {
        let mut reply = self.host.call(asked.function, asked.arguments.clone()).map_err(io::Error::other)?;
        loop {
            match tell(reply, out)? {
                Order::Read(ranges) => {
                    let Some(bytes) = ranges.iter().map(|range| asked.bytes(range)).collect::<Option<Vec<_>>>()
                    else {
                        self.wanted = Some(ranges);
                        return Ok(Answered::Unclear);
                    };
                    reply = self.give(&bytes)?;
                }
                Order::Answer(answer) => return Ok(Answered::Ended(answer.end)),
                _ => return Ok(Answered::Ended(HostEnd::Stopped)),
            }
        }
    }

    /// Looks up the call again, now that all of memory is known as it was when the call was made. Where the host has not
    /// been asked yet, it is asked.
    pub(super) fn settled(&mut self, asked: &Asked, images: &[Image], out: &mut Out) -> io::Result<HostEnd> {
        let mut ranges = match self.wanted.take() {
            Some(ranges) => ranges,
            None => {
                let reply = self.host.call(asked.function, asked.arguments.clone()).map_err(io::Error::other)?;
                match tell(reply, out)? {
                    Order::Read(ranges) => ranges,
                    Order::Answer(answer) => return Ok(answer.end),
                    _ => return Ok(HostEnd::Stopped),
                }
            }
        };
        loop {
            let bytes = |range: &ReadRange| {
                let image = images.iter().find(|image| image.memory == range.memory.0);
                image.map_or(Vec::new(), |image| {
                    let size = usize::try_from(image.size()).unwrap_or(usize::MAX);
                    let range = clamp((range.address, range.length), size);
                    image.bytes(range.start as u64, range.len())
                })
            };
            let bytes: Vec<Vec<u8>> = ranges.iter().map(bytes).collect();
            let bytes: Vec<&[u8]> = bytes.iter().map(Vec::as_slice).collect();
            match tell(self.give(&bytes)?, out)? {
                Order::Read(more) => ranges = more,
                Order::Answer(answer) => return Ok(answer.end),
                _ => return Ok(HostEnd::Stopped),
            }
        }
    }

    fn give(&mut self, bytes: &[&[u8]]) -> io::Result<Reply> {
        for (number, bytes) in bytes.iter().enumerate() {
            self.host.bytes(number as u32, bytes).map_err(io::Error::other)?;
        }
        self.host.read_end().map_err(io::Error::other)
    }
}

/// Tells the recorder what a reply is about; gives the order.
fn tell(reply: Reply, out: &mut Out) -> io::Result<Order> {
    let Reply { order, events, unanswered } = reply;
    for record in events.iter().flat_map(host_records) {
        out.hooks(&record)?;
    }
    if let Some(why) = unanswered {
        out.message(&Message::Unanswered { why, damaged: false })?;
    }
    Ok(order)
}
