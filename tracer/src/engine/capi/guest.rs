//! A guest under an engine with the interface `wasm.h`.

use super::abi::{Api, Callback, F32, F64, FUNCTION, I32, I64, MEMORY, Object, Payload, REFERENCE, Value, Vector};
use super::host::OwnHost;
use crate::engine::drive::{Ended, Guest, Rejected, Visit, left_behind};
use crate::engine::session::{Next, Session};
use crate::engine::words::{one_line, trap_kind, without_backtrace};
use crate::instrument::{HOOK_IMPORT, IMPORT_MODULE};
use crate::job::{Call, Run};
use crate::memories::Memories;
use crate::memories::View;
use crate::protocol::HostEnd;
use crate::protocol::TrapFrame;
use crate::values::WasmValue;
use std::ffi::c_void;
use std::io;

/// What host functions need. They reach it by a pointer that the engine keeps for them.
struct Shared {
    api: *const Api,
    store: Object,
    session: Session,
    /// The original module's memories.
    memories: Vec<Object>,
    /// The library's own WASI, where it is live.
    host: Option<OwnHost>,
}

/// What one imported function of the guest's own needs.
struct Imported {
    shared: *mut Shared,
    index: u32,
}

/// An instance.
pub(super) struct CapiGuest<'a> {
    api: &'a Api,
    /// Ours and never freed, since the engine keeps pointers to it. No reference to it lives while the guest runs.
    shared: *mut Shared,
    /// Exports by name.
    exports: Vec<(String, Object)>,
}

impl<'a> CapiGuest<'a> {
    /// Instantiates a module, whose start function is an export.
    pub(super) fn new(
        api: &'a Api,
        store: Object,
        module: Object,
        run: &Run,
        session: Session,
    ) -> Result<CapiGuest<'a>, Rejected> {
        let shared = Box::into_raw(Box::new(Shared { api, store, session, memories: Vec::new(), host: None }));
        // SAFETY: the module is one of this store.
        let Imports { mut externals, memories } = unsafe { imports(api, store, module, shared) }?;
        let imports = Vector::over(&mut externals);
        let mut trap = std::ptr::null_mut();
        // SAFETY: there is one import for each that the module has, in its order.
        let instance = unsafe { (api.wasm_instance_new)(store, module, &imports, &mut trap) };
        if instance.is_null() || !trap.is_null() {
            let message = match trap.is_null() {
                true => "the library does not say why".to_string(),
                // SAFETY: the trap is ours.
                false => one_line(&unsafe { message(api, trap) }),
            };
            // SAFETY: the memories are ours, and nothing runs that could change them or use what is shared.
            unsafe { left_behind(&mut (*shared).session, &views(api, &memories)) };
            return Err(Rejected::instantiate(message));
        }
        // SAFETY: module and instance belong together.
        let exports = unsafe { exports(api, module, instance) };
        let find = |name: &String| exports.iter().find(|(export, _)| export == name).map(|(_, export)| *export);
        // SAFETY: exports are externals; no host function runs that could hold a reference to what is shared.
        unsafe {
            let shared = &mut *shared;
            let memories = run.memories.iter().filter_map(find).map(|export| (api.wasm_extern_as_memory)(export));
            shared.memories = memories.filter(|memory| !memory.is_null()).collect();
            if run.live_host {
                let memory = run.wasi_memory.and_then(|memory| shared.memories.get(memory as usize));
                let memory = memory.map(|memory| (api.wasm_memory_as_extern)(*memory));
                let host = OwnHost::new(api, store, memory, run);
                shared.host = Some(host.map_err(|why| why.tell(&mut shared.session))?);
            }
        }
        Ok(CapiGuest { api, shared, exports })
    }

    fn export(&self, name: &str) -> Option<Object> {
        self.exports.iter().find(|(export, _)| export == name).map(|(_, export)| *export)
    }
}

/// What the module gets for its imports.
struct Imports {
    /// One external for each, in its order.
    externals: Vec<Object>,
    /// The memories among them.
    memories: Vec<Object>,
}

