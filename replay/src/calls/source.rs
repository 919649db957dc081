//! Where calls come from, and those that are known.

use super::CallWindow;
use crate::side::Side;
use forkpoint_traces::{FarStep, Position};

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

    /// Where a step from an event of a side leads, however far that is: `None` if it was stopped, `Some(None)` if it leads nowhere.
    ///
    /// # Errors
    /// As [`CallSource::calls`].
    fn far_step(
        &self,
        side: Side,
        from: Position,
        step: FarStep,
        reached: &dyn Fn(Position) -> bool,
    ) -> Result<Option<Option<Position>>, String>;
}

/// What is known of calls: some windows, the last ones that were asked for.
#[derive(Debug, Default)]
pub struct KnownCalls {
    /// Windows with their sides, the last one last.
    windows: Vec<(Side, CallWindow)>,
    /// Where nothing could be told, and why not.
    refused: Option<(Side, Position, String)>,
}

impl KnownCalls {
    /// The window that tells of an event.
    pub fn window(&self, side: Side, at: Position) -> Option<&CallWindow> {
        let tells = |(of, window): &&(Side, CallWindow)| *of == side && window.covers().contains(&at);
        self.windows.iter().rev().find(tells).map(|(_, window)| window)
    }

    /// Why there is none for an event, if that is known.
    pub fn why_not(&self, side: Side, at: Position) -> Option<&str> {
        self.refused.as_ref().filter(|(of, there, _)| (*of, *there) == (side, at)).map(|(.., why)| why.as_str())
    }

    /// Adds a window. Of many, the oldest goes.
    pub fn keep(&mut self, side: Side, window: CallWindow) {
        self.refused = None;
        if self.windows.len() >= KEPT {
            self.windows.remove(0);
        }
        self.windows.push((side, window));
    }

    /// Remembers that nothing can be told of an event, and why.
    pub fn refuse(&mut self, side: Side, at: Position, why: String) {
        self.refused = Some((side, at, why));
    }
}
