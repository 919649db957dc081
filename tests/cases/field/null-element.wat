;; An indirect call of an element that is null: V8 has one message for this and for a function of another type, which says
;; neither. Other engines call the same trap otherwise, as the specification leaves them free to.
;; RUN: compare % --invoke 'run 2' --rhs node,program={node}
;; JSON: /agree true
;; JSON: /rhs/outcome "trapped: indirect call of a null element or of another type"
;; RUN: compare % --invoke 'run 1' --rhs node,program={node}
;; JSON: /agree true
;; RUN: compare % --invoke 'run 2' --lhs wasmi --rhs node,program={node}
;; JSON: /agree true
;; RUN: compare % --invoke 'run 9' --rhs node,program={node}
;; JSON: /agree true
;; JSON: /rhs/outcome "trapped: out of bounds table access"
;; RUN: compare % --invoke 'run 2' --rhs node,program={bun-1.2.2}
;; JSON: /agree true
(module
  (type $t (func (param i32) (result i32)))
  (type $u (func (param i64) (result i32)))
  (memory (export "memory") 1)
  (table 4 funcref)
  (elem (i32.const 0) $a $b)
  (func $a (type $t) (i32.store (i32.const 0) (local.get 0)) (local.get 0))
  (func $b (type $u) (i32.const 0))
  (func (export "run") (param i32) (result i32)
    (i32.store (i32.const 64) (local.get 0))
    (call_indirect (type $t) (i32.const 7) (local.get 0))))
