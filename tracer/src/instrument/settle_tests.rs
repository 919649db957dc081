use super::*;

fn given() -> Given {
    Given {
        globals: [(0, WasmValue::I32(64)), (1, WasmValue::I64(-7)), (2, WasmValue::F64(1.5f64.to_bits()))].into(),
        tables: [(0, 9)].into(),
    }
}

/// Settles a module; it stays valid without what was imported, even for engines without anything newer than extended constants.
fn settled(text: &str) -> (Vec<u8>, i64) {
    let module = wat::parse_str(text).expect("a module");
    let (settled, moved) = settle(&module, &given()).expect("settled");
    wasmparser::Validator::new_with_features(features()).validate_all(&settled).expect("still valid");
    (settled, moved)
}

#[test]
fn imports_become_the_first_definitions_and_constants_hold_their_values() {
    let (module, moved) = settled(
        r#"(module
          (import "env" "base" (global $base i32))
          (import "env" "f" (func $f (param i32)))
          (import "env" "wide" (global $wide (mut i64)))
          (import "env" "t" (table $t 3 20 funcref))
          (import "env" "memory" (memory 1))
          (import "env" "float" (global $float f64))
          (import "env" "tag" (tag $tag (param i32)))
          (global $own i32 (global.get $base))
          (table $second 2 funcref)
          (elem (table $t) (global.get $base) func $g)
          (data (global.get $base) "data")
          (func $g (export "g") (result i32)
            (table.set $t (i32.const 0) (ref.func $g))
            (call $f (global.get $own))
            (global.get $base))
          (export "t" (table $t)))"#,
    );
    let text = wasmprinter::print_bytes(&module).expect("text");
    for line in [
        "(table $t (;0;) 9 20 funcref)",
        "(table $second (;1;) 2 funcref)",
        "(tag $tag (;0;) (type",
        "(global $base (;0;) i32 i32.const 64)",
        "(global $wide (;1;) (mut i64) i64.const -7)",
        "(global $float (;2;) f64 f64.const 0x1.8p+0 (;=1.5;))",
        "(global $own (;3;) i32 i32.const 64)",
        "(elem (;0;) (table $t) (i32.const 64) func $g)",
        "(data (;0;) (i32.const 64) \"data\")",
        "(import \"env\" \"memory\" (memory (;0;) 1))",
    ] {
        assert!(text.contains(line), "no {line} in\n{text}");
    }
    assert!(!text.contains("(import \"env\" \"base\""), "{text}");
    assert_ne!(moved, 0, "the code lies elsewhere, and it is known by how much");
}

#[test]
fn a_global_of_which_nobody_knows_is_an_error() {
    let module = wat::parse_str(r#"(module (import "a" "b" (global i32)))"#).expect("a module");
    let error = settle(&module, &Given::default()).expect_err("refused");
    assert!(error.to_string().contains("imported global 0"), "{error}");
}
