//! Progress of a long command on standard error: phase, engine, events, bytes, time.
//!
//! On a terminal, one line is redrawn. Elsewhere, and where a guest may print to the same terminal, whole lines are
//! printed, the first after [`FIRST`] and each next one after twice the time, so that hours of running print about
//! ten lines. A separate thread draws, so the time advances while an engine compiles.

use crate::files::note_unfinished;
use crate::output::{bytes, grouped, tell};
use forkpoint_compare::{Doing, Progress};
use forkpoint_replay::{Timeline, printable};
use forkpoint_tracer::{Gauge, Phase, Program, Request, Stdio};
use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// When the first line is printed if lines cannot be redrawn.
const FIRST: Duration = Duration::from_secs(30);

/// How often the line is redrawn.
const REDRAW: Duration = Duration::from_millis(100);

/// Shorter work shows nothing.
const QUICK: Duration = Duration::from_millis(400);

/// What the command is doing now: a static, since there is only one standard error.
static NOW: Mutex<Now> = Mutex::new(Now { what: String::new(), since: None, source: Source::Nothing, shared: false });

struct Now {
    what: String,
    since: Option<Instant>,
    source: Source,
    /// Whether a running guest may print to this terminal.
    shared: bool,
}

/// Where the figures come from.
enum Source {
    Nothing,
    Gauge(Arc<Gauge>),
    Events { done: Arc<AtomicU64>, all: u64 },
    Modules(Arc<Modules>),
}

/// How far a sweep is.
pub struct Modules {
    all: u64,
    done: AtomicU64,
    diverge: AtomicU64,
    begun: Instant,
}

impl Modules {
    /// Counts one more module as done; `diverge` is the number of those that diverge so far.
    pub fn done(&self, diverge: u64) {
        self.done.fetch_add(1, Ordering::Relaxed);
        self.diverge.store(diverge, Ordering::Relaxed);
    }
}

fn now() -> MutexGuard<'static, Now> {
    NOW.lock().unwrap_or_else(PoisonError::into_inner)
}

fn enter(what: String, source: Source, shared: bool) {
    *now() = Now { what, since: Some(Instant::now()), source, shared };
}

/// Begins a phase.
pub fn phase(what: &str) {
    enter(what.to_string(), Source::Nothing, false);
}

/// Shows what a comparison does, and notes what killed recorders left beside the traces that it writes.
pub struct Terminal;

impl Progress for Terminal {
    fn run(&self, doing: Doing, program: &Program, request: &Request) {
        let what = match doing {
            Doing::Digesting => "digesting",
            Doing::Recording => "recording",
            Doing::RecordingWindow => "recording a window",
            Doing::SeekingWriter => "seeking the last writer",
            Doing::Narrowing => "narrowing",
            Doing::Calls => "following calls",
            Doing::Loads => "following loads",
            Doing::RunningPlain => "without recording",
        };
        let records = doing != Doing::RunningPlain;
        if records {
            note_unfinished(&request.output);
        }
        // The guest may print to our terminal.
        let prints = matches!(request.output_streams, Stdio::Stderr | Stdio::Inherit) || request.echo;
        let shared = records && prints && program.needs_host();
        enter(format!("{what}: {}", request.engine), Source::Gauge(Arc::clone(&request.gauge)), shared);
    }

    fn comparing(&self, lhs: &mut Timeline) {
        follow("comparing", lhs);
    }
}

/// Begins a sweep of this many modules.
pub fn modules(all: u64) -> Arc<Modules> {
    let modules = Modules { all, done: AtomicU64::new(0), diverge: AtomicU64::new(0), begun: Instant::now() };
    let modules = Arc::new(modules);
    enter("sweeping".to_string(), Source::Modules(Arc::clone(&modules)), false);
    modules
}

/// Begins a pass over this many events; the counter holds how many are done.
pub fn events(what: &str, all: u64) -> Arc<AtomicU64> {
    let done = Arc::new(AtomicU64::new(0));
    enter(what.to_string(), Source::Events { done: Arc::clone(&done), all }, false);
    done
}

/// Begins a pass over a trace that reports its progress.
pub fn follow(what: &str, timeline: &mut Timeline) {
    let done = events(what, timeline.len());
    timeline.set_progress(move |position| {
        done.store(position.0, Ordering::Relaxed);
        false
    });
}

impl Now {
    fn line(&self) -> String {
        match &self.source {
            Source::Nothing => self.what.clone(),
            Source::Events { done, all } => {
                format!("{}: {} of {} events", self.what, grouped(done.load(Ordering::Relaxed)), grouped(*all))
            }
            Source::Modules(modules) => {
                let Modules { all, done, diverge, begun } = &**modules;
                let (done, diverge) = (done.load(Ordering::Relaxed), diverge.load(Ordering::Relaxed));
                let mut line = format!("{}: {} of {} modules", self.what, grouped(done), grouped(*all));
                if diverge > 0 {
                    line += &format!(", {} diverge", grouped(diverge));
                }
                if done > 0 {
                    let left = begun.elapsed().mul_f64(all.saturating_sub(done) as f64 / done as f64);
                    line += &format!(", {} left", HumanDuration(left));
                }
                line
            }
            Source::Gauge(gauge) => match gauge.phase() {
                Phase::Rewriting => format!("{}: rewriting", self.what),
                Phase::Compiling => format!("{}: compiling", self.what),
                Phase::Running if gauge.events() == 0 => format!("{}: running", self.what),
                Phase::Running => {
                    format!("{}: running, {} events, {}", self.what, grouped(gauge.events()), bytes(gauge.bytes()))
                }
            },
        }
    }

    /// Whether the guest may be printing to the terminal.
    fn is_taken(&self) -> bool {
        self.shared && matches!(&self.source, Source::Gauge(gauge) if gauge.phase() == Phase::Running)
    }
}

/// Shows progress until it is dropped.
pub struct Shown {
    thread: Option<(Sender<()>, JoinHandle<()>)>,
}

/// Starts to show progress, unless `--quiet` is given.
pub fn show(quiet: bool) -> Shown {
    if quiet {
        return Shown { thread: None };
    }
    let (stop, stopped) = channel();
    let drawn = std::io::stderr().is_terminal();
    let thread = std::thread::spawn(move || {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
        bar.set_style(
            ProgressStyle::with_template("{spinner} {wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()),
        );
        let begun = Instant::now();
        let mut due = FIRST;
        while stopped.recv_timeout(REDRAW) == Err(RecvTimeoutError::Timeout) {
            let elapsed = begun.elapsed();
            let now = now();
            if elapsed < QUICK || now.what.is_empty() {
                continue;
            }
            let since = now.since.map_or(elapsed, |since| since.elapsed());
            if drawn && !now.is_taken() {
                // Engine names come from a command line, which may be anybody's.
                bar.set_message(printable(&format!("{}, {:.1} s", now.line(), since.as_secs_f64())));
                bar.tick();
                continue;
            }
            if drawn {
                // The guest's output must not be overdrawn.
                bar.set_message("");
                bar.finish_and_clear();
                bar.reset();
            }
            if elapsed >= due {
                due *= 2;
                tell(&format!("{} ({} so far)", now.line(), HumanDuration(elapsed)));
            }
        }
        bar.finish_and_clear();
    });
    Shown { thread: Some((stop, thread)) }
}

impl Drop for Shown {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.thread.take() {
            drop(stop);
            let _ = thread.join();
        }
    }
}
