//! Who tells the viewer of calls and of loads.

use forkpoint_replay::{CallSource, KnownCalls, LoadSource};
use std::fmt;
use std::sync::Arc;

/// What is said of steps that lead nowhere.
pub(crate) const NO_EVENT_AFTER: &str = "there is no such event up to the end";
pub(crate) const NO_EVENT_BEFORE: &str = "there is no such event before";

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

/// A source of loads that an errand can carry.
#[derive(Clone)]
pub(crate) struct LoadService(pub(crate) Arc<dyn LoadSource>);

impl fmt::Debug for LoadService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LoadService")
    }
}

impl PartialEq for LoadService {
    fn eq(&self, other: &LoadService) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// What is known of calls, and who tells more.
#[derive(Default)]
pub(crate) struct Calls {
    pub(crate) service: Option<CallService>,
    pub(crate) known: KnownCalls,
}
