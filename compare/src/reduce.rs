//! Reduces a module to the smallest that still diverges in the same way.
//!
//! First by time: the activation of the function in which the runs part is made a program of its own, with the arguments, globals
//! and memory that it had (`slice.rs`); if that does not diverge, its caller's activation, and so on. Then by values and by chance:
//! functions, statements, expressions, blocks, data (`shrink.rs`). Every step is checked by both engines (`judge.rs`), so whatever
//! a step assumes, the result diverges like the original.

mod activation;
mod answers;
mod append;
mod body;
mod candidate;
mod constants;
mod data;
mod error;
mod inline;
mod judge;
mod locals;
mod log;
mod parts;
mod probe;
mod prune;
mod quick;
mod reduction;
mod replayed;
mod reproduction;
mod run;
mod script;
mod sections;
mod shrink;
mod slice;
mod state;
#[cfg(test)]
mod tests;
mod text;
mod witness;

pub use reduction::{Reduced, Reduction, ReductionEnd, ReductionStatus};
pub use reproduction::{OwnCheck, OwnSide, Reproduction};