/// Makes what the module imports: the hook, host functions, fresh memories.
///
/// # Safety
/// The module must be one of the store, and `shared` live as long as the store.
unsafe fn imports(api: &Api, store: Object, module: Object, shared: *mut Shared) -> Result<Imports, Rejected> {
    let mut list = Vector::empty();
    let (mut externals, mut memories) = (Vec::new(), Vec::new());
    let mut functions = 0;
    // SAFETY: the caller vouches for the module; what the library hands out about it lives as long as the list,
    // which is never deleted, and the callbacks get what they expect.
    unsafe {
        (api.wasm_module_imports)(module, &mut list);
        for import in list.slice() {
            let from = api.text((api.wasm_importtype_module)(*import));
            let name = api.text((api.wasm_importtype_name)(*import));
            let ty = (api.wasm_importtype_type)(*import);
            externals.push(match (api.wasm_externtype_kind)(ty) {
                FUNCTION => {
                    let (callback, environment): (Callback, *mut c_void) = match (from.as_str(), name.as_str()) {
                        (IMPORT_MODULE, HOOK_IMPORT) => (hook, shared.cast()),
                        _ => {
                            let imported = Imported { shared, index: functions };
                            (host_call, Box::into_raw(Box::new(imported)).cast())
                        }
                    };
                    functions += 1;
                    let ty = (api.wasm_externtype_as_functype_const)(ty);
                    (api.wasm_func_as_extern)((api.wasm_func_new_with_env)(store, ty, callback, environment, None))
                }
                MEMORY => {
                    let memory = (api.wasm_memory_new)(store, (api.wasm_externtype_as_memorytype_const)(ty));
                    if memory.is_null() {
                        return Err(Rejected::instantiate(format!("the library makes no memory for {from}.{name}")));
                    }
                    memories.push(memory);
                    (api.wasm_memory_as_extern)(memory)
                }
                _ => return Err(Rejected::instantiate(format!("nobody provides the import {from}.{name}"))),
            });
        }
    }
    Ok(Imports { externals, memories })
}

/// The exports of an instance, by name.
///
/// # Safety
/// The instance must be one of the module.
unsafe fn exports(api: &Api, module: Object, instance: Object) -> Vec<(String, Object)> {
    let (mut types, mut externals) = (Vector::empty(), Vector::empty());
    // SAFETY: the caller vouches for both; the lists are filled by the engine and never deleted.
    unsafe {
        (api.wasm_module_exports)(module, &mut types);
        (api.wasm_instance_exports)(instance, &mut externals);
        let names = types.slice().iter().map(|ty| api.text((api.wasm_exporttype_name)(*ty)));
        names.zip(externals.slice().iter().copied()).collect()
    }
}

/// The hook of a rewritten module.
unsafe extern "C" fn hook(shared: *mut c_void, arguments: *const Vector<Value>, _: *mut Vector<Value>) -> Object {
    // SAFETY: the engine calls this while the guest runs, when there is no other reference to what is shared, with
    // the pointer and the argument types that the function was made with.
    unsafe {
        let shared = &mut *shared.cast::<Shared>();
        let [site, first, second, third] = (*arguments).slice() else { return shared.trap() };
        let operands = [first.of.wide, second.of.wide, third.of.wide];
        match shared.session.event(site.of.word, operands) {
            Next::GoOn => std::ptr::null_mut(),
            Next::Stop => shared.trap(),
            Next::Look => {
                let views = views(&*shared.api, &shared.memories);
                match shared.session.look(&views) {
                    Ok(()) => std::ptr::null_mut(),
                    Err(_) => shared.trap(),
                }
            }
        }
    }
}

/// A function that the guest itself imports.
unsafe extern "C" fn host_call(
    imported: *mut c_void,
    arguments: *const Vector<Value>,
    results: *mut Vector<Value>,
) -> Object {
    // SAFETY: as in `hook`; the place for results has as many as the function's type, and nobody else writes there.
    unsafe {
        let imported = &*imported.cast::<Imported>();
        let shared = &mut *imported.shared;
        let Some(arguments) = (*arguments).slice().iter().map(from_engine).collect::<Option<Vec<_>>>() else {
            return shared.trap();
        };
        let mut lent = Lent { api: &*shared.api, memories: shared.memories.clone(), host: shared.host.as_ref() };
        let answered = shared.session.host_call(imported.index, &arguments, &mut lent);
        if let Some(why) = shared.host.as_ref().and_then(OwnHost::take_failure) {
            // Where nobody listens any more, the session's own error tells.
            let _ = shared.session.host_failed(why);
        }
        let Ok(values) = answered else { return shared.trap() };
        let results = &mut *results;
        if values.len() != results.size {
            return shared.trap();
        }
        for (i, value) in values.iter().enumerate() {
            let Some(value) = to_engine(value) else { return shared.trap() };
            results.data.add(i).write(value);
        }
        std::ptr::null_mut()
    }
}

