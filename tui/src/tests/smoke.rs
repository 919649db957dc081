//! Random sizes and actions: nothing makes the viewer panic.

use super::fake::Fake;
use super::{draw, viewer};
use crate::action::{Action, Awaited, ByteMove, PromptKind};
use crate::traces::Alike;
use crate::traces::Direction::{Backward, Forward};
use tui_input::InputRequest;

/// A small generator: the same actions in every run, so that a failure can be reproduced.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    pub(super) fn action(&mut self) -> Action {
        let (column, row) = (self.below(200) as u16, self.below(60) as u16);
        let direction = if self.below(2) == 0 { Forward } else { Backward };
        match self.below(39) {
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
            _ => Action::Step,
        }
    }
}

#[test]
fn random_actions_on_random_screens() {
    for (seed, fake) in [Fake::pair(), Fake::single(), Fake::stopped()].into_iter().enumerate() {
        let mut random = Random(seed as u64);
        let mut app = viewer(fake, None);
        for _ in 0..1500 {
            if let Some(errand) = app.picture_due() {
                app.run_here(&errand).expect("the fake reads without an error");
            }
            for _ in 0..random.below(4) {
                let action = random.action();
                app.dispatch(action);
            }
            let (width, height) = (random.below(200) as u16, random.below(60) as u16);
            draw(&mut app, width, height);
            assert!(app.row < app.outline.rows());
        }
    }
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
