//! Takes locals out of a function that its code does not use.

use super::error::EditError;
use super::parts::Parts;
use super::sections::{declared, encoded};
use std::collections::BTreeMap;
use wasm_encoder::Instruction;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasmparser::Operator;

/// The body without unused locals, of the function with this number among those that the module defines; `None` if it uses all.
pub(super) fn compacted(module: &[u8], number: u32) -> Result<Option<Vec<u8>>, EditError> {
    let parts = Parts::of(module)?;
    let unknown = EditError::Other("no such function");
    let (Some(body), Some(ty)) = (parts.bodies.get(number as usize), parts.functions.get(number as usize)) else {
        return Err(unknown);
    };
    let params = parts.func_type(*ty).map_or(0, |ty| ty.params().len() as u32);
    let mut types = Vec::new();
    for group in body.get_locals_reader()? {
        let (count, ty) = group?;
        if types.len() + count as usize > 50_000 {
            return Err(EditError::Other("more locals than a function may have"));
        }
        types.extend((0..count).map(|_| ty));
    }
    let used_by = |operator: &Operator<'_>| match operator {
        Operator::LocalGet { local_index }
        | Operator::LocalSet { local_index }
        | Operator::LocalTee { local_index } => Some(*local_index),
        _ => None,
    };
    let mut used = std::collections::BTreeSet::new();
    for operator in body.get_operators_reader()? {
        used.extend(used_by(&operator?).and_then(|local| local.checked_sub(params)));
    }
    if used.len() == types.len() {
        return Ok(None);
    }
    let renumbered: BTreeMap<u32, u32> = used.iter().map(|local| params + local).zip(params..).collect();
    let mut groups: Vec<(u32, wasm_encoder::ValType)> = Vec::new();
    for local in &used {
        let Some(ty) = types.get(*local as usize) else { continue };
        let ty = RoundtripReencoder.val_type(*ty)?;
        match groups.last_mut() {
            Some((count, last)) if *last == ty => *count += 1,
            _ => groups.push((1, ty)),
        }
    }
    let mut bytes = declared(&groups);
    let mut reader = body.get_operators_reader()?;
    while !reader.eof() {
        let (operator, at) = reader.read_with_offset()?;
        let local = |local: &u32| renumbered.get(local).copied().unwrap_or(*local);
        match &operator {
            Operator::LocalGet { local_index } => bytes.extend(encoded(&Instruction::LocalGet(local(local_index)))),
            Operator::LocalSet { local_index } => bytes.extend(encoded(&Instruction::LocalSet(local(local_index)))),
            Operator::LocalTee { local_index } => bytes.extend(encoded(&Instruction::LocalTee(local(local_index)))),
            _ => bytes.extend_from_slice(&module[at..reader.original_position()]),
        }
    }
    Ok(Some(bytes))
}
