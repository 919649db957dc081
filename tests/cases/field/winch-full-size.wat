;; After wasmtime #12908: memory.size of a memory that has all of its 65536 pages.
;; RUN: compare % --invoke run --rhs wasmtime:aot
;; JSON: /agree true
;; RUN: compare % --invoke run --rhs wasmtime:winch-jit
;; JSON: /agree true
(module
  (memory (export "memory") 65536)
  (func (export "run") (result i32)
    (i32.store (i32.const 4) (memory.size))
    (i32.load (i32.const 4))))
