//! How far a job has come. The job reports from inside of its reading, a thread of its own draws what is said here, so
//! that the time goes on even where reading takes long.

use forkpoint_replay::printable;
use forkpoint_traces::Position;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What a job does now, and how far that is.
#[derive(Default)]
pub(crate) struct Progress(Mutex<Option<State>>);

struct State {
    what: String,
    begun: Instant,
    /// The position that was read first, and the last one.
    read: Option<[u64; 2]>,
    /// Where it ends at the latest.
    to: u64,
    can_stop: bool,
}

impl Progress {
    fn state(&self) -> MutexGuard<'_, Option<State>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A phase begins, which ends at `to` at the latest.
    pub(crate) fn begin(&self, what: String, to: Position, can_stop: bool) {
        *self.state() = Some(State { what, begun: Instant::now(), read: None, to: to.0, can_stop });
    }

    /// The phase has come to a position. Answers whether it may be stopped there.
    pub(crate) fn at(&self, position: Position) -> bool {
        let mut state = self.state();
        let Some(state) = state.as_mut() else { return false };
        let first = state.read.map_or(position.0, |[first, _]| first);
        state.read = Some([first, position.0]);
        state.can_stop
    }

    /// The job is over.
    pub(crate) fn end(&self) {
        *self.state() = None;
    }

    /// What a frame says; `None` where nothing is done.
    pub(crate) fn line(&self) -> Option<String> {
        let state = self.state();
        state.as_ref().map(|state| state.line(state.begun.elapsed()))
    }

    /// The same before any time has passed.
    pub(crate) fn first_line(&self) -> Option<String> {
        self.state().as_ref().map(|state| state.line(Duration::ZERO))
    }
}

impl State {
    /// Figures come first: a narrow screen cuts the end.
    fn line(&self, elapsed: Duration) -> String {
        let mut line = match self.read {
            Some([first, last]) => {
                let (done, all) = (first.abs_diff(last), first.abs_diff(self.to).max(1));
                let percent = u128::from(done) * 100 / u128::from(all);
                format!("{:>2} %  {}  ", percent.min(100), Position(last))
            }
            None => String::new(),
        };
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

    fn line(progress: &Progress, millis: u64) -> String {
        progress.state().as_ref().map(|state| state.line(Duration::from_millis(millis))).unwrap_or_default()
    }

    #[test]
    fn phase_events_percent_and_time_are_told() {
        let progress = Progress::default();
        assert!(!progress.at(Position(3)), "nothing is done, so nothing can be stopped");
        progress.begin("next writer of 0x10".to_string(), Position(1000), true);
        assert_eq!(line(&progress, 0), "0.0 s  next writer of 0x10  Esc stops");
        assert!(progress.at(Position(200)) && progress.at(Position(600)));
        assert_eq!(line(&progress, 1250), "50 %  #600  1.2 s  next writer of 0x10  Esc stops");
        progress.begin("going to #0".to_string(), Position(0), false);
        progress.at(Position(800));
        assert!(!progress.at(Position(200)));
        assert_eq!(line(&progress, 100), "75 %  #200  0.1 s  going to #0");
        progress.end();
        assert_eq!(progress.line(), None);
    }

    #[test]
    fn no_position_is_too_large_and_no_text_acts() {
        let progress = Progress::default();
        progress.begin("`\x1b[2J`".to_string(), Position(u64::MAX), true);
        progress.at(Position(0));
        progress.at(Position(u64::MAX - 1));
        assert_eq!(line(&progress, 0), format!("99 %  #{}  0.0 s  `\\u{{1b}}[2J`  Esc stops", u64::MAX - 1));
        progress.begin(String::new(), Position(5), true);
        progress.at(Position(5));
        progress.at(Position(u64::MAX));
        assert!(line(&progress, 0).starts_with("100 %"));
    }
}
