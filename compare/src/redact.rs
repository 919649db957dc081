//! Redacting a divergence: both engines run the module again, and the host gives them other bytes.
//!
//! What a guest was given is in every trace of it: in the host log, in memory, in what it stores. So nothing is cut out of
//! the traces. The host log is edited, both runs are made again from it, and if they still part in the same way, the new
//! traces never saw what was replaced. What the divergence needs is kept, and named.

mod bytes;
mod header;
mod items;
mod module;

use crate::error::CompareError;
use crate::files::open_recorded;
use crate::record::record;
use bytes::Strength;
use forkpoint_replay::{Likeness, PackSettings, Packing, ReplayError, Report, Timeline};
use forkpoint_tracer::instrument::{Commit, Options};
use forkpoint_tracer::{Checkpoint, HostSource, Keep, Program, Request, Scratch};
use forkpoint_traces::{EngineWords, Excerpt, ExcerptModule, Header, ModuleInfo, Outcome, TraceReader};
use items::{Editor, Item, found};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Runs of more events than this are recorded around the divergence only.
const LONG: u64 = 2 << 20;

/// Events recorded before the divergence of a long run, and after it.
const AROUND: u64 = 1 << 20;

/// Most items that are tried one by one; those beyond are kept.
const MOST_ITEMS: usize = 24;

/// Two recordings to be redacted.
pub struct Redaction<'a> {
    /// The left one, whose host log answers both runs.
    pub lhs: &'a mut Timeline,
    /// The right one.
    pub rhs: &'a mut Timeline,
    /// How each side is run again; outputs and hosts are chosen here.
    pub requests: [Request; 2],
    /// How the pack is made.
    pub settings: PackSettings,
    /// Told what is tried.
    pub progress: &'a dyn Fn(&str),
}

/// A redacted pack.
pub struct Redacted {
    /// The pack, ready to be written.
    pub packing: Packing,
    /// What is no more in it, and what is.
    pub replacements: Replacements,
}

/// What was replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Replacements {
    /// What was replaced, and how, in words.
    pub replaced: Vec<String>,
    /// What the divergence needs as it is, in words.
    pub kept: Vec<String>,
    /// How many pairs of runs it took.
    pub tries: u32,
}

impl Redaction<'_> {
    /// Redacts: runs both sides with less and less of what the host gave, and packs the runs that still part in the same way.
    ///
    /// # Errors
    /// When the runs do not part, or do not part in the same way when they are made again.
    pub fn run(mut self) -> Result<Redacted, CompareError> {
        if self.lhs.trace().header().javascript.is_some() {
            return Err(CompareError::RedactJavaScript);
        }
        let report = Report::new(self.lhs, self.rhs, self.settings.context, self.settings.nan_bits)?;
        let Some(likeness) = Likeness::of(&report) else { return Err(CompareError::NothingToRedact) };
        let folder = Scratch::new().map_err(CompareError::io("creating a temporary folder"))?;
        let items = found(self.lhs.trace())?;
        let position = report.position.unwrap_or_default().0;
        let long = self.lhs.len().max(self.rhs.len()) > LONG;
        if long {
            let keep = Keep::Window { from: position.saturating_sub(AROUND), to: position.saturating_add(AROUND) };
            self.requests = self.requests.map(|side| {
                let options = Options { commit: Commit::AtCalls, ..side.options.clone() };
                Request { keep: keep.clone(), checkpoint: Checkpoint::End, options, ..side }
            });
        }
        let mut tries = Tries { redaction: &mut self, likeness, folder: folder.path().to_path_buf(), made: 0 };

        // All at once, the stronger way first; then one by one.
        let all = |strength| items.keys().map(|item| (item.clone(), strength)).collect::<Choice>();
        let mut found = None;
        for choice in [all(Strength::Blank), all(Strength::Shape)] {
            if let Some(sides) = tries.attempt(&choice)? {
                found = Some((choice, sides));
                break;
            }
        }
        let (choice, mut sides) = match found {
            Some(found) => found,
            None => tries.one_by_one(&items)?,
        };
        let tries = tries.made;
        let settings = PackSettings { edit: Some(header::anonymous), ..self.settings.clone() };
        let packing = Packing::prepare(&mut sides, &settings)?;
        let name = |item: &Item, strength: Option<&Strength>| match strength {
            Some(strength) => format!("{item}, {} bytes: {strength}", items.get(item).copied().unwrap_or_default()),
            None => format!("{item}, {} bytes", items.get(item).copied().unwrap_or_default()),
        };
        let replaced = choice.iter().map(|(item, strength)| name(item, Some(strength))).collect();
        let kept = items.keys().filter(|item| !choice.contains_key(item)).map(|item| name(item, None)).collect();
        Ok(Redacted { packing, replacements: Replacements { replaced, kept, tries } })
    }
}