impl Shared {
    /// A trap by which a host function leaves the guest. The session knows why.
    fn trap(&self) -> Object {
        let mut text = *b"the recorder ends the run\0";
        let text = Vector::over(&mut text);
        // SAFETY: the store is alive while its guest runs, and the text is copied.
        unsafe { ((*self.api).wasm_trap_new)(self.store, &text) }
    }
}

/// Memories as they are now.
///
/// # Safety
/// They must be memories of a store in which nothing runs until the views are gone.
unsafe fn views<'a>(api: &'a Api, memories: &[Object]) -> Vec<View<'a>> {
    let view = |(index, memory): (usize, &Object)| {
        // SAFETY: the caller vouches for the memory, and that it neither changes nor moves meanwhile.
        unsafe {
            let bytes = Vector { size: (api.wasm_memory_data_size)(*memory), data: (api.wasm_memory_data)(*memory) };
            let bytes = match bytes.data.is_null() || bytes.size == 0 {
                true => &[],
                false => std::slice::from_raw_parts(bytes.data, bytes.size),
            };
            View { memory: index as u32, pages: (api.wasm_memory_size)(*memory).into(), bytes }
        }
    };
    memories.iter().enumerate().map(view).collect()
}

/// The memories during a host call.
struct Lent<'a> {
    api: &'a Api,
    memories: Vec<Object>,
    host: Option<&'a OwnHost>,
}

impl Memories for Lent<'_> {
    fn views(&self) -> Vec<View<'_>> {
        // SAFETY: the guest waits for the host call, and writing borrows us mutably.
        unsafe { views(self.api, &self.memories) }
    }

    fn write(&mut self, memory: u32, address: u64, bytes: &[u8]) -> bool {
        let Some(memory) = self.memories.get(memory as usize) else { return false };
        // SAFETY: a memory of the store, and the bytes lie inside of it; no view is left, since we are borrowed
        // mutably, and the guest waits.
        unsafe {
            let size = (self.api.wasm_memory_data_size)(*memory) as u64;
            if address.checked_add(bytes.len() as u64).is_none_or(|end| end > size) {
                return false;
            }
            let start = (self.api.wasm_memory_data)(*memory).add(address as usize);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), start, bytes.len());
        }
        true
    }

    fn grow(&mut self, memory: u32, delta: u64) -> bool {
        let (Some(memory), Ok(delta)) = (self.memories.get(memory as usize), u32::try_from(delta)) else {
            return false;
        };
        // SAFETY: a memory of the store; no view is left, since we are borrowed mutably, and the guest waits.
        unsafe { (self.api.wasm_memory_grow)(*memory, delta) }
    }

    fn own_host(&mut self, function: u32, arguments: &[WasmValue]) -> HostEnd {
        match self.host {
            // SAFETY: no view of a memory is left, since we are borrowed mutably, and the guest waits.
            Some(host) => unsafe { host.call(self.api, function, arguments) },
            None => HostEnd::Trapped("the library's own host is not there".to_string()),
        }
    }
}

