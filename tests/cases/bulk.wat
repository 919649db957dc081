;; RUN: record % -o TMP/t.fpt --invoke f --quiet && dump TMP/t.fpt && info TMP/t.fpt --verify
;; fill, copy (overlapping, both directions), init from a passive segment, drop of it, and lengths of zero.
(module
  (memory 1)
  (data $text "passive")
  (func $f (export "f")
    (memory.fill (i32.const 10) (i32.const 0x1ab) (i32.const 20))
    (memory.init $text (i32.const 100) (i32.const 1) (i32.const 5))
    (memory.copy (i32.const 102) (i32.const 100) (i32.const 5))
    (memory.copy (i32.const 98) (i32.const 100) (i32.const 5))
    (data.drop $text)
    (memory.fill (i32.const 0) (i32.const 1) (i32.const 0))
    (memory.init $text (i32.const 0) (i32.const 0) (i32.const 0))
    (i32.store8 (i32.const 0) (i32.load8_u (i32.const 102)))))
