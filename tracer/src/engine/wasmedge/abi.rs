//! The part of WasmEdge's C interface that is needed here, and the differences between its releases.
//!
//! Types of functions and memories are taken from the module and not built here, except in `limits.rs`. So only two
//! differences remain between the three variants of the interface (0.13, 0.14 to 0.16, 0.17 and later): the
//! representation of a value's type, and whether sizes of memories have 32 or 64 bits. A 32-bit parameter is passed
//! as 64 bits with zeros above, which every 64-bit calling convention here allows; of a 32-bit result the upper half
//! is cut.

use crate::engine::drive::Rejected;
use crate::engine::library::functions;
use crate::spec::{ABIS, abis};
use crate::values::WasmValue;
use forkpoint_traces::Stage;
use std::ffi::{CStr, c_char, c_void};

/// An object of the engine.
pub(super) type Object = *mut c_void;

/// The result of a call.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Status {
    code: u32,
}

/// The part of a result that is not the category, and its value when the guest has ended itself.
const CODE: u32 = 0xff_ffff;
const EXITED: u32 = 1;

impl Status {
    /// Success.
    pub(super) const FINE: Status = Status { code: 0 };
}

/// A string without a NUL at its end.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Text {
    length: u32,
    start: *const c_char,
}

/// A value: 16 bytes, then its type.
#[repr(C, align(16))]
#[derive(Clone, Copy)]
pub(super) struct Value {
    pub(super) bits: [u64; 2],
    pub(super) ty: Type,
}

/// The type of a value: a number of four bytes in releases before 0.14; since then eight bytes, some of them
/// meaningless and arbitrary, so that only the library can compare them.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Type {
    pub(super) bytes: [u8; 8],
}

/// Whether two types are the same.
type SameTypes = unsafe extern "C" fn(Type, Type) -> bool;

/// A host function: its data, the calling frame, arguments, a place for results.
pub(super) type HostFunction = unsafe extern "C" fn(*mut c_void, *const c_void, *const Value, *mut Value) -> Status;

functions! {
    WasmEdge_VersionGetMajor() -> u32;
    WasmEdge_VersionGetMinor() -> u32;
    WasmEdge_VersionGetPatch() -> u32;
    WasmEdge_LogOff();
    WasmEdge_ConfigureCreate() -> Object;
    WasmEdge_ConfigureAddProposal(Object, u32);
    WasmEdge_ConfigureRemoveProposal(Object, u32);
    WasmEdge_ConfigureSetForceInterpreter(Object, bool);
    WasmEdge_ConfigureSetMaxMemoryPage(Object, u64);
    WasmEdge_LoaderCreate(*const c_void) -> Object;
    WasmEdge_LoaderParseFromFile(Object, *mut Object, *const c_char) -> Status;
    WasmEdge_ASTModuleListImportsLength(*const c_void) -> u32;
    WasmEdge_ASTModuleListImports(*const c_void, *mut *const c_void, u32) -> u32;
    WasmEdge_ImportTypeGetExternalType(*const c_void) -> u32;
    WasmEdge_ImportTypeGetModuleName(*const c_void) -> Text;
    WasmEdge_ImportTypeGetExternalName(*const c_void) -> Text;
    WasmEdge_ImportTypeGetFunctionType(*const c_void, *const c_void) -> *const c_void;
    WasmEdge_ImportTypeGetMemoryType(*const c_void, *const c_void) -> *const c_void;
    WasmEdge_VMCreate(*const c_void, Object) -> Object;
    WasmEdge_VMRegisterModuleFromImport(Object, *const c_void) -> Status;
    WasmEdge_VMLoadWasmFromFile(Object, *const c_char) -> Status;
    WasmEdge_VMValidate(Object) -> Status;
    WasmEdge_VMInstantiate(Object) -> Status;
    WasmEdge_VMGetActiveModule(*const c_void) -> *const c_void;
    WasmEdge_VMGetFunctionType(*const c_void, Text) -> *const c_void;
    WasmEdge_VMExecute(Object, Text, *const Value, u32, *mut Value, u32) -> Status;
    WasmEdge_FunctionTypeGetParametersLength(*const c_void) -> u32;
    WasmEdge_FunctionTypeGetReturnsLength(*const c_void) -> u32;
    WasmEdge_ModuleInstanceCreate(Text) -> Object;
    WasmEdge_ModuleInstanceAddFunction(Object, Text, Object);
    WasmEdge_ModuleInstanceAddMemory(Object, Text, Object);
    WasmEdge_ModuleInstanceFindMemory(*const c_void, Text) -> Object;
    WasmEdge_ModuleInstanceFindGlobal(*const c_void, Text) -> Object;
    WasmEdge_ModuleInstanceFindTable(*const c_void, Text) -> Object;
    WasmEdge_FunctionInstanceCreate(*const c_void, HostFunction, *mut c_void, u64) -> Object;
    WasmEdge_MemoryInstanceCreate(*const c_void) -> Object;
    WasmEdge_MemoryInstanceGetPageSize(*const c_void) -> u64;
    WasmEdge_MemoryInstanceGrowPage(Object, u64) -> Status;
    WasmEdge_MemoryInstanceGetPointer(Object, u64, u64) -> *mut u8;
    WasmEdge_GlobalInstanceGetValue(*const c_void) -> Value;
    WasmEdge_TableInstanceGetSize(*const c_void) -> u64;
    WasmEdge_ValueGenI32(i32) -> Value;
    WasmEdge_ValueGenI64(i64) -> Value;
    WasmEdge_ValueGenF32(f32) -> Value;
    WasmEdge_ValueGenF64(f64) -> Value;
    WasmEdge_ValueGenV128(i128) -> Value;
    WasmEdge_ValueIsNullRef(Value) -> bool;
    WasmEdge_ResultOK(Status) -> bool;
    WasmEdge_ResultGen(u32, u32) -> Status;
    WasmEdge_ResultGetMessage(Status) -> *const c_char;
}

