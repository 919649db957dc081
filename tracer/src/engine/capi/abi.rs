//! The part of the standard C interface `wasm.h` that is needed here: layouts, and functions found in a library.
//!
//! Names and signatures are the standard's. A pointer to an object of the engine is a `*mut c_void`, since only the
//! engine looks inside; the parameter's name in `wasm.h` gives its kind.

use crate::engine::library::functions;
use std::ffi::c_void;

/// An object of the engine.
pub(super) type Object = *mut c_void;

/// A vector: a number of elements at an address.
#[repr(C)]
pub(super) struct Vector<T> {
    pub(super) size: usize,
    pub(super) data: *mut T,
}

impl<T> Vector<T> {
    /// No elements.
    pub(super) const fn empty() -> Vector<T> {
        Vector { size: 0, data: std::ptr::null_mut() }
    }

    /// The elements of a slice, which the engine only reads, or writes if the slice is a place for results.
    pub(super) fn over(elements: &mut [T]) -> Vector<T> {
        Vector { size: elements.len(), data: elements.as_mut_ptr() }
    }

    /// Its elements.
    ///
    /// # Safety
    /// The vector must be one that the engine filled and has not deleted, and nobody may write to it meanwhile.
    pub(super) unsafe fn slice(&self) -> &[T] {
        if self.data.is_null() || self.size == 0 {
            return &[];
        }
        // SAFETY: the caller vouches for the engine: this many elements are there.
        unsafe { std::slice::from_raw_parts(self.data, self.size) }
    }
}

/// A value of 4 or of 8 bytes or a reference, in one place.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) union Payload {
    pub(super) word: u32,
    pub(super) wide: u64,
    pub(super) reference: Object,
}

/// A value with its kind.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Value {
    pub(super) kind: u8,
    pub(super) of: Payload,
}

/// Kinds of values; all from [`REFERENCE`] on are references.
pub(super) const I32: u8 = 0;
pub(super) const I64: u8 = 1;
pub(super) const F32: u8 = 2;
pub(super) const F64: u8 = 3;
pub(super) const REFERENCE: u8 = 128;

/// Kinds of imports and exports.
pub(super) const FUNCTION: u8 = 0;
pub(super) const MEMORY: u8 = 3;

/// A host function: its data, arguments, a place for results; returns a trap, or null.
pub(super) type Callback = unsafe extern "C" fn(*mut c_void, *const Vector<Value>, *mut Vector<Value>) -> Object;

functions! {
    wasm_byte_vec_delete(*mut Vector<u8>);
    wasm_engine_new() -> Object;
    wasm_store_new(Object) -> Object;
    wasm_valtype_kind(*const c_void) -> u8;
    wasm_functype_params(*const c_void) -> *const Vector<Object>;
    wasm_functype_results(*const c_void) -> *const Vector<Object>;
    wasm_externtype_kind(*const c_void) -> u8;
    wasm_externtype_as_functype_const(*const c_void) -> *const c_void;
    wasm_externtype_as_memorytype_const(*const c_void) -> *const c_void;
    wasm_importtype_module(*const c_void) -> *const Vector<u8>;
    wasm_importtype_name(*const c_void) -> *const Vector<u8>;
    wasm_importtype_type(*const c_void) -> *const c_void;
    wasm_exporttype_name(*const c_void) -> *const Vector<u8>;
    wasm_frame_func_index(*const c_void) -> u32;
    wasm_frame_module_offset(*const c_void) -> usize;
    wasm_trap_new(Object, *const Vector<u8>) -> Object;
    wasm_trap_message(*const c_void, *mut Vector<u8>);
    wasm_trap_trace(*const c_void, *mut Vector<Object>);
    wasm_module_validate(Object, *const Vector<u8>) -> bool;
    wasm_module_new(Object, *const Vector<u8>) -> Object;
    wasm_module_imports(*const c_void, *mut Vector<Object>);
    wasm_module_exports(*const c_void, *mut Vector<Object>);
    wasm_module_serialize(*const c_void, *mut Vector<u8>);
    wasm_module_deserialize(Object, *const Vector<u8>) -> Object;
    wasm_func_new_with_env(Object, *const c_void, Callback, *mut c_void, Option<unsafe extern "C" fn(*mut c_void)>) -> Object;
    wasm_func_as_extern(Object) -> Object;
    wasm_func_type(*const c_void) -> Object;
    wasm_functype_delete(Object);
    wasm_func_call(*const c_void, *const Vector<Value>, *mut Vector<Value>) -> Object;
    wasm_global_get(*const c_void, *mut Value);
    wasm_table_size(*const c_void) -> u32;
    wasm_memory_new(Object, *const c_void) -> Object;
    wasm_memory_as_extern(Object) -> Object;
    wasm_memory_data(Object) -> *mut u8;
    wasm_memory_data_size(*const c_void) -> usize;
    wasm_memory_size(*const c_void) -> u32;
    wasm_memory_grow(Object, u32) -> bool;
    wasm_extern_as_func(Object) -> Object;
    wasm_extern_as_global(Object) -> Object;
    wasm_extern_as_table(Object) -> Object;
    wasm_extern_as_memory(Object) -> Object;
    wasm_instance_new(Object, *const c_void, *const Vector<Object>, *mut Object) -> Object;
    wasm_instance_exports(*const c_void, *mut Vector<Object>);
}

impl Api {
    /// Whether the library has a function with this name.
    pub(super) fn has(&self, name: &str) -> bool {
        // SAFETY: the function is looked for and not called.
        unsafe { self.library.get::<unsafe extern "C" fn()>(name) }.is_ok()
    }

    /// A name or message that the engine owns, without the NUL at the end of some.
    ///
    /// # Safety
    /// As for [`Vector::slice`].
    pub(super) unsafe fn text(&self, vector: *const Vector<u8>) -> String {
        if vector.is_null() {
            return String::new();
        }
        // SAFETY: the caller vouches for the vector.
        let bytes = unsafe { (*vector).slice() };
        String::from_utf8_lossy(bytes.strip_suffix(b"\0").unwrap_or(bytes)).into_owned()
    }

    /// The same for a vector that is ours; deletes it.
    ///
    /// # Safety
    /// As for [`Vector::slice`]; it is not used afterwards.
    pub(super) unsafe fn own_text(&self, mut vector: Vector<u8>) -> String {
        // SAFETY: the caller vouches for the vector, and gives it away.
        unsafe {
            let text = self.text(&vector);
            (self.wasm_byte_vec_delete)(&mut vector);
            text
        }
    }
}
