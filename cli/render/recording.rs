//! What `compare --recording --engines` prints for people.

use super::comparison::print_compared;
use super::table::{Align, Table};
use crate::output::{grouped, print};
use anyhow::Result;
use forkpoint_compare::{Compared, OwnHosts};
use forkpoint_replay::printable;
use serde::Serialize;

/// What one engine made of a recording.
#[derive(Serialize)]
pub struct EngineOfRecording {
    /// As on the command line.
    pub engine: String,
    /// The number of its group, from 0 on: engines of one do the same. `None` if it gave no answer.
    pub group: Option<usize>,
    /// Its run against the recording.
    #[serde(flatten)]
    pub compared: Compared,
    /// How to look at it.
    #[serde(skip)]
    pub hint: String,
}

/// Prints a table of the engines, and one report for each group.
pub fn print_recording(rows: &[EngineOfRecording], own_hosts: &OwnHosts) -> Result<()> {
    let mut table = Table::new([Align::Left, Align::Left, Align::Right, Align::Left]);
    table.row(["group", "engine", "events", "outcome"].map(str::to_string));
    for row in rows {
        let side = &row.compared.report.rhs;
        let outcome = side.outcome.as_ref().map_or("-".to_string(), ToString::to_string);
        table.row([name(row.group), printable(&row.engine), grouped(side.events), outcome]);
    }
    print(&table.to_string())?;
    for (number, row) in rows.iter().enumerate() {
        // A group is told of once, and an engine without an answer by itself.
        if row.group.is_some() && rows[..number].iter().any(|earlier| earlier.group == row.group) {
            continue;
        }
        let same = rows.iter().filter(|other| row.group.is_some() && other.group == row.group);
        let names: Vec<String> = match row.group {
            Some(_) => same.map(|other| printable(&other.engine)).collect(),
            None => vec![printable(&row.engine)],
        };
        let first = if names.len() > 1 { ", its first engine as rhs" } else { "" };
        let group = row.group.map_or("No answer".to_string(), |_| format!("Group {}", name(row.group)));
        print(&format!("\n{group} ({}){first}:\n", names.join("; ")))?;
        print_compared(&row.compared, own_hosts, false, &row.hint)?;
    }
    Ok(())
}

/// `A`, `B` and so on; a dash without a group.
fn name(group: Option<usize>) -> String {
    match group {
        None => "-".to_string(),
        Some(number @ 0..26) => char::from(b'A' + number as u8).to_string(),
        Some(number) => format!("#{}", number + 1),
    }
}
