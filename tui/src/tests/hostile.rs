//! Traces that a stranger made, with sound frames around contents that no recorder writes: whatever is done with
//! them, the viewer shows them or says why not, and nothing in them acts on the terminal.
//!
//! `FORKPOINT_MUTATIONS=0..1000000 cargo test -p forkpoint-tui hostile -- --nocapture` for these instead of a few.

use super::real::write;
use super::smoke::Random;
use super::{draw, viewer_of};
use crate::Opened;
use forkpoint_replay::{Timeline, is_active};
use reframe::Parts;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

#[path = "../../../replay/tests/mutations/inputs.rs"]
mod inputs;
#[path = "../../../replay/tests/mutations/reframe.rs"]
mod reframe;

/// Actions on one trace.
const ACTIONS: u64 = 6;

fn open(path: &Path) -> Option<Opened> {
    Some(Opened { name: "m.fpt".to_string(), timeline: Timeline::open(path).ok()? })
}

/// Looks at the trace, alone or beside its partner; `false` if it is refused.
fn look(path: &Path, partner: &Path, random: &mut Random) -> bool {
    let Some(run) = open(path) else { return false };
    let app = match (random.below(3), open(partner)) {
        (0, Some(other)) => viewer_of(run, Some(other), None),
        (1, Some(other)) => viewer_of(other, Some(run), None),
        _ => viewer_of(run, None, None),
    };
    let Ok(mut app) = app else { return false };
    for _ in 0..ACTIONS {
        let (width, height) = (random.below(200) as u16, random.below(60) as u16);
        let screen = draw(&mut app, width, height);
        let active = screen.buffer().content().iter().find(|cell| cell.symbol().contains(is_active));
        assert!(active.is_none(), "{active:?}");
        for _ in 0..random.below(4) {
            app.dispatch(random.action());
        }
        assert!(app.row < app.outline.rows().max(1));
    }
    true
}

#[test]
fn hostile_traces_are_shown_or_refused() {
    let folder = inputs::folder();
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../traces/samples");
    let made = folder.path().join("made.fpt");
    write(&made, Some(500));
    let seeds = [made, samples.join("orbit-jit.fpt"), samples.join("orbit-portable.fpt")];
    let parts =
        seeds.each_ref().map(|seed| Parts::of(&std::fs::read(seed).expect("a trace")).expect("a sound trace"));
    let path = folder.path().join("m.fpt");
    let range = inputs::numbers(800);
    let mut shown = 0;
    for number in range.clone() {
        let which = number as usize % seeds.len();
        let bytes = parts[which].mutated(&mut fastrand::Rng::with_seed(number));
        std::fs::write(&path, &bytes).expect("a file");
        let mut random = Random(number);
        let looked = catch_unwind(AssertUnwindSafe(|| look(&path, &seeds[which], &mut random)));
        let Ok(looked) = looked else {
            let kept = std::env::temp_dir().join(format!("forkpoint-viewed-{number}.fpt"));
            std::fs::write(&kept, &bytes).expect("a file");
            panic!("mutation {number} panics: {}", kept.display());
        };
        shown += u64::from(looked);
    }
    let count = range.end - range.start;
    println!("{count} mutations, {shown} shown");
    assert!(count < 100 || shown > count / 10, "the mutations are refused too early to try anything");
}
