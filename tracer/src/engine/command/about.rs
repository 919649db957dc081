//! What is known about an engine that is a command: its words, and the program that they name.

use super::template::Template;
use crate::spec::{CommandSpec, Way};
use forkpoint_traces::EngineInfo;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::xxh3_64;

/// Most bytes of a program that are digested.
const MOST: u64 = 1 << 30;

/// The engine's description, for the trace's header.
pub(super) fn about(spec: &CommandSpec, template: &Template, way: Way, why: Option<&str>) -> EngineInfo {
    let program = template.program();
    let file_name = Path::new(program).file_name().map(|name| name.to_string_lossy().into_owned());
    let mut settings = vec![("command".to_string(), spec.template.clone()), ("way".to_string(), way.to_string())];
    settings.extend(why.map(|why| ("way because".to_string(), why.to_string())));
    // Records reach the recorder when there are many, or when the run is over; after a crash it is repeated.
    settings.push(("last events".to_string(), "kept but when cut short".to_string()));
    if let Some(path) = found(program)
        && std::fs::metadata(&path).is_ok_and(|file| file.is_file() && file.len() <= MOST)
        && let Ok(bytes) = std::fs::read(&path)
    {
        settings.push(("program".to_string(), path.display().to_string()));
        settings.push(("program bytes".to_string(), bytes.len().to_string()));
        settings.push(("program XXH3".to_string(), format!("{:016x}", xxh3_64(&bytes))));
    }
    EngineInfo {
        spec: spec.to_string(),
        name: spec.name.clone().or(file_name).unwrap_or_default(),
        version: "unknown".to_string(),
        mode: "command".to_string(),
        compiler: "unknown".to_string(),
        opt_level: "unknown".to_string(),
        target: std::env::consts::ARCH.to_string(),
        cpu_features: Vec::new(),
        settings,
    }
}

/// The file that a program's name means.
fn found(program: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(PathBuf::from(program));
    }
    let paths = std::env::var_os("PATH")?;
    std::env::split_paths(&paths).map(|folder| folder.join(program)).find(|path| path.is_file())
}
