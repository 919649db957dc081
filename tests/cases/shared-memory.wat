;; RUN: record % -o TMP/t.fpt --invoke f --quiet && dump TMP/t.fpt
;; A shared memory is recorded like any other as long as there is one thread.
(module
  (memory 1 2 shared)
  (func $f (export "f") (result i32)
    (i32.store (i32.const 16) (i32.const 5))
    (drop (memory.grow (i32.const 1)))
    (i32.atomic.rmw.sub (i32.const 16) (i32.const 2))))
