//! Calls of functions around a position: no part of a trace, but what a rerun tells of one.

use crate::ids::{FuncIndex, Position};
use crate::index::Place;
use crate::value::WasmValue;
use std::ops::Range;

/// A step of a run from function to function. Depths count activations: that of one which the host called is 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallStep {
    /// An activation begins.
    Enter {
        /// Its function.
        func: FuncIndex,
        /// How many activations are active besides.
        depth: u32,
        /// The call, in the activation below or in one that it replaced by a tail call; `None` if the host called.
        caller: Option<Place>,
    },
    /// An argument of the activation that began last.
    Argument(WasmValue),
    /// The local that debug information calls the frame base of the innermost activation's function has this value now.
    FrameBase(u64),
    /// A result of the innermost activation, which is about to return.
    Result(WasmValue),
    /// The activation of this depth returns, or calls in its place.
    Leave {
        /// Its depth.
        depth: u32,
    },
    /// The activation of this depth is the innermost one: an exception may have ended others.
    Back {
        /// Its depth.
        depth: u32,
    },
}

/// Steps of a run around a position.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CallSteps {
    /// Steps by which the activations began that are active before `steps`, outermost first; none of them ends one. Each has the
    /// number of events before it as its position.
    pub active: Vec<(Position, CallStep)>,
    /// How many more are active within these, which are not known.
    pub unknown: u64,
    /// All further steps, in order.
    pub steps: Vec<(Position, CallStep)>,
    /// The events of which this tells the activations.
    pub covers: Range<Position>,
    /// Whether the steps go to the end of the run.
    pub whole: bool,
}

/// A step from an event that may lead far away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FarStep {
    /// To the next event that no function makes which was called in between.
    Over,
    /// To the last one before.
    OverBack,
    /// To the first event after the innermost activation has ended.
    Out,
}
