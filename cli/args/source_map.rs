//! Which source map goes with a module.

use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Clone, Default, Args)]
pub struct SourceMapArgs {
    /// Take source files and lines from this source map, where debug information has none
    ///
    /// Emscripten (-gsource-map), Binaryen and AssemblyScript (--sourceMap) write one beside the module. A module only names its
    /// map, which is not read unasked; one inside of the module is.
    #[arg(long, value_name = "FILE")]
    pub source_map: Option<PathBuf>,
}
