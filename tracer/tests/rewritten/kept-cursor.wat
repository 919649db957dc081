;; WAYS: inline+at-calls inline
;; Committed at calls, the cursor is in a local: loaded where a function begins and after each call, written back before
;; each call and where the function ends. Its body is a block, so that a branch out of it passes the end. A function that
;; records nothing is left alone.
(module
  (import "env" "log" (func $log (param i32)))
  (memory 1)
  (table funcref (elem $pair))
  (func $nothing (param i32) (result i32)
    (i32.add (local.get 0) (i32.const 1)))
  (func $loop (export "loop") (param $to i32) (local $at i32)
    loop $again
      (i32.store8 (local.get $at) (i32.const 1))
      (br_if $again (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 1))) (local.get $to)))
    end)
  (func $pair (export "pair") (param i32) (result i32 i64)
    (br_if 0 (i32.const 1) (i64.const 2) (local.get 0))
    (i32.store (i32.const 0) (local.get 0))
    (i32.store offset=4 (i32.const 0) (call $nothing (local.get 0)))
    drop drop
    (return (i32.const 3) (i64.const 4)))
  (func $calls (export "calls") (result i32 i64)
    (call $log (i32.const 7))
    (i64.store (i32.const 8) (i64.const 9))
    (call_indirect (param i32) (result i32 i64) (i32.const 1) (i32.const 0))
    (i64.store (i32.const 16) (i64.const 10))
    drop drop
    (return_call $pair (i32.const 2))))
