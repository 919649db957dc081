//! The conversation with the editor: a request at a time, each with its answer.

use crate::breakpoints::{Breakpoints, data_id};
use crate::memory::{Byte, number};
use crate::place::{Place, thread_of};
use crate::protocol::{Out, Request, read};
use crate::travel::{Step, Stop, Way};
use crate::{DapError, Launch, Traces, callers, code, evaluate, frames, memory, sources, travel, variables};
use forkpoint_replay::{ReplayError, Side, printable};
use forkpoint_traces::MemoryIndex;
use serde_json::{Value, json};
use std::io::{BufRead, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread;

/// Talks to an editor until it leaves. `open` gives the traces of a launch, or says in words why there are none.
///
/// # Errors
/// When the editor cannot be written to, or sends what is no message.
pub fn serve(
    input: impl BufRead + Send + 'static,
    output: impl Write,
    open: &mut dyn FnMut(&Launch) -> Result<Traces, String>,
) -> Result<(), DapError> {
    let pause = Arc::new(AtomicBool::new(false));
    let (sender, requests) = channel();
    let pausing = Arc::clone(&pause);
    // A thread of its own, so that a request to pause is seen during a search. It ends with the input.
    thread::Builder::new().name("editor".to_string()).spawn(move || {
        let mut input = input;
        loop {
            let request = read(&mut input);
            if let Ok(Some(request)) = &request
                && ["pause", "cancel", "disconnect", "terminate"].contains(&request.command.as_str())
            {
                pausing.store(true, Ordering::Relaxed);
            }
            let over = !matches!(request, Ok(Some(_)));
            if sender.send(request).is_err() || over {
                return;
            }
        }
    })?;
    let mut adapter =
        Adapter { out: Out::new(output), open, pause, place: None, breakpoints: Breakpoints::default() };
    while let Ok(request) = requests.recv() {
        match request? {
            Some(request) => {
                if !adapter.take(&request)? {
                    return Ok(());
                }
            }
            None => return Ok(()),
        }
    }
    Ok(())
}

/// A conversation in progress.
struct Adapter<'a, W> {
    out: Out<W>,
    open: &'a mut dyn FnMut(&Launch) -> Result<Traces, String>,
    /// Set when a search is to end.
    pause: Arc<AtomicBool>,
    place: Option<Place>,
    breakpoints: Breakpoints,
}

/// What an answer is followed by.
enum Then {
    Nothing,
    /// The editor may set breakpoints.
    Initialized,
    Stopped(Stop),
    /// The traces go on, which may take long.
    Going {
        side: Side,
        command: String,
        by_line: bool,
    },
}

