//! Wasmer's own WASI, which the guest's calls reach through a trampoline: a host function of Wasmer has the memory of
//! one instance, which it finds by name, and so it gets the guest's.
//!
//! It lives in the guest's store, since objects of two stores cannot be combined.

use super::abi::{Api, Object, Value, Vector};
use super::trap::message;
use super::values::{NULL, from_engine, to_engine};
use crate::engine::drive::NoHost;
use crate::engine::library::extra_functions;
use crate::engine::words::one_line;
use crate::host::WasiSetup;
use crate::host::function::HostFunction;
use crate::host::trampoline::{self, Forwarded, MemoryKind};
use crate::job::Run;
use crate::protocol::HostEnd;
use crate::values::WasmValue;
use forkpoint_traces::wasi;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::{CString, c_char, c_int, c_void};
use std::path::Path;

/// How Wasmer's message begins when the guest has exited.
const EXITED: &str = "WASI exited with code: ";

extra_functions! {
    /// The functions that a library needs for it: Wasmer's own, as they are since 3.0.
    config: "wasi_config_new" (*const c_char) -> Object;
    argument: "wasi_config_arg" (Object, *const c_char);
    variable: "wasi_config_env" (Object, *const c_char, *const c_char);
    directory: "wasi_config_mapdir" (Object, *const c_char, *const c_char) -> bool;
    environment: "wasi_env_new" (Object, Object) -> Object;
    imports: "wasi_get_imports" (Object, Object, *const c_void, *mut Vector<Object>) -> bool;
    initialize: "wasi_env_initialize_instance" (Object, Object, Object) -> bool;
    error_length: "wasmer_last_error_length" () -> c_int;
    error_message: "wasmer_last_error_message" (*mut c_char, c_int) -> c_int;
}

/// Whether Wasmer can give the guest these settings.
///
/// # Errors
/// Names what it cannot.
pub(super) fn check(setup: &WasiSetup) -> Result<(), String> {
    for (host, guest) in &setup.directories {
        if guest.starts_with('/') {
            return Err(format!(
                "Wasmer's host takes the first / off the name {} of a directory; give it one without",
                guest.escape_debug()
            ));
        }
        if host.to_str().is_none() {
            return Err(format!("Wasmer's host takes paths in UTF-8 only, which {} is not", host.display()));
        }
    }
    Ok(())
}

/// The host of one run. What the library made for it is never freed.
pub(super) struct OwnHost {
    /// Functions of the trampoline by the guest's import.
    forwarders: BTreeMap<u32, Forwarder>,
    /// Why the host's results cannot be trusted.
    failed: Cell<Option<String>>,
}

struct Forwarder {
    function: Object,
    name: String,
    results: usize,
}

