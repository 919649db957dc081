//! What recorded events mean: memory at any position, the last writer of a byte, two traces in lockstep, the
//! first divergence and its verdict, and the names, source lines and native code around it.
//!
//! Constraints: no engine is linked and no native code is run, so a viewer of strangers' traces stays small
//! and safe; memory use does not grow with the length of a run; a wrong replay is never silent.
//!
//! To get started: [`Timeline`] for one trace, [`first_divergence`] for two, [`Alignment`] to walk them side by side,
//! [`Symbols`] and [`disassemble`] for the code of a site.
//!
//! # Example
//!
//! Finds where two runs of one module part, and looks at memory there:
//!
//! ```
//! use forkpoint_replay::{NanBits, ReplayError, Report, Timeline, Verdict, first_divergence};
//! use forkpoint_traces::MemoryIndex;
//!
//! let mut lhs = Timeline::open("../traces/samples/orbit-jit.fpt".as_ref())?;
//! let mut rhs = Timeline::open("../traces/samples/orbit-portable.fpt".as_ref())?;
//! let divergence = first_divergence(&mut lhs, &mut rhs, NanBits::Report)?.divergence.expect("they diverge");
//! assert_eq!(divergence.verdict, Verdict::Value);
//!
//! lhs.seek(divergence.position)?;
//! let mut bytes = [0; 16];
//! lhs.memory().read(MemoryIndex(0), 0x10, &mut bytes);
//! println!("before: {bytes:02x?}\n{}", Report::new(&mut lhs, &mut rhs, 3, NanBits::Report)?);
//! # Ok::<(), ReplayError>(())
//! ```

// Only the command prints, in one place.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

mod alignment;
mod allowed;
mod assertions;
mod builds;
mod calls;
mod deed;
mod describe;
mod disassembly;
mod divergence;
mod error;
mod filter;
mod heat;
mod html;
mod limits;
mod machine;
mod more_events;
mod nan;
mod observed;
mod pack;
mod pages;
mod report;
mod resync;
mod side;
mod signature;
mod source_files;
mod stretches;
mod symbols;
mod tail;
mod timeline;
mod typed;
mod verdict;
mod verify;
mod why;

pub use alignment::{Alignment, Pair};
pub use allowed::Allowed;
pub use assertions::Assertions;
pub use builds::{
    BuildBytes, BuildLayout, BuildPlace, BuildReport, BuildVerdict, BuildsReport, ComparedSteps, Counterpart,
    DifferingBytes, FollowedStores, FunctionMatch, ReturnedCall, SeenRow, UnlikeReturn, align_builds, are_builds,
    first_unlike_return,
};
pub use calls::{
    Activation, ArgumentReport, CallFrame, CallSource, CallStack, CallWindow, CallsReport, KnownCalls, SideCalls,
    stack_variable,
};
pub use describe::{StoreText, describe, describe_with_place, describe_without_value, place_of, variable_of};
pub use disassembly::{DisassemblyError, NativeLine, SiteRange, disassemble, site_range};
pub use divergence::{Divergence, Found, MemoryEffect, first_divergence, first_unequal_held};
pub use error::ReplayError;
pub use filter::{BoundFilter, EventFilter, FilterError, looks_like_filter};
pub use heat::{Heat, written_pages_of};
pub use html::{HtmlSettings, html_report};
pub use limits::{Conduct, PageLimit};
pub use more_events::EventSource;
pub use nan::{NanBits, NanDifferences};
pub use pack::{Contents, HostBytes, OtherModule, Pack, PackError, PackSettings, Packing, Section};
pub use pages::PageDifference;
pub use report::{
    BetweenReport, ContextRow, CulpritReport, EventReport, ModuleReport, NanReport, PlaceReport, Report, SideReport,
    SiteReport,
};
pub use resync::Resync;
pub use side::Side;
pub use signature::{Likeness, Signature};
pub use source_files::{SourceError, SourceFiles};
pub use stretches::{Differing, Ignored};
pub use symbols::{
    Item, Lanes, Region, SourceFrame, SourceMap, SourceMapError, Symbols, Variable, WatFunction, WatLine, is_active,
    printable, printable_lines,
};
pub use timeline::{Appearance, Timeline};
pub use typed::{Number, NumberType, TypedValue, decimal};
pub use verdict::Verdict;
pub use verify::{Fault, Verified, verify, verify_with};
pub use why::{
    Chain, ChainEnd, ChainLink, ChainReport, ChainStep, Evidence, LoadPlace, LoadSource, LoadsOf, Why, WhyReport,
    value_around, why, why_by_loads,
};