/// How each item is replaced; those that are missing are kept.
type Choice = BTreeMap<Item, Strength>;

/// Pairs of runs.
struct Tries<'r, 'a> {
    redaction: &'r mut Redaction<'a>,
    likeness: Likeness,
    folder: PathBuf,
    made: u32,
}

impl Tries<'_, '_> {
    /// Adds one item after the other, each as strongly as the divergence bears.
    fn one_by_one(&mut self, items: &BTreeMap<Item, u64>) -> Result<(Choice, [Timeline; 2]), CompareError> {
        let mut choice = Choice::new();
        let Some(mut best) = self.attempt(&choice)? else {
            return Err(CompareError::NotReproduced { likeness: self.likeness.0.clone() });
        };
        for item in items.keys().take(MOST_ITEMS) {
            for strength in [Strength::Blank, Strength::Shape] {
                let mut more = choice.clone();
                more.insert(item.clone(), strength);
                if let Some(sides) = self.attempt(&more)? {
                    (choice, best) = (more, sides);
                    break;
                }
            }
        }
        Ok((choice, best))
    }

    /// Runs both sides with these replacements: the new traces, if they part in the same way.
    fn attempt(&mut self, choice: &Choice) -> Result<Option<[Timeline; 2]>, CompareError> {
        self.made += 1;
        (self.redaction.progress)(&format!("redacting, {} replaced, try {}", choice.len(), self.made));
        let folder = self.folder.join(self.made.to_string());
        std::fs::create_dir(&folder).map_err(CompareError::io("creating a temporary folder"))?;
        let log = folder.join("log.fpt");
        self.edited(choice, &log)?;
        let recording = TraceReader::open(&log).map_err(ReplayError::from)?;
        let program = Program::recorded(&recording)?;
        let [left, right] = self.redaction.requests.clone();
        let (lhs, rhs) = (folder.join("lhs.fpt"), folder.join("rhs.fpt"));
        let left = Request { output: lhs.clone(), host: HostSource::Log(log), ..left };
        // What the left run passes to its host now is what the right one must pass.
        let right = Request { output: rhs.clone(), host: HostSource::Log(lhs.clone()), ..right };
        for side in [&left, &right] {
            if record(&program, side, &[])?.outcome == Outcome::Interrupted {
                return Err(CompareError::Interrupted { engine: side.engine.to_string() });
            }
        }
        let mut sides = [open_recorded(&lhs)?, open_recorded(&rhs)?];
        let settings = &self.redaction.settings;
        let [left, right] = &mut sides;
        let report = Report::new(left, right, settings.context, settings.nan_bits);
        let same = report.is_ok_and(|report| Likeness::of(&report).as_ref() == Some(&self.likeness));
        Ok(same.then_some(sides))
    }

    /// Writes the left recording without its events and with these replacements.
    fn edited(&mut self, choice: &Choice, output: &Path) -> Result<(), CompareError> {
        let lhs = &mut *self.redaction.lhs;
        let trace = lhs.trace();
        let module: Arc<[u8]> = module::without_custom_sections(trace.module()).into();
        let mut header: Header = trace.header().clone();
        header.module = ModuleInfo::of("module.wasm", &module);
        let mut editor = Editor::new(choice);
        editor.header(&mut header);
        let words = EngineWords::default();
        let module = ExcerptModule::Other(module);
        let mut edit = |event: &mut _| editor.event(event);
        let excerpt = Excerpt { held: &[], header: &header, words: &words, module, edit: Some(&mut edit) };
        lhs.excerpt(excerpt, output)?;
        Ok(())
    }
}
