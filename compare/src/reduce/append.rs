//! Adds an exported function to a module.

use super::error::EditError;
use super::parts::Parts;
use super::sections::Sections;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{CodeSection, ExportKind, ExportSection, Function, FunctionSection, TypeSection, ValType};

/// The module with one more function of these parameters and results, exported as `name`; no index changes.
pub(super) fn with_function(
    module: &[u8],
    name: &str,
    [params, results]: [&[ValType]; 2],
    function: &Function,
) -> Result<Vec<u8>, EditError> {
    let parts = Parts::of(module)?;
    let mut types = TypeSection::new();
    for group in &parts.types {
        RoundtripReencoder.parse_recursive_type_group(types.ty(), group.clone())?;
    }
    let ty = parts.types.iter().map(|group| group.types().len() as u32).sum();
    types.ty().function(params.iter().copied(), results.iter().copied());
    let mut functions = FunctionSection::new();
    parts.functions.iter().for_each(|ty| {
        functions.function(*ty);
    });
    functions.function(ty);
    let mut code = CodeSection::new();
    for body in &parts.bodies {
        code.raw(body.as_bytes());
    }
    code.function(function);
    let mut exports = ExportSection::new();
    for export in &parts.exports {
        RoundtripReencoder.parse_export(&mut exports, *export)?;
    }
    exports.export(name, ExportKind::Func, (parts.imported_functions().len() + parts.functions.len()) as u32);
    let mut sections = Sections::of(module)?;
    sections.set(&types);
    sections.set(&functions);
    sections.set(&code);
    sections.set(&exports);
    Ok(sections.to_module())
}
