//! How far a run came and how it ended: its stages before anything runs, its outcome, its trap.

use serde::{Deserialize, Serialize};

/// What an engine does with a module before it runs any of it, in this order. It may reject the module at each stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// It checks that the module is valid with the proposals that are switched on.
    Validate,
    /// It compiles the module, or loads what was compiled before.
    Compile,
    /// It resolves imports, creates memories and tables, and copies active segments.
    Instantiate,
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Stage; 3] = [Stage::Validate, Stage::Compile, Stage::Instantiate];
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Stage::Validate => "validate",
            Stage::Compile => "compile",
            Stage::Instantiate => "instantiate",
        })
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Every call returned.
    Finished,
    /// `proc_exit` with this code.
    Exited {
        /// The exit code.
        code: i32,
    },
    /// A call trapped.
    Trapped {
        /// Which trap.
        trap: TrapKind,
    },
    /// The engine did not accept the module.
    Rejected {
        /// Where.
        stage: Stage,
    },
    /// The engine's process died.
    Crashed {
        /// The signal that killed it, or `None` if it exited by itself.
        signal: Option<i32>,
    },
    /// The time limit ran out.
    TimedOut,
    /// The user ended it (Ctrl-C).
    Interrupted,
    /// The guest asked its host something that the host log has no answer to: it took another path.
    Unanswered,
    /// The module is not valid, so it was not instantiated although the engine compiled it.
    NotRun,
    /// The engine's process held more memory than it was allowed to, and was ended.
    OutOfMemory,
    /// The guest's allocator gave no room for an argument's bytes, so the call was not made.
    NoRoom,
}

impl Outcome {
    /// Whether two engines may mean the same end: equal up to [`TrapKind::may_be`].
    pub fn may_be(&self, other: &Outcome) -> bool {
        match (self, other) {
            (Outcome::Trapped { trap }, Outcome::Trapped { trap: other }) => trap.may_be(*other),
            _ => self == other,
        }
    }

    /// A word for the kind of end, which stays the same when its text changes.
    pub fn kind(&self) -> &'static str {
        match self {
            Outcome::Finished => "finished",
            Outcome::Exited { .. } => "exited",
            Outcome::Trapped { .. } => "trapped",
            Outcome::Rejected { .. } => "rejected",
            Outcome::Crashed { .. } => "crashed",
            Outcome::TimedOut => "timed-out",
            Outcome::Interrupted => "interrupted",
            Outcome::Unanswered => "unanswered",
            Outcome::NotRun => "not-run",
            Outcome::OutOfMemory => "out-of-memory",
            Outcome::NoRoom => "no-room",
        }
    }

    /// Whether the run was ended from outside, so that the place where it ended means nothing.
    pub fn is_cut_short(&self) -> bool {
        matches!(self, Outcome::TimedOut | Outcome::Interrupted | Outcome::OutOfMemory)
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Outcome::Finished => f.write_str("finished"),
            Outcome::Exited { code } => write!(f, "exited with code {code}"),
            Outcome::Trapped { trap } => write!(f, "trapped: {trap}"),
            Outcome::Rejected { stage } => write!(f, "rejected at {stage}"),
            Outcome::Crashed { signal: Some(signal) } => match signal_name(*signal) {
                Some(name) => write!(f, "crashed: {name}"),
                None => write!(f, "crashed: signal {signal}"),
            },
            Outcome::Crashed { signal: None } => f.write_str("crashed: the engine's process ended early"),
            Outcome::TimedOut => f.write_str("timed out"),
            Outcome::Interrupted => f.write_str("interrupted"),
            Outcome::NotRun => f.write_str("compiled, and not run: the module is not valid"),
            Outcome::OutOfMemory => f.write_str("took more memory than allowed"),
            Outcome::NoRoom => f.write_str("the allocator made no room for an argument"),
            Outcome::Unanswered => f.write_str("ended at a host call that is missing from the recording"),
        }
    }
}

fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        2 => "SIGINT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        15 => "SIGTERM",
        _ => return None,
    })
}

macro_rules! traps {
    ($($name:ident $text:literal;)*) => {
        /// A trap, by the words of the specification's test suite rather than of one engine.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[allow(missing_docs, reason = "the text in the table is the documentation")]
        pub enum TrapKind { $($name),* }

        impl TrapKind {
            /// Its name in the format, which stays the same when its text changes.
            pub fn name(self) -> &'static str {
                match self { $(TrapKind::$name => stringify!($name)),* }
            }
        }

        impl std::fmt::Display for TrapKind {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self { $(TrapKind::$name => $text),* })
            }
        }
    };
}

// Order is part of the trace format: append only.
traps! {
    Unreachable             "unreachable";
    MemoryOutOfBounds       "out of bounds memory access";
    TableOutOfBounds        "out of bounds table access";
    UndefinedElement        "undefined element";
    IndirectCallType        "indirect call type mismatch";
    IntegerOverflow         "integer overflow";
    IntegerDivideByZero     "integer divide by zero";
    InvalidConversion       "invalid conversion to integer";
    StackOverflow           "call stack exhausted";
    UnalignedAtomic         "unaligned atomic";
    NullReference           "null reference";
    ArrayOutOfBounds        "out of bounds array access";
    CastFailure             "cast failure";
    UncaughtException       "uncaught exception";
    OutOfMemory             "out of memory";
    HostError               "error in a host function";
    Other                   "trap";
    IndirectCall            "indirect call of a null element or of another type";
    Truncation              "float that is not an integer of the type";
}

impl TrapKind {
    /// Whether two engines may mean the same trap: some have one message for two kinds.
    pub fn may_be(self, other: TrapKind) -> bool {
        use TrapKind::{
            IndirectCall, IndirectCallType, IntegerOverflow, InvalidConversion, Truncation, UndefinedElement,
        };
        let covers = |wide, kind| match wide {
            IndirectCall => matches!(kind, UndefinedElement | IndirectCallType),
            Truncation => matches!(kind, InvalidConversion | IntegerOverflow),
            _ => false,
        };
        self == other || covers(self, other) || covers(other, self)
    }
}
