//! Control frames of an engine's process, in JSON, so that a runner for another engine can be written in an
//! afternoon.

use super::VERSION;
use crate::values::WasmValue;
use forkpoint_traces::{EngineInfo, GuestOutcome, HostOutcome, Stage, TrapKind};
use serde::{Deserialize, Serialize};

/// A control frame.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Message {
    /// First of all: which engine this is.
    Hello(Hello),
    /// The engine cannot be set up as asked. The last frame.
    SetupFailed(String),
    /// The engine's runner failed, at any time: the run says nothing about the engine. The last frame.
    Failed(String),
    /// The engine accepted the module at a stage, `validate` or `compile`.
    Accepted(Stage),
    /// The engine rejected the module at a stage. The last frame. The offset refers to the original module at
    /// `validate`, to the job's module elsewhere; the code is the engine's own.
    Rejected {
        stage: Stage,
        message: String,
        #[serde(default)]
        offset: Option<u64>,
        #[serde(default)]
        code: Option<String>,
    },
    /// A checkpoint begins: sizes of all memories in pages. Digests follow, then `CheckpointEnd`.
    Checkpoint { pages: Vec<u64> },
    /// All digests were sent: the parent answers with [`Order::Show`](super::Order::Show), and gets these pages as
    /// images.
    CheckpointEnd,
    /// All requested pages were sent.
    CheckpointDone,
    /// The guest calls an imported function that the recorder answers, by [`Order::Answer`](super::Order::Answer): the function's index.
    HostCall { function: u32, arguments: Vec<WasmValue> },
    /// The engine's own host has answered, as [`Order::CallHost`](super::Order::CallHost) asked.
    HostAnswered(HostEnd),
    /// All bytes that [`Order::Read`](super::Order::Read) asked for were sent.
    HostReadEnd,
    /// Between two calls of a program that lives in JavaScript, before the first and after the last: the recorder says what
    /// is to be done there, and ends it by [`Order::Answer`](super::Order::Answer).
    Between,
    /// How a call of the guest ended that [`Order::Enter`](super::Order::Enter) asked for.
    Entered(GuestOutcome),
    /// The guest made a host call that the host log cannot answer, or that cannot be replayed from it, and why.
    Unanswered { why: String, damaged: bool },
    /// At the end: mutable globals, and sizes of tables.
    State { globals: Vec<WasmValue>, tables: Vec<u64> },
    /// A memory image follows, then `ImageEnd`. Once after instantiation, once at the end, per memory.
    Image { memory: u32, pages: u64 },
    /// The image is complete.
    ImageEnd,
    /// The module is instantiated, all images were sent.
    Instantiated,
    /// Watched bytes are checked after every event from here on: right after `Instantiated`.
    Watching,
    /// A call begins: the start function, or one of the job's calls by number.
    Call(Option<u32>),
    /// JavaScript calls a function of the guest from outside, by its index in the original module; null is the start
    /// function.
    Invoke { function: Option<u32>, arguments: Vec<WasmValue> },
    /// A program that lives in JavaScript is about to instantiate the module in this file, beside its own files. The answer
    /// is [`Order::Record`](super::Order::Record) or [`Order::Pass`](super::Order::Pass).
    Module(String),
    /// What JavaScript gives a module that it is about to instantiate, before any image: the values of imported globals, and
    /// how many elements imported tables have, in order.
    Given { globals: Vec<WasmValue>, tables: Vec<u64> },
    /// A stretch of events that this process digests has ended, after so many events of instructions; its XXH3-128 in
    /// hexadecimal.
    Stretch { events: u64, digest: String },
    /// The last stretch has ended, and whether a store lay outside of memory.
    Digested { outside: bool },
    /// The call returned.
    Returned(Vec<WasmValue>),
    /// The call trapped: the engine's message, and the guest's frames, innermost first. The message contains no
    /// backtrace, whose numbers would be those of the rewritten module.
    Trapped { trap: TrapKind, message: String, frames: Vec<TrapFrame> },
    /// The mark that the guest had reached last when it trapped: right before `Trapped`.
    Marked(u32),
    /// The guest called `proc_exit`.
    Exited(i32),
    /// The run was interrupted, as the parent asked.
    Stopped,
    /// A directive of a program of several modules begins.
    Directive(u32),
    /// The directive's module is refused at a stage, in the engine's words.
    Refused { stage: Stage, message: String },
    /// The directive is over.
    DirectiveEnd,
    /// The run is known up to here and no further, and why.
    Cut(String),
    /// How often the command of an engine that is one was run.
    CommandRuns(u32),
    /// Everything was sent.
    End,
}

/// The engine, and the protocol version of its process.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Hello {
    /// Version 1 of the protocol had no such field.
    #[serde(default = "first_version")]
    pub(crate) protocol: u32,
    #[serde(flatten)]
    pub(crate) engine: EngineInfo,
}

fn first_version() -> u32 {
    1
}

impl Hello {
    /// The first message of a process of this version.
    pub(crate) fn of(engine: EngineInfo) -> Hello {
        Hello { protocol: VERSION, engine }
    }
}

/// One frame of the guest's stack; function and offset are those of the rewritten module.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TrapFrame {
    pub(crate) function: u32,
    pub(crate) offset: Option<u32>,
    /// Which instance's module, in a program of several modules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) instance: Option<u32>,
    /// Its name in the module's name section.
    pub(crate) name: Option<String>,
}

/// How a host call ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum HostEnd {
    /// With these results.
    Returned(Vec<WasmValue>),
    /// The guest traps, with this message.
    Trapped(String),
    /// The guest exits, with this code.
    Exited(i32),
    /// The recorder wants the run to end.
    Stopped,
}

impl HostEnd {
    /// The same in the form of a trace.
    pub(crate) fn outcome(&self) -> HostOutcome {
        match self {
            HostEnd::Returned(values) => HostOutcome::Returned(values.clone()),
            HostEnd::Trapped(message) => HostOutcome::Trapped(message.clone()),
            HostEnd::Exited(code) => HostOutcome::Exited(*code),
            HostEnd::Stopped => HostOutcome::Trapped("the recorder stopped the run".to_string()),
        }
    }
}
