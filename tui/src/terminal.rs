//! Taking over the terminal, and restoring it whatever happens: at the end, on an error, on a panic before its
//! message is printed, and on a signal that ends the program.

use crate::event_loop::Console;
use crate::outgoing;
use crossterm::event::{self, DisableMouseCapture, EnableMouseCapture, Event};
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use crossterm::{cursor, execute};
use ratatui::backend::CrosstermBackend;
use ratatui::{Frame, Terminal};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use std::io::{self, Stdout, Write};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Whether the viewer has the terminal at the moment: restoring it twice would switch screens once too often. A
/// process has one terminal, and its handlers of signals and panics know no viewer, so this belongs to the process.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The terminal while the viewer has it.
pub(crate) struct Tty(Terminal<CrosstermBackend<Stdout>>);

impl Tty {
    /// Takes the terminal over.
    pub(crate) fn enter() -> io::Result<Tty> {
        hook_panics();
        hook_signals()?;
        enable_raw_mode()?;
        TAKEN.store(true, Ordering::SeqCst);
        // From here on an error must restore the terminal; dropping a `Tty` does.
        let entered = execute!(io::stdout(), EnterAlternateScreen, EnableMouseCapture, cursor::Hide)
            .and_then(|()| Terminal::new(CrosstermBackend::new(io::stdout())));
        match entered {
            Ok(terminal) => Ok(Tty(terminal)),
            Err(error) => {
                leave();
                Err(error)
            }
        }
    }
}

impl Console for Tty {
    fn draw(&mut self, compose: &mut dyn FnMut(&mut Frame)) -> io::Result<()> {
        // A panic on another thread restores the terminal before it comes here.
        if TAKEN.load(Ordering::SeqCst) {
            self.0.draw(compose)?;
        }
        Ok(())
    }

    fn next(&mut self, wait: Option<Duration>) -> io::Result<Option<Event>> {
        match wait {
            Some(time) if !event::poll(time)? => Ok(None),
            _ => event::read().map(Some),
        }
    }

    fn copy(&mut self, text: &str) -> io::Result<()> {
        outgoing::copy(text, &mut io::stdout())
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        leave();
    }
}

/// Restores the terminal. Errors are ignored: they could not be shown, and each step must be tried.
fn leave() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let mut out = io::stdout();
        let _ = execute!(out, DisableMouseCapture);
        let _ = execute!(out, LeaveAlternateScreen);
        let _ = execute!(out, cursor::Show);
        let _ = disable_raw_mode();
        let _ = out.flush();
    }
}

/// A signal ends the viewer as it would end any program, but only after the terminal is restored. A thread waits for
/// it: the viewer itself may be asleep until a key is pressed.
fn hook_signals() -> io::Result<()> {
    static HOOKED: Once = Once::new();
    let mut result = Ok(());
    HOOKED.call_once(|| {
        result = Signals::new([SIGTERM, SIGHUP, SIGINT, SIGQUIT]).map(|mut signals| {
            std::thread::spawn(move || {
                for signal in signals.forever() {
                    leave();
                    // Does not return, unless it fails.
                    let _ = emulate_default_handler(signal);
                }
            });
        });
    });
    result
}

/// A panic's message belongs on the screen that remains.
fn hook_panics() {
    static HOOKED: Once = Once::new();
    HOOKED.call_once(|| {
        let printed = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            leave();
            printed(info);
        }));
    });
}
