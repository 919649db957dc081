//! What an action does to the state. Nothing here takes long: slow work is handed back as an [`Errand`].

use crate::action::{Action, Awaited, ByteMove};
use crate::app::App;
use crate::errand::{Aim, Errand};
use crate::focus::{Focus, Pane};
use crate::layout::inside;
use crate::mouse::WHEEL;
use crate::outgoing::{Destination, Outgoing};
use crate::prompt::Prompt;
use crate::render;
use crate::traces::Direction;

impl App {
    /// Applies an action; returns slow work as an errand.
    pub(crate) fn update(&mut self, action: Action) -> Option<Errand> {
        if !matches!(action, Action::Edit(_) | Action::Close) {
            self.message = None;
        }
        let awaited = self.awaited.take().is_some();
        if self.help.is_some() && self.update_help(action) {
            return None;
        }
        if self.is_away() {
            self.update_meanwhile(action);
            return None;
        }
        match action {
            Action::Step => self.move_rows(1, Direction::Forward),
            Action::StepBack => self.move_rows(1, Direction::Backward),
            Action::Record => return self.record_here(),
            Action::Call(step, direction) => return self.step_calls(step, direction),
            Action::PageDown => self.page(Direction::Forward),
            Action::PageUp => self.page(Direction::Backward),
            Action::First => self.jump_to(0),
            Action::Last => self.jump_to(u64::MAX),
            Action::Divergence => self.go_to_divergence(),
            Action::Match(direction) => {
                let aim = match &self.query {
                    Some(query) => Aim::Search(query.clone(), direction),
                    None if self.outline.is_pair() => Aim::Mismatch(direction),
                    None => {
                        self.message = Some("nothing to repeat: / starts a search".to_string());
                        return None;
                    }
                };
                return Some(self.errand(aim));
            }
            Action::Writer(direction) => {
                self.follow = false;
                return Some(self.errand(Aim::Writer(direction)));
            }
            Action::Alike(alike, direction) => return Some(self.errand(Aim::Alike(alike, direction))),
            Action::Jump(direction) => self.jump(direction),
            Action::Await(letter) => {
                self.awaited = Some(letter);
                self.message = Some(match letter {
                    Awaited::Mark => "mark this event: type a letter".to_string(),
                    Awaited::ToMark => "go to a mark: type its letter, or ' for the last jump".to_string(),
                });
            }
            Action::Mark(letter) => self.mark(letter),
            Action::ToMark(letter) => self.go_to_mark(letter),
            Action::Prompt(kind) => self.prompt = Some(Prompt::new(kind)),
            Action::Byte(step) => self.move_byte(step),
            Action::Scroll(direction) => self.scroll_code(1, direction),
            Action::Memory(direction) => self.other_memory(direction),
            Action::Timeline => self.toggle_timeline(),
            Action::Time(direction) => self.move_time(1, direction),
            Action::Panel(kind) => return self.toggle_panel(kind),
            Action::WhyByLoads => return self.why_by_loads(),
            Action::Line(direction) => self.move_in_panel(1, direction),
            Action::Choose => return self.choose(),
            Action::Run(direction) => return self.run_to_watch(direction),
            Action::Unwatch => self.unwatch(),
            Action::IgnoreNothing => self.ignore(None),
            Action::Resize(direction) => self.resize(direction),
            Action::Copy(excerpt) => self.outgoing = Some(Outgoing { excerpt, to: Destination::Clipboard }),
            Action::Follow => {
                self.follow = !self.follow;
                self.arrived |= self.follow;
            }
            Action::Focus(direction) => {
                self.set_focus(self.focus.moved(direction, &self.wish()));
            }
            Action::OtherSide if self.outline.is_pair() => {
                self.set_focus(Focus { side: self.focus.side.other(), ..self.focus });
            }
            Action::OtherSide => {}
            Action::Zoom => self.zoom = !self.zoom,
            Action::Help => self.help = Some(0),
            Action::Close if awaited => self.message = None,
            Action::Close => self.close(),
            Action::Quit => self.quit = true,
            Action::Edit(request) => self.edit(request),
            Action::Recall(direction) => self.recall(direction),
            Action::Complete => self.complete(),
            Action::Submit => return self.submit(),
            Action::Click(column, row) => self.click(column, row),
            Action::Wheel(column, row, direction) => self.wheel(column, row, direction),
        }
        None
    }

