//! The classes of divergences, and which one an unequal pair of events belongs to.

use crate::resync::Resync;
use forkpoint_traces::{Event, GuestOutcome, HostEvent, Milestone, Outcome, Position, Stage, TrapKind};
use serde::{Serialize, Serializer};

macro_rules! verdicts {
    ($($name:ident $word:literal $meaning:literal;)*) => {
        /// The class of a divergence.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Verdict {
            $(#[doc = $meaning] $name),*
        }

        impl Verdict {
            /// Every verdict.
            pub const ALL: &'static [Verdict] = &[$(Verdict::$name),*];

            /// The word in kebab case, as `--json` has it.
            pub fn word(self) -> &'static str {
                match self { $(Verdict::$name => $word),* }
            }

            /// Its meaning, in a few words.
            pub fn meaning(self) -> &'static str {
                match self { $(Verdict::$name => $meaning),* }
            }
        }
    };
}

verdicts! {
    Address      "address"       "the same instruction wrote to another address";
    Value        "value"         "the same instruction wrote another value";
    Width        "width"         "the same instruction wrote another number of bytes";
    MissingEvent "missing-event" "the right side lacks an event that the left side has";
    ExtraEvent   "extra-event"   "the right side has an event that the left side lacks";
    ControlFlow  "control-flow"  "the two sides went different ways";
    Grow         "grow"          "memory.grow was answered differently";
    InitialSize  "initial-size"  "a memory had another size after instantiation";
    DataInit     "data-init"     "memory held other bytes after instantiation";
    HostCall     "host-call"     "one side asked its host for something else";
    HostWrite    "host-write"    "the host acted differently on each side";
    Invocation   "invocation"    "the two sides were called differently";
    Trap         "trap"          "one side trapped and the other did not, or they trapped differently";
    Crash        "crash"         "the engine's process died on one side";
    Validation   "validation"    "one engine accepts the module as valid, the other does not";
    Compilation  "compilation"   "one engine compiled or loaded the module, the other did not";
    Instantiation "instantiation" "one engine instantiated the module, the other did not";
    PageLimit    "page-limit"    "the engines treat the same limit of memory pages differently";
    UncommittedStore "uncommitted-store" "memory does not hold what a store wrote";
    UnrecordedWrite  "unrecorded-write"  "memory changed without a recorded write";
    Instance         "instance"          "a store of one instance landed in a memory of another instance";
    OutOfBounds  "out-of-bounds" "an instruction wrote outside memory and went on instead of trapping";
    MemorySize   "memory-size"   "a memory's size does not follow from its memory.grow instructions";
    NanBits      "nan-bits"      "only the sign or the payload of NaNs differs, which the specification allows";
    ObserverEffect "observer-effect" "recording itself changes what the runs do";
    Nondeterminism "nondeterminism" "an engine does not run the module the same way twice";
    EndState     "end-state"     "results, exit code or final memory differ";
    Poisoned     "poisoned"      "one side ran out of memory or stack: the runs cannot be compared further";
    Timeout      "timeout"       "one side was ended from outside: the runs cannot be compared further";
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.word())
    }
}

impl Serialize for Verdict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

impl Verdict {
    /// Whether the comparison ended because a run did, so that there is no answer.
    pub fn is_no_answer(self) -> bool {
        matches!(self, Verdict::Poisoned | Verdict::Timeout)
    }
}

/// Whether a run that ends like this says nothing about the engine, and why.
fn cut_short(event: &Event) -> Option<Verdict> {
    match event {
        Event::Milestone(Milestone::End { outcome: Outcome::TimedOut | Outcome::Interrupted, .. }) => {
            Some(Verdict::Timeout)
        }
        Event::Milestone(Milestone::End { outcome: Outcome::OutOfMemory, .. })
        | Event::Milestone(Milestone::Trapped { trap: TrapKind::StackOverflow | TrapKind::OutOfMemory, .. }) => {
            Some(Verdict::Poisoned)
        }
        Event::Host(HostEvent::Leave {
            outcome: GuestOutcome::Trapped(TrapKind::StackOverflow | TrapKind::OutOfMemory),
            ..
        }) => Some(Verdict::Poisoned),
        _ => None,
    }
}

