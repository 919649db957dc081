;; RUN: record % -o TMP/t.fpt --invoke run
;; EXIT: 2
(module
  (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
  (import "env" "memory" (memory 1 2 shared))
  (func (export "run") (result i32) (call $spawn (i32.const 0))))