    /// While an errand has the traces, actions that need none of them are done, and the others are dropped.
    fn update_meanwhile(&mut self, action: Action) {
        match action {
            Action::Close if self.prompt.take().is_some() => {}
            Action::Close => self.headway.stop(),
            Action::Edit(request) => self.edit(request),
            Action::Recall(direction) => self.recall(direction),
            Action::Complete => self.complete(),
            Action::Quit => self.quit = true,
            Action::Help => self.help = Some(0),
            Action::Zoom => self.zoom = !self.zoom,
            Action::Focus(direction) => {
                self.set_focus(self.focus.moved(direction, &self.wish()));
            }
            Action::OtherSide if self.outline.is_pair() => {
                self.set_focus(Focus { side: self.focus.side.other(), ..self.focus });
            }
            _ => {}
        }
    }

    /// While the help is open, moves scroll the help, and leaving closes it. Returns whether the action was one of
    /// those.
    fn update_help(&mut self, action: Action) -> bool {
        let Some(top) = self.help else { return false };
        let height = self.areas.hints.bottom();
        let last = render::help_last_top(height);
        let page = height.saturating_sub(3);
        self.help = match action {
            Action::Step | Action::Scroll(Direction::Forward) | Action::Byte(ByteMove::Down) => Some(top + 1),
            Action::StepBack | Action::Scroll(Direction::Backward) | Action::Byte(ByteMove::Up) => {
                Some(top.saturating_sub(1))
            }
            Action::Wheel(_, _, Direction::Forward) => Some(top + WHEEL as u16),
            Action::Wheel(_, _, Direction::Backward) => Some(top.saturating_sub(WHEEL as u16)),
            Action::PageDown => Some(top + page),
            Action::PageUp => Some(top.saturating_sub(page)),
            Action::First => Some(0),
            Action::Last => Some(last),
            Action::Quit | Action::Help | Action::Close | Action::Click(..) => None,
            _ => return false,
        }
        .map(|top| top.min(last));
        true
    }

    pub(crate) fn set_focus(&mut self, focus: Focus) {
        if focus.side != self.focus.side {
            // The other side's event may be at another site.
            self.scroll = 0;
            self.arrived = true;
        }
        if focus.pane != self.focus.pane {
            self.scroll = 0;
        }
        self.focus = focus;
        if matches!(focus.pane, Pane::Wat | Pane::Native) {
            self.code = focus.pane;
        }
    }

    pub(crate) fn move_rows(&mut self, rows: u64, direction: Direction) {
        let row = match direction {
            Direction::Forward => self.row.saturating_add(rows),
            Direction::Backward => self.row.saturating_sub(rows),
        };
        self.go_to(row);
    }

    /// Moves cursor and screen together, so that the cursor keeps its place on the screen.
    pub(crate) fn roll_rows(&mut self, rows: u64, direction: Direction) {
        let before = self.row;
        self.move_rows(rows, direction);
        self.top = if self.row >= before {
            self.top.saturating_add(self.row - before)
        } else {
            self.top.saturating_sub(before - self.row)
        };
    }

    fn page(&mut self, direction: Direction) {
        let lines = u64::from(inside(self.areas.of(self.focus)).height.max(1));
        match self.focus.pane {
            Pane::Events => self.roll_rows(lines, direction),
            Pane::Memory => self.roll_bytes(lines, direction),
            Pane::Wat | Pane::Native => self.scroll_code(lines, direction),
            Pane::Timeline => self.move_time(10, direction),
            Pane::Panel => self.move_in_panel(lines, direction),
        }
    }

    /// A line more or less for the focused pane.
    fn resize(&mut self, direction: Direction) {
        let lines = if direction == Direction::Forward { 1 } else { -1 };
        self.sizes.change(self.focus.pane, lines);
    }

    fn go_to_divergence(&mut self) {
        match self.outline.parting() {
            Some(parting) => {
                let row = parting.row;
                self.follow = true;
                self.jump_to(row);
            }
            None if self.outline.is_pair() => self.message = Some("the two traces agree".to_string()),
            None => self.message = Some("one trace alone has no divergence: open it with another".to_string()),
        }
    }

    pub(crate) fn scroll_code(&mut self, lines: u64, direction: Direction) {
        let lines = i64::try_from(lines).unwrap_or(i64::MAX);
        self.scroll = match direction {
            Direction::Forward => self.scroll.saturating_add(lines),
            Direction::Backward => self.scroll.saturating_sub(lines),
        };
    }

    /// One thing at a time, the topmost first.
    fn close(&mut self) {
        if self.prompt.take().is_some() || self.message.take().is_some() {
            return;
        }
        if self.query.take().is_some() {
            self.message = Some("search forgotten: n and N go to mismatches".to_string());
        } else {
            self.zoom = false;
        }
    }
}
