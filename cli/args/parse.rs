//! Parsers for values on the command line.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use forkpoint_compare::{HostMode, Kept};
use forkpoint_replay::Side;
use forkpoint_tracer::Preload;
use forkpoint_traces::Position;
use std::path::PathBuf;
use std::time::Duration;

/// Who answers host calls in a comparison.
pub fn host_modes() -> impl TypedValueParser<Value = HostMode> {
    let help = |mode: HostMode| match mode {
        HostMode::Pinned => "Wasmtime's host in one run, its recording in all others",
        HostMode::Own => "The left engine's own host in its run, its recording in all others",
        HostMode::Live => "Each engine's own host, in every run",
    };
    let values = HostMode::ALL.map(|mode| PossibleValue::new(mode.to_string()).help(help(mode)));
    PossibleValuesParser::new(values).try_map(|mode| mode.parse::<HostMode>())
}

/// What is kept of the runs of a comparison.
pub fn keeps() -> impl TypedValueParser<Value = Kept> {
    let values = [
        PossibleValue::new("full").help("Record every run in full at once"),
        PossibleValue::new("window").help("Compare digests; record what happens around where the runs part"),
        PossibleValue::new("none").help("Compare digests; record only what the result needs, and keep nothing"),
    ];
    PossibleValuesParser::new(values).map(|word| match word.as_str() {
        "full" => Kept::Full,
        "window" => Kept::Window,
        _ => Kept::Nothing,
    })
}

/// A side of a comparison.
pub fn sides() -> impl TypedValueParser<Value = Side> {
    PossibleValuesParser::new(Side::BOTH.map(Side::word))
        .map(|word| if word == Side::Lhs.word() { Side::Lhs } else { Side::Rhs })
}

pub fn parse_pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_string(), value.to_string())),
        _ => Err("write NAME=VALUE".to_string()),
    }
}

pub fn parse_directory(text: &str) -> Result<(PathBuf, String), String> {
    match text.split_once("::") {
        Some(("", _) | (_, "")) => Err("write DIR or DIR::NAME".to_string()),
        Some((host, guest)) => Ok((host.into(), guest.to_string())),
        None => Ok((text.into(), text.to_string())),
    }
}

pub fn parse_preload(text: &str) -> Result<Preload, String> {
    match text.split_once('=') {
        Some((name, file)) if !name.is_empty() && !file.is_empty() => {
            Ok(Preload { name: name.to_string(), file: PathBuf::from(file) })
        }
        _ => Err("write MODULE=FILE.wasm: the module name of the imports, and the module to answer them".to_string()),
    }
}

pub fn parse_module(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, file)) if !name.is_empty() && !file.is_empty() => Ok((name.to_string(), PathBuf::from(file))),
        _ => Err("write NAME=FILE: the name that other modules import from, and the module".to_string()),
    }
}

/// A number of bytes: `4096`, `500M`, `4G`.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let (number, shift) = match text.strip_suffix(['K', 'M', 'G']) {
        Some(number) if text.ends_with('K') => (number, 10),
        Some(number) if text.ends_with('M') => (number, 20),
        Some(number) => (number, 30),
        None => (text, 0),
    };
    let size = number.parse::<u64>().ok().and_then(|number| number.checked_mul(1 << shift));
    size.ok_or_else(|| "write a number of bytes, optionally followed by K, M or G".to_string())
}

pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let seconds = match unit {
        "ms" => 0.001,
        "s" | "" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err("write a number followed by ms, s, m or h".to_string()),
    };
    let number: f64 = number.parse().map_err(|_| "write a number followed by ms, s, m or h".to_string())?;
    Duration::try_from_secs_f64(number * seconds).map_err(|error| error.to_string())
}

/// A time, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeLimit(pub Option<Duration>);

impl TimeLimit {
    /// Whether it is the default.
    pub fn is_default(self) -> bool {
        self.0 == Some(Duration::from_secs(300))
    }
}

/// A duration, or `none`.
pub fn parse_limit(text: &str) -> Result<TimeLimit, String> {
    match text {
        "none" => Ok(TimeLimit(None)),
        _ => parse_duration(text).map(|limit| TimeLimit(Some(limit))).map_err(|error| format!("{error}, or none")),
    }
}

/// A number in decimal or hexadecimal.
pub fn parse_number(text: &str) -> Result<u64, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => text.parse(),
    };
    parsed.map_err(|error| format!("{error}: write a number, in decimal or as 0x..."))
}

pub fn parse_position(text: &str) -> Result<Position, String> {
    parse_number(text.strip_prefix('#').unwrap_or(text)).map(Position)
}

/// `A` means `A..A+1`.
pub fn parse_range(text: &str) -> Result<(u64, u64), String> {
    let (start, end) = match text.split_once("..") {
        Some((start, end)) => (parse_number(start)?, parse_number(end)?),
        None => {
            let start = parse_number(text)?;
            (start, start.saturating_add(1))
        }
    };
    if start < end { Ok((start, end)) } else { Err("the range is empty".to_string()) }
}
/// Columns and rows of a screen: 120x40.
pub fn parse_screen(text: &str) -> Result<(u16, u16), String> {
    let size = text.split_once('x').and_then(|(columns, rows)| Some((columns.parse().ok()?, rows.parse().ok()?)));
    size.filter(|(columns, rows)| (20..=1000).contains(columns) && (5..=500).contains(rows))
        .ok_or_else(|| "expected columns and rows such as 120x40, from 20x5 to 1000x500".to_string())
}