impl<W: Write> Adapter<'_, W> {
    /// Takes a request; `false` if it is the last.
    fn take(&mut self, request: &Request) -> Result<bool, DapError> {
        if matches!(request.command.as_str(), "disconnect" | "terminate") {
            self.out.respond(request, Ok(json!({})))?;
            self.out.event("terminated", json!({}))?;
            return Ok(false);
        }
        if matches!(request.command.as_str(), "pause" | "cancel") {
            // A search has ended by it; without one, all threads are at rest already.
            self.pause.store(false, Ordering::Relaxed);
            self.out.respond(request, Ok(json!({})))?;
            return Ok(true);
        }
        let answer = self.answer(request);
        let (answer, then) = match answer {
            Ok((body, then)) => (Ok(body), then),
            Err(why) => (Err(why), Then::Nothing),
        };
        self.out.respond(request, answer)?;
        match then {
            Then::Nothing => {}
            Then::Initialized => self.out.event("initialized", json!({}))?,
            Then::Stopped(stop) => self.out.event("stopped", stop.body())?,
            Then::Going { side, command, by_line } => {
                let stop = match self.travel(side, &command, by_line) {
                    Ok(stop) => stop,
                    Err(why) => {
                        let why = printable(&why);
                        self.out.event("output", json!({ "category": "stderr", "output": format!("{why}\n") }))?;
                        Stop::new(side, "pause", why)
                    }
                };
                self.out.event("stopped", stop.body())?;
            }
        }
        Ok(true)
    }

    fn place(&mut self) -> Result<&mut Place, String> {
        self.place.as_mut().ok_or_else(|| "no traces are open: a launch comes first".to_string())
    }

    fn answer(&mut self, request: &Request) -> Result<(Value, Then), String> {
        let arguments = &request.arguments;
        let thread = || arguments["threadId"].as_i64().unwrap_or(1);
        let body = match request.command.as_str() {
            "initialize" => capabilities(),
            "launch" | "attach" => return self.launch(arguments).map(|()| (json!({}), Then::Initialized)),
            "configurationDone" => return Ok((json!({}), Then::Stopped(self.begin()?))),
            "threads" => {
                let place = self.place()?;
                let thread = |side| json!({ "id": thread_of(side), "name": format!("{side}: {}", printable(place.name(side))) });
                json!({ "threads": place.sides().map(thread).collect::<Vec<_>>() })
            }
            "stackTrace" => {
                let pause = Arc::clone(&self.pause);
                let place = self.place()?;
                let side = side(place, thread())?;
                let mut all = frames::stack(place, side).map_err(words)?;
                all.extend(callers::of_event(place, side, &pause).map_err(words)?);
                let first = arguments["startFrame"].as_u64().unwrap_or(0) as usize;
                let levels = arguments["levels"].as_u64().filter(|levels| *levels > 0).unwrap_or(u64::MAX) as usize;
                let shown: Vec<_> = all.iter().skip(first).take(levels).collect();
                json!({ "stackFrames": shown, "totalFrames": all.len() })
            }
            "scopes" => {
                let place = self.place()?;
                let frame = arguments["frameId"].as_i64().unwrap_or(0);
                let side = frames::side_of(place, frame).ok_or("there is no such frame")?;
                match callers::is_one(frame) {
                    true => json!({ "scopes": [] }),
                    false => variables::scopes(side),
                }
            }
            "variables" => {
                let reference = arguments["variablesReference"].as_i64().unwrap_or(0);
                variables::variables(self.place()?, reference)?
            }
            "evaluate" => return self.evaluate(arguments),
            "source" => self.source(arguments)?,
            "readMemory" => memory::read(self.place()?, arguments)?,
            "disassemble" => {
                let symbols = Arc::clone(self.place()?.timeline(Side::Lhs).symbols());
                code::disassemble(&symbols, arguments)?
            }
            "setBreakpoints" => {
                let place = self.place.as_mut().ok_or("a launch comes first")?;
                self.breakpoints.set_lines(place, arguments)
            }
            "setFunctionBreakpoints" => {
                let symbols = Arc::clone(self.place()?.timeline(Side::Lhs).symbols());
                self.breakpoints.set_functions(&symbols, arguments)
            }
            "setInstructionBreakpoints" => {
                let table = Arc::clone(self.place()?.timeline(Side::Lhs).trace().sites());
                self.breakpoints.set_instructions(&table, arguments)
            }
            "setDataBreakpoints" => self.breakpoints.set_watches(arguments),
            "dataBreakpointInfo" => self.data_breakpoint(arguments)?,
            "setExceptionBreakpoints" => self.breakpoints.set_filters(arguments),
            "next" | "stepIn" | "stepOut" | "stepBack" | "continue" | "reverseContinue" => {
                let side = side(self.place()?, thread())?;
                let by_line = arguments["granularity"].as_str() != Some("instruction");
                let body = match request.command.as_str() {
                    "continue" => json!({ "allThreadsContinued": true }),
                    _ => json!({}),
                };
                return Ok((body, Then::Going { side, command: request.command.clone(), by_line }));
            }
            other => return Err(format!("the request `{}` is not supported", other.escape_debug())),
        };
        Ok((body, Then::Nothing))
    }

    fn launch(&mut self, arguments: &Value) -> Result<(), String> {
        let launch: Launch = serde_json::from_value(arguments.clone())
            .map_err(|error| format!("the launch configuration is wrong: {error}"))?;
        let (mut lhs, mut rhs) = (self.open)(&launch)?;
        for timeline in [Some(&mut lhs), rhs.as_mut()].into_iter().flatten() {
            let pause = Arc::clone(&self.pause);
            timeline.timeline.set_progress(move |_| pause.load(Ordering::Relaxed));
        }
        self.place = Some(Place::new((lhs, rhs), &launch)?);
        Ok(())
    }

    /// All is set up: where the traces are, and why there.
    fn begin(&mut self) -> Result<Stop, String> {
        let place = self.place()?;
        let at = place.before(Side::Lhs, place.row());
        let words = match &place.divergence {
            Some(divergence) if divergence.position == at => {
                let verdict = divergence.verdict;
                return Ok(Stop::new(
                    Side::Lhs,
                    "exception",
                    format!("the first divergence: {}: {}", verdict.word(), verdict.meaning()),
                ));
            }
            Some(divergence) => format!("the first divergence is at {}", divergence.position),
            None if place.sides().count() > 1 => "the runs do not diverge".to_string(),
            None => "the beginning".to_string(),
        };
        Ok(Stop::new(Side::Lhs, "entry", words))
    }

    fn travel(&mut self, side: Side, command: &str, by_line: bool) -> Result<Stop, String> {
        let place = self.place.as_mut().ok_or("a launch comes first")?;
        let step = if by_line { Step::Line } else { Step::Row };
        let row = place.row();
        let arrived = match command {
            "next" => travel::step(place, side, step, Way::Forward),
            "stepBack" => travel::step(place, side, step, Way::Back),
            "stepIn" => travel::step(place, side, Step::Row, Way::Forward),
            "stepOut" => travel::step(place, side, Step::Out, Way::Forward),
            "reverseContinue" => travel::run(place, side, &self.breakpoints, Way::Back),
            _ => travel::run(place, side, &self.breakpoints, Way::Forward),
        };
        match arrived {
            Ok(stop) => Ok(stop),
            Err(ReplayError::Cancelled) => {
                self.pause.store(false, Ordering::Relaxed);
                place.go(row).map_err(words)?;
                Ok(Stop::new(side, "pause", "the search was ended"))
            }
            Err(error) => {
                // Back to where memory is known.
                place.go(row).map_err(words)?;
                Err(error.to_string())
            }
        }
    }

    fn evaluate(&mut self, arguments: &Value) -> Result<(Value, Then), String> {
        let place = self.place()?;
        let frame = arguments["frameId"].as_i64();
        let side = frame.and_then(|frame| frames::side_of(place, frame)).unwrap_or(Side::Lhs);
        let text = arguments["expression"].as_str().unwrap_or_default();
        // Hovering over a `#` moves nothing.
        let asked = arguments["context"].as_str() == Some("repl") || !text.trim_start().starts_with(['#', 'd']);
        if !asked {
            return Err("this moves: write it into the console".to_string());
        }
        let evaluated = evaluate::evaluate(place, side, text)?;
        let then = match evaluated.moved {
            true => Then::Stopped(Stop::new(side, "goto", "")),
            false => Then::Nothing,
        };
        Ok((evaluated.body, then))
    }

    fn source(&mut self, arguments: &Value) -> Result<Value, String> {
        let reference = arguments["source"]["sourceReference"].as_u64().or(arguments["sourceReference"].as_u64());
        let symbols = Arc::clone(self.place()?.timeline(Side::Lhs).symbols());
        let text = reference.and_then(sources::function_of).and_then(|func| sources::text(&symbols, func));
        Ok(json!({ "content": text.ok_or("there is no such source")?, "mimeType": "text/x-wat" }))
    }

    fn data_breakpoint(&mut self, arguments: &Value) -> Result<Value, String> {
        let place = self.place()?;
        let name = arguments["name"].as_str().unwrap_or_default();
        let found = match (arguments["asAddress"].as_bool(), arguments["variablesReference"].as_i64()) {
            (Some(true), _) => {
                let length = arguments["bytes"].as_u64().unwrap_or(1);
                let at = |address| Byte { side: Side::Lhs, memory: MemoryIndex(0), address };
                Byte::parse(name).or(number(name).map(at)).map(|byte| (byte, length))
            }
            (_, Some(reference)) => variables::bytes_of(place, reference, name).map_err(words)?,
            _ => None,
        };
        Ok(match found {
            Some((byte, length)) => json!({
                "dataId": data_id(byte, length),
                "description": format!("{length} bytes at {:#x} of memory {}, in both runs", byte.address, byte.memory.0),
                "accessTypes": ["write"],
                "canPersist": true,
            }),
            None => json!({ "dataId": null, "description": "only bytes of memory can be watched" }),
        })
    }
}

fn side(place: &Place, thread: i64) -> Result<Side, String> {
    place.side(thread).ok_or_else(|| format!("there is no thread {thread}"))
}

fn words(error: ReplayError) -> String {
    error.to_string()
}

fn capabilities() -> Value {
    let filter = |filter: &str, label: &str, description: &str| json!({ "filter": filter, "label": label, "description": description, "default": true });
    json!({
        "supportsConfigurationDoneRequest": true,
        "supportsFunctionBreakpoints": true,
        "supportsInstructionBreakpoints": true,
        "supportsDataBreakpoints": true,
        "supportsDataBreakpointBytes": true,
        "supportsStepBack": true,
        "supportsSteppingGranularity": true,
        "supportsReadMemoryRequest": true,
        "supportsDisassembleRequest": true,
        "supportsEvaluateForHovers": true,
        "supportsCancelRequest": true,
        "supportsTerminateRequest": true,
        "exceptionBreakpointFilters": [
            filter("divergence", "Divergences", "where the events of the two runs differ"),
            filter("trap", "Traps", "where a run traps"),
        ],
    })
}
