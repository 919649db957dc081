//! Slow work runs on another thread: meanwhile keys are answered and frames drawn, and viewers do not notice each
//! other. The loop of the viewer itself runs here, on a test screen.

use super::fake::{DIVERGENCE, Fake};
use super::real::write;
use super::{app_of, draw, viewer_of};
use crate::Opened;
use crate::app::App;
use crate::event_loop::{Console, run};
use crate::theme::Theme;
use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use forkpoint_replay::Timeline;
use ratatui::backend::TestBackend;
use ratatui::{Frame, Terminal};
use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::time::Duration;

/// Turns after which a script gives up waiting.
const PATIENCE: u32 = 1000;

/// Something typed as soon as the screen shows a text.
struct Step {
    shown: &'static str,
    typed: Typed,
}

enum Typed {
    Key(KeyCode),
    /// The terminal gets another size.
    Size(u16, u16),
}

fn when(shown: &'static str, key: KeyCode) -> Step {
    Step { shown, typed: Typed::Key(key) }
}

/// A terminal on which a script types.
struct Script {
    terminal: Terminal<TestBackend>,
    steps: VecDeque<Step>,
    patience: u32,
    /// Where to report that a step is done.
    done: Option<Sender<()>>,
}

impl Script {
    fn new(steps: impl Into<VecDeque<Step>>) -> Script {
        let terminal = Terminal::new(TestBackend::new(80, 24)).expect("a test terminal");
        Script { terminal, steps: steps.into(), patience: PATIENCE, done: None }
    }

    fn screen(&self) -> String {
        self.terminal.backend().to_string()
    }
}

impl Console for Script {
    fn copy(&mut self, text: &str) -> io::Result<()> {
        assert!(!text.is_empty());
        Ok(())
    }

    fn draw(&mut self, compose: &mut dyn FnMut(&mut Frame)) -> io::Result<()> {
        self.terminal.draw(compose).map(drop).map_err(|never| match never {})
    }

    fn next(&mut self, wait: Option<Duration>) -> io::Result<Option<Event>> {
        let screen = self.screen();
        match self.steps.front() {
            Some(step) if screen.contains(step.shown) => {
                let step = self.steps.pop_front().expect("it was just looked at");
                if let Some(done) = &self.done {
                    let _ = done.send(());
                }
                Ok(Some(match step.typed {
                    Typed::Key(key) => Event::Key(KeyEvent::new(key, KeyModifiers::NONE)),
                    Typed::Size(width, height) => {
                        self.terminal.backend_mut().resize(width, height);
                        Event::Resize(width, height)
                    }
                }))
            }
            Some(step) => {
                self.patience -= 1;
                assert!(wait.is_some(), "the viewer waits for a key, and `{}` is not shown:\n{screen}", step.shown);
                assert!(self.patience > 0, "`{}` is not shown:\n{screen}", step.shown);
                std::thread::sleep(Duration::from_millis(1));
                Ok(None)
            }
            None => panic!("the viewer did not leave:\n{screen}"),
        }
    }
}

/// Types the script into a viewer, which leaves at its end.
fn play(app: &mut App, steps: impl Into<VecDeque<Step>>) -> Script {
    let mut script = Script::new(steps);
    run(app, &mut script).expect("the terminal works");
    assert!(script.steps.is_empty(), "the viewer left early:\n{}", script.screen());
    script
}

#[test]
fn a_search_is_stopped_and_the_viewer_goes_on() {
    let mut app = app_of(Fake::endless(), Theme::new(true), None);
    play(
        &mut app,
        [
            when("value at #120", KeyCode::Char('w')),
            when("Esc stops", KeyCode::Esc),
            when("search stopped", KeyCode::Char('j')),
            when("#121  rhs", KeyCode::Char('q')),
        ],
    );
    assert_eq!((app.row, app.headway.line()), (DIVERGENCE + 1, None));
    assert!(!app.is_away(), "the traces are back");
}

