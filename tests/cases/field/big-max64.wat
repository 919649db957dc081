;; After wasmi #1964: a 64-bit memory with the largest maximum, and constant addresses.
;; RUN: compare % --invoke run --rhs capi:jit,lib={libwasmi-1.0.5.so}
;; EXIT: 1
;; JSON: /verdict "crash"
;; RUN: compare % --invoke run --rhs capi:jit,lib={libwasmi-1.0.5.so}
;; EXIT: 1
;; SAYS: thread caused non-unwinding panic. aborting.
;; RUN: compare % --invoke run --rhs capi:jit,lib={libwasmi-1.0.5.so}
;; EXIT: 1
;; SAYS: panicked at
;; RUN: compare % --invoke run --rhs wasmi
;; JSON: /agree true
(module
  (memory (export "memory") i64 1 0x1000000000000)
  (func (export "run") (result i64)
    (i64.store (i64.const 0) (i64.const 7))
    (i64.store (i64.const 24) (i64.const 4242))
    (i64.load (i64.const 24))))
