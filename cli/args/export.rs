//! The command line of `export`.

use super::{SourceMapArgs, TraceArg};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct ExportArgs {
    #[command(flatten)]
    pub trace: TraceArg,
    /// The file to write; - for standard output; with --partition, a folder
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// The format [default: by the name of the output, or parquet]
    #[arg(long, value_enum)]
    pub format: Option<ExportFormat>,
    /// Write a file for each so many events: part-00000 and so on
    #[arg(long, value_name = "EVENTS", value_parser = clap::value_parser!(u64).range(1..))]
    pub partition: Option<u64>,
    #[command(flatten)]
    pub source_map: SourceMapArgs,
}

/// In which form a table of events is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// Apache Parquet: columns, compressed
    Parquet,
    /// JSON Lines: an object for each event
    Jsonl,
    /// Comma-separated values, with a head line
    Csv,
}
