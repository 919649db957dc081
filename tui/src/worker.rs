//! The thread on which a viewer's errands run. Each viewer has one, and nothing is shared among viewers.

use crate::errand::{Ending, Errand};
use crate::headway::Headway;
use crate::traces::{Outline, Traces};
use std::io;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// An errand, and what it is run on.
type Order = (Errand, Arc<dyn Outline>, Box<dyn Traces>);

/// The thread, as the viewer sees it: it takes one errand at a time.
pub(crate) struct Worker {
    orders: Sender<Order>,
    reports: Receiver<(Errand, Box<dyn Traces>, Ending)>,
    headway: Arc<Headway>,
    /// `None` once it has panicked.
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts the thread.
    pub(crate) fn start(headway: Arc<Headway>) -> io::Result<Worker> {
        let (orders, incoming) = channel::<Order>();
        let (outgoing, reports) = channel();
        let shared = Arc::clone(&headway);
        let thread = Builder::new().name("forkpoint errands".to_string()).spawn(move || {
            for (errand, outline, mut traces) in incoming {
                let ending = errand.run(&*outline, &mut *traces, &shared);
                if outgoing.send((errand, traces, ending)).is_err() {
                    break;
                }
            }
        })?;
        Ok(Worker { orders, reports, headway, thread: Some(thread) })
    }

    /// Sends the traces on an errand.
    pub(crate) fn send(&mut self, errand: Errand, outline: Arc<dyn Outline>, traces: Box<dyn Traces>) {
        if self.orders.send((errand, outline, traces)).is_err() {
            self.pass_on_panic();
        }
    }

    /// Waits this long for the answer to an errand.
    pub(crate) fn wait(&mut self, time: Duration) -> Option<(Errand, Box<dyn Traces>, Ending)> {
        match self.reports.recv_timeout(time) {
            Ok(report) => Some(report),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                self.pass_on_panic();
                None
            }
        }
    }

    /// Only a panic ends the thread early. The traces are lost, so the viewer panics as well.
    fn pass_on_panic(&mut self) {
        if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join) {
            resume_unwind(panic);
        }
    }
}

impl Drop for Worker {
    /// Makes the current errand give up soon, without waiting for it: the user has left.
    fn drop(&mut self) {
        self.headway.abandon();
    }
}
