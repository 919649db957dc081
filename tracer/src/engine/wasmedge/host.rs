//! WasmEdge's own WASI, which the guest's calls reach through a trampoline: the library has no other way to call a
//! host function with access to a memory.
//!
//! It runs in its own executor and store, always interpreted, while the guest waits for its host function.

use super::abi::{Api, NOTHING, Object, Release, Status, Text, Value};
use crate::engine::drive::NoHost;
use crate::engine::library::extra_functions;
use crate::host::WasiSetup;
use crate::host::function::HostFunction;
use crate::host::trampoline::{self, Forwarded, MemoryKind};
use crate::job::Run;
use crate::protocol::HostEnd;
use crate::values::WasmValue;
use forkpoint_traces::wasi;
use std::collections::BTreeMap;
use std::ffi::{CString, c_char, c_void};

/// The name of the guest's instance, to which the machine gives none.
const GUEST: &str = "";

extra_functions! {
    /// The functions that a library needs for it. All releases since 0.13 have them.
    create_wasi: "WasmEdge_ModuleInstanceCreateWASI" (
        *const *const c_char, u32, *const *const c_char, u32, *const *const c_char, u32
    ) -> Object;
    exit_code: "WasmEdge_ModuleInstanceWASIGetExitCode" (*const c_void) -> u32;
    find_function: "WasmEdge_ModuleInstanceFindFunction" (*const c_void, Text) -> Object;
    parse: "WasmEdge_LoaderParseFromBuffer" (Object, *mut Object, *const u8, u32) -> Status;
    create_validator: "WasmEdge_ValidatorCreate" (*const c_void) -> Object;
    validate: "WasmEdge_ValidatorValidate" (Object, *const c_void) -> Status;
    create_store: "WasmEdge_StoreCreate" () -> Object;
    create_executor: "WasmEdge_ExecutorCreate" (*const c_void, Object) -> Object;
    register: "WasmEdge_ExecutorRegisterImport" (Object, Object, *const c_void) -> Status;
    instantiate: "WasmEdge_ExecutorInstantiate" (Object, *mut Object, Object, *const c_void) -> Status;
    invoke: "WasmEdge_ExecutorInvoke" (Object, *const c_void, *const Value, u32, *mut Value, u32) -> Status;
}

/// Whether WasmEdge can give the guest these settings.
///
/// # Errors
/// Names what it cannot.
pub(super) fn check(setup: &WasiSetup) -> Result<(), String> {
    for (host, guest) in &setup.directories {
        if guest.contains(':') || host.to_string_lossy().contains(':') {
            return Err(format!(
                "WasmEdge's host takes the directory {} as {guest}:PATH, which another colon cannot be part of",
                host.display()
            ));
        }
    }
    Ok(())
}

/// The host of one run. What the library made for it is never freed.
pub(super) struct OwnHost {
    functions: Functions,
    wasi: Object,
    executor: Object,
    /// Functions of the trampoline by the guest's import, with the number of their results.
    forwarders: BTreeMap<u32, (Object, usize)>,
}

