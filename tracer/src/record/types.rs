//! Types of imports in words, as the text format has them: for error messages.

use wasmparser::{FuncType, GlobalType, MemoryType, TableType, TypeRef, ValType};

/// A function's type: `(i32, i64) -> (i32)`.
pub(super) fn signature(ty: &FuncType) -> String {
    let list = |types: &[ValType]| types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    format!("({}) -> ({})", list(ty.params()), list(ty.results()))
}

/// What an import is: `func (i32) -> (i64)`, `global (mut f32)`, `table 1 funcref`, `memory 1 2`,
/// `tag (i32)`. `function` finds a function type by its index.
pub(super) fn import<'a>(ty: TypeRef, function: impl Fn(u32) -> Option<&'a FuncType>) -> String {
    match ty {
        TypeRef::Func(index) | TypeRef::FuncExact(index) => {
            function(index).map_or("func".to_string(), |ty| format!("func {}", signature(ty)))
        }
        TypeRef::Tag(tag) => function(tag.func_type_idx).map_or("tag".to_string(), |ty| {
            let params: Vec<String> = ty.params().iter().map(ToString::to_string).collect();
            format!("tag ({})", params.join(", "))
        }),
        TypeRef::Global(GlobalType { content_type, mutable, shared }) => {
            let shared = if shared { "shared " } else { "" };
            match mutable {
                true => format!("global ({shared}mut {content_type})"),
                false => format!("global {shared}{content_type}"),
            }
        }
        TypeRef::Table(TableType { element_type, table64, initial, maximum, shared }) => {
            let limits = limits(table64, initial, maximum);
            format!("table {}{limits} {element_type}", if shared { "shared " } else { "" })
        }
        TypeRef::Memory(MemoryType { memory64, shared, initial, maximum, page_size_log2 }) => {
            let limits = limits(memory64, initial, maximum);
            let shared = if shared { " shared" } else { "" };
            let unit = match page_size_log2.and_then(|log2| 1u64.checked_shl(log2)) {
                Some(bytes) => format!(" (pagesize {bytes})"),
                None => String::new(),
            };
            format!("memory {limits}{shared}{unit}")
        }
    }
}

fn limits(wide: bool, initial: u64, maximum: Option<u64>) -> String {
    let index = if wide { "i64 " } else { "" };
    let maximum = maximum.map_or(String::new(), |maximum| format!(" {maximum}"));
    format!("{index}{initial}{maximum}")
}