/// The stage at which a run was rejected, if it was.
fn rejected_at(event: &Event) -> Option<Stage> {
    match event {
        Event::Milestone(
            Milestone::End { outcome: Outcome::Rejected { stage }, .. } | Milestone::Refused { stage },
        ) => Some(*stage),
        _ => None,
    }
}

/// The class of an unequal pair at `at`, as far as the two events show it.
pub(crate) fn classify(lhs: Option<&Event>, rhs: Option<&Event>, at: Position, resync: Option<Resync>) -> Verdict {
    let (lhs, rhs) = match (lhs, rhs) {
        (Some(lhs), Some(rhs)) => (lhs, rhs),
        (Some(_), None) => return Verdict::MissingEvent,
        (None, _) => return Verdict::ExtraEvent,
    };
    if let Some(verdict) = cut_short(lhs).or_else(|| cut_short(rhs)) {
        return verdict;
    }
    if lhs.site().is_some() && lhs.site() == rhs.site() {
        return same_instruction(lhs, rhs);
    }
    let either = |test: fn(&Event) -> bool| test(lhs) || test(rhs);
    if either(|event| matches!(event, Event::Milestone(Milestone::End { outcome: Outcome::Crashed { .. }, .. }))) {
        return Verdict::Crash;
    }
    if rejected_at(lhs).is_some() && rejected_at(lhs) == rejected_at(rhs) {
        // Both failed half-way, and left different bytes in memories that the module imports.
        return Verdict::DataInit;
    }
    // Of two rejections at different stages, the earlier one is where they part.
    if let Some(stage) = [lhs, rhs].into_iter().filter_map(rejected_at).min() {
        return match stage {
            Stage::Validate => Verdict::Validation,
            Stage::Compile => Verdict::Compilation,
            Stage::Instantiate => Verdict::Instantiation,
        };
    }
    let trapped = |event: &Event| {
        matches!(
            event,
            Event::Milestone(Milestone::Trapped { .. })
                | Event::Host(HostEvent::Leave { outcome: GuestOutcome::Trapped(_), .. })
        )
    };
    if either(trapped) {
        return Verdict::Trap;
    }
    if either(|event| matches!(event, Event::Milestone(Milestone::Memory { .. }))) {
        return Verdict::InitialSize;
    }
    if either(|event| matches!(event, Event::StrayBytes { .. } | Event::Milestone(Milestone::DataInit { .. }))) {
        return Verdict::DataInit;
    }
    if either(|event| matches!(event, Event::Host(HostEvent::Call(_)))) {
        return Verdict::HostCall;
    }
    match (lhs, rhs) {
        (Event::Host(HostEvent::Leave { .. }), Event::Host(HostEvent::Leave { .. })) => return Verdict::EndState,
        (Event::Host(_), Event::Host(_)) => return Verdict::HostWrite,
        (Event::Milestone(Milestone::Invoke { .. }), Event::Milestone(Milestone::Invoke { .. })) => {
            return Verdict::Invocation;
        }
        (
            Event::Milestone(
                Milestone::Returned { .. }
                | Milestone::Exited { .. }
                | Milestone::End { .. }
                | Milestone::Judged { .. },
            ),
            Event::Milestone(
                Milestone::Returned { .. }
                | Milestone::Exited { .. }
                | Milestone::End { .. }
                | Milestone::Judged { .. },
            ),
        ) => return Verdict::EndState,
        _ => {}
    }
    match resync {
        Some(resync) if resync.rhs == at => Verdict::MissingEvent,
        Some(resync) if resync.lhs == at => Verdict::ExtraEvent,
        _ => Verdict::ControlFlow,
    }
}

/// What differs between two events of one instruction.
fn same_instruction(lhs: &Event, rhs: &Event) -> Verdict {
    if let (Event::Grow { result: left, delta: left_delta, .. }, Event::Grow { result: right, delta, .. }) =
        (lhs, rhs)
    {
        return if left_delta == delta && left != right { Verdict::Grow } else { Verdict::Value };
    }
    match (lhs.written(), rhs.written()) {
        (Some((_, left, _)), Some((_, right, _))) if left != right => Verdict::Address,
        (Some((_, _, left)), Some((_, _, right))) if left != right => Verdict::Width,
        _ => Verdict::Value,
    }
}