impl OwnHost {
    /// Makes the host of a guest, which exports `memory` (an external).
    ///
    /// # Safety
    /// Store and memory must be alive and belong together, and stay so.
    pub(super) unsafe fn new(api: &Api, store: Object, memory: Option<Object>, run: &Run) -> Result<OwnHost, NoHost> {
        let fail = |what: String| NoHost::Failed(format!("Wasmer's own host: {what}"));
        let functions = Functions::of(api).ok_or_else(|| fail("the library has none".to_string()))?;
        // Newer releases end the process if there is none.
        let memory =
            memory.ok_or_else(|| fail("it needs a memory that the guest exports as `memory`".to_string()))?;
        let imported = run.answers.iter().flat_map(|answers| &answers.functions).enumerate();
        let called: Vec<(usize, &HostFunction)> = imported.filter(|(_, function)| function.needs_wasi()).collect();
        let forwarded: Vec<Forwarded> = called.iter().map(|(_, function)| Forwarded::wasi(function)).collect();
        let compile = |mut bytes: Vec<u8>| {
            // SAFETY: the caller vouches for the store; the bytes are only read.
            let module = unsafe { (api.wasm_module_new)(store, &Vector::over(&mut bytes)) };
            if module.is_null() { Err(fail("the library rejects a trampoline".to_string())) } else { Ok(module) }
        };
        // Wasmer gives imports to a module whose only imports are WASI's.
        let asking = compile(trampoline::build(wasi::MODULE, &forwarded, None))?;
        let guest = Some((trampoline::MEMORY, MemoryKind::PLAIN));
        let module = compile(trampoline::build(wasi::MODULE, &forwarded, guest))?;
        // SAFETY: all objects are the library's, alive and of the kinds that their names say.
        unsafe {
            let wasi = environment(&functions, store, &run.wasi).map_err(fail)?;
            let mut host = Vector::empty();
            if !(functions.imports)(store, wasi, asking, &mut host) {
                return Err(NoHost::Rejected(format!("Wasmer's own host: {}", last_error(&functions))));
            }
            let mut imports: Vec<Object> = [memory].iter().chain(host.slice()).copied().collect();
            let mut trap = std::ptr::null_mut();
            let instance = (api.wasm_instance_new)(store, module, &Vector::over(&mut imports), &mut trap);
            if instance.is_null() || !trap.is_null() {
                let why = if trap.is_null() { last_error(&functions) } else { message(api, trap) };
                return Err(fail(format!("a trampoline: {}", one_line(&why))));
            }
            if !(functions.initialize)(wasi, store, instance) {
                return Err(fail(last_error(&functions)));
            }
            let mut exports = Vector::empty();
            (api.wasm_instance_exports)(instance, &mut exports);
            // After the memory, in the order of their numbers.
            let functions = exports.slice().iter().skip(1).map(|export| (api.wasm_extern_as_func)(*export));
            let forwarder = |((index, function), forwarder): (&(usize, &HostFunction), Object)| {
                let name = function.import.name.clone();
                (*index as u32, Forwarder { function: forwarder, name, results: function.results.len() })
            };
            let forwarders = called.iter().zip(functions).map(forwarder).collect();
            Ok(OwnHost { forwarders, failed: Cell::new(None) })
        }
    }

    /// Calls imported function number `function`.
    ///
    /// # Safety
    /// The guest must be waiting for it, and nobody may look at its memories.
    pub(super) unsafe fn call(&self, api: &Api, function: u32, arguments: &[WasmValue]) -> HostEnd {
        let forwarder = self.forwarders.get(&function).filter(|forwarder| !forwarder.function.is_null());
        let arguments: Option<Vec<Value>> = arguments.iter().map(to_engine).collect();
        let (Some(forwarder), Some(mut arguments)) = (forwarder, arguments) else {
            return self.fail(format!("no function for import {function}"));
        };
        let mut returned = vec![NULL; forwarder.results];
        // SAFETY: a function of the trampoline, with as many arguments and results as its type has; a trap is one.
        unsafe {
            let (arguments, mut results) = (Vector::over(&mut arguments), Vector::over(&mut returned));
            let trap = (api.wasm_func_call)(forwarder.function, &arguments, &mut results);
            if !trap.is_null() {
                let ended = end(&forwarder.name, &message(api, trap));
                return ended.unwrap_or_else(|why| self.fail(why));
            }
        }
        match returned.iter().map(from_engine).collect() {
            Some(values) => HostEnd::Returned(values),
            None => self.fail(format!("{} returned a value of an unknown kind", forwarder.name)),
        }
    }

    /// Ends a call whose effect is unknown.
    fn fail(&self, why: String) -> HostEnd {
        let why = format!("Wasmer's own host: {why}");
        self.failed.set(Some(why.clone()));
        HostEnd::Trapped(why)
    }

    /// Why the last call's effect is unknown, once.
    pub(super) fn take_failure(&self) -> Option<String> {
        self.failed.take()
    }
}

/// How a call of the function `name` ended that left the guest with this message. For Wasmer an exit is an error like
/// others; only its message shows it, with the code (3.x), or with `ExitCode::` before the code, where a number that
/// is also one of WASI's errors has that error's description first (4.0 and later).
///
/// # Errors
/// A message that may mean an exit, but names no code.
fn end(name: &str, words: &str) -> Result<HostEnd, String> {
    let unknown = || format!("{name} ended with a message that names no exit code: {}", one_line(words));
    let Some(code) = words.strip_prefix(EXITED) else {
        return match name {
            "proc_exit" => Err(unknown()),
            _ => Ok(HostEnd::Trapped(one_line(words))),
        };
    };
    let code = code.strip_prefix("ExitCode::").unwrap_or(code);
    let code = match code.strip_suffix(')') {
        Some(described) => described.rsplit_once(" (error ").map_or("", |(_, number)| number),
        None => code,
    };
    // In 32 bits, signed or unsigned.
    let code = code.parse::<i32>().ok().or_else(|| code.parse::<u32>().ok().map(u32::cast_signed));
    code.map(HostEnd::Exited).ok_or_else(unknown)
}

