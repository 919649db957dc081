//! The thread of a viewer that does its errands. Each viewer has one, and nothing is shared among viewers.

use crate::errand::{Answer, Errand};
use crate::headway::Headway;
use crate::source::{Outline, Source};
use std::io;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// An errand with the traces that it is about.
type Order = (Errand, Box<dyn Source>);

/// The traces back, with an answer.
type Report = (Errand, Box<dyn Source>, Answer);

/// Whoever holds this can send errands, one at a time.
pub(crate) struct Worker {
    orders: Sender<Order>,
    reports: Receiver<Report>,
    headway: Arc<Headway>,
    /// `None` once it has panicked.
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts the thread.
    pub(crate) fn start(outline: Arc<dyn Outline>, headway: Arc<Headway>) -> io::Result<Worker> {
        let (orders, incoming) = channel::<Order>();
        let (outgoing, reports) = channel();
        let shared = Arc::clone(&headway);
        let thread = Builder::new().name("forkpoint errands".to_string()).spawn(move || {
            for (errand, mut source) in incoming {
                let answer = errand.run(&*outline, &mut *source, &shared);
                if outgoing.send((errand, source, answer)).is_err() {
                    break;
                }
            }
        })?;
        Ok(Worker { orders, reports, headway, thread: Some(thread) })
    }

    /// Sends the traces on an errand.
    pub(crate) fn send(&mut self, errand: Errand, source: Box<dyn Source>) {
        if self.orders.send((errand, source)).is_err() {
            self.pass_on_panic();
        }
    }

    /// Waits for the answer to an errand, for so long.
    pub(crate) fn wait(&mut self, time: Duration) -> Option<Report> {
        match self.reports.recv_timeout(time) {
            Ok(report) => Some(report),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                self.pass_on_panic();
                None
            }
        }
    }

    /// The thread ends early by a panic only, which is this thread's, too: the traces are lost.
    fn pass_on_panic(&mut self) {
        if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join) {
            resume_unwind(panic);
        }
    }
}

impl Drop for Worker {
    /// What is under way gives up soon, without being waited for: the user has left.
    fn drop(&mut self) {
        self.headway.abandon();
    }
}
