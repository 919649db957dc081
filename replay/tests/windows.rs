//! Recordings that hold a window of the events and digests of all: two of them show the same first divergence as whole
//! recordings, or say that they cannot.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

#[path = "../../traces/tests/support/mod.rs"]
mod support;

use forkpoint_replay::{Alignment, Divergence, NanBits, ReplayError, Timeline, first_divergence, verify};
use forkpoint_traces::{EngineWords, EventDigests, HostEvent, Outcome, Position, SiteId};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::path::Path;
use support::{Step, create, end, push, random_run};

/// Events in a stretch that has a digest.
const STRETCH: usize = 64;

/// A run whose end does not say what memory holds: that differs with what is planted.
fn run(seed: u64, events: usize) -> Vec<Step> {
    let (mut steps, _) = random_run(seed, events);
    steps.pop();
    steps.push(end(Outcome::Finished));
    steps
}

/// Digests of these events but for the end, which the recorder's do not cover, either.
fn digests(steps: &[Step]) -> EventDigests {
    let mut found = EventDigests::default();
    let steps = &steps[..steps.len() - 1];
    for (number, stretch) in steps.chunks(STRETCH).enumerate() {
        let mut hasher = DefaultHasher::new();
        format!("{stretch:?}").hash(&mut hasher);
        found.ends.push(Position((number * STRETCH + stretch.len()) as u64));
        found.digests.push(u128::from(hasher.finish()).to_le_bytes());
    }
    found
}

/// Writes what lies in `window`, the first events and the last one.
fn write(path: &Path, steps: &[Step], window: Range<usize>) -> Timeline {
    let mut writer = create(path, 16);
    for (at, step) in steps.iter().enumerate() {
        let held = at < 4 || window.contains(&at) || at + 1 == steps.len();
        if held { writer.hold() } else { writer.leave_out() }.unwrap();
        push(&mut writer, step).unwrap();
    }
    writer.set_digests(digests(steps));
    writer.finish(EngineWords::default()).unwrap();
    let mut timeline = Timeline::open(path).unwrap();
    let verified = verify(timeline.trace_mut());
    assert!(verified.faults.is_empty(), "{:?}", verified.faults);
    timeline
}

fn divergence(lhs: &mut Timeline, rhs: &mut Timeline) -> Result<Option<Divergence>, ReplayError> {
    Ok(first_divergence(lhs, rhs, NanBits::Stop)?.divergence)
}

/// The same run with one other value, written by a store or by the host, in the event at or after `at`.
fn planted(steps: &[Step], at: usize) -> Option<(usize, Vec<Step>)> {
    let mut other = steps.to_vec();
    for (number, step) in other.iter_mut().enumerate().skip(at) {
        let Step::Raw { site, operands, blob } = step else { continue };
        if *site == SiteId::HOST
            && let Ok(HostEvent::Write { memory, address, mut bytes }) = HostEvent::decode(blob)
            && !bytes.is_empty()
        {
            bytes[0] ^= 1;
            *blob = HostEvent::Write { memory, address, bytes }.encode();
            return Some((number, other));
        }
        if site.is_instruction() && support::is_store(*site) {
            operands[1] ^= 1;
            return Some((number, other));
        }
    }
    None
}

