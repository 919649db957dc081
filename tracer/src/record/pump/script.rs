//! Directives of a program of several modules as events.

use super::{Pump, unannounced};
use crate::error::RecordError;
use crate::record::mismatches;
use crate::record::script::{ScriptTurn, active};
use forkpoint_traces::{MemoryIndex, MemorySize, Milestone, Stage, TrapKind};

impl Pump<'_> {
    pub(super) fn script(&mut self, turn: ScriptTurn) -> Result<(), RecordError> {
        match turn {
            ScriptTurn::Directive(number) => {
                self.initial.clear();
                Ok(self.writer()?.milestone(&Milestone::Directive { number })?)
            }
            ScriptTurn::Accepted => Ok(self.writer()?.milestone(&Milestone::Accepted { stage: Stage::Compile })?),
            ScriptTurn::Refused { stage, instance } => {
                self.writer()?.milestone(&Milestone::Refused { stage })?;
                instance.map_or(Ok(()), |instance| self.no_memories(instance))
            }
            ScriptTurn::Instantiated { instance } => self.instance(instance),
            ScriptTurn::NoInstance { instance, trap } => self.no_instance(instance, trap),
            ScriptTurn::Judged { passed } => {
                self.settle()?;
                Ok(self.writer()?.milestone(&Milestone::Judged { passed })?)
            }
        }
    }

    /// The number of an instance's first own memory, and how many it has.
    fn own_memories(&self, instance: u32) -> (u32, u32) {
        let script = self.program.script.as_ref();
        script.and_then(|script| Some(script.units.get(instance as usize)?.own_memories)).unwrap_or((0, 0))
    }

    /// An instance's memories are as they are shown, and its segments are copied.
    fn instance(&mut self, instance: u32) -> Result<(), RecordError> {
        let initial = std::mem::take(&mut self.initial);
        let declared = &self.rewritten.memories;
        let Some(writer) = self.writer.as_mut() else { return Err(unannounced("an instance")) };
        for (incoming, _) in &initial {
            let (memory, pages) = (incoming.memory(), incoming.pages());
            let page_size = declared.get(memory.0 as usize).map_or(1 << 16, |declared| declared.page_size);
            writer.milestone(&Milestone::Memory { memory, pages, page_size })?;
        }
        self.segments(instance, |_| true)?;
        self.strays(initial)
    }

    /// An instance's segments are copied to memory in order, as long as each is `copied`.
    fn segments(&mut self, instance: u32, copied: impl Fn(bool) -> bool) -> Result<(), RecordError> {
        let Some(script) = self.program.script.clone() else { return Ok(()) };
        for (segment, memory, address, length) in active(&script, instance) {
            let writer = self.writer.as_mut().ok_or_else(|| unannounced("a segment"))?;
            let address = address.ok_or_else(|| {
                RecordError::Protocol(format!("the address of data segment {} is not known", segment.0))
            })?;
            let size = writer.image().size(memory).map_or(0, MemorySize::bytes);
            if !copied(address.checked_add(length).is_some_and(|end| end <= size)) {
                break;
            }
            writer.milestone(&Milestone::DataInit { segment, memory, address, length })?;
            mismatches::outside(writer, &mut self.mismatches)?;
        }
        Ok(())
    }

    /// Making an instance trapped: segments before the one that does not fit were copied.
    fn no_instance(&mut self, instance: u32, trap: TrapKind) -> Result<(), RecordError> {
        self.writer()?.milestone(&Milestone::Trapped { trap, func: None, offset: None })?;
        self.no_memories(instance)?;
        // Tables are filled before memories, and what else traps comes before both.
        if trap == TrapKind::MemoryOutOfBounds { self.segments(instance, |fits| fits) } else { Ok(()) }
    }

    /// The memories of an instance that was not made: they have no bytes, and later ones keep their numbers.
    fn no_memories(&mut self, instance: u32) -> Result<(), RecordError> {
        self.initial.clear();
        let (first, count) = self.own_memories(instance);
        for memory in (first..first.saturating_add(count)).map(MemoryIndex) {
            let declared = self.rewritten.memories.get(memory.0 as usize);
            let page_size = declared.map_or(1 << 16, |declared| declared.page_size);
            self.writer()?.milestone(&Milestone::Memory { memory, pages: 0, page_size })?;
        }
        Ok(())
    }
}
