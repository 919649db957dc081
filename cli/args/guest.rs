//! The options that every recording takes.

use super::parse::{parse_directory, parse_duration, parse_module, parse_pair, parse_preload, parse_size};
use clap::{Args, ValueEnum};
use forkpoint_tracer::instrument::{Options, Style};
use forkpoint_tracer::{Checkpoint, FeatureSwitches, HostScript, Invocation, Preload, Stub};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What to run and what to give it: the same for `record` and `reduce`.
#[derive(Debug, Clone, Args)]
pub struct GuestArgs {
    #[command(flatten)]
    pub program: ProgramArgs,
    #[command(flatten)]
    pub run: RunArgs,
}

/// What to run.
#[derive(Debug, Clone, Default, Args)]
pub struct ProgramArgs {
    /// The module, binary (.wasm) or text (.wat), or a script (.wast)
    #[arg(conflicts_with_all = ["modules", "node", "browser"])]
    pub module: Option<PathBuf>,
    /// Instead of a module: a program in JavaScript, which Node runs, with its arguments after --. The module that it
    /// instantiates is recorded where it lives (docs/javascript.md); PATH is that of Node
    ///
    ///   forkpoint record --node -o app.fpt -- app.mjs input.txt
    #[arg(long, value_name = "PATH", num_args = 0..=1, require_equals = true, default_missing_value = "node", verbatim_doc_comment)]
    pub node: Option<String>,
    #[command(flatten)]
    pub page: PageArgs,
    /// With --node or --browser, which of several modules is recorded: by its name, an export's, or the beginning of its BLAKE3 [default:
    /// the first that is instantiated]
    #[arg(long, value_name = "WHICH")]
    pub module_of: Option<String>,
    /// Instead of one module: a module of a program, and the name under which the others import from it; repeatable
    ///
    /// Calls name the module, as in --invoke 'b.run 64'; without a name they are the last module's.
    #[arg(id = "modules", long = "module", value_name = "NAME=FILE", value_parser = parse_module)]
    pub modules: Vec<(String, PathBuf)>,
}

impl ProgramArgs {
    /// Whether it lives in JavaScript.
    pub fn is_javascript(&self) -> bool {
        self.node.is_some() || self.page.browser.is_some()
    }
}

/// A page that a browser shows.
#[derive(Debug, Clone, Default, Args)]
pub struct PageArgs {
    /// Instead of a module: a page, by its address or its file, which a local Chromium or Firefox shows without a
    /// screen. The module that it instantiates is recorded there (docs/javascript.md); Node must be installed, too
    ///
    ///   forkpoint record --browser page.html --until 'window.done' -o page.fpt
    ///
    /// The page loads files from its folder, or what is at its own origin; all else is refused.
    #[arg(long, value_name = "URL|FILE", conflicts_with = "node", verbatim_doc_comment)]
    pub browser: Option<String>,
    /// With --browser: end the recording once this expression in JavaScript is true in the page
    #[arg(long, value_name = "EXPRESSION", requires = "browser")]
    pub until: Option<String>,
    /// With --browser: end the recording after this time [default: 10, and 60 with --until]
    #[arg(long, value_name = "N", requires = "browser", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub seconds: Option<u32>,
    /// With --browser: let the page load from this origin, too, as in `https://example.org`; repeatable
    #[arg(long, value_name = "ORIGIN", requires = "browser")]
    pub allow_origin: Vec<String>,
    /// With --browser: the browser [default: the Chromium or Chrome on PATH, else Firefox]
    #[arg(long, visible_alias = "firefox", value_name = "PATH", requires = "browser")]
    pub chromium: Option<PathBuf>,
    /// With --browser: write a picture of the page in the end, in PNG
    #[arg(long, value_name = "FILE", requires = "browser")]
    pub screenshot: Option<PathBuf>,
}

