//! What a report holds: its JSON form is documented in `docs/json.md`.

use crate::allowed::Allowed;
use crate::assertions::Assertions;
use crate::limits::PageLimit;
use crate::side::Side;
use crate::signature::EventShape;
use crate::symbols::Variable;
use crate::typed::TypedValue;
use crate::verdict::Verdict;
use forkpoint_traces::{CodeOffset, FuncIndex, Hex, MemoryIndex, Outcome, Position};
use serde::{Serialize, Serializer};

/// What a comparison of two traces found. Its JSON form is documented in `docs/json.md`.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Whether all events are equal and both runs were recorded to their end. `None`: no answer, see `reason`.
    pub agree: Option<bool>,
    /// Why there is no answer.
    pub reason: Option<String>,
    /// Whether both engines refused to run the module: they agree in that, and nothing ran.
    pub nothing_ran: bool,
    /// Parts of the program that did not run under these engines, so that agreement says nothing about them: as
    /// sentences.
    pub not_asked: Vec<String>,
    /// The class of the divergence.
    pub verdict: Option<Verdict>,
    /// The class in words.
    pub meaning: Option<&'static str>,
    /// Position of the first unequal pair.
    pub position: Option<Position>,
    /// Of a script: the directive in which the runs part, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directive: Option<String>,
    /// Where in the module: where a run trapped, crashed or was ended, on either side; else the instruction of the
    /// left event, or of the right one.
    pub site: Option<SiteReport>,
    /// Around where a run ended, if its engine does not report the place.
    pub between: Option<BetweenReport>,
    /// Index of the memory written.
    pub memory: Option<MemoryIndex>,
    /// Its name, if it has one.
    pub memory_name: Option<String>,
    /// First address shown in `before` and each side's `after`.
    pub address: Option<u64>,
    /// What memory held there before, in hexadecimal.
    pub before: Option<Hex<Vec<u8>>>,
    /// The event that last wrote these bytes before.
    pub last_writer: Option<EventReport>,
    /// If it is not known, because the trace leaves out events: where they end.
    pub written_before: Option<Position>,
    /// What memory held where the right event wrote, if that is not near the place above.
    pub elsewhere: Option<PlaceReport>,
    /// The store that memory does not show, or that it should still show.
    pub culprit: Option<CulpritReport>,
    /// The event during which memory changed without a record, if a second run found it.
    pub during: Option<CulpritReport>,
    /// The host call in which the runs diverge, if they do so in the middle of one.
    pub host_call: Option<String>,
    /// Events before the divergence that differ in NaN bits only.
    pub nan_bits: Option<NanReport>,
    /// Whether the specification allows the difference: null if nothing suggests it.
    pub allowed: Option<Allowed>,
    /// Where the runs agree again: left and right position.
    pub resync: Option<[Position; 2]>,
    /// Whether the events from there on are equal, or only the instructions; `None` without a resync.
    pub resync_equal: Option<bool>,
    /// What the specification says of the module, with the proposals of the left run.
    pub specification: String,
    /// That the machine may have refused what one side lacks, as a sentence.
    pub machine: Option<String>,
    /// How the two runs differ on request, as sentences.
    pub asked_for: Vec<String>,
    /// The module that both ran.
    pub module: ModuleReport,
    /// The left run.
    pub lhs: SideReport,
    /// The right run.
    pub rhs: SideReport,
    /// Events around the divergence.
    pub context: Vec<ContextRow>,
}

/// The module of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModuleReport {
    /// Its file's name, without folders.
    pub name: String,
    /// Length of the binary module.
    pub bytes: u64,
    /// BLAKE3 of the binary module, in hexadecimal.
    pub blake3: String,
}

/// An instruction of the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SiteReport {
    /// The instance, in a program of several modules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Function index in its module.
    pub function: FuncIndex,
    /// Function name.
    pub name: String,
    /// Byte offset in the original module.
    pub offset: CodeOffset,
    /// The same two in the numbers of the trace.
    #[serde(skip)]
    pub place: (FuncIndex, CodeOffset),
    /// The instruction in the text format.
    pub instruction: String,
    /// Source file, if debug information names one.
    pub file: Option<String>,
    /// Source line.
    pub line: Option<u32>,
}

/// An event with its place.
#[derive(Debug, Clone, Serialize)]
pub struct EventReport {
    /// Position.
    pub position: Position,
    /// The event in one line.
    pub event: String,
    /// Where in the module.
    pub site: Option<SiteReport>,
}

