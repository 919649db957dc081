//! A page limit for memories that the module imports. WasmEdge's own setting applies to those that the module
//! defines, so an imported one is made with the limit as its maximum. Releases pass limits in two ways.

use super::abi::{Api, Object, Release};
use crate::engine::drive::Rejected;
use std::ffi::c_void;

/// A memory's limits as releases before 0.17 pass them: by value, in pages.
#[repr(C)]
#[derive(Clone, Copy)]
struct Limit {
    has_max: bool,
    shared: bool,
    min: u32,
    max: u32,
}

/// The limits of a type, whatever the release.
struct Pages {
    min: u64,
    max: Option<u64>,
}

impl Pages {
    /// The maximum that respects the limit.
    fn limited(self, limit: u64) -> Result<u64, Rejected> {
        if self.min > limit {
            return Err(Rejected::instantiate(format!(
                "the module imports a memory of {} pages, and the limit is {limit}",
                self.min
            )));
        }
        Ok(self.max.map_or(limit, |max| max.min(limit)))
    }
}

/// The type of an imported memory, with at most this many pages.
///
/// # Errors
/// When the limit is below what the module requires.
///
/// # Safety
/// It must be the type of a memory.
pub(super) unsafe fn limited(
    api: &Api,
    release: &Release,
    ty: *const c_void,
    limit: u64,
) -> Result<*const c_void, Rejected> {
    // SAFETY: the caller vouches for the type.
    let made = unsafe {
        if release.interface >= (0, 17, 0) { behind_pointer(api, ty, limit) } else { by_value(api, ty, limit) }
    };
    match made? {
        Some(ty) if !ty.is_null() => Ok(ty.cast_const()),
        _ => Err(Rejected::instantiate("this library makes no types of memories, so an import has no page limit")),
    }
}

/// The form before 0.17.
///
/// # Safety
/// It must be a type of such a release.
unsafe fn by_value(api: &Api, ty: *const c_void, limit: u64) -> Result<Option<Object>, Rejected> {
    type Get = unsafe extern "C" fn(*const c_void) -> Limit;
    type Create = unsafe extern "C" fn(Limit) -> Object;
    // SAFETY: these releases' functions of these names have these signatures, and the caller vouches for the type.
    unsafe {
        let get = api.extra::<Get>("WasmEdge_MemoryTypeGetLimit");
        let create = api.extra::<Create>("WasmEdge_MemoryTypeCreate");
        let (Some(get), Some(create)) = (get, create) else { return Ok(None) };
        let asked = get(ty);
        let pages = Pages { min: asked.min.into(), max: asked.has_max.then_some(asked.max.into()) };
        // With 32-bit addresses, no limit needs more than 32 bits.
        let max = u32::try_from(pages.limited(limit)?).unwrap_or(u32::MAX);
        Ok(Some(create(Limit { has_max: true, max, ..asked })))
    }
}

/// The form since 0.17.
///
/// # Safety
/// It must be a type of such a release.
unsafe fn behind_pointer(api: &Api, ty: *const c_void, limit: u64) -> Result<Option<Object>, Rejected> {
    type Get = unsafe extern "C" fn(*const c_void) -> *const c_void;
    type Number = unsafe extern "C" fn(*const c_void) -> u64;
    type Is = unsafe extern "C" fn(*const c_void) -> bool;
    type Make = unsafe extern "C" fn(u64, u64, bool, bool) -> Object;
    // SAFETY: these releases' functions of these names have these signatures, and the caller vouches for the type,
    // which owns its limits.
    unsafe {
        let get = api.extra::<Get>("WasmEdge_MemoryTypeGetLimit");
        let (min, max) = (api.extra::<Number>("WasmEdge_LimitGetMin"), api.extra::<Number>("WasmEdge_LimitGetMax"));
        let (has_max, shared) = (api.extra::<Is>("WasmEdge_LimitHasMax"), api.extra::<Is>("WasmEdge_LimitIsShared"));
        let long = api.extra::<Is>("WasmEdge_LimitIs64Bit");
        let (make, create) =
            (api.extra::<Make>("WasmEdge_LimitCreateWithMax"), api.extra::<Get>("WasmEdge_MemoryTypeCreate"));
        let (Some(get), Some(min), Some(max), Some(has_max), Some(shared), Some(long), Some(make), Some(create)) =
            (get, min, max, has_max, shared, long, make, create)
        else {
            return Ok(None);
        };
        let asked = get(ty);
        let pages = Pages { min: min(asked), max: has_max(asked).then(|| max(asked)) };
        let made = make(min(asked), pages.limited(limit)?, long(asked), shared(asked));
        Ok(Some(create(made).cast_mut()))
    }
}
