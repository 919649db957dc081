//! `forkpoint completions` and `forkpoint man`: generated from the command line itself, so they are never out of
//! date.

use crate::answer::Answer;
use crate::args::Cli;
use crate::output::print_own;
use anyhow::{Context, Result};
use clap::CommandFactory;
use std::fs;
use std::path::Path;

/// Prints the completion script for a shell.
pub fn run(shell: clap_complete::Shell) -> Result<Answer> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "forkpoint", &mut script);
    print_own(&String::from_utf8_lossy(&script))?;
    Ok(Answer::Yes)
}

/// Prints the manual page, or writes one for each subcommand to a folder.
pub fn man(folder: Option<&Path>) -> Result<Answer> {
    match folder {
        Some(folder) => {
            fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
            clap_mangen::generate_to(Cli::command(), folder)
                .with_context(|| format!("writing manual pages to {}", folder.display()))?;
        }
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut page).context("the manual page")?;
            print_own(&String::from_utf8_lossy(&page))?;
        }
    }
    Ok(Answer::Yes)
}
