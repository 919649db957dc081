//! Two builds of one program: before and after an optimizer, by two compilers, at two optimization levels.
//!
//! Their instructions, sites and numbers of events have nothing in common, so their runs are compared by what they *do*: at
//! each thing that an observer sees, which is the host that is called or the caller of an export, both must do the same. What
//! memory holds at these moments is compared, too, as long as addresses mean the same in both builds; but stores may be merged,
//! moved, added or removed, so a difference there is told, and is none of behaviour.
//!
//! [`BuildsReport::new`] is the entry point; `walk.rs` goes from one thing that is seen to the next, `unlike.rs` compares what is
//! seen, `memory.rs` memory, and `places.rs` finds who wrote what differs.

mod follow;
mod functions;
mod layout;
mod memory;
mod pairing;
mod parts;
mod place;
mod places;
mod returns;
mod rows;
mod stream;
mod text;
mod together;
mod unlike;
mod walk;

use crate::alignment::{Alignment, Alike};
use crate::error::ReplayError;
use crate::nan::NanBits;
use crate::report::{EventReport, module, side};
use crate::symbols::printable;
use crate::timeline::Timeline;
use follow::follow;
use forkpoint_traces::{Import, Position};
pub use functions::FunctionMatch;
pub use layout::BuildLayout;
use pairing::Pairing;
pub use parts::{BuildReport, BuildsReport, ComparedSteps, SeenRow};
pub use place::{BuildBytes, BuildPlace, Counterpart, DifferingBytes, FollowedStores};
use places::Places;
pub use returns::{ReturnedCall, UnlikeReturn, first_unlike_return};
use rows::Rows;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use stream::Addresses;
use together::{Found, Together};
pub use unlike::BuildVerdict;
use unlike::{Unlike, is_unknown};
use walk::{Seen, Step};

/// Most functions of hosts that a report names.
const MOST_IMPORTS: usize = 8;

impl BuildsReport {
    /// Compares the traces of two builds. `context` things that were seen before the first difference are shown.
    ///
    /// # Errors
    /// When a trace is damaged, leaves out events, or is of a program of several modules.
    pub fn new(
        lhs: &mut Timeline,
        rhs: &mut Timeline,
        context: u64,
        nan_bits: NanBits,
    ) -> Result<BuildsReport, ReplayError> {
        comparable(lhs, rhs)?;
        let mut pairing = Pairing::of(lhs, rhs);
        let mut report = BuildsReport::empty(lhs, rhs)?;
        let ends = [&*lhs, &*rhs].map(|timeline| timeline.trace().incomplete().map(ToString::to_string));
        let mut last: VecDeque<[Position; 2]> = VecDeque::new();
        let mut unknown: BTreeSet<Import> = BTreeSet::new();
        let mut compared = ComparedSteps::default();
        let together = Together::walk(lhs, rhs, nan_bits, pairing.globals(), |ours, theirs| {
            compared.count(&ours.seen);
            if let Seen::HostCall(call) = &ours.seen
                && is_unknown(call)
            {
                unknown.insert(call.import.clone());
            }
            last.push_back([ours.position, theirs.position]);
            if last.len() as u64 > context {
                last.pop_front();
            }
        })?;
        let Together { lhs: mut left, rhs: mut right, layout, differing, nans, found, mut stretches } = together;
        report.compared = ComparedSteps { memory_differed: differing.seen, ..compared };
        report.nan_results = nans;
        report.conclude(&found, &ends);
        if left.is_entered() || right.is_entered() {
            report.notes.push(
                "the host called functions of the guest; what it gave them and what they returned is not compared"
                    .to_string(),
            );
        }
        let mut places = Places { functions: &mut pairing };
        if let Found::Unlike(Unlike { read: Some(number), .. }, ours, theirs) = &found
            && let (Seen::HostCall(call), Seen::HostCall(other)) = (&ours.seen, &theirs.seen)
        {
            report.places.extend(places.read_place([call, other], *number, &mut left, &mut right)?);
        }
        if layout.same {
            let (differing, bytes) = places.of(&differing, &mut left, &mut right)?;
            report.places.extend(differing);
            report.memory = bytes;
            if report.agree == Some(false) {
                let [lhs, rhs] = [left.timeline, right.timeline];
                let followed = follow(lhs, rhs, stretches.make_contiguous(), places.functions)?;
                report.followed = Some(places.followed(followed, lhs, rhs)?);
            }
        }
        report.layout = layout;
        report.note(&unknown, [lhs, rhs]);
        report.note_debug_information();
        report.show(&found, last, [lhs, rhs])
    }