/// How a module is called, what it is given and how its run is recorded.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// Call an export instead of `_start`: its name and arguments, as in 'run 64 0xff'; repeatable, in order
    ///
    /// Arguments are parsed by the function's type: decimal or hexadecimal, signed or
    /// unsigned; floats with inf and nan:0x...; vectors as i32x4:1,2,3,4.
    ///
    /// With --alloc, an argument may be the address of bytes that are put into the
    /// guest's memory first:
    ///   "text"   the text in UTF-8 and a NUL; with \n \t \" \\ \u{1f600}, bytes as \00
    ///   @FILE    the bytes of a file and a NUL
    ///   zeros:N  N zeros: room for what the call writes
    /// b"text" and b@FILE have no NUL, u"text" and u@FILE are UTF-16 without NUL.
    ///   len         their length in bytes, without the NUL
    ///   result      the result of the previous --invoke
    ///   result:N.K  result K of the N-th --invoke, both from 1; result:N for the first
    ///
    ///   --alloc malloc --invoke 'render "digraph{a->b}"'
    ///   --alloc '__wbindgen_malloc len 1' --invoke 'parse b@data.json len'
    #[arg(long, value_name = "FUNC ARG...", verbatim_doc_comment)]
    pub invoke: Vec<String>,
    /// The export that makes room for texts and files in --invoke, called with the number of bytes, or with the given
    /// arguments, where `len` stands for that number: malloc, '__wbindgen_malloc len 1', '__new len 2' (docs/reactors.md)
    #[arg(long, value_name = "FUNC [ARG...]")]
    pub alloc: Option<Invocation>,
    /// Set an environment variable of the guest; repeatable
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_pair)]
    pub env: Vec<(String, String)>,
    /// Give the guest a directory, optionally under another name; repeatable
    #[arg(long, value_name = "DIR[::NAME]", value_parser = parse_directory)]
    pub dir: Vec<(PathBuf, String)>,
    /// Time limit of each run: 500ms, 10s, 2m
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
    /// Memory limit of each engine's process, which ends a run that exceeds it: 500M, 4G
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub max_memory: Option<u64>,
    /// Limit every memory to this many pages of 64 KiB, in the engine's own way; what the engine does is recorded
    #[arg(long, value_name = "PAGES")]
    pub memory_page_limit: Option<u64>,
    /// Switch proposals on and off in every engine, for compiling and for running: +tail-call,-simd
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    pub features: Option<FeatureSwitches>,
    /// The same for running only, on top of --features: code compiled ahead may run although it would be rejected now
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    pub run_features: Option<FeatureSwitches>,
    /// Keep the engine's native code in the trace, to view it without the engine
    #[arg(long, value_enum, default_value_t = Native::Auto)]
    pub native_code: Native,
    /// Load every store back, and record what memory holds if it differs from the stored value
    #[arg(long)]
    pub read_back: bool,
    /// When to compare the engine's memory with the replayed one: end, calls (around every host call) or
    /// every=N (about every N events); always at the end and at traps
    #[arg(long, value_name = "WHEN", default_value_t = Checkpoint::default())]
    pub checkpoint: Checkpoint,
    /// Answer an imported function outside WASI: MODULE.NAME=RESULT, =trap, or = alone for zeros; a
    /// trailing * matches every name with that prefix; repeatable
    #[arg(long, value_name = "NAME=ANSWER")]
    pub import: Vec<Stub>,
    /// Answer the imports from MODULE by the exports of a small WebAssembly module, binary or text, which always runs in
    /// wasmi and can reach the guest's memory (docs/host.md); repeatable
    #[arg(long, value_name = "MODULE=FILE", value_parser = parse_preload)]
    pub preload: Vec<Preload>,
    /// Answer imports by the functions of a script, in JavaScript (.mjs, .js: run by node) or Python (.py: run by
    /// python3), which can read, write and grow the guest's memory; repeatable
    ///
    /// The script runs with your permissions, and only while a host is live: a recording is replayed without it.
    /// docs/host.md shows how to write one.
    #[arg(long, value_name = "FILE")]
    pub host_script: Vec<PathBuf>,
    /// Time limit for a script to start, and to answer one call
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "10s")]
    pub host_script_timeout: Duration,
    /// Record by one host call per event instead of code in the module: slower, but it changes the module's code less
    #[arg(long)]
    pub hooks: bool,
    /// Compile every module anew: neither use code that Wasmtime compiled in earlier runs nor keep any
    ///
    /// Code of modules of 128 KiB and more is kept in the user's folder for caches, or in the folder that FORKPOINT_CACHE
    /// names; FORKPOINT_CACHE=off does without. The module, the version and all settings decide which code is used. `compare` keeps
    /// the traces of the last comparison there for `forkpoint view`, and with this option does not.
    #[arg(long)]
    pub no_cache: bool,
    /// Run a module that can make threads without them: each `thread-spawn` returns an error (-1)
    ///
    /// A trace cannot hold the order of several threads' writes to a shared memory, so such a module is refused by
    /// default. Without threads, it may behave differently.
    #[arg(long)]
    pub allow_unordered: bool,
    /// Arguments of the guest
    #[arg(last = true)]
    pub arguments: Vec<String>,
}

impl GuestArgs {
    /// The file that is run: of several modules the last.
    pub fn file(&self) -> &Path {
        let ProgramArgs { module, modules, .. } = &self.program;
        let last = modules.last().map(|(_, file)| file);
        module.as_ref().or(last).map_or(Path::new(""), PathBuf::as_path)
    }

    /// All files that are run.
    pub fn files(&self) -> impl Iterator<Item = PathBuf> {
        let ProgramArgs { module, modules, .. } = &self.program;
        module.iter().chain(modules.iter().map(|(_, file)| file)).cloned()
    }
}

/// Below this distance, checkpoints need records that are not joined.
const SMALL: u64 = 1 << 12;

/// Size of the smallest record in bytes. A buffer with a limit below N times this never holds N events.
const SMALLEST_RECORD: u32 = 9;

/// When to keep native code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Native {
    /// If it is at most 32 MiB
    Auto,
    /// Always, whatever its size
    Always,
    /// Never
    Never,
}

/// Options for recording with such checkpoints. If they are close together, the buffers must be small: memory is only
/// checked when a buffer is sent.
pub fn options_for(checkpoint: Checkpoint) -> Options {
    match checkpoint {
        Checkpoint::Every(events) if events < SMALL => Options {
            join: false,
            buffer_limit: (events.saturating_sub(1) as u32) * SMALLEST_RECORD,
            ..Options::default()
        },
        _ => Options::default(),
    }
}

impl RunArgs {
    /// How the module is rewritten.
    pub fn options(&self) -> Options {
        Options {
            style: if self.hooks { Style::Hooks } else { Style::Inline },
            read_back: self.read_back,
            ..options_for(self.checkpoint)
        }
    }

    /// The scripts that answer imports.
    pub fn host_scripts(&self) -> Vec<HostScript> {
        let script = |file: &PathBuf| HostScript { file: file.clone(), timeout: self.host_script_timeout };
        self.host_script.iter().map(script).collect()
    }

    /// Most bytes of native code to keep.
    pub fn native_limit(&self) -> u64 {
        match self.native_code {
            Native::Auto => 32 << 20,
            Native::Always => u64::MAX,
            Native::Never => 0,
        }
    }
}
