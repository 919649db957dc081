//! Host scripts: a user's file of JavaScript or Python functions that answer a guest's imports (docs/host.md).
//!
//! A script runs in a separate process under a small driver that is part of this program. It talks to the engine's
//! process over a socket, which is the driver's standard input: a call goes there, requests for the guest's memory
//! come back, and finally a result. Messages are `length of JSON u32 | length of bytes u32 | JSON | bytes`, little
//! endian. Nothing here concerns the engine under test: any failure is an error of the host.

use super::script_values::{Typed, kind, read_value, write_value};
use crate::host::embed::HostError;
use crate::host::function::ResultType;
use crate::host::memory::{HostMemory, OutOfBounds};
use crate::values::WasmValue;
use forkpoint_traces::Import;
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longest JSON and most bytes of memory in one message.
const MOST_JSON: u32 = 1 << 20;
const MOST_BYTES: u32 = 64 << 20;

/// Most characters of a script's own message in an error.
const MOST_WORDS: usize = 4000;

/// A driver, and the program that runs it.
const JAVASCRIPT: (&str, &str, &str) =
    ("node", "driver.mjs", include_str!("../../../runners/host-script/driver.mjs"));
const PYTHON: (&str, &str, &str) = ("python3", "driver.py", include_str!("../../../runners/host-script/driver.py"));

/// A file of functions that answer imports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostScript {
    /// The file: `.mjs` or `.js` for Node.js, `.py` for Python.
    pub file: PathBuf,
    /// Time limit to start, and to answer one call.
    pub timeout: Duration,
}

impl HostScript {
    fn driver(&self) -> Result<(&'static str, &'static str, &'static str), String> {
        match self.file.extension().and_then(|extension| extension.to_str()) {
            Some("mjs" | "js" | "cjs") => Ok(JAVASCRIPT),
            Some("py") => Ok(PYTHON),
            _ => Err("its name must end in .mjs or .js (Node.js) or .py (Python)".to_string()),
        }
    }

    /// The names of its functions.
    ///
    /// # Errors
    /// In words, when it cannot be started.
    pub(crate) fn functions(&self) -> Result<Vec<Import>, String> {
        let folder = tempfile::Builder::new().prefix("forkpoint-").tempdir().map_err(|error| error.to_string())?;
        Script::start(self, folder.path()).map(|(_, functions)| functions)
    }
}

/// What the engine's process sends.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Said<'a> {
    Call {
        module: &'a str,
        name: &'a str,
        arguments: Vec<Typed>,
        results: Vec<&'static str>,
    },
    /// Done; bytes that were read follow.
    Done,
    /// Size in bytes and in pages.
    Size(String, String),
    /// The previous size in pages; null if the engine refuses.
    Grown(Option<String>),
    /// Outside memory.
    Outside(String),
}

/// What a script sends.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Heard {
    /// It is ready: module and name of every function.
    Functions(Vec<(String, String)>),
    Read(String, String),
    Write(String),
    Grow(String),
    Size,
    Returned(Vec<Typed>),
    Trap(String),
    Exit(i32),
    /// An exception, or a result of another type.
    Failed(String),
}

/// A script that runs.
pub(crate) struct Script {
    child: Child,
    socket: UnixStream,
    file: PathBuf,
    timeout: Duration,
}

impl Drop for Script {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Script {
    /// Starts it with a copy of its driver in `folder`, and returns its functions.
    ///
    /// # Errors
    /// In words, without the name of the file.
    pub(crate) fn start(script: &HostScript, folder: &Path) -> Result<(Script, Vec<Import>), String> {
        let (program, name, text) = script.driver()?;
        let file = std::fs::canonicalize(&script.file).map_err(|error| error.to_string())?;
        let driver = folder.join(name);
        std::fs::write(&driver, text).map_err(|error| format!("writing its driver: {error}"))?;
        let (socket, theirs) = UnixStream::pair().map_err(|error| error.to_string())?;
        let mut command = Command::new(program);
        command.arg(&driver).arg(&file).stdin(Stdio::from(OwnedFd::from(theirs)));
        // SAFETY: between fork and exec only one system call is made; nothing is allocated and no lock taken.
        unsafe {
            command.pre_exec(|| {
                // A script that does not respond must not outlive a process that is killed.
                Ok(rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?)
            })
        };
        let child = command.spawn().map_err(|error| format!("the program {program} cannot be started: {error}"))?;
        // The command holds the other end of the socket, which must close when the script ends.
        drop(command);
        let mut script = Script { child, socket, file: script.file.clone(), timeout: script.timeout };
        match script.hear(Instant::now() + script.timeout)? {
            (Heard::Functions(list), _) => {
                let functions = list.into_iter().map(|(module, name)| Import { module, name }).collect();
                Ok((script, functions))
            }
            (Heard::Failed(words), _) => Err(clean(&words)),
            _ => Err("it does not begin with its functions".to_string()),
        }
    }

    /// Calls one of its functions.
    pub(crate) fn call(
        &mut self,
        import: &Import,
        arguments: &[WasmValue],
        results: &[ResultType],
        memory: &mut HostMemory<'_>,
    ) -> Result<Vec<WasmValue>, HostError> {
        let answer = self.talk(import, arguments, results, memory);
        answer.unwrap_or_else(|why| Err(HostError::Failed(format!("the script {}: {why}", self.file.display()))))
    }

