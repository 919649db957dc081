//! Short names of engines, from the file `forkpoint.toml` in the working directory or above it.
//!
//! The file names programs that are started, so it must be the user's own: one that belongs to somebody else, or that
//! others may write, is refused and not passed over.

use forkpoint_replay::printable;
use forkpoint_tracer::EngineSpec;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The file's name.
const FILE: &str = "forkpoint.toml";

/// Most bytes of it.
const MOST: u64 = 1 << 20;

/// What the file holds.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    #[serde(default)]
    engines: BTreeMap<String, Named>,
}

/// An engine under a short name: a command, with settings, or any engine as it is written on the command line.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    command: Option<String>,
    engine: Option<String>,
    way: Option<String>,
    function: Option<String>,
}

/// Engines by their short names.
#[derive(Debug, Default)]
struct Project {
    file: PathBuf,
    engines: BTreeMap<String, EngineSpec>,
}

/// Parses an engine, or finds it in the project file.
///
/// # Errors
/// A sentence.
pub fn engine(text: &str) -> Result<EngineSpec, String> {
    let error = match text.parse::<EngineSpec>() {
        Ok(spec) => return Ok(spec),
        Err(error) => error,
    };
    // What has settings or a mode is no short name.
    if text.is_empty() || text.contains([':', ',']) {
        return Err(error.to_string());
    }
    let Some(project) = project()? else {
        return Err(format!("{error}; short names are looked for in {FILE}, and there is none here or above"));
    };
    project.engines.get(text).cloned().ok_or_else(|| {
        let names: Vec<String> = project.engines.keys().map(|name| printable(name)).collect();
        let file = printable(&project.file.display().to_string());
        let known = if names.is_empty() { "none".to_string() } else { names.join(", ") };
        format!("{error}; the short names in {file} are: {known}")
    })
}

/// One element of a list of engines: an engine, or short names with commas between.
///
/// # Errors
/// A sentence.
pub fn engines(text: &str) -> Result<Vec<EngineSpec>, String> {
    let names: Vec<&str> = text.split(',').map(str::trim).collect();
    let short = |name: &&str| !name.is_empty() && !name.contains([':', '=']);
    if names.len() > 1 && names.iter().all(short) {
        return names.into_iter().map(engine).collect();
    }
    Ok(vec![engine(text)?])
}

/// The project file, read once.
fn project() -> Result<Option<&'static Project>, String> {
    static PROJECT: OnceLock<Result<Option<Project>, String>> = OnceLock::new();
    let found = PROJECT.get_or_init(|| {
        let here = std::env::current_dir().map_err(|error| format!("finding the working directory: {error}"))?;
        let file = here.ancestors().map(|folder| folder.join(FILE)).find(|file| file.exists());
        file.map(|file| read(&file)).transpose()
    });
    found.as_ref().map(Option::as_ref).map_err(Clone::clone)
}

fn read(file: &Path) -> Result<Project, String> {
    let shown = printable(&file.display().to_string());
    let about = fs::metadata(file).map_err(|error| format!("{shown}: {error}"))?;
    check_owner(&about)
        .map_err(|why| format!("{shown} {why}: it names programs to start, so it must be your own"))?;
    if about.len() > MOST {
        return Err(format!("{shown} has {} bytes, and may have {MOST}", about.len()));
    }
    let text = fs::read_to_string(file).map_err(|error| format!("{shown}: {error}"))?;
    let contents: Contents =
        toml::from_str(&text).map_err(|error| format!("{shown}: {}", printable(&error.to_string())))?;
    let folder = file.parent().unwrap_or(Path::new("/"));
    let mut engines = BTreeMap::new();
    for (name, named) in contents.engines {
        let fail = |why: String| format!("{shown}: the engine `{}`: {}", printable(&name), printable(&why));
        if name.is_empty() || name.contains([':', ',', ';', '=']) || name.parse::<EngineSpec>().is_ok() {
            return Err(fail("the name is taken, or has one of : , ; =".to_string()));
        }
        engines.insert(name.clone(), named.spec(&name, folder).map_err(fail)?);
    }
    Ok(Project { file: file.to_path_buf(), engines })
}

