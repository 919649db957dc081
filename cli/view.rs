//! `forkpoint view`: traces in the terminal.

use crate::answer::Answer;
use crate::args::{TraceArg, ViewArgs};
use crate::output::{print, tell};
use crate::reruns::Rerunner;
use crate::view_state::ViewState;
use crate::{files, last, progress, source_maps};
use anyhow::{Context, Result};
use forkpoint_compare::{CompareError, open_recorded};
use forkpoint_replay::{CallSource, LoadSource, Pack, Side, SourceFiles, SourceMap, Timeline};
use forkpoint_tracer::EngineSpec;
use forkpoint_traces::Position;
use forkpoint_tui::{Keymap, Opened, ViewScript, Viewer};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

/// Runs the command.
pub fn run(args: &ViewArgs) -> Result<Answer> {
    let script = args.script.as_deref().map(script).transpose()?;
    let keys = keys(args.keys.as_deref())?;
    let shown = progress::show(false);
    let sources =
        SourceFiles::new(args.source.iter().map(PathBuf::as_path)).context("looking for a folder of --source")?;
    let (lhs, rhs, what) = opened(args.lhs.as_deref(), args.rhs.as_deref())?;
    let map = source_maps::named(&args.source_map)?;
    if map.is_some() {
        let traces: Vec<_> = std::iter::once(&lhs).chain(&rhs).map(|side| side.timeline.trace()).collect();
        source_maps::refuse_several(&traces)?;
    }
    let mapped = |Opened { name, timeline }: Opened| {
        let timeline = source_maps::in_folders(timeline, &sources).with_source_map(map.as_ref());
        Opened { name, timeline }
    };
    let (lhs, rhs) = (mapped(lhs), rhs.map(mapped));
    let state = ViewState::of(&lhs.timeline, rhs.as_ref().map(|rhs| &rhs.timeline));
    if script.is_none() {
        forkpoint_tui::need_terminal()?;
    }
    let viewer = looked_through(lhs, rhs, args.at)?.with_sources(sources).with_keys(keys);
    let files = files_of(args.lhs.as_deref(), args.rhs.as_deref());
    let viewer = running_again(viewer, files, [args.engine.clone(), args.rhs_engine.clone()]);
    // From here on the viewer owns the screen.
    drop(shown);
    match (script, what) {
        // A script does not depend on what somebody did before.
        (Some(script), what) => {
            what.iter().for_each(|what| tell(&format!("note: this is {what}")));
            viewer.run_script(&script, args.size, print)?;
        }
        (None, Some(what)) => show(viewer, &state, Some(&what))?,
        (None, None) => show(viewer, &state, None)?,
    }
    Ok(Answer::Yes)
}

/// Shows a viewer with what is kept of its traces, and keeps what the user leaves.
fn show(viewer: Viewer, state: &ViewState, what: Option<&str>) -> Result<()> {
    let viewer = viewer.with_kept(&state.read());
    let viewer = if let Some(what) = what { viewer.saying(what) } else { viewer };
    let left = viewer.show()?;
    state.write(&left).context("keeping marks, watches and theme in the folder for caches")
}

/// A viewer that can run the recordings in these files again.
fn running_again(viewer: Viewer, files: [Option<TraceArg>; 2], engines: [Option<EngineSpec>; 2]) -> Viewer {
    let reruns = Arc::new(Rerunner { files, engines });
    let viewer = viewer.with_calls(Arc::clone(&reruns) as Arc<dyn CallSource>);
    viewer.with_loads(Arc::clone(&reruns) as Arc<dyn LoadSource>).with_more_events(reruns)
}

