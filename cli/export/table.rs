//! A table in one of the formats.

#[cfg(feature = "export-parquet")]
use super::columns::ParquetTable;
use super::lines::{self, LineForm};
use super::rows::Rows;
use crate::args::ExportFormat;
use anyhow::Result;
use std::io::Write;

/// A table while it is written.
pub enum EventTable<W: Write + Send> {
    /// A line for each row.
    Lines(LineForm, W),
    /// Columns.
    #[cfg(feature = "export-parquet")]
    Columns(Box<ParquetTable<W>>),
}

impl<W: Write + Send> EventTable<W> {
    /// Begins a table, with a head if the format has one.
    #[cfg_attr(
        not(feature = "export-parquet"),
        expect(clippy::needless_pass_by_value, reason = "the error has no use for it")
    )]
    pub fn begin(format: ExportFormat, mut out: W) -> Result<EventTable<W>> {
        match format {
            ExportFormat::Jsonl => Ok(EventTable::Lines(LineForm::Json, out)),
            ExportFormat::Csv => {
                lines::head(&mut out)?;
                Ok(EventTable::Lines(LineForm::Csv, out))
            }
            #[cfg(feature = "export-parquet")]
            ExportFormat::Parquet => Ok(EventTable::Columns(Box::new(ParquetTable::begin(out)?))),
            #[cfg(not(feature = "export-parquet"))]
            ExportFormat::Parquet => {
                anyhow::bail!(
                    "this forkpoint was built without the feature `export-parquet`: use --format jsonl or csv"
                )
            }
        }
    }

    /// Adds rows.
    pub fn write(&mut self, rows: &Rows) -> Result<()> {
        match self {
            EventTable::Lines(style, out) => lines::write(rows, *style, out),
            #[cfg(feature = "export-parquet")]
            EventTable::Columns(columns) => columns.write(rows),
        }
    }

    /// Ends the table.
    pub fn finish(self) -> Result<W> {
        match self {
            EventTable::Lines(_, out) => Ok(out),
            #[cfg(feature = "export-parquet")]
            EventTable::Columns(columns) => columns.finish(),
        }
    }
}
