;; RUN: record % -o TMP/t.fpt --invoke f --quiet && dump TMP/t.fpt
;; A memory that the module imports is provided: a fresh one of the size asked for.
(module
  (import "env" "memory" (memory 1 3))
  (data (i32.const 8) "data")
  (func $f (export "f") (result i32)
    (i32.store (i32.const 8) (i32.load (i32.const 10)))
    (memory.grow (i32.const 1))))