/// The keys of a file, or the user's own, if there are any.
pub fn keys(file: Option<&Path>) -> Result<Keymap> {
    let (path, text) = match file {
        Some(path) => {
            let text = fs::read_to_string(path).with_context(|| format!("reading the keys {}", path.display()))?;
            (path.to_path_buf(), text)
        }
        None => {
            let Some(path) = own_keys() else { return Ok(Keymap::default()) };
            match fs::read_to_string(&path) {
                Ok(text) => (path, text),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Keymap::default()),
                Err(error) => return Err(error).with_context(|| format!("reading the keys {}", path.display())),
            }
        }
    };
    Ok(Keymap::parse(&path.display().to_string(), &text)?)
}

/// Where the user keeps keys.
fn own_keys() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let settings = absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|home| home.join(".config")))?;
    Some(settings.join("forkpoint").join("keys"))
}

/// Reads a script.
fn script(path: &Path) -> Result<ViewScript> {
    let text = fs::read_to_string(path).with_context(|| format!("reading the script {}", path.display()))?;
    Ok(ViewScript { name: path.display().to_string(), text })
}

/// The traces that the user names, or those of the last comparison, with what these are.
pub fn opened(lhs: Option<&Path>, rhs: Option<&Path>) -> Result<(Opened, Option<Opened>, Option<String>)> {
    let Some(lhs) = lhs else {
        let ([lhs, rhs], what) = last::open(named)?;
        return Ok((lhs, Some(rhs), Some(what)));
    };
    Ok(match rhs {
        None if Pack::is_one(lhs) => {
            let [left, right] = files::pair(lhs, None)?;
            (in_pack(lhs, Side::Lhs, left), Some(in_pack(lhs, Side::Rhs, right)), None)
        }
        rhs => (named(lhs)?, rhs.map(named).transpose()?, None),
    })
}

/// The files of what [`opened`] opens.
pub fn files_of(lhs: Option<&Path>, rhs: Option<&Path>) -> [Option<TraceArg>; 2] {
    let trace = |file: &Path, side| Some(TraceArg { file: file.to_path_buf(), side });
    match (lhs, rhs) {
        (None, _) => last::files().map(|files| files.and_then(|file| trace(&file, None))),
        (Some(pack), None) if Pack::is_one(pack) => Side::BOTH.map(|side| trace(pack, Some(side))),
        (Some(lhs), rhs) => [trace(lhs, None), rhs.and_then(|rhs| trace(rhs, None))],
    }
}

/// What a comparison found, about to be shown.
pub struct OfComparison {
    viewer: Viewer,
    state: ViewState,
}

impl OfComparison {
    /// Opens its traces.
    pub fn open(traces: [&Path; 2], map: Option<&Arc<SourceMap>>, keys: Keymap) -> Result<OfComparison> {
        let open = |path| {
            let timeline = open_recorded(path)?.with_source_map(map);
            Ok::<_, CompareError>(Opened { name: name(path), timeline })
        };
        let (lhs, rhs) = (open(traces[0])?, open(traces[1])?);
        let state = ViewState::of(&lhs.timeline, Some(&rhs.timeline));
        Ok(OfComparison { viewer: looked_through(lhs, Some(rhs), None)?.with_keys(keys), state })
    }

    /// Shows it. `files` is where its traces are now, and `engines` made them.
    pub fn show(self, files: [PathBuf; 2], engines: [EngineSpec; 2]) -> Result<()> {
        let files = files.map(|file| Some(TraceArg { file, side: None }));
        show(running_again(self.viewer, files, engines.map(Some)), &self.state, None)
    }
}

/// A viewer that has found where the traces diverge.
fn looked_through(mut lhs: Opened, rhs: Option<Opened>, at: Option<Position>) -> Result<Viewer> {
    progress::follow("looking for the first divergence", &mut lhs.timeline);
    Ok(forkpoint_tui::open(lhs, rhs, at)?)
}

fn named(path: &Path) -> Result<Opened> {
    Ok(Opened { name: name(path), timeline: files::timeline(path)? })
}

fn in_pack(path: &Path, side: Side, timeline: Timeline) -> Opened {
    Opened { name: format!("{}: {side}", name(path)), timeline }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
