//! Calls for a module that nobody says how to call.

use super::interface::Interface;
use super::invocation::Invocation;
use crate::instrument::EXPORT_PREFIX;
use fastrand::Rng;
use wasmparser::{FuncType, ValType};

/// Most calls that are made up for one module.
const MOST_CALLS: usize = 64;

/// Arguments at which code is often wrong.
const INTEGERS: &[i64] = &[0, 1, -1, 2, 7, 8, 31, 32, 63, 64, 255, 65_535, 65_536, -65_536];
const FLOATS: &[&str] = &["0", "-0", "1", "-1.5", "0.1", "1e30", "-1e-30", "inf", "-inf", "nan"];

/// A call of each exported function whose arguments can be written down, by name, with arguments that only `seed`
/// decides. `None` for a module that is a WASI command, whose `_start` is to be called.
pub fn every_call(module: &[u8], seed: u64) -> Option<Vec<Invocation>> {
    let interface = Interface::of(module);
    if interface.exports.contains_key("_start") {
        return None;
    }
    let mut rng = Rng::with_seed(seed);
    let called = interface.exports.iter().filter_map(|(name, ty)| {
        let ty = ty.as_ref().filter(|_| !name.starts_with(EXPORT_PREFIX) && name != "_initialize")?;
        Some(Invocation { function: name.clone(), arguments: arguments(ty, &mut rng)? })
    });
    Some(called.take(MOST_CALLS).collect())
}

/// `None` for a type with vectors, which not every interface to an engine can pass, or with references.
fn arguments(ty: &FuncType, rng: &mut Rng) -> Option<Vec<String>> {
    let numeric = |ty: &ValType| matches!(ty, ValType::I32 | ValType::I64 | ValType::F32 | ValType::F64);
    if !ty.params().iter().chain(ty.results()).all(numeric) {
        return None;
    }
    let argument = |ty: &ValType| match ty {
        ValType::I32 | ValType::I64 => match rng.u8(..4) {
            0 if *ty == ValType::I32 => rng.i32(..).to_string(),
            0 => rng.i64(..).to_string(),
            _ => INTEGERS[rng.usize(..INTEGERS.len())].to_string(),
        },
        _ => FLOATS[rng.usize(..FLOATS.len())].to_string(),
    };
    Some(ty.params().iter().map(argument).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Program;
    use crate::record::Imports;

    #[test]
    fn every_call_fits_its_function() {
        let text = r#"(module
            (func (export "a") (param i32 i64 f32 f64) (result i32) i32.const 1)
            (func (export "b")) (func (export "vector") (param v128)) (func (export "reference") (param externref))
            (func (export "_initialize")))"#;
        let module = wat::parse_str(text).expect("a module");
        for seed in 0..200 {
            let calls = every_call(&module, seed).expect("no command");
            let names: Vec<&str> = calls.iter().map(|call| call.function.as_str()).collect();
            assert_eq!(names, ["a", "b"]);
            assert_eq!(Some(&calls), every_call(&module, seed).as_ref());
            Program::new("m", module.clone(), &calls, &Imports::default()).expect("calls that fit");
        }
        let command = wat::parse_str(r#"(module (func (export "_start")) (func (export "f")))"#).expect("a module");
        assert_eq!(every_call(&command, 1), None);
        assert_eq!(every_call(b"no module", 1), Some(Vec::new()));
    }
}
