;; RUN: record % -o TMP/t.fpt --invoke f --quiet && dump TMP/t.fpt --kind store
;; A lane store writes the one lane.
(module
  (memory 1)
  (global $v v128 (v128.const i8x16 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15))
  (func $f (export "f")
    (v128.store8_lane 15 (i32.const 0) (global.get $v))
    (v128.store16_lane 3 (i32.const 8) (global.get $v))
    (v128.store32_lane 2 (i32.const 16) (global.get $v))
    (v128.store64_lane offset=4 1 (i32.const 20) (global.get $v))))
