//! Accepting the text of a prompt.

use crate::action::{Excerpt, PromptKind};
use crate::app::App;
use crate::errand::{Aim, Errand};
use crate::outgoing::{Destination, Outgoing};
use crate::query::{self, GoTo};
use crate::theme::Theme;
use crate::traces::{Direction, Query};
use forkpoint_replay::printable;
use std::path::PathBuf;

impl App {
    /// Accepts the text of the prompt.
    pub(crate) fn submit(&mut self) -> Option<Errand> {
        let prompt = self.prompt.take()?;
        let text = prompt.input.value().to_string();
        if text.trim().is_empty() {
            return None;
        }
        self.history.keep(prompt.kind, &text);
        match self.take(prompt.kind, &text) {
            Ok(errand) => errand,
            // The prompt stays open, so that a typing error costs one key.
            Err(message) => {
                self.prompt = Some(prompt);
                self.message = Some(printable(&message));
                None
            }
        }
    }

    /// Takes a text as one of this kind.
    ///
    /// # Errors
    /// When it is none.
    pub(crate) fn take(&mut self, kind: PromptKind, text: &str) -> Result<Option<Errand>, String> {
        match kind {
            PromptKind::Position => self.take_position(text),
            PromptKind::Address => self.take_address(text).map(|()| None),
            PromptKind::Search => query::search(text).map(|query| {
                self.query = Some(query.clone());
                Some(self.errand(Aim::Search(query, Direction::Forward)))
            }),
            PromptKind::Command => self.execute(text),
            PromptKind::Watch => self.watch(text).map(|()| None),
            PromptKind::Ignore => {
                self.ignore(Some(query::filter(text)?));
                Ok(None)
            }
            PromptKind::Bytes => self.find_bytes(text).map(|()| None),
            PromptKind::Appearance => Ok(Some(self.errand(Aim::Appearance(query::bytes(text)?)))),
            PromptKind::Theme => {
                let name = text.trim();
                let theme = Theme::named(name)
                    .ok_or_else(|| format!("`{name}` is no theme: expected dark, light, safe or none"))?;
                self.theme = theme;
                Ok(None)
            }
            PromptKind::WriteScreen | PromptKind::WriteEvents => {
                let excerpt = if kind == PromptKind::WriteScreen { Excerpt::Screen } else { Excerpt::Events };
                let to = Destination::File(PathBuf::from(text.trim()));
                self.outgoing = Some(Outgoing { excerpt, to });
                Ok(None)
            }
        }
    }

    fn take_position(&mut self, text: &str) -> Result<Option<Errand>, String> {
        let row = match query::position(text, self.row, self.outline.rows())? {
            GoTo::Function(name) => return Ok(Some(self.errand(Aim::First(name)))),
            GoTo::Row(row) => row,
            GoTo::Position(position) => {
                let side = self.focus.side;
                let events = self.outline.info(side).events;
                if position.0 >= events {
                    return Err(format!("{position} is past the end: {} has {events} events", side.word()));
                }
                let row = self.outline.row_of(side, position);
                self.jump_to(row);
                return Ok(self.record_around(position));
            }
        };
        self.jump_to(row);
        Ok(None)
    }

    fn take_address(&mut self, text: &str) -> Result<(), String> {
        let named = self.outline.variable_named(self.focus.side, text.trim());
        let address = match named {
            Some((memory, address)) => {
                self.memory = memory;
                address
            }
            None => query::address(text)?,
        };
        let size = self.memory_size();
        if address >= size {
            let memory = self.outline.memory_name(self.memory);
            return Err(format!("{address:#x} is past the end: {memory} has {size:#x} bytes"));
        }
        self.follow = false;
        self.address = address;
        Ok(())
    }

    /// Goes to the next place in memory where bytes stand, from the cursor on, or else from the start.
    fn find_bytes(&mut self, text: &str) -> Result<(), String> {
        let bytes = query::bytes(text)?;
        let Some(traces) = &self.traces else { return Err("memory is being read".to_string()) };
        let find = |from| traces.find_bytes(self.focus.side, self.memory, &bytes, from);
        match find(self.address.saturating_add(1)).or_else(|| find(0)) {
            Some(address) => {
                self.follow = false;
                self.address = address;
                Ok(())
            }
            None => Err(format!(
                "these bytes stand nowhere in {} here: B goes to when they first do",
                self.outline.memory_name(self.memory)
            )),
        }
    }

    /// The search, in words.
    pub(crate) fn query_text(&self) -> Option<String> {
        match self.query.as_ref()? {
            Query::Address(address) => Some(format!("@{address:x}")),
            Query::Text(text) => Some(text.clone()),
            Query::Filter(filter) => Some(filter.to_string()),
        }
    }
}
