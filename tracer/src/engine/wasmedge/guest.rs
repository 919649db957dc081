//! A guest under WasmEdge.

use super::abi::{Answer, Api, HostFunction, NOTHING, Object, Release, Text, Value};
use super::host::OwnHost;
use super::{WasmEdge, WasmEdgeMode, limits, native};
use crate::engine::drive::{Ended, Guest, Rejected, Visit, left_behind};
use crate::engine::session::{Next, Session};
use crate::engine::words::trap_kind;
use crate::instrument::{BUFFER_EXPORT, FLUSH_IMPORT, HOOK_IMPORT, IMPORT_MODULE};
use crate::job::{Call, Run};
use crate::memories::Memories;
use crate::memories::View;
use crate::protocol::HostEnd;
use crate::shared;
use crate::values::WasmValue;
use std::collections::BTreeMap;
use std::ffi::c_void;
use std::io;

/// Kinds of imports.
const FUNCTION: u32 = 0;
const MEMORY: u32 = 2;

/// Bytes in a page.
const PAGE: u64 = 1 << 16;

/// Category of errors that are not WasmEdge's own, and our one error in it.
const USER_ERROR: (u32, u32) = (1, 1);

/// What host functions need. They reach it by a pointer that the engine keeps for them.
struct Shared {
    api: *const Api,
    release: *const Release,
    session: Session,
    /// Where a module that records inline does.
    buffer: Option<Object>,
    /// The original module's memories.
    memories: Vec<Object>,
    /// The library's own WASI, where it is live.
    host: Option<OwnHost>,
}

/// What one imported function of the guest's own needs.
struct Imported {
    shared: *mut Shared,
    index: u32,
    arguments: usize,
    results: usize,
}

/// An instance.
pub(super) struct WasmEdgeGuest<'a> {
    api: &'a Api,
    release: &'a Release,
    machine: Object,
    /// Ours and never freed, since the engine keeps pointers to it. No reference to it lives while the guest runs.
    shared: *mut Shared,
}

