//! Edits keep modules valid, whatever the module.

use super::body::{self, spliced, zero};
use super::prune::{Memories, Stubs, pruned};
use super::sections::{body_ranges, with_bodies};
use super::{inline, locals};
use arbitrary::Unstructured;
use std::collections::BTreeMap;
use wasmparser::{Validator, WasmFeatures};

/// Modules that a test looks at.
const MODULES: u64 = 150;

fn generated(seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    let bytes: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(4000).collect();
    let config = wasm_smith::Config {
        exceptions_enabled: false,
        gc_enabled: false,
        max_instructions: 120,
        min_funcs: 2,
        ..wasm_smith::Config::default()
    };
    wasm_smith::Module::new(config, &mut Unstructured::new(&bytes)).expect("a module").to_bytes()
}

fn check(module: &[u8], what: &str) {
    if let Err(error) = Validator::new_with_features(WasmFeatures::all()).validate_all(module) {
        panic!("{what}: {error}\n{}", wasmprinter::print_bytes(module).unwrap_or_default());
    }
}

fn with_body(module: &[u8], number: u32, body: Vec<u8>) -> Vec<u8> {
    with_bodies(module, &BTreeMap::from([(number, body)])).expect("an edit")
}

#[test]
fn expressions_can_be_replaced_by_zeros_and_statements_by_nothing() {
    let mut replaced = 0;
    for seed in 0..MODULES {
        let module = generated(seed);
        for (number, range) in (0..).zip(body_ranges(&module).expect("bodies")) {
            let code = body::code(&module, number).expect("code");
            for expression in code.expressions {
                let zeros = expression.results.iter().map(|ty| zero(*ty)).collect::<Option<Vec<_>>>();
                // An instruction that ends what can be reached may be needed for the types of what follows.
                let ends = expression.results.is_empty() && expression.operands.is_empty();
                let Some(zeros) = zeros.filter(|zeros| !zeros.is_empty() || !ends) else { continue };
                let body = spliced(&module[range.clone()], &[(expression.bytes.clone(), zeros.concat())]);
                check(&with_body(&module, number, body), &format!("seed {seed}, function {number}, {expression:?}"));
                replaced += 1;
            }
            let dead: Vec<_> = code.dead.into_iter().map(|range| (range, Vec::new())).collect();
            let alive = with_body(&module, number, spliced(&module[range.clone()], &dead));
            check(&alive, &format!("seed {seed}, dead code"));
            // What cannot be reached may branch anywhere.
            let range = body_ranges(&alive).expect("bodies")[number as usize].clone();
            for unwrapping in body::code(&alive, number).expect("code").unwrappings {
                let body = spliced(&alive[range.clone()], &unwrapping);
                check(&with_body(&alive, number, body), &format!("seed {seed}, {unwrapping:?}"));
            }
        }
    }
    assert!(replaced > 1000, "{replaced}");
}

#[test]
fn what_is_left_after_pruning_is_valid() {
    for seed in 0..MODULES {
        let module = generated(seed);
        let small = pruned(&module, &Stubs::new(), Memories::Go).expect("a module");
        check(&small, &format!("seed {seed}"));
        assert_eq!(
            pruned(&small, &Stubs::new(), Memories::Go).expect("a module"),
            small,
            "seed {seed}: twice is like once"
        );
        for number in 0..body_ranges(&small).expect("bodies").len() as u32 {
            if let Some(body) = locals::compacted(&small, number).expect("locals") {
                check(&with_body(&small, number, body), &format!("seed {seed}, function {number}"));
            }
        }
    }
}

#[test]
fn a_function_whose_results_are_dropped_loses_them() {
    let module = wat::parse_str(
        r#"(module
          (func $two (param i32) (result i32 i64)
            (if (local.get 0) (then (return (i32.const 1) (i64.const 2))))
            (i32.const 3) (i64.const 4))
          (func (export "main") (drop (drop (call $two (i32.const 5))))))"#,
    );
    // `drop` twice after the call: folded text puts the call first.
    let module = module.expect("a module");
    let small = inline::without_results(&module).expect("a module").expect("a function with results");
    check(&small, "without results");
    assert!(inline::without_results(&small).expect("a module").is_none());
    let inlined = inline::entry(&small).expect("a module").expect("a call to put in");
    check(&inlined, "inlined");
}
