;; RUN: record % -o TMP/t.fpt --invoke f --quiet --read-back --checkpoint every=1 && dump TMP/t.fpt --kind store --kind observed
;; Read back under an engine that is right, every store is what memory holds: nothing is observed.
(module
  (memory 1)
  (func $f (export "f")
    (i64.store16 (i32.const 0) (i64.const -1))
    (f32.store (i32.const 4) (f32.const nan:0x200001))
    (v128.store16_lane 3 (i32.const 8) (v128.const i32x4 1 2 3 4))
    (v128.store (i32.const 16) (v128.const i32x4 1 2 3 4))))
