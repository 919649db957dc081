//! The functions that are active at the event under the cursor, the calls around it, and steps by them.

use crate::action::CallMove;
use crate::app::App;
use crate::calls::{NO_EVENT_AFTER, NO_EVENT_BEFORE};
use crate::errand::{Aim, Errand};
use crate::more_events::NO_RERUNS;
use crate::panel::{Panel, PanelKind, PanelLine};
use crate::traces::{Direction, EventLine};
use forkpoint_replay::{Activation, CallFrame, CallWindow, Side, printable};
use forkpoint_traces::{FarStep, Position};

/// Calls that are listed before the event, and as many after it.
const AROUND: usize = 20;

/// Columns that a call may take before what follows is no longer aligned.
const WIDEST: usize = 44;

/// Levels by which a call is moved to the right at most.
const DEEPEST: u32 = 24;

impl App {
    /// The position under the cursor, on the side with the focus.
    fn position_here(&self) -> Option<Position> {
        self.outline.row(self.row).of(self.focus.side)
    }

    /// The window that tells of the event under the cursor.
    pub(crate) fn window_here(&self) -> Option<&CallWindow> {
        self.calls.known.window(self.focus.side, self.position_here()?)
    }

    /// Shows the calls; those that are not known come as an errand.
    pub(crate) fn show_calls(&mut self) -> Option<Errand> {
        self.open_panel(Panel::new(PanelKind::Calls, String::new(), Vec::new()));
        if self.window_here().is_some() || self.calls.service.is_none() { None } else { self.ask_for_calls(None) }
    }

    /// An errand for the calls around the event under the cursor, and a step by them.
    pub(crate) fn ask_for_calls(&mut self, step: Option<(CallMove, Direction)>) -> Option<Errand> {
        let Some(service) = self.calls.service.clone() else {
            self.message = Some(NO_RERUNS.to_string());
            return None;
        };
        if self.position_here().is_none() {
            self.message = Some("no event is under the cursor on this side".to_string());
            return None;
        }
        Some(self.errand(Aim::Calls(service, step)))
    }

    /// Keeps the calls that an errand has brought, and takes its step.
    pub(crate) fn take_calls(&mut self, errand: &Errand, window: CallWindow) {
        self.calls.known.keep(errand.side, window);
        if let Aim::Calls(_, Some((step, direction))) = &errand.aim {
            self.due = self.step_known(*step, *direction);
        }
    }

    /// Keeps why an errand has brought none.
    pub(crate) fn refuse_calls(&mut self, errand: &Errand, why: &str) {
        let position = self.outline.row(errand.row).of(errand.side);
        if let (Aim::Calls(..), Some(position)) = (&errand.aim, position) {
            self.calls.known.refuse(errand.side, position, printable(why));
        }
    }

    /// Goes over calls or out of a function; what is not known for it comes as an errand.
    pub(crate) fn step_calls(&mut self, step: CallMove, direction: Direction) -> Option<Errand> {
        if self.window_here().is_none() {
            return self.ask_for_calls(Some((step, direction)));
        }
        self.step_known(step, direction)
    }

