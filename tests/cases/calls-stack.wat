;; RUN: record % -o TMP/a.fpt --invoke 'run 3' && record % --engine wasmi -o TMP/b.fpt --invoke 'run 3' && calls TMP/a.fpt --at 6 && calls TMP/b.fpt --at 6 && calls TMP/a.fpt TMP/b.fpt --at 8 && calls TMP/a.fpt --at 4 && calls TMP/b.fpt
;; The functions that were active at an event, by a rerun: on any engine, through tables and tail calls. At #4 the host calls; by
;; default the question is about the last event of the module.
(module
  (memory 1)
  (type $step (func (param i64) (result i32)))
  (table funcref (elem $store))
  (func $store (type $step) (param $to i64) (result i32)
    (i32.store (i32.wrap_i64 (local.get $to)) (i32.const 7))
    (i32.const 1))
  (func $instead (param $to i64) (result i32)
    (return_call_indirect (type $step) (local.get $to) (i32.const 0)))
  (func $down (param $left i32) (param f32) (result i32)
    (if (result i32) (local.get $left)
      (then
        (i32.store8 (i32.const 40) (local.get $left))
        (call $down (i32.sub (local.get $left) (i32.const 1)) (f32.div (local.get 1) (f32.const 2))))
      (else (call $instead (i64.const 48)))))
  (func (export "run") (param i32) (result i32)
    (call $down (local.get 0) (f32.const 1))))
