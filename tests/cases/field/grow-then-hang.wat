;; RUN: record % --invoke 'run 4000' --timeout 2s --engine wasmi -o TMP/t.fpt
;; SAYS: recorded 4,006 events
;; RUN: record % --invoke 'run 4000' --timeout 2s --engine node,program={node} -o TMP/t.fpt
;; SAYS: recorded 4,006 events
(module (memory (export "memory") 1)
  (func (export "run") (param $n i32) (local $i i32)
    (loop $l (i32.store (i32.shl (i32.and (local.get $i) (i32.const 255)) (i32.const 2)) (local.get $i))
      (local.set $i (i32.add (local.get $i) (i32.const 1))) (br_if $l (i32.lt_u (local.get $i) (local.get $n))))
    (loop $h (br $h))))
