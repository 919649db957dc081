//! A line for each row: JSON Lines, or comma-separated values (RFC 4180).

use super::rows::Rows;
use anyhow::Result;
use forkpoint_compare::json_line;
use serde::Serialize;
use std::io::Write;

/// What a line looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineForm {
    /// A JSON object without the columns that are empty.
    Json,
    /// Values in the order of the head line.
    Csv,
}

/// A row. The order is that of docs/export.md.
#[derive(Serialize)]
struct Row<'a> {
    position: u64,
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instruction: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    length: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
}

/// The names of the columns, in order.
pub const COLUMNS: [&str; 12] = [
    "position",
    "kind",
    "function",
    "name",
    "offset",
    "instruction",
    "memory",
    "address",
    "length",
    "value",
    "bytes",
    "text",
];

/// Writes the head of comma-separated values.
pub fn head(out: &mut impl Write) -> Result<()> {
    writeln!(out, "{}", COLUMNS.join(","))?;
    Ok(())
}

/// Writes rows.
pub fn write(rows: &Rows, style: LineForm, out: &mut impl Write) -> Result<()> {
    for at in 0..rows.len() {
        let row = Row {
            position: rows.position[at],
            kind: &rows.kind[at],
            function: rows.function[at],
            name: rows.name[at].as_deref(),
            offset: rows.offset[at],
            instruction: rows.instruction[at].as_deref(),
            memory: rows.memory[at],
            address: rows.address[at],
            length: rows.length[at],
            value: rows.value[at],
            bytes: rows.bytes[at].as_deref(),
            text: rows.text[at].as_deref(),
        };
        match style {
            LineForm::Json => writeln!(out, "{}", json_line(&row)?)?,
            LineForm::Csv => csv(&row, out)?,
        }
    }
    Ok(())
}

fn csv(row: &Row, out: &mut impl Write) -> Result<()> {
    let number = |value: Option<u64>| value.map_or_else(String::new, |value| value.to_string());
    write!(out, "{},", row.position)?;
    field(Some(row.kind), out)?;
    write!(out, ",{},", number(row.function.map(u64::from)))?;
    field(row.name, out)?;
    write!(out, ",{},", number(row.offset.map(u64::from)))?;
    field(row.instruction, out)?;
    let [memory, address] = [row.memory.map(u64::from), row.address].map(number);
    write!(out, ",{memory},{address},{},{},", number(row.length), number(row.value))?;
    field(row.bytes, out)?;
    out.write_all(b",")?;
    field(row.text, out)?;
    out.write_all(b"\n")?;
    Ok(())
}

/// A text, in quotation marks where it must be.
fn field(text: Option<&str>, out: &mut impl Write) -> Result<()> {
    let text = text.unwrap_or_default();
    if text.contains([',', '"', '\n', '\r']) {
        write!(out, "\"{}\"", text.replace('"', "\"\""))?;
    } else {
        out.write_all(text.as_bytes())?;
    }
    Ok(())
}
