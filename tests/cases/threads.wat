;; RUN: record % -o TMP/t.fpt --invoke run --allow-unordered --quiet && dump TMP/t.fpt
;;
;; A module that wants a second thread on a shared memory gets none, and is recorded. Without the option it is refused:
;; threads-refused.wat.
(module
  (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
  (import "env" "memory" (memory 1 2 shared))
  (export "memory" (memory 0))
  (func (export "wasi_thread_start") (param i32 i32)
    (i32.store (i32.const 64) (i32.const 7)))
  (func (export "run") (result i32)
    (i32.store (i32.const 0) (call $spawn (i32.const 8)))
    (i32.atomic.rmw.add (i32.const 4) (i32.const 1))
    (i32.add (i32.load (i32.const 0)))))
