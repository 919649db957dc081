//! `forkpoint export`: the events of a trace as a table.

use crate::answer::Answer;
use crate::args::{ExportArgs, ExportFormat};
use crate::files;
use crate::output::{bytes, grouped, print, raw, tell};
use crate::{progress, source_maps};
use anyhow::{Context, Result, bail};
use forkpoint_compare::refuse_same;
use forkpoint_replay::printable;
use forkpoint_traces::{Position, TraceError, TraceReader};
use rows::Rows;
use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use table::EventTable;

#[cfg(feature = "export-parquet")]
mod columns;
mod lines;
mod rows;
mod table;

/// Rows that are written at once: a row group of Parquet.
const BATCH: usize = 1 << 17;

/// Runs the command.
pub fn run(args: &ExportArgs) -> Result<Answer> {
    let mut trace = files::reader(&args.trace)?;
    refuse_same(&args.output, [&args.trace.file])?;
    let format = format(args);
    if format == ExportFormat::Parquet && args.output == Path::new("-") && io::stdout().is_terminal() {
        bail!("Parquet is no text for a terminal: name a file with -o, or add --format csv");
    }
    let shown = progress::show(args.output == Path::new("-"));
    let done = progress::events("exporting", trace.events());
    let mut parts = Parts::new(args, format)?;
    let mut rows = Rows::new(source_maps::symbols(&trace, &args.source_map)?, trace.sites().clone());
    for chunk in 0..trace.chunks().len() {
        let mut next = trace.chunks()[chunk].first;
        trace.read_chunk(chunk, |raw| {
            if rows.len() == BATCH || parts.ends_before(next) {
                parts.write(&mut rows)?;
            }
            parts.come_to(next)?;
            rows.push(next, &raw)?;
            next = next.next();
            Ok::<(), Stop>(())
        })?;
        parts.write(&mut rows)?;
        done.store(next.0, Ordering::Relaxed);
    }
    let (written, files) = parts.finish()?;
    drop(shown);
    note_what_is_missing(&trace);
    if args.output != Path::new("-") {
        let where_to = args.output.display();
        let files = if files == 1 { String::new() } else { format!(" in {files} files") };
        print(&format!("{where_to}: {} events{files}, {}\n", grouped(parts.events), bytes(written)))?;
    }
    Ok(Answer::Yes)
}

fn note_what_is_missing(trace: &TraceReader) {
    for gap in trace.gaps() {
        tell(&format!("note: this trace leaves out the events from {} to {}", gap.start, Position(gap.end.0 - 1)));
    }
    if let Some(why) = trace.incomplete() {
        tell(&format!("note: this trace is incomplete: {}", printable(why)));
    }
}

/// An error of the trace, or of what is written.
enum Stop {
    Trace(TraceError),
    Other(anyhow::Error),
}

impl From<TraceError> for Stop {
    fn from(error: TraceError) -> Stop {
        Stop::Trace(error)
    }
}

impl From<anyhow::Error> for Stop {
    fn from(error: anyhow::Error) -> Stop {
        Stop::Other(error)
    }
}

impl From<Stop> for anyhow::Error {
    fn from(stop: Stop) -> anyhow::Error {
        match stop {
            Stop::Trace(error) => error.into(),
            Stop::Other(error) => error,
        }
    }
}

/// The format asked for, by option or by name.
fn format(args: &ExportArgs) -> ExportFormat {
    let by_name = || match args.output.extension()?.to_str()? {
        "csv" => Some(ExportFormat::Csv),
        "jsonl" | "ndjson" => Some(ExportFormat::Jsonl),
        _ => None,
    };
    args.format.or_else(by_name).unwrap_or(ExportFormat::Parquet)
}

/// The files of a table, one after the other.
struct Parts {
    output: PathBuf,
    format: ExportFormat,
    /// Events in each, `None` for one file.
    partition: Option<u64>,
    /// The number of the open one, and what is written to it.
    open: Option<(u64, EventTable<Counting>)>,
    files: u64,
    written: u64,
    events: u64,
}

impl Parts {
    fn new(args: &ExportArgs, format: ExportFormat) -> Result<Parts> {
        if args.partition.is_some() {
            if args.output == Path::new("-") {
                bail!("--partition writes several files: name a folder with -o");
            }
            fs::create_dir_all(&args.output).with_context(|| format!("creating {}", args.output.display()))?;
        }
        let (output, partition) = (args.output.clone(), args.partition);
        Ok(Parts { output, format, partition, open: None, files: 0, written: 0, events: 0 })
    }

    fn number(&self, position: Position) -> u64 {
        self.partition.map_or(0, |events| position.0 / events)
    }

    /// Whether another file is open than the one of this event.
    fn ends_before(&self, position: Position) -> bool {
        self.open.as_ref().is_some_and(|(number, _)| *number != self.number(position))
    }

    /// Opens the file of this event.
    fn come_to(&mut self, position: Position) -> Result<()> {
        if self.open.is_some() && !self.ends_before(position) {
            return Ok(());
        }
        self.close()?;
        let number = self.number(position);
        let path = match self.partition {
            None => self.output.clone(),
            Some(_) => {
                let ending = match self.format {
                    ExportFormat::Parquet => "parquet",
                    ExportFormat::Jsonl => "jsonl",
                    ExportFormat::Csv => "csv",
                };
                self.output.join(format!("part-{number:05}.{ending}"))
            }
        };
        let out: Box<dyn Write + Send> = if path == Path::new("-") {
            Box::new(raw())
        } else {
            let file = File::create(&path).with_context(|| format!("creating {}", path.display()))?;
            Box::new(BufWriter::with_capacity(1 << 20, file))
        };
        let table = EventTable::begin(self.format, Counting { out, written: 0 })?;
        self.open = Some((number, table));
        self.files += 1;
        Ok(())
    }

    /// Writes rows, all of which belong to the open file.
    fn write(&mut self, rows: &mut Rows) -> Result<()> {
        if let Some((_, table)) = &mut self.open {
            self.events += rows.len() as u64;
            table.write(rows).with_context(|| format!("writing {}", self.output.display()))?;
        }
        rows.clear();
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        if let Some((_, table)) = self.open.take() {
            let writing = || format!("writing {}", self.output.display());
            let mut out = table.finish().with_context(writing)?;
            out.flush().with_context(writing)?;
            self.written += out.written;
        }
        Ok(())
    }

    /// Closes the last file: how many bytes all have, and how many files there are.
    fn finish(&mut self) -> Result<(u64, u64)> {
        if self.files == 0 {
            // A table without rows is one, too.
            self.come_to(Position(0))?;
        }
        self.close()?;
        Ok((self.written, self.files))
    }
}

/// Counts what is written.
struct Counting {
    out: Box<dyn Write + Send>,
    written: u64,
}

impl Write for Counting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
