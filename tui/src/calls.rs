//! Calls of functions: a trace has none, so what is known of them comes from outside, a window at a time, and is kept.

use forkpoint_replay::{CallWindow, Side};
use forkpoint_traces::Position;
use std::fmt;
use std::sync::Arc;

/// Most windows that are kept; each takes some megabytes.
const KEPT: usize = 8;

/// Runs a recording again to tell which functions were active: what only a program with engines has.
pub trait CallSource: Send + Sync {
    /// The calls around an event of a side; `None` if it was stopped. `reached` is called now and then with the position that the
    /// run has come to, and says whether to stop.
    ///
    /// # Errors
    /// When they cannot be told: why not.
    fn calls(
        &self,
        side: Side,
        around: Position,
        reached: &dyn Fn(Position) -> bool,
    ) -> Result<Option<CallWindow>, String>;
}

/// A source of calls that an errand can carry.
#[derive(Clone)]
pub(crate) struct CallService(pub(crate) Arc<dyn CallSource>);

impl fmt::Debug for CallService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallService")
    }
}

impl PartialEq for CallService {
    fn eq(&self, other: &CallService) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// What is known of calls.
#[derive(Default)]
pub(crate) struct KnownCalls {
    pub(crate) service: Option<CallService>,
    /// Windows with their sides, the last one last.
    windows: Vec<(Side, CallWindow)>,
    /// Where nothing could be told, and why not.
    refused: Option<(Side, Position, String)>,
}

impl KnownCalls {
    /// The window that tells of an event.
    pub(crate) fn window(&self, side: Side, at: Position) -> Option<&CallWindow> {
        let tells = |(of, window): &&(Side, CallWindow)| *of == side && window.covers().contains(&at);
        self.windows.iter().rev().find(tells).map(|(_, window)| window)
    }

    /// Why there is none for an event, if that is known.
    pub(crate) fn why_not(&self, side: Side, at: Position) -> Option<&str> {
        self.refused.as_ref().filter(|(of, there, _)| (*of, *there) == (side, at)).map(|(.., why)| why.as_str())
    }

    pub(crate) fn keep(&mut self, side: Side, window: CallWindow) {
        self.refused = None;
        if self.windows.len() >= KEPT {
            self.windows.remove(0);
        }
        self.windows.push((side, window));
    }

    pub(crate) fn refuse(&mut self, side: Side, at: Position, why: String) {
        self.refused = Some((side, at, why));
    }
}
