;; V8 has one message for an indirect call of a null element and of a function of another type, and like JavaScriptCore one for
;; a float that is a NaN and one that is too large. Other engines tell these traps apart, and it is the same trap.
;; RUN: compare % --invoke 'call 2' --rhs node,program={node}
;; JSON: /agree true
;; JSON: /rhs/outcome "trapped: indirect call of a null element or of another type"
;; RUN: compare % --invoke 'call 1' --invoke 'call 9' --invoke nan --invoke large --rhs node,program={node}
;; JSON: /agree true
;; JSON: /rhs/outcome "trapped: float that is not an integer of the type"
;; RUN: compare % --invoke 'call 2' --invoke 'call 1' --invoke nan --invoke large --lhs wasmi --rhs node,program={node}
;; JSON: /agree true
;; RUN: compare % --invoke 'call 2' --invoke 'call 1' --invoke nan --invoke large --rhs node,program={bun-1.2.2}
;; JSON: /agree true
(module
  (type $t (func (param i32) (result i32)))
  (type $u (func (param i64) (result i32)))
  (memory (export "memory") 1)
  (table 4 funcref)
  (elem (i32.const 0) $a $b)
  (func $a (type $t) (i32.store (i32.const 0) (local.get 0)) (local.get 0))
  (func $b (type $u) (i32.const 0))
  (func (export "call") (param i32) (result i32)
    (i32.store (i32.const 64) (local.get 0))
    (call_indirect (type $t) (i32.const 7) (local.get 0)))
  (func (export "nan") (result i32)
    (i32.trunc_f32_s (f32.div (f32.load (i32.const 128)) (f32.load (i32.const 128)))))
  (func (export "large") (result i32)
    (i32.trunc_f64_u (f64.add (f64.const 1e30) (f64.load (i32.const 128))))))