/// Bytes of memory before and after the two events.
#[derive(Debug, Clone, Serialize)]
pub struct PlaceReport {
    /// Index of the memory.
    pub memory: MemoryIndex,
    /// Its name, if it has one.
    pub memory_name: Option<String>,
    /// First address shown.
    pub address: u64,
    /// What memory held there before, in hexadecimal.
    pub before: Hex<Vec<u8>>,
    /// What it holds after the left event.
    pub lhs_after: Hex<Vec<u8>>,
    /// What it holds after the right event.
    pub rhs_after: Hex<Vec<u8>>,
    /// The event that last wrote these bytes before.
    pub last_writer: Option<EventReport>,
    /// If it is not known, because the trace leaves out events: where they end.
    pub written_before: Option<Position>,
}

/// The store responsible for bytes that memory does not hold.
#[derive(Debug, Clone, Serialize)]
pub struct CulpritReport {
    /// The side on which memory does not hold them.
    pub side: Side,
    /// The event.
    #[serde(flatten)]
    pub event: EventReport,
}

/// Events that differ in NaN bits only.
#[derive(Debug, Clone, Serialize)]
pub struct NanReport {
    /// Position of the first.
    pub first: Position,
    /// How many there are before the divergence.
    pub count: u64,
    /// Whether address or value at the divergence are bytes of the first one's NaNs.
    pub leads_to_divergence: bool,
}

/// One of the two runs.
#[derive(Debug, Clone, Serialize)]
pub struct SideReport {
    /// The engine as given on the command line.
    pub engine: String,
    /// Engine name and version, target and CPU features.
    pub version: String,
    /// The host that answered the module's calls for real; `None` if the module makes none, or a recording answered.
    pub host: Option<String>,
    /// How the run ended, `None` if the trace does not say. In JSON in words.
    #[serde(serialize_with = "in_words")]
    pub outcome: Option<Outcome>,
    /// The engine's own words about that.
    pub message: Option<String>,
    /// For a rejection: the byte offset in the original module that the engine names.
    pub offset: Option<u64>,
    /// For a rejection: the engine's own error code.
    pub code: Option<String>,
    /// What the engine's process wrote to its standard error before it died or was ended.
    pub last_words: Option<String>,
    /// What the engine did with the limit on the pages of memories, if there was one.
    pub page_limit: Option<PageLimit>,
    /// What became of the script's assertions, if it is a script that ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assertions: Option<Assertions>,
    /// Number of events.
    pub events: u64,
    /// Whether the trace was closed.
    pub complete: bool,
    /// The event at the divergence, in one line.
    pub event: Option<String>,
    /// Where in the module that event is: the place of an instruction, of a trap, or of the end of the run.
    pub site: Option<SiteReport>,
    /// Address written by it.
    pub address: Option<u64>,
    /// Bytes written by it.
    pub width: Option<u64>,
    /// The value written, in hexadecimal: at most 64 bytes.
    pub bytes: Option<Hex<Vec<u8>>>,
    /// What these bytes mean, by the instruction that stores them.
    pub value: Option<TypedValue>,
    /// The variable that the event writes, or part of, if debug information names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variable: Option<Variable>,
    /// What memory holds afterwards at the report's `address`.
    pub after: Option<Hex<Vec<u8>>>,
    /// What the event is, for signatures.
    #[serde(skip)]
    pub(crate) shape: Option<EventShape>,
}

/// One row of the events around the divergence.
#[derive(Debug, Clone, Serialize)]
pub struct ContextRow {
    /// Position, the same on both sides.
    pub position: Position,
    /// Whether the two events are equal.
    pub equal: bool,
    /// The left event.
    pub lhs: Option<String>,
    /// The right event, if it differs.
    pub rhs: Option<String>,
}

/// The instructions between which a run ended whose engine does not report the place.
#[derive(Debug, Clone, Serialize)]
pub struct BetweenReport {
    /// The side that ended.
    pub side: Side,
    /// The last instruction recorded before that, on both sides.
    pub after: Option<EventReport>,
    /// The first instruction that the other side recorded from there on.
    pub before: Option<EventReport>,
}

fn in_words<S: Serializer>(outcome: &Option<Outcome>, serializer: S) -> Result<S::Ok, S::Error> {
    outcome.as_ref().map(ToString::to_string).serialize(serializer)
}
