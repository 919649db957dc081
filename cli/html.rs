//! `forkpoint report`: a comparison of two traces as a page of HTML.

use crate::answer::Answer;
use crate::args::HtmlArgs;
use crate::files::pair;
use crate::output::{bytes, print, print_own};
use crate::{progress, source_maps};
use anyhow::{Context, Result};
use forkpoint_compare::refuse_same;
use forkpoint_replay::{HtmlSettings, html_report};
use std::fs;
use std::path::Path;

/// Most rows before and after the divergence: a browser must be able to show them.
const MOST_ROWS: u64 = 20_000;

/// Runs the command.
pub fn run(args: &HtmlArgs) -> Result<Answer> {
    refuse_same(&args.output, std::iter::once(&args.lhs).chain(&args.rhs))?;
    let shown = progress::show(false);
    let [mut lhs, mut rhs] = source_maps::with(pair(&args.lhs, args.rhs.as_deref())?, &args.source_map)?;
    progress::follow("reading the left trace", &mut lhs);
    let settings = HtmlSettings { rows: args.rows.min(MOST_ROWS), nan_bits: args.nan_bits };
    let page = html_report(&mut lhs, &mut rhs, &settings)?;
    drop(shown);
    if args.output == Path::new("-") {
        print_own(&page)?;
        return Ok(Answer::Yes);
    }
    fs::write(&args.output, &page).with_context(|| format!("writing the report {}", args.output.display()))?;
    print(&format!("{}: {}\n", args.output.display(), bytes(page.len() as u64)))?;
    Ok(Answer::Yes)
}
