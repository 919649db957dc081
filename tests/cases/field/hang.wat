;; Three stores, then a loop without an end that stores nothing: where does a hanging engine hang?
;; RUN: compare % --invoke 'run 1' --timeout 2s --no-guard --rhs wasmi
;; EXIT: 2
;; SAYS: lhs timed out; rhs timed out
;; RUN: compare % --invoke 'run 1' --timeout 2s --no-guard --rhs node,program={node}
;; EXIT: 2
;; SAYS: lhs timed out; rhs timed out
;; RUN: compare % --invoke 'run 9' --rhs node,program={node-15.14.0}
;; JSON: /agree true
(module (memory (export "memory") 1)
  (func (export "run") (param $n i32)
    (i32.store (i32.const 0) (i32.const 1)) (i32.store (i32.const 4) (i32.const 2)) (i32.store (i32.const 8) (i32.const 3))
    (loop $l (br_if $l (i32.ne (local.get $n) (i32.const 9))))))
