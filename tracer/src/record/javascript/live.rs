//! Records a program where it lives: Node runs it with a preload of ours, which asks whether to record each module that the
//! program instantiates, and sends frames as a runner does.

use super::comparer::comparer;
use super::page::Page;
use super::plan::Plan;
use super::{JavaScript, program};
use crate::error::RecordError;
use crate::protocol::{Frame, Message, Order};
use crate::record::launch::Launched;
use crate::record::process::{Child, Limits, answer};
use crate::record::rewritings::Rewritten;
use crate::record::{Phase, Program, Progress, Recorded, Request, bundled, pump};
use crate::scratch::Scratch;
use forkpoint_traces::{JavaScriptInfo, ModuleInfo};
use std::cell::{Cell, OnceCell};
use std::fs::File;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// How JavaScript's writes are found, for the trace's header.
const CHANGES: &str = "memory was compared with a copy whenever JavaScript gave control to the guest";
const CHANGES_IN_A_BROWSER: &str =
    "all of memory was compared with a copy whenever JavaScript gave control to the guest";

/// The file in the program's private folder that says how the recorder is reached.
const LINK: &str = "link.json";
/// Those of the module that is recorded.
const PLAN: &str = "plan.json";
const REWRITTEN: &str = "rewritten.wasm";
const COMPARER: &str = "comparer.wasm";

/// What a recording calls Firefox's engine, which is none that can be asked to run it again. Chromium's is Node's.
const FIREFOX: &str = "firefox";

/// Largest module that is read.
const MOST_MODULE: u64 = 1 << 30;

/// A program that lives in JavaScript.
#[derive(Debug, Clone)]
pub struct App {
    /// The file to run and its arguments, and before them options of Node's, if any.
    /// Of a page it is its address alone.
    pub command: Vec<String>,
    /// A page that a browser shows, instead of a program in Node.
    pub page: Option<Page>,
    /// Which of the modules that it instantiates is recorded: by the beginning of its BLAKE3 in hexadecimal, by its name in the
    /// name section, or by the name of an export. Without it the first.
    pub module: Option<String>,
}

/// What became of it.
pub struct AppRecorded {
    /// The module, as a program that can be run again with the recording as its host log.
    pub program: Program,
    /// The recording.
    pub recorded: Recorded,
    /// With which code the program ended; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Whether a worker of it instantiated the recorded module.
    pub in_worker: bool,
    /// The other modules that it instantiated.
    pub others: Vec<String>,
    /// How often it instantiated the recorded one again.
    pub again: u32,
}

/// What is recorded, once it is known.
struct Chosen {
    program: Program,
    rewritten: Arc<Rewritten>,
    in_worker: bool,
}

impl App {
    /// Runs the program and records the module that is asked for. `request` names Node as its engine.
    ///
    /// # Errors
    /// When Node cannot be started, no module is instantiated, or the one that is asked for cannot be recorded.
    pub fn record(&self, request: &Request, progress: Progress) -> Result<AppRecorded, RecordError> {
        let started = Instant::now();
        let folder = Scratch::new().map_err(RecordError::io("creating a temporary folder"))?;
        let command = match &self.page {
            None => bundled::preloaded(&request.engine, folder.path(), &self.command)?,
            Some(page) => bundled::driven(&request.engine, folder.path(), page)?,
        };
        let child = Child::spawn_app(request, command, &folder.path().join("runner").join(LINK))?;
        let folder = folder.path().join("runner");
        let limits = Limits::new(request.timeout, request.max_memory, Arc::clone(&request.interrupt));
        let finished = Cell::new(false);
        let chosen = OnceCell::new();
        let mut others = Others::default();
        let mut hello = None;
        let mut progress = Some(progress);
        let mut recording: Option<pump::Pump> = None;
        request.gauge.enter(Phase::Running);
        // The program goes on when its recording is over, as with a worker that has ended.
        let ended = child.run(&limits, &Cell::new(false), |frame, socket| match frame {
            _ if finished.get() => Err(RecordError::Protocol("a frame after the last, `End`".to_string())),
            Frame::Message(Message::End) => {
                finished.set(true);
                Ok(())
            }
            Frame::Message(Message::Module(file)) => {
                let module = read(&folder, &file)?;
                let about = About::of(&module, &file);
                if chosen.get().is_some() || !self.wants(&about) {
                    others.add(&about, chosen.get().map(|chosen: &Chosen| chosen.program.original().as_ref()));
                    answer(&Order::Pass, socket)?;
                    return Ok(());
                }
                let found = self.choose(&about, module, request, &folder)?;
                let found = chosen.get_or_init(|| found);
                let Some(progress) = progress.take() else { return Ok(()) };
                let mut pump = pump::Pump::new(&found.program, &found.rewritten, request, &request.output, progress)?;
                let of_firefox = |frame: &Frame| matches!(frame, Frame::Message(Message::Hello(hello)) if hello.engine.spec == FIREFOX);
                if self.page.is_some() && hello.as_ref().is_some_and(of_firefox) {
                    pump.made_by(FIREFOX);
                }
                if let Some(hello) = hello.take() {
                    pump.frame(hello, socket)?;
                }
                recording = Some(pump);
                answer(&Order::Record(PLAN.to_string()), socket)
            }
            frame => forward(frame, &mut recording, &mut hello, socket),
        })?;
        let code = ended.code();
        others.add_left(&folder, chosen.get().map(|chosen| chosen.program.original().as_ref()));
        let Some(mut pump) = recording else {
            return Err(self.nothing(others, &ended.words()));
        };
        let launched = Launched { ended, finished: finished.get() };
        pump.conclude(&launched)?;
        let recorded = pump.finish(started.elapsed())?;
        let chosen = chosen.into_inner();
        let Chosen { program, in_worker, .. } =
            chosen.ok_or_else(|| RecordError::Protocol("a recording of no module".to_string()))?;
        Ok(AppRecorded { program, recorded, code, in_worker, others: others.list, again: others.again })
    }

