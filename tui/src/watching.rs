//! Events to stop at, and events to pass over.

use crate::app::App;
use crate::errand::{Aim, Errand};
use crate::panel::{Panel, PanelKind, PanelLine};
use crate::query;
use crate::traces::{Direction, sides};
use forkpoint_replay::EventFilter;
use forkpoint_traces::Hex;

/// Most watches.
const MOST: usize = 64;

/// Most bytes of memory that a watch shows.
const SHOWN: u64 = 16;

impl App {
    /// Adds a watch.
    ///
    /// # Errors
    /// When the expression is wrong, or there are too many.
    pub(crate) fn watch(&mut self, text: &str) -> Result<(), String> {
        if self.watches.len() >= MOST {
            return Err(format!("there are {MOST} watches already: :unwatch forgets them"));
        }
        self.watches.push(query::filter(text)?);
        self.message = Some("c runs to where it stops, C runs back".to_string());
        if self.panel.as_ref().is_none_or(|panel| panel.kind != PanelKind::Watches) {
            self.panel = Some(Panel::new(PanelKind::Watches, String::new(), Vec::new()));
        }
        Ok(())
    }

    /// Forgets all watches.
    pub(crate) fn unwatch(&mut self) {
        self.message = Some(format!("{} watches forgotten", self.watches.len()));
        self.watches.clear();
    }

    /// Runs to the nearest event that a watch stops at.
    pub(crate) fn run_to_watch(&mut self, direction: Direction) -> Option<Errand> {
        if self.watches.is_empty() {
            self.message = Some("nothing to stop at: a adds a watch".to_string());
            return None;
        }
        Some(self.errand(Aim::Watch(EventFilter::any_of(&self.watches), direction)))
    }

    /// Sets the events that divergences pass over.
    pub(crate) fn ignore(&mut self, filter: Option<EventFilter>) {
        self.message = Some(match &filter {
            Some(filter) => format!("mismatches pass over {filter}"),
            None => "mismatches pass over nothing".to_string(),
        });
        self.ignored = filter;
        // What it lists is no longer right.
        if self.panel.as_ref().is_some_and(|panel| panel.kind == PanelKind::Divergences) {
            self.close_panel();
        }
    }

    /// The watches, with what memory holds at their addresses.
    pub(crate) fn watch_lines(&self) -> Vec<PanelLine> {
        self.watches.iter().map(|watch| PanelLine::new(None, &format!("{watch}{}", self.held(watch)))).collect()
    }

    /// What memory holds where a watch looks, by side.
    fn held(&self, watch: &EventFilter) -> String {
        let Some(traces) = self.traces.as_ref().filter(|_| !self.is_far()) else { return String::new() };
        let Some(addresses) = watch.addresses() else { return String::new() };
        let length = (addresses.end - addresses.start).min(SHOWN);
        let mut text = String::new();
        if let Some(variable) = self.outline.variable(self.focus.side, self.memory, addresses.clone()) {
            text.push_str(&format!("  {variable}"));
        }
        for side in sides(&*self.outline) {
            let mut bytes = vec![0; length as usize];
            let inside = traces.read(side, self.memory, addresses.start, &mut bytes);
            let word = if self.outline.is_pair() { format!("{side} ") } else { String::new() };
            text.push_str(&format!("  {word}{:#}", Hex(&bytes[..inside.min(bytes.len())])));
        }
        text
    }
}