impl Text {
    /// A string of ours, which the engine only copies or reads during the call.
    pub(super) fn of(text: &str) -> Text {
        Text { length: text.len() as u32, start: text.as_ptr().cast() }
    }

    /// A string of the engine.
    ///
    /// # Safety
    /// The engine must have returned it, and its owner must still be alive.
    pub(super) unsafe fn read(self) -> String {
        if self.start.is_null() {
            return String::new();
        }
        // SAFETY: the caller vouches for the engine.
        let bytes = unsafe { std::slice::from_raw_parts(self.start.cast::<u8>(), self.length as usize) };
        String::from_utf8_lossy(bytes).into_owned()
    }
}

/// Major, minor, patch.
pub(super) type Version = (u32, u32, u32);

/// The version of a library that does not know its own.
const UNKNOWN: Version = (0, 0, 0);

/// The oldest release whose interface is known.
const OLDEST: Version = (0, 13, 0);

/// A release, and the form of its values.
pub(super) struct Release {
    /// The version that the library reports.
    pub(super) version: Version,
    /// The release whose interface it has.
    pub(super) interface: Version,
    /// Values of each type, all zero, by which types are recognised.
    zeros: [Value; 5],
    /// The library's own comparison, since 0.14.
    same: Option<SameTypes>,
}

/// Zero in every bit, without a type.
pub(super) const NOTHING: Value = Value { bits: [0; 2], ty: Type { bytes: [0; 8] } };

impl Release {
    /// Asks a library.
    pub(super) fn of(api: &Api) -> Release {
        // SAFETY: none of these functions has a condition, and a comparison of types has this signature.
        unsafe {
            let version = (
                (api.WasmEdge_VersionGetMajor)(),
                (api.WasmEdge_VersionGetMinor)(),
                (api.WasmEdge_VersionGetPatch)(),
            );
            Release {
                version,
                interface: version,
                zeros: [
                    (api.WasmEdge_ValueGenI32)(0),
                    (api.WasmEdge_ValueGenI64)(0),
                    (api.WasmEdge_ValueGenF32)(0.0),
                    (api.WasmEdge_ValueGenF64)(0.0),
                    (api.WasmEdge_ValueGenV128)(0),
                ],
                same: api.extra::<SameTypes>("WasmEdge_ValTypeIsEqual"),
            }
        }
    }

    /// Takes the interface that the user names, if the library does not know its version: one that is built from an
    /// archive of the sources, outside their repository, says 0.0.0.
    ///
    /// # Errors
    /// When it is needed and missing, or not the library's.
    pub(super) fn with_interface(mut self, api: &Api, named: Option<&str>) -> Result<Release, String> {
        let words = self.version_words();
        let interface =
            named.and_then(|named| ABIS.iter().find(|(name, _)| *name == named)).map(|(_, version)| *version);
        self.interface = match (self.version, interface) {
            (UNKNOWN, Some(interface)) => interface,
            (UNKNOWN, None) => {
                return Err(format!(
                    "this library reports its version as WasmEdge {words}, as builds from a source archive do: name the release whose C interface it has, as in abi=0.14; forkpoint knows {}",
                    abis()
                ));
            }
            (version, _) if version < OLDEST => {
                return Err(format!("this is WasmEdge {words}; 0.13 is the oldest release that forkpoint supports"));
            }
            (version, Some(interface)) if (version.0, version.1) != (interface.0, interface.1) => {
                return Err(format!(
                    "this is WasmEdge {words}, and abi= is for a library that does not know its version: leave it out"
                ));
            }
            (version, _) => version,
        };
        // The variants that pass values and sizes differently are distinguished by their functions.
        for (function, since) in [("WasmEdge_ValTypeIsEqual", (0, 14, 0)), ("WasmEdge_LimitIs64Bit", (0, 17, 0))] {
            // SAFETY: the function is only looked for.
            let there = unsafe { api.extra::<unsafe extern "C" fn()>(function) }.is_some();
            if self.version == UNKNOWN && there != (self.interface >= since) {
                let (has, is) = if there { ("has", "0.") } else { ("lacks", "before 0.") };
                let (minor, later) = (since.1, if there { " or later" } else { "" });
                return Err(format!(
                    "the library {has} the function {function}, so its C interface is that of {is}{minor}{later}, and not \
                     that of {}",
                    named.unwrap_or_default()
                ));
            }
        }
        Ok(self)
    }

