//! An engine behind a command line: wasmi, with as much of an interface as a test wants it to have. It is this test program
//! itself, started again.

use std::io::Write;
use wasmi::{Caller, Config, Engine, Error, Extern, Linker, Module, Store, Val};

/// What stands before the name and the file of a module to import from.
const WITH: &str = "--with=";

/// First argument of this program as an engine.
pub const ARGUMENT: &str = "run-module";

/// Runs a module: `run-module HOW MODULE [FUNCTION]`, with `--with=NAME=FILE` for each module that it imports from. Gives the
/// exit status.
pub fn main(arguments: &[String]) -> i32 {
    let [how, module, rest @ ..] = arguments else { return 2 };
    match how.as_str() {
        "nothing" => return 0,
        "fails" => {
            eprintln!("out of paper");
            return 3;
        }
        "endless" => loop {
            if std::io::stdout().write_all(&[b'y'; 65536]).is_err() {
                return 4;
            }
        },
        "hangs" => loop {
            std::thread::sleep(std::time::Duration::from_secs(1));
        },
        // What another run of another module printed.
        "other" => {
            let _ = std::io::stdout()
                .write_all(&std::fs::read(rest.first().map_or("", String::as_str)).unwrap_or_default());
            return 0;
        }
        _ => {}
    }
    let mut bytes = std::fs::read(module).unwrap_or_default();
    let how = match how.strip_suffix("-bug") {
        Some(how) => {
            break_module(&mut bytes);
            how
        }
        None => how,
    };
    let (with, rest): (Vec<&str>, Vec<&str>) =
        rest.iter().map(String::as_str).partition(|word| word.starts_with(WITH));
    match run(how, &bytes, rest.first().copied(), &with) {
        Ok(status) => status,
        Err(error) => {
            eprintln!("error: {error}");
            // As interpreters for tests do.
            i32::from(how != "deaf")
        }
    }
}

fn run(how: &str, bytes: &[u8], function: Option<&str>, with: &[&str]) -> Result<i32, Error> {
    let (how, swaps) = how.strip_suffix("-swap").map_or((how, false), |how| (how, true));
    let mut config = Config::default();
    config.wasm_multi_memory(matches!(how, "stream" | "forge" | "spoil" | "crash"));
    let engine = Engine::new(&config);
    let module = Module::new(&engine, bytes)?;
    let mut store = Store::new(&engine, (0u32, false));
    let mut linker = Linker::new(&engine);
    if config_has_host(how) {
        let how = how.to_string();
        linker.func_wrap(
            "wasi_snapshot_preview1",
            "fd_write",
            move |mut caller: Caller<'_, (u32, bool)>,
                  _: i32,
                  vectors: i32,
                  count: i32,
                  written: i32|
                  -> Result<i32, Error> {
                let Some(Extern::Memory(memory)) = caller.get_export("memory") else { return Ok(8) };
                let (data, (calls, inside)) = memory.data_and_store_mut(&mut caller);
                *calls += 1;
                let word = |data: &[u8], at: usize| {
                    data.get(at..at + 4).map_or(0, |word| u32::from_le_bytes(word.try_into().expect("four bytes")))
                };
                let mut all = Vec::new();
                for vector in 0..count as usize {
                    let at = vectors as usize + 8 * vector;
                    let (start, length) = (word(data, at) as usize, word(data, at + 4) as usize);
                    all.extend_from_slice(&data[start..start + length]);
                }
                // As pipes do.
                let begins = !std::mem::replace(inside, all.len() > 100_000);
                all.truncate(100_000);
                data[written as usize..][..4].copy_from_slice(&(all.len() as u32).to_le_bytes());
                match how.as_str() {
                    "spoil" if *calls == 8 => all[30] ^= 1,
                    "forge" if *calls == 8 => {
                        let mut forged = all.clone();
                        forged[16..20].copy_from_slice(&99u32.to_le_bytes());
                        all.extend(forged);
                    }
                    "crash" if *calls == 12 => std::process::abort(),
                    _ => {}
                }
                let mut out = std::io::stdout();
                let noise: &[u8] = if begins { b"noise\n" } else { b"" };
                let _ = out.write_all(noise).and_then(|()| out.write_all(&all)).and_then(|()| out.flush());
                Ok(0)
            },
        )?;
    }
    for word in with {
        let (name, file) = word[WITH.len()..].split_once('=').ok_or_else(|| Error::new("--with=NAME=FILE"))?;
        let module = Module::new(&engine, std::fs::read(file).unwrap_or_default())?;
        // Gives the third module the second one's memory for the first one's.
        let mut own = linker.clone();
        if let Some(memory) = linker.get(&store, "forkpoint-1", "mem").filter(|_| swaps && name == "forkpoint-2") {
            own.allow_shadowing(true).define("forkpoint-0", "mem", memory)?;
        }
        let instance = own.instantiate_and_start(&mut store, &module)?;
        linker.instance(&mut store, name, instance)?;
    }
    let instance = linker.instantiate_and_start(&mut store, &module)?;
    let name = function.or(["_start", "main"].into_iter().find(|name| instance.get_func(&store, name).is_some()));
    let name = name.ok_or_else(|| Error::new("nothing to run"))?;
    let function = instance.get_func(&store, name).ok_or_else(|| Error::new(format!("no function {name}")))?;
    let mut results: Vec<Val> = function.ty(&store).results().iter().map(|ty| Val::default_for_ty(*ty)).collect();
    function.call(&mut store, &[], &mut results)?;
    match (how, results.first()) {
        ("print", Some(Val::I32(value))) => println!("{name}() => i32:{}", *value as u32),
        ("print", Some(Val::I64(value))) => println!("{name}() => i64:{}", *value as u64),
        ("status", Some(Val::I32(value))) => return Ok(value & 255),
        _ => {}
    }
    Ok(0)
}

/// A constant of a module that this engine gets wrong: 0x07654321 becomes 0x07654322.
fn break_module(bytes: &mut [u8]) {
    let constant = [0x41, 0xa1, 0x86, 0x95, 0x3b];
    for at in 0..bytes.len().saturating_sub(constant.len()) {
        if bytes[at..].starts_with(&constant) {
            bytes[at + 1] = 0xa2;
        }
    }
}

fn config_has_host(how: &str) -> bool {
    matches!(how, "stream" | "forge" | "spoil" | "crash")
}
