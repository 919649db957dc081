//! Who tells the viewer what the traces leave out, and the rows that there are then.

use crate::traces::Outline;
use forkpoint_replay::EventSource;
use std::fmt;
use std::sync::Arc;

/// What is said where nobody can.
pub(crate) const NO_RERUNS: &str = "nothing here can run the recording again";

/// A source of events that an errand can carry.
#[derive(Clone)]
pub(crate) struct EventService(pub(crate) Arc<dyn EventSource>);

impl fmt::Debug for EventService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventService")
    }
}

impl PartialEq for EventService {
    fn eq(&self, other: &EventService) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// The outline of traces that hold more events than before.
#[derive(Clone)]
pub(crate) struct NewOutline(pub(crate) Arc<dyn Outline>);

impl fmt::Debug for NewOutline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewOutline")
    }
}

impl PartialEq for NewOutline {
    fn eq(&self, other: &NewOutline) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for NewOutline {}
