//! Calls for a module when the user names none.

use super::interface::Interface;
use super::invocation::Invocation;
use crate::instrument::EXPORT_PREFIX;
use fastrand::Rng;
use wasmparser::{FuncType, ValType};

/// Most calls that are made up for one module.
const MOST_CALLS: usize = 256;

/// One call of a function in this many has arguments that may be any number.
const ANY: usize = 4;

/// Integers of both widths at which code is often wrong.
const INTEGERS: &[i64] = &[
    1,
    -1,
    2,
    3,
    4,
    7,
    8,
    15,
    16,
    31,
    32,
    33,
    63,
    64,
    65,
    127,
    128,
    -128,
    255,
    256,
    4095,
    4096,
    32767,
    32768,
    65535,
    65536,
    -65536,
    0x7fff_ffff,
    -0x8000_0000,
];
/// Those of 64 bits only.
const LONG_INTEGERS: &[i64] = &[0x8000_0000, 0xffff_ffff, 0x1_0000_0000, 1 << 53, i64::MAX, i64::MIN];
/// Floats: the ends of each type and of what converts to an integer, and NaN in the form that every interface passes on.
const FLOATS: &[&str] = &[
    "-0",
    "1",
    "-1.5",
    "0.1",
    "0.5",
    "1e30",
    "-1e-30",
    "1e-45",
    "5e-324",
    "1.1754944e-38",
    "3.4028235e38",
    "1.7976931348623157e308",
    "2147483647.5",
    "2147483648",
    "-2147483649",
    "4294967296",
    "9223372036854775808",
    "-9223372036854777856",
    "18446744073709551616",
    "inf",
    "-inf",
    "nan",
];
/// Arguments that make no loop long.
const TAME: i64 = 64;

/// How the arguments of made-up calls are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MadeUp {
    /// Decides all of them.
    pub seed: u64,
    /// How often a function with parameters is called, each time with others. All functions together get 256 calls at most.
    pub calls: usize,
    /// Only small numbers: for a module that a large one keeps busy too long.
    pub tame: bool,
}

/// Calls of each exported function whose arguments can be written down, by name: first with zeros, then with values at
/// which code is often wrong, ends of types and of memory among them, and every fourth with any numbers. `None` for a module
/// that is a WASI command, whose `_start` is to be called.
pub fn every_call(module: &[u8], made_up: MadeUp) -> Option<Vec<Invocation>> {
    let interface = Interface::of(module);
    if interface.exports.contains_key("_start") {
        return None;
    }
    let called = interface.exports.iter().filter_map(|(name, ty)| {
        let ty = ty.as_ref().filter(|_| !name.starts_with(EXPORT_PREFIX) && name != "_initialize")?;
        is_numeric(ty).then_some((name, ty))
    });
    let called: Vec<(&String, &FuncType)> = called.take(MOST_CALLS).collect();
    let plain = called.iter().filter(|(_, ty)| ty.params().is_empty()).count();
    let room = (MOST_CALLS - plain) / (called.len() - plain).max(1);
    let each = made_up.calls.clamp(1, room.max(1));
    let mut rng = Rng::with_seed(made_up.seed);
    let mut calls = Vec::new();
    for (name, ty) in called {
        let mut walks: Vec<Walk> =
            ty.params().iter().map(|ty| Walk::new(*ty, interface.memory_bytes, made_up.tame, &mut rng)).collect();
        let times = if walks.is_empty() { 1 } else { each };
        for time in 0..times {
            let arguments = walks.iter_mut().map(|walk| walk.next(time, &mut rng)).collect();
            calls.push(Invocation { function: name.clone(), arguments });
        }
    }
    Some(calls)
}

/// Whether it has neither vectors, which not every interface to an engine can pass, nor references.
fn is_numeric(ty: &FuncType) -> bool {
    let numeric = |ty: &ValType| matches!(ty, ValType::I32 | ValType::I64 | ValType::F32 | ValType::F64);
    ty.params().iter().chain(ty.results()).all(numeric)
}

/// The values of one parameter in a row of calls: each boundary once before one comes again.
struct Walk {
    ty: ValType,
    tame: bool,
    values: Vec<String>,
    next: usize,
}

