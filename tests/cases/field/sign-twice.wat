;; After binaryen #3362: a byte is sign-extended, shifted and sign-extended again; an old wasm-opt drops one of the steps.
;; RUN: compare % --invoke 'run 6' --rhs wasmi
;; JSON: /agree true
(module
  (memory (export "memory") 1)
  (func $quantise (param $x i32) (result i32)
    (i32.shr_s (i32.shl (i32.shr_s (i32.shl (local.get $x) (i32.const 24)) (i32.const 24)) (i32.const 30)) (i32.const 24)))
  (func (export "run") (param $n i32) (result i32)
    (local $i i32)
    (loop $next
      (i32.store (i32.shl (local.get $i) (i32.const 2)) (call $quantise (i32.add (local.get $i) (i32.const 65419))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $i) (local.get $n))))
    (i32.load (i32.const 0))))