    /// Whether a module is the one to record: the one that is asked for, or the first. Threads share their memory, so that
    /// what one of them does there has no place in another's recording.
    fn wants(&self, about: &About) -> bool {
        about.is(self.module.as_deref()) && !(about.in_worker && about.shares_memory && self.module.is_none())
    }

    /// Prepares a module to be recorded, and leaves everything about it where Node's side finds it.
    fn choose(
        &self,
        about: &About,
        module: Vec<u8>,
        request: &Request,
        folder: &Path,
    ) -> Result<Chosen, RecordError> {
        let changes = if self.page.is_some() { CHANGES_IN_A_BROWSER } else { CHANGES };
        let info = JavaScriptInfo { command: self.command.clone(), changes: changes.to_string() };
        let program = program(&about.name(), module.into(), info, |_| Ok(Default::default()))?;
        let rewritten = program.rewritten_as(&program.options(request))?;
        let javascript: &JavaScript =
            program.javascript.as_ref().ok_or_else(|| RecordError::JavaScript("no JavaScript".to_string()))?;
        let plan = serde_json::to_vec(&Plan::new(&program, javascript, &rewritten, REWRITTEN));
        let plan = plan.map_err(|error| RecordError::io("writing the plan")(error.into()))?;
        let write = |name: &str, bytes: &[u8]| {
            std::fs::write(folder.join(name), bytes).map_err(RecordError::io("writing a module"))
        };
        write(REWRITTEN, &rewritten.module)?;
        write(PLAN, &plan)?;
        if self.page.is_some() {
            write(COMPARER, &comparer())?;
        }
        Ok(Chosen { program, rewritten, in_worker: about.in_worker })
    }

    /// The error where nothing was recorded.
    fn nothing(&self, others: Others, ended: &str) -> RecordError {
        let program = self.command.first().map_or("the program", String::as_str);
        let what = match (others.list.is_empty(), &self.module) {
            (true, _) if self.page.is_some() => {
                format!("{program} itself instantiated no WebAssembly module: modules in frames are not recorded")
            }
            (true, _) => format!("no WebAssembly module of {program} was seen ({ended})"),
            (false, None) => format!(
                "{program} instantiated only modules that cannot be recorded, in workers with which they share memory:\n{}",
                others.list.join("\n")
            ),
            (false, Some(module)) => format!(
                "{program} instantiated no module that is `{module}`, has an export or a BLAKE3 of that name; it instantiated:\n{}",
                others.list.join("\n")
            ),
        };
        RecordError::JavaScript(what)
    }
}

/// Gives a frame to the recording, or keeps the first one until there is one.
fn forward(
    frame: Frame,
    recording: &mut Option<pump::Pump>,
    hello: &mut Option<Frame>,
    socket: &mut UnixStream,
) -> Result<(), RecordError> {
    match (recording, frame) {
        (_, Frame::Message(Message::Failed(words))) => Err(RecordError::Unreachable { why: words }),
        (Some(pump), frame) => pump.frame(frame, socket),
        (None, frame @ Frame::Message(Message::Hello(_))) if hello.is_none() => {
            *hello = Some(frame);
            Ok(())
        }
        (None, _) => Err(RecordError::Protocol("a frame about a module before there is one".to_string())),
    }
}

