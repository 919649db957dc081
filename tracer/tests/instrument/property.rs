//! Damaged modules are refused with a reason or rewritten correctly.

use crate::support;
use forkpoint_tracer::instrument::{Options, instrument};

/// Damaged modules: errors, no panics.
#[test]
fn damaged_modules_do_not_panic() {
    let text = "(module (memory 1) (data (i32.const 0) \"abc\") (table 1 funcref) (elem (i32.const 0) $f)
        (func $f (param i32) (i32.store8 (local.get 0) (i32.const 1)) (drop (memory.grow (i32.const 1)))) (start $g)
        (func $g (call $f (i32.const 1))))";
    let module = wat::parse_str(text).expect("well formed");
    assert!(instrument(&module, &Options::default()).is_ok());
    for at in 0..module.len() {
        let _ = instrument(&module[..at], &Options::default());
        for bit in 0..8 {
            let mut damaged = module.clone();
            damaged[at] ^= 1 << bit;
            if instrument(&damaged, &Options::default()).is_ok() {
                support::rewrite(&damaged, &Options::default());
            }
        }
    }
}
