//! The limit on a memory's pages, for engines that ask the host whether a memory may grow.

use crate::instrument::BUFFER_PAGES;

/// Bytes in a page.
const PAGE: usize = 1 << 16;

/// The largest size in bytes that a memory of the guest may have, if it is limited.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct GrowthLimit(Option<usize>);

impl GrowthLimit {
    /// A limit of this many pages of 64 KiB.
    pub(super) fn new(pages: Option<u64>) -> GrowthLimit {
        GrowthLimit(pages.map(|pages| usize::try_from(pages).unwrap_or(usize::MAX).saturating_mul(PAGE)))
    }

    /// The limit in wasmi's form, whose modules have no buffer.
    pub(super) fn for_wasmi(self) -> wasmi::StoreLimits {
        let limits = wasmi::StoreLimitsBuilder::new();
        match self.0 {
            Some(bytes) => limits.memory_size(bytes).build(),
            None => limits.build(),
        }
    }

    /// Whether a memory may grow from one size in bytes to another. The recorder's own buffer is exempt from the
    /// limit: a memory that is created at its only possible size.
    pub(super) fn allows(self, current: usize, desired: usize, maximum: Option<usize>) -> bool {
        const BUFFER: usize = BUFFER_PAGES as usize * PAGE;
        let is_buffer = (current, desired, maximum) == (0, BUFFER, Some(BUFFER));
        is_buffer || self.0.is_none_or(|limit| desired <= limit)
    }
}

impl wasmtime::ResourceLimiter for GrowthLimit {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.allows(current, desired, maximum))
    }

    fn table_growing(&mut self, _: usize, _: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(true)
    }
}
