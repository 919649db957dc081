;; RUN: compare % --invoke 'run 50' --invoke grow --rhs wasmtime:aot,opt=none
;; The optimizing just-in-time engine and unoptimized ahead-of-time code write the same events.
(module
  (memory 1 2)
  (func (export "run") (param $n i32) (result i64)
    (local $x i64)
    (local.set $x (i64.const 88172645463325252))
    (loop $next
      ;; xorshift
      (local.set $x (i64.xor (local.get $x) (i64.shl (local.get $x) (i64.const 13))))
      (local.set $x (i64.xor (local.get $x) (i64.shr_u (local.get $x) (i64.const 7))))
      (local.set $x (i64.xor (local.get $x) (i64.shl (local.get $x) (i64.const 17))))
      (i64.store16 (i32.and (i32.wrap_i64 (local.get $x)) (i32.const 0xffff)) (local.get $x))
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (br_if $next (local.get $n)))
    (local.get $x))
  (func (export "grow") (result i32) (memory.grow (i32.const 1))))
