//! Showing lists, walking through them, and going where their lines lead.

use crate::app::App;
use crate::errand::{Aim, Errand};
use crate::focus::{Focus, Pane};
use crate::layout::inside;
use crate::more_events::NO_RERUNS;
use crate::panel::{Panel, PanelKind, PanelLine};
use crate::traces::Direction;

impl App {
    /// Shows a list, or hides it if it is shown. What has to be read for it comes as an errand.
    pub(crate) fn toggle_panel(&mut self, kind: PanelKind) -> Option<Errand> {
        if self.panel.as_ref().is_some_and(|panel| panel.kind == kind) && kind != PanelKind::Why {
            self.close_panel();
            return None;
        }
        match kind {
            PanelKind::Divergences if !self.outline.is_pair() => {
                self.message = Some("one trace alone has no divergence: open it with another".to_string());
                None
            }
            PanelKind::Why if !self.outline.is_pair() => {
                self.message = Some("one trace alone has no difference to explain: open it with another".to_string());
                None
            }
            PanelKind::Why if self.outline.are_builds() => {
                self.message =
                    Some("two builds keep data in different places: their differences have no chain".to_string());
                None
            }
            PanelKind::Divergences | PanelKind::HostCalls | PanelKind::Why => Some(self.errand(Aim::List(kind))),
            PanelKind::Calls => self.show_calls(),
            PanelKind::Marks | PanelKind::Watches | PanelKind::Source => {
                self.open_panel(Panel::new(kind, String::new(), Vec::new()));
                None
            }
        }
    }

    /// An errand for why the value under the cursor differs, by what both runs loaded.
    pub(crate) fn why_by_loads(&mut self) -> Option<Errand> {
        if !self.outline.is_pair() || self.outline.are_builds() {
            // Says why not.
            return self.toggle_panel(PanelKind::Why);
        }
        match self.loads.clone() {
            Some(service) => Some(self.errand(Aim::WhyByLoads(service))),
            None => {
                self.message = Some(NO_RERUNS.to_string());
                None
            }
        }
    }

    /// Shows the list of why a value differs by what was stored, and offers to ask for what was loaded.
    pub(crate) fn open_list(&mut self, mut panel: Panel) {
        if panel.kind == PanelKind::Why && self.loads.is_some() {
            panel.lines.push(PanelLine::asking("by stores alone; Enter here runs both again for what they loaded"));
        }
        self.open_panel(panel);
    }

    /// Shows a list and focuses it.
    pub(crate) fn open_panel(&mut self, panel: Panel) {
        // Code is read along with the events, a list is walked through.
        let focused = panel.kind != PanelKind::Source;
        self.panel = Some(panel);
        if focused {
            self.set_focus(Focus { pane: Pane::Panel, ..self.focus });
        }
    }

    pub(crate) fn close_panel(&mut self) {
        self.panel = None;
        if self.focus.pane == Pane::Panel {
            self.set_focus(Focus { pane: Pane::Events, ..self.focus });
        }
    }

    /// Moves the cursor of the list by lines.
    pub(crate) fn move_in_panel(&mut self, lines: u64, direction: Direction) {
        let Some(panel) = &mut self.panel else { return };
        let lines = usize::try_from(lines).unwrap_or(usize::MAX);
        panel.cursor = match direction {
            Direction::Forward => panel.cursor.saturating_add(lines).min(panel.lines.len().saturating_sub(1)),
            Direction::Backward => panel.cursor.saturating_sub(lines),
        };
    }

    /// Goes to the event of the line under the cursor. Calls that are not known are asked for.
    pub(crate) fn choose(&mut self) -> Option<Errand> {
        let row = self.panel.as_ref().and_then(|panel| panel.lines.get(panel.cursor)?.row);
        let asks = self.panel.as_ref().and_then(|panel| panel.lines.get(panel.cursor)).is_some_and(|line| line.asks);
        match row {
            Some(row) => self.jump_to(row),
            None if asks => return self.why_by_loads(),
            None if self.panel.as_ref().is_some_and(|panel| panel.kind == PanelKind::Calls) => {
                if self.window_here().is_none() {
                    return self.ask_for_calls(None);
                }
            }
            None => self.message = Some("this line leads nowhere".to_string()),
        }
        None
    }

    /// Puts the cursor on a line of the pane.
    pub(crate) fn click_panel(&mut self, line: u64) {
        if let Some(panel) = &mut self.panel {
            let line = panel.top.saturating_add(usize::try_from(line).unwrap_or(usize::MAX));
            if line < panel.lines.len() {
                panel.cursor = line;
                if let Some(row) = panel.lines[line].row {
                    self.jump_to(row);
                }
            }
        }
    }

    /// Fills a list of what the viewer itself knows, and keeps every list in view.
    pub(crate) fn refresh_panel(&mut self) {
        let height = usize::from(inside(self.areas.panel).height);
        let Some(kind) = self.panel.as_ref().map(|panel| panel.kind) else { return };
        let fresh = match kind {
            PanelKind::Marks => Some((String::new(), self.mark_lines(), None)),
            PanelKind::Watches => Some((String::new(), self.watch_lines(), None)),
            PanelKind::Source => Some(self.source_lines()),
            PanelKind::Calls => {
                let (about, lines) = self.calls_lines();
                Some((about, lines, None))
            }
            PanelKind::Divergences | PanelKind::HostCalls | PanelKind::Why => None,
        };
        let Some(panel) = &mut self.panel else { return };
        if let Some((about, lines, cursor)) = fresh {
            panel.about = about;
            panel.lines = lines;
            if let Some(cursor) = cursor {
                panel.cursor = cursor;
                panel.top = cursor.saturating_sub(height / 2);
            }
        }
        panel.keep_in_view(height);
    }

    fn mark_lines(&self) -> Vec<PanelLine> {
        let line = |(letter, row): (char, u64)| {
            let pair = self.outline.row(row);
            let position = pair.of(self.focus.side).or(pair.of(self.focus.side.other()));
            let at = position.map_or(String::new(), |position| position.to_string());
            PanelLine::new(Some(row), &format!("{letter}  {at}"))
        };
        self.jumps.marks().map(line).collect()
    }
}
