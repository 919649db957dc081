;; WAYS: inline hooks exposed
;; The recorder's import comes after the other imported functions, so the indices of defined functions move by one wherever
;; they stand: calls, `ref.func`, elements, initial values of tables and globals, exports, names. Instructions of tables change
;; no memory.

(module
  (import "env" "host" (func $host))
  (memory 1)
  (table $t 2 10 funcref (ref.func $a))
  (global $g funcref (ref.func $b))
  (elem declare func $a)
  (elem (i32.const 1) func $b)
  (export "a" (func $a))
  (func $a (call $host) (call $b))
  (func $b
    (table.set $t (i32.const 0) (ref.func $a))
    (drop (table.grow $t (ref.null func) (i32.const 1)))
    (call_indirect $t (i32.const 0))
    (return_call $a)))