/// Whether a module has or imports a memory that several threads can use.
fn shares_memory(module: &[u8]) -> bool {
    wasmparser::Parser::new(0).parse_all(module).map_while(Result::ok).any(|payload| match payload {
        wasmparser::Payload::ImportSection(section) => section
            .into_imports()
            .map_while(Result::ok)
            .any(|import| matches!(import.ty, wasmparser::TypeRef::Memory(memory) if memory.shared)),
        wasmparser::Payload::MemorySection(section) => {
            section.into_iter().map_while(Result::ok).any(|memory| memory.shared)
        }
        _ => false,
    })
}

/// Reads a module that Node's side has written.
fn read(folder: &Path, file: &str) -> Result<Vec<u8>, RecordError> {
    let plain = !file.is_empty() && file.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
    if !plain || file.starts_with('.') {
        return Err(RecordError::Protocol("a module that is not beside the program's files".to_string()));
    }
    let path: PathBuf = folder.join(file);
    let mut bytes = Vec::new();
    let failed = || RecordError::io("reading a module");
    File::open(&path).map_err(failed())?.take(MOST_MODULE).read_to_end(&mut bytes).map_err(failed())?;
    std::fs::remove_file(path).map_err(failed())?;
    Ok(bytes)
}

/// A module that the program instantiates.
struct About {
    /// Whether a worker did.
    in_worker: bool,
    /// Whether it has or imports a memory that several threads can use.
    shares_memory: bool,
    hash: String,
    name: Option<String>,
    exports: Vec<String>,
}

impl About {
    /// The name of its file says which thread has it: `module-THREAD-NUMBER.wasm`, where 0 is the main one.
    fn of(module: &[u8], file: &str) -> About {
        let mut about = About {
            in_worker: file.split('-').nth(1).is_some_and(|thread| thread != "0"),
            shares_memory: shares_memory(module),
            hash: ModuleInfo::of("", module).hash_hex(),
            name: None,
            exports: Vec::new(),
        };
        for payload in wasmparser::Parser::new(0).parse_all(module).map_while(Result::ok) {
            match payload {
                wasmparser::Payload::ExportSection(section) => {
                    about
                        .exports
                        .extend(section.into_iter().map_while(Result::ok).map(|export| export.name.to_string()));
                }
                wasmparser::Payload::CustomSection(section) => {
                    if let wasmparser::KnownCustom::Name(names) = section.as_known() {
                        for name in names.into_iter().map_while(Result::ok) {
                            if let wasmparser::Name::Module { name, .. } = name {
                                about.name = Some(name.to_string());
                            }
                        }
                    }
                }
                _ => {}
            }
        }
        about
    }

    /// Whether it is the one that is asked for. Any is the first.
    fn is(&self, wanted: Option<&str>) -> bool {
        let Some(wanted) = wanted else { return true };
        let by_hash = wanted.len() >= 4 && self.hash.starts_with(&wanted.to_ascii_lowercase());
        by_hash || self.name.as_deref() == Some(wanted) || self.exports.iter().any(|export| export == wanted)
    }

    fn name(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.hash[..16].to_string())
    }

    /// In one line.
    fn words(&self) -> String {
        let name = self.name.as_ref().map_or(String::new(), |name| format!(" {name}"));
        let exports = self.exports.iter().take(5).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = if self.exports.len() > 5 { " and others" } else { "" };
        let exports = if exports.is_empty() { "nothing".to_string() } else { exports };
        let place = if self.in_worker { ", in a worker" } else { "" };
        let shares = if self.shares_memory { ", and shares its memory" } else { "" };
        format!("{}{name}, which exports {exports}{more}{place}{shares}", &self.hash[..16])
    }
}

/// Most other modules that are listed.
const MOST_OTHERS: usize = 50;

/// Modules that are not recorded.
#[derive(Default)]
struct Others {
    list: Vec<String>,
    /// How often the recorded one came again.
    again: u32,
}

impl Others {
    fn add(&mut self, about: &About, chosen: Option<&[u8]>) {
        let again = chosen.is_some_and(|module| ModuleInfo::of("", module).hash_hex() == about.hash);
        if again {
            self.again = self.again.saturating_add(1);
            return;
        }
        let words = about.words();
        if self.list.len() < MOST_OTHERS && !self.list.contains(&words) {
            self.list.push(words);
        }
    }

    /// Adds those that threads have left in `folder`, without asking what to do with them.
    fn add_left(&mut self, folder: &Path, chosen: Option<&[u8]>) {
        let files = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
        let names = files.filter_map(|file| file.file_name().into_string().ok());
        let is_module = |name: &String| name.starts_with("module-") && name.ends_with(".wasm");
        let mut names: Vec<String> = names.filter(is_module).take(MOST_OTHERS).collect();
        names.sort();
        for name in names {
            if let Ok(module) = read(folder, &name) {
                self.add(&About::of(&module, &name), chosen);
            }
        }
    }
}