    /// The conversation about one call; the outer error is a fault of the script.
    fn talk(
        &mut self,
        import: &Import,
        arguments: &[WasmValue],
        results: &[ResultType],
        memory: &mut HostMemory<'_>,
    ) -> Result<Result<Vec<WasmValue>, HostError>, String> {
        let until = Instant::now() + self.timeout;
        let call = Said::Call {
            module: &import.module,
            name: &import.name,
            arguments: arguments.iter().map(write_value).collect(),
            results: results.iter().map(|ty| kind(*ty)).collect(),
        };
        self.say(&call, &[])?;
        loop {
            let (heard, bytes) = self.hear(until)?;
            let outside = |error: OutOfBounds| Said::Outside(error.to_string());
            match heard {
                Heard::Read(address, length) => {
                    let (address, length) = (number(&address)?, number(&length)?);
                    if length > u64::from(MOST_BYTES) {
                        return Err(format!("it reads {length} bytes at once, and may read {MOST_BYTES}"));
                    }
                    match memory.read(address, length) {
                        Ok(bytes) => self.say(&Said::Done, bytes)?,
                        Err(error) => self.say(&outside(error), &[])?,
                    }
                }
                Heard::Write(address) => {
                    let done = memory.write(number(&address)?, &bytes).map_or_else(outside, |()| Said::Done);
                    self.say(&done, &[])?;
                }
                Heard::Grow(delta) => {
                    let grown = memory.grow(number(&delta)?).map(|pages| pages.to_string());
                    self.say(&Said::Grown(grown), &[])?;
                }
                Heard::Size => {
                    self.say(&Said::Size(memory.size().to_string(), memory.pages().to_string()), &[])?;
                }
                Heard::Returned(values) if values.len() == results.len() => {
                    let values = values.iter().zip(results).map(|(value, ty)| read_value(value, *ty));
                    let values: Option<Vec<WasmValue>> = values.collect();
                    return Ok(Ok(values.ok_or("it sends a result of another type")?));
                }
                Heard::Trap(words) => return Ok(Err(HostError::Trap(clean(&words)))),
                Heard::Exit(code) => return Ok(Err(HostError::Exit(code))),
                Heard::Failed(words) => return Err(clean(&words)),
                Heard::Returned(_) | Heard::Functions(_) => return Err("its answer makes no sense".to_string()),
            }
        }
    }

    fn say(&mut self, said: &Said, bytes: &[u8]) -> Result<(), String> {
        let json = serde_json::to_vec(said).map_err(|error| error.to_string())?;
        let mut message = Vec::with_capacity(8 + json.len() + bytes.len());
        message.extend_from_slice(&(json.len() as u32).to_le_bytes());
        message.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        message.extend_from_slice(&json);
        message.extend_from_slice(bytes);
        let sent = self.socket.set_write_timeout(Some(self.timeout)).and_then(|()| self.socket.write_all(&message));
        sent.map_err(|error| self.lost(&error))
    }

    fn hear(&mut self, until: Instant) -> Result<(Heard, Vec<u8>), String> {
        let mut lengths = [0; 8];
        self.receive(&mut lengths, until)?;
        let [a, b, c, d, e, f, g, h] = lengths;
        let (json, bytes) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
        if json > MOST_JSON || bytes > MOST_BYTES {
            return Err(format!(
                "it sends {json} bytes of words and {bytes} of memory at once, and may send {MOST_JSON} and {MOST_BYTES}"
            ));
        }
        let (mut words, mut memory) = (vec![0; json as usize], vec![0; bytes as usize]);
        self.receive(&mut words, until)?;
        self.receive(&mut memory, until)?;
        let heard = serde_json::from_slice(&words).map_err(|error| format!("it sends nonsense: {error}"))?;
        Ok((heard, memory))
    }

    fn receive(&mut self, mut bytes: &mut [u8], until: Instant) -> Result<(), String> {
        while !bytes.is_empty() {
            let left = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            let read = self.socket.set_read_timeout(Some(left)).and_then(|()| self.socket.read(bytes));
            match read {
                Ok(0) => return Err(self.lost(&io::ErrorKind::UnexpectedEof.into())),
                Ok(count) => bytes = &mut bytes[count..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.lost(&error)),
            }
        }
        Ok(())
    }

    /// Why the script has stopped responding.
    fn lost(&mut self, error: &io::Error) -> String {
        if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) {
            return format!("it did not answer within {:?} (--host-script-timeout)", self.timeout);
        }
        // Its end of the socket is closed: it has ended or is about to.
        let _ = self.child.kill();
        match self.child.wait() {
            Ok(status) => format!("its process ended in the middle of a call: {status}"),
            Err(error) => format!("its process ended in the middle of a call: {error}"),
        }
    }
}

/// A number in decimal, as the driver writes it.
fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("`{}` is not an address or a size", clean(text)))
}

/// Hostile text, for the terminal.
fn clean(words: &str) -> String {
    let shown = words.chars().take(MOST_WORDS);
    shown.map(|c| if c.is_control() && c != '\n' { char::REPLACEMENT_CHARACTER } else { c }).collect()
}
