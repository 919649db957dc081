//! Parquet: a row group for each batch of rows.

use super::rows::Rows;
use anyhow::{Context, Result};
use parquet::basic::{Compression, Encoding};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int32Type, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;
use std::io::Write;
use std::sync::Arc;

/// The columns: docs/export.md.
const SCHEMA: &str = "
    message event {
        required int64 position (INTEGER(64,false));
        required binary kind (STRING);
        optional int32 function (INTEGER(32,false));
        optional binary name (STRING);
        optional int32 offset (INTEGER(32,false));
        optional binary instruction (STRING);
        optional int32 memory (INTEGER(32,false));
        optional int64 address (INTEGER(64,false));
        optional int64 length (INTEGER(64,false));
        optional int64 value (INTEGER(64,false));
        optional binary bytes (STRING);
        optional binary text (STRING);
    }";

/// A file of columns while it is written.
pub struct ParquetTable<W: Write + Send> {
    writer: SerializedFileWriter<W>,
}

impl<W: Write + Send> ParquetTable<W> {
    /// Begins a file.
    pub fn begin(out: W) -> Result<ParquetTable<W>> {
        let schema = parse_message_type(SCHEMA).context("the schema of events")?;
        // Positions ascend: their differences are nearly all 1.
        let position = || ColumnPath::from("position");
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_column_dictionary_enabled(position(), false)
            .set_column_encoding(position(), Encoding::DELTA_BINARY_PACKED)
            .build();
        let writer = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties))?;
        Ok(ParquetTable { writer })
    }

    /// Adds a row group.
    pub fn write(&mut self, rows: &Rows) -> Result<()> {
        if rows.len() == 0 {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        let position: Vec<i64> = rows.position.iter().map(|position| *position as i64).collect();
        column::<Int64Type, _>(&mut group, &position, None)?;
        let kind: Vec<ByteArray> = rows.kind.iter().map(|kind| ByteArray::from(&**kind)).collect();
        column::<ByteArrayType, _>(&mut group, &kind, None)?;
        numbers(&mut group, &rows.function)?;
        texts(&mut group, &rows.name)?;
        numbers(&mut group, &rows.offset)?;
        texts(&mut group, &rows.instruction)?;
        numbers(&mut group, &rows.memory)?;
        long_numbers(&mut group, &rows.address)?;
        long_numbers(&mut group, &rows.length)?;
        long_numbers(&mut group, &rows.value)?;
        texts(&mut group, &rows.bytes)?;
        texts(&mut group, &rows.text)?;
        group.close()?;
        Ok(())
    }

    /// Ends the file.
    pub fn finish(self) -> Result<W> {
        Ok(self.writer.into_inner()?)
    }
}

type Group<'a, W> = SerializedRowGroupWriter<'a, W>;

/// Which values are there, as Parquet wants to know it.
fn levels<T>(values: &[Option<T>]) -> Vec<i16> {
    values.iter().map(|value| i16::from(value.is_some())).collect()
}

fn numbers<W: Write + Send>(group: &mut Group<W>, values: &[Option<u32>]) -> Result<()> {
    let there: Vec<i32> = values.iter().flatten().map(|value| *value as i32).collect();
    column::<Int32Type, _>(group, &there, Some(&levels(values)))
}

fn long_numbers<W: Write + Send>(group: &mut Group<W>, values: &[Option<u64>]) -> Result<()> {
    let there: Vec<i64> = values.iter().flatten().map(|value| *value as i64).collect();
    column::<Int64Type, _>(group, &there, Some(&levels(values)))
}

fn texts<W: Write + Send>(group: &mut Group<W>, values: &[Option<Arc<str>>]) -> Result<()> {
    let there: Vec<ByteArray> = values.iter().flatten().map(|value| ByteArray::from(&**value)).collect();
    column::<ByteArrayType, _>(group, &there, Some(&levels(values)))
}

/// Writes the next column of a row group.
fn column<T: DataType, W: Write + Send>(group: &mut Group<W>, values: &[T::T], levels: Option<&[i16]>) -> Result<()> {
    let mut column = group.next_column()?.context("the schema has as many columns as are written")?;
    column.typed::<T>().write_batch(values, levels, None)?;
    column.close()?;
    Ok(())
}