impl<'a> WasmEdgeGuest<'a> {
    /// Instantiates the module in a machine, whose start function is an export.
    pub(super) fn new(
        engine: &'a WasmEdge,
        machine: Object,
        ast: Object,
        run: &Run,
        session: Session,
    ) -> Result<WasmEdgeGuest<'a>, Rejected> {
        let (api, release) = (&engine.api, &engine.release);
        let shared = Shared { api, release, session, buffer: None, memories: Vec::new(), host: None };
        let guest = WasmEdgeGuest { api, release, machine, shared: Box::into_raw(Box::new(shared)) };
        let accept = |answer: Answer| match api.complaint(answer) {
            Some(message) => Err(Rejected::instantiate(message)),
            None => Ok(()),
        };
        // SAFETY: machine and description are alive and belong together; no host function runs outside of calls, so
        // nobody else holds a reference to what is shared.
        unsafe {
            for module in guest.imports(ast, engine.page_limit)? {
                accept((api.WasmEdge_VMRegisterModuleFromImport)(machine, module))?;
            }
            // The JIT compiles now. Where it fails the engine interprets, and only its log would tell.
            let before = native::unnamed_code()?;
            if let Err(rejected) = accept((api.WasmEdge_VMInstantiate)(machine)) {
                let shared = &mut *guest.shared;
                left_behind(&mut shared.session, &views(api, release, &shared.memories));
                return Err(rejected);
            }
            let runs = run.has_start || !run.calls.is_empty();
            if engine.spec.mode == WasmEdgeMode::Jit && runs && native::unnamed_code()? <= before {
                return Err(Rejected::instantiate(
                    "the JIT made no native code of this module: this library would interpret it and not say so",
                ));
            }
            let instance = (api.WasmEdge_VMGetActiveModule)(machine);
            let memory = |name: &str| {
                let memory = (api.WasmEdge_ModuleInstanceFindMemory)(instance, Text::of(name));
                (!memory.is_null()).then_some(memory)
            };
            let shared = &mut *guest.shared;
            shared.memories = run.memories.iter().filter_map(|name| memory(name)).collect();
            shared.buffer = memory(BUFFER_EXPORT);
            if run.live_host {
                let host = OwnHost::new(api, instance, run);
                shared.host = Some(host.map_err(|why| why.tell(&mut shared.session))?);
            }
            if let Some(buffer) = shared.buffer {
                let (start, length) = place(api, release, buffer);
                shared::put_under(shared.session.buffer(), start, length)
                    .map_err(|error| Rejected::instantiate(format!("sharing the buffer: {error}")))?;
            }
        }
        Ok(guest)
    }

    /// Module instances with all that the module imports: the recorder's functions, host functions, fresh memories. The
    /// memories are the guest's as far as there are any before it is instantiated.
    ///
    /// # Safety
    /// The description must be alive, and of the module in the machine; nobody else may hold a reference to what is shared.
    unsafe fn imports(&self, ast: Object, page_limit: Option<u64>) -> Result<Vec<Object>, Rejected> {
        let (api, mut modules, mut functions, mut memories) = (self.api, BTreeMap::new(), 0, Vec::new());
        // SAFETY: the caller vouches for the description, which owns all that is read here; types and names are
        // copied by what is made of them.
        unsafe {
            let mut imports = vec![std::ptr::null(); (api.WasmEdge_ASTModuleListImportsLength)(ast) as usize];
            (api.WasmEdge_ASTModuleListImports)(ast, imports.as_mut_ptr(), imports.len() as u32);
            for import in imports {
                let from = (api.WasmEdge_ImportTypeGetModuleName)(import).read();
                let name = (api.WasmEdge_ImportTypeGetExternalName)(import).read();
                let module = *modules
                    .entry(from.clone())
                    .or_insert_with(|| (api.WasmEdge_ModuleInstanceCreate)(Text::of(&from)));
                match (api.WasmEdge_ImportTypeGetExternalType)(import) {
                    FUNCTION => {
                        let ty = (api.WasmEdge_ImportTypeGetFunctionType)(ast, import);
                        let (function, data) = self.function(ty, &from, &name, functions);
                        functions += 1;
                        let function = (api.WasmEdge_FunctionInstanceCreate)(ty, function, data, 0);
                        (api.WasmEdge_ModuleInstanceAddFunction)(module, Text::of(&name), function);
                    }
                    MEMORY => {
                        let ty = (api.WasmEdge_ImportTypeGetMemoryType)(ast, import);
                        let ty = match page_limit {
                            Some(limit) => limits::limited(api, self.release, ty, limit)?,
                            None => ty,
                        };
                        let memory = (api.WasmEdge_MemoryInstanceCreate)(ty);
                        (api.WasmEdge_ModuleInstanceAddMemory)(module, Text::of(&name), memory);
                        memories.push(memory);
                    }
                    _ => return Err(Rejected::instantiate(format!("nobody provides the import {from}.{name}"))),
                }
            }
            (*self.shared).memories = memories;
        }
        Ok(modules.into_values().collect())
    }

    /// The host function behind an import, and what it is made with.
    fn function(&self, ty: *const c_void, from: &str, name: &str, index: u32) -> (HostFunction, *mut c_void) {
        match (from, name) {
            (IMPORT_MODULE, HOOK_IMPORT) => (hook, self.shared.cast()),
            (IMPORT_MODULE, FLUSH_IMPORT) => (flush, self.shared.cast()),
            _ => {
                // SAFETY: the type is one.
                let (arguments, results) = unsafe {
                    (
                        (self.api.WasmEdge_FunctionTypeGetParametersLength)(ty),
                        (self.api.WasmEdge_FunctionTypeGetReturnsLength)(ty),
                    )
                };
                let imported =
                    Imported { shared: self.shared, index, arguments: arguments as usize, results: results as usize };
                (host_call, Box::into_raw(Box::new(imported)).cast())
            }
        }
    }
}

/// Start and length of a memory.
///
/// # Safety
/// It must be a memory.
unsafe fn place(api: &Api, release: &Release, memory: Object) -> (*mut u8, usize) {
    // SAFETY: the caller vouches for the memory. One byte is asked for, since older releases cannot say how long 4 GiB
    // are; a memory lies in one piece.
    unsafe {
        let pages = release.size((api.WasmEdge_MemoryInstanceGetPageSize)(memory));
        match pages {
            0 => (std::ptr::null_mut(), 0),
            _ => ((api.WasmEdge_MemoryInstanceGetPointer)(memory, 0, 1), (pages * PAGE) as usize),
        }
    }
}

/// A function of the recorder's: its data is a `Shared`.
///
/// # Safety
/// For host functions only, while the guest waits for them: there is no other reference then.
unsafe fn shared<'a>(data: *mut c_void) -> &'a mut Shared {
    // SAFETY: this is what these functions were made with.
    unsafe { &mut *data.cast::<Shared>() }
}

