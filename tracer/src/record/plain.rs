//! The same run without recording: what recording is measured against.

use super::process::{Child, Watch};
use super::{Program, Request, Stdio};
use crate::child::{Job, Task};
use crate::error::RecordError;
use crate::protocol::{Frame, Message};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A run of the original module in the same kind of process.
#[derive(Debug, Clone)]
pub struct Plain {
    /// Whether every call returned or the guest ended itself.
    pub finished: bool,
    /// Wall-clock time of the engine's processes.
    pub elapsed: Duration,
    /// The part of it between instantiation and the end of the last call.
    pub running: Duration,
}

impl Program {
    /// Runs the original module as [`Program::record`] runs the rewritten one, and writes no trace.
    ///
    /// # Errors
    /// When the engine's process cannot be started or breaks the protocol.
    pub fn run_plain(&self, request: &Request) -> Result<Plain, RecordError> {
        let begun = Instant::now();
        let stack_switching = self.instrumented.stack_switching;
        let folder = tempfile::Builder::new()
            .prefix("forkpoint-")
            .tempdir()
            .map_err(RecordError::io("creating a temporary folder"))?;
        let mut module = folder.path().join("module.wasm");
        std::fs::write(&module, self.original()).map_err(RecordError::io("writing the module"))?;
        let watch = Watch::new(request.timeout, Arc::clone(&request.interrupt));
        if request.engine.mode.compiles_ahead() {
            let output = folder.path().join("module.cwasm");
            let task = Task::Compile { output: output.clone() };
            let job = Job { engine: request.engine.clone(), module, stack_switching, task };
            Child::spawn(request, &job, folder.path(), &Stdio::Null)?.run(&watch, |_| Ok(()))?;
            module = output;
        }
        let task = Task::Run(Box::new(self.plain_run(request)));
        let job = Job { engine: request.engine.clone(), module, stack_switching, task };
        let child = Child::spawn(request, &job, folder.path(), &request.stdin)?;
        let (mut finished, mut started, mut running) = (false, None, Duration::ZERO);
        child.run(&watch, |frame| {
            match frame {
                Frame::Message(Message::Instantiated) => started = Some(Instant::now()),
                Frame::Message(Message::Returned(_) | Message::Exited(_)) => {
                    finished = true;
                    running = started.map_or(Duration::ZERO, |started: Instant| started.elapsed());
                }
                _ => {}
            }
            Ok(())
        })?;
        Ok(Plain { finished, elapsed: begun.elapsed(), running })
    }
}
