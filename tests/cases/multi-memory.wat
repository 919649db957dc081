;; RUN: record % -o TMP/t.fpt --invoke f --quiet && dump TMP/t.fpt
;; Several memories: every event names its own, a copy between two names both.
(module
  (memory $a 1)
  (memory $b 1 2)
  (data (memory $b) (i32.const 4) "of b")
  (func $f (export "f")
    (i32.store $a (i32.const 0) (i32.const 1))
    (i32.store $b (i32.const 0) (i32.const 2))
    (memory.copy $a $b (i32.const 16) (i32.const 4) (i32.const 4))
    (memory.fill $b (i32.const 64) (i32.const 3) (i32.const 4))
    (drop (memory.grow $b (i32.const 1)))
    (i32.store $a (i32.const 32) (memory.size $b))))