    /// The version as the library reports it.
    fn version_words(&self) -> String {
        let (major, minor, patch) = self.version;
        format!("{major}.{minor}.{patch}")
    }

    /// The same with the interface that the user named, if the library does not know.
    pub(super) fn words(&self) -> String {
        match self.version {
            UNKNOWN => format!("{}, used as {}.{}", self.version_words(), self.interface.0, self.interface.1),
            _ => self.version_words(),
        }
    }

    /// A size of a memory or table, of which older releases return 32 bits.
    pub(super) fn size(&self, size: u64) -> u64 {
        if self.interface >= (0, 17, 0) { size } else { size & u64::from(u32::MAX) }
    }

    /// Whether two values have the same type.
    pub(super) fn same_type(&self, a: &Value, b: &Value) -> bool {
        match self.same {
            // SAFETY: types of values that this library made, or zeros.
            Some(same) => unsafe { same(a.ty, b.ty) },
            None => a.ty.bytes[..4] == b.ty.bytes[..4],
        }
    }

    /// A value for the engine, which takes no references. Floats go as their bits: passed as numbers, the processor
    /// may turn one into a different NaN.
    pub(super) fn given(&self, value: &WasmValue) -> Option<Value> {
        let (kind, bits) = match value {
            WasmValue::I32(value) => (0, [u64::from(*value as u32), 0]),
            WasmValue::I64(value) => (1, [*value as u64, 0]),
            WasmValue::F32(bits) => (2, [u64::from(*bits), 0]),
            WasmValue::F64(bits) => (3, [*bits, 0]),
            WasmValue::V128(bytes) => {
                let whole = u128::from_le_bytes(*bytes);
                (4, [whole as u64, (whole >> 64) as u64])
            }
            WasmValue::Reference(_) => return None,
        };
        Some(Value { bits, ..self.zeros[kind] })
    }

    /// A value from the engine.
    pub(super) fn taken(&self, api: &Api, value: &Value) -> WasmValue {
        match self.zeros.iter().position(|zero| self.same_type(zero, value)) {
            Some(0) => WasmValue::I32(value.bits[0] as i32),
            Some(1) => WasmValue::I64(value.bits[0] as i64),
            Some(2) => WasmValue::F32(value.bits[0] as u32),
            Some(3) => WasmValue::F64(value.bits[0]),
            Some(_) => {
                let whole = u128::from(value.bits[0]) | u128::from(value.bits[1]) << 64;
                WasmValue::V128(whole.to_le_bytes())
            }
            None => {
                // SAFETY: what is neither a number nor a vector is a reference.
                let null = unsafe { (api.WasmEdge_ValueIsNullRef)(*value) };
                WasmValue::Reference(if null { "null" } else { "reference" }.to_string())
            }
        }
    }
}

impl Api {
    /// A rejection at a stage, if the result is one: the engine's message and its number.
    pub(super) fn accept(&self, stage: Stage, status: Status) -> Result<(), Rejected> {
        match self.complaint(status) {
            Some(message) => {
                Err(Rejected { code: Some(format!("{:#06x}", status.code)), ..Rejected::at(stage, message) })
            }
            None => Ok(()),
        }
    }

    /// Whether a result says that the guest ended itself, which also counts as success.
    pub(super) fn is_exit(&self, status: Status) -> bool {
        // SAFETY: any number is a result.
        status.code & CODE == EXITED && unsafe { (self.WasmEdge_ResultOK)(status) }
    }

    /// The engine's message about a result, unless it is success.
    pub(super) fn complaint(&self, status: Status) -> Option<String> {
        // SAFETY: any number is a result, and messages are constants of the library.
        unsafe {
            if (self.WasmEdge_ResultOK)(status) {
                return None;
            }
            let message = (self.WasmEdge_ResultGetMessage)(status);
            Some(match message.is_null() {
                true => format!("error {:#x}", status.code),
                false => CStr::from_ptr(message).to_string_lossy().into_owned(),
            })
        }
    }
}

#[cfg(test)]
impl Release {
    /// A release without a library.
    pub(super) fn test(version: Version) -> Release {
        Release { version, interface: version, zeros: [NOTHING; 5], same: None }
    }
}
