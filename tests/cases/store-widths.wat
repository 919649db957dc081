;; RUN: record % -o TMP/t.fpt --invoke f --quiet && dump TMP/t.fpt --kind store
;; Every store instruction writes its own width, little-endian, narrow ones the low bytes only. The static
;; offset is part of the address shown.
(module
  (memory 1)
  (func $f (export "f")
    (i32.store (i32.const 0) (i32.const 0x11223344))
    (i64.store (i32.const 8) (i64.const 0x1122334455667788))
    (f32.store (i32.const 16) (f32.const 1.5))
    (f64.store (i32.const 24) (f64.const -2.5))
    (i32.store8 (i32.const 32) (i32.const 0x11223344))
    (i32.store16 (i32.const 34) (i32.const 0x11223344))
    (i64.store8 (i32.const 40) (i64.const 0x1122334455667788))
    (i64.store16 (i32.const 42) (i64.const 0x1122334455667788))
    (i64.store32 (i32.const 44) (i64.const 0x1122334455667788))
    (v128.store (i32.const 48) (v128.const i64x2 0x1122334455667788 0x99aabbccddeeff00))
    (i32.store offset=100 (i32.const 28) (i32.const -1))
    ;; A store of what is there already is an event too.
    (i32.store (i32.const 0) (i32.const 0x11223344))
    ;; NaN bits are kept.
    (f32.store (i32.const 200) (f32.const nan:0x200001))
    ;; Unaligned, and the last bytes of the page.
    (i64.store (i32.const 65528) (i64.const 1))))