/// Whether a file is this user's or the system's, and nobody else may change it.
fn check_owner(file: &Metadata) -> Result<(), String> {
    let ours = fs::metadata("/proc/self").map_err(|error| format!("cannot be checked: {error}"))?.uid();
    if file.uid() != ours && file.uid() != 0 {
        return Err(format!("belongs to user {}", file.uid()));
    }
    if file.mode() & 0o022 != 0 {
        return Err("may be written by others".to_string());
    }
    Ok(())
}

impl Named {
    fn spec(&self, name: &str, folder: &Path) -> Result<EngineSpec, String> {
        match (&self.command, &self.engine) {
            (Some(command), None) => {
                let mut settings = String::new();
                for (setting, value) in [("way", &self.way), ("function", &self.function)] {
                    if let Some(value) = value {
                        settings.push_str(&format!(",{setting}={value}"));
                    }
                }
                let command = with_folder(command, folder)?;
                let spec = format!("command{settings}:{command}").parse::<EngineSpec>();
                match spec.map_err(|error| error.to_string())? {
                    EngineSpec::Command(spec) => {
                        let name = Some(name.to_string());
                        Ok(EngineSpec::Command(forkpoint_tracer::CommandSpec { name, ..spec }))
                    }
                    other => Ok(other),
                }
            }
            (None, Some(engine)) if self.way.is_none() && self.function.is_none() => {
                engine.parse().map_err(|error: <EngineSpec as std::str::FromStr>::Err| error.to_string())
            }
            _ => Err("write either command, optionally with way and function, or engine".to_string()),
        }
    }
}

/// A command whose programs with a relative path are those beside the file.
fn with_folder(command: &str, folder: &Path) -> Result<String, String> {
    let words = shell_words::split(command).map_err(|error| format!("the command: {error}"))?;
    let mut first = true;
    let words = words.into_iter().map(|word| {
        let program = std::mem::replace(&mut first, word == "&&");
        let relative = program && word.contains('/') && !word.starts_with('/');
        if relative { folder.join(&word).display().to_string() } else { word }
    });
    Ok(shell_words::join(words.collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_beside_the_file_are_found_from_anywhere() {
        let folder = Path::new("/a b");
        let command = with_folder("./compile {module} && bin/run '-x y' {compiled} ./z && run {module}", folder);
        let words = shell_words::split(&command.expect("a command")).expect("words");
        assert_eq!(
            words,
            [
                "/a b/./compile",
                "{module}",
                "&&",
                "/a b/bin/run",
                "-x y",
                "{compiled}",
                "./z",
                "&&",
                "run",
                "{module}"
            ]
        );
    }

    #[test]
    fn names_and_settings_are_checked() {
        let read = |text: &str| {
            let file = tempfile::Builder::new().tempfile().expect("a file");
            fs::write(file.path(), text).expect("writing it");
            read(file.path())
        };
        let project =
            read("[engines.old]\ncommand = 'x {module}'\nway = 'answer'\n[engines.w]\nengine = 'wasmtime:aot'");
        let project = project.expect("a project");
        assert_eq!(project.engines["old"].to_string(), "old");
        assert_eq!(project.engines["w"].to_string(), "wasmtime:aot");
        for (wrong, named) in [
            ("[engines.wasmi]\ncommand = 'x {module}'", "taken"),
            ("[engines.x]\ncommand = 'x'", "{module}"),
            ("[engines.x]\ncommand = 'x {module}'\nengine = 'wasmi'", "either"),
            ("[engines.x]\ncommand = 'x {module}'\nway = 'guess'", "guess"),
            ("[engines.x]\nprogram = 'x'", "program"),
            ("engines = 3", "engines"),
        ] {
            let error = read(wrong).expect_err(wrong);
            assert!(error.contains(named), "{wrong}: {error}");
        }
    }
}