#[test]
fn a_planted_difference_is_found_in_windows_as_in_whole_traces() {
    let count = std::env::var("FORKPOINT_PLANTED").ok().and_then(|count| count.parse().ok()).unwrap_or(150);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (mut tried, mut unknown_writers, mut seed) = (0, 0, 0);
    while tried < count {
        seed += 1;
        let mut random = fastrand::Rng::with_seed(seed);
        let steps = run(seed, random.usize(100..1500));
        // Anywhere, at borders of chunks and stretches, at the first events and at the last.
        let at = match random.u8(0..5) {
            0 => 0,
            1 => steps.len() - random.usize(1..20).min(steps.len()),
            2 => random.usize(0..steps.len() / STRETCH + 1) * STRETCH,
            3 => random.usize(0..steps.len() / STRETCH + 1) * STRETCH + STRETCH - 1,
            _ => random.usize(0..steps.len()),
        };
        let Some((at, other)) = planted(&steps, at) else { continue };
        tried += 1;
        let mut whole = [("l", &steps), ("r", &other)].map(|(name, steps)| {
            support::write(&path(name), 16, steps);
            Timeline::open(&path(name)).unwrap()
        });
        let [lhs, rhs] = &mut whole;
        let expected = divergence(lhs, rhs).unwrap().unwrap();
        assert_eq!(expected.position, Position(at as u64), "seed {seed}");

        let differing = digests(&steps).first_difference(&digests(&other)).unwrap();
        // Each side's window is a little different, as blocks of records make it.
        let window = |before: usize, after: usize| {
            (differing.start.0 as usize).saturating_sub(before)..differing.end.0 as usize + after
        };
        let mut lhs = write(&path("wl"), &steps, window(random.usize(0..60), random.usize(0..200)));
        let mut rhs = write(&path("wr"), &other, window(random.usize(0..60), random.usize(0..200)));
        let found = divergence(&mut lhs, &mut rhs).unwrap().unwrap();
        assert_eq!((found.position, found.verdict), (expected.position, expected.verdict), "seed {seed}");
        assert_eq!((&found.lhs, &found.rhs), (&expected.lhs, &expected.rhs), "seed {seed}");
        let (Some(effect), Some(of_whole)) = (&found.memory, &expected.memory) else {
            assert!(found.memory.is_none() && expected.memory.is_none(), "seed {seed}");
            continue;
        };
        let bytes = |effect: &forkpoint_replay::MemoryEffect| {
            (effect.address, effect.before.clone(), effect.lhs_after.clone(), effect.rhs_after.clone())
        };
        assert_eq!(bytes(effect), bytes(of_whole), "seed {seed}");
        match effect.written_before {
            None => assert_eq!(effect.last_writer, of_whole.last_writer, "seed {seed}"),
            Some(before) => {
                unknown_writers += 1;
                assert!(of_whole.last_writer.is_none_or(|writer| writer < before), "seed {seed}");
            }
        }

        // Rows: what is left out is one row, and every position is found again by its row.
        let alignment = Alignment::new(&lhs, &rhs, Some(&found));
        for row in 0..alignment.rows() {
            let pair = alignment.row(row);
            for (position, place) in [(pair.lhs, alignment.row_of_lhs(pair.lhs.unwrap_or_default())), (pair.rhs, row)]
            {
                assert!(position.is_none() || place == row, "seed {seed}: row {row} of {alignment:?}");
            }
        }
        assert_eq!(
            alignment.next_mismatch(&mut lhs, &mut rhs, 0).unwrap(),
            Some(alignment.row_of_lhs(found.position))
        );
    }
    assert!(unknown_writers > 0, "no last writer was ever left out");
}

#[test]
fn equal_digests_stand_for_events_that_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let steps = run(3, 1000);
    let mut lhs = write(&path("l"), &steps, 300..400);
    let mut rhs = write(&path("r"), &steps, 600..650);
    assert!(divergence(&mut lhs, &mut rhs).unwrap().is_none());
    assert!(lhs.seek(Position(200)).is_err() && lhs.event(Position(200)).is_err());
    let held = lhs.trace().gaps().next().unwrap().end;
    lhs.seek(held).unwrap();
    lhs.seek(Position(lhs.len())).unwrap();
    lhs.seek(held.next()).unwrap();
    lhs.seek(Position(1)).unwrap();

    // Where they part is not in both windows.
    let (_, other) = planted(&steps, 350).unwrap();
    let mut rhs = write(&path("r"), &other, 600..650);
    assert!(matches!(divergence(&mut lhs, &mut rhs), Err(ReplayError::PartLeftOut { .. })));

    // A whole trace has no digests, so what a window leaves out cannot be compared with it.
    support::write(&path("w"), 16, &steps);
    let mut whole = Timeline::open(&path("w")).unwrap();
    assert!(matches!(divergence(&mut lhs, &mut whole), Err(ReplayError::NotComparable { .. })));

    // Other ends.
    let last = steps.len() - 1;
    let exited = [&steps[..last], &[end(Outcome::Exited { code: 3 })]].concat();
    let mut rhs = write(&path("r"), &exited, 300..400);
    let found = divergence(&mut lhs, &mut rhs).unwrap().unwrap();
    assert_eq!(found.position, Position(last as u64));
}
