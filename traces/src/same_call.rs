//! Whether two builds of one program make the same host call, wherever each of them keeps its data.
//!
//! An argument that is an address may differ from build to build, and what it points to may not. Which arguments are
//! addresses is known of WASI's functions only ([`wasi`]): calls of other functions are the same if they are equal.

use crate::host::{HostCall, HostRead};
use crate::value::WasmValue;
use crate::wasi::{self, Role, Signature};

/// Sizes of a subscription and of an event of `poll_oneoff`; both begin with a number of the guest's, often an address.
pub const SUBSCRIPTION: usize = 48;
/// See [`SUBSCRIPTION`].
pub const POLL_EVENT: usize = 32;
/// How many bytes of both are the guest's own.
pub const USER_DATA: usize = 8;

/// What differs between two host calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallDifference {
    /// The function.
    Function,
    /// This argument, from 0.
    Argument(usize),
    /// How many pieces of memory the call reads.
    Reads,
    /// The bytes of this read, from 0.
    Read {
        /// Which of the reads.
        number: usize,
        /// The first byte that differs; `None` if it is not among those that are kept.
        byte: Option<usize>,
    },
}

/// An argument as an unsigned number.
fn unsigned(value: &WasmValue) -> u64 {
    match value {
        WasmValue::I32(value) => u64::from(*value as u32),
        WasmValue::I64(value) => *value as u64,
        _ => 0,
    }
}

impl HostCall {
    /// The meaning of its arguments, if it is a call of WASI's.
    pub fn signature(&self) -> Option<Signature> {
        let signature = (self.import.module == wasi::MODULE).then(|| wasi::signature(&self.import.name)).flatten()?;
        (signature.len() == self.arguments.len()).then_some(signature)
    }

    /// How another build's call differs from this one in what it means.
    pub fn difference(&self, other: &HostCall) -> Option<CallDifference> {
        if self.import != other.import || self.arguments.len() != other.arguments.len() {
            return Some(CallDifference::Function);
        }
        let Some(signature) = self.signature() else { return self.plain_difference(other) };
        for (at, (left, right)) in self.arguments.iter().zip(&other.arguments).enumerate() {
            if !is_address(signature, at) && left != right {
                return Some(CallDifference::Argument(at));
            }
        }
        if self.reads.len() != other.reads.len() {
            return Some(CallDifference::Reads);
        }
        // What arguments point to comes first, then the buffers of the pairs among it.
        let mut direct = signature.iter().map(|(_, role)| *role).filter(|role| is_read(*role));
        for (number, (left, right)) in self.reads.iter().zip(&other.reads).enumerate() {
            let same = match direct.next() {
                // Where the buffers lie does not count, and how long they are shows in their own reads.
                Some(Role::Gather) => left.length == right.length,
                Some(Role::Subscriptions) => same_subscriptions(left, right),
                _ => left.length == right.length && left.digest == right.digest,
            };
            if !same {
                return Some(CallDifference::Read { number, byte: first_unequal(left, right) });
            }
        }
        None
    }

    /// The same for a function of which nothing is known.
    fn plain_difference(&self, other: &HostCall) -> Option<CallDifference> {
        if let Some(at) = self.arguments.iter().zip(&other.arguments).position(|(left, right)| left != right) {
            return Some(CallDifference::Argument(at));
        }
        if self.reads.len() != other.reads.len() {
            return Some(CallDifference::Reads);
        }
        let differing = self.reads.iter().zip(&other.reads).position(|(left, right)| left != right);
        differing.map(|number| CallDifference::Read {
            number,
            byte: first_unequal(&self.reads[number], &other.reads[number]),
        })
    }

    /// The argument whose place a write of the call to `address` belongs to, and how far from its beginning it is.
    /// `None` for a write to buffers that pairs point to, and for one to nowhere that the arguments name.
    pub fn written_argument(&self, address: u64) -> Option<(usize, u64)> {
        let signature = self.signature()?;
        let argument = |at: usize| self.arguments.get(at).map_or(0, unsigned);
        (0..signature.len()).find_map(|at| {
            let length = match signature[at].1 {
                Role::Out(length) => length,
                Role::Fill | Role::Counted => argument(at + 1),
                Role::Events => (POLL_EVENT as u64).saturating_mul(argument(at + 1)),
                // They are written in one piece.
                Role::Strings | Role::Length if is_string_place(signature, at) => 1,
                _ => return None,
            };
            let from = address.checked_sub(argument(at))?;
            (from < length).then_some((at, from))
        })
    }

    /// Address and length of the pairs that point to buffers which the call fills.
    pub fn scattered(&self) -> Option<(u64, u64)> {
        let signature = self.signature()?;
        let at = signature.iter().position(|(_, role)| *role == Role::Scatter)?;
        Some((unsigned(self.arguments.get(at)?), unsigned(self.arguments.get(at + 1)?)))
    }

    /// An argument as an unsigned number, 0 if it has none.
    pub fn argument(&self, at: usize) -> u64 {
        self.arguments.get(at).map_or(0, unsigned)
    }
}

/// Whether an argument is an address.
fn is_address(signature: Signature, at: usize) -> bool {
    match signature[at].1 {
        Role::Number => false,
        Role::Length => is_string_place(signature, at),
        _ => true,
    }
}