impl Guest for CapiGuest<'_> {
    fn visit(&mut self, visit: Visit<'_>) -> io::Result<()> {
        // SAFETY: the guest does not run, so this is the only reference to what is shared, and memories stay as they
        // are while they are looked at.
        let shared = unsafe { &mut *self.shared };
        // SAFETY: the same.
        let views = unsafe { views(self.api, &shared.memories) };
        visit(&mut shared.session, &views)
    }

    fn call(&mut self, call: &Call) -> Ended {
        let Some(export) = self.export(&call.function) else { return Ended::no_function(&call.function) };
        let arguments: Option<Vec<Value>> = call.arguments.iter().map(to_engine).collect();
        let Some(mut arguments) = arguments.filter(|_| !call.vectors) else {
            return Ended::Impossible(format!(
                "`{}` takes or gives a v128, which the C interface wasm.h cannot pass; call an export without one",
                call.function
            ));
        };
        let api = self.api;
        // SAFETY: export and store are alive, arguments and results are those of the function's type, and no
        // reference to what is shared lives while the guest runs.
        unsafe {
            let function = (api.wasm_extern_as_func)(export);
            if function.is_null() {
                return Ended::no_function(&call.function);
            }
            let ty = (api.wasm_func_type)(function);
            kinds(api, (api.wasm_functype_params)(ty), &mut arguments);
            let mut results = vec![NULL; (*(api.wasm_functype_results)(ty)).size];
            (api.wasm_functype_delete)(ty);
            let arguments = Vector::over(&mut arguments);
            let mut places = Vector::over(&mut results);
            let trap = (api.wasm_func_call)(function, &arguments, &mut places);
            if trap.is_null() {
                let unknown = || WasmValue::Reference("a value of unknown kind".to_string());
                return Ended::Returned(
                    results.iter().map(|value| from_engine(value).unwrap_or_else(unknown)).collect(),
                );
            }
            let frames = frames(api, trap);
            let message = without_backtrace(&message(api, trap));
            Ended::Trapped { trap: trap_kind(&message), message, frames }
        }
    }

    fn global(&mut self, name: &str) -> Option<WasmValue> {
        let export = self.export(name)?;
        // SAFETY: the export is alive, and the place has room for a value.
        unsafe {
            let global = (self.api.wasm_extern_as_global)(export);
            if global.is_null() {
                return None;
            }
            let mut value = NULL;
            (self.api.wasm_global_get)(global, &mut value);
            from_engine(&value)
        }
    }

    fn table(&mut self, name: &str) -> Option<u64> {
        let export = self.export(name)?;
        // SAFETY: the export is alive.
        unsafe {
            let table = (self.api.wasm_extern_as_table)(export);
            (!table.is_null()).then(|| (self.api.wasm_table_size)(table).into())
        }
    }
}

/// The null reference.
pub(super) const NULL: Value = Value { kind: REFERENCE, of: Payload { wide: 0 } };

pub(super) fn to_engine(value: &WasmValue) -> Option<Value> {
    let (kind, of) = match value {
        WasmValue::I32(value) => (I32, Payload { wide: u64::from(*value as u32) }),
        WasmValue::I64(value) => (I64, Payload { wide: *value as u64 }),
        WasmValue::F32(bits) => (F32, Payload { wide: u64::from(*bits) }),
        WasmValue::F64(bits) => (F64, Payload { wide: *bits }),
        WasmValue::V128(_) => return None,
        WasmValue::Reference(_) => return Some(NULL),
    };
    Some(Value { kind, of })
}

pub(super) fn from_engine(value: &Value) -> Option<WasmValue> {
    // SAFETY: the kind says which part of the payload is there; every part is valid for any bits.
    Some(unsafe {
        match value.kind {
            I32 => WasmValue::I32(value.of.word as i32),
            I64 => WasmValue::I64(value.of.wide as i64),
            F32 => WasmValue::F32(value.of.word),
            F64 => WasmValue::F64(value.of.wide),
            REFERENCE.. => {
                let text = if value.of.reference.is_null() { "null" } else { "reference" };
                WasmValue::Reference(text.to_string())
            }
            _ => return None,
        }
    })
}

/// Gives references the kind that their parameter has.
///
/// # Safety
/// The types must be those of parameters.
unsafe fn kinds(api: &Api, types: *const Vector<Object>, arguments: &mut [Value]) {
    // SAFETY: the caller vouches for the types.
    let types = unsafe { (*types).slice() };
    for (argument, ty) in arguments.iter_mut().zip(types) {
        if argument.kind >= REFERENCE {
            // SAFETY: the same.
            argument.kind = unsafe { (api.wasm_valtype_kind)(*ty) };
        }
    }
}

/// A trap's message.
///
/// # Safety
/// It must be a trap.
pub(super) unsafe fn message(api: &Api, trap: Object) -> String {
    let mut text = Vector::empty();
    // SAFETY: the caller vouches for the trap; the text is ours afterwards.
    unsafe {
        (api.wasm_trap_message)(trap, &mut text);
        api.own_text(text)
    }
}

/// A trap's frames, innermost first.
///
/// # Safety
/// It must be a trap.
unsafe fn frames(api: &Api, trap: Object) -> Vec<TrapFrame> {
    let mut list = Vector::empty();
    // SAFETY: the caller vouches for the trap; the list is filled by the engine and never deleted.
    unsafe {
        (api.wasm_trap_trace)(trap, &mut list);
        let frame = |frame: &Object| TrapFrame {
            function: (api.wasm_frame_func_index)(*frame),
            // All ones where the engine does not know it.
            offset: u32::try_from((api.wasm_frame_module_offset)(*frame)).ok().filter(|offset| *offset != u32::MAX),
            name: None,
        };
        list.slice().iter().map(frame).collect()
    }
}
