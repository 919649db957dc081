//! A report as one page of HTML: for people who have no forkpoint, on any screen and on paper.
//!
//! The page needs nothing but itself: no script, style or picture comes from elsewhere, and its own policy forbids it. All text
//! from traces is made printable first and escaped by the template.

mod code;
mod events;
mod memory;
mod picture;

use crate::divergence::first_divergence;
use crate::error::ReplayError;
use crate::nan::NanBits;
use crate::report::{Report, SideReport};
use crate::side::Side;
use crate::timeline::Timeline;
use code::Code;
use events::Row;
use forkpoint_traces::{Header, Position, printable};
use memory::Block;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, context};
use picture::Picture;
use serde::Serialize;

/// The template. Its blanks are filled by [`Page`].
const TEMPLATE: &str = include_str!("html/report.html");

/// What a page shows.
#[derive(Debug, Clone)]
pub struct HtmlSettings {
    /// Rows of events before the divergence and after it.
    pub rows: u64,
    /// What the report does about events that differ in NaN bits only.
    pub nan_bits: NanBits,
}

impl Default for HtmlSettings {
    fn default() -> HtmlSettings {
        HtmlSettings { rows: 40, nan_bits: NanBits::default() }
    }
}

/// Everything on the page.
#[derive(Serialize)]
struct Page {
    title: String,
    verdict: Option<&'static str>,
    meaning: Option<String>,
    position: Option<String>,
    /// The report's own sentences.
    sentences: Vec<String>,
    rows: Vec<Row>,
    memory: Vec<Block>,
    code: Vec<Code>,
    picture: Option<Picture>,
    sides: Vec<Run>,
    module: String,
    specification: String,
    forkpoint: String,
}

/// One of the runs.
#[derive(Serialize)]
struct Run {
    side: &'static str,
    engine: String,
    version: String,
    events: u64,
    outcome: String,
    message: Option<String>,
    settings: Vec<(String, String)>,
    command: String,
}

/// Compares two traces, and writes the report as a page of HTML.
///
/// # Errors
/// When the traces cannot be compared, or are damaged where the page looks.
pub fn html_report(lhs: &mut Timeline, rhs: &mut Timeline, settings: &HtmlSettings) -> Result<String, ReplayError> {
    let found = first_divergence(lhs, rhs, settings.nan_bits)?;
    // The rows of the page are more than the report's.
    let report = Report::new(lhs, rhs, 0, settings.nan_bits)?;
    let divergence = found.divergence.as_ref();
    let rows = events::around(lhs, rhs, divergence, report.position, settings.rows)?;
    let memory = memory::around(lhs, rhs, &report)?;
    let code = code::of(lhs, rhs, &report);
    let picture = picture::of(lhs, rhs, &report)?;
    let text = report.to_string();
    let paragraph = text.split("\n\n").next().unwrap_or_default().lines().map(|line| line.trim().to_string());
    // The title of the page says what the first line of a divergence does.
    let sentences = paragraph.skip(usize::from(report.position.is_some()));
    let headers = [lhs, rhs].map(|side| side.trace().header().clone());
    let module = &report.module;
    let page = Page {
        title: match (report.verdict, report.position) {
            (Some(verdict), Some(position)) => {
                format!("{} at {position}: {}", verdict.word(), printable(&module.name))
            }
            _ => format!("no divergence: {}", printable(&module.name)),
        },
        verdict: report.verdict.map(|verdict| verdict.word()),
        meaning: report.meaning.map(ToString::to_string),
        position: report.position.map(|position| position.to_string()),
        sentences: sentences.collect(),
        rows,
        memory,
        code,
        picture,
        sides: Side::BOTH.iter().map(|side| run(*side, report.side(*side), side.of(headers.each_ref()))).collect(),
        module: format!("{}, {} bytes, BLAKE3 {}", printable(&module.name), module.bytes, module.blake3),
        specification: report.specification.clone(),
        forkpoint: printable(&headers[0].forkpoint),
    };
    Ok(render(&page))
}

fn run(side: Side, report: &SideReport, header: &Header) -> Run {
    let engine = &header.engine;
    let mut settings = vec![
        ("mode".to_string(), engine.mode.clone()),
        ("compiler".to_string(), engine.compiler.clone()),
        ("optimization".to_string(), engine.opt_level.clone()),
        ("target".to_string(), engine.target.clone()),
    ];
    settings.extend(engine.settings.iter().cloned());
    settings.retain(|(_, value)| !value.is_empty());
    let words: Vec<String> = header.command.iter().map(|word| printable(word)).collect();
    Run {
        side: side.word(),
        engine: report.engine.clone(),
        version: report.version.clone(),
        events: report.events,
        outcome: report.outcome.as_ref().map_or("not recorded".to_string(), ToString::to_string),
        message: report.message.clone(),
        settings: settings.into_iter().map(|(name, value)| (printable(&name), printable(&value))).collect(),
        command: words.join(" "),
    }
}

fn render(page: &Page) -> String {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.render_str(TEMPLATE, context! { page => Value::from(Serde(page)) }).unwrap_or_else(|error| {
        unreachable!("the template is part of this program, and its tests fill it: {error:#}")
    })
}

/// A position, as everywhere.
fn at(position: Position) -> String {
    position.to_string()
}