#[test]
fn keys_are_answered_and_frames_drawn_during_a_search() {
    let mut app = app_of(Fake::endless(), Theme::new(true), None);
    let script = play(
        &mut app,
        [
            when("value at #120", KeyCode::Char('w')),
            when("Esc stops", KeyCode::Char('?')),
            when("show or hide this help", KeyCode::Char('?')),
            when("last writer of", KeyCode::Char('j')),
            when("/ ", KeyCode::Char('z')),
            when("Esc stops", KeyCode::Tab),
            Step { shown: "Esc stops", typed: Typed::Size(50, 12) },
            // Narrow: the end of the line is cut.
            when("last writer of", KeyCode::Char('z')),
            Step { shown: "last writer of", typed: Typed::Size(100, 30) },
            when("Esc stops", KeyCode::Char('q')),
        ],
    );
    assert_eq!(script.terminal.backend().buffer().area.width, 100);
    assert_eq!(app.row, DIVERGENCE, "a step needs the traces");
    assert!(app.is_done() && app.is_away(), "it leaves without waiting for the answer");
}

#[test]
fn a_journey_to_far_memory_is_given_up_and_made() {
    let mut app = app_of(Fake::distant(), Theme::new(true), None);
    play(
        &mut app,
        [
            when("memory at #121 of lhs  Esc stops", KeyCode::Esc),
            when("stopped, and gone back", KeyCode::Char('d')),
            when("memory 0 @0xa460 after #120", KeyCode::Char('q')),
        ],
    );
    assert_eq!((app.row, app.settled), (DIVERGENCE, DIVERGENCE));
}

#[test]
fn a_frame_does_not_wait_for_source_lines_and_gets_them_later() {
    let mut app = app_of(Fake::loading(), Theme::new(true), None);
    assert!(!draw(&mut app, 80, 24).to_string().contains("mix.c:14"));
    // No key is needed.
    play(&mut app, [when("mix@0x1b2  mix.c:14", KeyCode::Char('q'))]);
}

#[test]
fn two_viewers_at_once_do_not_notice_each_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.fpt");
    write(&path, None);
    // The first searches until the second has found its result and left.
    let (searches, has_begun) = channel();
    let (left, has_left) = channel::<()>();
    let first = std::thread::spawn(move || {
        let mut app = app_of(Fake::endless(), Theme::new(true), None);
        let mut script = Script::new([
            when("value at #120", KeyCode::Char('w')),
            when("Esc stops", KeyCode::Char('?')),
            when("show or hide this help", KeyCode::Char('?')),
            when("Esc stops", KeyCode::Esc),
            when("search stopped", KeyCode::Char('q')),
        ]);
        script.done = Some(searches);
        let mut console = Waiting { script, until: has_left };
        run(&mut app, &mut console).expect("the terminal works");
        app.message
    });
    has_begun.recv().expect("the first viewer searches");
    let opened = Opened { name: "a.fpt".to_string(), timeline: Timeline::open(&path).expect("a trace") };
    let mut second = viewer_of(opened, None, None).expect("one trace");
    let keys = "/finished".chars().map(|c| when("a.fpt", KeyCode::Char(c)));
    let mut steps: VecDeque<Step> = keys.collect();
    steps.push_back(when("finished", KeyCode::Enter));
    steps.push_back(when("#1002", KeyCode::Char('q')));
    play(&mut second, steps);
    assert_eq!((second.row, second.is_away()), (1002, false));
    drop(left);
    let message = first.join().expect("the first viewer leaves, too");
    assert_eq!(message, None, "leaving takes the message away");
}

/// A script whose last two steps wait until something else is done.
struct Waiting {
    script: Script,
    until: Receiver<()>,
}

impl Console for Waiting {
    fn copy(&mut self, text: &str) -> io::Result<()> {
        self.script.copy(text)
    }

    fn draw(&mut self, compose: &mut dyn FnMut(&mut Frame)) -> io::Result<()> {
        self.script.draw(compose)
    }

    fn next(&mut self, wait: Option<Duration>) -> io::Result<Option<Event>> {
        if self.script.steps.len() == 2 && self.until.try_recv() == Err(TryRecvError::Empty) {
            std::thread::sleep(Duration::from_millis(1));
            return Ok(None);
        }
        self.script.next(wait)
    }
}

#[test]
fn a_panic_of_an_errand_ends_the_viewer() {
    let ended = std::panic::catch_unwind(|| {
        let mut app = app_of(Fake::broken(), Theme::new(true), None);
        play(&mut app, [when("value at #120", KeyCode::Char('w')), when("no such text", KeyCode::Char('q'))]);
    });
    let panic = ended.expect_err("the panic is passed on");
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"a search that is broken"));
}
