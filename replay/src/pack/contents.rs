//! What a pack holds of its user's.

use forkpoint_traces::{HostEvent, Step, TraceError, TraceReader};
use serde::Serialize;
use std::collections::BTreeMap;
use wasmparser::{BinaryReaderError, Parser, Payload};

/// What of its user's the file of two recordings holds: to be read before it is sent. Unescaped: escape it before
/// printing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Contents {
    /// File name of the module.
    pub module: String,
    /// Its length in bytes.
    pub module_bytes: u64,
    /// Its custom sections: names, debug information, and what its tools left.
    pub sections: Vec<Section>,
    /// The module of the right trace, if that is another build.
    pub rhs_module: Option<OtherModule>,
    /// The command lines of the recordings, where they differ.
    pub commands: Vec<String>,
    /// The engines, which may name files.
    pub engines: Vec<String>,
    /// The guest's arguments.
    pub arguments: Vec<String>,
    /// The guest's environment, as `NAME=value`.
    pub environment: Vec<String>,
    /// The directories that it was given, and stubs and preloaded modules.
    pub files: Vec<String>,
    /// Calls of the host by import, and bytes that it wrote into memory: what was read of files, clocks, arguments.
    pub host: BTreeMap<String, HostBytes>,
    /// Bytes that were put into memory for calls.
    pub put: u64,
    /// Bytes of memory that are not zero where the window begins, or at the end if there is none.
    pub memory: u64,
}

/// The module of another build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OtherModule {
    /// Its file name.
    pub module: String,
    /// Its length in bytes.
    pub module_bytes: u64,
    /// Its custom sections.
    pub sections: Vec<Section>,
}

/// A custom section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Section {
    /// Its name.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
}

/// What went over one import.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct HostBytes {
    /// Calls.
    pub calls: u64,
    /// Bytes that the host wrote into memory.
    pub written: u64,
    /// Bytes that it was given and of which the trace shows the beginning: buffers and paths.
    pub given: u64,
}

impl Contents {
    /// What two recordings hold.
    pub(super) fn of(sides: [&TraceReader; 2]) -> Result<Contents, TraceError> {
        let header = sides[0].header();
        let environment = header.host.environment.iter().map(|(name, value)| format!("{name}={value}"));
        let host = &header.host;
        let mut contents = Contents {
            module: header.module.name.clone(),
            module_bytes: header.module.length,
            sections: sections(sides[0].module()),
            rhs_module: other_module(sides),
            arguments: host.arguments.clone(),
            environment: environment.collect(),
            files: host.directories.iter().chain(&host.stubs).chain(&host.preloads).cloned().collect(),
            host: calls(sides[0])?,
            put: header.steps.iter().map(put).sum(),
            ..Contents::default()
        };
        for side in sides {
            let (command, engine) = (side.header().command.join(" "), side.header().engine.spec.clone());
            if !command.is_empty() && !contents.commands.contains(&command) {
                contents.commands.push(command);
            }
            if !contents.engines.contains(&engine) {
                contents.engines.push(engine);
            }
        }
        Ok(contents)
    }
}

fn other_module([lhs, rhs]: [&TraceReader; 2]) -> Option<OtherModule> {
    let module = &rhs.header().module;
    (module.hash != lhs.header().module.hash).then(|| OtherModule {
        module: module.name.clone(),
        module_bytes: module.length,
        sections: sections(rhs.module()),
    })
}

fn put(step: &Step) -> u64 {
    match step {
        Step::Put(put) => put.bytes.len() as u64,
        Step::Call(_) => 0,
    }
}

/// The custom sections of a module, as far as it can be parsed.
fn sections(module: &[u8]) -> Vec<Section> {
    let section = |payload: Result<Payload, BinaryReaderError>| match payload {
        // Nothing is left of one that was redacted.
        Ok(Payload::CustomSection(section)) if section.data().iter().any(|byte| *byte != 0) => {
            Some(Section { name: section.name().to_string(), bytes: section.data().len() as u64 })
        }
        _ => None,
    };
    Parser::new(0).parse_all(module).take_while(Result::is_ok).filter_map(section).collect()
}

fn calls(trace: &TraceReader) -> Result<BTreeMap<String, HostBytes>, TraceError> {
    let mut host: BTreeMap<String, HostBytes> = BTreeMap::new();
    let mut log = trace.host_log()?;
    // The imports that wait for their host, which may call the guest meanwhile.
    let mut waiting: Vec<String> = Vec::new();
    while let Some(event) = log.next_event()? {
        match event {
            HostEvent::Call(call) => {
                waiting.push(call.import.to_string());
                let bytes = host.entry(call.import.to_string()).or_default();
                bytes.calls += 1;
                bytes.given += call.reads.iter().map(|read| read.length).sum::<u64>();
            }
            HostEvent::Write { bytes, .. } => {
                let import = waiting.last().map_or("(JavaScript, between calls)", String::as_str);
                host.entry(import.to_string()).or_default().written += bytes.len() as u64;
            }
            HostEvent::Return { .. } => {
                waiting.pop();
            }
            HostEvent::Grow { .. }
            | HostEvent::Enter { .. }
            | HostEvent::Leave { .. }
            | HostEvent::SetGlobal { .. }
            | HostEvent::SetElement { .. }
            | HostEvent::GrowTable { .. }
            | HostEvent::SetReference { .. }
            | HostEvent::SetFunction { .. } => {}
        }
    }
    Ok(host)
}
