//! Results in words: a file for each kind of result.

mod builds;
mod comparison;
mod contents;
mod guard;
mod hosts;
mod info;
mod recording;
mod reruns;
mod summary;
mod survey;
mod table;

pub use builds::print_builds;
pub use comparison::print_compared;
pub use info::print_info;
pub use recording::{EngineOfRecording, print_recording};
pub use summary::print_summary;
pub use survey::print_surveyed;

/// A result as text for people.
pub struct InWords<'a, T>(pub &'a T);
