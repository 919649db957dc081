//! What a module is asked that gives one answer a run.

/// A question, and the form of its answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Query {
    /// The run ends when so many events and host calls have happened; [`u64::MAX`] for a run to its end, 0 for one that
    /// ends before anything runs.
    pub(crate) at: u64,
    pub(crate) what: What,
    pub(crate) form: Form,
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// Whether so many events and host calls have happened, with this digest: 1 or 0.
    Is { count: u64, digest: u64 },
    /// Whether so many have happened.
    Reached { count: u64 },
    /// How many calls have returned.
    Returns,
    /// Of the event that the run ended at: its site (below 8 for a host call), and its operands; of a host call the
    /// function, and words of its arguments.
    Operand(u32),
    /// A word of the arguments of the host call that the run ended at.
    Argument(u32),
    /// A word of a result of a call, by number, the start function first; for [`u32::MAX`] 1 when it has returned.
    Result { call: u32, word: u32 },
    /// Whether a part of a memory has this digest: 1 or 0.
    Memory { memory: u32, from: u64, to: u64, digest: u64 },
    /// A word of a memory.
    Word { memory: u32, address: u64 },
    /// The size of a memory in pages.
    Pages { memory: u32 },
    /// The bits of a global, by its place among those that are shown.
    Global(u32),
    /// The size of a table, by its number.
    Table(u32),
}

/// The form of an answer, which is some bits of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// An `i64` of 32 bits and a checksum of as many.
    Long { part: u32, nonce: u64 },
    /// An `i32` of 16 bits and a checksum of as many.
    Short { part: u32, nonce: u64 },
    /// An `i32` of 64 and six bits.
    Status { part: u32 },
    /// A trap where bits are not what is expected.
    Trap { shift: u32, mask: u64, expected: u64 },
}

/// The first word of a host call in a digest; the function is added.
pub(super) const HOST: u64 = 1 << 32;
/// The word of a call that returned.
pub(super) const RETURN: u64 = 2 << 32;
/// The word of a host call that ended the run.
pub(super) const EXIT: u64 = 3 << 32;

/// The digest of a run so far, by the adapter as by the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Folded(pub(crate) u64);

impl Folded {
    fn word(&mut self, word: u64) {
        self.0 = super::layout::fold(self.0, word);
    }

    /// An event by its raw operands, of which those bits are left that count.
    pub(crate) fn event(&mut self, site: u32, raw: [u64; 3]) {
        self.word(u64::from(site));
        raw.into_iter().for_each(|operand| self.word(operand));
    }

    /// A host call.
    pub(crate) fn host(&mut self, function: u32, arguments: &[crate::values::WasmValue]) {
        self.word(HOST | u64::from(function));
        words(arguments).for_each(|word| self.word(word));
    }

    /// A call of the run that returned.
    pub(crate) fn returned(&mut self, results: &[crate::values::WasmValue]) {
        self.word(RETURN);
        words(results).for_each(|word| self.word(word));
    }

    /// A host call that ends the run.
    pub(crate) fn ended(&mut self) {
        self.word(EXIT);
    }
}

/// Both words of each value.
pub(crate) fn words(values: &[crate::values::WasmValue]) -> impl Iterator<Item = u64> {
    values.iter().flat_map(|value| {
        let bytes = super::values::bytes(value);
        let (halves, _) = bytes.as_chunks::<8>();
        let halves: Vec<u64> = halves.iter().map(|half| u64::from_le_bytes(*half)).collect();
        halves
    })
}

/// The digest of a part of a memory: of its words that are not zero, each with its address.
pub(crate) fn fold_memory(sum: &mut u64, address: u64, word: u64) {
    if word != 0 {
        *sum = super::layout::fold(super::layout::fold(*sum, address), word);
    }
}

/// The checksum of an answer.
pub(crate) fn check(nonce: u64, payload: u64) -> u64 {
    super::layout::fold(nonce, payload) >> 32
}
