//! Memories as a module shows them when it ends where it is told to.

use super::process::Go;
use super::scanner::wrong;
use super::tale::Tale;
use crate::link::Out;
use crate::protocol::Message;
use crate::values::WasmValue;
use std::collections::BTreeMap;
use std::io;

/// Most bytes of memory that are held.
const MOST: u64 = 4 << 30;

/// A memory at one moment.
#[derive(Debug, Default)]
pub(super) struct Image {
    pub(super) memory: u32,
    pages: u64,
    page_size: u64,
    blocks: BTreeMap<u64, Vec<u8>>,
}

impl Image {
    /// Its size in pages, as the module said it.
    pub(super) fn pages(&self) -> u64 {
        self.pages
    }

    /// Its size in bytes.
    pub(super) fn size(&self) -> u64 {
        self.pages.saturating_mul(self.page_size)
    }

    /// Bytes of it; what was not shown is zero.
    pub(super) fn bytes(&self, address: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        let end = address.saturating_add(length as u64);
        let first = self.blocks.range(..=address).next_back().map_or(address, |(at, _)| *at);
        for (at, block) in self.blocks.range(first..end) {
            for (offset, byte) in block.iter().enumerate() {
                let place = (at + offset as u64).checked_sub(address).filter(|place| *place < length as u64);
                if let Some(place) = place {
                    bytes[place as usize] = *byte;
                }
            }
        }
        bytes
    }
}

/// The memories, globals and tables of a run that was ended where it was told to.
#[derive(Debug, Default)]
pub(super) struct Moment {
    pub(super) images: Vec<Image>,
    pub(super) state: Option<(Vec<WasmValue>, Vec<u64>)>,
    /// Whether those at the beginning were shown.
    instantiated: bool,
    /// Whether all of it is there.
    pub(super) whole: bool,
    held: u64,
    /// Sizes of the memories' pages.
    page_sizes: Vec<u64>,
}

impl Moment {
    pub(super) fn new(page_sizes: Vec<u64>) -> Moment {
        Moment { page_sizes, ..Moment::default() }
    }

    /// Takes what the module tells; `first` says whether its memories after instantiation are wanted.
    pub(super) fn tale(&mut self, tale: Tale, first: bool) -> io::Result<Go> {
        match tale {
            Tale::Instantiated if first => {
                self.whole = true;
                return Ok(Go::End);
            }
            Tale::Instantiated => {
                self.instantiated = true;
                self.held = 0;
                self.images.clear();
            }
            Tale::Image { memory, pages } => {
                let page_size = self.page_sizes.get(memory as usize).copied().unwrap_or(1 << 16);
                self.images.push(Image { memory, pages, page_size, blocks: BTreeMap::new() });
            }
            Tale::Blocks(blocks) => {
                let image = self.images.last_mut().ok_or_else(|| wrong("bytes of no memory"))?;
                for (address, bytes) in blocks {
                    self.held += bytes.len() as u64;
                    if self.held > MOST {
                        return Err(wrong(format!("more than {MOST} bytes of memory")));
                    }
                    image.blocks.insert(address, bytes.to_vec());
                }
            }
            Tale::State { globals, tables } => self.state = Some((globals, tables)),
            Tale::End => {
                self.whole = self.instantiated;
                return Ok(Go::End);
            }
            _ => {}
        }
        Ok(Go::On)
    }

    /// Shows the memories to the recorder.
    pub(super) fn show(&self, out: &mut Out) -> io::Result<()> {
        for image in &self.images {
            out.message(&Message::Image { memory: image.memory, pages: image.pages })?;
            for (address, bytes) in &image.blocks {
                out.image(image.memory, *address, bytes)?;
            }
            out.message(&Message::ImageEnd)?;
        }
        Ok(())
    }
}
