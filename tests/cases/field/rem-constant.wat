;; After WebKit 312682: rem_s of two constants, INT_MIN and -1, in a function that becomes hot.
;; RUN: compare % --invoke 'run 100000' --lhs node,program={bun-1.2.2} --rhs node,program={bun-1.2.2}
;; EXIT: 1
;; SAYS: do not run this module the same way twice
;; RUN: compare % --invoke 'run 5' --rhs node,program={bun-1.2.2}
;; JSON: /rhs/version ~"javascriptcore"
(module
  (memory (export "memory") 1)
  (func $slot (param $i i32) (result i32)
    (i32.add (local.get $i) (i32.rem_s (i32.const 0x80000000) (i32.const -1))))
  (func (export "run") (param $n i32) (result i32)
    (local $i i32)
    (loop $next
      (i32.store (i32.shl (i32.and (call $slot (local.get $i)) (i32.const 1023)) (i32.const 2)) (local.get $i))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $i) (local.get $n))))
    (i32.load (i32.const 0))))