    /// Goes where the calls lead that are known; where they end before, that comes as an errand.
    fn step_known(&mut self, step: CallMove, direction: Direction) -> Option<Errand> {
        let (window, at) = self.window_here().zip(self.position_here())?;
        let found = match (step, direction) {
            (CallMove::Over, Direction::Forward) => window.step_over(at),
            (CallMove::Over, Direction::Backward) => window.step_over_back(at),
            (CallMove::Out, Direction::Forward) => window.step_out(at),
            (CallMove::Out, Direction::Backward) => window.step_out_back(at),
        };
        if let Some(position) = found {
            let row = self.outline.row_of(self.focus.side, position);
            if step == CallMove::Out {
                self.jump_to(row)
            } else {
                self.go_to(row)
            }
            return None;
        }
        let (nothing, far) = match (step, direction) {
            (CallMove::Out, _) if window.depth(at) == Some(0) => ("no function is active here", None),
            (_, Direction::Forward) if window.is_whole() => (NO_EVENT_AFTER, None),
            (CallMove::Over, Direction::Forward) => (NO_EVENT_AFTER, Some(FarStep::Over)),
            (CallMove::Out, Direction::Forward) => (NO_EVENT_AFTER, Some(FarStep::Out)),
            (CallMove::Over, Direction::Backward) if window.covers().start > Position(0) => {
                (NO_EVENT_BEFORE, Some(FarStep::OverBack))
            }
            // When an active function began is known.
            (_, Direction::Backward) => (NO_EVENT_BEFORE, None),
        };
        match (far, self.calls.service.clone()) {
            (Some(far), Some(service)) => return Some(self.errand(Aim::FarStep(service, far))),
            _ => self.message = Some(nothing.to_string()),
        }
        None
    }

    /// The variable on the stack that an event writes, where the calls around it are known.
    pub(crate) fn stack_variable(&self, side: Side, at: Position, event: &EventLine) -> Option<String> {
        let window = self.calls.known.window(side, at)?;
        let (memory, address, length) = event.written?;
        let bytes = address..address.checked_add(length)?;
        self.outline.stack_variable(side, window, at, event.place, (memory, &bytes))
    }

    /// What the pane's title says, and its lines.
    pub(crate) fn calls_lines(&self) -> (String, Vec<PanelLine>) {
        let one = |text: &str| (String::new(), vec![PanelLine::new(None, text)]);
        let side = self.focus.side;
        let Some(at) = self.position_here() else {
            return one("no event is under the cursor on this side");
        };
        let Some(window) = self.calls.known.window(side, at) else {
            return match (self.calls.known.why_not(side, at), &self.calls.service) {
                (Some(why), _) => one(why),
                (None, None) => one("a trace has no calls, and nothing here can run the recording again for them"),
                (None, Some(_)) => one("not known yet: Enter here runs the recording again up to this event"),
            };
        };
        let place = self.seen.event(side).and_then(|event| event.place);
        let (frames, depth) = self.outline.call_frames(side, window, at, place);
        let word = if self.outline.is_pair() { format!("{} ", side.word()) } else { String::new() };
        let about = format!("{word}{at}: {depth} active");
        let row = |position: Position| Some(self.outline.row_of(side, position));
        let width = frames.iter().map(|frame| frame.call().chars().count()).max().unwrap_or(0).min(WIDEST);
        let mut lines = Vec::new();
        for (count, frame) in CallFrame::with_gaps(&frames) {
            if count > 0 {
                lines.push(PanelLine::new(None, &format!("       ... {count} more")));
            }
            lines.push(PanelLine::new(row(frame.entered), &frame.line(width)));
        }
        if depth == 0 {
            lines.push(PanelLine::new(None, "       no function is active: the host runs"));
        }
        if let Some((tree, _)) = window.tree(at, AROUND).filter(|(tree, _)| !tree.is_empty()) {
            lines.push(PanelLine::new(None, " calls around, in the order in which they began (* active):"));
            let lowest = tree.iter().map(|activation| activation.depth).min().unwrap_or(0);
            lines.extend(tree.iter().map(|activation| {
                let text = self.tree_line(activation, at, lowest);
                PanelLine::new(row(activation.entered), &text)
            }));
        }
        (about, lines)
    }

    fn tree_line(&self, activation: &Activation, at: Position, lowest: u32) -> String {
        let active = activation.entered <= at && activation.left.is_none_or(|left| left > at);
        let level = (activation.depth - lowest).min(DEEPEST) as usize;
        let until = activation.left.map_or(String::new(), |left| format!("  until {left}"));
        let text = self.outline.call_text(self.focus.side, activation);
        let mark = if active { '*' } else { ' ' };
        format!("{mark}{:>9} {}{text}{until}", activation.entered.to_string(), "  ".repeat(level))
    }
}
