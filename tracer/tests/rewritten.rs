//! Rewritten modules as files, so that the rewriter's additions can be read and a change of them reviewed.
//!
//! Each `tests/rewritten/NAME.wat` says in a line `;; WAYS:` how it is rewritten, and in the lines after it what to
//! look at. The result is in `NAME.WAY.wat` in the same folder; `BLESS=1` writes these files. A way is `inline`,
//! `hooks` or `exposed`, followed by other options, as in `inline+read-back`: [`options`] has all the words.

use forkpoint_tracer::instrument::{Ask, Commit, FIRST_SEGMENT, Instrumented, Options, Original, Style};
use forkpoint_traces::{FuncIndex, MemoryIndex, MemoryOp, SiteId};
use libtest_mimic::{Arguments, Failed, Trial};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use wasmparser::{Validator, WasmFeatures};

fn main() -> ExitCode {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rewritten");
    let files = fs::read_dir(&folder).expect("tests/rewritten is there");
    let (mut inputs, mut outputs): (Vec<PathBuf>, Vec<PathBuf>) = files
        .map(|entry| entry.expect("tests/rewritten can be read").path())
        .partition(|path| !path.file_stem().unwrap_or_default().to_string_lossy().contains('.'));
    inputs.sort();
    outputs.sort();
    let mut trials: Vec<Trial> = inputs
        .iter()
        .cloned()
        .map(|path| {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            Trial::test(name, move || check(&path))
        })
        .collect();
    trials.push(Trial::test("every_instruction_that_writes_memory_has_a_case", {
        let inputs = inputs.clone();
        move || covers_every_instruction(&inputs)
    }));
    trials.push(Trial::test("every_file_is_of_a_case", move || belong_to(&outputs, &inputs)));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A case: the module, and the ways to rewrite it.
struct Case {
    original: Original,
    ways: Vec<String>,
}

fn read(path: &Path) -> Result<Case, Failed> {
    let source = fs::read_to_string(path)?;
    let mut comments = source.lines().map_while(|line| line.strip_prefix(";; "));
    let ways =
        comments.next().and_then(|line| line.strip_prefix("WAYS: ")).ok_or("the first line is no `;; WAYS:`")?;
    if comments.next().is_none() {
        return Err("no comment says what to look at".into());
    }
    let module = wat::parse_str(&source)?;
    Ok(Case { original: Original::read(module.into())?, ways: ways.split_whitespace().map(str::to_string).collect() })
}

fn check(path: &Path) -> Result<(), Failed> {
    let Case { original, ways } = read(path)?;
    for way in &ways {
        let rewritten = match way.as_str() {
            "exposed" => original.expose()?,
            way => original.instrument(&options(way)?)?,
        };
        Validator::new_with_features(WasmFeatures::all()).validate_all(&rewritten.module)?;
        let text = tables(&rewritten) + &wasmprinter::print_bytes(&rewritten.module)?;
        compare(&output(path, way), &text)?;
    }
    Ok(())
}

/// The name of a way of rewriting in a case.
fn options(way: &str) -> Result<Options, Failed> {
    let mut words = way.split('+');
    let style = match words.next() {
        Some("inline") => Style::Inline,
        Some("hooks") => Style::Hooks,
        _ => return Err(format!("{way}: a way begins with `inline` or `hooks`").into()),
    };
    let mut options = Options { style, ..Options::default() };
    for word in words {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        match name {
            "read-back" => options.read_back = true,
            // Each record has its own head.
            "alone" => options.join = false,
            "at-calls" => options.commit = Commit::AtCalls,
            "function" => options.scope.functions = Some([FuncIndex(value.parse()?)].into()),
            // Bytes of memory 0.
            "bytes" => {
                let (start, end) = value.split_once("..").ok_or("bytes=START..END")?;
                options.scope.bytes = Some((MemoryIndex(0), start.parse()?..end.parse()?));
            }
            "places" => options.ask = Ask::Places { events: value.parse().unwrap_or(0) },
            "calls" => options.ask = Ask::Calls { window: 0..u64::MAX },
            "nans" => options.ask = Ask::Nans { window: 0..u64::MAX },
            "canonical-nans" => options.canonical_nans = true,
            "fixed-relaxed" => options.fixed_relaxed = true,
            _ => return Err(format!("{way}: `{word}` means nothing").into()),
        }
    }
    Ok(options)
}

/// The meaning of the numbers in the code.
fn tables(rewritten: &Instrumented) -> String {
    let mut text = String::new();
    for (number, site) in (SiteId::FIRST.0..).zip(&rewritten.sites) {
        let (op, func) = (site.op.mnemonic(), site.func.0);
        let _ = writeln!(text, ";; site {number} ({number:#x}): {op} of function {func} at {}", site.offset);
    }
    for (number, segment) in (FIRST_SEGMENT..).zip(&rewritten.segments) {
        let first = SiteId::FIRST.0 + segment.first;
        let last = first + segment.count.saturating_sub(1);
        let _ = writeln!(text, ";; segment {number} ({number:#x}): sites {first} to {last}");
    }
    for (number, mark) in (1..).zip(&rewritten.marks) {
        let at = mark.offset.map_or_else(String::new, |offset| format!(" at {offset}"));
        let _ = writeln!(text, ";; mark {number}: {:?} in function {}{at}", mark.what, mark.func.0);
    }
    text
}

fn output(input: &Path, way: &str) -> PathBuf {
    input.with_extension(format!("{way}.wat"))
}

fn compare(file: &Path, actual: &str) -> Result<(), Failed> {
    if std::env::var_os("BLESS").is_some_and(|value| value == "1") {
        return Ok(fs::write(file, actual)?);
    }
    let expected =
        fs::read_to_string(file).map_err(|error| format!("{}: {error}; BLESS=1 writes it", file.display()))?;
    if expected == actual {
        return Ok(());
    }
    let line = expected.lines().zip(actual.lines()).take_while(|(expected, actual)| expected == actual).count();
    let at = |text: &str| text.lines().nth(line).unwrap_or("(the end)").to_string();
    let (number, file) = (line + 1, file.display());
    Err(format!("{file}:{number}\nexpected: {}\nfound:    {}\nBLESS=1 accepts it", at(&expected), at(actual)).into())
}

/// Whether each memory-changing instruction is in some case.
fn covers_every_instruction(inputs: &[PathBuf]) -> Result<(), Failed> {
    let mut seen = BTreeSet::new();
    for path in inputs {
        let rewritten = read(path)?.original.instrument(&Options::default())?;
        seen.extend(rewritten.sites.iter().map(|site| site.op.mnemonic()));
    }
    let missing: Vec<&str> = MemoryOp::ALL.iter().map(|op| op.mnemonic()).filter(|op| !seen.contains(op)).collect();
    if missing.is_empty() { Ok(()) } else { Err(format!("no case has {}", missing.join(", ")).into()) }
}

/// Whether each output is still needed.
fn belong_to(outputs: &[PathBuf], inputs: &[PathBuf]) -> Result<(), Failed> {
    let mut wanted = BTreeSet::new();
    for path in inputs {
        wanted.extend(read(path)?.ways.iter().map(|way| output(path, way)));
    }
    match outputs.iter().find(|path| !wanted.contains(*path)) {
        Some(path) => Err(format!("{}: no case is rewritten so", path.display()).into()),
        None => Ok(()),
    }
}
