;; The second segment does not fit, and the first one is copied by then: a failed instantiation leaves it in the memory that the
;; module imports. No engine came further, so nothing ran, and both left the same.
;; RUN: compare % --invoke run --rhs node,program={node}
;; EXIT: 2
;; JSON: /nothing_ran true
;; JSON: /lhs/message ~"left in imported memory env.m at 0x10: 66 69 72 73 74"
;; JSON: /rhs/message ~"left in imported memory env.m at 0x10: 66 69 72 73 74"
;; RUN: compare % --invoke run --rhs capi:jit,lib={libwasmtime-17.0.0.so}
;; EXIT: 2
;; JSON: /nothing_ran true
;; JSON: /rhs/message ~"left in imported memory env.m at 0x10: 66 69 72 73 74"
;; RUN: compare % --invoke run --rhs capi:jit,lib={libwasmi-1.0.5.so}
;; EXIT: 2
;; JSON: /nothing_ran true
;; JSON: /rhs/message ~"left in imported memory env.m at 0x10: 66 69 72 73 74"
(module
  (import "env" "m" (memory 1))
  (data (i32.const 16) "first")
  (data (i32.const 65530) "does not fit")
  (func (export "run")))