    fn empty(lhs: &mut Timeline, rhs: &mut Timeline) -> Result<BuildsReport, ReplayError> {
        let build = |timeline: &mut Timeline| {
            Ok::<_, ReplayError>(BuildReport { module: module(timeline), run: side(timeline)?, event: None })
        };
        Ok(BuildsReport {
            agree: None,
            reason: None,
            verdict: None,
            meaning: None,
            difference: None,
            layout: BuildLayout { same: true, why: None },
            compared: ComparedSteps::default(),
            memory: DifferingBytes::default(),
            followed: None,
            places: Vec::new(),
            nan_results: 0,
            notes: Vec::new(),
            lhs: build(lhs)?,
            rhs: build(rhs)?,
            context: Vec::new(),
        })
    }

    /// The answer.
    fn conclude(&mut self, found: &Found, ends: &[Option<String>; 2]) {
        match found {
            Found::Nothing => {
                self.agree = Some(true);
                // Equal refusals say nothing about behaviour.
                let outcome = self.lhs.run.outcome.as_ref();
                if self.compared.calls == 0
                    && self.compared.seen <= 1
                    && outcome.is_some_and(|end| end.kind() != "finished")
                {
                    self.agree = None;
                    self.reason = outcome.map(|outcome| format!("nothing ran: both {outcome}"));
                }
            }
            Found::CutOff(_) => {
                let of = |side: &str, why: &Option<String>| {
                    why.as_ref().map(|why| format!("the {side} trace is incomplete: {}", printable(why)))
                };
                let why = of("left", &ends[0]).or_else(|| of("right", &ends[1]));
                self.reason = Some(why.unwrap_or_else(|| "a trace ends before the run does".to_string()));
            }
            Found::Unlike(unlike, ..) => {
                self.verdict = Some(unlike.verdict);
                self.meaning = Some(unlike.verdict.meaning());
                self.difference = Some(unlike.what.clone());
                if unlike.verdict.is_no_answer() {
                    let words = self.rhs.run.message.as_ref().filter(|_| unlike.verdict == BuildVerdict::Unanswered);
                    let words = words.map_or(String::new(), |words| format!(" ({words})"));
                    self.reason = Some(format!("{}{words}", unlike.verdict.meaning()));
                } else {
                    self.agree = Some(false);
                }
            }
        }
    }

    fn note(&mut self, unknown: &BTreeSet<Import>, timelines: [&Timeline; 2]) {
        if !unknown.is_empty() {
            let names: Vec<String> =
                unknown.iter().take(MOST_IMPORTS).map(|import| printable(&import.to_string())).collect();
            let more = if unknown.len() > MOST_IMPORTS { " and others" } else { "" };
            self.notes.push(format!(
                "forkpoint does not know which arguments of {}{more} are addresses, so all of them must be equal",
                names.join(", ")
            ));
        }
        for (side, timeline) in ["lhs", "rhs"].into_iter().zip(timelines) {
            let observed = timeline.trace().observed();
            if observed > 0 {
                self.notes.push(format!(
                    "memory of {side} differed {observed} times from what its own events make it: that is its engine, not its \
                     build; compare the module with itself under another engine"
                ));
            }
        }
    }

