;; RUN: record % -o TMP/t.fpt --invoke f && dump TMP/t.fpt
;; A run that traps keeps the stores before the trap, and has nothing of the store that trapped: not even
;; where only its last byte is outside.
(module
  (memory 1)
  (func $f (export "f")
    (i32.store (i32.const 4) (i32.const 1))
    (i32.store (i32.const 8) (i32.const 2))
    (i32.store (i32.const 65533) (i32.const 3))
    (i32.store (i32.const 12) (i32.const 4))))
