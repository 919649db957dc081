//! Sites: the places of memory-changing instructions in the original module.

use crate::ids::{CodeOffset, FuncIndex, MemoryIndex, SiteId};
use crate::op::{MemoryOp, Shape, ValueType};
use serde::{Deserialize, Serialize};

/// A memory-changing instruction of the original module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// The function that contains it.
    pub func: FuncIndex,
    /// Offset of its first byte in the original module.
    pub offset: CodeOffset,
    /// The instruction.
    pub op: MemoryOp,
    /// The memory it writes (unused by `data.drop`).
    pub memory: MemoryIndex,
    /// Static offset of a store's memory argument, in bytes; 0 for other instructions.
    pub static_offset: u64,
    /// The source memory of `memory.copy`, the data segment of `memory.init` and `data.drop`, else 0.
    pub source: u32,
}

/// How one operand of an event is stored: this decides its column and its predictor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operand {
    /// An address, a length or a count: the signed difference to the foreseen value, as a varint.
    Word,
    /// A value of this many bytes (1 to 8), raw.
    Bytes(u8),
}

/// Most operands an event has.
pub(crate) const MAX_OPERANDS: usize = 3;

/// Operands of a site, and whether its events carry bytes besides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    pub(crate) operands: [Operand; MAX_OPERANDS],
    pub(crate) count: u8,
    pub(crate) blob: bool,
    /// Width of a store of up to 8 bytes, nearly every event there is; 0 for everything else.
    pub(crate) store: u8,
    /// Whether it stores an integer: then values are grouped by site.
    pub(crate) grouped: bool,
    /// Memory written by such a store.
    pub(crate) memory: u32,
}

impl Layout {
    const fn new(operands: &[Operand], blob: bool) -> Layout {
        let mut all = [Operand::Word; MAX_OPERANDS];
        let mut i = 0;
        while i < operands.len() {
            all[i] = operands[i];
            i += 1;
        }
        Layout { operands: all, count: operands.len() as u8, blob, store: 0, grouped: false, memory: 0 }
    }

    fn of_site(site: &Site) -> Layout {
        let shape = site.op.shape();
        let store = match shape {
            Shape::Store { width, .. } | Shape::Rmw { width, .. } | Shape::Lane { width } if width <= 8 => width,
            _ => 0,
        };
        let is_integer =
            matches!(shape, Shape::Store { ty: ValueType::I32 | ValueType::I64, .. } | Shape::Rmw { .. });
        Layout { store, grouped: store != 0 && is_integer, memory: site.memory.0, ..Layout::of_shape(shape) }
    }

    fn of_shape(shape: Shape) -> Layout {
        use Operand::{Bytes, Word};
        match shape {
            Shape::Store { width: 16, .. } => Layout::new(&[Word, Bytes(8), Bytes(8)], false),
            Shape::Store { width, .. } | Shape::Rmw { width, .. } | Shape::Lane { width } => {
                Layout::new(&[Word, Bytes(width)], false)
            }
            Shape::Grow => Layout::new(&[Word, Word], false),
            Shape::Fill => Layout::new(&[Word, Bytes(1), Word], false),
            Shape::Copy | Shape::Init => Layout::new(&[Word, Word, Word], false),
            Shape::Drop => Layout::new(&[], false),
        }
    }
}

/// All sites of a trace, in the order of the code, and the layout of their events.
#[derive(Debug, Clone)]
pub struct SiteTable {
    sites: Vec<Site>,
    layouts: Vec<Layout>,
}

impl SiteTable {
    /// A table of `sites`, numbered from [`SiteId::FIRST`].
    pub fn new(sites: Vec<Site>) -> SiteTable {
        let first = SiteId::FIRST.0 as usize;
        let mut layouts = vec![Layout::new(&[], false); first];
        layouts[SiteId::MILESTONE.0 as usize] = Layout::new(&[], true);
        layouts[SiteId::HOST.0 as usize] = Layout::new(&[], true);
        layouts[SiteId::STRAY_BYTES.0 as usize] = Layout::new(&[Operand::Word, Operand::Word], true);
        layouts[SiteId::OBSERVED.0 as usize] = Layout::new(&[Operand::Word; 3], true);
        layouts.extend(sites.iter().map(Layout::of_site));
        SiteTable { sites, layouts }
    }

    /// The instruction that `id` names, `None` for what the recorder adds and for numbers out of range.
    #[inline]
    pub fn get(&self, id: SiteId) -> Option<&Site> {
        self.sites.get((id.0 as usize).checked_sub(SiteId::FIRST.0 as usize)?)
    }

    /// Every site with its number.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (SiteId, &Site)> {
        self.sites.iter().enumerate().map(|(i, site)| (SiteId(i as u32 + SiteId::FIRST.0), site))
    }

    /// How many instructions the table holds.
    pub fn len(&self) -> usize {
        self.sites.len()
    }

    /// Whether the module has no memory-changing instruction at all.
    pub fn is_empty(&self) -> bool {
        self.sites.is_empty()
    }

    /// Layouts by site number, those of the recorder's own first.
    pub(crate) fn layouts(&self) -> &[Layout] {
        &self.layouts
    }
}
