//! The values that expressions had, as code that pushes them.

use super::answers::constant;
use super::body;
use super::candidate::Candidate;
use super::judge::Judge;
use super::probe::Probe;
use super::sections::{body_ranges, encoded};
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use wasm_encoder::Instruction;
use wasmparser::ValType;

/// Most expressions that are asked for in one run.
const MOST: usize = 5000;

/// For expressions of a function that leave one number: the code that pushes the last value of each in a run under the left
/// engine, by where the expression is in the body.
pub(super) fn last_values(judge: &Judge<'_>, candidate: &Candidate, number: u32) -> HashMap<Range<usize>, Vec<u8>> {
    find(judge, candidate, number).unwrap_or_default()
}

fn find(judge: &Judge<'_>, candidate: &Candidate, number: u32) -> Option<HashMap<Range<usize>, Vec<u8>>> {
    let code = body::code(&candidate.module, number).ok()?;
    let base = body_ranges(&candidate.module).ok()?.get(number as usize)?.start;
    let mut probe = Probe::new(&candidate.module).ok()?;
    let function = probe.parts().imported_functions().len() as u32 + number;
    // Whether the expression was reached, and its value.
    let mut asked: Vec<(Range<usize>, u32, u32)> = Vec::new();
    let mut temporary: BTreeMap<String, u32> = BTreeMap::new();
    for expression in code.expressions.iter().take(MOST) {
        let [ty] = expression.results[..] else { continue };
        if matches!(ty, ValType::Ref(_)) || expression.bytes.len() < 3 {
            continue;
        }
        let local = match temporary.get(&ty.to_string()) {
            Some(local) => *local,
            None => {
                let local = probe.local(function, ty).ok()?;
                temporary.insert(ty.to_string(), local);
                local
            }
        };
        let (reached, value) = (probe.global(ValType::I32), probe.global(ty));
        probe.insert(
            function,
            base + expression.bytes.end,
            &[
                Instruction::LocalTee(local),
                Instruction::LocalGet(local),
                Instruction::GlobalSet(value),
                Instruction::I32Const(1),
                Instruction::GlobalSet(reached),
            ],
        );
        asked.push((expression.bytes.clone(), reached, value));
    }
    let recorded = judge.record(&candidate.with(probe.finish().ok()?), None, "values.fpt").ok()?;
    let values: BTreeMap<u32, _> = recorded.globals.iter().map(|state| (state.index.0, &state.value)).collect();
    let was = |(range, reached, value): (Range<usize>, u32, u32)| {
        let reached = **values.get(&reached)? == forkpoint_traces::WasmValue::I32(1);
        let code = constant(values.get(&value)?).filter(|_| reached)?;
        Some((range, encoded(&code)))
    };
    Some(asked.into_iter().filter_map(was).collect())
}