impl Shared {
    /// What leaves the guest. The session knows why.
    fn leave(&self) -> Answer {
        // SAFETY: any numbers will do.
        unsafe { ((*self.api).WasmEdge_ResultGen)(USER_ERROR.0, USER_ERROR.1) }
    }

    /// Takes what is in the guest's buffer, if it has one.
    fn take_block(&mut self) -> io::Result<()> {
        let Some(buffer) = self.buffer else { return Ok(()) };
        // SAFETY: the buffer is a memory of the machine, the guest waits, and nobody else looks into it.
        let bytes = unsafe {
            let (start, length) = place(&*self.api, &*self.release, buffer);
            if start.is_null() { &mut [][..] } else { std::slice::from_raw_parts_mut(start, length) }
        };
        self.session.take_block(bytes)
    }

    fn go_on(&mut self, next: Next) -> Answer {
        match next {
            Next::GoOn => Answer::FINE,
            Next::Stop => self.leave(),
            Next::Look => {
                // SAFETY: the guest waits for this host function.
                let views = unsafe { views(&*self.api, &*self.release, &self.memories) };
                match self.session.look(&views) {
                    Ok(()) => Answer::FINE,
                    Err(_) => self.leave(),
                }
            }
        }
    }
}

/// The hook of a rewritten module.
unsafe extern "C" fn hook(data: *mut c_void, _: *const c_void, arguments: *const Value, _: *mut Value) -> Answer {
    // SAFETY: the engine calls this while the guest waits, with four arguments.
    let (shared, arguments) = unsafe { (shared(data), std::slice::from_raw_parts(arguments, 4)) };
    let operand = |i: usize| arguments[i].bits[0];
    let next = shared.session.event(operand(0) as u32, [operand(1), operand(2), operand(3)]);
    shared.go_on(next)
}

/// The buffer of a module that records inline is full.
unsafe extern "C" fn flush(data: *mut c_void, _: *const c_void, _: *const Value, _: *mut Value) -> Answer {
    // SAFETY: the engine calls this while the guest waits.
    let shared = unsafe { shared(data) };
    let taken = shared.take_block();
    let next = shared.session.after_block(taken);
    shared.go_on(next)
}

/// A function that the guest itself imports.
unsafe extern "C" fn host_call(
    imported: *mut c_void,
    _: *const c_void,
    arguments: *const Value,
    results: *mut Value,
) -> Answer {
    // SAFETY: the engine calls this while the guest waits, with as many arguments and places for results as the
    // function's type has.
    unsafe {
        let imported = &*imported.cast::<Imported>();
        let shared = &mut *imported.shared;
        let (api, release) = (&*shared.api, &*shared.release);
        let arguments = match imported.arguments {
            0 => &[],
            count => std::slice::from_raw_parts(arguments, count),
        };
        let arguments: Vec<WasmValue> = arguments.iter().map(|value| release.taken(api, value)).collect();
        if shared.take_block().is_err() {
            return shared.leave();
        }
        let mut lent = Lent { api, release, memories: shared.memories.clone(), host: shared.host.as_ref() };
        let Ok(values) = shared.session.host_call(imported.index, &arguments, &mut lent) else {
            return shared.leave();
        };
        if values.len() != imported.results {
            return shared.leave();
        }
        for (i, value) in values.iter().enumerate() {
            let Some(value) = release.given(value) else { return shared.leave() };
            results.add(i).write(value);
        }
        Answer::FINE
    }
}

/// Memories as they are now.
///
/// # Safety
/// They must be memories of a machine in which nothing runs until the views are gone.
unsafe fn views<'a>(api: &'a Api, release: &Release, memories: &[Object]) -> Vec<View<'a>> {
    let view = |(index, memory): (usize, &Object)| {
        // A memory may say that it has pages, and have no bytes: both are what the engine holds.
        // SAFETY: the caller vouches for the memory, and that it neither changes nor moves meanwhile.
        let (pages, bytes) = unsafe {
            let (start, length) = place(api, release, *memory);
            let bytes = if start.is_null() { &[][..] } else { std::slice::from_raw_parts(start, length) };
            (release.size((api.WasmEdge_MemoryInstanceGetPageSize)(*memory)), bytes)
        };
        View { memory: index as u32, pages, bytes }
    };
    memories.iter().enumerate().map(view).collect()
}

/// The memories during a host call.
struct Lent<'a> {
    api: &'a Api,
    release: &'a Release,
    memories: Vec<Object>,
    host: Option<&'a OwnHost>,
}

