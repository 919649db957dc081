//! How the state sends the traces on an errand, and handles the outcome.

use crate::app::App;
use crate::errand::{Aim, Ending, Errand};
use crate::more_events::NewOutline;
use crate::traces::{Traces, moment, sides};
use forkpoint_replay::printable;

/// Replaying this few events goes unnoticed.
const NEAR: u64 = 1 << 16;

impl App {
    /// An errand from the current state of the screen.
    pub(crate) fn errand(&self, aim: Aim) -> Errand {
        Errand {
            aim,
            row: self.row,
            settled: self.settled,
            side: self.focus.side,
            memory: self.memory,
            address: self.address,
            ignored: self.ignored.clone(),
            source: self.more_events.clone(),
        }
    }

    /// Whether memory at the row under the cursor is far from its present position.
    pub(crate) fn is_far(&self) -> bool {
        let Some(traces) = &self.traces else { return false };
        sides(&*self.outline)
            .any(|side| moment(&*self.outline, side, self.row).0.abs_diff(traces.position(side).0) > NEAR)
    }

    /// Hands the traces over for an errand; `None` if another one has them.
    pub(crate) fn begin(&mut self, errand: &Errand) -> Option<Box<dyn Traces>> {
        let traces = self.traces.take()?;
        errand.announce(&*self.outline, &self.headway);
        Some(traces)
    }

    /// Takes the traces back, and goes where the errand leads.
    pub(crate) fn finish(&mut self, errand: &Errand, traces: Box<dyn Traces>, ending: Ending) {
        let passed_over = errand.passed_over(&*self.outline, &*traces, &ending);
        self.traces = Some(traces);
        self.headway.end();
        let key = (errand.side, errand.memory);
        if errand.aim == Aim::Picture && !matches!(ending, Ending::Pictured(_)) {
            self.unpictured = Some(key);
        }
        match ending {
            Ending::Found(row) => {
                self.jump_to(row);
                if let Some(passed_over) = passed_over {
                    self.message = Some(passed_over);
                }
            }
            Ending::Appeared(row, memory, address) => {
                self.jump_to(row);
                self.follow = false;
                self.memory = memory;
                self.address = address;
            }
            Ending::Listed(panel) if matches!(errand.aim, Aim::List(_)) => self.open_list(*panel),
            Ending::Listed(panel) => self.open_panel(*panel),
            Ending::Unknown(why) => {
                self.refuse_calls(errand, &why);
                self.message = Some(printable(&why));
            }
            Ending::Nothing => {
                let nothing = errand.nothing_found(&*self.outline);
                self.message =
                    Some(passed_over.map_or(nothing.clone(), |passed_over| format!("{nothing}; {passed_over}")));
            }
            Ending::Pictured(picture) => self.keep_picture(key, *picture),
            Ending::Called(window) => self.take_calls(errand, *window),
            Ending::Recorded(NewOutline(outline), position) => self.take_outline(outline, errand.side, position),
            Ending::Stopped
                if matches!(errand.aim, Aim::Calls(..) | Aim::FarStep(..) | Aim::Record(_) | Aim::WhyByLoads(_)) =>
            {
                self.message = Some("stopped".to_string())
            }
            Ending::Stopped if errand.aim == Aim::Picture => self.message = Some("timeline stopped".to_string()),
            Ending::Stopped => self.message = Some("search stopped".to_string()),
            Ending::Arrived => self.settled = errand.row,
            Ending::Back => {
                self.go_to(errand.settled);
                self.message = Some("stopped, and gone back".to_string());
            }
            Ending::Failed(message) => self.message = Some(message),
        }
    }

    /// Runs an action to its end, including its errand, on this thread.
    #[cfg(test)]
    pub(crate) fn dispatch(&mut self, action: crate::action::Action) {
        if let Some(errand) = self.update(action) {
            let _ = self.run_here(&errand);
        }
    }

    /// Runs an errand on this thread.
    ///
    /// # Errors
    /// When it fails: the message that is also on the screen.
    pub(crate) fn run_here(&mut self, errand: &Errand) -> Result<(), String> {
        let Some(mut traces) = self.begin(errand) else { return Ok(()) };
        let ending = errand.run(&*self.outline, &mut *traces, &self.headway);
        let failed = match &ending {
            Ending::Failed(message) => Err(message.clone()),
            _ => Ok(()),
        };
        self.finish(errand, traces, ending);
        failed?;
        self.due.take().map_or(Ok(()), |next| self.run_here(&next))
    }
}
