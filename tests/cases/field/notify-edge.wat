;; After wasmtime #11977: memory.atomic.notify on the last word of memory must not trap.
;; RUN: compare % --invoke 'run 65532' --features +threads --rhs capi:jit,lib={libwasmtime-38.0.0.so}
;; EXIT: 1
;; JSON: /verdict "trap"
;; JSON: /site/instruction "memory.atomic.notify"
;; JSON: /resync null
;; RUN: compare % --invoke 'run 65532' --features +threads --lhs capi:jit,lib={libwasmtime-38.0.0.so} --rhs wasmtime:jit
;; EXIT: 1
;; JSON: /verdict "trap"
;; JSON: /site/instruction "memory.atomic.notify"
;; RUN: compare % --invoke 'run 65532' --features +threads --rhs capi:jit,lib={libwasmtime-39.0.0.so}
;; JSON: /agree true
;; RUN: compare % --invoke 'run 65532' --features +threads --rhs capi:jit,lib={libwasmtime-38.0.0.so}
;; EXIT: 1
;; JSON: /rhs/version ~"wasmtime 38.0.1,"
(module
  (memory (export "memory") 1 1)
  (func $log (param $slot i32) (param $v i32)
    (i32.store (i32.mul (local.get $slot) (i32.const 4)) (local.get $v)))
  (func (export "run") (param $at i32) (result i32)
    (local $woken i32)
    (call $log (i32.const 1) (i32.const 0x51))
    (local.set $woken (memory.atomic.notify (local.get $at) (i32.const 3)))
    (call $log (i32.const 2) (i32.add (local.get $woken) (i32.const 0x52)))
    (i32.load (i32.const 8))))