/// Whether an argument is one of the two places of strings: the pointers, and the bytes behind them.
fn is_string_place(signature: Signature, at: usize) -> bool {
    signature[at].1 == Role::Strings || at > 0 && signature[at - 1].1 == Role::Strings
}

fn is_read(role: Role) -> bool {
    matches!(role, Role::Text | Role::Gather | Role::Subscriptions)
}

fn first_unequal(left: &HostRead, right: &HostRead) -> Option<usize> {
    let unequal = left.start.iter().zip(&right.start).position(|(left, right)| left != right);
    let shorter = left.start.len().min(right.start.len());
    unequal.or_else(|| (left.start.len() != right.start.len()).then_some(shorter))
}

/// Whether subscriptions are the same but for the guest's own number in each, and what lies between their fields.
fn same_subscriptions(left: &HostRead, right: &HostRead) -> bool {
    if left.length != right.length {
        return false;
    }
    let whole = |read: &HostRead| read.start.len() as u64 == read.length;
    if !whole(left) || !whole(right) {
        return left.digest == right.digest;
    }
    left.start.chunks_exact(SUBSCRIPTION).map(fields).eq(right.start.chunks_exact(SUBSCRIPTION).map(fields))
}

/// The fields of a subscription that the host looks at.
fn fields(subscription: &[u8]) -> (u8, &[u8], &[u8], &[u8]) {
    let tag = subscription[8];
    match tag {
        // A clock: id, timeout and precision, flags.
        0 => (tag, &subscription[16..20], &subscription[24..40], &subscription[40..42]),
        // A file descriptor.
        1 | 2 => (tag, &subscription[16..20], &[], &[]),
        _ => (tag, &subscription[16..], &[], &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Import;
    use crate::ids::{FuncIndex, MemoryIndex};

    fn call(module: &str, name: &str, arguments: &[i32], reads: &[(u64, &[u8])]) -> HostCall {
        HostCall {
            function: FuncIndex(0),
            import: Import { module: module.to_string(), name: name.to_string() },
            arguments: arguments.iter().map(|value| WasmValue::I32(*value)).collect(),
            reads: reads.iter().map(|(address, bytes)| HostRead::of(MemoryIndex(0), *address, bytes)).collect(),
            caller: None,
        }
    }

    #[test]
    fn addresses_may_differ_and_what_they_point_to_may_not() {
        let write = |pairs: i32, pair: &[u8], at: u64, text: &[u8], fd: i32| {
            call(wasi::MODULE, "fd_write", &[fd, pairs, 1, pairs + 8], &[(pairs as u64, pair), (at, text)])
        };
        let lhs = write(16, &[64, 0, 0, 0, 2, 0, 0, 0], 64, b"hi", 1);
        let moved = HostCall { function: FuncIndex(7), ..write(32, &[80, 0, 0, 0, 2, 0, 0, 0], 80, b"hi", 1) };
        assert_eq!(lhs.difference(&moved), None);
        let other = write(32, &[80, 0, 0, 0, 2, 0, 0, 0], 80, b"ho", 1);
        assert_eq!(lhs.difference(&other), Some(CallDifference::Read { number: 1, byte: Some(1) }));
        let other = write(16, &[64, 0, 0, 0, 2, 0, 0, 0], 64, b"hi", 2);
        assert_eq!(lhs.difference(&other), Some(CallDifference::Argument(0)));
        let unknown = |arguments| call("env", "fd_write", arguments, &[]);
        assert_eq!(unknown(&[1, 16]).difference(&unknown(&[1, 32])), Some(CallDifference::Argument(1)));
        assert_eq!(lhs.difference(&unknown(&[1, 16])), Some(CallDifference::Function));
    }

    #[test]
    fn subscriptions_are_compared_by_their_fields() {
        let poll = |user: u8, clock: u8, between: u8| {
            let mut subscription = [0; SUBSCRIPTION];
            (subscription[0], subscription[16], subscription[9]) = (user, clock, between);
            call(wasi::MODULE, "poll_oneoff", &[8, 64, 1, 96], &[(8, &subscription)])
        };
        assert_eq!(poll(1, 1, 0).difference(&poll(2, 1, 9)), None);
        assert!(matches!(poll(1, 1, 0).difference(&poll(1, 2, 0)), Some(CallDifference::Read { number: 0, .. })));
    }

    #[test]
    fn a_write_belongs_to_the_argument_that_names_its_place() {
        let read = call(wasi::MODULE, "fd_read", &[0, 16, 1, 32], &[]);
        assert_eq!((read.written_argument(32), read.written_argument(35)), (Some((3, 0)), Some((3, 3))));
        assert_eq!((read.written_argument(36), read.scattered()), (None, Some((16, 1))));
        let strings = call(wasi::MODULE, "args_get", &[64, 128], &[]);
        assert_eq!((strings.written_argument(64), strings.written_argument(128)), (Some((0, 0)), Some((1, 0))));
        let random = call(wasi::MODULE, "random_get", &[64, 8], &[]);
        assert_eq!((random.written_argument(71), random.written_argument(72)), (Some((0, 7)), None));
    }
}
