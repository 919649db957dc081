//! Values of scripts, references among them. Of a reference, a host knows little: whether it is null, a function, or one of
//! the host's own, which is a pointer of the host's choice. The number in a script plus one is that pointer.

use super::abi::{Api, Release, Type, Value};
use crate::engine::library::extra_functions;
use crate::values::{WasmValue, host_value};
use std::ffi::c_void;

extra_functions! {
    /// The functions that a library needs for it. All releases since 0.13 have them.
    outside: "WasmEdge_ValueGenExternRef" (*mut c_void) -> Value;
    function: "WasmEdge_ValueGenFuncRef" (*const c_void) -> Value;
    parameters: "WasmEdge_FunctionTypeGetParameters" (*const c_void, *mut u8, u32) -> u32;
}

/// Whether a type is of a kind.
type Is = unsafe extern "C" fn(Type) -> bool;

/// The first release whose types have eight bytes, and whose references hold their type before the pointer.
const LONG: (u32, u32, u32) = (0, 14, 0);

/// What turns references into words and back.
pub(super) struct References {
    functions: Functions,
    /// A null of each kind.
    nulls: [Value; 2],
    /// Tell an external reference and a function of any type, since 0.14.
    kinds: Option<[Is; 2]>,
}

impl References {
    /// That of a library.
    pub(super) fn of(api: &Api) -> Option<References> {
        let functions = Functions::of(api)?;
        // SAFETY: null is a pointer for both; functions of these names have this signature.
        unsafe {
            let nulls = [(functions.outside)(std::ptr::null_mut()), (functions.function)(std::ptr::null())];
            let kinds =
                ["WasmEdge_ValTypeIsExternRef", "WasmEdge_ValTypeIsFuncRef"].map(|name| api.extra::<Is>(name));
            let kinds = match kinds {
                [Some(outside), Some(function)] => Some([outside, function]),
                _ => None,
            };
            Some(References { functions, nulls, kinds })
        }
    }

    /// Arguments for a function of this type; `None` if there is one that cannot be made.
    ///
    /// # Safety
    /// The type must be one of the library, of functions with so many parameters.
    pub(super) unsafe fn given(
        &self,
        release: &Release,
        ty: *const c_void,
        arguments: &[WasmValue],
    ) -> Option<Vec<Value>> {
        let size = if release.interface >= LONG { 8 } else { 4 };
        let mut types = vec![0; arguments.len() * size];
        // SAFETY: there is room for as many types as are asked for, and the caller vouches for the type.
        unsafe { (self.functions.parameters)(ty, types.as_mut_ptr(), arguments.len() as u32) };
        let types = types.chunks_exact(size).map(|bytes| {
            let mut ty = Type { bytes: [0; 8] };
            ty.bytes[..size].copy_from_slice(bytes);
            ty
        });
        arguments.iter().zip(types).map(|(value, ty)| self.argument(release, value, ty)).collect()
    }

    fn argument(&self, release: &Release, value: &WasmValue, ty: Type) -> Option<Value> {
        let WasmValue::Reference(text) = value else { return release.given(value) };
        if let Some(number) = host_value(text, "extern") {
            // SAFETY: the engine does not look at what the pointer points to.
            return Some(unsafe { (self.functions.outside)((number as usize + 1) as *mut c_void) });
        }
        if text != "null" {
            return None;
        }
        let of_type = Value { bits: [0; 2], ty };
        let known = self.nulls.iter().find(|null| release.same_type(null, &of_type));
        Some(match known {
            Some(null) => *null,
            None if release.interface >= LONG => Value { bits: [u64::from_le_bytes(ty.bytes), 0], ty },
            None => of_type,
        })
    }

    /// A value from the engine, with what is known of a reference.
    pub(super) fn taken(&self, api: &Api, release: &Release, value: &Value) -> WasmValue {
        match release.taken(api, value) {
            WasmValue::Reference(text) if text != "null" => WasmValue::Reference(self.words(release, value)),
            value => value,
        }
    }

    fn words(&self, release: &Release, value: &Value) -> String {
        let is = |kind: usize| match self.kinds {
            // SAFETY: the type of a value of the library.
            Some(kinds) => unsafe { kinds[kind](value.ty) },
            None => release.same_type(&self.nulls[kind], value),
        };
        if is(1) {
            return "func".to_string();
        }
        if !is(0) {
            return "reference".to_string();
        }
        let pointer = value.bits[usize::from(release.interface >= LONG)];
        match pointer.checked_sub(1).and_then(|number| u32::try_from(number).ok()) {
            Some(number) => format!("extern {number}"),
            None => "extern".to_string(),
        }
    }
}
