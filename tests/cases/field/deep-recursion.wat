;; After wasmtime #10169: endless recursion in front of an access that is out of bounds: which comes first?
;; RUN: compare % --invoke run --rhs capi:jit,lib={libwasmi-2.0.0-beta.3.so}
;; EXIT: 1
;; JSON: /verdict "crash"
;; JSON: /reruns/places/0/name "down"
;; RUN: compare % --invoke run --rhs wasmtime:aot
;; JSON: /agree true
;; JSON: /lhs/outcome "trapped: call stack exhausted"
(module
  (memory (export "memory") 1)
  (func $down (param $n i32) (result i32)
    (i32.store (i32.shl (local.get $n) (i32.const 2)) (local.get $n))
    (i32.add (call $down (i32.add (local.get $n) (i32.const 1))) (i32.const 1)))
  (func (export "run") (result i32) (call $down (i32.const 0))))
