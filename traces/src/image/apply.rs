//! What each event does to the model.

use super::pages::Memory;
use super::{CorruptEvent, Image, MAX_MEMORIES, MemorySize};
use crate::event::Event;
use crate::host::HostEvent;
use crate::milestone::Milestone;
use crate::page::PAGE;
use crate::raw::RawEvent;
use crate::site::Layout;

impl Image {
    /// Applies one event.
    ///
    /// # Errors
    /// When the event names something that the module does not have, or found bytes lie outside of memory.
    #[inline]
    pub fn apply(&mut self, event: &RawEvent) -> Result<(), CorruptEvent> {
        // Nearly every event is a store of up to 8 bytes: applied without the detour through its readable form.
        if let Some(Layout { store: width @ 1.., memory, .. }) = self.sites.layouts().get(event.site.0 as usize) {
            let (memory, width) = (*memory, *width);
            let [address, value, _] = event.operands;
            return self.store(memory, address, value, width);
        }
        let event = Event::read(event, &self.sites).map_err(|error| CorruptEvent::new(error.to_string()))?;
        self.apply_read(&event)
    }

    fn apply_read(&mut self, event: &Event) -> Result<(), CorruptEvent> {
        match event {
            Event::Store { memory, address, value, .. } => self.write_clipped(memory.0, *address, value.bytes()),
            Event::Grow { result: None, .. } => Ok(()),
            Event::Grow { memory, delta, .. } | Event::Host(HostEvent::Grow { memory, delta, .. }) => {
                self.grow(memory.0, *delta)
            }
            Event::Fill { memory, address, byte, length, .. } => self.fill(memory.0, *address, *byte, *length),
            Event::Copy { memory, address, source_memory, source, length, .. } => {
                self.copy(memory.0, *address, source_memory.0, *source, *length)
            }
            Event::Init { memory, address, segment, source, length, .. } => {
                self.init(memory.0, *address, *segment, *source, *length)
            }
            Event::Host(HostEvent::Write { memory, address, bytes })
            | Event::StrayBytes { memory, address, bytes }
            | Event::Observed { memory, address, bytes, .. } => self.write(*memory, *address, bytes),
            Event::FoundSize { memory, pages } => self.found_size(memory.0, *pages),
            Event::Milestone(milestone) => self.milestone(milestone),
            Event::Drop { .. }
            | Event::FoundOutside { .. }
            | Event::Host(
                HostEvent::Call(_)
                | HostEvent::Return { .. }
                | HostEvent::Enter { .. }
                | HostEvent::Leave { .. }
                | HostEvent::SetGlobal { .. }
                | HostEvent::SetElement { .. }
                | HostEvent::GrowTable { .. }
                | HostEvent::SetReference { .. }
                | HostEvent::SetFunction { .. },
            ) => Ok(()),
        }
    }

    fn milestone(&mut self, milestone: &Milestone) -> Result<(), CorruptEvent> {
        match milestone {
            Milestone::Memory { memory, pages, page_size } => {
                if memory.0 as usize != self.memories.len() || self.memories.len() >= MAX_MEMORIES {
                    return Err(CorruptEvent::new(format!(
                        "memory {} is declared where memory {} was expected",
                        memory.0,
                        self.memories.len()
                    )));
                }
                self.memories.push(Memory::new(*pages, *page_size));
                Ok(())
            }
            Milestone::DataInit { segment, memory, address, length } => {
                self.init(memory.0, *address, *segment, 0, *length)
            }
            _ => Ok(()),
        }
    }

    fn grow(&mut self, memory: u32, delta: u64) -> Result<(), CorruptEvent> {
        let memory = self.memories.get_mut(memory as usize).ok_or_else(|| CorruptEvent::no_memory(memory))?;
        // An engine may report a size that memory never had. The next checkpoint shows the real one.
        memory.resize(memory.size().pages.saturating_add(delta));
        Ok(())
    }

    /// Gives a memory a size other than the events made it.
    fn found_size(&mut self, memory: u32, pages: u64) -> Result<(), CorruptEvent> {
        let slot = self.memories.get_mut(memory as usize).ok_or_else(|| CorruptEvent::no_memory(memory))?;
        let size = MemorySize { pages, ..slot.size() };
        // What lies past the new end is lost, and reads as zero if memory grows again.
        let beyond: Vec<u64> = slot.pages_in(size.bytes() / PAGE..u64::MAX).map(|(number, _)| number).collect();
        for number in beyond {
            let start = size.bytes().saturating_sub(number.saturating_mul(PAGE)).min(PAGE) as usize;
            self.write_page(memory, number, start, &[0; PAGE as usize][start..])?;
        }
        self.memories[memory as usize].resize(pages);
        Ok(())
    }
}
