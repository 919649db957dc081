//! How far an errand has come. It reports while it reads, on its own thread, and the screen shows what is noted here,
//! so that the clock runs on even while reading takes long. In the other direction goes the request to stop.

use forkpoint_replay::printable;
use forkpoint_traces::Position;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Turns to show activity.
const SPINNER: [char; 4] = ['|', '/', '-', '\\'];

/// How long each of them is shown.
const TURN: u128 = 100;

/// What an errand does now, how far it is, and whether it is to stop.
#[derive(Default)]
pub(crate) struct Headway(Mutex<Noted>);

#[derive(Default)]
struct Noted {
    leg: Option<Leg>,
    /// Whether the user wants it to stop.
    stopped: bool,
    /// Whether the user has left, so that no answer is needed.
    abandoned: bool,
}

struct Leg {
    what: String,
    begun: Instant,
    /// The position that was read first, and the last one.
    read: Option<[u64; 2]>,
    /// Where it ends at the latest.
    to: u64,
    can_stop: bool,
}

impl Headway {
    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a leg, which ends at `to` at the latest.
    pub(crate) fn begin(&self, what: String, to: Position, can_stop: bool) {
        self.noted().leg = Some(Leg { what, begun: Instant::now(), read: None, to: to.0, can_stop });
    }

    /// Notes the position that the leg has reached. Returns whether to give up there.
    pub(crate) fn at(&self, position: Position) -> bool {
        let mut noted = self.noted();
        let Noted { leg, stopped, abandoned } = &mut *noted;
        let Some(leg) = leg else { return *abandoned };
        let first = leg.read.map_or(position.0, |[first, _]| first);
        leg.read = Some([first, position.0]);
        *abandoned || *stopped && leg.can_stop
    }

    /// The user wants the errand to stop. A leg that cannot stop continues.
    pub(crate) fn stop(&self) {
        self.noted().stopped = true;
    }

    /// No answer is needed any more.
    pub(crate) fn abandon(&self) {
        self.noted().abandoned = true;
    }

    /// Ends the errand.
    pub(crate) fn end(&self) {
        let mut noted = self.noted();
        noted.leg = None;
        noted.stopped = false;
    }

    /// Stops the clock at the beginning of the leg, so that a frame is the same each time.
    #[cfg(test)]
    pub(crate) fn stand_still(&self) {
        if let Some(leg) = &mut self.noted().leg {
            leg.begun += Duration::from_secs(3600);
        }
    }

    /// The progress line of a frame; `None` if no errand is running.
    pub(crate) fn line(&self) -> Option<String> {
        self.noted().leg.as_ref().map(|leg| leg.line(leg.begun.elapsed()))
    }
}

impl Leg {
    /// Figures come first: a narrow screen cuts off the end.
    fn line(&self, elapsed: Duration) -> String {
        let turn = (elapsed.as_millis() / TURN) as usize % SPINNER.len();
        let mut line = format!("{} ", SPINNER[turn]);
        if let Some([first, last]) = self.read {
            let (done, all) = (first.abs_diff(last), first.abs_diff(self.to).max(1));
            let percent = u128::from(done) * 100 / u128::from(all);
            line.push_str(&format!("{:>2} %  {}  ", percent.min(100), Position(last)));
        }
        line.push_str(&format!("{:.1} s  {}", elapsed.as_secs_f64(), printable(&self.what)));
        if self.can_stop {
            line.push_str("  Esc stops");
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(headway: &Headway, millis: u64) -> String {
        headway.noted().leg.as_ref().map(|leg| leg.line(Duration::from_millis(millis))).unwrap_or_default()
    }

    #[test]
    fn the_line_has_phase_events_percent_and_time() {
        let headway = Headway::default();
        assert!(!headway.at(Position(3)), "nothing is under way, so nothing gives up");
        headway.begin("next writer of 0x10".to_string(), Position(1000), true);
        assert_eq!(line(&headway, 0), "| 0.0 s  next writer of 0x10  Esc stops");
        assert!(!headway.at(Position(200)) && !headway.at(Position(600)));
        assert_eq!(line(&headway, 1250), "| 50 %  #600  1.2 s  next writer of 0x10  Esc stops");
        headway.begin("going to #0".to_string(), Position(0), false);
        headway.at(Position(800));
        headway.at(Position(200));
        assert_eq!(line(&headway, 100), "/ 75 %  #200  0.1 s  going to #0");
        headway.end();
        assert_eq!(headway.line(), None);
    }

    #[test]
    fn what_can_stop_stops_once_and_what_is_abandoned_for_good() {
        let headway = Headway::default();
        headway.begin("back".to_string(), Position(5), false);
        headway.stop();
        assert!(!headway.at(Position(1)), "this leg must be finished");
        headway.begin("next".to_string(), Position(5), true);
        assert!(headway.at(Position(1)));
        headway.end();
        headway.begin("next".to_string(), Position(5), true);
        assert!(!headway.at(Position(1)), "the errand before was stopped, not this one");
        headway.begin("back".to_string(), Position(5), false);
        headway.abandon();
        assert!(headway.at(Position(1)));
        headway.end();
        assert!(headway.at(Position(1)));
    }

    #[test]
    fn no_position_is_too_large_and_no_text_acts() {
        let headway = Headway::default();
        headway.begin("`\x1b[2J`".to_string(), Position(u64::MAX), true);
        headway.at(Position(0));
        headway.at(Position(u64::MAX - 1));
        assert_eq!(line(&headway, 0), format!("| 99 %  #{}  0.0 s  `\\u{{1b}}[2J`  Esc stops", u64::MAX - 1));
        headway.begin(String::new(), Position(5), true);
        headway.at(Position(5));
        headway.at(Position(u64::MAX));
        assert!(line(&headway, 0).starts_with("| 100 %"));
    }
}