impl Walk {
    fn new(ty: ValType, memory: Option<u64>, tame: bool, rng: &mut Rng) -> Walk {
        // Just below, at, and just past the end of memory.
        let ends =
            memory.into_iter().flat_map(|size| [-16, -8, -4, -1, 0, 1].map(|by| (size as i64).saturating_add(by)));
        let ends = ends.filter(|end| *end >= 0);
        let mut values: Vec<String> = match ty {
            ValType::I32 => INTEGERS
                .iter()
                .copied()
                .chain(ends.filter(|end| *end <= 0xffff_ffff))
                .map(|n| n.to_string())
                .collect(),
            ValType::I64 => {
                INTEGERS.iter().chain(LONG_INTEGERS).copied().chain(ends).map(|n| n.to_string()).collect()
            }
            _ => FLOATS.iter().map(|float| float.to_string()).collect(),
        };
        if tame && matches!(ty, ValType::I32 | ValType::I64) {
            values = (1..=TAME).map(|n| n.to_string()).collect();
        }
        rng.shuffle(&mut values);
        Walk { ty, tame, values, next: 0 }
    }

    fn next(&mut self, time: usize, rng: &mut Rng) -> String {
        match (time, self.ty) {
            (0, _) => "0".to_string(),
            (time, ValType::I32) if time % ANY == 0 && !self.tame => rng.i32(..).to_string(),
            (time, ValType::I64) if time % ANY == 0 && !self.tame => rng.i64(..).to_string(),
            (time, ValType::F32 | ValType::F64) if time % ANY == 0 => format!("{:e}", (rng.f64() - 0.5) * 1e6),
            _ => {
                let value = self.values[self.next % self.values.len()].clone();
                self.next += 1;
                value
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Program;
    use crate::record::Imports;
    use std::collections::BTreeSet;

    fn every(module: &[u8], seed: u64, calls: usize) -> Option<Vec<Invocation>> {
        every_call(module, MadeUp { seed, calls, tame: false })
    }

    #[test]
    fn every_call_fits_its_function() {
        let text = r#"(module (memory 2)
            (func (export "a") (param i32 i64 f32 f64) (result i32) i32.const 1)
            (func (export "b")) (func (export "vector") (param v128)) (func (export "reference") (param externref))
            (func (export "_initialize")))"#;
        let module = wat::parse_str(text).expect("a module");
        for seed in 0..200 {
            let calls = every(&module, seed, 5).expect("no command");
            let names: Vec<&str> = calls.iter().map(|call| call.function.as_str()).collect();
            assert_eq!(names, ["a", "a", "a", "a", "a", "b"]);
            assert_eq!(calls[0].arguments, ["0", "0", "0", "0"]);
            assert_eq!(Some(&calls), every(&module, seed, 5).as_ref());
            Program::new("m", module.clone(), &calls, &Imports::default()).expect("calls that fit");
            let tame = every_call(&module, MadeUp { seed, calls: 20, tame: true }).expect("no command");
            let small = |text: &String| (0..=TAME).contains(&text.parse().expect("an integer"));
            assert!(tame.iter().all(|call| call.arguments.iter().take(2).all(small)), "{tame:?}");
        }
        let command = wat::parse_str(r#"(module (func (export "_start")) (func (export "f")))"#).expect("a module");
        assert_eq!(every(&command, 1, 1), None);
        assert_eq!(every(b"no module", 1, 1), Some(Vec::new()));
    }

    #[test]
    fn boundaries_of_types_and_of_memory_come_before_any_comes_again() {
        let text = r#"(module (memory 2) (func (export "a") (param i32)) (func (export "b") (param i64)))"#;
        let module = wat::parse_str(text).expect("a module");
        let calls = every(&module, 3, 60).expect("no command");
        let values = |name: &str| -> BTreeSet<String> {
            calls.iter().filter(|call| call.function == name).map(|call| call.arguments[0].clone()).collect()
        };
        for value in ["0", "-1", "2147483647", "-2147483648", "131071", "131072", "131073"] {
            assert!(values("a").contains(value) && values("b").contains(value), "{value}");
        }
        assert!(values("b").contains(&i64::MIN.to_string()));
        assert!(values("a").len() > 45, "{calls:?}");
        assert_ne!(every(&module, 3, 60), every(&module, 4, 60));
    }

    #[test]
    fn the_number_of_calls_is_bounded() {
        let functions: String = (0..100).map(|i| format!(r#"(func (export "f{i}") (param i32))"#)).collect();
        let module = wat::parse_str(format!("(module {functions})")).expect("a module");
        assert_eq!(every(&module, 0, 1000).map(|calls| calls.len()), Some(200));
        let functions: String = (0..900).map(|i| format!(r#"(func (export "f{i}"))"#)).collect();
        let module = wat::parse_str(format!("(module {functions})")).expect("a module");
        assert_eq!(every(&module, 0, 8).map(|calls| calls.len()), Some(256));
    }
}
