;; After wasmi #1972: a br_table whose targets take two values and lie at different heights.
;; RUN: compare % --invoke 'run 0' --rhs capi:jit,lib={libwasmi-2.0.0-beta.3.so}
;; EXIT: 1
;; JSON: /verdict "value"
;; JSON: /site/name "pick"
;; JSON: /position 5
;; RUN: compare % --invoke 'run 1' --rhs capi:jit,lib={libwasmi-2.0.0-beta.3.so}
;; JSON: /agree true
;; RUN: compare % --invoke 'run 0' --rhs wasmi
;; JSON: /agree true
(module
  (memory (export "memory") 1)
  (func $pick (param $i i32) (param $a i32) (param $b i32) (result i32)
    (local $x i32) (local $y i32)
    (i32.const 1000)
    (block $outer (result i32 i32)
      (i32.const 2000)
      (block $inner (result i32 i32)
        (local.get $a) (local.get $b)
        (br_table $inner $outer (local.get $i)))
      (local.set $y) (local.set $x)
      (drop)
      (i32.add (local.get $x) (i32.const 1))
      (local.get $y))
    (local.set $y) (local.set $x)
    (i32.store (i32.const 16) (local.get $x))
    (i32.store (i32.const 20) (local.get $y))
    (drop)
    (i32.load (i32.const 16)))
  (func (export "run") (param $i i32) (result i32)
    (call $pick (local.get $i) (i32.const 77) (i32.const 88))))