/// Makes WASI's environment. Standard streams are the process's, which is Wasmer's default.
///
/// # Safety
/// The functions must be those of the library, and the store alive.
unsafe fn environment(functions: &Functions, store: Object, setup: &WasiSetup) -> Result<Object, String> {
    let text = |text: &str| CString::new(text).map_err(|_| "a string with a NUL in it".to_string());
    let path = |path: &Path| text(path.to_str().unwrap_or_default());
    // Only the check whether there is a host passes none.
    let (program, arguments) = setup.arguments.split_first().map_or(("", &[][..]), |(name, rest)| (name, rest));
    // SAFETY: each text ends with a NUL, lives until its call is over, and is copied by it; the configuration is
    // alive until it is given away.
    unsafe {
        let config = (functions.config)(text(program)?.as_ptr());
        if config.is_null() {
            return Err(last_error(functions));
        }
        for argument in arguments {
            (functions.argument)(config, text(argument)?.as_ptr());
        }
        for (name, value) in &setup.environment {
            (functions.variable)(config, text(name)?.as_ptr(), text(value)?.as_ptr());
        }
        for (host, guest) in &setup.directories {
            if !(functions.directory)(config, text(guest)?.as_ptr(), path(host)?.as_ptr()) {
                return Err(last_error(functions));
            }
        }
        let wasi = (functions.environment)(store, config);
        if wasi.is_null() { Err(last_error(functions)) } else { Ok(wasi) }
    }
}

/// Wasmer's message about the last call that failed.
///
/// # Safety
/// The functions must be those of the library.
unsafe fn last_error(functions: &Functions) -> String {
    // SAFETY: the place has the number of bytes that is passed to the library.
    let told = unsafe {
        let length = (functions.error_length)().clamp(0, 1 << 16);
        let mut text = vec![0u8; length as usize];
        (functions.error_message)(text.as_mut_ptr().cast(), length);
        text
    };
    let told = one_line(String::from_utf8_lossy(&told).trim_end_matches('\0'));
    if told.is_empty() { "the library gives no reason".to_string() } else { told }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt as _;

    #[test]
    fn an_exit_is_told_by_its_words() {
        for (words, code) in [
            ("WASI exited with code: 3", 3),
            ("WASI exited with code: 4294967295", -1),
            ("WASI exited with code: ExitCode::-1", -1),
            ("WASI exited with code: ExitCode::100", 100),
            ("WASI exited with code: ExitCode::success (error 0)", 0),
            ("WASI exited with code: ExitCode::inval (error 28)", 28),
        ] {
            assert_eq!(end("proc_exit", words), Ok(HostEnd::Exited(code)), "{words}");
        }
        assert_eq!(end("fd_write", "unreachable"), Ok(HostEnd::Trapped("unreachable".to_string())));
        for (name, words) in [
            ("proc_exit", "unreachable"),
            ("proc_exit", "WASI exited with code: "),
            ("proc_exit", "WASI exited with code: ExitCode::inval"),
            ("fd_write", "WASI exited with code: 3 (error )"),
            ("proc_exit", "WASI exited with code: 99999999999"),
        ] {
            assert!(end(name, words).is_err_and(|why| why.contains("no exit code")), "{name} {words}");
        }
    }

    #[test]
    fn what_cannot_be_given_is_refused() {
        let setup =
            |guest: &str| WasiSetup { directories: vec![(".".into(), guest.to_string())], ..WasiSetup::default() };
        assert_eq!(check(&setup("guest/folder")), Ok(()));
        assert!(check(&setup("/guest")).is_err_and(|why| why.contains("takes the first / off")));
        let mut path = setup("guest");
        path.directories[0].0 = OsString::from_vec(vec![b'a', 0xff]).into();
        assert!(check(&path).is_err());
    }
}
