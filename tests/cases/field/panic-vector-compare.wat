;; After wasmtime #12170: a vector compared with its own minimum makes the compiler panic.
;; RUN: compare % --invoke 'run 0' --rhs capi:jit,lib={libwasmtime-40.0.0.so}
;; EXIT: 1
;; JSON: /verdict "crash"
;; JSON: /rhs/outcome "crashed: SIGABRT"
;; RUN: compare % --invoke 'run 0' --rhs capi:jit,lib={libwasmtime-40.0.0.so}
;; EXIT: 1
;; SAYS: panicked at
;; RUN: compare % --invoke 'run 0' --rhs capi:jit,lib={libwasmtime-41.0.0.so}
;; JSON: /agree true
(module
  (memory (export "memory") 1)
  (func (export "run") (param $p i32)
    (local $v v128)
    (local.set $v (v128.load (local.get $p)))
    (v128.store (i32.const 64)
      (i32x4.lt_s (local.get $v) (i32x4.min_s (local.get $v) (local.get $v))))))