    /// An optimizer may leave debug information behind that is about other code than there is now.
    fn note_debug_information(&mut self) {
        let first = self.followed.as_ref().and_then(|followed| followed.one_function.as_deref());
        let file = |bytes: &BuildBytes| bytes.writer.as_ref()?.site.as_ref()?.file.clone();
        let mut same = first.into_iter().chain(&self.places).filter(|place| place.same_function.is_some());
        if same.any(|place| file(&place.lhs).zip(file(&place.rhs)).is_some_and(|(left, right)| left != right)) {
            self.notes.push(
                "one function has other source files in each build, so the debug information of one is out of date: its names and \
                 lines mean nothing"
                    .to_string(),
            );
        }
    }

    /// Adds what the builds did, for people to read.
    fn show(
        mut self,
        found: &Found,
        last: VecDeque<[Position; 2]>,
        [lhs, rhs]: [&mut Timeline; 2],
    ) -> Result<BuildsReport, ReplayError> {
        for [left, right] in last {
            let event = event(lhs, left)?.event;
            self.context.push(SeenRow { lhs: left, rhs: right, event });
        }
        let at: [Option<&Step>; 2] = match found {
            Found::Nothing => [None, None],
            Found::CutOff([ours, theirs]) => [ours.as_ref(), theirs.as_ref()],
            Found::Unlike(_, ours, theirs) => [Some(ours), Some(theirs)],
        };
        self.lhs.event = at[0].map(|step| event(lhs, step.position)).transpose()?;
        self.rhs.event = at[1].map(|step| event(rhs, step.position)).transpose()?;
        Ok(self)
    }
}

fn event(timeline: &mut Timeline, position: Position) -> Result<EventReport, ReplayError> {
    let event = timeline.event(position)?;
    let (sites, symbols) = (Arc::clone(timeline.trace().sites()), Arc::clone(timeline.symbols()));
    Ok(EventReport::of(position, &event, &sites, &symbols))
}

/// Most things that were seen at which rows are paired anew.
const MOST_SEEN: usize = 1 << 20;

/// Two builds side by side: which of their events share a row, and in what they differ first, if they do: with the row. What an
/// observer sees shares one, and in between stores that do the same, or write other bytes to the same place.
///
/// # Errors
/// As those of [`BuildsReport::new`].
pub fn align_builds(
    lhs: &mut Timeline,
    rhs: &mut Timeline,
    nan_bits: NanBits,
) -> Result<(Alignment, Option<(BuildVerdict, u64)>), ReplayError> {
    comparable(lhs, rhs)?;
    let globals = Pairing::of(lhs, rhs).globals();
    let mut seen = Vec::new();
    let together = Together::walk(lhs, rhs, nan_bits, globals, |ours, theirs| {
        if seen.len() < MOST_SEEN {
            seen.push([ours.position, theirs.position]);
        }
    })?;
    let (alike, addresses) = match together.layout.same {
        true => (Alike::Deeds, Addresses::Count),
        false => (Alike::DeedsAnywhere, Addresses::Free),
    };
    let unlike = match together.found {
        Found::Unlike(unlike, ours, theirs) => {
            seen.push([ours.position, theirs.position]);
            Some((unlike.verdict, ours.position))
        }
        Found::Nothing | Found::CutOff(_) => None,
    };
    let rows = Rows::pair(lhs, rhs, addresses, &seen)?;
    let alignment = Alignment::of_builds(lhs, rhs, &rows, alike);
    let unlike = unlike.map(|(verdict, position)| (verdict, alignment.row_of_lhs(position)));
    Ok((alignment, unlike))
}

/// Whether the traces are of single modules, and hold all events.
fn comparable(lhs: &Timeline, rhs: &Timeline) -> Result<(), ReplayError> {
    for timeline in [lhs, rhs] {
        if timeline.trace().header().program.is_some() {
            return Err(ReplayError::BuildOfSeveralModules);
        }
        if let Some(gap) = timeline.trace().gaps().next() {
            return Err(ReplayError::BuildLeavesOut { gap });
        }
    }
    Ok(())
}

/// Whether two traces are of different modules, so that only what they do can be compared.
pub fn are_builds(lhs: &Timeline, rhs: &Timeline) -> bool {
    let [left, right] = [lhs, rhs].map(|timeline| timeline.trace().header());
    left.module.hash != right.module.hash && left.program.is_none() && right.program.is_none()
}
