//! Taking over the terminal, and giving it back whatever happens: at the end, on an error, on a panic before
//! its message is printed, and on a signal that ends the program.

use crossterm::event::{DisableMouseCapture, EnableMouseCapture};
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use crossterm::{cursor, execute};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use std::io::{self, Stdout, Write};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the terminal is ours at the moment: giving it back twice would switch screens once too often.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The terminal while the viewer has it.
pub(crate) struct Screen {
    /// Where frames are drawn.
    pub(crate) terminal: Terminal<CrosstermBackend<Stdout>>,
}

impl Screen {
    /// Takes the terminal over.
    pub(crate) fn enter() -> io::Result<Screen> {
        hook_panics();
        hook_signals()?;
        enable_raw_mode()?;
        TAKEN.store(true, Ordering::SeqCst);
        // From here on an error must give back what was taken; dropping a `Screen` does.
        let entered = execute!(io::stdout(), EnterAlternateScreen, EnableMouseCapture, cursor::Hide)
            .and_then(|()| Terminal::new(CrosstermBackend::new(io::stdout())));
        match entered {
            Ok(terminal) => Ok(Screen { terminal }),
            Err(error) => {
                leave();
                Err(error)
            }
        }
    }
}

/// Whether the terminal is ours still: a panic on another thread gives it back.
pub(crate) fn is_ours() -> bool {
    TAKEN.load(Ordering::SeqCst)
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
    }
}

/// Gives the terminal back. Errors are ignored: there is nobody left to tell, and each step must be tried.
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

/// A signal ends the viewer as it would end any program, but not before the terminal is the shell's again. A
/// thread waits for it: the viewer itself may be asleep until a key is pressed, or in a long search.
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

/// A panic's message belongs on the screen that stays.
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