impl OwnHost {
    /// Makes the host of the guest's `instance`.
    ///
    /// # Safety
    /// The instance must be alive, and stay so.
    pub(super) unsafe fn new(api: &Api, instance: *const c_void, run: &Run) -> Result<OwnHost, NoHost> {
        let fail = |what: String| NoHost::Failed(format!("WasmEdge's own host: {what}"));
        let functions = Functions::of(api).ok_or_else(|| fail("the library has none".to_string()))?;
        let imported = run.answers.iter().flat_map(|answers| &answers.functions).enumerate();
        let called: Vec<(usize, &HostFunction)> = imported.filter(|(_, function)| function.needs_wasi()).collect();
        let memory = run.wasi_memory.map(|_| (GUEST, MemoryKind::PLAIN));
        let forwarded: Vec<Forwarded> = called.iter().map(|(_, function)| Forwarded::wasi(function)).collect();
        let module = trampoline::build(wasi::MODULE, &forwarded, memory);
        let accept = |what: &str, status: Status| match api.complaint(status) {
            Some(message) => Err(fail(format!("{what}: {message}"))),
            None => Ok(()),
        };
        // SAFETY: all objects are the library's, alive and of the kinds that their names say; what is passed by address
        // is copied during the call, and the caller vouches for the instance.
        unsafe {
            let config = (api.WasmEdge_ConfigureCreate)();
            (api.WasmEdge_ConfigureSetForceInterpreter)(config, true);
            let (store, executor) =
                ((functions.create_store)(), (functions.create_executor)(config, std::ptr::null_mut()));
            let wasi = create(&functions, &run.wasi).map_err(fail)?;
            for (_, HostFunction { import, .. }) in &called {
                if (functions.find_function)(wasi, Text::of(&import.name)).is_null() {
                    return Err(NoHost::Rejected(format!("WasmEdge's own host has no function {}", import.name)));
                }
            }
            accept("registering WASI", (functions.register)(executor, store, wasi))?;
            accept("registering the guest", (functions.register)(executor, store, instance))?;
            let (mut ast, mut forwarders) = (std::ptr::null_mut(), std::ptr::null_mut());
            let loader = (api.WasmEdge_LoaderCreate)(config);
            accept("a trampoline", (functions.parse)(loader, &mut ast, module.as_ptr(), module.len() as u32))?;
            accept("a trampoline", (functions.validate)((functions.create_validator)(config), ast))?;
            accept("a trampoline", (functions.instantiate)(executor, &mut forwarders, store, ast))?;
            let forwarder = |(number, (index, function)): (usize, &(usize, &HostFunction))| {
                let forwarder = (functions.find_function)(forwarders, Text::of(&number.to_string()));
                (*index as u32, (forwarder, function.results.len()))
            };
            let forwarders = called.iter().enumerate().map(forwarder).collect();
            Ok(OwnHost { functions, wasi, executor, forwarders })
        }
    }

    /// Calls imported function number `function`.
    ///
    /// # Safety
    /// The guest must be waiting for it, and nobody may look at its memories.
    pub(super) unsafe fn call(
        &self,
        api: &Api,
        release: &Release,
        function: u32,
        arguments: &[WasmValue],
    ) -> HostEnd {
        let lacks = || HostEnd::Trapped(format!("WasmEdge's own host: no function for import {function}"));
        let Some(&(forwarder, results)) = self.forwarders.get(&function) else { return lacks() };
        let arguments: Option<Vec<Value>> = arguments.iter().map(|value| release.given(value)).collect();
        let (Some(arguments), false) = (arguments, forwarder.is_null()) else { return lacks() };
        let mut returned = vec![NOTHING; results];
        // SAFETY: a function of the trampoline, with as many arguments and results as its type has.
        let status = unsafe {
            (self.functions.invoke)(
                self.executor,
                forwarder,
                arguments.as_ptr(),
                arguments.len() as u32,
                returned.as_mut_ptr(),
                results as u32,
            )
        };
        if api.is_exit(status) {
            // SAFETY: WASI's instance is alive.
            return HostEnd::Exited(unsafe { (self.functions.exit_code)(self.wasi) } as i32);
        }
        match api.complaint(status) {
            Some(message) => HostEnd::Trapped(message),
            None => HostEnd::Returned(returned.iter().map(|value| release.taken(api, value)).collect()),
        }
    }
}

/// Makes WASI's instance.
///
/// # Safety
/// The functions must be those of the library.
unsafe fn create(functions: &Functions, setup: &WasiSetup) -> Result<Object, String> {
    let directories = setup.directories.iter().map(|(host, guest)| format!("{guest}:{}", host.display()));
    let environment = setup.environment.iter().map(|(name, value)| format!("{name}={value}"));
    let owned = |texts: Vec<String>| {
        let text = |text: String| CString::new(text).map_err(|_| "a string with a NUL in it".to_string());
        texts.into_iter().map(text).collect::<Result<Vec<CString>, String>>()
    };
    let [arguments, environment, directories] =
        [setup.arguments.clone(), environment.collect(), directories.collect()].map(owned);
    let (arguments, environment, directories) = (arguments?, environment?, directories?);
    let pointers = |texts: &[CString]| texts.iter().map(|text| text.as_ptr()).collect::<Vec<_>>();
    let lists = [pointers(&arguments), pointers(&environment), pointers(&directories)];
    let [arguments_list, environment_list, directories_list] = &lists;
    // SAFETY: the lists and their strings live until the call, which copies them, is over.
    let wasi = unsafe {
        (functions.create_wasi)(
            arguments_list.as_ptr(),
            arguments_list.len() as u32,
            environment_list.as_ptr(),
            environment_list.len() as u32,
            directories_list.as_ptr(),
            directories_list.len() as u32,
        )
    };
    if wasi.is_null() { Err("the library makes no WASI".to_string()) } else { Ok(wasi) }
}
