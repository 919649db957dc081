//! Accepting the text of a prompt.

use crate::action::PromptKind;
use crate::app::App;
use crate::errand::{Aim, Errand};
use crate::query::{self, GoTo};
use crate::traces::{Direction, Query};

impl App {
    pub(crate) fn submit(&mut self) -> Option<Errand> {
        let prompt = self.prompt.as_ref()?;
        let text = prompt.input.value().to_string();
        let taken = match prompt.kind {
            _ if text.trim().is_empty() => Ok(None),
            PromptKind::Position => self.take_position(&text).map(|()| None),
            PromptKind::Address => self.take_address(&text).map(|()| None),
            PromptKind::Search => query::search(&text).map(|query| {
                self.query = Some(query.clone());
                Some(self.errand(Aim::Search(query, Direction::Forward)))
            }),
        };
        match taken {
            Ok(errand) => {
                self.prompt = None;
                errand
            }
            // The prompt stays open, so that a typing error costs one key.
            Err(message) => {
                self.message = Some(message);
                None
            }
        }
    }

    fn take_position(&mut self, text: &str) -> Result<(), String> {
        let row = match query::position(text, self.row, self.outline.rows())? {
            GoTo::Row(row) => row,
            GoTo::Position(position) => {
                let side = self.focus.side;
                let events = self.outline.info(side).events;
                if position.0 >= events {
                    return Err(format!("{position} is past the end: {} has {events} events", side.word()));
                }
                self.outline.row_of(side, position)
            }
        };
        self.go_to(row);
        Ok(())
    }

    fn take_address(&mut self, text: &str) -> Result<(), String> {
        let address = query::address(text)?;
        let size = self.memory_size();
        if address >= size {
            let memory = self.outline.memory_name(self.memory);
            return Err(format!("{address:#x} is past the end: {memory} has {size:#x} bytes"));
        }
        self.follow = false;
        self.address = address;
        Ok(())
    }

    /// The search, in words.
    pub(crate) fn query_text(&self) -> Option<String> {
        match self.query.as_ref()? {
            Query::Address(address) => Some(format!("@{address:x}")),
            Query::Text(text) => Some(text.clone()),
        }
    }
}
