//! A quick look at candidates of engines that are commands: how their runs end without recording.
//!
//! A command is started several times for one comparison, and the module that records by itself is many times slower than the
//! original. Where the ends of the plain runs show the divergence, most candidates are judged by these alone; every so many of
//! those that pass are compared, and if one does not diverge as it should, the reduction goes back to the last that did.

use super::candidate::Candidate;
use forkpoint_tracer::{OwnCommand, OwnModule, OwnRun, Request, own_command, run_own_command};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// Candidates that may be taken one after the other before one is compared, at first.
const MOST: u32 = 64;
/// The least time that a plain run has.
const LEAST: Duration = Duration::from_millis(500);

/// How the two plain runs of a candidate end.
type Ends = [String; 2];

/// Looks at the ends of plain runs.
pub(super) struct Quick {
    commands: [OwnCommand; 2],
    interrupt: Arc<AtomicBool>,
    files: [PathBuf; 2],
    limit: Duration,
    /// How the runs of a candidate have to end.
    ends: Ends,
    /// How many candidates may be taken before one is compared.
    most: u32,
    /// Those taken since the last comparison, by their hashes.
    since: Vec<blake3::Hash>,
    /// The last candidate that was compared.
    compared: Candidate,
}

impl Quick {
    /// For candidates like this one, if both sides are commands and the ends of its plain runs show that they part.
    pub fn of(best: &Candidate, sides: &[Request; 2], folder: impl Fn(&str) -> PathBuf) -> Option<Quick> {
        let own = OwnModule { module: &best.module, afterwards: false };
        let are_commands = sides.iter().all(|side| matches!(side.engine, forkpoint_tracer::EngineSpec::Command(_)));
        let [call] = &best.calls[..] else { return None };
        if !are_commands || call.to_string() != forkpoint_tracer::VALUE {
            return None;
        }
        let [lhs, rhs] = sides.each_ref().map(|side| own_command(side, own).ok());
        let mut quick = Quick {
            commands: [lhs?, rhs?],
            interrupt: Arc::clone(&sides[0].interrupt),
            files: [folder("lhs.wasm"), folder("rhs.wasm")],
            limit: Duration::from_secs(30),
            ends: Ends::default(),
            most: MOST,
            since: Vec::new(),
            compared: best.clone(),
        };
        let begun = Instant::now();
        quick.ends = quick.ends_of(best)?;
        quick.limit = LEAST.max(begun.elapsed() * 20);
        // What is not the same twice decides nothing.
        let again = quick.ends_of(best)?;
        (quick.ends[0] != quick.ends[1] && quick.ends == again).then_some(quick)
    }

    /// How the plain runs of a candidate end; `None` if one of them does not.
    fn ends_of(&self, candidate: &Candidate) -> Option<Ends> {
        let end = |side: usize| {
            std::fs::write(&self.files[side], &candidate.module).ok()?;
            let ran = run_own_command(&self.commands[side], &self.files[side], self.limit, &self.interrupt);
            Some(in_words(&ran.ok()??))
        };
        let (lhs, rhs) = std::thread::scope(|scope| {
            let other = scope.spawn(|| end(1));
            (end(0), other.join().ok().flatten())
        });
        Some([lhs?, rhs?])
    }

    /// Whether the plain runs of a candidate end as they have to.
    pub fn passes(&self, candidate: &Candidate) -> bool {
        self.ends_of(candidate).as_ref() == Some(&self.ends)
    }

    /// Whether a candidate that passes may be taken without a comparison.
    pub fn may_take(&self) -> bool {
        (self.since.len() as u32) < self.most
    }

    /// Notes that a candidate that passes was taken without one.
    pub fn took(&mut self, candidate: &Candidate) {
        self.since.push(blake3::hash(&candidate.module));
    }

    /// Notes that a candidate was compared and diverges as it should.
    pub fn confirmed(&mut self, candidate: &Candidate) {
        self.since.clear();
        self.compared = candidate.clone();
    }

    /// Whether the best candidate was compared.
    pub fn is_confirmed(&self) -> bool {
        self.since.is_empty()
    }

    /// Goes back to the last candidate that was compared. Returns it, and the hashes of those that were taken since; from now on
    /// more of them are compared.
    pub fn go_back(&mut self) -> (Candidate, Vec<blake3::Hash>) {
        self.most /= 4;
        (self.compared.clone(), std::mem::take(&mut self.since))
    }
}

/// How a run ended: its status, and the last line of what it said, without numbers, which say where.
fn in_words(ran: &OwnRun) -> String {
    let last = |text: &str| text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or("").to_string();
    let line = [last(&ran.complained), last(&ran.printed)].into_iter().find(|line| !line.is_empty());
    let line: String = line.unwrap_or_default().chars().filter(|c| !c.is_ascii_digit()).take(200).collect();
    // What a call returns is no end.
    let line = if ran.status == Some(0) { String::new() } else { line };
    format!("{} {line}", ran.ended)
}
