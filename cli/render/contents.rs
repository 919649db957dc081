//! What a pack holds of its user's, in words.

use super::InWords;
use crate::output::bytes;
use forkpoint_replay::{Contents, printable};
use std::{fmt, iter};

/// Most custom sections, arguments and imports that are named.
const NAMED: usize = 8;

impl fmt::Display for InWords<'_, Contents> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Contents { commands, engines, arguments, environment, files, .. } = self.0;
        let own = (&self.0.module, self.0.module_bytes, &self.0.sections);
        let other = self.0.rhs_module.as_ref().map(|other| (&other.module, other.module_bytes, &other.sections));
        let mut row = |name: &str, what: &str| writeln!(f, "  {name:<12} {}", printable(what));
        for (number, (module, length, sections)) in iter::once(own).chain(other).enumerate() {
            row(
                if number == 0 { "module" } else { "the other" },
                &format!("{module}, {}: its code, its data, and the names of its imports and exports", bytes(length)),
            )?;
            let named = sections.iter().map(|section| format!("{} ({})", section.name, bytes(section.bytes)));
            list(&mut row, "sections", named.collect())?;
        }
        list(&mut row, "command", commands.clone())?;
        list(&mut row, "engines", engines.clone())?;
        list(&mut row, "arguments", arguments.clone())?;
        list(&mut row, "environment", environment.clone())?;
        list(&mut row, "files", files.clone())?;
        let host = self.0.host.iter().map(|(import, host)| {
            let [written, given] = [host.written, host.given].map(bytes);
            let calls = if host.calls == 1 { "1 call".to_string() } else { format!("{} calls", host.calls) };
            format!("{import}: {calls}, {written} written, {given} given")
        });
        list(&mut row, "host calls", host.collect())?;
        if self.0.put > 0 {
            row("put", &format!("{} put into memory for calls", bytes(self.0.put)))?;
        }
        row("memory", &format!("{} in pages that are not empty", bytes(self.0.memory)))
    }
}

fn list(row: &mut impl FnMut(&str, &str) -> fmt::Result, name: &str, items: Vec<String>) -> fmt::Result {
    for (number, item) in items.iter().take(NAMED).enumerate() {
        row(if number == 0 { name } else { "" }, item)?;
    }
    match items.len().checked_sub(NAMED) {
        Some(more @ 1..) => row("", &format!("and {more} more (--json names all)")),
        _ => Ok(()),
    }
}