impl Memories for Lent<'_> {
    fn views(&self) -> Vec<View<'_>> {
        // SAFETY: the guest waits for the host call, and writing borrows us mutably.
        unsafe { views(self.api, self.release, &self.memories) }
    }

    fn write(&mut self, memory: u32, address: u64, bytes: &[u8]) -> bool {
        let Some(memory) = self.memories.get(memory as usize) else { return false };
        // SAFETY: a memory of the machine, and the bytes lie inside of it; no view is left, since we are borrowed
        // mutably, and the guest waits.
        unsafe {
            let (start, length) = place(self.api, self.release, *memory);
            if address.checked_add(bytes.len() as u64).is_none_or(|end| end > length as u64) {
                return false;
            }
            if !bytes.is_empty() {
                std::ptr::copy_nonoverlapping(bytes.as_ptr(), start.add(address as usize), bytes.len());
            }
        }
        true
    }

    fn grow(&mut self, memory: u32, delta: u64) -> bool {
        let (Some(memory), Ok(delta)) = (self.memories.get(memory as usize), u32::try_from(delta)) else {
            return false;
        };
        // SAFETY: a memory of the machine; no view is left, since we are borrowed mutably, and the guest waits.
        unsafe { (self.api.WasmEdge_ResultOK)((self.api.WasmEdge_MemoryInstanceGrowPage)(*memory, delta.into())) }
    }
    fn own_host(&mut self, function: u32, arguments: &[WasmValue]) -> HostEnd {
        match self.host {
            // SAFETY: no view of a memory is left, since we are borrowed mutably, and the guest waits.
            Some(host) => unsafe { host.call(self.api, self.release, function, arguments) },
            None => HostEnd::Trapped("WasmEdge's own host is not there".to_string()),
        }
    }
}

impl Guest for WasmEdgeGuest<'_> {
    fn visit(&mut self, visit: Visit<'_>) -> io::Result<()> {
        // SAFETY: the guest does not run, so this is the only reference to what is shared.
        let shared = unsafe { &mut *self.shared };
        shared.take_block()?;
        // SAFETY: nothing runs until the visit is over.
        let views = unsafe { views(self.api, self.release, &shared.memories) };
        visit(&mut shared.session, &views)
    }

    fn call(&mut self, call: &Call) -> Ended {
        let (api, name) = (self.api, Text::of(&call.function));
        let arguments: Option<Vec<Value>> = call.arguments.iter().map(|value| self.release.given(value)).collect();
        let Some(arguments) = arguments else {
            return Ended::Impossible(format!(
                "`{}` takes a reference, which cannot be made outside of WasmEdge yet; call an export without one",
                call.function
            ));
        };
        // SAFETY: the machine is alive, arguments and results are as many as the function's type has, and no
        // reference to what is shared lives while the guest runs.
        unsafe {
            let ty = (api.WasmEdge_VMGetFunctionType)(self.machine, name);
            if ty.is_null() {
                return Ended::no_function(&call.function);
            }
            let mut results = vec![NOTHING; (api.WasmEdge_FunctionTypeGetReturnsLength)(ty) as usize];
            let answer = (api.WasmEdge_VMExecute)(
                self.machine,
                name,
                arguments.as_ptr(),
                arguments.len() as u32,
                results.as_mut_ptr(),
                results.len() as u32,
            );
            match api.complaint(answer) {
                None => Ended::Returned(results.iter().map(|value| self.release.taken(api, value)).collect()),
                Some(message) => Ended::Trapped { trap: trap_kind(&message), message, frames: Vec::new() },
            }
        }
    }

    fn global(&mut self, name: &str) -> Option<WasmValue> {
        // SAFETY: the machine is alive, and its globals are as long as it.
        unsafe {
            let instance = (self.api.WasmEdge_VMGetActiveModule)(self.machine);
            let global = (self.api.WasmEdge_ModuleInstanceFindGlobal)(instance, Text::of(name));
            if global.is_null() {
                return None;
            }
            let value = (self.api.WasmEdge_GlobalInstanceGetValue)(global);
            Some(self.release.taken(self.api, &value))
        }
    }

    fn table(&mut self, name: &str) -> Option<u64> {
        // SAFETY: as for globals.
        unsafe {
            let instance = (self.api.WasmEdge_VMGetActiveModule)(self.machine);
            let table = (self.api.WasmEdge_ModuleInstanceFindTable)(instance, Text::of(name));
            let size = |table: Object| (self.api.WasmEdge_TableInstanceGetSize)(table);
            (!table.is_null()).then(|| self.release.size(size(table)))
        }
    }
}
