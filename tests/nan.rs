//! The bits of NaNs, which the specification leaves open, and integers that look like them, which it does not.

mod common;

use common::external::{Need, external_tests, node};
use common::folder_with;
use serde_json::Value;
use std::fmt::Write;

external_tests! {
    [] => nan_bits_are_ignored_wherever_floats_go, an_integer_is_no_nan_whatever_its_bits, engines_agree_on_float_programs_but_for_nan_bits;
    [Need::Node] => v8_agrees_on_float_programs_but_for_nan_bits;
}

/// The left side makes NaNs like this processor, the right side canonical ones.
const ENGINES: [&str; 4] = ["--lhs", "wasmtime:jit", "--rhs", "wasmtime:jit,nan-canonicalization=on"];

/// Compares the two on a body of `run`, whose local `$nan` differs in its sign.
fn compare(body: &str, nan_bits: &str) -> (i32, Value) {
    let module = format!(
        r#"(module (memory (export "memory") 1) (global $single (mut f32) (f32.const 0)) (global $bits (mut i32) (i32.const 0))
             (func (export "run") (param f32 f32) (local $nan f32)
               (local.set $nan (f32.mul (local.get 0) (local.get 1)))
               {body}))"#
    );
    let folder = folder_with(&[("t.wat", module.as_bytes())]);
    let call = ["compare", "t.wat", "--invoke", "run 0 inf", "--json", "--nan-bits", nan_bits];
    let ran = common::run(folder.path(), &[&call[..], &ENGINES[..]].concat());
    (ran.code, serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}")))
}

fn nan_bits_are_ignored_wherever_floats_go() {
    for body in [
        "(f32.store (i32.const 20) (local.get $nan))",
        "(f32.store offset=2 (i32.const 21) (local.get $nan))",
        "(global.set $single (local.get $nan))",
        "(f32.store offset=3 (i32.const 0) (local.get $nan)) (memory.copy (i32.const 101) (i32.const 0) (i32.const 9))",
        "(v128.store offset=1 (i32.const 0) (f32x4.splat (local.get $nan)))",
        "(v128.store32_lane offset=1 1 (i32.const 0) (f32x4.splat (local.get $nan)))",
        "(f64.store offset=5 (i32.const 0) (f64.promote_f32 (local.get $nan)))",
    ] {
        let (code, report) = compare(body, "ignore");
        assert_eq!((code, &report["agree"]), (0, &true.into()), "{body}: {report:#}");
        let (code, report) = compare(body, "report");
        assert_eq!((code, &report["verdict"]), (1, &"nan-bits".into()), "{body}: {report:#}");
    }
}

fn an_integer_is_no_nan_whatever_its_bits() {
    let bits = "(i32.reinterpret_f32 (local.get $nan))";
    for (body, verdict) in [
        (format!("(i32.store (i32.const 20) {bits})"), "value"),
        (format!("(i64.store (i32.const 20) (i64.extend_i32_s {bits}))"), "value"),
        (format!("(global.set $bits {bits})"), "end-state"),
        // An innocent NaN before it does not hide it.
        (format!("(f32.store (i32.const 8) (local.get $nan)) (i32.store (i32.const 20) {bits})"), "value"),
    ] {
        for nan_bits in ["ignore", "report"] {
            let (code, report) = compare(&body, nan_bits);
            assert_eq!((code, &report["verdict"]), (1, &verdict.into()), "{body}: {report:#}");
        }
    }
}

/// A function of one float operator after another, which stores many results at any address and leaves others in
/// globals: NaNs of all origins, but no integer made from one.
fn float_module(random: &mut fastrand::Rng) -> String {
    let mut module = String::from("(module (memory (export \"memory\") 1)\n");
    for (global, ty) in [("s", "f32"), ("d", "f64")] {
        let _ = writeln!(module, "(global ${global} (mut {ty}) ({ty}.const 0))");
    }
    let _ = writeln!(module, "(func (export \"run\") (param $x f32) (param $y f64) (result f32 f64)");
    for _ in 0..random.usize(20..60) {
        let (ty, x) = if random.bool() { ("f32", "$x") } else { ("f64", "$y") };
        let binary = ["add", "sub", "mul", "div", "min", "max", "copysign"];
        let unary = ["neg", "abs", "sqrt", "ceil", "floor", "trunc", "nearest"];
        let constant = ["0", "-0", "inf", "-inf", "nan", "1.5", "-3e9", "1e-40"][random.usize(..8)];
        let value = match random.u8(..6) {
            0 | 1 => format!("({ty}.{} (local.get {x}))", unary[random.usize(..unary.len())]),
            2 => format!("({ty}.{} ({ty}.const {constant}) (local.get {x}))", binary[random.usize(..binary.len())]),
            3 if ty == "f32" => "(f32.demote_f64 (local.get $y))".to_string(),
            3 => "(f64.promote_f32 (local.get $x))".to_string(),
            _ => format!("({ty}.{} (local.get {x}) ({ty}.const {constant}))", binary[random.usize(..binary.len())]),
        };
        let address = random.u32(..60_000);
        let _ = match random.u8(..5) {
            0 => writeln!(module, "(global.set {} {value})", if ty == "f32" { "$s" } else { "$d" }),
            1 | 2 => writeln!(module, "({ty}.store (i32.const {address}) {value})"),
            _ => writeln!(module, "(local.set {x} {value})"),
        };
    }
    module.push_str("(local.get $x) (local.get $y)))");
    module
}

fn engines_agree_on_float_programs_but_for_nan_bits() {
    agree_but_for_nan_bits(
        "wasmtime:jit;wasmtime:jit,nan-canonicalization=on;wasmtime:winch-jit;wasmtime:pulley;wasmi",
    );
}

fn v8_agrees_on_float_programs_but_for_nan_bits() {
    agree_but_for_nan_bits(&format!("wasmtime:jit,nan-canonicalization=on;wasmtime:jit;node,program={}", node()));
}

fn agree_but_for_nan_bits(engines: &str) {
    let mut random = fastrand::Rng::with_seed(20);
    let mut differed = 0;
    for number in 0..8 {
        let module = float_module(&mut random);
        let folder = folder_with(&[("t.wat", module.as_bytes())]);
        let command = ["compare", "t.wat", "--invoke", "run inf -0", "--engines", engines, "--json"];
        let ran = common::run(folder.path(), &[&command[..], &["--nan-bits", "ignore"]].concat());
        assert_eq!(ran.code, 0, "module {number}: {}\n{}{}", module, ran.stdout, ran.stderr);
        let ran = common::run(folder.path(), &command);
        let survey: Value = serde_json::from_str(&ran.stdout).expect("JSON");
        for group in survey["groups"].as_array().expect("groups") {
            let verdict = &group["divergence"]["verdict"];
            assert!(verdict.is_null() || verdict == "nan-bits", "module {number}: {module}\n{group:#}");
            differed += usize::from(verdict == "nan-bits");
        }
    }
    assert!(differed > 0, "no module made NaNs whose bits differ");
}
