//! A module that may be the smaller one.

use super::reduction::Reduction;
use forkpoint_tracer::Invocation;

/// A module, and the calls that make it diverge.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub module: Vec<u8>,
    pub calls: Vec<Invocation>,
    /// Whether JavaScript calls it, and answers its calls, as recorded.
    pub in_javascript: bool,
}

impl Candidate {
    /// The module of a reduction as it is.
    pub fn original(reduction: &Reduction<'_>) -> Candidate {
        let (module, calls) = (reduction.module.clone(), reduction.calls.clone());
        Candidate { module, calls, in_javascript: reduction.javascript }
    }

    /// The same calls of another module.
    pub fn with(&self, module: Vec<u8>) -> Candidate {
        Candidate { module, calls: self.calls.clone(), in_javascript: self.in_javascript }
    }
}
