//! Random sizes and actions: nothing makes the viewer panic.

use super::calls::Told;
use super::fake::Fake;
use super::{draw, viewer};
use crate::action::{Action, Awaited, ByteMove, CallMove, Excerpt, PromptKind};
use crate::calls::CallService;
use crate::panel::PanelKind;
use crate::traces::Alike;
use crate::traces::Direction::{Backward, Forward};
use tui_input::InputRequest;

/// A small generator: the same actions in every run, so that a failure can be reproduced.
pub(super) struct Random(pub(super) u64);

pub(super) const PANELS: [PanelKind; 7] = [
    PanelKind::Divergences,
    PanelKind::Marks,
    PanelKind::Watches,
    PanelKind::HostCalls,
    PanelKind::Why,
    PanelKind::Source,
    PanelKind::Calls,
];

/// No file is written.
const ASKED: [PromptKind; 5] =
    [PromptKind::Watch, PromptKind::Ignore, PromptKind::Bytes, PromptKind::Appearance, PromptKind::Theme];

impl Random {
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    pub(super) fn action(&mut self) -> Action {
        let (column, row) = (self.below(200) as u16, self.below(60) as u16);
        let direction = if self.below(2) == 0 { Forward } else { Backward };
        match self.below(54) {
            0 => Action::StepBack,
            1 => Action::PageDown,
            2 => Action::PageUp,
            3 => Action::First,
            4 => Action::Last,
            5 => Action::Divergence,
            6 => Action::Match(direction),
            7 => Action::Writer(direction),
            8 => Action::Prompt(PromptKind::Position),
            9 => Action::Prompt(PromptKind::Address),
            10 => Action::Prompt(PromptKind::Search),
            11 => Action::Byte([ByteMove::Left, ByteMove::Right][self.below(2) as usize]),
            12 => Action::Byte([ByteMove::Up, ByteMove::Down][self.below(2) as usize]),
            13 => Action::Scroll(direction),
            14 => Action::Memory(direction),
            15 => Action::Follow,
            16 => Action::Focus(direction),
            17 => Action::OtherSide,
            18 => Action::Zoom,
            19 => Action::Help,
            20 => Action::Close,
            21 => Action::Edit(InputRequest::InsertChar(
                b"0123456789abcdef@#x-+%\xe9 p"[self.below(25) as usize].into(),
            )),
            22 => Action::Submit,
            23 => Action::Click(column, row),
            24 => Action::Wheel(column, row, direction),
            25 => Action::Alike([Alike::Function, Alike::Site][self.below(2) as usize], direction),
            26 => Action::Alike([Alike::Kind, Alike::Page][self.below(2) as usize], direction),
            27 => Action::Jump(direction),
            28 => Action::Await([Awaited::Mark, Awaited::ToMark][self.below(2) as usize]),
            29 => Action::Mark(b"ab\xe9"[self.below(3) as usize].into()),
            30 => Action::ToMark(b"abc'"[self.below(4) as usize].into()),
            31 => Action::Recall(direction),
            32 => Action::Complete,
            34 => Action::Timeline,
            35 => Action::Time(direction),
            33 => Action::Prompt(PromptKind::Command),
            36 => Action::Panel(PANELS[self.below(7) as usize]),
            37 => Action::Panel(PANELS[self.below(7) as usize]),
            38 => Action::Line(direction),
            39 => Action::Choose,
            40 => Action::Run(direction),
            41 => Action::Prompt(ASKED[self.below(5) as usize]),
            42 => Action::Unwatch,
            43 => Action::IgnoreNothing,
            44 => Action::Resize(direction),
            45 => Action::Copy(Excerpt::Events),
            46 => Action::Edit(InputRequest::InsertChar(b"addr==0pos<>1\" i32"[self.below(18) as usize].into())),
            47 => Action::Call(CallMove::Over, direction),
            48 => Action::Call(CallMove::Out, direction),
            _ => Action::Step,
        }
    }
}

/// Performs random actions on random screens: the cursor stays among the rows.
fn play(fake: Fake, seed: u64, frames: usize) -> u64 {
    let mut random = Random(seed);
    let mut app = viewer(fake, None);
    app.calls.service = Some(CallService(std::sync::Arc::new(Told::default())));
    let mut actions = 0;
    for _ in 0..frames {
        if let Some(errand) = app.picture_due() {
            app.run_here(&errand).expect("the fake reads without an error");
        }
        for _ in 0..random.below(4) {
            let action = random.action();
            app.dispatch(action);
            actions += 1;
        }
        let (width, height) = (random.below(200) as u16, random.below(60) as u16);
        draw(&mut app, width, height);
        assert!(app.row < app.outline.rows());
    }
    actions
}

#[test]
fn random_actions_on_random_screens() {
    for (seed, fake) in (0..).zip([Fake::pair(), Fake::single(), Fake::stopped()]) {
        assert!(play(fake, seed, 1500) > 1500);
    }
}

#[test]
#[ignore = "100,000 actions take minutes: cargo test --workspace --lib -- --ignored random_actions"]
fn random_actions_100_000() {
    let mut actions = 0;
    for seed in 100.. {
        let fakes = [Fake::pair(), Fake::single(), Fake::stopped(), Fake::with_gap(40, 90)];
        for fake in fakes {
            actions += play(fake, seed, 2000);
        }
        if actions >= 100_000 {
            break;
        }
    }
    println!("{actions} actions");
}

#[test]
fn every_size_can_be_drawn() {
    let mut app = viewer(Fake::pair(), None);
    for width in (0..170).step_by(3) {
        for height in 0..40 {
            draw(&mut app, width, height);
        }
    }
}
