//! Puts the code of the one function that an exported one calls in its place, or makes that function simpler to call.

use super::body::{Splice, spliced};
use super::error::EditError;
use super::parts::Parts;
use super::sections::{Sections, declared, encoded, with_bodies};
use std::collections::BTreeMap;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{BlockType, FunctionSection, Instruction, TypeSection, ValType};
use wasmparser::Operator;

/// The module with its one exported function, which has no locals and calls another one once with constants, doing what that one
/// does; `None` if it is not such a module.
pub(super) fn entry(module: &[u8]) -> Result<Option<Vec<u8>>, EditError> {
    let parts = Parts::of(module)?;
    let imported = parts.imported_functions().len() as u32;
    let [export] = parts.exports[..] else { return Ok(None) };
    let Some(number) = export.index.checked_sub(imported) else { return Ok(None) };
    let Some(body) = parts.bodies.get(number as usize) else { return Ok(None) };
    let (mut arguments, mut called, mut rest) = (Vec::new(), None, Vec::new());
    let mut reader = body.get_operators_reader()?;
    while !reader.eof() {
        let (operator, at) = reader.read_with_offset()?;
        let bytes = module[at..reader.original_position()].to_vec();
        match operator {
            Operator::Call { function_index } if called.is_none() => called = Some(function_index),
            _ if called.is_some() => rest.extend(bytes),
            Operator::I32Const { .. }
            | Operator::I64Const { .. }
            | Operator::F32Const { .. }
            | Operator::F64Const { .. }
            | Operator::V128Const { .. } => arguments.push(bytes),
            _ => return Ok(None),
        }
    }
    let Some(called) = called.filter(|called| *called != export.index) else { return Ok(None) };
    let Some(callee) = called.checked_sub(imported).and_then(|number| parts.bodies.get(number as usize)) else {
        return Ok(None);
    };
    let Some(ty) = parts.type_of(called).and_then(|ty| parts.func_type(ty)) else { return Ok(None) };
    if body.get_locals_reader()?.get_count() > 0 || arguments.len() != ty.params().len() || ty.results().len() > 1 {
        return Ok(None);
    }
    let mut groups: Vec<(u32, ValType)> = Vec::new();
    for ty in ty.params() {
        groups.push((1, RoundtripReencoder.val_type(*ty)?));
    }
    for group in callee.get_locals_reader()? {
        let (count, ty) = group?;
        groups.push((count, RoundtripReencoder.val_type(ty)?));
    }
    let mut bytes = declared(&groups);
    for (local, argument) in (0..).zip(arguments) {
        bytes.extend(argument);
        bytes.extend(encoded(&Instruction::LocalSet(local)));
    }
    let block = match ty.results() {
        [] => BlockType::Empty,
        [result, ..] => BlockType::Result(RoundtripReencoder.val_type(*result)?),
    };
    bytes.extend(encoded(&Instruction::Block(block)));
    // With its last `end`, which closes the block.
    bytes.extend_from_slice(&module[callee.get_operators_reader()?.original_position()..callee.range().end]);
    bytes.extend(rest);
    Ok(Some(with_bodies(module, &BTreeMap::from([(number, bytes)]))?))
}

/// The module with no results from functions that have some, where every caller drops them at once; `None` if there is no such
/// function.
pub(super) fn without_results(module: &[u8]) -> Result<Option<Vec<u8>>, EditError> {
    let parts = Parts::of(module)?;
    let imported = parts.imported_functions().len() as u32;
    // By function: whether all calls drop what it gives, and how many there are.
    let mut calls: BTreeMap<u32, (bool, usize)> = BTreeMap::new();
    for body in &parts.bodies {
        let mut operators =
            body.get_operators_reader()?.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().peekable();
        while let Some(operator) = operators.next() {
            let Operator::Call { function_index } = operator else { continue };
            let results =
                parts.type_of(function_index).and_then(|ty| parts.func_type(ty)).map_or(0, |ty| ty.results().len());
            let drops = (0..results).all(|_| operators.next_if(|next| matches!(next, Operator::Drop)).is_some());
            let of_function = calls.entry(function_index).or_insert((true, 0));
            *of_function = (of_function.0 && drops, of_function.1 + results);
        }
    }
    let drops_all = |function: &u32| calls.get(function).is_some_and(|(drops, results)| *drops && *results > 0);
    let Some(function) = (imported..).take(parts.bodies.len()).find(drops_all) else { return Ok(None) };
    let Some(ty) = parts.type_of(function).and_then(|ty| parts.func_type(ty)) else { return Ok(None) };
    let results = ty.results().len();

    let mut types = TypeSection::new();
    for group in &parts.types {
        RoundtripReencoder.parse_recursive_type_group(types.ty(), group.clone())?;
    }
    let without = parts.types.iter().map(|group| group.types().len() as u32).sum();
    let params = ty.params().iter().map(|ty| RoundtripReencoder.val_type(*ty)).collect::<Result<Vec<_>, _>>()?;
    types.ty().function(params, []);
    let mut functions = FunctionSection::new();
    for (number, ty) in (imported..).zip(&parts.functions) {
        functions.function(if number == function { without } else { *ty });
    }
    let drop = encoded(&Instruction::Drop);
    let mut bodies = BTreeMap::new();
    for (number, body) in (0..).zip(&parts.bodies) {
        let (mut splices, base): (Vec<Splice>, _) = (Vec::new(), body.range().start);
        let mut reader = body.get_operators_reader()?;
        while !reader.eof() {
            let (operator, _) = reader.read_with_offset()?;
            if matches!(operator, Operator::Call { function_index } if function_index == function) {
                let at = reader.original_position() - base;
                splices.push((at..at + results * drop.len(), Vec::new()));
            }
        }
        if imported + number == function {
            let end = body.range().len() - 1;
            splices.push((end..end, drop.repeat(results)));
        }
        bodies.insert(number, spliced(&module[body.range()], &splices));
    }
    let mut sections = Sections::of(module)?;
    sections.set_bodies(&bodies, module)?;
    sections.set(&types);
    sections.set(&functions);
    Ok(Some(sections.to_module()))
}
