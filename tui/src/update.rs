//! What an action does to the state. Nothing here takes long: what may is handed back as a [`Job`].

use crate::action::{Action, ByteMove, PromptKind};
use crate::app::{App, Prompt};
use crate::focus::{Focus, Pane};
use crate::jobs::Job;
use crate::layout::inside;
use crate::mouse::WHEEL;
use crate::query::{self, Target};
use crate::render;
use crate::source::{Direction, Query};
use forkpoint_traces::{MemoryIndex, Position};
use tui_input::Input;

impl App {
    /// Applies an action; what takes long comes back.
    pub(crate) fn update(&mut self, action: Action) -> Option<Job> {
        if !matches!(action, Action::Edit(_) | Action::Close) {
            self.message = None;
        }
        if self.help.is_some() && self.update_help(action) {
            return None;
        }
        match action {
            Action::Step => self.move_rows(1, Direction::Forward),
            Action::StepBack => self.move_rows(1, Direction::Backward),
            Action::PageDown => self.page(Direction::Forward),
            Action::PageUp => self.page(Direction::Backward),
            Action::First => self.go_to(0),
            Action::Last => self.go_to(u64::MAX),
            Action::Divergence => self.go_to_divergence(),
            Action::Match(direction) => {
                return Some(match &self.query {
                    Some(query) => Job::Search(query.clone(), direction),
                    None if self.source.is_pair() => Job::Mismatch(direction),
                    None => {
                        self.message = Some("nothing is searched for: / starts a search".to_string());
                        return None;
                    }
                });
            }
            Action::Writer(direction) => {
                self.follow = false;
                return Some(Job::Writer(direction));
            }
            Action::Prompt(kind) => self.prompt = Some(Prompt { kind, input: Input::default() }),
            Action::Byte(step) => self.move_byte(step),
            Action::Scroll(direction) => self.scroll_code(1, direction),
            Action::Memory(direction) => self.other_memory(direction),
            Action::Follow => {
                self.follow = !self.follow;
                self.arrived |= self.follow;
            }
            Action::Focus(direction) => self.set_focus(self.focus.moved(direction, self.source.is_pair())),
            Action::OtherSide if self.source.is_pair() => {
                self.set_focus(Focus { side: self.focus.side.other(), ..self.focus });
            }
            Action::OtherSide => {}
            Action::Zoom => self.zoom = !self.zoom,
            Action::Help => self.help = Some(0),
            Action::Close => self.close(),
            Action::Quit => self.quit = true,
            Action::Edit(request) => {
                if let Some(prompt) = &mut self.prompt {
                    prompt.input.handle(request);
                    self.message = None;
                }
            }
            Action::Submit => return self.submit(),
            Action::Click(column, row) => self.click(column, row),
            Action::Wheel(column, row, direction) => self.wheel(column, row, direction),
        }
        None
    }

    /// While the help is open, what moves moves the help, and what leaves closes it. Answers whether the action
    /// was one of those.
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
            // The other side's event may stand at another site.
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

    fn move_rows(&mut self, rows: u64, direction: Direction) {
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
        }
    }

    fn go_to_divergence(&mut self) {
        match self.source.parting() {
            Some(parting) => {
                let row = parting.row;
                self.follow = true;
                self.go_to(row);
            }
            None if self.source.is_pair() => self.message = Some("the two traces agree".to_string()),
            None => self.message = Some("one trace alone has no divergence: open it with another".to_string()),
        }
    }

    fn move_byte(&mut self, step: ByteMove) {
        let line = u64::from(self.bytes_per_line());
        self.follow = false;
        self.set_address(match step {
            ByteMove::Left => self.address.saturating_sub(1),
            ByteMove::Right => self.address.saturating_add(1),
            ByteMove::Up => self.address.checked_sub(line).unwrap_or(self.address),
            ByteMove::Down => self.address.saturating_add(line),
        });
    }

    pub(crate) fn roll_bytes(&mut self, lines: u64, direction: Direction) {
        let bytes = lines.saturating_mul(u64::from(self.bytes_per_line()));
        let before = self.address;
        self.follow = false;
        self.set_address(match direction {
            Direction::Forward => before.saturating_add(bytes),
            Direction::Backward => before.saturating_sub(bytes),
        });
        // The cursor may move against the direction: where this memory is smaller than where the cursor was set, or
        // not there yet.
        self.hex_top = if self.address >= before {
            self.hex_top.saturating_add(self.address - before)
        } else {
            self.hex_top.saturating_sub(before - self.address)
        };
    }

    /// Puts the byte cursor on an address, or on the last byte of the memory where it is largest.
    pub(crate) fn set_address(&mut self, address: u64) {
        let last = self.memory_size().saturating_sub(1);
        self.address = address.min(last);
    }

    fn other_memory(&mut self, direction: Direction) {
        let last = self.memory_count().saturating_sub(1);
        let memory = match direction {
            Direction::Forward => self.memory.0.saturating_add(1).min(last),
            Direction::Backward => self.memory.0.saturating_sub(1),
        };
        if memory == self.memory.0 {
            self.message =
                Some(format!("no other memory that way: this is {}", self.source.memory_name(self.memory)));
            return;
        }
        self.memory = MemoryIndex(memory);
        self.follow = false;
        self.set_address(self.address);
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

    fn submit(&mut self) -> Option<Job> {
        let prompt = self.prompt.as_ref()?;
        let text = prompt.input.value().to_string();
        let taken = match prompt.kind {
            _ if text.trim().is_empty() => Ok(None),
            PromptKind::Position => self.take_position(&text).map(|()| None),
            PromptKind::Address => self.take_address(&text).map(|()| None),
            PromptKind::Search => query::search(&text).map(|query| {
                self.query = Some(query.clone());
                Some(Job::Search(query, Direction::Forward))
            }),
        };
        match taken {
            Ok(job) => {
                self.prompt = None;
                job
            }
            // The prompt stays open, so that a slip of the finger costs one key.
            Err(message) => {
                self.message = Some(message);
                None
            }
        }
    }

    fn take_position(&mut self, text: &str) -> Result<(), String> {
        let row = match query::position(text, self.row, self.source.rows())? {
            Target::Row(row) => row,
            Target::Position(position) => {
                let side = self.focus.side;
                let events = self.source.info(side).events;
                if position >= events {
                    return Err(format!("#{position} is past the end: {} has {events} events", side.word()));
                }
                self.source.row_of(side, Position(position))
            }
        };
        self.go_to(row);
        Ok(())
    }

    fn take_address(&mut self, text: &str) -> Result<(), String> {
        let address = query::address(text)?;
        let size = self.memory_size();
        if address >= size {
            let memory = self.source.memory_name(self.memory);
            return Err(format!("{address:#x} is past the end: {memory} has {size:#x} bytes"));
        }
        self.follow = false;
        self.address = address;
        Ok(())
    }

    /// What is searched for, in words.
    pub(crate) fn query_text(&self) -> Option<String> {
        match self.query.as_ref()? {
            Query::Address(address) => Some(format!("@{address:x}")),
            Query::Text(text) => Some(text.clone()),
        }
    }
}
