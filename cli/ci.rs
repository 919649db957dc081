//! Results in the forms that systems for continuous integration show.

mod case;
mod github;
mod junit;
mod sarif;

use crate::args::Format;
use crate::output::{print, print_json};
use anyhow::Result;
pub use case::{Case, of_compared, of_row, of_surveyed};

/// Prints cases in a form other than text for people and JSON.
pub fn print_cases(format: Format, cases: &[Case]) -> Result<()> {
    match format {
        Format::Github => print(&github::annotations(cases)),
        Format::Junit => print(&junit::suite(cases)?),
        Format::Sarif => print_json(&sarif::log(cases)),
        Format::Text | Format::Json => Ok(()),
    }
}
