;; As gc-fill.wat, but nothing of the array reaches linear memory: only the result shows it.
;; RUN: compare % --invoke 'run 6' --features +function-references,+gc --rhs capi:jit,lib={libwasmtime-31.0.0.so}
;; EXIT: 1
;; JSON: /verdict "end-state"
;; JSON: /lhs/event "return 54"
;; JSON: /rhs/event "return 0"
;; RUN: compare % --invoke 'run 6' --features +function-references,+gc --rhs capi:jit,lib={libwasmtime-31.0.0.so}
;; EXIT: 1
;; JSON: /reruns/first_call/name "run"
(module
  (type $bytes (array (mut i8)))
  (memory (export "memory") 1)
  (func (export "run") (param $n i32) (result i32)
    (local $a (ref $bytes)) (local $i i32) (local $sum i32)
    (local.set $a (array.new_default $bytes (local.get $n)))
    (array.fill $bytes (local.get $a) (i32.const 0) (i32.const 9) (local.get $n))
    (loop $next
      (local.set $sum (i32.add (local.get $sum) (array.get_u $bytes (local.get $a) (local.get $i))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $i) (array.len (local.get $a)))))
    (local.get $sum)))
